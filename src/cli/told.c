/* SPDX-License-Identifier: MIT */
/* Outcomes from joblogs, journals and run.h5; see told.h.  It writes only that
 * last one. */
#include "cli/told.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "run/learn.h"
#include "store/journal.h"
#include "store/rundir.h"
#include "store/runfile.h"
#include "task/joblog.h"
#include "task/task.h"
#include "wire/replay.h"
#include "wire/wire.h"

#define READ_BYTES 65536

int dtx_told_file(const char *path, struct dtx_buf *out, struct dtx_error *err)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO
                                    : open(path, O_RDONLY | O_CLOEXEC);
    int rc = DTX_OK;
    ssize_t n = 1;

    if (fd < 0)
        return dtx_error_errno(err, "cannot read %s", path);
    while (rc == DTX_OK && n != 0) {
        if (!dtx_buf_reserve(out, READ_BYTES)) {
            rc = dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
            break;
        }
        n = read(fd, out->data + out->len, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = dtx_error_errno(err, "cannot read %s", path);
        else
            out->len += (size_t)n;
        if (n < 0)
            break;
    }
    if (fd != STDIN_FILENO)
        (void)close(fd);
    if (rc == DTX_OK)
        out->data[out->len] = '\0';
    return rc;
}

/* ---- a joblog ---- */

struct from_log {
    dtx_told_f fn;
    void *ctx;
};

static int tell_row(void *ctx, const struct dtx_joblog_line *r,
                    struct dtx_error *err)
{
    struct from_log *l = ctx;
    struct dtx_told t = {.seq = r->seq, .command = r->command,
                         .len = r->len, .outcome = &r->outcome};
    size_t n = r->host_len < sizeof(t.host) ? r->host_len
                                            : sizeof(t.host) - 1;

    (void)err;
    memcpy(t.host, r->host, n);
    t.host[n] = '\0';
    return l->fn(l->ctx, &t);
}

/* ---- a journal ---- */

struct from_journal {
    dtx_told_f fn;
    void *ctx;
    struct dtx_replay replay;
    char host[64];  /* of the session's rank 0 */
    uint32_t ranks;
    struct dtx_buf command;
};

static void note_session(struct from_journal *j, const struct dtx_rec *rec)
{
    size_t n = rec->u.session.host.len;

    if (n >= sizeof(j->host))
        n = sizeof(j->host) - 1;
    memcpy(j->host, rec->u.session.host.data, n);
    j->host[n] = '\0';
    j->ranks = rec->u.session.ranks;
}

static int tell_outcome(struct from_journal *j, const struct dtx_rec *rec,
                        struct dtx_error *err)
{
    const struct dtx_tasklist *list = &j->replay.list;
    struct dtx_cursor items = rec->items;
    struct dtx_item_outcome item;
    struct dtx_outcome o;
    struct dtx_told t;

    if (dtx_item_outcome_next(&items, &item) != 1 ||
        dtx_outcome_from_item(&item, &o) != 0 || !j->replay.has_list ||
        o.task >= list->ntasks || o.source == DTX_SOURCE_JOBLOG)
        return DTX_OK;
    dtx_buf_clear(&j->command);
    dtx_tasklist_command(&j->command, list, o.task, o.slot);
    if (j->command.failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    memset(&t, 0, sizeof(t));
    t.seq = dtx_task_id(o.task);
    t.command = j->command.data ? j->command.data : "";
    t.len = j->command.len;
    t.outcome = &o;
    if (o.rank == 0 || j->ranks == 1)
        memcpy(t.host, j->host, sizeof(t.host));
    return j->fn(j->ctx, &t);
}

static int read_record(void *ctx, const void *payload, size_t len, uint64_t at,
                       struct dtx_error *err)
{
    struct from_journal *j = ctx;
    struct dtx_rec rec;
    int rc = dtx_replay_record(&j->replay, payload, len, at, err);

    if (rc != DTX_OK || !payload || dtx_rec_decode(payload, len, &rec) != 0)
        return rc;
    if (rec.kind == DTX_REC_SESSION)
        note_session(j, &rec);
    return rec.kind == DTX_REC_OUTCOME ? tell_outcome(j, &rec, err) : DTX_OK;
}

static int each_of_run(const char *dir, dtx_told_f fn, void *ctx,
                       struct dtx_error *err)
{
    struct from_journal j = {.fn = fn, .ctx = ctx};
    struct dtx_buf path = DTX_BUF_INIT;
    int rc;

    dtx_replay_init(&j.replay);
    dtx_buf_printf(&path, "%s/journal", dir);
    if (path.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else
        rc = dtx_journal_read(path.data, read_record, &j, NULL, err);
    dtx_replay_fini(&j.replay);
    dtx_buf_free(&j.command);
    dtx_buf_free(&path);
    return rc;
}

/* ---- a run.h5 ---- */

static int each_of_file(const char *path, dtx_told_f fn, void *ctx,
                        struct dtx_error *err)
{
    struct dtx_runfile r;
    int rc = dtx_runfile_read(path, &r, err);
    size_t i;

    for (i = 0; rc == DTX_OK && i < r.n; i++) {
        const struct dtx_run_attempt *a = &r.attempt[i];
        struct dtx_told t = {.seq = a->seq, .len = a->command_len,
                             .outcome = &a->outcome};

        t.command = a->command_len ? r.text.data + a->command_at : "";
        memcpy(t.host, r.hosts.host[a->host].name, sizeof(t.host));
        rc = fn(ctx, &t);
    }
    dtx_runfile_free(&r);
    return rc;
}

/* ---- any ---- */

bool dtx_told_is_run(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int dtx_told_each(const char *path, dtx_told_f fn, void *ctx,
                  struct dtx_error *err)
{
    struct from_log l = {fn, ctx};
    struct dtx_buf b = DTX_BUF_INIT;
    int rc;

    if (dtx_told_is_run(path))
        return each_of_run(path, fn, ctx, err);
    if (dtx_runfile_is_h5(path))
        return each_of_file(path, fn, ctx, err);
    rc = dtx_told_file(path, &b, err);
    if (rc == DTX_OK)
        rc = dtx_joblog_each(path, b.data, b.len, tell_row, &l, err);
    dtx_buf_free(&b);
    return rc;
}

int dtx_told_id(const char *path, char id[33], struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_key k;
    char *real;
    int rc;

    if (dtx_told_is_run(path)) {
        real = realpath(path, NULL);
        if (!real)
            return dtx_error_errno(err, "cannot find %s", path);
        dtx_learn_id(real, id);
        free(real);
        return DTX_OK;
    }
    rc = dtx_told_file(path, &b, err);
    if (rc == DTX_OK) {
        k = dtx_hash128(b.data, b.len, 6);
        (void)snprintf(id, 33, "%016" PRIx64 "%016" PRIx64, k.hi, k.lo);
    }
    dtx_buf_free(&b);
    return rc;
}

/* ---- making a run.h5 ---- */

static int add_attempt(void *ctx, const struct dtx_told *t)
{
    return dtx_runfile_add(ctx, t->seq, t->command, t->len, t->host,
                           t->outcome);
}

int dtx_told_runfile(const char *dir, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    struct dtx_runfile r;
    int rc;

    memset(&r, 0, sizeof(r));
    dtx_buf_printf(&path, "%s/run.h5", dir);
    rc = each_of_run(dir, add_attempt, &r, err);
    if (rc == DTX_ENOMEM || path.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == DTX_OK)
        rc = dtx_runfile_write(path.data, &r, err);
    dtx_runfile_free(&r);
    dtx_buf_free(&path);
    return rc;
}

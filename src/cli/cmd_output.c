/* SPDX-License-Identifier: MIT */
/* "distributex output": prints what tasks wrote.  For one task the index leads
 * to its record in the journal and the record to its bytes; where the index
 * does not know better, and for several, the journal is read through.  With
 * --follow the records are read as they come.  Nothing is written; which tasks
 * are meant is asked.c's. */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/asked.h"
#include "run/status.h"
#include "store/journal.h"
#include "store/output.h"
#include "store/rundir.h"
#include "task/outcome.h"
#include "task/task.h"
#include "wire/replay.h"
#include "wire/wire.h"

#define LOOK_NS (50 * DTX_MSEC_NS) /* how often --follow looks for records */

/* ---- the record ---- */

struct found {
    struct dtx_outcome outcome;
    uint32_t epoch;
};

/* The outcome in the record at 'at': 0, or DTX_ECORRUPT when there is none. */
static int read_outcome(const char *journal, uint64_t at, struct found *f,
                        struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_item_outcome item;
    struct dtx_rec rec;
    int rc = dtx_journal_read_at(journal, at, &b, err);

    if (rc == 0 && (dtx_rec_decode(b.data, b.len, &rec) != 0 ||
                    rec.kind != DTX_REC_OUTCOME ||
                    dtx_item_outcome_next(&rec.items, &item) != 1 ||
                    dtx_outcome_from_item(&item, &f->outcome) != 0))
        rc = dtx_error_set(err, DTX_ECORRUPT,
                           "%s: the record at byte %" PRIu64 " is no outcome",
                           journal, at);
    if (rc == 0)
        f->epoch = rec.u.outcome.epoch;
    dtx_buf_free(&b);
    return rc;
}

static int replay_one(void *ctx, const void *payload, size_t len, uint64_t at,
                      struct dtx_error *err)
{
    return dtx_replay_record(ctx, payload, len, at, err);
}

static int say_no_outcome(uint32_t task, struct dtx_error *err)
{
    return dtx_error_set(err, DTX_ENOENT,
                         "task %" PRIu64 " has no recorded outcome: it has "
                         "not ended, or was skipped since one it waits for "
                         "failed",
                         dtx_task_id(task));
}

/* Where the journal says the last outcome of the task is. */
static int search_journal(const char *journal, uint32_t task, uint64_t *at,
                          struct dtx_error *err)
{
    struct dtx_replay r;
    int rc;

    dtx_replay_init(&r);
    rc = dtx_journal_read(journal, replay_one, &r, NULL, err);
    if (rc == 0 && r.has_list && task >= r.list.ntasks)
        rc = dtx_error_set(err, DTX_ENOENT,
                           "there is no task %" PRIu64 ": the job has %zu",
                           dtx_task_id(task), r.list.ntasks);
    else if (rc == 0 && (!r.has_list || r.known[task].at == 0))
        rc = say_no_outcome(task, err);
    else if (rc == 0)
        *at = r.known[task].at - 1;
    dtx_replay_fini(&r);
    return rc;
}

/* By the index where it leads to a record of this very task. A task whose
 * number has changed since is found by reading. */
static int find_outcome(const char *dir, const char *journal, uint32_t task,
                        struct found *f, struct dtx_error *err)
{
    uint64_t at = 0;
    int rc = dtx_output_index_get(dir, task, &at);

    if (rc == 0)
        rc = read_outcome(journal, at, f, NULL);
    if (rc != 0 || f->outcome.task != task) {
        rc = search_journal(journal, task, &at, err);
        if (rc == 0)
            rc = read_outcome(journal, at, f, err);
    }
    return rc;
}

/* ---- its output ---- */

#define ENOUGH 1 /* nobody reads what would follow */

struct printer {
    const struct dtx_asked *request;
    struct dtx_output_reader *reader;
    bool more_follows; /* stderr, which is wanted, behind stdout */
    bool closed;       /* stdout has no reader any more */
    uint64_t unkept;   /* outputs of several that were not kept */
    bool missed;       /* something could not be printed, and was told */
    struct dtx_error *err;
};

static int print_piece(void *ctx, enum dtx_stream s, const void *data,
                       size_t len)
{
    struct printer *p = ctx;
    int fd = s == DTX_STDOUT ? STDOUT_FILENO : STDERR_FILENO;

    /* what is not wanted is read all the same: its sum is checked */
    if (!p->request->want[s] || (s == DTX_STDOUT && p->closed))
        return 0;
    if (dtx_cmd_write(fd, data, len) == 0)
        return 0;
    if (errno != EPIPE)
        return dtx_error_errno(p->err, "cannot write to standard %s",
                               s == DTX_STDOUT ? "output" : "error");
    p->closed = true;
    return s == DTX_STDOUT && p->more_follows ? 0 : ENOUGH;
}

/* 0, ENOUGH or an error. */
static int print_output(struct printer *p, const struct found *f,
                        struct dtx_error *err)
{
    if (!dtx_outcome_is_kept(&f->outcome))
        return dtx_error_set(err, DTX_ENOENT,
                             "the output of task %" PRIu64 " (%" PRIu64
                             " bytes) was not kept: the job ran with "
                             "--keep-outputs",
                             dtx_task_id(f->outcome.task),
                             f->outcome.out_len + f->outcome.err_len);
    p->more_follows =
        p->request->want[DTX_STDERR] && f->outcome.err_len > 0;
    p->err = err;
    return dtx_output_each(p->reader, f->epoch, &f->outcome, print_piece, p,
                           err);
}

/* One of several: what cannot be had is told, and the rest printed. Those that
 * were not kept may be many: they are counted. */
static int print_one(struct printer *p, const struct found *f)
{
    struct dtx_error err = {0, ""};
    int rc;

    if (!dtx_outcome_is_kept(&f->outcome)) {
        p->unkept++;
        return 0;
    }
    rc = print_output(p, f, &err);
    if (rc < 0) {
        (void)dtx_cmd_fail(DTX_CMD_FAILED, &err);
        p->missed = true;
    }
    return rc == ENOUGH && p->closed && !p->request->want[DTX_STDERR] ? ENOUGH
                                                                      : 0;
}

/* When all of several have been printed: the exit status. */
static int tell_missed(const struct printer *p)
{
    struct dtx_error err;

    if (p->unkept > 0)
        return dtx_cmd_fail(DTX_CMD_FAILED,
                            (dtx_error_set(&err, DTX_ENOENT,
                                           "%" PRIu64 " outputs were not kept: "
                                           "the job ran with --keep-outputs",
                                           p->unkept), &err));
    return p->missed ? DTX_CMD_FAILED : 0;
}

/* ---- several tasks ---- */

static int print_known(struct printer *p, const char *journal,
                       const struct dtx_replay *r)
{
    const struct dtx_asked *q = p->request;
    struct dtx_error err = {0, ""};
    struct found f;
    uint32_t t;
    int rc = 0;

    for (t = 0; t < r->list.ntasks && rc == 0; t++) {
        if (!dtx_asked_has(q, &r->list, t) ||
            (r->known[t].at != 0 &&
             !dtx_asked_has_status(q, r->known[t].status)))
            continue;
        if (r->known[t].at != 0) {
            rc = read_outcome(journal, r->known[t].at - 1, &f, &err);
            if (rc == 0)
                rc = print_one(p, &f);
        } else if (!q->state) {
            (void)say_no_outcome(t, &err);
            (void)dtx_cmd_fail(DTX_CMD_FAILED, &err);
            p->missed = true;
        }
    }
    return rc < 0 ? dtx_cmd_fail(DTX_CMD_FAILED, &err) : tell_missed(p);
}

static int show_several(struct printer *p, const char *journal)
{
    struct dtx_error err = {0, ""};
    struct dtx_replay r;
    int rc, status;

    dtx_replay_init(&r);
    rc = dtx_journal_read(journal, replay_one, &r, NULL, &err);
    if (rc == 0 && !r.has_list)
        rc = dtx_error_set(&err, DTX_ENOENT, "%s holds no task list", journal);
    if (rc == 0)
        rc = dtx_asked_check(p->request, &r.list, &err);
    status = rc == 0 ? print_known(p, journal, &r)
                     : dtx_cmd_fail(DTX_CMD_FAILED, &err);
    dtx_replay_fini(&r);
    return status;
}

/* ---- as they come ---- */

struct follower {
    struct printer *printer;
    struct dtx_replay replay;
    uint64_t next; /* where the next record's frame will be */
};

static int follow_one(void *ctx, const void *payload, size_t len, uint64_t at,
                      struct dtx_error *err)
{
    struct follower *w = ctx;
    const struct dtx_asked *q = w->printer->request;
    struct dtx_item_outcome item;
    struct dtx_rec rec;
    struct found f;
    int rc = dtx_replay_record(&w->replay, payload, len, at, err);

    w->next = at + len + (payload ? DTX_JOURNAL_FRAME : 0);
    if (rc != 0 || !payload || dtx_rec_decode(payload, len, &rec) != 0 ||
        rec.kind != DTX_REC_OUTCOME || !rec.u.outcome.final ||
        dtx_item_outcome_next(&rec.items, &item) != 1 ||
        dtx_outcome_from_item(&item, &f.outcome) != 0)
        return rc;
    f.epoch = rec.u.outcome.epoch;
    if (!dtx_asked_has_status(q, f.outcome.status) ||
        !dtx_asked_has(q, w->replay.has_list ? &w->replay.list : NULL,
                       f.outcome.task))
        return 0;
    return print_one(w->printer, &f);
}

/* Take the records that have been written since. '*some': there were any. */
static int read_on(struct follower *w, const char *journal, bool *some,
                   struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc;

    *some = false;
    do {
        uint64_t at = w->next;

        dtx_buf_clear(&b);
        rc = dtx_journal_read_at(journal, at, &b, err);
        if (rc == 0) {
            *some = true;
            rc = follow_one(w, b.data, b.len, at, err);
        }
    } while (rc == 0);
    dtx_buf_free(&b);
    return rc == DTX_ECORRUPT ? 0 : rc; /* not there yet */
}

/* Until the session's end is recorded, or nobody runs the job any more. */
static int watch(struct follower *w, const char *dir, const char *journal,
                 struct dtx_error *err)
{
    const struct timespec nap = {0, LOOK_NS};
    uint64_t beat = 0, last = 0;
    int64_t still_ns = 0;
    bool alive = true, some = false;
    int rc = 0;

    while (rc == 0 && !(w->replay.ended && !some) && (alive || some)) {
        alive = dtx_rundir_runs(dir, &beat);
        still_ns = beat == last ? still_ns + LOOK_NS : 0;
        last = beat;
        alive = alive && still_ns < 2 * DTX_LEASE_STALE_NS;
        rc = read_on(w, journal, &some, err);
        if (rc == 0 && !some && alive && !w->replay.ended)
            (void)nanosleep(&nap, NULL);
    }
    return rc;
}

/* What was asked for by its number or name has not come, and will not. */
static void tell_absent(struct follower *w)
{
    const struct dtx_asked *q = w->printer->request;
    const struct dtx_replay *r = &w->replay;
    struct dtx_error err = {0, ""};
    uint32_t t;

    if (q->nrefs == 0 || !r->has_list)
        return;
    if (dtx_asked_check(q, &r->list, &err) != 0) {
        (void)dtx_cmd_fail(DTX_CMD_FAILED, &err);
        w->printer->missed = true;
        return;
    }
    for (t = 0; t < r->list.ntasks && !q->state; t++) {
        if (r->known[t].at != 0 || !dtx_asked_has(q, &r->list, t))
            continue;
        (void)say_no_outcome(t, &err);
        (void)dtx_cmd_fail(DTX_CMD_FAILED, &err);
        w->printer->missed = true;
    }
}

static int follow(struct printer *p, const char *dir, const char *journal)
{
    struct dtx_error err = {0, ""};
    struct follower w;
    int rc;

    memset(&w, 0, sizeof(w));
    w.printer = p;
    w.next = DTX_JOURNAL_HEADER;
    dtx_replay_init(&w.replay);
    rc = dtx_journal_read(journal, follow_one, &w, NULL, &err);
    if (rc == 0 && w.replay.has_list && !w.replay.live)
        rc = dtx_asked_check(p->request, &w.replay.list, &err);
    if (rc == 0)
        rc = watch(&w, dir, journal, &err);
    if (rc == 0 && !w.replay.ended)
        rc = dtx_error_set(&err, DTX_ESTATE,
                           "the job in %s has not come to its end and does "
                           "not run any more; 'distributex run --resume' goes "
                           "on with it", dir);
    else if (rc == 0)
        tell_absent(&w);
    dtx_replay_fini(&w.replay);
    if (rc < 0)
        return dtx_cmd_fail(DTX_CMD_FAILED, &err);
    return tell_missed(p);
}

/* ---- whole ---- */

static int show_one(struct printer *p, const char *dir, const char *journal)
{
    struct dtx_error err = {0, ""};
    struct found f;
    int rc;

    memset(&f, 0, sizeof(f));
    rc = find_outcome(dir, journal, p->request->ref[0].first, &f, &err);
    if (rc == 0)
        rc = print_output(p, &f, &err);
    return rc < 0 ? dtx_cmd_fail(DTX_CMD_FAILED, &err) : 0;
}

static int show_in(const struct dtx_asked *q, const char *dir)
{
    struct printer p = {.request = q};
    struct dtx_buf journal = DTX_BUF_INIT;
    struct dtx_error err;
    int status;

    p.reader = dtx_output_reader_create(dir);
    dtx_buf_printf(&journal, "%s/journal", dir);
    if (!p.reader || journal.failed)
        status = dtx_cmd_fail(DTX_CMD_FAILED,
                              (dtx_error_set(&err, DTX_ENOMEM,
                                             "out of memory"), &err));
    else if (q->follow)
        status = follow(&p, dir, journal.data);
    else if (dtx_asked_one(q))
        status = show_one(&p, dir, journal.data);
    else
        status = show_several(&p, journal.data);
    dtx_output_reader_destroy(p.reader);
    dtx_buf_free(&journal);
    return status;
}

static int show(const struct dtx_asked *q)
{
    struct dtx_buf dir = DTX_BUF_INIT;
    struct dtx_error err;
    int rc = dtx_rundir_find(q->dir, &dir, &err);
    int status = rc == 0 ? show_in(q, dir.data)
                         : dtx_cmd_fail(DTX_EXIT_RUNDIR, &err);

    dtx_buf_free(&dir);
    return status;
}

int dtx_cmd_output(int argc, char **argv)
{
    struct dtx_asked q;
    int i, rc;

    for (i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (dtx_cmd_asks_help(argv[i]))
            return dtx_cmd_print_usage("output");
    }
    rc = dtx_asked_read(argc, argv, &q);
    if (rc == 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        rc = show(&q);
    }
    dtx_asked_free(&q);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* The job's part of the journal: how a session begins and ends in it, and where
 * an earlier launch of the same command has begun. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "run/job_state.h"
#include "run/options.h"
#include "run/signals.h"
#include "run/source.h"
#include "run/supervise.h"
#include "store/journal.h"
#include "wire/replay.h"
#include "wire/wire.h"

#ifdef HAVE_CONFIG_H
#include "base/config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

/* Records are appended in groups of about this many bytes. */
#define GROUP_BYTES (4u << 20)

struct appender {
    struct dtx_journal *journal;
    struct dtx_buf framed;
    bool may_stop; /* nothing rests on it yet */
    struct dtx_error *err;
};

static int append_group(struct appender *a)
{
    int rc;

    if (a->framed.failed)
        return dtx_error_set(a->err, DTX_ENOMEM, "journal: out of memory");
    rc = dtx_journal_append(a->journal, a->framed.data, a->framed.len, NULL,
                            a->err);
    dtx_buf_clear(&a->framed);
    return rc;
}

static int append_record(void *ctx, const void *payload, size_t len)
{
    struct appender *a = ctx;

    if (a->may_stop && dtx_signals_asked())
        return dtx_error_set(a->err, DTX_ESTATE,
                             "stopped while the list was written: nothing was "
                             "run");
    dtx_journal_frame(&a->framed, payload, len);
    return a->framed.len > GROUP_BYTES ? append_group(a) : DTX_OK;
}

static int put_record(struct appender *a, const struct dtx_rec *rec)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc;

    dtx_rec_encode(&b, rec);
    rc = b.failed ? DTX_ENOMEM : append_record(a, b.data, b.len);
    dtx_buf_free(&b);
    return rc;
}

static void session_record(const struct dtx_options *o,
                           const struct dtx_job *job, uint32_t ranks,
                           const char *command_line, char *host,
                           size_t host_size, struct dtx_rec *rec)
{
    struct timespec ts = {0, 0};

    memset(rec, 0, sizeof(*rec));
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    if (gethostname(host, host_size) != 0)
        host[0] = '\0';
    host[host_size - 1] = '\0';
    rec->kind = DTX_REC_SESSION;
    rec->u.session.records = DTX_RECORDS;
    rec->u.session.epoch = job->epoch;
    rec->u.session.start_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    rec->u.session.ranks = ranks;
    rec->u.session.pid = (uint32_t)getpid();
    rec->u.session.host = dtx_str_of(host);
    rec->u.session.policy = dtx_str_of(o->policy);
    rec->u.session.version = dtx_str_of(PACKAGE_VERSION);
    rec->u.session.command_line = dtx_str_of(command_line);
}

/* From now on the journal says what the joblog told. */
static int put_told(struct appender *a, const struct dtx_job *job)
{
    struct dtx_rec rec = {.kind = DTX_REC_OUTCOME};
    struct dtx_item_outcome item;
    size_t i;
    int rc = DTX_OK;

    rec.u.outcome.epoch = job->epoch;
    rec.u.outcome.final = 1;
    for (i = 0; i < job->list.ntasks && rc == DTX_OK; i++) {
        struct dtx_buf b = DTX_BUF_INIT;

        if (job->told[i].status == DTX_STATUS_NONE)
            continue;
        dtx_outcome_to_item(&job->told[i], &item);
        dtx_rec_encode(&b, &rec);
        dtx_item_outcome_encode(&b, &item);
        rc = b.failed ? DTX_ENOMEM : append_record(a, b.data, b.len);
        dtx_buf_free(&b);
    }
    return rc;
}

int dtx_job_begin_session(const struct dtx_options *o, struct dtx_job *job,
                          uint32_t ranks, const char *command_line,
                          bool new_list, struct dtx_error *err)
{
    bool is_long = job->list.ntasks > DTX_STOP_EVERY; /* else drain as usual */
    struct appender a = {job->journal, DTX_BUF_INIT, is_long && !job->resumed,
                         err};
    struct dtx_rec rec;
    char host[256];
    int rc;

    session_record(o, job, ranks, command_line, host, sizeof(host), &rec);
    rc = put_record(&a, &rec);
    if (rc == DTX_OK && job->live)
        rc = dtx_list_encode_live(job->source, job->cwd, append_record, &a);
    else if (rc == DTX_OK && new_list)
        rc = dtx_list_encode(&job->list, &job->graph, dtx_source_name(o),
                             job->cwd, append_record, &a);
    if (rc == DTX_OK && job->told)
        rc = put_told(&a, job);
    if (rc == DTX_OK)
        rc = append_group(&a);
    if (rc == DTX_OK)
        rc = dtx_journal_sync(job->journal, err);
    dtx_buf_free(&a.framed);
    return rc;
}

int dtx_job_open_journal(struct dtx_job *job, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc;

    dtx_buf_printf(&path, "%s/journal", job->run_dir);
    if (path.failed)
        rc = DTX_ENOMEM;
    else if (!job->resumed)
        rc = dtx_journal_create(path.data, &job->journal, err);
    else
        rc = dtx_journal_open(path.data, &job->journal, &job->torn, err);
    dtx_buf_free(&path);
    return rc;
}

/* Somebody may have removed the run directory under the job. */
static int still_there(const struct dtx_job *job, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc = DTX_OK;

    dtx_buf_printf(&path, "%s/journal", job->run_dir);
    if (!path.failed && access(path.data, F_OK) != 0)
        rc = dtx_error_set(err, DTX_ENOENT,
                           "%s: the journal has been removed while the job "
                           "ran: what is recorded of it is lost",
                           job->run_dir);
    dtx_buf_free(&path);
    return rc;
}

int dtx_job_record_end(struct dtx_job *job, const struct dtx_job_end *end,
                       struct dtx_error *err)
{
    struct appender a = {job->journal, DTX_BUF_INIT, false, err};
    struct dtx_rec rec = {.kind = DTX_REC_END};
    struct timespec ts = {0, 0};
    int rc;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    rec.u.end.end_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    rec.u.end.status = end->status;
    rec.u.end.succeeded = end->succeeded;
    rec.u.end.failed = end->failed;
    rec.u.end.left = end->left;
    rc = put_record(&a, &rec);
    if (rc == DTX_OK)
        rc = append_group(&a);
    if (rc == DTX_OK)
        rc = dtx_journal_sync(job->journal, err);
    dtx_buf_free(&a.framed);
    return rc == DTX_OK ? still_there(job, err) : rc;
}

/* Has the session 'first' or a later one got as far as a complete list? */
struct search {
    uint32_t first, epoch;
    bool found;
    bool older; /* there is something of before that session */
};

static int search_record(void *ctx, const void *payload, size_t len,
                         uint64_t at, struct dtx_error *err)
{
    struct search *s = ctx;
    struct dtx_rec rec;

    (void)at;
    (void)err;
    if (!payload || dtx_rec_decode(payload, len, &rec))
        return DTX_OK; /* who reads it in earnest complains */
    if (rec.kind == DTX_REC_SESSION)
        s->epoch = rec.u.session.epoch;
    s->older |= s->epoch < s->first;
    s->found |= s->epoch >= s->first && (rec.kind == DTX_REC_LISTED ||
                                         rec.kind == DTX_REC_OUTCOME);
    return DTX_OK;
}

void dtx_job_find_beginning(const struct dtx_options *o, struct dtx_job *job)
{
    const char *text = getenv(DTX_GO_ON_ENV);
    struct dtx_buf path = DTX_BUF_INIT;
    struct search s = {0, 0, false, false};
    int64_t epoch;
    int rc = DTX_ENOMEM;

    if (!text || !getenv(DTX_MARKER_ENV) ||
        dtx_parse_int(text, 1, UINT32_MAX, &epoch) || !o->run_dir)
        return;
    s.first = (uint32_t)epoch;
    dtx_buf_printf(&path, "%s/journal", o->run_dir);
    if (!path.failed)
        rc = dtx_journal_read(path.data, search_record, &s, NULL, NULL);
    if (rc == DTX_OK && s.found)
        job->go_on = s.first;
    else if (!s.older && o->resume == DTX_RESUME_NO &&
             (rc == DTX_OK || rc == DTX_ECORRUPT))
        (void)unlink(path.data);
    dtx_buf_free(&path);
}

/* SPDX-License-Identifier: MIT */
/* What earlier sessions have finished; see resume.h.  Reads only, but for the
 * derived output index. */
#include "run/resume.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "run/job.h"
#include "store/journal.h"
#include "store/output.h"
#include "task/outcome.h"
#include "wire/replay.h"
#include "wire/wire.h"

/* What a pass over the journal needs. */
struct pass {
    struct dtx_replay replay;
    struct dtx_known *known; /* of the job's list */
    struct dtx_keymap place; /* journal offset -> task of the job's list */
    struct dtx_output_reader *reader;
    struct dtx_job *job;
};

static int journal_path(const struct dtx_job *job, struct dtx_buf *b)
{
    dtx_buf_printf(b, "%s/journal", job->run_dir);
    return b->failed ? DTX_ENOMEM : DTX_OK;
}

static int replay_one(void *ctx, const void *payload, size_t len, uint64_t at,
                      struct dtx_error *err)
{
    return dtx_replay_record(ctx, payload, len, at, err);
}

static struct dtx_key key_of(uint64_t at)
{
    return (struct dtx_key){at, at * 0x9e3779b97f4a7c15u};
}

/* ---- the second pass: the outputs of outcomes that count ---- */

/* Is a finished attempt's output there? If not, the task is not finished,
 * unless the output was not to be kept. */
static void check_output(struct pass *p, uint32_t task,
                         const struct dtx_outcome *o, uint32_t epoch)
{
    uint64_t len = o->out_len + o->err_len;
    char last;
    int rc;

    if (!p->known[task].final || len == 0 || !dtx_outcome_is_kept(o))
        return;
    if (dtx_replay_ended(&p->replay, epoch))
        rc = dtx_output_read(p->reader, epoch, o->rank, o->out_off + len - 1,
                             &last, 1, NULL);
    else
        rc = dtx_output_each(p->reader, epoch, o, NULL, NULL, NULL);
    if (rc) {
        p->known[task].final = false;
        p->job->redone++;
    }
}

static int visit(void *ctx, const void *payload, size_t len, uint64_t at,
                 struct dtx_error *err)
{
    struct pass *p = ctx;
    struct dtx_item_outcome item;
    struct dtx_outcome o;
    struct dtx_rec rec;
    uint32_t task;

    (void)err;
    if (!payload || !dtx_keymap_get(&p->place, key_of(at + 1), &task))
        return DTX_OK;
    if (dtx_rec_decode(payload, len, &rec) == 0 &&
        rec.kind == DTX_REC_OUTCOME &&
        dtx_item_outcome_next(&rec.items, &item) == 1 &&
        dtx_outcome_from_item(&item, &o) == 0)
        check_output(p, task, &o, rec.u.outcome.epoch);
    return DTX_OK;
}

static int check_outputs(struct pass *p, size_t n, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    size_t i;
    int rc = journal_path(p->job, &path);

    for (i = 0; i < n && rc == DTX_OK; i++) {
        if (p->known[i].final &&
            !dtx_keymap_put(&p->place, key_of(p->known[i].at), (uint32_t)i,
                            NULL, NULL))
            rc = DTX_ENOMEM;
    }
    if (rc == DTX_OK && p->place.used > 0)
        rc = dtx_journal_read(path.data, visit, p, NULL, err);
    dtx_keymap_free(&p->place);
    dtx_buf_free(&path);
    return rc;
}

/* ---- from what is known to what is to be done ---- */

/* Tasks that wait, directly or not, for a failed one: they were skipped. */
static int mark_behind_failed(const struct dtx_graph *g,
                              const struct dtx_known *known, uint8_t *behind)
{
    uint32_t *stack, n = 0, i, j;

    if (!g->start)
        return DTX_OK;
    stack = malloc(((size_t)g->nnodes + 1) * sizeof(*stack));
    if (!stack)
        return DTX_ENOMEM;
    for (i = 0; i < g->ntasks; i++) {
        if (known[i].final && known[i].status != DTX_STATUS_OK)
            stack[n++] = i;
    }
    while (n > 0) {
        uint32_t node = stack[--n];

        for (j = g->start[node]; j < g->start[node + 1]; j++) {
            uint32_t to = g->succ[j];

            if (!behind[to] && !dtx_graph_is_barrier(g, to)) {
                behind[to] = 1;
                if (to >= g->ntasks || !known[to].final)
                    stack[n++] = to;
            }
        }
    }
    free(stack);
    return DTX_OK;
}

/* 'go_on': outcomes of sessions from that one on are of this very command. */
static enum dtx_prior prior_of(const struct dtx_known *k, bool behind,
                               enum dtx_resume mode, uint32_t go_on)
{
    if (k->final && k->status == DTX_STATUS_OK)
        return DTX_PRIOR_OK;
    if (go_on && k->epoch >= go_on)
        return k->final ? DTX_PRIOR_FAILED : DTX_PRIOR_NONE;
    if (k->final)
        return mode == DTX_RESUME ? DTX_PRIOR_FAILED : DTX_PRIOR_NONE;
    if (mode == DTX_RETRY_FAILED && !behind)
        return DTX_PRIOR_LEFT;
    return DTX_PRIOR_NONE;
}

static int set_priors(struct dtx_job *job, const struct dtx_known *known,
                      enum dtx_resume mode)
{
    size_t n = job->list.ntasks, i;
    uint8_t *behind = calloc((size_t)job->graph.nnodes + 1, 1);
    int rc = DTX_ENOMEM;

    job->prior = calloc(n + 1, sizeof(*job->prior));
    job->attempts = calloc(n + 1, sizeof(*job->attempts));
    job->losses = calloc(n + 1, sizeof(*job->losses));
    if (behind && job->prior && job->attempts && job->losses)
        rc = mark_behind_failed(&job->graph, known, behind);
    for (i = 0; i < n && rc == DTX_OK; i++) {
        job->prior[i] = (uint8_t)prior_of(&known[i], behind[i] != 0, mode,
                                          job->go_on);
        job->attempts[i] = known[i].attempts;
        job->losses[i] = known[i].losses;
    }
    free(behind);
    return rc;
}

/* ---- whole ---- */

static void warn_of_gaps(const struct dtx_job *job, const struct dtx_replay *r)
{
    if (r->gaps == 0)
        return;
    dtx_log(DTX_LOG_WARN,
            "%s/journal is damaged: %llu bytes in %llu places, the first at "
            "byte %llu, were skipped; what was recorded there is lost and runs "
            "again, all else stands",
            job->run_dir, (unsigned long long)r->gap_bytes,
            (unsigned long long)r->gaps, (unsigned long long)r->gap_at);
    if (r->list_lost)
        dtx_log(DTX_LOG_WARN,
                "a task list may have stood there: what the sessions behind "
                "it have recorded, %llu outcomes, cannot be told to its tasks "
                "and runs again",
                (unsigned long long)r->foreign);
}

static int read_journal(struct dtx_job *job, struct dtx_replay *r,
                        struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc = journal_path(job, &path);

    if (rc == DTX_OK)
        rc = dtx_journal_read(path.data, replay_one, r, NULL, err);
    if (rc == DTX_OK)
        rc = dtx_replay_end(r, err);
    if (rc == DTX_OK)
        warn_of_gaps(job, r);
    if (rc == DTX_OK && r->list_lost && !job->has_list)
        rc = dtx_error_set(err, DTX_ECORRUPT,
                           "%s/journal: a task list may be lost in the damage "
                           "at byte %llu: give the task file again",
                           job->run_dir, (unsigned long long)r->gap_at);
    else if (rc == DTX_OK && !r->has_list && !job->has_list)
        rc = dtx_error_set(err, DTX_ENOENT,
                           "%s: the journal holds no task list (the job died "
                           "before it had begun): give the task file again",
                           job->run_dir);
    dtx_buf_free(&path);
    return rc;
}

/* The journal's list becomes the job's. */
static int adopt_list(struct dtx_job *job, struct dtx_replay *r,
                      struct dtx_known **known)
{
    char *cwd = r->cwd;

    free(job->from);
    job->from = strdup(r->source);
    if (!job->from)
        return DTX_ENOMEM;
    job->list = r->list;
    job->graph = r->graph;
    job->has_list = true;
    *known = r->known;
    free(job->cwd);
    job->cwd = cwd;
    r->cwd = NULL;
    r->known = NULL;
    r->has_list = false;
    return DTX_OK;
}

/* What is left of a stream is gone with who wrote it. */
static void tell_of_stream(const struct dtx_replay *r)
{
    if (r->live && r->closed)
        dtx_log(DTX_LOG_INFO, "the tasks came from %s, which was read to its "
                "end: %zu of them", r->source, r->list.ntasks);
    else if (r->live)
        dtx_log(DTX_LOG_WARN,
                "the tasks came from %s: the %zu that were read are gone on "
                "with; what had not been read is not known here",
                r->source, r->list.ntasks);
}

/* A stream: what is known is kept for the tasks that will come. */
static int know_live(struct dtx_job *job, struct dtx_replay *r, struct pass *p,
                     struct dtx_error *err)
{
    int rc;

    job->carrier = calloc(1, sizeof(*job->carrier));
    if (!job->carrier)
        return DTX_ENOMEM;
    rc = dtx_replay_carrier(r, job->carrier);
    p->known = job->carrier->kept.row;
    if (rc == DTX_OK)
        rc = check_outputs(p, job->carrier->kept.n, err);
    p->known = NULL;
    return rc;
}

static int know(struct dtx_job *job, struct dtx_replay *r,
                struct dtx_known **known)
{
    if (!job->has_list)
        return adopt_list(job, r, known);
    *known = calloc(job->list.ntasks + 1, sizeof(**known));
    if (!*known)
        return DTX_ENOMEM;
    return dtx_replay_recall(r, &job->list, job->cwd, *known, NULL);
}

int dtx_resume_read(struct dtx_job *job, enum dtx_resume mode, bool *new_list,
                    struct dtx_error *err)
{
    struct pass p;
    int rc;

    memset(&p, 0, sizeof(p));
    dtx_replay_init(&p.replay);
    p.job = job;
    *new_list = job->has_list;
    rc = read_journal(job, &p.replay, err);
    p.reader = dtx_output_reader_create(job->run_dir);
    if (rc == DTX_OK && !p.reader)
        rc = DTX_ENOMEM;
    if (rc == DTX_OK && job->live) {
        rc = know_live(job, &p.replay, &p, err);
    } else if (rc == DTX_OK) {
        if (!job->has_list)
            tell_of_stream(&p.replay);
        rc = know(job, &p.replay, &p.known);
        if (rc == DTX_OK)
            rc = check_outputs(&p, job->list.ntasks, err);
        if (rc == DTX_OK)
            rc = set_priors(job, p.known, mode);
    }
    job->last_epoch = p.replay.epoch;
    dtx_output_reader_destroy(p.reader);
    dtx_replay_fini(&p.replay);
    job->known = p.known;
    if (rc == DTX_ENOMEM)
        (void)dtx_error_set(err, rc, "resume: out of memory");
    return rc;
}

int dtx_resume_joblog(struct dtx_job *job, enum dtx_resume mode,
                      const struct dtx_outcome *told, struct dtx_error *err)
{
    size_t n = job->list.ntasks, i;
    struct dtx_known *known = calloc(n + 1, sizeof(*known));
    int rc = known ? DTX_OK : DTX_ENOMEM;

    for (i = 0; known && i < n; i++) {
        known[i].status = told[i].status;
        known[i].final = told[i].status != DTX_STATUS_NONE;
        known[i].attempts = known[i].final;
    }
    if (rc == DTX_OK)
        rc = set_priors(job, known, mode);
    free(known);
    return rc ? dtx_error_set(err, rc, "resume: out of memory") : DTX_OK;
}

int dtx_resume_index(struct dtx_job *job, struct dtx_error *err)
{
    struct dtx_index_entry e[512];
    size_t n = 0;
    uint32_t i;
    int rc = dtx_output_index_reset(job->index);

    for (i = 0; i < job->list.ntasks && rc == DTX_OK; i++) {
        if (job->known[i].at != 0)
            e[n++] = (struct dtx_index_entry){job->known[i].at - 1, i, 0};
        if (n == sizeof(e) / sizeof(e[0]) || i + 1 == job->list.ntasks) {
            rc = dtx_output_index_set_all(job->index, e, n);
            n = 0;
        }
    }
    free(job->known);
    job->known = NULL;
    if (rc)
        rc = dtx_error_set(err, rc, "%s/out/index: cannot be written",
                           job->run_dir);
    return rc;
}

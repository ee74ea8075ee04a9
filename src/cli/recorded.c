/* SPDX-License-Identifier: MIT */
/* Reads what ran, from a journal or a joblog, into a job for the simulator; see
 * recorded.h.  It writes nothing, and decides nothing about the machine. */
#include "cli/recorded.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/told.h"
#include "sim/scenario.h"
#include "store/journal.h"
#include "store/rundir.h"
#include "task/joblog.h"
#include "task/outcome.h"
#include "wire/replay.h"
#include "wire/wire.h"

#define ALWAYS 255 /* of dtx_scenario_job.failures */

/* An outcome in the order of the journal, or a line of a joblog. */
struct seen {
    uint64_t at; /* offset in the journal; number in the joblog */
    uint32_t epoch, task;
    uint8_t status;
    int64_t start_ns, wall_ns;
    size_t command; /* joblog: its end in 'text' */
};

struct reader {
    struct dtx_scenario_job *job;
    struct dtx_recorded *out;
    struct seen *seen;
    size_t n, cap;
    struct dtx_replay replay;
    struct dtx_keymap failed; /* session and task -> failed attempts */
    struct dtx_buf text;      /* commands of a joblog, one after the other */
};

static struct seen *add_seen(struct reader *d, const struct dtx_outcome *o)
{
    struct seen *p = dtx_grow(d->seen, &d->cap, d->n + 1, sizeof(*p));

    if (!p)
        return NULL;
    d->seen = p;
    p += d->n++;
    *p = (struct seen){.task = o->task, .status = o->status,
                       .start_ns = o->start_ns, .wall_ns = o->wall_ns};
    return p;
}

/* ---- what all records share ---- */

static int by_length(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Tasks of which nothing is known are marked by -1; they get the median. */
static int fill_unknown(struct reader *d)
{
    size_t ntasks = d->job->list.ntasks, n = 0, i;
    int64_t *known = malloc((ntasks + 1) * sizeof(*known)), median = 0;

    if (!known)
        return DTX_ENOMEM;
    for (i = 0; i < ntasks; i++) {
        if (d->job->duration_ns[i] >= 0)
            known[n++] = d->job->duration_ns[i];
    }
    if (n > 0) {
        qsort(known, n, sizeof(*known), by_length);
        median = known[n / 2];
    }
    for (i = 0; i < ntasks; i++) {
        if (d->job->duration_ns[i] < 0)
            d->job->duration_ns[i] = median;
    }
    free(known);
    d->out->unknown = ntasks - n;
    return DTX_OK;
}

static int make_room(struct reader *d)
{
    size_t n = d->job->list.ntasks + 1;

    d->job->duration_ns = malloc(n * sizeof(*d->job->duration_ns));
    d->job->failures = calloc(n, 1);
    return d->job->duration_ns && d->job->failures ? DTX_OK : DTX_ENOMEM;
}

/* The last outcome of a task, after so many failed attempts. */
static void take(struct reader *d, size_t task, const struct seen *s,
                 uint32_t failed)
{
    uint32_t attempts = failed + (s->status == DTX_STATUS_OK);

    d->job->duration_ns[task] = s->wall_ns > 0 ? s->wall_ns : 0;
    d->job->failures[task] =
        s->status != DTX_STATUS_OK ? ALWAYS
                                   : (uint8_t)(failed < ALWAYS - 1 ? failed
                                                                   : 254);
    if (attempts > d->out->attempts)
        d->out->attempts = attempts;
}

/* The span of all outcomes when they are of one session. */
static void find_span(struct reader *d)
{
    int64_t begin = INT64_MAX, end = 0;
    size_t i;

    for (i = 0; i < d->n; i++) {
        const struct seen *s = &d->seen[i];

        if (s->epoch != d->seen[0].epoch || s->start_ns <= 0)
            return;
        begin = s->start_ns < begin ? s->start_ns : begin;
        end = s->start_ns + s->wall_ns > end ? s->start_ns + s->wall_ns : end;
    }
    d->out->makespan_ns = d->n > 0 ? end - begin : 0;
}

/* ---- a journal ---- */

static struct dtx_key key_of(uint32_t epoch, uint32_t task)
{
    uint32_t both[2] = {epoch, task};

    return dtx_hash128(both, sizeof(both), 1);
}

static bool count_failure(struct reader *d, const struct seen *s)
{
    struct dtx_key k = key_of(s->epoch, s->task);
    uint32_t n;
    bool made;

    if (s->status == DTX_STATUS_OK)
        return true;
    if (!dtx_keymap_put(&d->failed, k, 1, &n, &made))
        return false;
    if (!made)
        dtx_keymap_set(&d->failed, k, n + 1);
    return true;
}

static int on_record(void *ctx, const void *payload, size_t len, uint64_t at,
                     struct dtx_error *err)
{
    struct reader *d = ctx;
    struct dtx_item_outcome item;
    struct dtx_outcome o;
    struct dtx_rec rec;
    struct seen *s;
    int rc = dtx_replay_record(&d->replay, payload, len, at, err);

    if (rc != DTX_OK || !payload || dtx_rec_decode(payload, len, &rec) != 0 ||
        rec.kind != DTX_REC_OUTCOME ||
        dtx_item_outcome_next(&rec.items, &item) != 1 ||
        dtx_outcome_from_item(&item, &o) != 0)
        return rc;
    s = add_seen(d, &o);
    if (s) {
        s->at = at;
        s->epoch = rec.u.outcome.epoch;
    }
    return s && count_failure(d, s)
               ? DTX_OK
               : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

static int by_place(const void *key, const void *item)
{
    uint64_t at = *(const uint64_t *)key;
    const struct seen *s = item;

    return (at > s->at) - (at < s->at);
}

/* The journal's list and graph become the job's. */
static int move_list(struct reader *d)
{
    struct dtx_replay *r = &d->replay;

    dtx_tasklist_fini(&d->job->list);
    d->job->list = r->list;
    d->job->graph = r->graph;
    dtx_graph_init(&r->graph, 0);
    return dtx_tasklist_init(&r->list);
}

static int use_journal(struct reader *d)
{
    size_t n = d->replay.list.ntasks, i;
    int rc = move_list(d);

    if (rc == DTX_OK)
        rc = make_room(d);
    for (i = 0; i < n && rc == DTX_OK; i++) {
        uint64_t at = d->replay.known[i].at;
        const struct seen *s = NULL;
        uint32_t failed = 0;

        d->job->duration_ns[i] = -1;
        if (at-- > 0 && d->n > 0)
            s = bsearch(&at, d->seen, d->n, sizeof(*s), by_place);
        if (!s)
            continue;
        (void)dtx_keymap_get(&d->failed, key_of(s->epoch, s->task), &failed);
        take(d, i, s, failed);
    }
    return rc == DTX_OK ? fill_unknown(d) : rc;
}

static int load_rundir(struct reader *d, const char *name,
                       struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc;

    dtx_replay_init(&d->replay);
    rc = dtx_rundir_find(name, &path, err);
    if (rc == DTX_OK) {
        dtx_buf_str(&path, "/journal");
        rc = path.failed ? dtx_error_set(err, DTX_ENOMEM, "out of memory")
                         : dtx_journal_read(path.data, on_record, d, NULL, err);
    }
    if (rc == DTX_OK)
        rc = dtx_replay_end(&d->replay, err);
    if (rc == DTX_OK && (!d->replay.has_list || d->n == 0))
        rc = dtx_error_set(err, DTX_ENOENT,
                           "%s tells of no task that has ended", path.data);
    if (rc == DTX_OK && use_journal(d) != DTX_OK)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    dtx_buf_free(&path);
    dtx_replay_fini(&d->replay);
    return rc;
}

/* ---- a joblog ---- */

static int on_line(void *ctx, const struct dtx_joblog_line *line,
                   struct dtx_error *err)
{
    struct reader *d = ctx;
    struct seen *s = add_seen(d, &line->outcome);

    dtx_buf_append(&d->text, line->command, line->len);
    if (!s || d->text.failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    s->at = line->seq;
    s->task = (uint32_t)(d->n - 1);
    s->command = d->text.len;
    return DTX_OK;
}

/* By number; of one number by line. */
static int by_number(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (x->task > y->task) - (x->task < y->task);
}

/* A task for each number; what fills the lines before the last of a number are
 * attempts that failed, if they did. */
static int use_lines(struct reader *d)
{
    struct dtx_tasklist *l = &d->job->list;
    const size_t *end;
    uint32_t failed = 0;
    size_t i, *ends = malloc((d->n + 1) * sizeof(*ends));
    int rc = ends ? DTX_OK : DTX_ENOMEM;

    for (i = 0; i < d->n && ends; i++)
        ends[i + 1] = d->seen[i].command;
    if (ends)
        ends[0] = 0;
    qsort(d->seen, d->n, sizeof(*d->seen), by_number);
    for (i = 0; i < d->n && rc == DTX_OK; i++) {
        const struct seen *s = &d->seen[i];

        failed += s->status != DTX_STATUS_OK;
        if (i + 1 < d->n && s[1].at == s->at)
            continue;
        end = &ends[s->task];
        rc = dtx_tasklist_add(l, d->text.data + end[0], end[1] - end[0], 0,
                              0, DTX_NO_TEXT);
        if (rc == DTX_OK)
            take(d, l->ntasks - 1, s, failed);
        failed = 0;
    }
    free(ends);
    return rc;
}

static int use_joblog(struct reader *d)
{
    uint32_t cycle, next;
    int rc;

    d->job->duration_ns = calloc(d->n + 1, sizeof(*d->job->duration_ns));
    d->job->failures = calloc(d->n + 1, 1);
    rc = d->job->duration_ns && d->job->failures ? use_lines(d) : DTX_ENOMEM;
    dtx_graph_init(&d->job->graph, (uint32_t)d->job->list.ntasks);
    return rc ? rc : dtx_graph_seal(&d->job->graph, &cycle, &next);
}

static int load_joblog(struct reader *d, const char *path,
                       struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc = dtx_told_file(path, &b, err);

    if (rc == DTX_OK && b.len >= 7 && memcmp(b.data, "DTXJRNL", 7) == 0)
        rc = dtx_error_set(err, DTX_EFOREIGN,
                           "%s is a journal: name its run directory", path);
    if (rc == DTX_OK)
        rc = dtx_joblog_each(path, b.data, b.len, on_line, d, err);
    if (rc == DTX_OK && d->n == 0)
        rc = dtx_error_set(err, DTX_ENOENT,
                           "%s tells of no task that has ended", path);
    if (rc == DTX_OK && (rc = use_joblog(d)) != DTX_OK)
        (void)dtx_error_set(err, rc, "%s: no memory for its tasks", path);
    dtx_buf_free(&b);
    return rc;
}

int dtx_recorded_load(const char *path, struct dtx_scenario_job *job,
                      struct dtx_recorded *r, struct dtx_error *err)
{
    struct reader d = {.job = job, .out = r};
    bool latest = strcmp(path, "latest") == 0;
    int rc;

    *r = (struct dtx_recorded){.attempts = 1};
    if (latest || dtx_told_is_run(path))
        rc = load_rundir(&d, latest ? NULL : path, err);
    else
        rc = load_joblog(&d, path, err);
    if (rc == DTX_OK)
        find_span(&d);
    free(d.seen);
    dtx_keymap_free(&d.failed);
    dtx_buf_free(&d.text);
    return rc;
}

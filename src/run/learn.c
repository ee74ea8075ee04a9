/* SPDX-License-Identifier: MIT */
/* Rank 0's learner; see learn.h.  It decides nothing about who runs what. */
#include "run/learn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "node/clock.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "run/job.h"
#include "run/learn_state.h"
#include "run/program.h"
#include "task/outcome.h"
#include "wire/experience.h"

#define ASK_NS (DTX_SEC_NS / 2)        /* to predict with, at the start */
#define SIZES_NS (DTX_SEC_NS / 2)      /* to ask sizes with, and ... */
#define SIZES_SHARE 100                /* ... this part of the time gone */
#define CHECKPOINT_NS (60 * DTX_SEC_NS)
#define ROWS_MAX 1000000u              /* outcomes of a job that are kept */

static const struct dtx_archive *archive;

void dtx_learn_archive(const struct dtx_archive *a)
{
    archive = a;
}

static void warn(void *ctx, const char *text)
{
    (void)ctx;
    dtx_log(DTX_LOG_WARN, "%s", text);
}

/* ---- features ---- */

/* Whose files are asked for. */
struct looking {
    struct dtx_learn *l;
    const char *cwd;
    int64_t before_ns; /* wall clock: files must be older; 0 = any */
};

bool dtx_learn_may_look(const struct dtx_learn *l)
{
    return l->sizes_ns <=
           SIZES_NS + (dtx_clock_mono_ns() - l->begin_ns) / SIZES_SHARE;
}

static int64_t size_of(void *ctx, const char *name, size_t len)
{
    struct looking *k = ctx;
    int64_t begun = dtx_clock_mono_ns();
    char path[4096];
    struct stat st;
    int n, rc;

    if (k->l->job->no_look || !dtx_learn_may_look(k->l))
        return -1;
    if (name[0] == '/')
        n = snprintf(path, sizeof(path), "%.*s", (int)len, name);
    else
        n = snprintf(path, sizeof(path), "%s/%.*s", k->cwd, (int)len, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -1;
    rc = stat(path, &st);
    k->l->sizes_ns += dtx_clock_mono_ns() - begun;
    if (rc != 0 || !S_ISREG(st.st_mode))
        return -1;
    if (k->before_ns && st.st_mtim.tv_sec * DTX_SEC_NS + st.st_mtim.tv_nsec >=
                            k->before_ns)
        return -1;
    return st.st_size;
}

/* The program's, asked once in a job, with the time that sizes have. */
static uint32_t mark_of(struct dtx_learn *l, const char *cwd,
                        const char *command, const struct dtx_features *f)
{
    int64_t begun = dtx_clock_mono_ns();
    bool asked = false;
    uint32_t mark;

    if (l->job->no_look)
        return 0;
    mark = dtx_program_mark(&l->programs, cwd, command + f->name_at,
                            f->name_len, dtx_learn_may_look(l), &asked);
    if (asked)
        l->sizes_ns += dtx_clock_mono_ns() - begun;
    return mark;
}

void dtx_learn_features(struct dtx_learn *l, uint32_t task, const char *host,
                        int64_t before_ns, bool sizes, struct dtx_features *f)
{
    const struct dtx_tasklist *list = &l->job->list;
    const struct dtx_task *t = &list->task[task];
    const char *cwd =
        dtx_tasklist_pool(list, dtx_tasklist_attr_of(list, task)->cwd);
    struct looking k = {l, cwd ? cwd : l->job->cwd, before_ns};

    dtx_features_of(dtx_tasklist_text(list, t), t->len, host,
                    sizes ? size_of : NULL, &k, f);
    f->mark = mark_of(l, k.cwd, dtx_tasklist_text(list, t), f);
}

/* ---- the beginning ---- */

static int load(void *ctx, const struct dtx_history_file *f,
                const struct dtx_experience *e, struct dtx_error *err)
{
    struct dtx_learn *l = ctx;
    uint64_t senseless = 0;

    /* an earlier session of this job is gone on with */
    if (strcmp(f->id, l->file.id) == 0) {
        l->resumed = true;
        if (dtx_predictor_load(l->own, e, NULL) != DTX_OK)
            return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    }
    if (dtx_predictor_load(l->p, e, &senseless) != DTX_OK)
        return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    l->files++;
    l->before += e->total;
    if (senseless)
        dtx_log(DTX_LOG_WARN, "history: %llu rows of %s make no sense",
                (unsigned long long)senseless, f->what);
    return DTX_OK;
}

/* The outcomes of earlier sessions of this job: they stay in its file. */
static int load_rows(void *ctx, const struct dtx_history_file *f,
                     const struct dtx_experience *e, struct dtx_error *err)
{
    struct dtx_learn *l = ctx;
    size_t i;
    int rc = DTX_OK;

    if (strcmp(f->id, l->file.id) != 0)
        return DTX_OK;
    for (i = 0; rc == DTX_OK && i < e->noutcomes; i++) {
        struct dtx_exp_outcome o = e->outcome[i];
        const char *host = o.host < e->nhosts ? e->host[o.host].name : "";

        o.host = dtx_experience_host(&l->rows, host,
                                     strnlen(host, DTX_EXP_HOST_NAME - 1));
        rc = o.host == UINT32_MAX ? DTX_ENOMEM
                                  : dtx_experience_outcome(&l->rows, &o);
    }
    l->saved = l->rows.noutcomes;
    return rc ? dtx_error_set(err, rc, "history: out of memory") : rc;
}

static int load_all(struct dtx_learn *l, struct dtx_error *err)
{
    int rc = archive->make(l->dir, err);

    if (rc == DTX_OK)
        rc = archive->read(l->dir, DTX_HISTORY_MODELS, load, l, warn, NULL,
                           err);
    if (rc == DTX_OK && l->resumed)
        rc = archive->read(l->dir, DTX_HISTORY_OUTCOMES, load_rows, l, NULL,
                           NULL, err);
    return rc;
}

/* The last prediction of each class, for when there is no time to ask. */
struct cached {
    uint64_t key;
    struct dtx_prediction said;
};

#define CACHED 1024u

void dtx_learn_note(struct dtx_learn *l, uint32_t task,
                    const struct dtx_prediction *said)
{
    bool known = said->basis >= DTX_BASIS_PROGRAM;

    l->cost[task] = known ? (float)said->seconds : -1;
    l->low[task] = known ? (float)said->low : -1;
    l->high[task] = known ? (float)said->high : -1;
    l->any_cost |= known;
}

static void predict_all(struct dtx_learn *l)
{
    struct cached *cache = calloc(CACHED, sizeof(*cache));
    uint32_t n = (uint32_t)l->job->list.ntasks, i;
    int64_t until = dtx_clock_mono_ns() + ASK_NS;
    bool late = false;

    for (i = 0; cache && i < n; i++) {
        struct dtx_features f;
        struct cached *c;

        if (l->job->prior && l->job->prior[i] != DTX_PRIOR_NONE)
            continue;
        late = late || (i % 64 == 0 && dtx_clock_mono_ns() > until);
        dtx_learn_features(l, i, NULL, 0, !late, &f);
        c = &cache[f.class_key % CACHED];
        if (!late || c->key != f.class_key) {
            (void)dtx_predictor_ask(l->p, &f, &c->said);
            c->key = f.class_key;
        }
        dtx_learn_note(l, i, &c->said);
        l->knew[i] = l->cost[i] >= 0;
    }
    free(cache);
}

void dtx_learn_id(const char *run_dir, char id[DTX_HISTORY_ID])
{
    struct dtx_key k = dtx_hash128(run_dir, strlen(run_dir), 8);
    struct stat st;

    /* not another directory that has had its name */
    if (stat(run_dir, &st) == 0)
        k.lo ^= (uint64_t)st.st_ino * UINT64_C(0x9e3779b97f4a7c15);
    dtx_history_id(k.hi, k.lo, id);
}

static void name_file(struct dtx_learn *l)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    dtx_learn_id(l->job->run_dir, l->file.id);
    (void)memccpy(l->file.what, l->job->run_dir, '\0',
                  sizeof(l->file.what) - 1);
    l->file.made_ns = now.tv_sec * DTX_SEC_NS + now.tv_nsec;
}

static bool make_arrays(struct dtx_learn *l)
{
    size_t n = l->job->list.ntasks, i;

    if (l->job->live)
        return true; /* tasks come and go: each is predicted when it ends */
    l->cost = malloc((n + 1) * sizeof(*l->cost));
    l->low = malloc((n + 1) * sizeof(*l->low));
    l->high = malloc((n + 1) * sizeof(*l->high));
    l->took = malloc((n + 1) * sizeof(*l->took));
    l->began = calloc(n + 1, sizeof(*l->began));
    l->knew = calloc(n + 1, sizeof(*l->knew));
    if (!l->cost || !l->low || !l->high || !l->took || !l->began || !l->knew)
        return false;
    for (i = 0; i < n; i++)
        l->cost[i] = l->low[i] = l->high[i] = l->took[i] = -1;
    l->again.next = (uint32_t)n;
    l->again.due = 1;
    return true;
}

int dtx_learn_begin(const char *dir, const struct dtx_job *job,
                    struct dtx_learn **out, struct dtx_error *err)
{
    struct dtx_learn *l;
    struct dtx_error why;

    *out = NULL;
    if (!archive || !dir || strcmp(dir, "none") == 0)
        return DTX_OK;
    l = calloc(1, sizeof(*l));
    if (!l)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    l->job = job;
    l->begin_ns = l->checkpoint_ns = dtx_clock_mono_ns();
    l->dir = strdup(dir);
    l->p = dtx_predictor_create(0);
    l->own = dtx_predictor_create(0);
    if (!l->dir || !l->p || !l->own || !make_arrays(l)) {
        dtx_learn_destroy(l);
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    }
    name_file(l);
    if (load_all(l, &why) != DTX_OK) {
        dtx_log(DTX_LOG_WARN, "%s; the job runs without it", why.text);
        dtx_learn_destroy(l);
        return DTX_OK;
    }
    dtx_predictor_twin(l->p, l->own);
    if (!job->live && l->before > 0)
        predict_all(l);
    *out = l;
    return DTX_OK;
}

const float *dtx_learn_costs(const struct dtx_learn *l)
{
    return l && l->any_cost ? l->cost : NULL;
}

void dtx_learn_bounds(const struct dtx_learn *l, const float **low,
                      const float **high)
{
    *low = l && l->any_cost ? l->low : NULL;
    *high = l && l->any_cost ? l->high : NULL;
}

/* ---- outcomes ---- */

int dtx_learn_keep(struct dtx_experience *e, const struct dtx_outcome *o,
                   const char *host, const struct dtx_features *f)
{
    struct dtx_exp_outcome row;

    memset(&row, 0, sizeof(row));
    row.host = dtx_experience_host(e, host, strlen(host));
    if (row.host == UINT32_MAX)
        return DTX_ENOMEM;
    row.class_key = f->class_key;
    row.program_key = f->program_key;
    row.command = f->exact.lo;
    row.start_ns = o->start_ns;
    row.seconds = (float)((double)o->wall_ns / 1e9);
    row.cpu_seconds = o->source == DTX_SOURCE_RUSAGE
                          ? (float)((double)(o->utime_ns + o->stime_ns) / 1e9)
                          : -1;
    row.rss_kib = o->source == DTX_SOURCE_RUSAGE && o->maxrss_kib > 0
                      ? (uint32_t)o->maxrss_kib
                      : 0;
    row.status = o->status;
    return dtx_experience_outcome(e, &row);
}

static int keep(struct dtx_learn *l, const struct dtx_outcome *o,
                const char *host, const struct dtx_features *f)
{
    return l->rows.noutcomes < ROWS_MAX ? dtx_learn_keep(&l->rows, o, host, f)
                                        : DTX_OK;
}

static void count(struct dtx_learn_score *s, const struct dtx_prediction *said,
                  double seconds)
{
    if (said->basis == DTX_BASIS_NONE)
        return;
    s->n++;
    s->inside += seconds >= said->low && seconds <= said->high;
    s->seconds += seconds;
    s->error += fabs(said->seconds - seconds);
}

void dtx_learn_ended(struct dtx_learn *l, const struct dtx_outcome *o,
                     const char *host)
{
    double seconds = (double)o->wall_ns / 1e9;
    bool ok = o->status == DTX_STATUS_OK;
    struct dtx_prediction said;
    struct dtx_features f;

    if (l->broken || o->task >= l->job->list.ntasks)
        return;
    dtx_predictor_stopped(l->p, o->task);
    dtx_learn_features(l, o->task, host, o->start_ns, true, &f);
    if (dtx_predictor_replay(l->p, &f, seconds, !ok, &said) != DTX_OK ||
        keep(l, o, host, &f) != DTX_OK) {
        l->broken = true;
        dtx_log(DTX_LOG_WARN, "history: out of memory; nothing more is "
                "learned in this job");
        return;
    }
    l->learned++;
    if (l->took) {
        l->took[o->task] = (float)seconds;
        l->began[o->task] =
            (float)((double)(o->start_ns - l->file.made_ns) / 1e9);
    }
    if (!ok)
        return;
    count(&l->score, &said, seconds);
    l->score.known += l->knew && l->knew[o->task];
}

/* ---- writing ---- */

static void *write_snapshot(void *ctx)
{
    struct dtx_learn *l = ctx;
    struct dtx_error err;

    if (archive->write(l->dir, &l->snapshot_file, &l->snapshot, &err) !=
        DTX_OK)
        dtx_log(DTX_LOG_WARN, "history: %s", err.text);
    atomic_store(&l->written, true);
    return NULL;
}

static void wait_for_writer(struct dtx_learn *l)
{
    if (l->writing)
        (void)pthread_join(l->writer, NULL);
    l->writing = false;
    dtx_experience_free(&l->snapshot);
}

/* A copy of what this job has taught, and its outcomes. */
static int take_snapshot(struct dtx_learn *l, bool open)
{
    struct dtx_experience *s = &l->snapshot;
    size_t n = l->rows.noutcomes, h = l->rows.nhosts;

    l->snapshot_file = l->file;
    l->snapshot_file.open = open;
    s->outcome = malloc((n + 1) * sizeof(*s->outcome));
    s->host = malloc((h + 1) * sizeof(*s->host));
    if (!s->outcome || !s->host)
        return DTX_ENOMEM;
    if (n > 0)
        memcpy(s->outcome, l->rows.outcome, n * sizeof(*s->outcome));
    if (h > 0)
        memcpy(s->host, l->rows.host, h * sizeof(*s->host));
    s->noutcomes = n;
    s->nhosts = h;
    return dtx_predictor_save(l->own, s);
}

void dtx_learn_tick(struct dtx_learn *l)
{
    int64_t now = dtx_clock_mono_ns();

    if (now - l->checkpoint_ns < CHECKPOINT_NS ||
        l->rows.noutcomes == l->saved || l->broken ||
        (l->writing && !atomic_load(&l->written)))
        return; /* a disk that is slow holds up nobody: the next tick, then */
    l->checkpoint_ns = now;
    wait_for_writer(l);
    atomic_store(&l->written, false);
    if (take_snapshot(l, true) != DTX_OK)
        return;
    l->saved = l->rows.noutcomes;
    l->writing = pthread_create(&l->writer, NULL, write_snapshot, l) == 0;
}

/* ---- the end ---- */

void dtx_learn_finish(struct dtx_learn *l, uint32_t slots, struct dtx_buf *b)
{
    struct dtx_error err;
    size_t files;

    if (!l)
        return;
    wait_for_writer(l);
    dtx_learn_tell(l, slots, b);
    if (l->rows.noutcomes == l->saved && !l->resumed)
        return;
    if (take_snapshot(l, false) != DTX_OK)
        (void)dtx_error_set(&err, DTX_ENOMEM, "out of memory");
    else if (archive->write(l->dir, &l->snapshot_file, &l->snapshot, &err) ==
                 DTX_OK &&
             (l->files < DTX_HISTORY_FEW ||
              archive->tidy(l->dir, &files, &err) == DTX_OK))
        return;
    dtx_log(DTX_LOG_WARN, "history: %s", err.text);
}

void dtx_learn_runfile(const struct dtx_learn *l, const char *run_dir)
{
    struct dtx_error err;

    if (l && archive->runfile(run_dir, &err) != DTX_OK)
        dtx_log(DTX_LOG_WARN, "run.h5: %s", err.text);
}

void dtx_learn_destroy(struct dtx_learn *l)
{
    if (!l)
        return;
    wait_for_writer(l);
    dtx_experience_free(&l->rows);
    dtx_programs_free(&l->programs);
    dtx_predictor_destroy(l->p);
    dtx_predictor_destroy(l->own);
    free(l->cost);
    free(l->low);
    free(l->high);
    free(l->knew);
    free(l->took);
    free(l->began);
    free(l->dir);
    free(l);
}

/* SPDX-License-Identifier: MIT */
/* Rank 0's learner; see learn.h.  It decides nothing about who runs what. */
#include "run/learn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
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
#include "wire/experience.h"

#define ASK_NS (DTX_SEC_NS / 2)        /* to predict with, and ... */
#define ASK_SHARE 100                  /* ... of what comes later this part of
                                          the time gone */
#define SIZES_NS (DTX_SEC_NS / 2)      /* to ask sizes with, and ... */
#define SIZES_SHARE 100                /* ... this part of the time gone */
#define CHECKPOINT_NS (60 * DTX_SEC_NS)

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

void dtx_learn_features(struct dtx_learn *l, uint32_t task, const char *text,
                        const char *host, int64_t before_ns, bool sizes,
                        struct dtx_features *f)
{
    const struct dtx_tasklist *list = &l->job->list;
    const struct dtx_task *t = &list->task[task];
    const char *cwd =
        dtx_tasklist_pool(list, dtx_tasklist_attr_of(list, task)->cwd);
    struct looking k = {l, cwd ? cwd : l->job->cwd, before_ns};

    dtx_features_of(text ? text : dtx_tasklist_text(list, t), t->len, host,
                    sizes ? size_of : NULL, &k, f);
    f->mark = mark_of(l, k.cwd, text ? text : dtx_tasklist_text(list, t), f);
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

void dtx_learn_note(struct dtx_learn *l, uint32_t task,
                    const struct dtx_prediction *said)
{
    bool known = said->basis >= DTX_BASIS_PROGRAM;

    l->cost[task] = known ? (float)said->seconds : -1;
    l->low[task] = known ? (float)said->low : -1;
    l->high[task] = known ? (float)said->high : -1;
    l->any_cost |= known;
}

/* A place for what was said of this command, or of its class. */
static struct dtx_learn_said *place_of(struct dtx_learn *l, uint64_t key,
                                       bool exact)
{
    return &l->said[key % (DTX_LEARN_SAID / 2) * 2 + exact];
}

void dtx_learn_say(struct dtx_learn *l, uint32_t task, bool late,
                   struct dtx_prediction *out)
{
    const struct dtx_task *t = &l->job->list.task[task];
    const struct dtx_task_attr *a = dtx_tasklist_attr_of(&l->job->list, task);
    struct dtx_key k = dtx_hash128(dtx_tasklist_text(&l->job->list, t), t->len,
                                   (uint64_t)a->cwd + 1);
    struct dtx_learn_said *same = place_of(l, k.lo, true), *like;
    struct dtx_features f;

    if (same->key == k.hi && same->pass == l->again.passes + 1) {
        *out = same->said;
        return;
    }
    dtx_learn_features(l, task, NULL, NULL, 0, !late, &f);
    like = place_of(l, f.class_key, false);
    if (!late || like->key != f.class_key ||
        like->pass != l->again.passes + 1) {
        (void)dtx_predictor_ask(l->p, &f, &like->said);
        like->key = f.class_key;
        like->pass = l->again.passes + 1;
    }
    *out = like->said;
    if (!late)
        *same = (struct dtx_learn_said){k.hi, l->again.passes + 1, *out};
}

/* What is known of tasks from 'from' on; 'prior' begins with the first. */
static void predict(struct dtx_learn *l, uint32_t from, uint32_t upto,
                    const uint8_t *prior)
{
    int64_t begun = dtx_clock_mono_ns(), now = begun;
    struct dtx_prediction said;
    bool late = false;
    uint32_t i;

    for (i = from; i < upto; i++) {
        if (prior && prior[i - from] != DTX_PRIOR_NONE)
            continue;
        if ((i - from) % 64 == 0)
            now = dtx_clock_mono_ns();
        late = late || l->ask_ns + now - begun >
                           ASK_NS + (now - l->begin_ns) / ASK_SHARE;
        dtx_learn_say(l, i, late, &said);
        dtx_learn_note(l, i, &said);
        l->knew[i] = l->cost[i] >= 0 && l->before > 0;
    }
    l->ask_ns += dtx_clock_mono_ns() - begun;
}

/* Room for what is said of tasks up to 'n'. */
static bool widen(struct dtx_learn *l, size_t n)
{
    size_t cap = l->cap_cost + l->cap_cost / 2, i;
    float **const p[] = {&l->cost, &l->low, &l->high};
    void *q;

    if (cap < n)
        cap = n;
    for (i = 0; n > l->cap_cost && i < sizeof(p) / sizeof(p[0]); i++) {
        q = realloc(*p[i], cap * sizeof(**p[i]));
        if (!q)
            return false;
        *p[i] = q;
    }
    q = n > l->cap_cost ? realloc(l->knew, cap * sizeof(*l->knew)) : l->knew;
    if (!q)
        return false;
    l->knew = q;
    l->cap_cost = n > l->cap_cost ? cap : l->cap_cost;
    for (i = l->ncost; i < n; i++) {
        l->cost[i] = l->low[i] = l->high[i] = -1;
        l->knew[i] = false;
    }
    l->ncost = (uint32_t)n;
    return true;
}

void dtx_learn_arrive(struct dtx_learn *l, enum dtx_late late,
                      struct dtx_arrival *a)
{
    uint32_t from = l->ncost;

    if (l->broken || a->upto <= from)
        return;
    if (!widen(l, a->upto)) {
        l->broken = true;
        dtx_log(DTX_LOG_WARN, "history: out of memory; nothing more is "
                "predicted or learned in this job");
        return;
    }
    if (l->before + l->learned > 0)
        predict(l, from, a->upto, a->prior);
    if (!l->any_cost)
        return;
    a->cost_s = l->cost + from;
    a->need_s = late == DTX_LATE_SAFE      ? l->high + from
                : late == DTX_LATE_HOPEFUL ? l->low + from
                                           : NULL;
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

    l->again.due = 1;
    if (l->job->live)
        return true; /* tasks come and go */
    l->took = malloc((n + 1) * sizeof(*l->took));
    l->began = calloc(n + 1, sizeof(*l->began));
    if (!l->took || !l->began || !widen(l, n))
        return false;
    for (i = 0; i < n; i++)
        l->took[i] = -1;
    return true;
}

int dtx_learn_check(const char *dir, struct dtx_error *err)
{
    struct stat st;

    if (!dir || strcmp(dir, "none") == 0)
        return DTX_OK;
    if (stat(dir, &st) == 0 ? S_ISDIR(st.st_mode) : errno != ENOTDIR)
        return DTX_OK;
    return dtx_error_set(err, DTX_EINVAL,
                         "--history %s: not a directory; name the one that "
                         "histories are kept in (it is made when it is not "
                         "there), or none", dir);
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
    l->said = calloc(DTX_LEARN_SAID, sizeof(*l->said));
    if (!l->dir || !l->p || !l->own || !l->said || !make_arrays(l)) {
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
        predict(l, 0, l->ncost, job->prior);
    *out = l;
    return DTX_OK;
}

const float *dtx_learn_costs(const struct dtx_learn *l)
{
    return l && l->any_cost ? l->cost : NULL;
}

uint32_t dtx_learn_count(const struct dtx_learn *l)
{
    return l ? l->ncost : 0;
}

void dtx_learn_bounds(const struct dtx_learn *l, const float **low,
                      const float **high)
{
    *low = l && l->any_cost ? l->low : NULL;
    *high = l && l->any_cost ? l->high : NULL;
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

    dtx_learn_catch_up(l, false);
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
    dtx_learn_catch_up(l, true);
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
    dtx_learn_drop(l);
    free(l->said);
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

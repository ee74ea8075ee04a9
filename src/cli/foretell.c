/* SPDX-License-Identifier: MIT */
/* From words to a plan; see foretell.h.  It draws nothing itself. */
#include "cli/foretell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "cli/cmd.h"
#include "cli/history.h"
#include "cli/told.h"
#include "node/cores.h"
#include "predict/features.h"
#include "predict/predictor.h"
#include "predict/sizes.h"
#include "run/options.h"
#include "run/source.h"
#include "run/status.h"
#include "task/taskfile.h"

/* Of a task of which only other classes are known: how long its own takes is
 * what is not known, and that all of them share. */
#define STRANGE 0.8f
#define COEFFICIENTS 3.0 /* level, slope, and which expert is heard */

/* Of a class. */
struct group {
    double narrowest;    /* of its intervals, as a logarithm */
    double seen, repeats; /* outcomes it rests on; of its very commands */
};

struct asking {
    struct dtx_foretell *f;
    struct dtx_prediction *said; /* a row for each task */
    struct group *group;
    size_t ngroups, cap_groups;
    struct dtx_keymap index;    /* class -> its group */
    struct dtx_keymap commands; /* those that have been counted */
};

static double spread(const struct dtx_prediction *p)
{
    return p->low > 0 ? log(p->high / p->low) : 0;
}

static int group_of(struct asking *a, const struct dtx_features *f,
                    uint32_t *row)
{
    struct dtx_key k = {f->class_key, 1};
    struct group *p =
        dtx_grow(a->group, &a->cap_groups, a->ngroups + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    a->group = p;
    if (!dtx_keymap_put(&a->index, k, (uint32_t)a->ngroups, row, NULL))
        return DTX_ENOMEM;
    if (*row == a->ngroups)
        a->group[a->ngroups++] = (struct group){INFINITY, 0, 0};
    return DTX_OK;
}

/* Outcomes of a command count once, however often it stands in the list. */
static int count_repeats(struct asking *a, struct group *g,
                         const struct dtx_features *f,
                         const struct dtx_prediction *said)
{
    bool first;
    uint32_t row;

    if (!dtx_keymap_put(&a->commands, f->exact, 0, &row, &first))
        return DTX_ENOMEM;
    if (first)
        g->repeats += (double)said->n;
    return DTX_OK;
}

static int take_one(void *ctx, uint32_t i, const struct dtx_features *f,
                    const struct dtx_prediction *said)
{
    struct asking *a = ctx;
    struct dtx_plan_task *t = &a->f->task[i];
    struct group *g;
    int rc = group_of(a, f, &t->group);

    if (rc != DTX_OK)
        return rc;
    a->said[i] = *said;
    t->seconds = (float)said->seconds;
    t->low = (float)said->low;
    t->high = (float)said->high;
    g = &a->group[t->group];
    g->narrowest = fmin(g->narrowest, spread(said));
    if (said->basis == DTX_BASIS_EXACT) {
        rc = count_repeats(a, g, f, said);
        if (rc != DTX_OK)
            return rc;
    } else {
        g->seen = fmax(g->seen, (double)said->n);
    }
    if (said->basis >= DTX_BASIS_CLASS)
        a->f->like++;
    else if (a->f->strange++ == 0)
        a->f->stranger = i;
    return DTX_OK;
}

/* What a class's level is known by is common to its tasks: of a regression with
 * k coefficients on n outcomes the variance of that error is k/n of theirs, on
 * average (Hoaglin and Welsch, "The hat matrix", Am. Stat. 32(1), 1978).
 * Where an interval is wider than the narrowest of the class, the rest is doubt
 * about the model, far from what was seen, and common as well. */
static float shared(const struct group *g, const struct dtx_prediction *p)
{
    double n = p->basis == DTX_BASIS_EXACT ? g->repeats : g->seen;
    double own = spread(p), part;

    if (p->basis < DTX_BASIS_CLASS)
        return STRANGE;
    part = own > 0 ? g->narrowest * g->narrowest / (own * own) : 1;
    return (float)(1 - part * (1 - fmin(COEFFICIENTS / fmax(n, 1), 1)));
}

static int ask_all(struct asking *a, struct dtx_predictor *p,
                   struct dtx_sizes *sizes)
{
    const struct dtx_tasklist *list = &a->f->job.list;
    size_t i;
    int rc;

    a->said = calloc(list->ntasks + 1, sizeof(*a->said));
    a->f->task = calloc(list->ntasks + 1, sizeof(*a->f->task));
    if (!a->said || !a->f->task)
        return DTX_ENOMEM;
    rc = dtx_cli_predict_each(p, sizes, list, take_one, a);
    for (i = 0; i < list->ntasks && rc == DTX_OK; i++) {
        struct dtx_plan_task *t = &a->f->task[i];

        t->shared = shared(&a->group[t->group], &a->said[i]);
    }
    return rc;
}

/* ---- the history ---- */

static int know_nothing(const struct dtx_foretell *f, bool none,
                        struct dtx_error *err)
{
    if (none)
        return dtx_error_set(err, DTX_ENOENT, "plan: a plan needs a history, "
                             "and that is 'none': --history DIR");
    return dtx_error_set(err, DTX_ENOENT,
                         "plan: the history in %.200s knows nothing of these "
                         "tasks: run some of them first with 'distributex run "
                         "--history %.200s', or 'distributex history import' a "
                         "joblog or a run directory of the like", f->dir.data,
                         f->dir.data);
}

static struct dtx_sizes *sizes_of(const char *path, int *rc,
                                  struct dtx_error *err)
{
    struct dtx_cli_words w = {.name = {"sizes"}, .value = {path},
                              .noptions = path ? 1 : 0};

    return dtx_cli_sizes(&w, rc, err);
}

static int predict(struct dtx_foretell *f, const struct dtx_options *o,
                   struct dtx_error *err)
{
    struct dtx_predictor *p = dtx_predictor_create(0);
    struct dtx_sizes *sizes = NULL;
    struct asking a;
    bool none = false;
    int rc = p ? DTX_OK : dtx_error_set(err, DTX_ENOMEM, "out of memory");

    memset(&a, 0, sizeof(a));
    a.f = f;
    if (rc == DTX_OK)
        rc = dtx_cli_history_named(f->history ? f->history : o->history,
                                   &f->dir, &none, err);
    if (rc == DTX_OK && !none)
        rc = dtx_cli_history_load(f->dir.data, p, err);
    if (rc == DTX_OK)
        sizes = sizes_of(f->sizes, &rc, err);
    if (rc == DTX_OK && (rc = ask_all(&a, p, sizes)) != DTX_OK)
        (void)dtx_error_set(err, rc, "out of memory");
    if (rc == DTX_OK && f->like == 0)
        rc = know_nothing(f, none, err);
    f->config.ngroups = (uint32_t)a.ngroups;
    free(a.said);
    free(a.group);
    dtx_keymap_free(&a.index);
    dtx_keymap_free(&a.commands);
    dtx_sizes_destroy(sizes);
    dtx_predictor_destroy(p);
    return rc;
}

/* ---- the job and the machine ---- */

static int read_tasks(struct dtx_foretell *f, const struct dtx_options *o,
                      struct dtx_error *err)
{
    struct dtx_taskfile_more more;
    int rc;

    if (o->form == DTX_FORM_NONE)
        return dtx_error_set(err, DTX_EINVAL, "plan: name the task file: a "
                             "resume's journal is not read here");
    memset(&more, 0, sizeof(more));
    rc = dtx_source_read(o, &f->job.list, &f->job.graph, &more, err);
    dtx_buf_free(&more.setup);
    dtx_buf_free(&more.teardown);
    if (rc != DTX_OK)
        memset(&f->job, 0, sizeof(f->job));
    else if (f->job.list.ntasks == 0)
        rc = dtx_error_set(err, DTX_EINVAL, "plan: there are no tasks in %s",
                           dtx_source_name(o));
    return rc;
}

static int slots_of(struct dtx_foretell *f, const struct dtx_options *o,
                    struct dtx_error *err)
{
    struct dtx_cores cores;
    int rc;

    if (f->cores == 0 && f->slots == 0) {
        rc = dtx_cores_detect(&cores, err);
        if (rc != DTX_OK)
            return rc;
        f->cores = cores.ncores;
        dtx_cores_free(&cores);
    }
    if (f->slots == 0)
        f->slots = dtx_jobs_slots(&o->jobs, f->cores,
                                  (uint32_t)f->job.list.ntasks);
    if (f->slots == 0)
        f->slots = f->cores;
    return DTX_OK;
}

static int make(struct dtx_foretell *f, const struct dtx_options *o,
                struct dtx_error *err)
{
    struct dtx_plan_config *c = &f->config;
    int rc;

    dtx_machine_preset(&c->scenario.machine);
    c->scenario.machine.slots = f->slots;
    c->scenario.machine.spawn_ns = DTX_SPAWN_RECORDED_NS;
    c->scenario.job = &f->job;
    c->scenario.policy = o->policy;
    c->scenario.retries = o->retries;
    c->scenario.seed = f->seed;
    c->task = f->task;
    c->nodes = f->nodes;
    c->nnodes = f->nnodes;
    c->draws = f->draws;
    c->job_sigma = DTX_PLAN_JOB_SIGMA;
    c->within_s = f->within_s;
    rc = dtx_plan_make(c, &f->plan, err);
    if (rc != DTX_OK)
        (void)dtx_error_prefix(err, "plan: ");
    return rc;
}

int dtx_foretell(struct dtx_foretell *f, const struct dtx_options *o,
                 struct dtx_error *err)
{
    int rc = read_tasks(f, o, err), status = DTX_EXIT_TASKFILE;

    if (rc == DTX_OK) {
        status = DTX_CMD_FAILED;
        rc = slots_of(f, o, err);
    }
    if (rc == DTX_OK)
        rc = predict(f, o, err);
    if (rc == DTX_OK)
        rc = make(f, o, err);
    if (rc == DTX_OK)
        return 0;
    dtx_foretell_fini(f);
    return status;
}

void dtx_foretell_fini(struct dtx_foretell *f)
{
    dtx_scenario_job_fini(&f->job);
    free(f->task);
    f->task = NULL;
    dtx_buf_free(&f->dir);
}

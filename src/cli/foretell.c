/* SPDX-License-Identifier: MIT */
/* From words to a plan; see foretell.h.  It draws nothing itself. */
#include "cli/foretell.h"

#include <string.h>

#include "base/error.h"
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

struct asking {
    struct dtx_foretell *f;
    struct dtx_predictor *p;
};

static int take_one(void *ctx, uint32_t i, const struct dtx_features *f,
                    const struct dtx_prediction *said)
{
    const struct asking *a = ctx;

    if (said->basis >= DTX_BASIS_CLASS)
        a->f->like++;
    else if (a->f->strange++ == 0)
        a->f->stranger = i;
    return dtx_outlook_add(&a->f->outlook, a->p, f, said);
}

static int ask_all(struct dtx_foretell *f, struct dtx_predictor *p,
                   struct dtx_sizes *sizes)
{
    struct asking a = {f, p};
    int rc = dtx_cli_predict_each(p, sizes, &f->job.list, take_one, &a);

    return rc == DTX_OK ? dtx_outlook_seal(&f->outlook) : rc;
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
    bool none = false;
    int rc = p ? DTX_OK : dtx_error_set(err, DTX_ENOMEM, "out of memory");

    if (rc == DTX_OK)
        rc = dtx_cli_history_named(f->history ? f->history : o->history,
                                   &f->dir, &none, err);
    if (rc == DTX_OK && !none)
        rc = dtx_cli_history_load(f->dir.data, p, err);
    if (rc == DTX_OK)
        sizes = sizes_of(f->sizes, &rc, err);
    if (rc == DTX_OK && (rc = ask_all(f, p, sizes)) != DTX_OK)
        (void)dtx_error_set(err, rc, "out of memory");
    if (rc == DTX_OK && f->like == 0)
        rc = know_nothing(f, none, err);
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

    dtx_cluster_preset(&c->scenario.machine);
    c->scenario.machine.slots = f->slots;
    c->scenario.machine.spawn_ns = DTX_SPAWN_RECORDED_NS;
    c->scenario.job = &f->job;
    c->scenario.policy = o->policy;
    c->scenario.retries = o->retries;
    c->scenario.seed = f->seed;
    c->task = f->outlook.task;
    c->group = f->outlook.group;
    c->ngroups = f->outlook.ngroups;
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
    dtx_outlook_free(&f->outlook);
    dtx_buf_free(&f->dir);
}

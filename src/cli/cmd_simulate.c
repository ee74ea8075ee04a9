/* SPDX-License-Identifier: MIT */
/* "distributex simulate": has the simulator run what is to be imagined.  It
 * knows no scheduling. */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/history.h"
#include "cli/simulate.h"
#include "node/clock.h"
#include "predict/predictor.h"
#include "run/status.h"
#include "sim/workload.h"

static int take_prediction(void *ctx, uint32_t i, const struct dtx_features *f,
                           const struct dtx_prediction *said)
{
    struct dtx_simulation *q = ctx;

    (void)f;
    q->predicted_s[i] = -1;
    if (said->basis == DTX_BASIS_NONE)
        return DTX_OK;
    q->predicted_s[i] = (float)said->seconds;
    q->known++;
    return DTX_OK;
}

/* --history: what the predictor says of the tasks, as the real run would have
 * it. */
static int predict(struct dtx_simulation *q, struct dtx_error *err)
{
    struct dtx_predictor *p = dtx_predictor_create(0);
    struct dtx_buf dir = DTX_BUF_INIT;
    bool none = false;
    int rc = dtx_cli_history_named(q->history, &dir, &none, err);

    q->predicted_s = calloc(q->job.list.ntasks + 1, sizeof(float));
    if (rc == DTX_OK && (!p || !q->predicted_s))
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == DTX_OK && !none)
        rc = dtx_cli_history_load(dir.data, p, err);
    if (rc == DTX_OK)
        rc = dtx_cli_predict_each(p, NULL, &q->job.list, take_prediction, q);
    if (rc == DTX_OK && q->known == 0)
        rc = dtx_error_set(err, DTX_ENOENT, "the history in %.200s knows "
                           "nothing: 'distributex history import' a joblog or "
                           "a run directory", dir.data);
    q->c.predicted_s = q->predicted_s;
    dtx_buf_free(&dir);
    dtx_predictor_destroy(p);
    return rc;
}

static int load(struct dtx_simulation *q, struct dtx_error *err)
{
    struct dtx_workload w;
    struct dtx_cluster usual;
    int rc = dtx_scenario_job_init(&q->job);

    dtx_cluster_preset(&usual);
    if (q->c.machine.spawn_ns == DTX_SIMULATE_NOT_GIVEN)
        q->c.machine.spawn_ns = q->from ? DTX_SPAWN_RECORDED_NS
                                         : usual.spawn_ns;
    if (rc != DTX_OK)
        return dtx_error_set(err, rc, "out of memory");
    if (q->from) {
        rc = dtx_recorded_load(q->from, &q->job, &q->recorded, err);
        if (q->c.retries == 0)
            q->c.retries = q->recorded.attempts;
        return rc == DTX_OK && q->history ? predict(q, err) : rc;
    }
    rc = dtx_workload_parse(q->workload, &w, err);
    (void)(rc ? dtx_error_prefix(err, "simulate: ") : 0);
    return rc ? rc : dtx_scenario_draw(&q->job, &w, q->c.seed, err);
}

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)fprintf(stderr, "%s\n", line);
}

/* The run; the same without what is done for memory-bound tasks, if anything
 * was; and the same where the master and the network cost nothing. */
static int run_one(struct dtx_simulation *q, struct dtx_simulated *r,
                   struct dtx_error *err)
{
    struct dtx_scenario c = q->c;
    struct dtx_sim_result other;
    int64_t begin = dtx_clock_mono_ns();
    int rc;

    c.job = &q->job;
    c.machine.nodes = r->nodes;
    if (c.machine.slow_nodes > r->nodes)
        c.machine.slow_nodes = r->nodes;
    c.policy = r->policy;
    c.trace = q->trace ? print_line : NULL;
    rc = dtx_scenario_run(&c, &r->sim, err);
    r->seconds = (double)(dtx_clock_mono_ns() - begin) / (double)DTX_SEC_NS;
    c.trace = NULL;
    if (rc == DTX_OK && r->sim.stats.heavy) {
        c.spread = false;
        rc = dtx_scenario_run(&c, &other, err);
        r->blind_ns = other.makespan_ns;
        c.spread = true;
    }
    if (rc != DTX_OK)
        return rc;
    c.ideal = true;
    rc = dtx_scenario_run(&c, &other, err);
    r->ideal_ns = other.makespan_ns;
    return rc;
}

/* Each run, printed when it is known. */
static int run_all(struct dtx_simulation *q, struct dtx_error *err)
{
    size_t n = q->nnodes * q->npolicies, i;
    int rc = DTX_OK, status = 0;

    for (i = 0; i < n && rc == DTX_OK && status == 0; i++) {
        struct dtx_simulated r = {.nodes = q->nodes[i / q->npolicies],
                           .policy = q->policy[i % q->npolicies]};
        struct dtx_buf b = DTX_BUF_INIT;

        rc = run_one(q, &r, err);
        if (rc != DTX_OK)
            break;
        dtx_simulate_tell(&b, q, &r, i, n);
        status = dtx_cmd_print(&b);
    }
    if (rc != DTX_OK)
        (void)dtx_error_prefix(err, "simulate: ");
    return rc != DTX_OK ? dtx_cmd_fail(DTX_CMD_FAILED, err) : status;
}

/* Of a job that could not be had. */
static int status_of(const struct dtx_simulation *q, int rc)
{
    if (rc == DTX_ENOMEM)
        return DTX_CMD_FAILED;
    return q->from ? DTX_EXIT_RUNDIR : DTX_EXIT_USAGE;
}

int dtx_cmd_simulate(int argc, char **argv)
{
    struct dtx_simulation q;
    struct dtx_error err;
    int status, rc, i;

    for (i = 2; i < argc; i++) {
        if (dtx_cmd_asks_help(argv[i]))
            return dtx_cmd_print_usage("simulate");
    }
    status = dtx_simulate_read(&q, argc, argv);
    if (status != 0)
        return status;
    rc = load(&q, &err);
    if (rc != DTX_OK)
        status = dtx_cmd_fail(status_of(&q, rc), &err);
    else
        status = run_all(&q, &err);
    dtx_scenario_job_fini(&q.job);
    free(q.predicted_s);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* sim/workload.h - how long the tasks of an imagined job take
 *
 * A workload is a distribution, written NAME or NAME:KEY=VALUE,..., as in
 * "lognormal:mean=10,sigma=0.5,tasks=1000000".  dtx_workload_table says which
 * there are and what each understands.  Every name takes
 *
 *     tasks=N   how many (1000)
 *     mean=DUR  how long one takes on average (1s)
 *     cpus=N    slots that each needs (1)
 *     mem=SIZE  memory that each needs (0)
 *     gpus=N    devices that each needs (0)
 *     layers=N  in how many layers they come (1); a layer begins when the one
 *               before it has ended
 *
 * The same workload and seed give the same durations everywhere.
 */
#ifndef DTX_SIM_WORKLOAD_H
#define DTX_SIM_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_rng;

enum dtx_workload_kind {
    DTX_WORK_CONSTANT,
    DTX_WORK_UNIFORM,
    DTX_WORK_NORMAL,
    DTX_WORK_EXPONENTIAL,
    DTX_WORK_GAMMA,
    DTX_WORK_LOGNORMAL,
    DTX_WORK_BIMODAL,
    DTX_WORK_PARETO,
    DTX_WORK_INCREASING,
    DTX_WORK_DECREASING
};

struct dtx_workload {
    enum dtx_workload_kind kind;
    double mean_s;
    double min_s, max_s; /* UNIFORM, INCREASING, DECREASING */
    double sigma;        /* NORMAL: seconds; LOGNORMAL: of the logarithm */
    double shape;        /* GAMMA: k; PARETO: alpha */
    double ratio, share; /* BIMODAL: this share of the tasks takes that many
                            times as long as the others */
    uint32_t tasks, cpus, layers, gpus;
    double mem_bytes;
};

struct dtx_workload_row {
    const char *name;
    const char *keys; /* beside the common ones, with their defaults */
    const char *help; /* one line */
};

/* The names in the order of enum dtx_workload_kind. */
const struct dtx_workload_row *dtx_workload_table(size_t *count);

/* 0; DTX_EINVAL with the part that is wrong and what would be right. */
int dtx_workload_parse(const char *spec, struct dtx_workload *w,
                       struct dtx_error *err);
/* The durations of all tasks: w->tasks of them into 'ns', none below 1 us. */
void dtx_workload_draw(const struct dtx_workload *w, uint64_t seed,
                       int64_t *ns);
/* The duration of task 'i' in seconds; random numbers come from 'rng'. */
double dtx_workload_sample(const struct dtx_workload *w, uint32_t i,
                           struct dtx_rng *rng);

#endif

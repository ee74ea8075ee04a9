/* SPDX-License-Identifier: MIT */
/* sim/plan.h - how many nodes, for how long? answered before the job runs
 *
 *     struct dtx_plan_config c = {.scenario = ..., .task = ...};
 *     struct dtx_plan plan;
 *     if (dtx_plan_make(&c, &plan, &err) == DTX_OK)
 *         ... plan.row[plan.best].nodes, .likely_s, .sure90_s ...
 *
 * Draws what each task may take, again and again (sim/outlook.h), and has
 * the simulator run the job with the engine and the policy of the real run,
 * which knows the predictions and not the draws; makespans and their quantiles
 * are read off the draws: Monte Carlo as in PERT (Van Slyke, Oper. Res. 11,
 * 1963).  Errors are not independent of one another, and do not cancel as if
 * they were: of each task's a part is common to its group (dtx_plan_task
 * .common), and one factor is common to the whole job (job_sigma).
 *
 * Of large jobs only some draws are simulated; for the others the ratio of
 * makespan to lower bound (work by slots, longest task) of a simulated draw is
 * put on the lower bound of their own.
 *
 * The recommendation is the knee of time against cost: the number of nodes
 * with the least nodes x time^2 (launch included), that is the most speedup for
 * each core-hour (Eager, Zahorjan, Lazowska, "Speedup versus efficiency in
 * parallel systems", IEEE Trans. Comput. 38(3), 1989), of those with at least
 * half of the best efficiency; or the fewest nodes that end within a time.
 */
#ifndef DTX_SIM_PLAN_H
#define DTX_SIM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/scenario.h"

struct dtx_buf;
struct dtx_error;

#define DTX_PLAN_ROWS 200u
#define DTX_PLAN_DRAWS 200u
#define DTX_PLAN_JOB_SIGMA 0.03 /* what differs from job to job: another load
                                   of the machine, and what the simulator
                                   leaves out */
#define DTX_PLAN_START_S 30.0   /* launching, meeting, writing what is left; a
                                   part of the time to ask for, and of what
                                   is weighed against core-hours */

/* Tasks whose errors are alike: logarithms of seconds over 'level', by size. A
 * task's own is drawn from these, and between them. None: there is no error.
 * What they have in common is a normal number z, made z + skew (2 z^2 + 1): the
 * mean of n numbers of skewness g, with g / (6 sqrt(n)) for 'skew' (Hall, "On
 * the removal of skewness by transformation", J. Royal Stat. Soc. B 54(1),
 * 1992). */
struct dtx_plan_group {
    const float *error;
    uint32_t nerrors;
    float skew; /* at most 0.1 */
};

/* What is known of a task. */
struct dtx_plan_task {
    float seconds; /* predicted: what the order goes by */
    float level;   /* what it takes if it has no error */
    float common;  /* sigma of the logarithm of an error that all of its group
                      have in common, beside its own */
    uint32_t group;
};

struct dtx_plan_config {
    /* The job (its durations are not looked at), machine, policy, retries and
     * seed; machine.nodes, order and deadline are set here. */
    struct dtx_scenario scenario;
    const struct dtx_plan_task *task; /* one for each task of the job */
    const struct dtx_plan_group *group;
    size_t ngroups;
    const uint32_t *nodes; /* the numbers of nodes to look at; */
    size_t nnodes;         /* 0: 1, 2, 3, 4, 6, 8, 12 ... while it helps */
    uint32_t draws;        /* 0 = DTX_PLAN_DRAWS, at least 20 */
    double job_sigma;
    double within_s;       /* end within so long, or 0 */
};

/* What keeps a job of that many nodes from being shorter. */
enum dtx_plan_limit {
    DTX_PLAN_WORK,   /* the work: its slots are busy */
    DTX_PLAN_TASK,   /* the longest task */
    DTX_PLAN_CHAIN,  /* the longest chain of tasks that wait for one another */
    DTX_PLAN_MASTER, /* rank 0 */
    DTX_PLAN_TAIL    /* the end: the last tasks leave slots without work */
};

struct dtx_plan_row {
    uint32_t nodes;
    uint64_t slots;
    double likely_s, low_s, high_s; /* makespan: 50 %, 5 %, 95 % */
    double sure90_s, sure99_s;      /* it is not longer, nine times of ten and
                                       99 times of 100 */
    double core_hours;              /* as charged: slots x makespan */
    double efficiency;              /* share of them in which tasks run */
    double master_busy;             /* rank 0's process, as the master */
    enum dtx_plan_limit limit;
};

struct dtx_plan {
    struct dtx_plan_row row[DTX_PLAN_ROWS];
    size_t nrows, best;
    uint32_t draws, simulated; /* simulated of each row, at least */
    bool within;               /* best ends within_s, nine times of ten */
    bool all_seen;             /* the rows end because more nodes do not help */
    uint32_t longest;          /* the task with the longest prediction */
};

/* 0; DTX_EINVAL with what is wrong (tasks wider than a rank ...); DTX_ENOMEM.
 * There must be at least one task. */
int dtx_plan_make(const struct dtx_plan_config *c, struct dtx_plan *out,
                  struct dtx_error *err);
/* Why this number of nodes, as a sentence without its end: "beyond 12 nodes
 * the longest task decides (task 17, 40m)". */
void dtx_plan_reason(const struct dtx_plan_config *c, const struct dtx_plan *p,
                     struct dtx_buf *b);
/* The time to ask for so that 'makespan_s' fits in: with what launching and
 * ending the job take, in whole minutes. */
int64_t dtx_plan_walltime_ns(double makespan_s);

#endif

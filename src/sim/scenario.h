/* SPDX-License-Identifier: MIT */
/* sim/scenario.h - what if: a job, imagined or recorded, on a machine that need
 * not exist
 *
 * Fill a job (dtx_scenario_draw, or by hand from a record), fill a machine
 * (dtx_cluster_preset is one like those the program has been measured on), and
 * run them under a policy.  The engine is the very one of the real run
 * (sim/sim.h).  Everything follows from the seed: durations, predictions,
 * noise, the speeds of nodes and their deaths draw from streams of their own,
 * so that a change of one leaves the others as they were.
 */
#ifndef DTX_SIM_SCENARIO_H
#define DTX_SIM_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/sim.h"
#include "task/graph.h"
#include "task/task.h"

struct dtx_error;
struct dtx_workload;

/* A job: tasks, what waits for what, and how long each takes. */
struct dtx_scenario_job {
    struct dtx_tasklist list;
    struct dtx_graph graph; /* sealed */
    int64_t *duration_ns;
    uint8_t *failures;      /* first attempts that fail, 255: all; or NULL */
    const char *file;       /* where its tasks stand, for messages; or NULL */
};

int dtx_scenario_job_init(struct dtx_scenario_job *j);
void dtx_scenario_job_fini(struct dtx_scenario_job *j);
/* Fill an empty job with a workload's tasks. 0, DTX_ENOMEM or DTX_ELIMIT. */
int dtx_scenario_draw(struct dtx_scenario_job *j, const struct dtx_workload *w,
                      uint64_t seed, struct dtx_error *err);

/* Nodes of equal shape, one after the other in the order of the ranks. */
struct dtx_cluster {
    uint32_t nodes, ranks_per_node;
    uint32_t slots;          /* of a node, divided among its ranks */
    int64_t near_ns, far_ns; /* the way of a frame, in a node and between */
    uint32_t nodes_per_switch; /* 0: one switch has them all */
    int64_t hop_ns;          /* more, for the way to another switch */
    int64_t spread_ns;       /* up to this much more */
    struct dtx_sim_costs cost; /* task_ns below 0: dtx_cluster_task_ns */
    int64_t spawn_ns;        /* what starting and ending a task adds to it */
    int64_t store_ns;        /* until a group of records is written */
    int64_t detect_ns;       /* until a death is noticed */
    int64_t mem_bytes;       /* of each node, for tasks; 0: not looked at */
    uint32_t gpus;           /* of each node, at most 64 */
    uint32_t domains;        /* NUMA nodes of each node whose memory its tasks
                                share, 0 = enough for all; each feeds so many */
    double streams;          /* memory-bound tasks (dtx_sim_memory) */
    int64_t task_bytes;      /* a task's data, brought to the node it is granted
                                to first; fetched from there by a thief */
    double taper;            /* between switches so many times less bandwidth
                                (cost.byte_ns) than below one */
    double speed_sigma;      /* nodes differ: sigma of the logarithm */
    uint32_t slow_nodes;     /* the last ones take so many times as long: */
    double slow_factor;
    uint32_t crowd_nodes;    /* others use the processors of the last ones: */
    double crowd_share;      /* such a part of them, */
    int64_t crowd_ns, crowd_for_ns; /* from then on, for so long (0: to the
                                end); it is measured ... */
    int64_t others_ns;       /* ... so much later; below 0: never */
    double noise_sigma;      /* tasks differ from what they should take */
    int64_t rank_mtbf_ns;    /* mean time until a rank dies, 0 = never; rank */
    int64_t node_mtbf_ns;    /* 0 and its node do not: that ends the job */
};

/* machine.spawn_ns where durations are as recorded, and so hold the starting
 * and ending of the process: from one task's end to the next one's start in its
 * slot. */
#define DTX_SPAWN_RECORDED_NS INT64_C(100000)

/* One node, one rank, one slot, and costs as measured; see scenario.c. */
void dtx_cluster_preset(struct dtx_cluster *m);
/* cost.task_ns as measured: the master's heaps and tables are larger than its
 * caches when there are many ranks. */
int64_t dtx_cluster_task_ns(uint64_t nranks);

enum dtx_scenario_order {
    DTX_ORDER_FILE,      /* as the tasks come */
    DTX_ORDER_LPT,       /* longest first, durations known: Graham, SIAM J.
                            Appl. Math. 17(2), 1969 */
    DTX_ORDER_PREDICTED  /* longest first as far as predicted */
};

struct dtx_scenario {
    const struct dtx_scenario_job *job;
    struct dtx_cluster machine;
    const char *policy; /* NULL = default */
    enum dtx_scenario_order order;
    const float *predicted_s; /* PREDICTED: of each task, below 0 where nothing
                                 is known; NULL: the real ones with an error */
    double error_sigma; /* then: of the logarithm of predicted over real */
    double bound;       /* share of its time that a memory-bound task waits for
                           memory: machine.domains */
    double bound_share; /* of the tasks that are */
    bool spread; /* the master knows which are, as from counters, and spreads
                    them (sched/traffic.h) ... */
    double misjudged; /* ... and takes them to move so many times what they do;
                         0: what they do */
    int64_t mem_bytes;  /* what tasks ask for that do not say, */
    uint32_t gpus;      /* as --mem and --gpus of a run */
    double fail_share;  /* of attempts that fail, beside job->failures */
    uint32_t retries;   /* attempts in all, 0 = 1 */
    int64_t deadline_ns; /* drain then, 0 = never */
    uint64_t seed;
    bool blind; /* the slowest rank is robbed, however far it is */
    dtx_trace_f trace; /* each event, and what the engine says; or NULL */
    void *trace_ctx;
    bool equal_speeds; /* ranks are taken to be equally fast (not: see
                          dtx_master_config.speeds) */
    bool ideal; /* with a master, a network and a store that cost nothing */
};

/* 0; DTX_EINVAL with what is wrong with the scenario (or with the engine: then
 * a broken invariant); DTX_ENOMEM. */
int dtx_scenario_run(const struct dtx_scenario *c, struct dtx_sim_result *out,
                     struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* sim/sim.h - a virtual cluster that drives the real engine
 *
 * One master and as many workers as asked, with a virtual clock, a network
 * with delays, executors, a store, and faults.  The engine under test is the
 * very code of the real run.  Everything follows from the configuration and
 * its seed: the same seed gives the same run, byte for byte on one machine.
 *
 * Of events due at the same time the tie order is: store answers, executor
 * ends, what a worker hears of them, recall answers, frames, timers, faults
 * (ranks that come, stop requests, deaths, the notice of a death), tasks that
 * come; then the master before the workers and these by rank; then the order in
 * which they were made.
 *
 * While it runs the simulator keeps a model of its own of who may have which
 * task, and compares every action with it.
 */
#ifndef DTX_SIM_SIM_H
#define DTX_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/master.h"

struct dtx_error;
struct dtx_sim;

enum dtx_sim_fault_kind {
    DTX_SIM_DIE,     /* its frames stop, it is noticed after detect_ns */
    DTX_SIM_HANG,    /* hears and says nothing for 'for_ns'; its tasks go on.
                        Declared lost if that is not below detect_ns */
    DTX_SIM_RESTART, /* dies, and comes again as a new incarnation after
                        'for_ns', whether or not its death was noticed */
    DTX_SIM_STOPREQ, /* somebody asks this rank to stop the job ('stop') */
    DTX_SIM_CUT,     /* goes on, but frames from and to it that are sent in
                        'for_ns' arrive only behind that time */
    DTX_SIM_CROWD    /* for 'for_ns', or 0: to the end, others take 'share' of
                        its processors, and its tasks take so much longer; also
                        rank 0's. Of a rank one at a time, and none where tasks
                        share memory */
};

struct dtx_sim_fault {
    enum dtx_sim_fault_kind kind;
    uint32_t rank; /* not 0, except for STOPREQ and CROWD */
    int64_t at_ns;
    int64_t for_ns;
    enum dtx_stop stop;
    double share; /* below 1 */
};

/* What messages and thinking cost, all of it zero where the engine alone is
 * looked at.  A frame occupies its sender's processor, then the links of both
 * ends for as long as its bytes take, and the receiver's processor: LogGP
 * (Alexandrov, Ionescu, Schauser and Scheiman, SPAA 1995) with the way
 * (dtx_sim_config.delay_ns) as L.  The process of a rank does one thing at a
 * time, what comes meanwhile waits and is then heard in one go, as
 * run/loop.c does; rank 0's process is master and worker in one. */
struct dtx_sim_costs {
    int64_t send_ns, recv_ns; /* of the processor, for each frame, none to
                                 oneself */
    double byte_ns;           /* of the links, for each byte between nodes */
    int64_t frame_ns;         /* of the master for each frame it hears or
                                 sends, beside that */
    int64_t task_ns;          /* of the master for each task: half when it is
                                 granted, half when it ends or comes back */
    int64_t nap_min_ns;       /* who has nothing to do looks for frames of */
    int64_t nap_max_ns;       /* other nodes after naps that double from the
                                 one to the other; 0 = hears them at once */
};

/* Memory that tasks share.  A task waits for memory for the share 'bound' of
 * its time; a domain (NUMA node) feeds 'streams' tasks that do nothing else,
 * and of more the waiting grows in proportion: with the load L, the sum of the
 * shares of the tasks that run there, a task takes 1 - bound + bound * max(1, L
 * / streams) times as long (time to compute and time to move data, as in the
 * roofline model: Williams, Waterman, Patterson, CACM 52(4), 2009).  A node's
 * slots are divided among its domains in their order; a wide task is where its
 * first slot is. */
struct dtx_sim_memory {
    uint32_t domains;   /* of each node; 0: no task slows another */
    double streams;     /* of each domain */
    const float *bound; /* per task, 0 to 1; or NULL */
};

/* What a task needs is with the rank it was granted to first, brought there
 * while it waited.  One that is to begin elsewhere fetches it first: that holds
 * its slots for a time which depends on how far it is, and does not count as
 * the task's. */
struct dtx_sim_moves {
    const struct dtx_zones *zones; /* sealed, borrowed; NULL: none moves */
    int64_t ns[DTX_WAYS];          /* by distance, none within a rank */
};

/* What master.stock was made of, to be checked: one node for each rank, with
 * one pool of devices that its ranks share. */
struct dtx_sim_needs {
    const uint32_t *node;     /* per rank; NULL: nothing is looked at */
    const int64_t *mem_bytes; /* per node */
    const uint32_t *gpus;
};

struct dtx_sim_config {
    uint64_t seed;
    /* the job; list, graph and (optional) costs are borrowed. Its trace is
     * replaced by the one below */
    struct dtx_master_config master; /* epoch, nranks, policy, ... */
    const int64_t *arrive_ns;     /* per task, rising: a live list, whose tasks
                                     come at these times and wait for earlier
                                     ones alone, without gates; or NULL */
    int64_t close_ns;             /* a live list ends so long after its last
                                     task */
    const int64_t *duration_ns;   /* per task, at speed 1 */
    const uint8_t *failures;      /* per task: how many first attempts fail, or
                                     NULL; 255 = always */
    /* the machine */
    const uint32_t *slots;        /* per rank */
    const double *speed;          /* per rank, or NULL = 1 */
    uint32_t ranks_per_node;      /* ranks of one node are neighbours; 0: each
                                     has a node of its own */
    struct dtx_sim_costs cost;
    struct dtx_sim_memory memory;
    struct dtx_sim_moves moves;
    struct dtx_sim_needs needs;
    double mem_total, gpus_total; /* bytes and devices of all nodes, each times
                                     its speed, for the lower bound; 0: not
                                     looked at */
    uint32_t ahead;               /* dtx_worker_config.ahead */
    bool ahead_per_slot;          /* so much for each slot of the rank */
    int64_t start_spread_ns;      /* ranks come within this time */
    uint32_t never;               /* this rank never comes and is declared lost
                                     after detect_ns; 0 = all come */
    int64_t near_ns;              /* shortest way of a frame in a node, */
    int64_t delay_ns;             /* and between nodes; none to oneself */
    uint32_t ranks_per_switch;    /* likewise of one switch, 0: all; and what */
    int64_t hop_ns;               /* the way to another switch takes more */
    int64_t delay_spread_ns;      /* up to this much more, per frame; frames of
                                     one pair still keep their order */
    int64_t spawn_ns;             /* added to every attempt */
    int64_t notice_ns;            /* until a worker hears of an end */
    int64_t recall_ns;            /* until it hears the answer to a recall */
    int64_t store_delay_ns;       /* a group of records takes this long */
    int64_t store_spread_ns;
    int64_t detect_ns;            /* until a death or a hang is noticed */
    bool unnoticed;               /* neither ever is, by the driver: only the
                                     silence tells (master.lost_after_ns) */
    bool told;                    /* who notices a death tells what ran */
    int64_t others_ns;            /* until a rank has measured what others
                                     take; below 0: it never does */
    const struct dtx_sim_fault *faults;
    size_t nfaults;
    int64_t crash_at_ns;          /* the whole job dies then, 0 = never: records
                                     the store has not answered may be lost */
    int64_t stop_at_ns;           /* STOP event at the master, 0 = never */
    enum dtx_stop stop;
    int64_t deadline_ns;          /* told to the master at 'deadline_told_ns';
                                     0 = none. master.grace_ns is what a task
                                     takes to end when it is killed */
    int64_t deadline_told_ns;
    int64_t end_ns;               /* give up then (a bug): 0 = 1e6 s */
    bool measure_idle;            /* find worst_idle; costs the number of ranks
                                     for every start and end */
    bool unchecked;               /* for large worlds: no model, no journal, no
                                     hash */
    dtx_trace_f trace;            /* every event, as text; may be NULL */
    void *trace_ctx;
};

/* The longest time a slot of a living, unfaulted rank was free while another
 * such rank held, for all that time, a narrow task that had not started. */
struct dtx_sim_idle {
    int64_t ns;
    uint64_t yields;  /* sent by the master in that time */
    int64_t excess_ns; /* worst of: that time less what dtx_sim_idle_bound
                          allows; at most 0 when the engine wakes in time */
};

struct dtx_sim_result {
    bool finished;        /* FINISH came */
    bool crashed;         /* crash_at_ns came first */
    int64_t makespan_ns;  /* time of FINISH (or crash) */
    int64_t lower_bound_ns; /* the longest of: all work divided by all slots;
                               likewise memory and devices, each for the time
                               it is held; the longest task; the longest chain
                               of tasks that wait for one another; of the tasks
                               that ended */
    int64_t busy_ns;      /* slot time spent in attempts */
    int64_t lost_ns;      /* of that, in attempts that were lost */
    int64_t master_ns;    /* rank 0's process was busy as the master */
    uint64_t events, frames;
    uint64_t refused;     /* outcomes that reached the master and were not
                             believed */
    struct dtx_sim_idle idle;
    uint64_t max_step_work; /* of the master: largest dtx_master_stats.work of
                               one step, the first left out */
    uint64_t hash;        /* of all events and actions */
    struct dtx_master_stats stats;
};

/* One recorded outcome, in journal order. */
struct dtx_sim_record {
    struct dtx_outcome outcome;
    bool final;
};

/* NULL and 'err' filled on failure. Everything pointed to is borrowed. */
struct dtx_sim *dtx_sim_create(const struct dtx_sim_config *c,
                               struct dtx_error *err);
void dtx_sim_destroy(struct dtx_sim *s); /* NULL is allowed */
/* Run to the end. DTX_EINVAL with a sentence when an invariant of the engine's
 * contract is broken (a stale frame believed, a task with two owners, a record
 * twice, a wide task on too few slots, time running out, ...). */
int dtx_sim_run(struct dtx_sim *s, struct dtx_sim_result *out,
                struct dtx_error *err);
/* What is in the journal at the end (or crash): borrowed. None when
 * unchecked. */
const struct dtx_sim_record *dtx_sim_journal(const struct dtx_sim *s,
                                             size_t *count);
/* The engine after the run, for its states and statistics: borrowed. */
const struct dtx_master *dtx_sim_master(const struct dtx_sim *s);

/* How long a slot may stay free beside stealable work when the master sent
 * 'yields' YIELDs meanwhile: the news of the free slot and the way of the task
 * that fills it are two frames, each YIELD in between is two and a recall, and
 * is put off where the master knows of long ways. */
int64_t dtx_sim_idle_bound(const struct dtx_sim_config *c, uint64_t yields);

#endif

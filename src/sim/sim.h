/* SPDX-License-Identifier: MIT */
/* sim/sim.h - a virtual cluster that drives the real engine
 *
 * One master and as many workers as asked, with a virtual clock, a network
 * with delays, executors, a store, and faults.  The engine under test is the
 * very code of the real run.  Everything follows from the configuration and
 * its seed: the same seed gives the same run, byte for byte on one machine.
 *
 * Of events due at the same time the tie order is: store answers, executor
 * ends, recall answers, frames, timers, faults; then the lower rank; then the
 * order in which they were made.
 */
#ifndef DTX_SIM_SIM_H
#define DTX_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/master.h"

struct dtx_error;
struct dtx_sim;

/* A rank dies or hangs at a time. */
struct dtx_sim_fault {
    enum { DTX_SIM_DIE, DTX_SIM_HANG } kind;
    uint32_t rank;      /* not 0 */
    int64_t at_ns;
    int64_t hang_ns;    /* HANG: it wakes up after this long */
};

struct dtx_sim_config {
    uint64_t seed;
    /* the job; list, graph and (optional) costs are borrowed */
    struct dtx_master_config master; /* epoch, nranks, policy, ... */
    const int64_t *duration_ns;   /* per task, at speed 1 */
    const uint8_t *failures;      /* per task: how many first attempts fail, or
                                     NULL; 255 = always */
    /* the machine */
    const uint32_t *slots;        /* per rank */
    const double *speed;          /* per rank, or NULL = 1 */
    uint32_t ahead;               /* dtx_worker_config.ahead */
    int64_t start_spread_ns;      /* ranks come within this time */
    int64_t delay_ns;             /* shortest way of a frame */
    int64_t delay_spread_ns;      /* up to this much more, per frame; frames of
                                     one pair still keep their order */
    int64_t spawn_ns;             /* added to every attempt */
    int64_t store_delay_ns;       /* a group of records takes this long */
    int64_t store_spread_ns;
    int64_t detect_ns;            /* until a death or a hang is noticed */
    const struct dtx_sim_fault *faults;
    size_t nfaults;
    int64_t crash_at_ns;          /* the whole job dies then, 0 = never: records
                                     the store has not answered may be lost */
    int64_t stop_at_ns;           /* STOP event at the master, 0 = never */
    enum dtx_stop stop;
    int64_t end_ns;               /* give up then (a bug): 0 = 1e6 s */
    dtx_trace_f trace;            /* every event, as text; may be NULL */
    void *trace_ctx;
};

struct dtx_sim_result {
    bool finished;        /* FINISH came */
    bool crashed;         /* crash_at_ns came first */
    int64_t makespan_ns;  /* time of FINISH (or crash) */
    int64_t lower_bound_ns; /* max(total work / slots, longest task) */
    int64_t busy_ns;      /* slot time spent in attempts */
    int64_t lost_ns;      /* of that, in attempts that were lost */
    uint64_t events, frames, steals;
    int64_t worst_idle_ns; /* longest time a slot of a living, unfaulted rank was
                              free while some other living rank had held, for all
                              that time, a narrow unstarted task it could have
                              had */
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
void dtx_sim_destroy(struct dtx_sim *s);
/* Run to the end. DTX_EINVAL with a sentence when an invariant of the engine's
 * contract is broken (a stale frame believed, a task with two owners, a record
 * twice, a wide task on too few slots, time running out, ...). */
int dtx_sim_run(struct dtx_sim *s, struct dtx_sim_result *out,
                struct dtx_error *err);
/* What is in the journal at the end (or crash): borrowed. */
const struct dtx_sim_record *dtx_sim_journal(const struct dtx_sim *s,
                                             size_t *count);
/* The engine after the run, for its states and statistics: borrowed. */
const struct dtx_master *dtx_sim_master(const struct dtx_sim *s);

#endif

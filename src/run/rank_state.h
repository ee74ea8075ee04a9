/* SPDX-License-Identifier: MIT */
/* run/rank_state.h - what the files of a rank's life share
 *
 * Private to run/rank*.c.  rank.c is the life, rank_meet.c agrees with the
 * other ranks before anything runs, rank_parts.c builds what the loop needs,
 * rank_slots.c tells the spawner of the slots.
 */
#ifndef DTX_RUN_RANK_STATE_H
#define DTX_RUN_RANK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/event.h"
#include "node/cores.h"
#include "task/machine.h"
#include "run/deadline.h"
#include "run/job.h"
#include "run/needs.h"
#include "run/neighbours.h"
#include "run/place.h"
#include "run/slow.h"
#include "run/usage.h"
#include "sched/zones.h"

struct dtx_error;
struct dtx_exec;
struct dtx_forecast;
struct dtx_learn;
struct dtx_loop;
struct dtx_master;
struct dtx_options;
struct dtx_noderun;
struct dtx_output;
struct dtx_output_reader;
struct dtx_report;
struct dtx_alloc;
struct dtx_show;
struct dtx_spawner;
struct dtx_spread;
struct dtx_taskstream;
struct dtx_transport;
struct dtx_watch;
struct dtx_worker;
struct dtx_writer;

struct dtx_rank_life {
    const struct dtx_options *o;
    uint32_t me, size;
    struct dtx_bell *bell;
    struct dtx_spawner *spawner;
    struct dtx_transport *transport; /* NULL: one process */
    struct dtx_cores cores;
    struct dtx_machine machine;
    struct dtx_card *cards;
    struct dtx_share share;
    struct dtx_zones zones; /* rank 0: how far ranks are apart */
    struct dtx_needs needs; /* rank 0, when tasks may ask for something */
    const char *run_dir;
    uint32_t epoch;
    struct dtx_output *output;
    struct dtx_output *passing; /* of outputs that are not kept, or NULL */
    struct dtx_output_reader *reader;
    struct dtx_writer *packer; /* of outputs */
    struct dtx_exec *exec;
    struct dtx_lines *lines; /* shown while their tasks run, or NULL */
    struct dtx_worker *worker;
    struct dtx_buf setup, teardown; /* the task file's, for nodes */
    struct dtx_noderun *node; /* NULL: no commands for nodes */
    struct dtx_watch *watch; /* NULL: one rank */
    struct dtx_others *others; /* who use this rank's processors, or NULL */
    struct dtx_loop *loop;
    enum {
        APART,   /* the others do not know yet how this rank does */
        AGREED,  /* all know whether the job begins */
        WORKING, /* they wait for each other */
        ORDERLY  /* the loop came to its end */
    } phase;
    /* rank 0 */
    struct dtx_deadline deadline;
    bool has_deadline;
    unsigned heard; /* requests to stop, when Slurm was asked last */
    struct dtx_job job;
    bool job_open;
    struct dtx_writer *writer; /* of the journal */
    struct dtx_master *master;
    struct dtx_report *report;
    struct dtx_learn *learn;   /* or NULL */
    struct dtx_slow slow;
    struct dtx_neighbours neighbours;
    struct dtx_usage_heard usage;
    struct dtx_spread *spread; /* or NULL: --numa-spread no */
    struct dtx_forecast *forecast; /* likewise */
    struct dtx_show *show;
    struct dtx_taskstream *stream; /* of a live list, or NULL */
    bool marked;
    bool lossy; /* ranks were lost: MPI is not left in order */
    int leave; /* what the process leaves with, once marked */
    int64_t begin_ns, last_ns; /* monotonic: loop entered, last end */
    enum dtx_stop told;        /* the user has been told of */
    bool told_late;            /* the user, that nothing new is started */
    bool no_bar;               /* nobody reads the progress line */
};

/* Print 'err' and return 'status'. */
int dtx_rank_complain(const struct dtx_error *err, int status);
/* Meet the other ranks: the job on disk, the run directory, the slots. 0, or
 * an exit status that all ranks agree on once phase is AGREED. */
int dtx_rank_meet(struct dtx_rank_life *r, const char *command_line);
/* Warn of variables in 'env' that look like options and are none. */
void dtx_rank_warn_slips(char *const *env);
/* Rank 0: what the job is, and what may not be as it was meant. */
void dtx_rank_greet(const struct dtx_rank_life *r);
/* What the Slurm job around us offers, by our environment. */
void dtx_rank_alloc(struct dtx_alloc *out);
/* With --verbose: the policy's view, places, slots and cores. */
void dtx_rank_tell(const struct dtx_rank_life *r);
/* Rank 0: once for each way, that the job is being stopped, if so. */
void dtx_rank_tell_stopping(struct dtx_rank_life *r);
/* Rank 0: once, that too little time is left for more tasks, if so. */
void dtx_rank_tell_late(struct dtx_rank_life *r);
/* How much time there is; INT64_MAX: no end. */
void dtx_rank_tell_deadline(int64_t left_ns);
/* Rank 0: pass on a new deadline, waiting for it up to so long. */
void dtx_rank_deadline(struct dtx_rank_life *r, int wait_ms);
/* Tell the spawner what it needs to know of this rank. 0 or an error. */
int dtx_rank_configure_spawner(struct dtx_rank_life *r, struct dtx_error *err);
/* Build executor and worker; on rank 0 also the master and what tells of it;
 * then the loop. 0 or an error. */
int dtx_rank_build(struct dtx_rank_life *r, struct dtx_error *err);

#endif

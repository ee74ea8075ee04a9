/* SPDX-License-Identifier: MIT */
/* run/loop.h - the real driver of the engine: one rank's main loop
 *
 * Feeds the worker's state machine (and on rank 0 the master's) with what
 * comes from the other ranks, the executor, the store, the clock and signals,
 * and carries out their actions.  Sleeps on the rank's bell when nothing is
 * due; never spins.
 */
#ifndef DTX_RUN_LOOP_H
#define DTX_RUN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

struct dtx_bell;
struct dtx_card;
struct dtx_error;
struct dtx_exec;
struct dtx_lines;
struct dtx_loop;
struct dtx_master;
struct dtx_noderun;
struct dtx_others;
struct dtx_output_reader;
struct dtx_show;
struct dtx_spawner;
struct dtx_taskstream;
struct dtx_tasklist;
struct dtx_transport;
struct dtx_watch;
struct dtx_worker;
struct dtx_writer;

struct dtx_loop_config {
    uint32_t rank, size;
    uint32_t epoch;
    struct dtx_transport *transport; /* NULL when there is one rank only */
    const struct dtx_card *cards;    /* of all ranks */
    struct dtx_bell *bell;           /* this rank's */
    struct dtx_worker *worker;
    struct dtx_spawner *spawner;
    struct dtx_exec *exec;
    struct dtx_lines *lines;  /* of what runs here; NULL: not shown */
    struct dtx_noderun *node; /* NULL: no commands for nodes */
    struct dtx_output_reader *reader; /* of outputs */
    struct dtx_watch *watch; /* who has died; NULL: one rank */
    const struct dtx_others *others; /* who use its processors; NULL: nobody
                                        looks */
    int64_t lost_after_ns; /* as the engine has it */
    /* rank 0 */
    struct dtx_master *master;
    struct dtx_writer *writer; /* of the journal */
    struct dtx_tasklist *list; /* its texts are forgotten when it is live */
    struct dtx_taskstream *stream; /* where its tasks come from, or NULL */
    struct dtx_show *show;
    const char *run_dir;
    void (*arrive)(void *ctx, struct dtx_arrival *a); /* add costs; or NULL */
    void (*ended)(void *ctx, const struct dtx_outcome *o, bool final);
    void (*lost)(void *ctx, uint32_t rank); /* the master knows it by now */
    enum dtx_stop (*tick)(void *ctx); /* twice a second, or so; asks to stop
                                         when it returns non-zero */
    void *ctx;
};

/* All is borrowed for the loop's life. NULL when out of memory. */
struct dtx_loop *dtx_loop_create(const struct dtx_loop_config *c);
void dtx_loop_destroy(struct dtx_loop *l); /* NULL is allowed */
/* Run to the end of the job. 0, or an exit status of run/status.h with 'err'
 * filled: then the rank must be given up at once. */
int dtx_loop_run(struct dtx_loop *l, struct dtx_error *err);
/* Rank 0: the job is to be over at this time of the monotonic clock, anew.
 * Before the run as well. */
void dtx_loop_deadline(struct dtx_loop *l, int64_t mono_ns);
/* Rank 0: what tasks are predicted to cost, anew; borrowed until the loop has
 * gone round. */
struct dtx_costs;
void dtx_loop_costs(struct dtx_loop *l, const struct dtx_costs *c);
/* When this rank's outputs are on disk and executor and store have been taken
 * down: rank 0 waits until all ranks are there, the others answer PULLs until
 * rank 0 dismisses them. 0 or an exit status, as above. */
int dtx_loop_part(struct dtx_loop *l, struct dtx_error *err);
/* Rank 0: the session's end is on disk; the others may leave. */
void dtx_loop_dismiss(struct dtx_loop *l);
/* Was any rank lost, so that MPI cannot be left in order? */
bool dtx_loop_lossy(const struct dtx_loop *l);
/* Rank 0: the exit status some rank asked for since it could not store an
 * output, or that of set-ups that failed on all nodes, or 0. */
int dtx_loop_trouble(const struct dtx_loop *l);

#endif

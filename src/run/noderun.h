/* SPDX-License-Identifier: MIT */
/* run/noderun.h - a rank's part in the commands that run once on each node
 *
 * On a node's first rank it runs them through the spawner, so that they have a
 * group of their own, a time limit, and end with the rank; the other ranks
 * wait for the word.  On rank 0 it also keeps run/nodecmd.h's table and tells
 * what failed where.  It never decides about tasks: until 'ready' the worker
 * must not be started, and after 'out' it never is.
 */
#ifndef DTX_RUN_NODERUN_H
#define DTX_RUN_NODERUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_card;
struct dtx_noderun;
struct dtx_spawner;

struct dtx_noderun_config {
    uint32_t rank, size;
    const struct dtx_card *cards;
    struct dtx_spawner *spawner;
    uint32_t slots;       /* of the rank: a command gets all of them */
    const char *setup;    /* NULL: none */
    const char *teardown; /* NULL: none */
    int64_t limit_ns;     /* for each */
};

/* What it needs of the loop. */
struct dtx_noderun_hooks {
    void (*send)(void *ctx, uint32_t to, uint8_t word, const char *text,
                 size_t len);
    void (*lost)(void *ctx, uint32_t rank); /* rank 0: it takes no part */
    void (*stop)(void *ctx); /* rank 0: somebody has stopped a set-up */
    void *ctx;
};

/* All is borrowed. NULL when out of memory. */
struct dtx_noderun *dtx_noderun_create(const struct dtx_noderun_config *c);
void dtx_noderun_destroy(struct dtx_noderun *n); /* NULL is allowed */

void dtx_noderun_begin(struct dtx_noderun *n,
                       const struct dtx_noderun_hooks *h);
/* Words of another rank. */
void dtx_noderun_hear(struct dtx_noderun *n, uint32_t from, uint64_t word,
                      const char *text, size_t len);
/* Look whether the command has ended; only while 'busy', when nobody else may
 * poll the spawner. True when it has. */
bool dtx_noderun_pump(struct dtx_noderun *n);
bool dtx_noderun_busy(const struct dtx_noderun *n);
bool dtx_noderun_ready(const struct dtx_noderun *n);
bool dtx_noderun_out(const struct dtx_noderun *n);
/* End the command that runs here. */
void dtx_noderun_kill(struct dtx_noderun *n);
/* Rank 0: the job ends; set-ups are in vain. */
void dtx_noderun_stop(struct dtx_noderun *n);
/* Rank 0: that rank is done. */
void dtx_noderun_done(struct dtx_noderun *n, uint32_t rank);
/* Rank 0: that rank is lost. */
void dtx_noderun_lost(struct dtx_noderun *n, uint32_t rank);
/* Rank 0: all nodes are torn down; no node could be set up. */
bool dtx_noderun_over(const struct dtx_noderun *n);
bool dtx_noderun_failed(const struct dtx_noderun *n);
/* Rank 0: the set-up failed on the node of this rank. */
bool dtx_noderun_failed_for(const struct dtx_noderun *n, uint32_t rank);

#endif

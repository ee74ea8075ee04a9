/* SPDX-License-Identifier: MIT */
/* run/nodecmd.h - rank 0's view of the commands that run once on each node
 *
 * Which node is being set up, which takes no part since that failed, and when
 * all ranks of a node are done so that it may be torn down.  Pure: it hears
 * what has happened and gives orders through a callback; it starts nothing and
 * never waits.  The first rank of a node, its leader, runs the commands; all
 * words go through rank 0.
 */
#ifndef DTX_RUN_NODECMD_H
#define DTX_RUN_NODECMD_H

#include <stdbool.h>
#include <stdint.h>

enum dtx_node_order {
    DTX_NODE_GO = 16,  /* to a rank: its node is ready */
    DTX_NODE_OUT,      /* to a rank: its node takes no part */
    DTX_NODE_TEARDOWN, /* to a leader: all ranks of the node are done */
    DTX_NODE_STOP      /* to a leader: end the set-up, nobody needs it */
};

struct dtx_nodecmd_config {
    uint32_t nranks;
    const uint32_t *leader; /* per rank: the lowest rank of its node; borrowed
                               for creation */
    bool teardown;          /* there is a command for it */
    void (*order)(void *ctx, uint32_t rank, enum dtx_node_order what);
    void *ctx;
};

struct dtx_nodecmd;

struct dtx_nodecmd *dtx_nodecmd_create(const struct dtx_nodecmd_config *c);
void dtx_nodecmd_destroy(struct dtx_nodecmd *n); /* NULL is allowed */

/* A leader's set-up has ended, or there was none. */
void dtx_nodecmd_set_up(struct dtx_nodecmd *n, uint32_t leader, bool good);
/* A leader's set-up was ended since nobody needs it: the node takes no part,
 * without having failed. */
void dtx_nodecmd_stopped(struct dtx_nodecmd *n, uint32_t leader);
/* The job ends: set-ups that still run are in vain. */
void dtx_nodecmd_stop(struct dtx_nodecmd *n);
/* A rank is done; its outputs are on disk. */
void dtx_nodecmd_done(struct dtx_nodecmd *n, uint32_t rank);
/* A rank is lost. With a leader goes its node: one that was being set up takes
 * no part, one that was ready is not torn down. True when it was a leader whose
 * command will not run. */
bool dtx_nodecmd_lost(struct dtx_nodecmd *n, uint32_t rank);
/* A leader's tear-down has ended. */
void dtx_nodecmd_torn_down(struct dtx_nodecmd *n, uint32_t leader);

/* Are all nodes torn down? */
bool dtx_nodecmd_over(const struct dtx_nodecmd *n);
/* Has the set-up failed on all nodes? */
bool dtx_nodecmd_all_out(const struct dtx_nodecmd *n);
/* Has it failed on the node of this rank? */
bool dtx_nodecmd_failed(const struct dtx_nodecmd *n, uint32_t rank);

#endif

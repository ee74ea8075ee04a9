/* SPDX-License-Identifier: MIT */
/* engine/broker.h - the master of the kernel lane, as a state machine
 *
 * A region is one call that all ranks make together: a loop, a tree.  Slots eat
 * what their rank has without asking anybody; the broker only moves work in
 * bulk between ranks and says when all is done.  It does not look into work:
 * those are bytes, made by one rank and taken by another.
 *
 *  - A rank that has little left, or nothing, says KWANT. The broker asks the
 *    rank that is predicted to run dry last for a share (KYIELD), hears it
 *    (KYIELDED), and hands it on (KGRANT). All work passes through here, or,
 *    what is large, straight from the one to the other (KPASS) with word of it
 *    here; so nothing is ever under way without the broker's knowledge.
 *  - Termination: a KWANT says how many grants its rank has received. A rank is
 *    idle when it says so and has received all that were sent to it. When every
 *    rank is idle and no KYIELD is unanswered, nothing is left anywhere. (A
 *    central case of message counting: Mattern, Distributed Computing 2, 1987;
 *    one counter a rank suffices, since all messages have one end here.)
 *  - Where a schedule cuts the loop into chunks, the broker is given a source
 *    of them, and asks no rank for any.
 *  - The region's end has rounds: after KOVER every rank hands in its part, and
 *    when a rank is lost whose part has not come, what it had is granted to
 *    rank 0, which opens the region once more (engine/member.h). Whoever keeps
 *    the books of work (engine/owners.h, engine/ledger.h) is told of all that
 *    moves, and asked what a lost rank had.
 *
 *  - A rank that cannot go on says KFAIL: all others are told, by name, and the
 *    region is over without parts or value; no other can follow.
 *
 * Same contract as engine/event.h: event in, actions out (SEND; FINISH when a
 * region is over, after its KOVERs), no clock, no chance.  A step costs the
 * logarithm of the ranks for each message it hears or sends.
 */
#ifndef DTX_ENGINE_BROKER_H
#define DTX_ENGINE_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

struct dtx_broker;
struct dtx_msg;

struct dtx_broker_config {
    uint32_t nranks;
    const uint32_t *slots; /* of each rank; copied */
};

/* What a KWANT tells of work that was given out before. */
struct dtx_broker_news {
    uint64_t done;
    int64_t busy_ns;
};

/* Append up to 'count' chunks for 'rank' to 'work'; nothing when there are no
 * more. */
typedef void (*dtx_broker_source_f)(void *ctx, uint32_t rank, uint32_t count,
                                    const struct dtx_broker_news *news,
                                    struct dtx_buf *work);

#define DTX_BROKER_SOURCE UINT32_MAX /* in the place of a rank */

/* Work has gone out of one's hands into another's, and 'straight' bytes more
 * that were not seen here. What is put into 'full' goes there instead of
 * 'work', if anything is. False: out of memory, or no such work. */
typedef bool (*dtx_broker_moved_f)(void *ctx, uint32_t from, uint32_t to,
                                   struct dtx_str work, uint64_t straight,
                                   struct dtx_buf *full);
/* 'rank' is lost: append what it had and has not handed in to 'work', or put
 * it back into the source. 0 or negative; DTX_ELOST: nobody can tell. */
typedef int (*dtx_broker_lost_f)(void *ctx, uint32_t rank,
                                 struct dtx_buf *work);

struct dtx_broker_region {
    uint32_t number;     /* goes up from region to region */
    uint64_t digest;     /* what all ranks must agree about ... */
    const char *call;    /* ... as text; borrowed while the region lasts */
    const char *kernels; /* names, each with a newline; borrowed likewise */
    dtx_broker_source_f source; /* NULL: work is with the ranks */
    dtx_broker_moved_f moved;   /* NULL: nobody wants to know */
    dtx_broker_lost_f lost;     /* NULL: a loss ends the region */
    void *ctx;                  /* of these three */
};

/* NULL when out of memory. */
struct dtx_broker *dtx_broker_create(const struct dtx_broker_config *c);
void dtx_broker_destroy(struct dtx_broker *b); /* NULL is allowed */
/* A region begins. The one before must be over. Ranks that are lost stay so. */
void dtx_broker_begin(struct dtx_broker *b, const struct dtx_broker_region *g);
/* Events: FRAME (of the kinds a rank sends, but KPART and KRESULT) and
 * RANK_LOST (also of one that was lost before the region began). 0;
 * DTX_ENOMEM; DTX_EPROTO for a frame that is not the protocol's. Frames of
 * other regions, and of lost ranks, are dropped. */
int dtx_broker_step(struct dtx_broker *b, const struct dtx_event *ev,
                    struct dtx_actions *out);
bool dtx_broker_over(const struct dtx_broker *b);
/* The part of 'rank' of this round has come. */
void dtx_broker_bank(struct dtx_broker *b, uint32_t rank, uint32_t round);
/* It is over, and the parts of all that live are there. */
bool dtx_broker_complete(const struct dtx_broker *b);
/* KOVERs of this region so far. */
uint32_t dtx_broker_round(const struct dtx_broker *b);
bool dtx_broker_is_lost(const struct dtx_broker *b, uint32_t rank);
/* Has it come into this region? Who has not was granted nothing. */
bool dtx_broker_has_entered(const struct dtx_broker *b, uint32_t rank);

#endif

/* SPDX-License-Identifier: MIT */
/* run/watch.h - which ranks have died, as this rank can see it
 *
 * Rank 0 watches all others, the others watch rank 0.  Of ranks on the same
 * node the kernel tells (node/peer.h); a word of the dead one's spawner
 * (node/notice.h), which comes a moment later, says how it ended and what it
 * ran, and of ranks on other nodes it is all that tells, apart from their
 * silence, which is the engine's.  It decides nothing about tasks.
 */
#ifndef DTX_RUN_WATCH_H
#define DTX_RUN_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"

struct dtx_card;
struct dtx_rundir;
struct dtx_watch;

struct dtx_watch_config {
    uint32_t rank, size;
    const struct dtx_card *cards; /* borrowed, as all here */
    const char *run_dir;
    uint32_t epoch;
    struct dtx_rundir *lease; /* rank 0: hears of losses */
    bool plain; /* as on a kernel without pidfds */
};

/* NULL when out of memory. */
struct dtx_watch *dtx_watch_create(const struct dtx_watch_config *c);
void dtx_watch_destroy(struct dtx_watch *w); /* NULL is allowed */

/* Is any rank of this node watched: is it worth to look often? */
bool dtx_watch_is_near(const struct dtx_watch *w);
/* One more rank that has died: true and '*l', valid until the next call. A
 * death is held back for a moment until the spawner's word is there. */
bool dtx_watch_next(struct dtx_watch *w, int64_t now_ns, struct dtx_loss *l);
/* MPI has found it dead: as if the kernel had. */
void dtx_watch_died(struct dtx_watch *w, uint32_t rank, int64_t now_ns);
/* It counts as lost for another reason, which is said in 'cause'; if it lives
 * and is on this node, it is ended. */
void dtx_watch_expel(struct dtx_watch *w, uint32_t rank, const char *cause);
/* How a rank was lost, as known by now ("signal 9"); NULL: it was not. */
const char *dtx_watch_cause(struct dtx_watch *w, uint32_t rank);

#endif

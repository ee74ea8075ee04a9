/* SPDX-License-Identifier: MIT */
/* run/slow.h - nodes that take longer than the others, by name
 *
 * From what the master learned of the speeds of ranks (sched/speed.h): a node
 * is named, in the log once and in the summary, when it is sure to take a tenth
 * longer for what is predicted alike.  Of ranks that all share a node the ranks
 * are named.  Nothing is known where nothing is predicted (no history).
 */
#ifndef DTX_RUN_SLOW_H
#define DTX_RUN_SLOW_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_master;

#define DTX_SLOW_NAMED 5u /* the slowest so many */

struct dtx_slow {
    const struct dtx_master *master; /* borrowed */
    uint32_t nranks;
    bool heeded;   /* they are given less */
    int64_t due_ns;
    uint32_t told; /* in the log, and whom: by the first of its ranks */
    uint32_t whom[DTX_SLOW_NAMED];
};

/* Now and then: log the first word about each. */
void dtx_slow_tick(struct dtx_slow *s, int64_t now_ns);
/* The summary's lines. */
void dtx_slow_tell(const struct dtx_slow *s, struct dtx_buf *b);

#endif

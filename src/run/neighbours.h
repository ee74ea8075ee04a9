/* SPDX-License-Identifier: MIT */
/* run/neighbours.h - who else uses the job's processors, measured and told
 *
 * Each rank measures what others use of the processors that its slots run on
 * (node/others.h); the master gives it that much less.  A node that loses a
 * tenth of them or more, over some time, is named: in the log once and in the
 * summary.
 */
#ifndef DTX_RUN_NEIGHBOURS_H
#define DTX_RUN_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_card;
struct dtx_cores;
struct dtx_master;
struct dtx_others;
struct dtx_share;

#define DTX_NEIGHBOURS_NAMED 5u /* the nodes that lose most, so many */

/* Begin to measure on this rank; what it shares processors with is found by the
 * cards. NULL: that cannot be, as on a machine that is a picture. */
struct dtx_others *dtx_neighbours_watch(const struct dtx_card *cards,
                                        uint32_t n, uint32_t me,
                                        const struct dtx_cores *cores,
                                        const struct dtx_share *share);

/* Rank 0 tells. */
struct dtx_neighbours {
    const struct dtx_master *master; /* borrowed */
    uint32_t nranks;
    bool heeded;      /* they are given less */
    int64_t begin_ns; /* of the run; 0: not yet */
    int64_t due_ns;
    uint32_t told; /* in the log, and whom: by the first of its ranks */
    uint32_t whom[DTX_NEIGHBOURS_NAMED];
};

/* Now and then: log the first word about each node. */
void dtx_neighbours_tick(struct dtx_neighbours *s, int64_t now_ns);
/* The summary's lines. */
void dtx_neighbours_tell(const struct dtx_neighbours *s, int64_t now_ns,
                         struct dtx_buf *b);

#endif

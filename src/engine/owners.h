/* SPDX-License-Identifier: MIT */
/* engine/owners.h - which rank has which part of a loop
 *
 * All that moves passes through the broker, which has it written down here, in
 * the order of its moving: so the part of a rank that is lost can be told, done
 * or not (what it summed up is lost with it), unless the rank has handed in
 * what it did ('banked').  Writing down costs an entry; only a loss reads them.
 *
 * The end of a region has rounds (engine/broker.h).  A part of round k is of
 * what moved before the k-th KOVER, and may come when more has moved since.
 */
#ifndef DTX_ENGINE_OWNERS_H
#define DTX_ENGINE_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/spans.h"

#define DTX_OWNER_NONE UINT32_MAX /* from: a source; to: done and handed in */

/* Sixteen bytes each, since there may be very many (a schedule that cuts small
 * chunks). */
struct dtx_owner_move {
    uint32_t from, to;
    uint32_t first, count; /* count 0: 'from' has handed in its part of round
                              'to'; from DTX_OWNER_NONE: what follows is of
                              round 'to', so many KOVERs were before it */
};

struct dtx_owners {
    struct dtx_owner_move *list;
    size_t n, cap;
    uint32_t round; /* of the last */
};

/* 'from' has parted with these, and they are 'to's, after so many rounds.
 * False: out of memory. Iterations, or grains, are below 2^32. */
bool dtx_owners_move(struct dtx_owners *o, uint32_t round, uint32_t from,
                     uint32_t to, uint64_t first, uint64_t count);
/* The part of 'rank' of a round has come. */
bool dtx_owners_bank(struct dtx_owners *o, uint32_t round, uint32_t rank);
/* 'spans' holds what 'rank' began with, and then what it has now. */
bool dtx_owners_of(const struct dtx_owners *o, uint32_t rank,
                   struct dtx_spans *spans);
void dtx_owners_free(struct dtx_owners *o);

#endif

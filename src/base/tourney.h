/* SPDX-License-Identifier: MIT */
/* base/tourney.h - a tournament over a row of places
 *
 * Each of n places holds an item or none.  The first item of any stretch of
 * places is told in O(log n) comparisons, and as many are made when an item
 * comes, goes, or its key changes; fewer where it neither won nor wins (Knuth,
 * "The Art of Computer Programming" 3, 5.4.1: the tree of a tournament).  A
 * heap would not know the first of a part without taking others out.  The order
 * is asked of the owner, as in base/heap.h.
 */
#ifndef DTX_BASE_TOURNEY_H
#define DTX_BASE_TOURNEY_H

#include "base/heap.h"

struct dtx_tourney {
    uint32_t *win; /* 2 * n: the places from n on, above them who won */
    uint32_t n;
    dtx_heap_before_f before;
    const void *ctx;
    uint64_t compares;
};

/* All places empty; n at least 1. False when out of memory. */
bool dtx_tourney_init(struct dtx_tourney *t, uint32_t n,
                      dtx_heap_before_f before, const void *ctx);
void dtx_tourney_fini(struct dtx_tourney *t); /* zeroed is allowed */
/* The place holds this item (DTX_HEAP_NONE: none) from now on; or the key of
 * the one it holds has changed. */
void dtx_tourney_set(struct dtx_tourney *t, uint32_t place, uint32_t item);
/* The first item of all; of the places from 'lo' up to, not with, 'hi'. Or
 * DTX_HEAP_NONE. */
uint32_t dtx_tourney_first(const struct dtx_tourney *t);
uint32_t dtx_tourney_first_of(struct dtx_tourney *t, uint32_t lo, uint32_t hi);

#endif

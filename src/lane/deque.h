/* SPDX-License-Identifier: MIT */
/* lane/deque.h - a slot's own tasks, which others may steal
 *
 * Chase and Lev, "Dynamic circular work-stealing deque", SPAA 2005, in the form
 * of Le, Pop, Cohen and Zappa Nardelli, PPoPP 2013, with sequentially
 * consistent accesses where those have fences (so that a race detector sees the
 * order).  The owner pushes and pops at the bottom, anybody steals from the
 * top, the oldest first.  No lock; a thief that loses a race is told so.
 */
#ifndef DTX_LANE_DEQUE_H
#define DTX_LANE_DEQUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_ring;

struct dtx_deque {
    _Alignas(128) _Atomic int64_t top;
    _Alignas(128) _Atomic int64_t bottom;
    _Atomic(struct dtx_ring *) ring; /* older ones are kept until the end, since
                                        a thief may still read them */
};

bool dtx_deque_init(struct dtx_deque *d);
/* What is in it is the caller's. Nobody else may be at it. */
void dtx_deque_fini(struct dtx_deque *d);
/* Owner. False when out of memory. */
bool dtx_deque_push(struct dtx_deque *d, void *item);
/* Owner: the youngest, or NULL. */
void *dtx_deque_pop(struct dtx_deque *d);
/* Anybody: the oldest; NULL when there is none, or ('*lost' set) another was
 * faster. */
void *dtx_deque_steal(struct dtx_deque *d, bool *lost);
/* About so many, seen from anywhere. */
size_t dtx_deque_size(const struct dtx_deque *d);

#endif

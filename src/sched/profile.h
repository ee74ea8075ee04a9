/* SPDX-License-Identifier: MIT */
/* sched/profile.h - what the parts of a loop cost, and dealing them out
 *
 * A profile divides the grains 0 .. total-1 of a loop into up to 1024 buckets
 * of the same size and knows the time each took.  From it every rank works out
 * the same deal: equal cost for each slot, the dearest grains first, since what
 * is begun last should be small (longest processing time first: Graham, SIAM J.
 * Appl. Math. 17(2), 1969).  Whole numbers only, so that all ranks come to the
 * same result.
 */
#ifndef DTX_SCHED_PROFILE_H
#define DTX_SCHED_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/codec.h"

#define DTX_PROFILE_BUCKETS 1024u

struct dtx_profile {
    uint32_t total;   /* grains; 0: no profile */
    uint32_t buckets;
    uint64_t ns[DTX_PROFILE_BUCKETS];
};

/* Grains first .. first+count-1, and a guess of what they cost in all. */
struct dtx_segment {
    uint32_t first, count;
    uint64_t ns;
};

void dtx_profile_init(struct dtx_profile *p, uint32_t total);
/* Grains first .. first+count-1 took 'ns' together. */
void dtx_profile_add(struct dtx_profile *p, uint32_t first, uint32_t count,
                     uint64_t ns);
/* p += q, of the same total. */
void dtx_profile_merge(struct dtx_profile *p, const struct dtx_profile *q);
void dtx_profile_encode(struct dtx_buf *b, const struct dtx_profile *p);
/* Adds what was encoded to 'p'. False when it is not of p's size. */
bool dtx_profile_decode(struct dtx_profile *p, struct dtx_str bytes);

/* 'out' becomes a profile of 'total' grains of the same shape over the relative
 * range, a grain costing what one cost there; of that 'believed' of 256 parts
 * count, and for the rest all grains are taken to cost the same. */
void dtx_profile_stretch(const struct dtx_profile *p, uint32_t total,
                         uint32_t believed, struct dtx_profile *out);
/* All of it; 0: it tells nothing. */
uint64_t dtx_profile_sum(const struct dtx_profile *p);

/* Rank 'me's part of all grains: a list, to be worked off in its order. '*out'
 * is the caller's to free. 'p' may be NULL or empty: then one piece in
 * proportion to the slots. The parts of all ranks together are all grains, each
 * once; a rank without slots (never rank 0) has none. False when out of
 * memory. */
bool dtx_profile_deal(const struct dtx_profile *p, uint32_t total,
                      uint32_t nranks, const uint32_t *slots, uint32_t me,
                      struct dtx_segment **out, size_t *count);

#endif

/* SPDX-License-Identifier: MIT */
/* lane/range.h - iterations that many slots take from at once, without a lock
 *
 * One 64-bit word holds which of a range are still to be taken: the next one
 * and the end, 32 bits each.  Owners take from the front, thieves cut off the
 * back, both by one compare-and-swap.  Equal words mean equal sets, so a word
 * that comes back (ABA) does no harm, as long as no iteration is ever put in a
 * second time.
 *
 * A loop of more than 2^32 - 1 iterations is counted in grains of as many as
 * are needed (dtx_range_grain).
 */
#ifndef DTX_LANE_RANGE_H
#define DTX_LANE_RANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Alone in its cache lines: neighbours that are written often would slow every
 * taking (two lines, since they are fetched in pairs). */
struct dtx_range {
    _Alignas(128) _Atomic uint64_t word;
    char apart[128 - sizeof(uint64_t)];
};

static inline uint64_t dtx_range_pack(uint32_t next, uint32_t end)
{
    return (uint64_t)end << 32 | next;
}

static inline uint32_t dtx_range_next_of(uint64_t word)
{
    return (uint32_t)word;
}

static inline uint32_t dtx_range_end_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t dtx_range_left_of(uint64_t word)
{
    return dtx_range_end_of(word) - dtx_range_next_of(word);
}

static inline uint32_t dtx_range_left(const struct dtx_range *r)
{
    return dtx_range_left_of(
        atomic_load_explicit(&r->word, memory_order_relaxed));
}

/* Only when the range is empty, and by one thread at a time: nobody else
 * changes an empty word. */
static inline void dtx_range_set(struct dtx_range *r, uint32_t next,
                                 uint32_t end)
{
    atomic_store_explicit(&r->word, dtx_range_pack(next, end),
                          memory_order_release);
}

/* Iterations to a grain, so that 'total' of them fit. */
static inline uint64_t dtx_range_grain(uint64_t total)
{
    return total / UINT32_MAX + (total % UINT32_MAX != 0);
}

/* Take up to 'want' (>= 1) from the front: how many, beginning at '*first'. */
uint32_t dtx_range_take(struct dtx_range *r, uint32_t want, uint32_t *first);
/* Cut off the share part/whole of what is left, rounded down, and leave at
 * least 'keep': how many, beginning at '*first'. */
uint32_t dtx_range_cut(struct dtx_range *r, uint32_t part, uint32_t whole,
                       uint32_t keep, uint32_t *first);

#endif

/* SPDX-License-Identifier: MIT */
/* Taking from the front and cutting off the back; see range.h. */
#include "lane/range.h"

static bool swap(struct dtx_range *r, uint64_t *seen, uint64_t wanted)
{
    return atomic_compare_exchange_weak_explicit(
        &r->word, seen, wanted, memory_order_acq_rel, memory_order_acquire);
}

uint32_t dtx_range_take(struct dtx_range *r, uint32_t want, uint32_t *first)
{
    uint64_t w = atomic_load_explicit(&r->word, memory_order_acquire);

    for (;;) {
        uint32_t left = dtx_range_left_of(w), n = want < left ? want : left;
        uint32_t next = dtx_range_next_of(w);

        if (n == 0)
            return 0;
        if (swap(r, &w, dtx_range_pack(next + n, dtx_range_end_of(w)))) {
            *first = next;
            return n;
        }
    }
}

uint32_t dtx_range_cut(struct dtx_range *r, uint32_t part, uint32_t whole,
                       uint32_t keep, uint32_t *first)
{
    uint64_t w = atomic_load_explicit(&r->word, memory_order_acquire);

    for (;;) {
        uint32_t left = dtx_range_left_of(w), end = dtx_range_end_of(w);
        uint32_t n = (uint32_t)((uint64_t)left * part / whole);

        if (left <= keep)
            return 0;
        n = n > left - keep ? left - keep : n;
        if (n == 0)
            return 0;
        if (swap(r, &w, dtx_range_pack(dtx_range_next_of(w), end - n))) {
            *first = end - n;
            return n;
        }
    }
}

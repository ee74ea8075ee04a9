/* SPDX-License-Identifier: MIT */
/* lib/loop.h - a rank's part of a loop
 *
 * What the files of the loop style share: loop.c moves segments between ranks,
 * loop_slot.c has the slots take and run them, loop_begin.c sets a loop up, and
 * loop_books.c is rank 0's: chunks that a schedule cuts, and who has what.
 *
 * Iterations are counted in grains: more than one only in loops beyond 2^32
 * (dtx_range_grain).
 */
#ifndef DTX_LIB_LOOP_H
#define DTX_LIB_LOOP_H

#include "engine/owners.h"
#include "lane/range.h"
#include "lib/session.h"
#include "sched/loop.h"

struct dtx_loop {
    struct dtx_range cur;
    _Atomic uint64_t behind;  /* grains in 'seg' */
    _Atomic uint64_t unit_ps; /* what a grain took lately */
    _Atomic uint32_t chunks;  /* segments in 'seg' */
    _Atomic bool low;         /* the communicating thread was told */
    uint64_t grain;
    uint32_t total;           /* grains */
    /* under the crew's lock */
    struct dtx_segment *seg;  /* at .. n-1 */
    size_t at, n, cap;
    bool guessed;             /* what they cost is the program's guess ... */
    uint64_t guess_ps;        /* ... here for a grain of the last one begun */
    struct dtx_loop_plan *plan; /* rank 0, when a schedule cuts */
    struct dtx_spans back;    /* rank 0: lost by others, for who draws */
    struct dtx_owners owners; /* rank 0; the communicating thread's */
    bool whole;               /* a schedule cuts, here or on rank 0 */
    uint64_t news_done;
    int64_t news_ns;
};

/* A slot's own. */
struct dtx_loop_own {
    _Alignas(128) uint32_t last; /* grains of the last batch */
    uint64_t unit_ps;            /* what a grain of it took */
    struct dtx_profile *profile; /* NULL: not asked for */
};

static inline struct dtx_loop *dtx_loop_of(const struct dtx_region *g)
{
    return g->own;
}

/* Grains that are here and that nobody has taken; any thread. */
static inline uint64_t dtx_loop_left(const struct dtx_loop *l)
{
    return dtx_range_left(&l->cur) +
           atomic_load_explicit(&l->behind, memory_order_relaxed);
}

/* lib/loop.c, with the crew's lock held: a segment more (false when out of
 * memory), and the next of them (false when there is none). */
bool dtx_loop_add(struct dtx_loop *l, uint32_t first, uint32_t count,
                  uint64_t ns);
bool dtx_loop_next(struct dtx_loop *l, struct dtx_segment *out);
/* The next segment into the empty word; false when there is none. */
bool dtx_loop_refill(struct dtx_loop *l);

/* lib/loop_slot.c (dtx_style.step) */
bool dtx_loop_step(void *region, unsigned slot);

/* lib/loop_begin.c (dtx_style.begin and .end) */
int dtx_loop_begin(struct dtx_region *g);
void dtx_loop_end(struct dtx_region *g);
/* A rank's part of the loop at its start; '*seg' is the caller's to free. */
bool dtx_loop_deal(const struct dtx_region *g, uint32_t rank,
                   struct dtx_segment **seg, size_t *count);

/* lib/loop_books.c, rank 0. A chunk for a rank, with the crew's lock held; the
 * others as in struct dtx_style. */
bool dtx_loop_draw_one(const struct dtx_region *g, struct dtx_loop *l,
                       uint32_t rank, struct dtx_segment *out);
bool dtx_loop_moved(struct dtx_region *g, uint32_t from, uint32_t to,
                    struct dtx_str work, struct dtx_buf *full);
bool dtx_loop_bank(struct dtx_region *g, uint32_t rank, uint32_t round);
int dtx_loop_lost(struct dtx_region *g, uint32_t rank, struct dtx_buf *work);

/* A segment as bytes. */
static inline void dtx_loop_put(struct dtx_buf *b, uint32_t first,
                                uint32_t count, uint64_t ns)
{
    dtx_put_u32(b, first);
    dtx_put_u32(b, count);
    dtx_put_u64(b, ns);
}

#endif

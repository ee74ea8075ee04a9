/* SPDX-License-Identifier: MIT */
/* Loops: what a rank has of one, and how shares come and go.  A rank has a list
 * of segments; the first of them is in a word that slots take batches from by
 * compare-and-swap (lane/range.h), the others are behind a lock that is only
 * taken when the word is empty.  A share for another rank is cut off the
 * back. */
#include "lib/loop.h"

#include <pthread.h>

#define HEAVY_NS 300000u  /* an iteration worth moving by itself */
#define MOST_SEGMENTS 4096u /* in one share */
#define MOST_NS (UINT64_C(1) << 50) /* that a segment is thought to take: 13
                                       days, far below what overflows ... */
#define MOST_SUM_NS (UINT64_C(1) << 60) /* ... and that many are */

bool dtx_loop_is_source(const struct dtx_region *g)
{
    return dtx_loop_of(g)->whole;
}

/* --- segments; with the crew's lock held ---------------------------------- */

static uint64_t clip(uint64_t ns)
{
    return ns < MOST_NS ? ns : MOST_NS;
}

bool dtx_loop_add(struct dtx_loop *l, uint32_t first, uint32_t count,
                  uint64_t ns)
{
    struct dtx_segment *s;

    if (l->at == l->n)
        l->at = l->n = 0;
    s = dtx_grow(l->seg, &l->cap, l->n + 1, sizeof(*s));
    if (!s)
        return false;
    l->seg = s;
    s[l->n++] = (struct dtx_segment){first, count, clip(ns)};
    (void)atomic_fetch_add(&l->behind, count);
    (void)atomic_fetch_add(&l->chunks, 1);
    return true;
}

bool dtx_loop_next(struct dtx_loop *l, struct dtx_segment *out)
{
    if (l->at == l->n)
        return false;
    *out = l->seg[l->at++];
    (void)atomic_fetch_sub(&l->behind, out->count);
    (void)atomic_fetch_sub(&l->chunks, 1);
    return true;
}

/* The next segment into the empty word. */
bool dtx_loop_refill(struct dtx_loop *l)
{
    struct dtx_segment s;

    if (dtx_range_left(&l->cur) > 0)
        return true;
    if (!dtx_loop_next(l, &s))
        return false;
    l->guess_ps = s.ns * 1000 / s.count;
    dtx_range_set(&l->cur, s.first, s.first + s.count);
    return true;
}

/* --- the communicating thread's ------------------------------------------- */

static int take(struct dtx_region *g, struct dtx_cursor *c)
{
    struct dtx_loop *l = dtx_loop_of(g);
    uint64_t first = dtx_get_u32(c), count = dtx_get_u32(c);
    uint64_t ns = dtx_get_u64(c);

    if (c->bad || count == 0 || first + count > l->total)
        return DTX_EPROTO;
    return dtx_loop_add(l, (uint32_t)first, (uint32_t)count, ns) ? DTX_OK
                                                                 : DTX_ENOMEM;
}

static void taken(struct dtx_region *g)
{
    atomic_store(&dtx_loop_of(g)->low, false);
}

static uint64_t cost_by_rate(uint64_t count, uint64_t unit_ps)
{
    uint64_t ns = unit_ps / 1000 + 1;

    return count > MOST_NS / ns ? MOST_NS : count * ns;
}

/* What a segment costs: as the profile said, or by the last batch's rate.
 * Guesses are in a unit that only that rate tells. */
static uint64_t cost_of(const struct dtx_loop *l, const struct dtx_segment *s)
{
    uint64_t unit = atomic_load_explicit(&l->unit_ps, memory_order_relaxed);

    if (s->ns && l->guessed && unit > 0 && l->guess_ps > 0) {
        double ns = (double)s->ns * (double)unit / (double)l->guess_ps;

        return ns < (double)MOST_NS ? (uint64_t)ns + 1 : MOST_NS;
    }
    return s->ns ? s->ns : cost_by_rate(s->count, unit);
}

static uint64_t cost_behind(const struct dtx_loop *l)
{
    uint64_t sum = 0;
    size_t i;

    for (i = l->at; i < l->n && sum < MOST_SUM_NS; i++)
        sum += cost_of(l, &l->seg[i]);
    return sum;
}

/* Whole segments off the back, and a piece of the one that is too much. Returns
 * the cost that is still to be found. */
static uint64_t give_segments(struct dtx_loop *l, uint64_t want,
                              struct dtx_buf *out)
{
    size_t given = 0;

    while (l->n > l->at && want > 0 && given++ < MOST_SEGMENTS) {
        struct dtx_segment *s = &l->seg[l->n - 1];
        uint64_t cost = cost_of(l, s);
        uint32_t count = s->count;

        if (cost > want) {
            count = (uint32_t)((double)count * (double)want / (double)cost);
            want = 0;
            if (count == 0)
                break;
            cost = s->ns / s->count * count;
        } else {
            want -= cost;
            cost = s->ns;
        }
        s->count -= count;
        dtx_loop_put(out, s->first + s->count, count, cost);
        s->ns -= cost;
        (void)atomic_fetch_sub(&l->behind, count);
        if (s->count == 0) {
            l->n--;
            (void)atomic_fetch_sub(&l->chunks, 1);
        }
    }
    return want;
}

static int64_t left_ns(struct dtx_region *g)
{
    struct dtx_loop *l = dtx_loop_of(g);
    uint64_t unit = atomic_load_explicit(&l->unit_ps, memory_order_relaxed);

    if (unit == 0)
        return -1;
    return (int64_t)((double)dtx_loop_left(l) * (double)unit / 1000 /
                     g->session->crew.n);
}

static bool give(struct dtx_region *g, uint32_t slots, struct dtx_parted *out)
{
    struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_crew *c = &g->session->crew;
    uint64_t unit = atomic_load_explicit(&l->unit_ps, memory_order_relaxed);
    uint32_t keep = unit / 1000 > HEAVY_NS ? 0 : c->n, first, count;
    uint64_t here, want;

    (void)pthread_mutex_lock(&c->lock);
    here = cost_by_rate(dtx_range_left(&l->cur), unit);
    want = (uint64_t)((double)(here + cost_behind(l)) * slots /
                      ((double)slots + c->n));
    want = give_segments(l, want, &out->work);
    if (want > 0 || out->work.len == 0) {
        uint32_t part = want >= here ? 1000
                                     : (uint32_t)((double)want * 1000 /
                                                  (double)(here + 1));

        if (keep == 0 && dtx_range_left(&l->cur) == 1)
            part = 1000;
        count = dtx_range_cut(&l->cur, part, 1000, keep, &first);
        if (count > 0)
            dtx_loop_put(&out->work, first, count, 0);
    }
    (void)pthread_mutex_unlock(&c->lock);
    out->left_ns = left_ns(g);
    return true;
}

static uint32_t wants(struct dtx_region *g)
{
    struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_crew *c = &g->session->crew;
    uint32_t ready = atomic_load(&l->chunks);

    if (!l->whole)
        return atomic_load(&l->low);
    if (g->session->net.rank == 0)
        return 0; /* its slots help themselves */
    return ready < c->n ? 2 * c->n - ready : 0;
}

static void news(struct dtx_region *g, uint64_t *done, int64_t *busy_ns)
{
    struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_crew *c = &g->session->crew;

    (void)pthread_mutex_lock(&c->lock);
    *done = l->news_done;
    *busy_ns = l->news_ns;
    l->news_done = 0;
    l->news_ns = 0;
    (void)pthread_mutex_unlock(&c->lock);
}

static void drop(struct dtx_region *g)
{
    (void)g; /* slots look at 'dropped' before they take */
}

const struct dtx_style dtx_style_loop = {
    .begin = dtx_loop_begin,
    .step = dtx_loop_step,
    .take = take,
    .taken = taken,
    .give = give,
    .wants = wants,
    .left_ns = left_ns,
    .news = news,
    .drop = drop,
    .end = dtx_loop_end,
    .moved = dtx_loop_moved,
    .bank = dtx_loop_bank,
    .lost = dtx_loop_lost,
};

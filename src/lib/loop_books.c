/* SPDX-License-Identifier: MIT */
/* Rank 0's side of a loop: it draws chunks where a schedule cuts them, and
 * keeps book of which segments went where, so that what a lost rank had is done
 * again. */
#include <pthread.h>
#include <stdlib.h>

#include "engine/broker.h"
#include "lib/loop.h"

/* Of what lost ranks had: as in factoring, half in as many chunks as there are
 * slots. */
static bool draw_back(const struct dtx_region *g, struct dtx_loop *l,
                      struct dtx_segment *out)
{
    uint64_t most = dtx_spans_sum(&l->back) / (2 * g->session->slots_all) + 1;
    struct dtx_span s = l->back.list[0];

    if (s.end - s.first > most)
        s.end = s.first + most;
    if (!dtx_spans_cut(&l->back, s.first, s.end - s.first))
        return false;
    *out = (struct dtx_segment){(uint32_t)s.first, (uint32_t)(s.end - s.first),
                                0};
    return true;
}

/* Rank 0's slots cut their chunks themselves. */
bool dtx_loop_draw_one(const struct dtx_region *g, struct dtx_loop *l,
                       uint32_t rank, struct dtx_segment *out)
{
    uint64_t first = 0, count;

    if (l->back.n > 0)
        return draw_back(g, l, out);
    if (!l->plan)
        return false;
    count = dtx_loop_plan_next(l->plan, rank, &first);
    *out = (struct dtx_segment){(uint32_t)first, (uint32_t)count, 0};
    return count > 0;
}

void dtx_loop_draw(void *region, uint32_t rank, uint32_t count,
                   const struct dtx_broker_news *n, struct dtx_buf *work)
{
    struct dtx_region *g = region;
    struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_segment s;

    (void)pthread_mutex_lock(&c->lock);
    if (n->done > 0 && l->plan && rank != g->session->net.rank)
        dtx_loop_plan_learn(l->plan, rank, n->done, (double)n->busy_ns);
    while (count-- > 0 && dtx_loop_draw_one(g, l, rank, &s))
        dtx_loop_put(work, s.first, s.count, 0);
    (void)pthread_mutex_unlock(&c->lock);
}

/* --- who has what --------------------------------------------------------- */

bool dtx_loop_moved(struct dtx_region *g, uint32_t from, uint32_t to,
                    struct dtx_str work, struct dtx_buf *full)
{
    struct dtx_cursor c = dtx_cursor_over(work.data, work.len);
    uint32_t round = dtx_broker_round(g->session->broker);
    bool ok = true;

    (void)full;
    while (ok && !dtx_cursor_done(&c)) {
        uint64_t first = dtx_get_u32(&c), count = dtx_get_u32(&c);

        (void)dtx_get_u64(&c);
        if (c.bad || first + count > dtx_loop_of(g)->total)
            return true; /* who takes it will say so */
        ok = dtx_owners_move(&dtx_loop_of(g)->owners, round, from, to, first,
                             count);
    }
    return ok;
}

bool dtx_loop_bank(struct dtx_region *g, uint32_t rank, uint32_t round)
{
    return rank == g->session->net.rank ||
           dtx_owners_bank(&dtx_loop_of(g)->owners, round, rank);
}

/* What rank 'r' has now, as the books say. */
static bool find_lost(const struct dtx_region *g, uint32_t r,
                      struct dtx_spans *has)
{
    const struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_segment *seg = NULL;
    size_t count = 0, i;
    bool ok = l->whole || dtx_loop_deal(g, r, &seg, &count);

    for (i = 0; i < count && ok; i++)
        ok = dtx_spans_add(has, seg[i].first, seg[i].count);
    free(seg);
    return ok && dtx_owners_of(&l->owners, r, has);
}

/* It goes to rank 0; or, where chunks are drawn, back to be drawn again. */
int dtx_loop_lost(struct dtx_region *g, uint32_t rank, struct dtx_buf *work)
{
    struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_spans has = DTX_SPANS_INIT;
    bool ok = find_lost(g, rank, &has);
    size_t i;

    (void)pthread_mutex_lock(&c->lock);
    for (i = 0; i < has.n && ok; i++) {
        uint64_t first = has.list[i].first, count = has.list[i].end - first;

        if (l->whole)
            ok = dtx_spans_add(&l->back, first, count);
        else
            dtx_loop_put(work, (uint32_t)first, (uint32_t)count, 0);
    }
    (void)pthread_mutex_unlock(&c->lock);
    dtx_spans_free(&has);
    return ok ? DTX_OK : DTX_ENOMEM;
}

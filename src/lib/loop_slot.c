/* SPDX-License-Identifier: MIT */
/* How slots work on a loop: they take batches and run them.
 *
 * A batch is as long as hides the cost of taking it, and shorter towards the
 * end: a part of what is left, as in guided self-scheduling, but no more than
 * some tens of microseconds by the last batch's rate, so that what is left can
 * always be moved.  Where a schedule of the literature cuts the loop, its
 * chunks are segments, and each is one slot's as a whole. */
#include <pthread.h>

#include "lib/loop.h"
#include "lib/results.h"
#include "node/clock.h"

#define BATCH_NS 30000u   /* of work in a batch */
#define TOO_LONG_NS 120000 /* others may have the rest of such a batch */
#define SLOW_NS 5000u     /* an iteration after which it is worth looking */
#define GROWTH 4u         /* a batch is at most so many times the last */
#define LOW_NS 150000     /* ask for more when less is left for each slot */
#define RECORD_NS 5000000u /* of work in a record of the journal */
#define PIECE 64u         /* iterations between looks whether to go on */

/* --- taking --------------------------------------------------------------- */

static uint32_t batch_size(const struct dtx_region *g, const struct dtx_loop *l,
                           const struct dtx_loop_own *o)
{
    uint64_t most = dtx_loop_left(l) / (2 * g->session->crew.n), n;

    n = o->unit_ps ? BATCH_NS * UINT64_C(1000) / o->unit_ps : 1;
    n = n < (uint64_t)o->last * GROWTH ? n : (uint64_t)o->last * GROWTH;
    n = n < most ? n : most;
    if (g->results) {
        uint64_t fit = DTX_MAX_RESULT / g->work->result_bytes;

        n = n < fit ? n : fit;
    }
    return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static bool take_whole(struct dtx_region *g, struct dtx_loop *l,
                       struct dtx_segment *out)
{
    struct dtx_crew *c = &g->session->crew;
    bool got;

    (void)pthread_mutex_lock(&c->lock);
    got = dtx_loop_next(l, out) ||
          dtx_loop_draw_one(g, l, g->session->net.rank, out);
    (void)pthread_mutex_unlock(&c->lock);
    return got;
}

static bool take_batch(struct dtx_region *g, struct dtx_loop *l,
                       struct dtx_loop_own *o, struct dtx_segment *out)
{
    struct dtx_crew *c = &g->session->crew;
    bool more = true;

    while (more) {
        out->count =
            dtx_range_take(&l->cur, batch_size(g, l, o), &out->first);
        if (out->count > 0)
            return true;
        (void)pthread_mutex_lock(&c->lock);
        more = dtx_loop_refill(l);
        (void)pthread_mutex_unlock(&c->lock);
    }
    return false;
}

/* Tell the communicating thread, once, that little is left. */
static void watch_level(struct dtx_region *g, struct dtx_loop *l)
{
    uint64_t left = dtx_loop_left(l);
    bool low;

    if (g->session->net.size == 1)
        return;
    if (l->whole)
        low = atomic_load_explicit(&l->chunks, memory_order_relaxed) <
              g->session->crew.n;
    else
        low = left * (atomic_load_explicit(&l->unit_ps, memory_order_relaxed) /
                      1000) < (uint64_t)LOW_NS * g->session->crew.n;
    if (low && !atomic_load_explicit(&l->low, memory_order_relaxed) &&
        !atomic_exchange(&l->low, true))
        dtx_net_ring(&g->session->net);
}

/* --- running -------------------------------------------------------------- */

static void run_each(struct dtx_call *c, dtx_each_f f, uint64_t from,
                     uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        int rc = f(c, i);

        if (__builtin_expect(rc != 0, 0))
            dtx_failures_add(&c->failures, i, 1, rc);
    }
}

static bool run_range(struct dtx_call *c, uint64_t from, uint64_t to)
{
    struct dtx_region *g = c->region;
    uint64_t failed = c->failures.count;
    int rc = 0;

    if (g->results) {
        c->results = dtx_results_place(g->results, c->slot, from, to - from);
        c->results_at = from;
        c->results_end = to;
        if (!c->results) {
            dtx_failures_add(&c->failures, from, to - from, DTX_ENOMEM);
            return false;
        }
    }
    if (g->kernel->kind == DTX_KERNEL_EACH)
        run_each(c, g->kernel->each, from, to);
    else
        rc = g->kernel->range(c, from, to);
    if (rc != 0)
        dtx_failures_add(&c->failures, from, to - from, rc);
    if (g->results && c->failures.count > failed)
        dtx_results_taint(g->results, c->slot);
    return true;
}

/* Iterations between two records of the journal. */
static uint64_t record_size(const struct dtx_call *c)
{
    const struct dtx_loop_own *o = c->own;
    uint64_t n = o->unit_ps ? RECORD_NS * UINT64_C(1000) / o->unit_ps : 1;

    return n > 0 ? n : 1;
}

/* A chunk whose results do not fit one buffer is run in pieces, and so is a
 * long one, that it may be cancelled. Returns where it stopped. */
static uint64_t run_pieces(struct dtx_call *c, uint64_t from, uint64_t to)
{
    struct dtx_region *g = c->region;
    uint64_t most = to - from;

    if (g->kernel->kind == DTX_KERNEL_EACH && dtx_loop_of(g)->whole)
        most = g->work->journaled ? record_size(c) : PIECE;
    if (g->results && most > DTX_MAX_RESULT / g->work->result_bytes)
        most = DTX_MAX_RESULT / g->work->result_bytes;
    while (from < to &&
           !atomic_load_explicit(&g->dropped, memory_order_relaxed)) {
        uint64_t n = to - from < most ? to - from : most;

        (void)run_range(c, from, from + n);
        if (g->work->journaled)
            dtx_results_flush(g->results, c->slot);
        from += n;
    }
    return from;
}

static void learn(struct dtx_region *g, struct dtx_loop *l,
                  const struct dtx_segment *s, int64_t ns)
{
    struct dtx_crew *c = &g->session->crew;

    (void)pthread_mutex_lock(&c->lock);
    l->news_done += s->count;
    l->news_ns += ns;
    if (l->plan)
        dtx_loop_plan_learn(l->plan, g->session->net.rank, s->count,
                            (double)ns);
    (void)pthread_mutex_unlock(&c->lock);
}

/* The iteration behind the first 'count' grains from 'first' on. */
static uint64_t bound(const struct dtx_region *g, const struct dtx_loop *l,
                      uint32_t first, uint32_t count)
{
    return first + count == l->total
               ? g->end
               : g->begin + ((uint64_t)first + count) * l->grain;
}

/* Run a batch, and when it takes far longer than was thought give the rest of
 * it back, so that others can have it. (The rest never begins where the word
 * has ever begun, so that no compare-and-swap mistakes it.) Cuts s->count to
 * what was run. */
static uint64_t run_watched(struct dtx_region *g, struct dtx_loop *l,
                            struct dtx_call *c, struct dtx_segment *s,
                            int64_t start)
{
    const struct dtx_loop_own *o = c->own;
    struct dtx_crew *crew = &g->session->crew;
    uint32_t piece = o->unit_ps / 1000 > SLOW_NS ? 1 : s->count / 4 + 1;
    uint64_t from = g->begin + s->first * l->grain;
    uint32_t done = 0;
    bool back = false;

    while (done < s->count) {
        uint32_t n = s->count - done < piece ? s->count - done : piece;
        uint64_t to = bound(g, l, s->first, done + n);

        from = run_pieces(c, from, to);
        done += n;
        if (from < to)
            break; /* nothing more is to be begun */
        if (done == s->count || dtx_clock_mono_ns() - start < TOO_LONG_NS)
            continue;
        (void)pthread_mutex_lock(&crew->lock);
        back = dtx_loop_add(l, s->first + done, s->count - done, 0);
        (void)pthread_mutex_unlock(&crew->lock);
        if (back)
            break;
    }
    s->count = done;
    if (back)
        dtx_crew_publish(crew);
    return from;
}

static void run_segment(struct dtx_region *g, struct dtx_loop *l,
                        struct dtx_call *c, struct dtx_segment *s)
{
    struct dtx_loop_own *o = c->own;
    uint64_t from = g->begin + s->first * l->grain, to;
    int64_t start = dtx_clock_mono_ns(), ns;

    if (!l->whole && !g->results && g->kernel->kind == DTX_KERNEL_EACH)
        to = run_watched(g, l, c, s, start);
    else
        to = run_pieces(c, from, bound(g, l, s->first, s->count));
    ns = dtx_clock_mono_ns() - start;
    c->done += to - from;
    c->busy_ns += ns;
    o->last = s->count;
    o->unit_ps = (uint64_t)ns * 1000 / s->count + 1;
    atomic_store_explicit(&l->unit_ps, o->unit_ps, memory_order_relaxed);
    if (o->profile)
        dtx_profile_add(o->profile, s->first, s->count, (uint64_t)ns);
    if (l->whole)
        learn(g, l, s, ns);
}

bool dtx_loop_step(void *region, unsigned slot)
{
    struct dtx_region *g = region;
    struct dtx_loop *l = dtx_loop_of(g);
    struct dtx_call *c = &g->call[slot];
    struct dtx_segment s;
    bool got = false;

    if (!atomic_load_explicit(&g->dropped, memory_order_relaxed))
        got = l->whole ? take_whole(g, l, &s) : take_batch(g, l, c->own, &s);
    if (!got) {
        if (g->results)
            dtx_results_flush(g->results, slot);
        return false;
    }
    watch_level(g, l);
    run_segment(g, l, c, &s);
    return true;
}

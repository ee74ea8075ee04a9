/* SPDX-License-Identifier: MIT */
/* How slots work on a loop.  A rank has a list of segments; the first of them
 * is in a word that slots take batches from by compare-and-swap (lane/range.h),
 * the others are behind a lock that is only taken when the word is empty.  A
 * share for another rank is cut off the back.
 *
 * A batch is as long as hides the cost of taking it, and shorter towards the
 * end: a part of what is left, as in guided self-scheduling, but no more than
 * some tens of microseconds by the last batch's rate, so that what is left can
 * always be moved.  Where a schedule of the literature cuts the loop, its
 * chunks are segments, and each is one slot's as a whole.
 *
 * Iterations are counted in grains here: more than one only in loops beyond
 * 2^32 (dtx_range_grain). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/broker.h"
#include "engine/owners.h"
#include "lane/range.h"
#include "lib/diary.h"
#include "lib/results.h"
#include "lib/session.h"
#include "node/clock.h"
#include "sched/loop.h"

#define BATCH_NS 30000u   /* of work in a batch */
#define TOO_LONG_NS 120000 /* others may have the rest of such a batch */
#define SLOW_NS 5000u     /* an iteration after which it is worth looking */
#define GROWTH 4u         /* a batch is at most so many times the last */
#define LOW_NS 150000     /* ask for more when less is left for each slot */
#define HEAVY_NS 300000u  /* an iteration worth moving by itself */
#define RECORD_NS 5000000u /* of work in a record of the journal */
#define PIECE 64u         /* iterations between looks whether to go on */
#define MOST_SEGMENTS 4096u /* in one share */

struct loop {
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
    struct dtx_loop_plan *plan; /* rank 0, when a schedule cuts */
    struct dtx_spans back;    /* rank 0: lost by others, for who draws */
    struct dtx_owners owners; /* rank 0; the communicating thread's */
    bool whole;               /* a schedule cuts, here or on rank 0 */
    uint64_t news_done;
    int64_t news_ns;
};

/* A slot's own. */
struct own {
    _Alignas(128) uint32_t last; /* grains of the last batch */
    uint64_t unit_ps;            /* what a grain of it took */
    struct dtx_profile *profile; /* NULL: not asked for */
};

static struct loop *loop_of(const struct dtx_region *g)
{
    return g->own;
}

bool dtx_loop_is_source(const struct dtx_region *g)
{
    return loop_of(g)->whole;
}

/* --- segments; with the crew's lock held ---------------------------------- */

static bool add_segment(struct loop *l, uint32_t first, uint32_t count,
                        uint64_t ns)
{
    struct dtx_segment *s;

    if (l->at == l->n)
        l->at = l->n = 0;
    s = dtx_grow(l->seg, &l->cap, l->n + 1, sizeof(*s));
    if (!s)
        return false;
    l->seg = s;
    s[l->n++] = (struct dtx_segment){first, count, ns};
    (void)atomic_fetch_add(&l->behind, count);
    (void)atomic_fetch_add(&l->chunks, 1);
    return true;
}

static bool next_segment(struct loop *l, struct dtx_segment *out)
{
    if (l->at == l->n)
        return false;
    *out = l->seg[l->at++];
    (void)atomic_fetch_sub(&l->behind, out->count);
    (void)atomic_fetch_sub(&l->chunks, 1);
    return true;
}

/* The next segment into the empty word. */
static bool refill(struct loop *l)
{
    struct dtx_segment s;

    if (dtx_range_left(&l->cur) > 0)
        return true;
    if (!next_segment(l, &s))
        return false;
    dtx_range_set(&l->cur, s.first, s.first + s.count);
    return true;
}

/* Of what lost ranks had: as in factoring, half in as many chunks as there are
 * slots. */
static bool draw_back(const struct dtx_region *g, struct loop *l,
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
static bool draw_one(const struct dtx_region *g, struct loop *l, uint32_t rank,
                     struct dtx_segment *out)
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

/* --- taking --------------------------------------------------------------- */

static uint64_t grains_left(const struct loop *l)
{
    return dtx_range_left(&l->cur) +
           atomic_load_explicit(&l->behind, memory_order_relaxed);
}

static uint32_t batch_size(const struct dtx_region *g, const struct loop *l,
                           const struct own *o)
{
    uint64_t most = grains_left(l) / (2 * g->session->crew.n), n;

    n = o->unit_ps ? BATCH_NS * UINT64_C(1000) / o->unit_ps : 1;
    n = n < (uint64_t)o->last * GROWTH ? n : (uint64_t)o->last * GROWTH;
    n = n < most ? n : most;
    if (g->results) {
        uint64_t fit = DTX_MAX_RESULT / g->work->result_bytes;

        n = n < fit ? n : fit;
    }
    return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static bool take_whole(struct dtx_region *g, struct loop *l,
                       struct dtx_segment *out)
{
    struct dtx_crew *c = &g->session->crew;
    bool got;

    (void)pthread_mutex_lock(&c->lock);
    got = next_segment(l, out) || draw_one(g, l, g->session->net.rank, out);
    (void)pthread_mutex_unlock(&c->lock);
    return got;
}

static bool take_batch(struct dtx_region *g, struct loop *l, struct own *o,
                       struct dtx_segment *out)
{
    struct dtx_crew *c = &g->session->crew;
    bool more = true;

    while (more) {
        out->count =
            dtx_range_take(&l->cur, batch_size(g, l, o), &out->first);
        if (out->count > 0)
            return true;
        (void)pthread_mutex_lock(&c->lock);
        more = refill(l);
        (void)pthread_mutex_unlock(&c->lock);
    }
    return false;
}

/* Tell the communicating thread, once, that little is left. */
static void watch_level(struct dtx_region *g, struct loop *l)
{
    uint64_t left = grains_left(l);
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
    const struct own *o = c->own;
    uint64_t n = o->unit_ps ? RECORD_NS * UINT64_C(1000) / o->unit_ps : 1;

    return n > 0 ? n : 1;
}

/* A chunk whose results do not fit one buffer is run in pieces, and so is a
 * long one, that it may be cancelled. Returns where it stopped. */
static uint64_t run_pieces(struct dtx_call *c, uint64_t from, uint64_t to)
{
    struct dtx_region *g = c->region;
    uint64_t most = to - from;

    if (g->kernel->kind == DTX_KERNEL_EACH && loop_of(g)->whole)
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

static void learn(struct dtx_region *g, struct loop *l,
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
static uint64_t bound(const struct dtx_region *g, const struct loop *l,
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
static uint64_t run_watched(struct dtx_region *g, struct loop *l,
                            struct dtx_call *c, struct dtx_segment *s,
                            int64_t start)
{
    const struct own *o = c->own;
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
        back = add_segment(l, s->first + done, s->count - done, 0);
        (void)pthread_mutex_unlock(&crew->lock);
        if (back)
            break;
    }
    s->count = done;
    if (back)
        dtx_crew_publish(crew);
    return from;
}

static void run_segment(struct dtx_region *g, struct loop *l,
                        struct dtx_call *c, struct dtx_segment *s)
{
    struct own *o = c->own;
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

static bool step(void *region, unsigned slot)
{
    struct dtx_region *g = region;
    struct loop *l = loop_of(g);
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

/* --- the communicating thread's ------------------------------------------- */

/* A rank's part of the loop at its start; '*seg' is the caller's to free. */
static bool deal_of(const struct dtx_region *g, uint32_t rank,
                    struct dtx_segment **seg, size_t *count)
{
    const struct dtx_work *w = g->work;
    const struct dtx_net *n = &g->session->net;
    const struct dtx_profile *p = NULL;

    if (w->profile && w->profile_begin == g->begin &&
        w->profile_end == g->end)
        p = w->profile;
    *seg = NULL;
    *count = 0;
    return dtx_profile_deal(p, loop_of(g)->total, n->size, n->slots, rank, seg,
                            count);
}

static int deal(struct dtx_region *g, struct loop *l)
{
    struct dtx_segment *seg;
    size_t count, i;
    bool ok = deal_of(g, g->session->net.rank, &seg, &count);

    for (i = 0; i < count && ok; i++)
        ok = add_segment(l, seg[i].first, seg[i].count, seg[i].ns);
    free(seg);
    return ok ? DTX_OK : DTX_ENOMEM;
}

static const struct dtx_schedule_choice *choice_of(const struct dtx_region *g)
{
    return g->work->schedule.schedule ? &g->work->schedule
                                      : &g->session->options.schedule;
}

static int plan(struct dtx_region *g, struct loop *l)
{
    const struct dtx_schedule_choice *c = choice_of(g);
    struct dtx_loop_case k = {.total = l->total,
                              .least = c->least / l->grain,
                              .nranks = g->session->net.size,
                              .slots = g->session->net.slots,
                              .weight = g->session->net.weight,
                              .overhead_ns = (double)c->overhead_ns,
                              .sigma_ns = (double)c->sigma_ns};

    l->whole = true;
    if (g->session->net.rank != 0)
        return DTX_OK;
    l->plan = dtx_loop_plan_create(c->schedule, &k);
    return l->plan ? DTX_OK : DTX_ENOMEM;
}

static int make_own(struct dtx_region *g, struct loop *l)
{
    unsigned i;

    for (i = 0; i < g->session->crew.n; i++) {
        struct own *o = aligned_alloc(_Alignof(struct own), sizeof(*o));

        if (!o)
            return DTX_ENOMEM;
        memset(o, 0, sizeof(*o));
        o->last = 1;
        g->call[i].own = o;
        if (!g->work->remembers)
            continue;
        o->profile = malloc(sizeof(*o->profile));
        if (!o->profile)
            return DTX_ENOMEM;
        dtx_profile_init(o->profile, l->total);
    }
    return DTX_OK;
}

/* Results of an earlier run: they need not be made again. */
static int know(void *region, uint64_t first, uint64_t count,
                struct dtx_str bytes)
{
    struct dtx_region *g = region;
    uint64_t total = g->end - g->begin;

    if (first > total || count > total - first ||
        !dtx_results_known(g->results, g->begin + first, count, bytes))
        return DTX_ECORRUPT;
    return dtx_spans_cut(&loop_of(g)->back, first, count) ? DTX_OK
                                                          : DTX_ENOMEM;
}

/* A loop with a journal is drawn from rank 0, but for what is in it. */
static int resume(struct dtx_region *g, struct loop *l)
{
    struct dtx_error err = {0};
    struct dtx_diary *d = g->work->diary;
    int rc;

    l->whole = true;
    if (!d)
        return DTX_OK;
    if (!dtx_spans_add(&l->back, 0, l->total))
        return DTX_ENOMEM;
    rc = dtx_diary_call(d, (struct dtx_str){g->text.data, g->text.len}, &err);
    if (rc == DTX_OK)
        rc = dtx_diary_replay(d, know, g, &err);
    if (rc < 0) { /* all ranks are to know */
        dtx_spans_clear(&l->back);
        dtx_region_trouble(g, &err);
    }
    return DTX_OK;
}

static int begin(struct dtx_region *g)
{
    struct loop *l = aligned_alloc(_Alignof(struct loop), sizeof(*l));
    const struct dtx_loop_schedule *s = choice_of(g)->schedule;
    uint64_t total = g->end - g->begin;
    int rc;

    if (!l)
        return DTX_ENOMEM;
    memset(l, 0, sizeof(*l));
    g->own = l;
    l->grain = dtx_range_grain(total);
    l->total = l->grain ? (uint32_t)(total / l->grain +
                                     (total % l->grain != 0))
                        : 0;
    rc = make_own(g, l);
    if (rc == DTX_OK && g->work->journaled)
        rc = resume(g, l);
    else if (rc == DTX_OK && total > 0)
        rc = s && !dtx_loop_schedule_is_own(s) ? plan(g, l) : deal(g, l);
    return rc;
}

static void end(struct dtx_region *g)
{
    struct loop *l = loop_of(g);
    unsigned i;

    for (i = 0; g->call && i < g->session->crew.n; i++) {
        struct own *o = g->call[i].own;

        if (o)
            free(o->profile);
        free(o);
    }
    if (!l)
        return;
    dtx_loop_plan_destroy(l->plan);
    dtx_spans_free(&l->back);
    dtx_owners_free(&l->owners);
    free(l->seg);
    free(l);
}

static int take(struct dtx_region *g, struct dtx_str work)
{
    struct loop *l = loop_of(g);
    struct dtx_crew *crew = &g->session->crew;
    struct dtx_cursor c = dtx_cursor_over(work.data, work.len);
    int rc = DTX_OK;

    (void)pthread_mutex_lock(&crew->lock);
    while (rc == DTX_OK && !dtx_cursor_done(&c)) {
        uint64_t first = dtx_get_u32(&c), count = dtx_get_u32(&c);
        uint64_t ns = dtx_get_u64(&c);

        if (c.bad || count == 0 || first + count > l->total)
            rc = DTX_EPROTO;
        else if (!add_segment(l, (uint32_t)first, (uint32_t)count, ns))
            rc = DTX_ENOMEM;
    }
    (void)pthread_mutex_unlock(&crew->lock);
    atomic_store(&l->low, false);
    return rc;
}

static void put_segment(struct dtx_buf *b, uint32_t first, uint32_t count,
                        uint64_t ns)
{
    dtx_put_u32(b, first);
    dtx_put_u32(b, count);
    dtx_put_u64(b, ns);
}

/* What a segment costs: as the profile said, or by the last batch's rate. */
static uint64_t cost_of(const struct loop *l, const struct dtx_segment *s)
{
    uint64_t unit = atomic_load_explicit(&l->unit_ps, memory_order_relaxed);

    return s->ns ? s->ns : s->count * (unit / 1000 + 1);
}

static uint64_t cost_behind(const struct loop *l)
{
    uint64_t sum = 0;
    size_t i;

    for (i = l->at; i < l->n; i++)
        sum += cost_of(l, &l->seg[i]);
    return sum;
}

/* Whole segments off the back, and a piece of the one that is too much. Returns
 * the cost that is still to be found. */
static uint64_t give_segments(struct loop *l, uint64_t want,
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
        }
        s->count -= count;
        put_segment(out, s->first + s->count, count, s->ns ? cost : 0);
        s->ns -= s->ns ? cost : 0;
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
    struct loop *l = loop_of(g);
    uint64_t unit = atomic_load_explicit(&l->unit_ps, memory_order_relaxed);

    if (unit == 0)
        return -1;
    return (int64_t)((double)grains_left(l) * (double)unit / 1000 /
                     g->session->crew.n);
}

static bool give(struct dtx_region *g, uint32_t slots, struct dtx_buf *out,
                 int64_t *left)
{
    struct loop *l = loop_of(g);
    struct dtx_crew *c = &g->session->crew;
    uint64_t unit = atomic_load_explicit(&l->unit_ps, memory_order_relaxed);
    uint32_t keep = unit / 1000 > HEAVY_NS ? 0 : c->n, first, count;
    uint64_t here, want;

    (void)pthread_mutex_lock(&c->lock);
    here = dtx_range_left(&l->cur) * (unit / 1000 + 1);
    want = (here + cost_behind(l)) * slots / (slots + c->n);
    want = give_segments(l, want, out);
    if (want > 0 || out->len == 0) {
        uint32_t part = want >= here ? 1000
                                     : (uint32_t)(want * 1000 / (here + 1));

        if (keep == 0 && dtx_range_left(&l->cur) == 1)
            part = 1000;
        count = dtx_range_cut(&l->cur, part, 1000, keep, &first);
        if (count > 0)
            put_segment(out, first, count, 0);
    }
    (void)pthread_mutex_unlock(&c->lock);
    *left = left_ns(g);
    return true;
}

static uint32_t wants(struct dtx_region *g)
{
    struct loop *l = loop_of(g);
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
    struct loop *l = loop_of(g);
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

void dtx_loop_draw(void *region, uint32_t rank, uint32_t count,
                   const struct dtx_broker_news *n, struct dtx_buf *work)
{
    struct dtx_region *g = region;
    struct loop *l = loop_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_segment s;

    (void)pthread_mutex_lock(&c->lock);
    if (n->done > 0 && l->plan && rank != g->session->net.rank)
        dtx_loop_plan_learn(l->plan, rank, n->done, (double)n->busy_ns);
    while (count-- > 0 && draw_one(g, l, rank, &s))
        put_segment(work, s.first, s.count, 0);
    (void)pthread_mutex_unlock(&c->lock);
}

/* --- rank 0's books ------------------------------------------------------- */

static bool moved(struct dtx_region *g, uint32_t from, uint32_t to,
                  struct dtx_str work)
{
    struct dtx_cursor c = dtx_cursor_over(work.data, work.len);
    uint32_t round = dtx_broker_round(g->session->broker);
    bool ok = true;

    while (ok && !dtx_cursor_done(&c)) {
        uint64_t first = dtx_get_u32(&c), count = dtx_get_u32(&c);

        (void)dtx_get_u64(&c);
        if (c.bad || first + count > loop_of(g)->total)
            return true; /* who takes it will say so */
        ok = dtx_owners_move(&loop_of(g)->owners, round, from, to, first,
                             count);
    }
    return ok;
}

static bool bank(struct dtx_region *g, uint32_t rank, uint32_t round)
{
    return rank == g->session->net.rank ||
           dtx_owners_bank(&loop_of(g)->owners, round, rank);
}

/* What rank 'r' has now, as the books say. */
static bool find_lost(const struct dtx_region *g, uint32_t r,
                      struct dtx_spans *has)
{
    const struct loop *l = loop_of(g);
    struct dtx_segment *seg = NULL;
    size_t count = 0, i;
    bool ok = l->whole || deal_of(g, r, &seg, &count);

    for (i = 0; i < count && ok; i++)
        ok = dtx_spans_add(has, seg[i].first, seg[i].count);
    free(seg);
    return ok && dtx_owners_of(&l->owners, r, has);
}

/* It goes to rank 0; or, where chunks are drawn, back to be drawn again. */
static int lost(struct dtx_region *g, uint32_t rank, struct dtx_buf *work)
{
    struct loop *l = loop_of(g);
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
            put_segment(work, (uint32_t)first, (uint32_t)count, 0);
    }
    (void)pthread_mutex_unlock(&c->lock);
    dtx_spans_free(&has);
    return ok ? DTX_OK : DTX_ENOMEM;
}

struct dtx_profile *dtx_loop_profile(struct dtx_region *g)
{
    struct dtx_profile *p = malloc(sizeof(*p));
    unsigned i;

    if (!p)
        return NULL;
    dtx_profile_init(p, loop_of(g)->total);
    for (i = 0; i < g->session->crew.n; i++) {
        struct own *o = g->call[i].own;

        dtx_profile_merge(p, o->profile);
        dtx_profile_init(o->profile, p->total);
    }
    return p;
}

const struct dtx_style dtx_style_loop = {
    .begin = begin,
    .step = step,
    .take = take,
    .give = give,
    .wants = wants,
    .left_ns = left_ns,
    .news = news,
    .drop = drop,
    .end = end,
    .moved = moved,
    .bank = bank,
    .lost = lost,
};

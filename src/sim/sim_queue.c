/* SPDX-License-Identifier: MIT */
/* The events of the simulator in their order; see sim.h for the order of those
 * that are due at the same time.  It never looks at what an event means.
 *
 * The keys lie in the heap itself, four branches to a node (LaMarca and Ladner,
 * "The influence of caches on the performance of heaps", JEA 1, 1996), so that
 * a step down touches one or two lines of cache.  A cancelled event stays where
 * it is until it comes to the top, or until half of the queue is such. */
#include <stdlib.h>

#include "base/buf.h"
#include "sim/sim_state.h"

#define BRANCHES 4
_Static_assert(sizeof(struct dtx_sim_key) == 32, "a power of two");

#define FEW 64 /* cancelled ones that are not worth a clearing */

static bool before(const struct dtx_sim_key *x, const struct dtx_sim_key *y)
{
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns;
    if (x->order != y->order)
        return x->order < y->order;
    return x->seq < y->seq;
}

static void sift_up(struct dtx_sim_queue *q, size_t i, struct dtx_sim_key k)
{
    while (i > 0) {
        size_t up = (i - 1) / BRANCHES;

        if (!before(&k, &q->key[up]))
            break;
        q->key[i] = q->key[up];
        i = up;
    }
    q->key[i] = k;
}

/* Sixteen keys, of which four are looked at next. */
static inline void fetch(const struct dtx_sim_key *k)
{
    size_t i;

    for (i = 0; i < BRANCHES * BRANCHES; i += 2)
        __builtin_prefetch(k + i);
}

static void sift_down(struct dtx_sim_queue *q, size_t i, struct dtx_sim_key k)
{
    for (;;) {
        size_t kid = BRANCHES * i + 1, last = kid + BRANCHES, best = kid;

        if (kid >= q->len)
            break;
        if (last > q->len)
            last = q->len;
        if (BRANCHES * last < q->len)
            fetch(&q->key[BRANCHES * kid + 1]);
        for (kid++; kid < last; kid++) {
            if (before(&q->key[kid], &q->key[best]))
                best = kid;
        }
        if (!before(&q->key[best], &k))
            break;
        q->key[i] = q->key[best];
        i = best;
    }
    q->key[i] = k;
}

/* ---- events ---- */

static uint32_t new_event(struct dtx_sim *s)
{
    struct dtx_sim_event *p;

    if (s->nspare > 0)
        return s->spare_event[--s->nspare];
    p = dtx_grow(s->event, &s->cap_events, s->nevents + 1, sizeof(*p));
    if (!p)
        return DTX_SIM_NONE;
    s->event = p;
    p[s->nevents].data = NULL;
    p[s->nevents].room = 0;
    return (uint32_t)s->nevents++;
}

void dtx_sim_give_event(struct dtx_sim *s, uint32_t i)
{
    uint32_t *p = dtx_grow(s->spare_event, &s->cap_spare, s->nspare + 1,
                           sizeof(*p));

    if (!p) {
        s->nomem = true;
        return;
    }
    s->spare_event = p;
    s->spare_event[s->nspare++] = i;
}

void dtx_sim_post_again(struct dtx_sim *s, uint32_t i)
{
    const struct dtx_sim_event *e = &s->event[i];
    struct dtx_sim_queue *q = &s->queue;
    struct dtx_sim_key *p =
        dtx_grow_heap(q->key, &q->cap, q->len + 1, sizeof(*p));

    if (!p) {
        s->nomem = true;
        return;
    }
    q->key = p;
    sift_up(q, q->len++,
            (struct dtx_sim_key){e->at_ns,
                                 (uint64_t)e->kind << 32 | e->target, e->seq,
                                 i});
}

uint32_t dtx_sim_post(struct dtx_sim *s, int64_t at_ns, enum dtx_sim_kind kind,
                      uint32_t target, uint32_t a)
{
    uint32_t i = new_event(s);

    if (i == DTX_SIM_NONE) {
        s->nomem = true;
        return i;
    }
    s->event[i] = (struct dtx_sim_event){
        .at_ns = at_ns, .seq = s->seq++, .kind = kind, .target = target,
        .life = target ? dtx_sim_rank_of(s, target)->life : 0, .a = a,
        .next = DTX_SIM_NONE, .data = s->event[i].data,
        .room = s->event[i].room,
    };
    dtx_sim_post_again(s, i);
    return i;
}

/* ---- the first one ---- */

static void drop_first(struct dtx_sim_queue *q)
{
    if (--q->len > 0)
        sift_down(q, 0, q->key[q->len]);
}

uint32_t dtx_sim_first(struct dtx_sim *s)
{
    struct dtx_sim_queue *q = &s->queue;

    while (q->dropped > 0 && q->len > 0 &&
           s->event[q->key[0].event].dropped) {
        dtx_sim_give_event(s, q->key[0].event);
        q->dropped--;
        drop_first(q);
    }
    return q->len > 0 ? q->key[0].event : DTX_SIM_NONE;
}

uint32_t dtx_sim_take(struct dtx_sim *s)
{
    uint32_t i = dtx_sim_first(s);

    if (i != DTX_SIM_NONE)
        drop_first(&s->queue);
    return i;
}

/* Take the cancelled ones out and make a heap of the rest (Floyd, "Treesort",
 * CACM 7(12), 1964). */
static void clear_dropped(struct dtx_sim *s)
{
    struct dtx_sim_queue *q = &s->queue;
    size_t i, n = 0;

    for (i = 0; i < q->len; i++) {
        if (s->event[q->key[i].event].dropped)
            dtx_sim_give_event(s, q->key[i].event);
        else
            q->key[n++] = q->key[i];
    }
    q->len = n;
    q->dropped = 0;
    for (i = n / BRANCHES + 1; i-- > 0;) {
        if (i < n)
            sift_down(q, i, q->key[i]);
    }
}

void dtx_sim_cancel(struct dtx_sim *s, uint32_t event)
{
    if (event == DTX_SIM_NONE)
        return;
    s->event[event].dropped = true;
    if (s->event[event].boxed)
        return;
    s->queue.dropped++;
    if (s->queue.dropped > FEW && s->queue.dropped > s->queue.len / 2)
        clear_dropped(s);
}

void dtx_sim_queue_init(struct dtx_sim *s)
{
    s->queue = (struct dtx_sim_queue){NULL, 0, 0, 0};
}

void dtx_sim_queue_fini(struct dtx_sim *s)
{
    size_t i;

    for (i = 0; i < s->nevents; i++)
        free(s->event[i].data);
    dtx_free_heap(s->queue.key, sizeof(*s->queue.key));
    free(s->event);
    free(s->spare_event);
}

/* SPDX-License-Identifier: MIT */
/* Tasks that are bound by memory bandwidth (sched/traffic): they wait in a heap
 * of their own and start on a rank with a free slot in whose NUMA nodes there
 * is room for one more.  While there is none, others of their priority take the
 * slots; when no others are ready they start all the same, where it is least
 * crowded, since together they still move no less.
 *
 * They keep their place in the order, unless the memory may be what the job
 * waits for in the end: then they come before others of their priority, so that
 * it is busy from the beginning.  None is queued ahead, nor is anything that
 * lasts, while any waits (policy.h: shallow), nor anything at all that comes
 * after one whose memory is there; those that last no longer than a few queues
 * are left alone. */
#include <stdlib.h>

#include "engine/master_state.h"

/* So many ranks, those with most free slots, are looked at. */
#define LOOK_AT 16
/* Shorter than this many times depth_ns: not worth a round trip. */
#define LASTING 10

/* ---- which ---- */

bool dtx_master_is_heavy(struct dtx_master *m, uint32_t task)
{
    if (!m->share || dtx_master_attr(m, task)->cpus > 1 ||
        !dtx_traffic_is_heavy(m->c.traffic, m->share[task]) ||
        dtx_master_is_needy(m, task))
        return false;
    return dtx_master_cost_s(m, task) * 1e9 >=
           (double)m->c.depth_ns * LASTING;
}

bool dtx_master_widen_shares(struct dtx_master *m, size_t cap)
{
    uint32_t *p;

    if (!m->c.traffic || !m->policy->spreads)
        return true;
    if (!m->share)
        dtx_traffic_clear(m->c.traffic);
    p = realloc(m->share, (cap + 1) * sizeof(*p));
    if (p)
        m->share = p;
    return p != NULL;
}

void dtx_master_set_shares(struct dtx_master *m, size_t from, size_t to)
{
    size_t i;

    for (i = from; m->share && i < to; i++)
        m->share[i] = m->c.share ? dtx_traffic_parts((double)m->c.share[i])
                                 : 0;
    if (!m->c.live)
        m->c.share = NULL; /* borrowed for creation alone */
}

/* ---- the heap ---- */

/* Those of unknown cost count as much as is usual in the end. */
static void count(struct dtx_master *m, uint32_t task, double sign)
{
    bool known = m->cost_s && m->cost_s[task] >= 0;
    struct dtx_heavy_sum *sum = known ? &m->heavy_known : &m->heavy_unknown;
    double s = sign * (known ? (double)m->cost_s[task] : 1);

    sum->s += s;
    sum->moved_s += s * m->share[task] / DTX_TRAFFIC_ONE;
    if (m->heavy.len == 0)
        m->heavy_known = m->heavy_unknown = (struct dtx_heavy_sum){0, 0};
}

void dtx_master_push_heavy(struct dtx_master *m, uint32_t task)
{
    if (!dtx_keyheap_push(&m->heavy, task))
        m->nomem = true;
    else
        count(m, task, 1);
    m->st.heavy = true;
}

void dtx_master_pull_heavy(struct dtx_master *m, uint32_t task)
{
    if (!dtx_keyheap_has(&m->heavy, task))
        return;
    dtx_keyheap_remove(&m->heavy, task);
    count(m, task, -1);
}

/* Could the job have to wait for the memory in the end, rather than for slots?
 * What others leave of the memory at the end is lost, what heavy tasks leave of
 * the slots is not: so it is taken to from half as much work on. */
static bool memory_decides(const struct dtx_master *m)
{
    double nodes = (double)dtx_traffic_nodes(m->c.traffic);
    double usual = dtx_master_usual_s(m);
    double moved = m->heavy_known.moved_s + usual * m->heavy_unknown.moved_s;
    double all = m->heavy_known.s + usual * m->heavy_unknown.s +
                 dtx_master_ready_s(m);

    return 2 * moved * (double)m->slots_alive > all * nodes;
}

bool dtx_master_heavy_first(const struct dtx_master *m, uint32_t other)
{
    uint32_t task = dtx_keyheap_top(&m->heavy);

    if (task == DTX_HEAP_NONE || other == DTX_HEAP_NONE)
        return task != DTX_HEAP_NONE;
    if (dtx_master_attr(m, task)->prio == dtx_master_attr(m, other)->prio &&
        memory_decides(m))
        return true;
    return dtx_master_before(m, task, other);
}

bool dtx_master_heavy_bars(const struct dtx_master *m)
{
    uint32_t task = dtx_keyheap_top(&m->heavy);
    uint32_t other = dtx_keyheap_top(&m->ready);

    return task != DTX_HEAP_NONE && other != DTX_HEAP_NONE &&
           dtx_master_attr(m, task)->prio > dtx_master_attr(m, other)->prio;
}

/* ---- placing ---- */

/* Of the first ranks with free slots, the one whose memory has most left; one
 * where it does not fit only when 'anyway'. '*room': it would fit on one, were
 * there a slot. */
static uint32_t choose(struct dtx_master *m, uint32_t parts, bool anyway,
                       bool *room)
{
    uint32_t best = NO_RANK, r;
    int64_t most = INT64_MIN, left;
    size_t i;

    for (i = 0; i < m->low.len && i < LOOK_AT; i++) {
        r = dtx_keyheap_at(&m->low, i);
        m->items++;
        if (!anyway && !dtx_traffic_fits(m->c.traffic, r, parts))
            continue;
        *room = true;
        left = dtx_traffic_left(m->c.traffic, r);
        if (m->rank[r].used < m->rank[r].slots && left > most) {
            most = left;
            best = r;
        }
    }
    return best;
}

enum dtx_heavy dtx_master_place_heavy(struct dtx_master *m)
{
    uint32_t task = dtx_keyheap_top(&m->heavy), r;
    bool fits = true, room = false;

    if (m->nalive == 0)
        return DTX_HEAVY_CROWDED;
    /* is it shorter than it was thought to be? */
    if (!dtx_master_is_heavy(m, task) && dtx_master_spend(m)) {
        dtx_master_pull_heavy(m, task);
        dtx_master_push_ready(m, task);
        return DTX_HEAVY_PLACED;
    }
    r = choose(m, m->share[task], false, &room);
    if (r == NO_RANK) {
        if (m->ready.len > 0 && !dtx_master_heavy_bars(m))
            return room ? DTX_HEAVY_NO_SLOT : DTX_HEAVY_CROWDED;
        r = choose(m, m->share[task], true, &room);
        fits = false;
    }
    /* looking was bounded; only what comes of it counts, or a step of few items
     * would never come to other tasks */
    if (r == NO_RANK || !dtx_master_spend(m))
        return DTX_HEAVY_CROWDED;
    dtx_master_pull_heavy(m, task);
    if (dtx_master_too_late(m, task)) {
        dtx_master_put_off(m, task);
        return DTX_HEAVY_PLACED;
    }
    m->st.spread += fits;
    m->st.crowded += !fits;
    dtx_master_trace(m, "%s for task %u on rank %u",
                     fits ? "memory bandwidth" : "crowded memory", task + 1,
                     r);
    dtx_master_grant_one(m, r, task);
    return DTX_HEAVY_PLACED;
}

/* ---- who uses it ---- */

void dtx_master_use_memory(struct dtx_master *m, uint32_t r, uint32_t task,
                           bool begins)
{
    uint64_t parts;

    if (!m->share || m->share[task] == 0)
        return;
    parts = (uint64_t)m->share[task] * dtx_master_attr(m, task)->cpus;
    if (parts > UINT32_MAX)
        parts = UINT32_MAX;
    if (begins)
        dtx_traffic_take(m->c.traffic, r, (uint32_t)parts);
    else
        dtx_traffic_give(m->c.traffic, r, (uint32_t)parts);
}

void dtx_master_tell_traffic(struct dtx_master *m, uint32_t task,
                             struct dtx_item_work *w)
{
    w->traffic = 0;
    if (!m->st.heavy)
        return;
    w->traffic = m->share[task] ? m->share[task] : 1;
    if (dtx_master_is_heavy(m, task))
        w->flags |= DTX_WORK_HEAVY;
}

/* SPDX-License-Identifier: MIT */
/* Ranks that take longer than others, as their outcomes tell (sched/speed.h) or
 * since others use their processors (sched/crowd.h), and what follows: their
 * queues are told in their own seconds, and when little is left a free one
 * stands back from a task that another would end earlier, though that has to
 * wait for a slot.
 *
 * That is list scheduling for uniform machines: a task goes to the machine that
 * would end it first, not to the one that is free first (O. Ibarra and C. Kim,
 * "Heuristic algorithms for scheduling independent tasks on nonidentical
 * processors", J. ACM 24(2), 1977).  Only a few of the others are looked at,
 * and those that stand back are looked at again one by one as tasks leave
 * ranks, so no step looks at all ranks.  Whoever stands back does so for a rank
 * that has tasks, which leave it or are lost with it; and since these may hang,
 * for no longer than the task would have taken here: at worst it ends after
 * twice that time (the rule of the ski rental, as in master_steal.c). */
#include <math.h>
#include <stdlib.h>

#include "engine/master_state.h"

/* Other ranks that are looked at. */
#define LOOK_AT 8
/* To stand back for less than this part is not worth it. */
#define WORTH 1.05
/* A rank takes so many times as long at most. */
#define MOST 8.0
/* What others take is the same when it differs by less. */
#define WORTH_A_WORD 0.02

void dtx_master_speed_fini(struct dtx_master *m)
{
    uint32_t r;

    for (r = 0; m->rank && r < m->c.nranks; r++)
        free(m->rank[r].crowd);
    free(m->aside);
}

/* The first of the ring; those that were lost meanwhile are in nobody's way. */
static uint32_t first_aside(struct dtx_master *m)
{
    while (m->aside_len > 0) {
        uint32_t r = m->aside[m->aside_at];

        if (m->rank[r].aside)
            return r;
        m->aside_at = (m->aside_at + 1) % m->aside_cap;
        m->aside_len--;
    }
    return NO_RANK;
}

void dtx_master_call_one(struct dtx_master *m)
{
    uint32_t r = first_aside(m);

    if (r == NO_RANK)
        return;
    m->rank[r].aside = false;
    dtx_master_rank_changed(m, r);
    (void)first_aside(m);
}

void dtx_master_call_due(struct dtx_master *m)
{
    uint32_t r;

    while ((r = first_aside(m)) != NO_RANK &&
           m->rank[r].aside_ns <= m->now_ns && dtx_master_spend(m))
        dtx_master_call_one(m);
}

/* Of the first alone: the others are not much later. */
int64_t dtx_master_aside_due(const struct dtx_master *m)
{
    return m->aside_len > 0 && m->ready.len > 0
               ? m->rank[m->aside[m->aside_at]].aside_ns
               : NEVER;
}

void dtx_master_speed_join(struct dtx_master *m, uint32_t r)
{
    m->rank[r].slow = m->rank[r].own_slow = 1;
    m->capacity += m->rank[r].slots;
}

void dtx_master_speed_leave(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];
    int i;

    for (i = 0; i < LOOK_AT; i++) /* those that stood back for it */
        dtx_master_call_one(m);
    m->capacity -= k->slots / k->slow;
    k->slow = k->own_slow = 1;
    if (k->crowd && !m->finished)
        dtx_crowd_set(k->crowd, 0, m->now_ns);
    if (m->nalive == 0)
        m->capacity = 0;
    if (!m->finished) /* else it is what is told at the end */
        dtx_speed_drop(&m->speeds, &k->speed);
}

/* How many times as long as alone, now. */
static double crowd_times(const struct dtx_rank *k)
{
    return k->crowd ? dtx_crowd_times(k->crowd->share) : 1;
}

static void set_slow(struct dtx_master *m, struct dtx_rank *k)
{
    double before = k->slow;

    if (m->c.equal_speeds)
        return;
    k->slow = fmin(k->own_slow * crowd_times(k), MOST);
    m->capacity += k->slots / k->slow - k->slots / before;
}

void dtx_master_others(struct dtx_master *m, uint32_t r, uint32_t told)
{
    struct dtx_rank *k = &m->rank[r];
    double share = told > 1 ? (told - 1) / 1000.0 : 0;
    double before = crowd_times(k);

    if (!k->crowd && dtx_crowd_times(share) > 1) {
        k->crowd = malloc(sizeof(*k->crowd));
        if (!k->crowd) {
            m->nomem = true;
            return;
        }
        dtx_crowd_begin(k->crowd, m->begin_ns);
    }
    if (!k->crowd || fabs(share - k->crowd->share) < WORTH_A_WORD)
        return;
    dtx_crowd_set(k->crowd, share, m->now_ns);
    dtx_master_trace(m, "rank %u: others use %.0f %% of its processors", r,
                     100 * k->crowd->share);
    if (m->c.equal_speeds)
        return;
    set_slow(m, k);
    k->aside = false; /* it is looked at anew */
    dtx_master_reload(m, r, crowd_times(k) / before);
}

/* What it would have taken alone. */
static double alone_s(const struct dtx_master *m, const struct dtx_rank *k,
                      int64_t wall_ns)
{
    double s = (double)wall_ns / 1e9;

    return k->crowd ? s / dtx_crowd_times(dtx_crowd_mean(
                              k->crowd, m->now_ns - wall_ns, m->now_ns))
                    : s;
}

static void learn(struct dtx_master *m, struct dtx_rank *k,
                  const struct dtx_outcome *o)
{
    if (!k->alive || o->status != DTX_STATUS_OK || !m->cost_s ||
        !(m->cost_s[o->task] >= 0))
        return;
    dtx_speed_put(&m->speeds, &k->speed, alone_s(m, k, o->wall_ns),
                  (double)m->cost_s[o->task]);
    k->own_slow = dtx_speed_slowness(&m->speeds, &k->speed);
    set_slow(m, k);
}

void dtx_master_speed_ended(struct dtx_master *m, const struct dtx_outcome *o)
{
    if (m->c.speeds)
        learn(m, &m->rank[o->rank], o);
}

/* When a rank would be done with a task that takes so long there, at the
 * latest: behind all that it has. */
static double end_s(const struct dtx_master *m, const struct dtx_rank *k,
                    double seconds)
{
    return k->used < k->slots ? seconds
                              : dtx_master_wait_s(m, k) + seconds;
}

/* For a task that would take so long there. */
static bool put_aside(struct dtx_master *m, uint32_t r, uint32_t task,
                      double seconds)
{
    struct dtx_rank *k = &m->rank[r];
    uint32_t *p;

    if (!dtx_master_spend(m))
        return false;
    p = dtx_master_ring(m->aside, &m->aside_at, m->aside_len, &m->aside_cap,
                        sizeof(*p));
    if (!p) {
        m->nomem = true;
        return false;
    }
    m->aside = p;
    p[(m->aside_at + m->aside_len++) % m->aside_cap] = r;
    if (k->aside_ns == 0 || k->aside_task != task)
        k->aside_ns = m->now_ns + (seconds < 1e9 ? (int64_t)(seconds * 1e9)
                                                 : INT64_MAX / 4);
    k->aside_task = task;
    k->aside = true;
    k->stood_back++;
    dtx_master_rank_changed(m, r);
    return true;
}

bool dtx_master_stand_back(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];
    uint32_t task = dtx_keyheap_top(&m->ready);
    double cost, mine, others, rest; /* rest: all that is ready, without it */
    size_t i;

    if (!m->c.speeds || !(k->slow > 1) || k->used >= k->slots ||
        task == DTX_HEAP_NONE || !m->cost_s)
        return false;
    if (k->aside_ns > 0 && k->aside_task == task && m->now_ns >= k->aside_ns)
        return false; /* the others do not get on as was thought */
    cost = dtx_master_cost_s(m, task);
    mine = cost * k->slow;
    others = m->capacity - k->slots / k->slow;
    if (!(others > 0))
        return false;
    rest = dtx_master_ready_s(m) / others;
    for (i = 0; i < m->low.len && i < LOOK_AT; i++) {
        const struct dtx_rank *o = &m->rank[dtx_keyheap_at(&m->low, i)];

        m->items++;
        if (o != k && o->slow < k->slow && o->count > 0 &&
            WORTH * fmax(end_s(m, o, cost * o->slow), rest + cost * o->slow) <
                mine)
            return put_aside(m, r, task, mine);
    }
    return false;
}

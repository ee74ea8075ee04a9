/* SPDX-License-Identifier: MIT */
/* What is ready and what ranks have, in predicted seconds.  It decides nothing:
 * master_grant.c and the policy do, from these numbers.
 *
 * A rank's queue is told by when it will be done, its slots together: the sum
 * of what its tasks cost and of when those that run have begun, divided by its
 * slots.  That point of time does not move while it works, so heaps may be
 * ordered by it.  Which tasks run is not told by the ranks: as many of the
 * oldest as fit into the slots are taken to. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/master_state.h"

/* Of a rank that has become slower the oldest so many tasks are told anew: a
 * queue is seldom longer, and no step is to look at all there are. */
#define RELOAD 1024u

/* ---- costs ---- */

static bool widen(float **p, size_t cap)
{
    float *q = realloc(*p, (cap + 1) * sizeof(*q));

    if (q)
        *p = q;
    return q != NULL;
}

/* In a float a week's seconds would not be told apart. */
static bool widen_start(struct dtx_master *m, size_t cap)
{
    double *q = realloc(m->start_s, (cap + 1) * sizeof(*q));

    if (q)
        m->start_s = q;
    return q != NULL;
}

bool dtx_master_widen_costs(struct dtx_master *m, size_t cap)
{
    if (!m->c.cost_s && !m->cost_s)
        return true;
    return widen(&m->cost_s, cap) && widen(&m->need_s, cap) &&
           widen_start(m, cap);
}

static float claim(float seconds)
{
    return seconds >= 0 && isfinite(seconds) ? seconds : -1.0f;
}

/* A need without bound is known to be long. */
static float claim_need(float seconds)
{
    return isinf(seconds) && seconds > 0 ? 1e12f : claim(seconds);
}

void dtx_master_set_costs(struct dtx_master *m, size_t from, size_t to,
                          const float *cost, const float *need)
{
    size_t i;

    for (i = from; m->cost_s && i < to; i++) {
        m->cost_s[i] = cost ? claim(cost[i - from]) : -1.0f;
        m->need_s[i] = need ? claim_need(need[i - from]) : m->cost_s[i];
        m->start_s[i] = -1;
    }
}

static bool known(const struct dtx_master *m, uint32_t task)
{
    return m->cost_s && m->cost_s[task] >= 0;
}

/* What a task is taken to cost of which nothing is known: as those before, or
 * as those that wait. */
double dtx_master_usual_s(const struct dtx_master *m)
{
    if (m->mean_ns)
        return (double)m->mean_ns / 1e9;
    return m->ready_known ? m->ready_s / (double)m->ready_known : 1.0;
}

double dtx_master_cost_s(const struct dtx_master *m, uint32_t task)
{
    return known(m, task) ? (double)m->cost_s[task] : dtx_master_usual_s(m);
}

double dtx_master_ready_s(const struct dtx_master *m)
{
    return m->ready_s + (double)(m->ready.len - m->ready_known) *
                            dtx_master_usual_s(m);
}

static void count_ready(struct dtx_master *m, uint32_t task, bool in)
{
    if (!known(m, task))
        return;
    m->ready_known += in ? 1 : UINT64_MAX;
    m->ready_s += in ? (double)m->cost_s[task] : -(double)m->cost_s[task];
    if (m->ready_known == 0 || m->ready_s < 0)
        m->ready_s = 0;
}

void dtx_master_push_ready(struct dtx_master *m, uint32_t task)
{
    if (!dtx_keyheap_push(&m->ready, task))
        m->nomem = true;
    else
        count_ready(m, task, true);
}

uint32_t dtx_master_pop_ready(struct dtx_master *m)
{
    uint32_t task = dtx_keyheap_pop(&m->ready);

    count_ready(m, task, false);
    return task;
}

bool dtx_master_begin_costs(struct dtx_master *m)
{
    uint32_t r;

    if (m->cost_s)
        return true;
    for (r = 0; r < m->c.nranks; r++)
        dtx_keyheap_remove(&m->low, r);
    if (!widen(&m->need_s, m->cap_tasks) ||
        !widen_start(m, m->cap_tasks) || !widen(&m->cost_s, m->cap_tasks))
        return false;
    dtx_master_set_costs(m, 0, m->ntasks, NULL, NULL);
    for (r = 0; r < m->c.nranks; r++)
        dtx_master_rank_changed(m, r);
    return true;
}

/* Is a rank reserved for it? */
static bool reserved_for(const struct dtx_master *m, uint32_t task)
{
    uint32_t r = m->owner[task];

    return m->state[task] == DTX_TASK_READY && r < m->c.nranks &&
           m->rank[r].reserved == task;
}

static void set_predicted(struct dtx_master *m, uint32_t task,
                          const struct dtx_costs *c, size_t i)
{
    if (c->seconds) {
        m->cost_s[task] = claim(c->seconds[i]);
        m->need_s[task] = claim_need(c->need ? c->need[i] : c->seconds[i]);
    }
    if (m->share && c->share)
        m->share[task] = dtx_traffic_parts((double)c->share[i]);
}

/* The others' order is not touched: a cost that is known moves its task alone,
 * and all had none before. */
static void predict(struct dtx_master *m, uint32_t task,
                    const struct dtx_costs *c, size_t i)
{
    struct dtx_keyheap *apart = dtx_master_needy_heap(m, task);
    bool ready = dtx_keyheap_has(&m->ready, task);
    bool heavy = dtx_keyheap_has(&m->heavy, task);

    if (!apart && dtx_master_attr(m, task)->cpus > 1)
        apart = &m->wide;
    if (ready)
        count_ready(m, task, false);
    dtx_master_pull_heavy(m, task);
    set_predicted(m, task, c, i);
    if (ready && m->share && dtx_master_is_heavy(m, task)) {
        dtx_keyheap_remove(&m->ready, task);
        dtx_master_push_heavy(m, task);
    } else if (heavy) {
        dtx_master_make_ready(m, task);
    } else if (ready) {
        count_ready(m, task, true);
        dtx_keyheap_fix(&m->ready, task);
    } else if (apart && dtx_keyheap_has(apart, task)) {
        dtx_keyheap_fix(apart, task);
    } else if (reserved_for(m, task)) {
        dtx_keyheap_fix(&m->reserved, m->owner[task]);
    }
}

/* Was it put off, and would it fit now? */
static bool fits_after_all(const struct dtx_master *m, uint32_t task)
{
    return m->state[task] == DTX_TASK_READY && m->owner[task] == LATE &&
           !dtx_master_too_late(m, task);
}

void dtx_master_predict(struct dtx_master *m, const struct dtx_costs *c)
{
    bool again = false;
    size_t i;

    if (c->seconds && !dtx_master_begin_costs(m)) {
        m->nomem = true;
        return;
    }
    for (i = 0; i < c->n; i++) {
        uint32_t task = c->task[i];

        m->items++;
        if (task >= m->ntasks || m->state[task] == DTX_TASK_GRANTED)
            continue; /* not one that waits */
        predict(m, task, c, i);
        again = again || (c->seconds && m->late != DTX_NO_TASK &&
                          fits_after_all(m, task));
    }
    if (again)
        dtx_master_look_again(m);
}

double dtx_master_elapsed_s(const struct dtx_master *m, uint32_t task)
{
    if (!m->cost_s || task >= m->ntasks || !(m->start_s[task] >= 0))
        return -1;
    return dtx_master_now_s(m) - m->start_s[task];
}

/* ---- what a rank has ---- */

double dtx_master_now_s(const struct dtx_master *m)
{
    return (double)(m->now_ns - m->begin_ns) / 1e9;
}

double dtx_master_done_s(const struct dtx_rank *k)
{
    return k->slots ? (k->load_s + k->begun_s) / k->slots : 0;
}

/* What has not started: what runs for longer than it should takes nothing off
 * it. */
static double waiting_s(const struct dtx_rank *k)
{
    return fmax(k->load_s - k->running_s, 0);
}

double dtx_master_wait_s(const struct dtx_master *m, const struct dtx_rank *k)
{
    double s = dtx_master_done_s(k);

    if (!m->cost_s) /* nothing is known of when they began */
        return s > 0 ? s : 0;
    s -= dtx_master_now_s(m);
    return fmax(s, k->slots ? waiting_s(k) / k->slots : 0);
}

void dtx_master_unload(struct dtx_rank *k)
{
    k->load_s = k->begun_s = k->running_s = 0;
    k->running = 0;
    k->next_up = DTX_NO_TASK;
}

static double weight(const struct dtx_master *m, uint32_t task)
{
    return (double)m->est_s[task] * dtx_master_attr(m, task)->cpus;
}

/* The oldest tasks are taken to have started where there are slots. */
static void start_next(struct dtx_master *m, struct dtx_rank *k)
{
    while (k->next_up != DTX_NO_TASK) {
        uint32_t task = k->next_up, cpus = dtx_master_attr(m, task)->cpus;

        if (k->running + cpus > k->slots)
            return;
        m->start_s[task] = dtx_master_now_s(m);
        k->begun_s += m->start_s[task] * cpus;
        k->running_s += weight(m, task);
        k->running += cpus;
        k->next_up = m->prev[task];
    }
}

static void stop(struct dtx_master *m, struct dtx_rank *k, uint32_t task)
{
    uint32_t cpus = dtx_master_attr(m, task)->cpus;

    if (k->next_up == task)
        k->next_up = m->prev[task];
    if (!(m->start_s[task] >= 0))
        return;
    k->begun_s -= m->start_s[task] * cpus;
    k->running_s -= weight(m, task);
    k->running -= cpus;
    m->start_s[task] = -1;
}

void dtx_master_link(struct dtx_master *m, uint32_t r, uint32_t task)
{
    struct dtx_rank *k = &m->rank[r];

    m->next_start_ns = m->now_ns + m->c.delay_ns;
    k->aside_ns = 0;
    m->state[task] = DTX_TASK_GRANTED;
    m->owner[task] = r;
    /* what is assumed now is taken off again at the end */
    m->est_s[task] = (float)(dtx_master_cost_s(m, task) * k->slow);
    m->prev[task] = DTX_NO_TASK;
    m->next[task] = k->head;
    if (k->head != DTX_NO_TASK)
        m->prev[k->head] = task;
    else
        k->tail = task;
    k->head = task;
    k->count++;
    k->given++;
    k->waiting++;
    k->used += dtx_master_attr(m, task)->cpus;
    k->load_s += weight(m, task);
    k->given_s += weight(m, task);
    m->st.granted++;
    dtx_master_use_memory(m, r, task, true);
    if (!m->cost_s)
        return;
    m->start_s[task] = -1;
    if (k->next_up == DTX_NO_TASK)
        k->next_up = task;
    start_next(m, k);
}

void dtx_master_unlink(struct dtx_master *m, uint32_t task)
{
    struct dtx_rank *k = &m->rank[m->owner[task]];

    if (m->cost_s)
        stop(m, k, task);
    if (m->prev[task] != DTX_NO_TASK)
        m->next[m->prev[task]] = m->next[task];
    else
        k->head = m->next[task];
    if (m->next[task] != DTX_NO_TASK)
        m->prev[m->next[task]] = m->prev[task];
    else
        k->tail = m->prev[task];
    k->sated = false;
    k->count--;
    k->used -= dtx_master_attr(m, task)->cpus;
    if (k->count > 0)
        k->load_s -= weight(m, task);
    else
        dtx_master_unload(k);
    if (k->waiting > k->count)
        k->waiting = k->count;
    dtx_master_give_back(m, m->owner[task], task);
    dtx_master_use_memory(m, m->owner[task], task, false);
    dtx_master_call_one(m);
    m->st.granted--;
    if (m->cost_s)
        start_next(m, k);
}

/* How long a task is taken to take when what is left of it takes 'times' as
 * long. */
static double stretched_s(const struct dtx_master *m, uint32_t task,
                          double times)
{
    double s = (double)m->est_s[task], gone = 0;

    if (m->cost_s && m->start_s[task] >= 0)
        gone = fmin(fmax(dtx_master_now_s(m) - m->start_s[task], 0), s);
    return gone + (s - gone) * times;
}

void dtx_master_reload(struct dtx_master *m, uint32_t r, double times)
{
    struct dtx_rank *k = &m->rank[r];
    uint32_t task = k->tail, n;

    for (n = 0; n < RELOAD && task != DTX_NO_TASK; n++) {
        double before = weight(m, task), more;

        m->items++;
        m->est_s[task] = (float)stretched_s(m, task, times);
        more = weight(m, task) - before;
        k->load_s += more;
        k->given_s += more;
        if (m->cost_s && m->start_s[task] >= 0)
            k->running_s += more;
        task = m->prev[task];
    }
    dtx_master_rank_changed(m, r);
}

uint32_t dtx_master_loot(struct dtx_master *m, uint32_t victim, uint32_t thief,
                         uint64_t waiting, double way_s)
{
    const struct dtx_rank *v = &m->rank[victim];
    const struct dtx_rank *t = &m->rank[thief];
    uint32_t slots = t->slots, task = v->head, n = 0;
    double left = dtx_master_wait_s(m, v) * v->slots;
    double want = dtx_policy_loot_s(left, v->slots / v->slow,
                                    slots / t->slow), sum = 0;
    double worth = dtx_policy_worth_s(way_s, slots);

    if (!m->cost_s) {
        n = v->slow > t->slow || v->slow < t->slow
                ? (uint32_t)ceil(dtx_policy_loot_s((double)waiting,
                                                   v->slots / v->slow,
                                                   slots / t->slow))
                : dtx_policy_loot(waiting, v->slots, slots);
        worth = ceil(worth / dtx_master_usual_s(m));
        if (worth > n)
            n = worth < (double)waiting ? (uint32_t)worth : (uint32_t)waiting;
        return n;
    }
    want = want > worth ? want : worth;
    for (; n < waiting && task != DTX_NO_TASK; task = m->next[task]) {
        double cost = (double)m->est_s[task];

        m->items++;
        if (n > 0 && sum + cost / 2 > want)
            break;
        sum += cost;
        n++;
    }
    return n > 0 ? n : 1;
}

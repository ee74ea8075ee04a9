/* SPDX-License-Identifier: MIT */
/* Who works on what: ready tasks in order, ranks in the policy's order, chunks
 * granted, slots kept free for wide tasks, steals brokered.  Every choice is
 * the top of a heap; nothing here looks at all ranks or all tasks.
 *
 * A wide task (several cpus) is granted only to a rank whose slots are free
 * for it, never queued ahead.  The one whose turn it is and which fits nowhere
 * reserves the rank with most free slots: that rank gets nothing else until the
 * wide task fits (at most its slots less one stay free for that), so that it
 * cannot starve.
 *
 * Where starts are to keep a pace (delay_ns), one task at a time goes to a rank
 * with a free slot; nothing is queued ahead, so nothing is stolen either. */
#include <stdlib.h>

#include "base/error.h"
#include "engine/master_state.h"

/* A GRANT frame is sent when it has grown to this many bytes. */
#define GRANT_BYTES 65536
/* Reservations of other ranks that are looked at when slots become free. */
#define LOOK_AT 8

/* ---- orders ---- */

static bool task_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    int32_t pa = dtx_master_attr(m, a)->prio, pb = dtx_master_attr(m, b)->prio;

    if (pa != pb)
        return pa > pb;
    if (m->c.longest_first && m->cost_s) {
        /* unknown costs may be long: they come first */
        float ca = m->cost_s[a], cb = m->cost_s[b];
        bool ka = ca >= 0, kb = cb >= 0;

        if (ka != kb)
            return !ka;
        if (ka && (ca < cb || ca > cb))
            return ca > cb;
    }
    return a < b;
}

bool dtx_master_before(const struct dtx_master *m, uint32_t a, uint32_t b)
{
    return task_before(m, a, b);
}

static bool low_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *ra = &m->rank[a], *rb = &m->rank[b];
    uint64_t la = m->policy->by_given ? ra->given : ra->used;
    uint64_t lb = m->policy->by_given ? rb->given : rb->used;
    uint64_t x = la * rb->slots, y = lb * ra->slots;
    double sa = 0, sb = 0;

    if (m->cost_s && m->policy->by_given) {
        sa = ra->given_s / ra->slots;
        sb = rb->given_s / rb->slots;
    } else if (m->cost_s && ra->used >= ra->slots && rb->used >= rb->slots) {
        sa = dtx_master_done_s(ra);
        sb = dtx_master_done_s(rb);
    }
    if (sa < sb || sa > sb)
        return sa < sb;
    return x != y ? x < y : a < b;
}

static bool rich_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *ra = &m->rank[a], *rb = &m->rank[b];
    double x = dtx_master_done_s(ra), y = dtx_master_done_s(rb);

    if (x < y || x > y)
        return x > y;
    return a < b;
}

static bool hungry_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *ra = &m->rank[a], *rb = &m->rank[b];
    uint64_t x = ra->used * rb->slots, y = rb->used * ra->slots;

    return x != y ? x < y : a < b;
}

static bool reserved_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;

    return task_before(m, m->rank[a].reserved, m->rank[b].reserved);
}

static bool free_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;

    if (m->rank[a].used != m->rank[b].used)
        return m->rank[a].used < m->rank[b].used;
    return a < b;
}

int dtx_master_grant_init(struct dtx_master *m)
{
    m->parked = m->parked_last = m->unparking = DTX_NO_TASK;
    dtx_heap_init(&m->ready, task_before, m);
    dtx_heap_init(&m->wide, task_before, m);
    dtx_heap_init(&m->needy[0], task_before, m);
    dtx_heap_init(&m->needy[1], task_before, m);
    dtx_heap_init(&m->heavy, task_before, m);
    dtx_heap_init(&m->low, low_before, m);
    dtx_heap_init(&m->rich, rich_before, m);
    dtx_heap_init(&m->hungry, hungry_before, m);
    dtx_heap_init(&m->reserved, reserved_before, m);
    return DTX_OK;
}

void dtx_master_grant_fini(struct dtx_master *m)
{
    size_t i;

    dtx_heap_fini(&m->ready);
    dtx_heap_fini(&m->wide);
    dtx_heap_fini(&m->needy[0]);
    dtx_heap_fini(&m->needy[1]);
    dtx_heap_fini(&m->heavy);
    dtx_heap_fini(&m->low);
    dtx_heap_fini(&m->rich);
    dtx_heap_fini(&m->hungry);
    dtx_heap_fini(&m->reserved);
    for (i = 0; i < m->ngroups; i++)
        dtx_heap_fini(&m->group[i].free);
    free(m->group);
    free(m->touched);
}

bool dtx_master_all_came(const struct dtx_master *m)
{
    return m->ncame + m->nabsent >= m->c.nranks;
}

/* ---- ranks in their heaps ---- */

/* Tasks of a rank that wait behind full slots: what one could steal. */
static uint64_t spare(const struct dtx_rank *k)
{
    uint64_t queued = k->used > k->slots ? k->used - k->slots : 0;

    return k->waiting < queued ? k->waiting : queued;
}

static void put(struct dtx_master *m, struct dtx_heap *h, uint32_t r, bool in)
{
    if (!in)
        dtx_heap_remove(h, r);
    else if (dtx_heap_has(h, r))
        dtx_heap_fix(h, r);
    else if (!dtx_heap_push(h, r))
        m->nomem = true;
}

void dtx_master_rank_changed(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];
    bool open = k->alive && k->reserved == DTX_NO_TASK;

    m->items++;
    put(m, &m->low, r, open && !k->sated);
    put(m, &m->rich, r, k->alive && spare(k) > 0 && !k->yield_pending);
    put(m, &m->hungry, r, open && !k->asking && k->used < k->slots);
    put(m, &m->reserved, r, k->reserved != DTX_NO_TASK);
    if (k->slots > 0)
        put(m, &m->group[k->group].free, r, open);
}

static int group_of(struct dtx_master *m, uint32_t slots, uint32_t *index)
{
    struct dtx_rank_group *p;
    size_t i;

    for (i = 0; i < m->ngroups; i++) {
        if (m->group[i].slots == slots) {
            *index = (uint32_t)i;
            return DTX_OK;
        }
    }
    p = dtx_grow(m->group, &m->cap_groups, m->ngroups + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    m->group = p;
    *index = (uint32_t)m->ngroups++;
    p[*index].slots = slots;
    p[*index].alive = 0;
    dtx_heap_init(&p[*index].free, free_before, m);
    return DTX_OK;
}

/* The slots of the largest rank that is alive. */
static uint32_t largest(const struct dtx_master *m)
{
    uint32_t most = 0;
    size_t i;

    for (i = 0; i < m->ngroups; i++) {
        if (m->group[i].alive > 0 && m->group[i].slots > most)
            most = m->group[i].slots;
    }
    return most;
}

/* A parked task asks for more slots than any rank alive has; only a rank that
 * is larger than all can change that. */
static void begin_unparking(struct dtx_master *m)
{
    if (m->parked == DTX_NO_TASK)
        return;
    m->next[m->parked_last] = m->unparking;
    m->unparking = m->parked;
    m->parked = DTX_NO_TASK;
}

int dtx_master_rank_joined(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];

    if (m->c.stock && !dtx_stock_join(m->c.stock, r))
        m->nomem = true;
    if (k->slots > largest(m) || m->c.stock)
        begin_unparking(m);
    if (group_of(m, k->slots, &k->group)) {
        k->alive = false;
        k->slots = 0;
        return DTX_ENOMEM;
    }
    m->group[k->group].alive++;
    dtx_master_rank_changed(m, r);
    return DTX_OK;
}

void dtx_master_rank_left(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];
    uint32_t task = k->reserved;

    m->group[k->group].alive--;
    k->reserved = DTX_NO_TASK;
    dtx_master_rank_changed(m, r);
    if (m->c.stock)
        dtx_stock_leave(m->c.stock, r);
    if (task != DTX_NO_TASK) {
        dtx_master_give_back(m, r, task);
        dtx_master_make_ready(m, task);
    }
}

/* ---- tasks ---- */

void dtx_master_make_ready(struct dtx_master *m, uint32_t task)
{
    struct dtx_heap *h = dtx_master_needy_heap(m, task);

    if (!h && dtx_master_attr(m, task)->cpus > 1)
        h = &m->wide;
    m->state[task] = DTX_TASK_READY;
    m->owner[task] = NO_RANK;
    if (!h && dtx_master_is_heavy(m, task))
        dtx_master_push_heavy(m, task);
    else if (!h)
        dtx_master_push_ready(m, task);
    else if (!dtx_heap_push(h, task))
        m->nomem = true;
}

/* Is it too early for another start? */
static bool held_back(const struct dtx_master *m)
{
    return m->c.delay_ns > 0 && m->now_ns < m->next_start_ns;
}

/* ---- granting ---- */

/* Where the task's results go. */
static struct dtx_str results_of(struct dtx_master *m, uint32_t task)
{
    if (!m->c.layout)
        return dtx_str_of(NULL);
    dtx_buf_clear(&m->path);
    dtx_layout_path(m->c.layout, task, &m->path);
    m->out->bytes.failed |= m->path.failed;
    return (struct dtx_str){m->path.data, m->path.failed ? 0 : m->path.len};
}

static void put_work(struct dtx_master *m, uint32_t r, uint32_t task)
{
    const struct dtx_tasklist *l = m->c.list;
    const struct dtx_task *t = &l->task[task];
    const struct dtx_task_attr *a = dtx_master_attr(m, task);
    struct dtx_item_work w;

    w.task = task;
    w.attempt = m->attempt[task];
    w.cpus = a->cpus;
    w.gpus = m->c.stock ? dtx_stock_devices(m->c.stock, r, task) : 0;
    w.timeout_ns = a->timeout_ns ? a->timeout_ns : m->c.timeout_ns;
    if (w.timeout_ns < 0)
        w.timeout_ns = 0;
    w.index = t->index;
    w.flags = (uint8_t)a->flags;
    if (a->timeout_ns == 0 && m->c.timeout_percent > 0)
        w.flags |= DTX_WORK_LIMITED;
    if (m->c.layout && dtx_layout_has_slot(m->c.layout))
        w.flags |= DTX_WORK_RESULTS_SLOT;
    dtx_master_tell_traffic(m, task, &w);
    w.results = results_of(m, task);
    w.cwd = dtx_str_of(dtx_tasklist_pool(l, a->cwd));
    w.env = dtx_str_of(dtx_tasklist_pool(l, a->env));
    w.name = dtx_str_of(dtx_tasklist_pool(l, t->name));
    w.command = (struct dtx_str){dtx_tasklist_text(l, t), t->len};
    dtx_item_work_encode(&m->out->bytes, &w);
}

static bool open_grant(struct dtx_master *m, uint32_t r)
{
    struct dtx_msg msg = {.kind = DTX_MSG_GRANT};

    return dtx_master_open(m, r, &msg);
}

/* Is there a narrow task to grant to this rank now? What would end too late on
 * any is put off. */
static bool has_next(struct dtx_master *m, uint32_t r, uint32_t until)
{
    while (m->ready.len > 0) {
        uint32_t task = dtx_heap_top(&m->ready);

        if (until != DTX_NO_TASK && task_before(m, until, task))
            return false;
        if (!dtx_master_too_late(m, task))
            return dtx_master_fits_in(m, r, task);
        if (!dtx_master_spend(m))
            return false;
        (void)dtx_master_pop_ready(m);
        dtx_master_put_off(m, task);
    }
    return false;
}

/* Send a rank what it has been granted and not been sent, the oldest first. */
static void send_granted(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];
    uint32_t task = k->head, n = k->unsent, i;
    size_t begin;

    k->unsent = 0;
    if (n == 0 || !open_grant(m, r))
        return;
    begin = m->out->bytes.len;
    for (i = 1; i < n; i++)
        task = m->next[task];
    for (i = 0; i < n; i++, task = m->prev[task]) {
        if (m->out->bytes.len - begin > GRANT_BYTES) {
            dtx_master_sent(m);
            if (!open_grant(m, r))
                return;
            begin = m->out->bytes.len;
        }
        put_work(m, r, task);
    }
    dtx_master_sent(m);
    m->st.grants++;
    dtx_master_trace(m, "grant %u to rank %u", n, r);
}

/* A rank's grants of this step are to go out together. */
static void touch(struct dtx_master *m, uint32_t r)
{
    uint32_t *p = dtx_grow(m->touched, &m->cap_touched, m->ntouched + 1,
                           sizeof(*p));

    if (!p) {
        m->nomem = true;
        return;
    }
    m->touched = p;
    p[m->ntouched++] = r;
}

static void send_touched(struct dtx_master *m)
{
    size_t i;

    for (i = 0; i < m->ntouched; i++)
        send_granted(m, m->touched[i]);
    m->ntouched = 0;
}

/* Grant up to 'n' narrow tasks to a rank, and no more than 'most_s' predicted
 * seconds if that is above 0 and one task is not longer, as long as they come
 * before the first wide one ('until', or none). They are sent when the step
 * has dealt out all it will. Returns how many. */
static uint64_t grant(struct dtx_master *m, uint32_t r, uint64_t n,
                      double most_s, uint32_t until)
{
    bool new = m->rank[r].unsent == 0;
    uint64_t done = 0;
    double sum = 0;

    while (done < n && has_next(m, r, until)) {
        double cost = dtx_master_cost_s(m, dtx_heap_top(&m->ready));

        if ((done > 0 && most_s > 0 && sum + cost > most_s) ||
            !dtx_master_spend(m))
            break;
        sum += cost;
        dtx_master_link(m, r, dtx_master_pop_ready(m));
        m->rank[r].unsent++;
        done++;
    }
    if (done == 0)
        return 0;
    if (!m->cost_s || !m->policy->by_given)
        send_granted(m, r);
    else if (new)
        touch(m, r);
    dtx_master_rank_changed(m, r);
    return done;
}

void dtx_master_grant_one(struct dtx_master *m, uint32_t r, uint32_t task)
{
    send_granted(m, r);
    if (!open_grant(m, r))
        return;
    put_work(m, r, task);
    dtx_master_link(m, r, task);
    dtx_master_sent(m);
    m->st.grants++;
    dtx_master_rank_changed(m, r);
}

static void grant_wide(struct dtx_master *m, uint32_t r, uint32_t task)
{
    m->rank[r].reserved = DTX_NO_TASK;
    dtx_master_trace(m, "grant wide task %u to rank %u", task + 1, r);
    dtx_master_grant_one(m, r, task);
}

/* A reserved task's rank has the room: the task starts, or it is too late. */
static void start_wide(struct dtx_master *m, uint32_t r, uint32_t task)
{
    if (!dtx_master_too_late(m, task)) {
        grant_wide(m, r, task);
        return;
    }
    m->rank[r].reserved = DTX_NO_TASK;
    dtx_master_give_back(m, r, task);
    dtx_master_put_off(m, task);
    dtx_master_rank_changed(m, r);
}

/* ---- stealing ---- */

static void send_yield(struct dtx_master *m, uint32_t victim, uint32_t count,
                       uint32_t thief)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELD};

    msg.u.yield.count = count;
    m->rank[victim].yield_pending = true;
    m->rank[victim].thief = thief;
    m->st.yields++;
    if (count == UINT32_MAX)
        dtx_master_trace(m, "rank %u to yield all", victim);
    else
        dtx_master_trace(m, "rank %u to yield %u", victim, count);
    dtx_master_send(m, victim, msg);
    dtx_master_rank_changed(m, victim);
}

static void steal(struct dtx_master *m)
{
    while (m->policy->steals && m->hungry.len > 0 && m->rich.len > 0 &&
           dtx_master_spend(m)) {
        uint32_t thief = dtx_heap_top(&m->hungry);
        uint32_t victim = dtx_heap_top(&m->rich);
        uint32_t n = dtx_master_loot(m, victim, thief,
                                     spare(&m->rank[victim]));

        m->rank[thief].asking = true;
        dtx_master_rank_changed(m, thief);
        send_yield(m, victim, n, thief);
    }
}

/* ---- wide tasks ---- */

void dtx_master_park(struct dtx_master *m, uint32_t task)
{
    m->next[task] = m->parked;
    if (m->parked == DTX_NO_TASK)
        m->parked_last = task;
    m->parked = task;
    m->nparked++;
    dtx_master_trace(m, "no rank has the slots for task %u", task + 1);
}

void dtx_master_unpark(struct dtx_master *m)
{
    while (m->unparking != DTX_NO_TASK && dtx_master_spend(m)) {
        uint32_t task = m->unparking;

        m->unparking = m->next[task];
        m->nparked--;
        dtx_master_make_ready(m, task);
    }
}

/* The unreserved rank of at least 'cpus' slots with most of them free. */
static uint32_t roomiest(struct dtx_master *m, uint32_t cpus)
{
    uint32_t best = NO_RANK;
    int64_t best_free = INT64_MIN;
    size_t i;

    for (i = 0; i < m->ngroups; i++) {
        uint32_t r = dtx_heap_top(&m->group[i].free);
        int64_t left;

        m->items++;
        if (m->group[i].slots < cpus || r == DTX_HEAP_NONE)
            continue;
        left = (int64_t)m->rank[r].slots - (int64_t)m->rank[r].used;
        if (left > best_free || (left == best_free && r < best)) {
            best = r;
            best_free = left;
        }
    }
    return best;
}

static bool fits(const struct dtx_master *m, uint32_t r, uint32_t task)
{
    return m->rank[r].used + dtx_master_attr(m, task)->cpus <=
           m->rank[r].slots;
}

void dtx_master_grant_or_reserve(struct dtx_master *m, uint32_t r,
                                 uint32_t task)
{
    struct dtx_rank *k = &m->rank[r];

    if (fits(m, r, task)) {
        grant_wide(m, r, task);
        return;
    }
    k->reserved = task;
    m->owner[task] = r;
    dtx_master_trace(m, "rank %u reserved for wide task %u", r, task + 1);
    dtx_master_rank_changed(m, r);
    if (m->policy->steals && spare(k) > 0 && !k->yield_pending)
        send_yield(m, r, UINT32_MAX, NO_RANK);
}

/* Grant or reserve for the first wide task, or put it aside; false when all
 * that could take it are reserved. */
static bool place_wide(struct dtx_master *m)
{
    uint32_t task = dtx_heap_top(&m->wide);
    uint32_t cpus = dtx_master_attr(m, task)->cpus, r = roomiest(m, cpus);

    if (m->nalive == 0 || (r == NO_RANK && largest(m) >= cpus) ||
        !dtx_master_spend(m))
        return false;
    (void)dtx_heap_pop(&m->wide);
    if (dtx_master_too_late(m, task)) {
        dtx_master_put_off(m, task);
        return true;
    }
    if (r == NO_RANK) {
        dtx_master_park(m, task);
        return true;
    }
    dtx_master_grant_or_reserve(m, r, task);
    return true;
}

void dtx_master_call_back(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->alive && !m->stopping && !k->yield_pending && spare(k) > 0)
        send_yield(m, r, UINT32_MAX, NO_RANK);
}

void dtx_master_reclaim(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->reserved != DTX_NO_TASK && !m->stopping && spare(k) > 0)
        send_yield(m, r, UINT32_MAX, NO_RANK);
}

/* Among the first reserved ranks, one whose task fits on 'r', or NO_RANK. A
 * few are looked at, so that a very wide first one does not hide the rest. */
static uint32_t elsewhere(struct dtx_master *m, uint32_t r)
{
    size_t i;

    for (i = 0; i < m->reserved.len && i < LOOK_AT; i++) {
        uint32_t other = m->reserved.item[i];

        m->items++;
        if (fits(m, r, m->rank[other].reserved) &&
            !dtx_master_is_needy(m, m->rank[other].reserved))
            return other;
    }
    return NO_RANK;
}

void dtx_master_settle(struct dtx_master *m, uint32_t r)
{
    uint32_t task = m->rank[r].reserved, other;

    if (m->stopping || held_back(m))
        return;
    if (task != DTX_NO_TASK && fits(m, r, task))
        start_wide(m, r, task);
    while (m->rank[r].reserved == DTX_NO_TASK && !held_back(m) &&
           (other = elsewhere(m, r)) != NO_RANK) {
        task = m->rank[other].reserved;
        m->rank[other].reserved = DTX_NO_TASK;
        dtx_master_rank_changed(m, other);
        start_wide(m, r, task);
    }
}

/* ---- the whole ---- */

/* Slots of all ranks; those that have not come yet are taken to be like the
 * others, or the first to come would be given their share. */
static uint64_t slots_expected(const struct dtx_master *m)
{
    uint64_t missing = 0;

    if (!dtx_master_all_came(m))
        missing = m->c.nranks - m->ncame - m->nabsent;
    return m->slots_alive + missing * (m->slots_alive / m->nalive);
}

/* How long the next task will take: as predicted, or as those before took. */
static int64_t next_ns(const struct dtx_master *m)
{
    uint32_t task = dtx_heap_top(&m->ready);
    double s = m->cost_s && task != DTX_HEAP_NONE ? (double)m->cost_s[task]
                                                  : -1;

    if (!(s >= 0))
        return m->mean_ns;
    return s < 1e9 ? (int64_t)(s * 1e9) + 1 : INT64_C(1000000000000000000);
}

static struct dtx_sched_view view_of(const struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];
    struct dtx_sched_view v = {
        .ready = m->ready.len,
        .nranks = m->nalive,
        .slots_all = slots_expected(m),
        .slots = k->slots,
        .used = k->used,
        .mean_ns = next_ns(m),
        .depth_ns = m->c.depth_ns,
        .weighed = m->cost_s != NULL,
        .shallow = m->heavy.len > 0,
    };

    if (v.weighed && v.ready > 0) {
        v.ready_s = dtx_master_ready_s(m);
        v.next_s = dtx_master_cost_s(m, dtx_heap_top(&m->ready));
        v.busy_s = dtx_master_wait_s(m, k);
    }
    return v;
}

/* By what is predicted a rank whose tasks take longer is always the first to be
 * done: with a deep queue it stands back, or it would hide the others. Each
 * does so once between two of its ends. */
static bool sate(struct dtx_master *m, uint32_t r)
{
    if (!dtx_master_spend(m))
        return false;
    m->rank[r].sated = true;
    dtx_master_rank_changed(m, r);
    return true;
}

/* Offer narrow tasks to the first rank; false when none is wanted. */
static bool offer(struct dtx_master *m, uint32_t until)
{
    uint32_t r = dtx_heap_top(m->c.delay_ns > 0 ? &m->hungry : &m->low);
    struct dtx_sched_view v;
    uint64_t n;

    if (r == DTX_HEAP_NONE)
        return false;
    if (m->c.delay_ns > 0)
        return grant(m, r, 1, 0, until) > 0;
    v = view_of(m, r);
    n = m->policy->chunk(&m->policy_state, &v);
    if (n == 0)
        return m->cost_s && m->policy_state.full && sate(m, r);
    return grant(m, r, n, m->policy_state.most_s, until) > 0;
}

/* A rank may have had the room for its reserved task when it was too early for
 * that. */
static void settle_reserved(struct dtx_master *m)
{
    size_t i;

    for (i = 0; i < m->reserved.len && i < LOOK_AT && !held_back(m); i++) {
        uint32_t r = m->reserved.item[i];

        m->items++;
        if (fits(m, r, m->rank[r].reserved)) {
            start_wide(m, r, m->rank[r].reserved);
            return;
        }
    }
}

int64_t dtx_master_pace_due(const struct dtx_master *m)
{
    if (!held_back(m) ||
        dtx_master_nready(m) + m->reserved.len == 0)
        return NEVER;
    return m->next_start_ns;
}

/* Of the heaps whose first task may be placed, the one whose first comes
 * first; -1: none. */
static int first_kind(const struct dtx_master *m, struct dtx_heap *const *kind,
                      const bool *stuck)
{
    int k, first = -1;

    for (k = 0; k < 3; k++) {
        if (stuck[k] || kind[k]->len == 0)
            continue;
        if (first < 0 || task_before(m, dtx_heap_top(kind[k]),
                                     dtx_heap_top(kind[first])))
            first = k;
    }
    return first;
}

size_t dtx_master_nready(const struct dtx_master *m)
{
    return m->ready.len + m->wide.len + m->needy[0].len + m->needy[1].len +
           m->heavy.len;
}

/* Which task stops the granting of narrow ones: the wide one, or a heavy one
 * that could be placed. */
static uint32_t before_which(const struct dtx_master *m, uint32_t wide,
                             bool crowded)
{
    uint32_t heavy = crowded ? DTX_HEAP_NONE : dtx_heap_top(&m->heavy);

    if (heavy == DTX_HEAP_NONE ||
        (wide != DTX_NO_TASK && task_before(m, wide, heavy)))
        return wide;
    return heavy;
}

void dtx_master_dispatch(struct dtx_master *m)
{
    struct dtx_heap *const kind[] = {&m->wide, &m->needy[0], &m->needy[1]};
    bool stuck[3] = {false, false, false}, crowded = false;

    if (m->policy->waits && !dtx_master_all_came(m))
        return;
    if (m->c.delay_ns > 0)
        settle_reserved(m);
    while (dtx_master_nready(m) > 0 && m->budget > 0 && !held_back(m)) {
        uint32_t ready = dtx_heap_top(&m->ready);
        int k = first_kind(m, kind, stuck);
        uint32_t wide = k < 0 ? DTX_NO_TASK : dtx_heap_top(kind[k]);
        bool apart = k >= 0 && (ready == DTX_HEAP_NONE ||
                                task_before(m, wide, ready));

        if (!crowded && dtx_master_heavy_first(m, apart ? wide : ready)) {
            crowded = !dtx_master_place_heavy(m);
            continue;
        }
        if (apart) {
            stuck[k] = k == 0 ? !place_wide(m)
                              : !dtx_master_place_needy(m, kind[k]);
            continue;
        }
        if (ready == DTX_HEAP_NONE || !offer(m, before_which(m, wide, crowded)))
            break;
    }
    send_touched(m);
    if (m->ready.len == 0)
        steal(m);
}

bool dtx_master_placeable(const struct dtx_master *m)
{
    return dtx_master_nready(m) > 0 ||
           (m->nparked > 0 && !dtx_master_all_came(m));
}

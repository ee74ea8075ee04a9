/* SPDX-License-Identifier: MIT */
/* Who works on what: ready tasks in order, ranks in the policy's order, chunks
 * granted.  Every choice is the top of a heap; nothing here looks at all ranks
 * or all tasks.  master_order.c has the heaps, master_wide.c keeps slots free
 * for wide tasks, master_steal.c brokers steals.
 *
 * Where starts are to keep a pace (delay_ns), one task at a time goes to a rank
 * with a free slot; nothing is queued ahead, so nothing is stolen either. */
#include "base/error.h"
#include "engine/master_state.h"

/* A GRANT frame is sent when it has grown to this many bytes. */
#define GRANT_BYTES 65536

/* ---- granting ---- */

bool dtx_master_held_back(const struct dtx_master *m)
{
    return m->c.delay_ns > 0 && m->now_ns < m->next_start_ns;
}

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
        uint32_t task = dtx_keyheap_top(&m->ready);

        if ((until != DTX_NO_TASK && dtx_master_before(m, until, task)) ||
            dtx_master_heavy_bars(m))
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
        double cost = dtx_master_cost_s(m, dtx_keyheap_top(&m->ready));

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

void dtx_master_hand_over(struct dtx_master *m, uint32_t r, uint64_t n)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->alive && !m->stopping && k->reserved == DTX_NO_TASK &&
        k->used < k->slots && m->ready.len == n &&
        dtx_master_nready(m) == n && !dtx_master_held_back(m))
        (void)grant(m, r, n, 0, DTX_NO_TASK);
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

void dtx_master_grant_wide(struct dtx_master *m, uint32_t r, uint32_t task)
{
    m->rank[r].reserved = DTX_NO_TASK;
    dtx_master_grant_one(m, r, task);
    dtx_master_trace(m, "grant wide task %u to rank %u", task + 1, r);
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
    uint32_t task = dtx_keyheap_top(&m->ready);
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
        .slow = k->slow,
        .capacity = m->capacity,
        .shallow = m->heavy.len > 0,
    };

    /* those that are still to come are like the others */
    v.capacity *= (double)v.slots_all / (double)m->slots_alive;

    if (v.weighed && v.ready > 0) {
        v.ready_s = dtx_master_ready_s(m);
        v.next_s = dtx_master_cost_s(m, dtx_keyheap_top(&m->ready));
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

/* ---- ranks that are passed over ---- */

/* Is there a narrow task to grant that would end too late on this rank alone,
 * which has a free slot? Another may be behind it. */
static bool refuses(const struct dtx_master *m, uint32_t r, uint32_t until)
{
    uint32_t task = dtx_keyheap_top(&m->ready);

    if (task == DTX_HEAP_NONE || m->rank[r].used >= m->rank[r].slots ||
        (until != DTX_NO_TASK && dtx_master_before(m, until, task)) ||
        dtx_master_heavy_bars(m))
        return false;
    return !dtx_master_too_late(m, task) && !dtx_master_fits_in(m, r, task);
}

/* It takes nothing of the step's budget: those behind would never be asked if
 * that ended here each time. */
static bool pass_over(struct dtx_master *m, uint32_t r)
{
    if (m->npassed == DTX_MASTER_PASSED)
        return false;
    m->items++;
    if (m->npassed == 0)
        dtx_master_trace(m, "rank %u is too slow for task %u to end in time", r,
                         dtx_keyheap_top(&m->ready) + 1);
    m->passed[m->npassed++] = r;
    m->rank[r].passed = true;
    dtx_master_rank_changed(m, r);
    return true;
}

/* Another task is next, or all is dealt out. */
static void look_back(struct dtx_master *m)
{
    while (m->npassed > 0) {
        uint32_t r = m->passed[--m->npassed];

        m->rank[r].passed = false;
        dtx_master_rank_changed(m, r);
    }
}

/* Grant as 'grant' does, or pass over a rank that refuses. */
static bool grant_or_pass(struct dtx_master *m, uint32_t r, uint64_t n,
                          double most_s, uint32_t until)
{
    if (grant(m, r, n, most_s, until) == 0)
        return refuses(m, r, until) && pass_over(m, r);
    look_back(m);
    return true;
}

/* Is the next narrow task for a free slot alone? So that what was called back,
 * or a heavy task that comes before it, finds one soon. */
static bool queues_nothing(const struct dtx_master *m, bool heavy_waits)
{
    uint32_t task = dtx_keyheap_top(&m->ready);
    uint32_t heavy = dtx_keyheap_top(&m->heavy);

    return m->called_back ||
           (heavy_waits && task != DTX_HEAP_NONE && heavy != DTX_HEAP_NONE &&
            dtx_master_before(m, heavy, task));
}

/* Offer narrow tasks to the first rank; false when none is wanted.
 * 'heavy_waits': for a slot. */
static bool offer(struct dtx_master *m, uint32_t until, bool heavy_waits)
{
    uint32_t r = dtx_keyheap_top(m->c.delay_ns > 0 ? &m->hungry : &m->low);
    bool bare = queues_nothing(m, heavy_waits);
    struct dtx_sched_view v;
    uint64_t n;

    if (r == DTX_HEAP_NONE)
        return false;
    if (m->c.delay_ns > 0)
        return grant_or_pass(m, r, 1, 0, until);
    if (dtx_master_stand_back(m, r))
        return true;
    v = view_of(m, r);
    if (bare && v.used >= v.slots) /* it would be called back again */
        return has_next(m, r, until) && (m->called_back || m->cost_s) &&
               sate(m, r);
    n = m->policy->chunk(&m->policy_state, &v);
    if (bare && n > v.slots - v.used)
        n = v.slots - v.used;
    if (n == 0)
        return m->cost_s && m->policy_state.full && sate(m, r);
    return grant_or_pass(m, r, n, m->policy_state.most_s, until);
}

int64_t dtx_master_pace_due(const struct dtx_master *m)
{
    if (!dtx_master_held_back(m) ||
        dtx_master_nready(m) + m->reserved.len == 0)
        return NEVER;
    return m->next_start_ns;
}

/* Of the heaps whose first task may be placed, the one whose first comes
 * first; -1: none. */
static int first_kind(const struct dtx_master *m,
                      struct dtx_keyheap *const *kind, const bool *stuck)
{
    int k, first = -1;

    for (k = 0; k < 3; k++) {
        if (stuck[k] || kind[k]->len == 0)
            continue;
        if (first < 0 || dtx_master_before(m, dtx_keyheap_top(kind[k]),
                                           dtx_keyheap_top(kind[first])))
            first = k;
    }
    return first;
}

size_t dtx_master_nready(const struct dtx_master *m)
{
    return m->ready.len + m->wide.len + m->needy[0].len + m->needy[1].len +
           m->heavy.len;
}

void dtx_master_make_ready(struct dtx_master *m, uint32_t task)
{
    struct dtx_keyheap *h = dtx_master_needy_heap(m, task);

    if (!h && dtx_master_attr(m, task)->cpus > 1)
        h = &m->wide;
    m->state[task] = DTX_TASK_READY;
    m->owner[task] = NO_RANK;
    if (!h && dtx_master_is_heavy(m, task))
        dtx_master_push_heavy(m, task);
    else if (!h)
        dtx_master_push_ready(m, task);
    else if (!dtx_keyheap_push(h, task))
        m->nomem = true;
}

/* Which task stops the granting of narrow ones: the wide one, or a heavy one
 * that does not wait. */
static uint32_t until(const struct dtx_master *m, uint32_t wide,
                      enum dtx_heavy how)
{
    uint32_t heavy = how == DTX_HEAVY_PLACED ? dtx_keyheap_top(&m->heavy)
                                             : DTX_HEAP_NONE;

    if (heavy == DTX_HEAP_NONE ||
        (wide != DTX_NO_TASK && dtx_master_before(m, wide, heavy)))
        return wide;
    return heavy;
}

void dtx_master_dispatch(struct dtx_master *m)
{
    struct dtx_keyheap *const kind[] = {&m->wide, &m->needy[0], &m->needy[1]};
    bool stuck[3] = {false, false, false};
    enum dtx_heavy how = DTX_HEAVY_PLACED;

    if (m->policy->waits && !dtx_master_all_came(m))
        return;
    dtx_master_call_due(m);
    if (m->c.delay_ns > 0)
        dtx_master_settle_reserved(m);
    while (dtx_master_nready(m) > 0 && m->budget > 0 &&
           !dtx_master_held_back(m)) {
        uint32_t ready = dtx_keyheap_top(&m->ready);
        int k = first_kind(m, kind, stuck);
        uint32_t wide = k < 0 ? DTX_NO_TASK : dtx_keyheap_top(kind[k]);
        bool apart = k >= 0 && (ready == DTX_HEAP_NONE ||
                                dtx_master_before(m, wide, ready));

        if (how == DTX_HEAVY_PLACED &&
            dtx_master_heavy_first(m, apart ? wide : ready)) {
            how = dtx_master_place_heavy(m);
            continue;
        }
        if (apart) {
            stuck[k] = k == 0 ? !dtx_master_place_wide(m)
                              : !dtx_master_place_needy(m, kind[k],
                                                        ready);
            continue;
        }
        if (ready == DTX_HEAP_NONE || !offer(m, until(m, wide, how),
                                           how == DTX_HEAVY_NO_SLOT))
            break;
    }
    look_back(m);
    send_touched(m);
    if (m->ready.len == 0)
        dtx_master_steal(m);
}

bool dtx_master_placeable(const struct dtx_master *m)
{
    return dtx_master_nready(m) > 0 || m->reserved.len > 0 ||
           (m->nparked > 0 && !dtx_master_all_came(m));
}

/* SPDX-License-Identifier: MIT */
/* What follows from the end of an attempt: its record, and when that is
 * written the release or skipping of successors and retries after a
 * pause.  Long cascades are walked in slices. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/master_state.h"

/* A median of fewer durations says nothing. */
#define MEDIAN_OF 3

int dtx_master_flow_init(struct dtx_master *m)
{
    const struct dtx_graph *g = m->c.graph;

    if (m->c.live || !g->indegree)
        return DTX_OK;
    m->blockers = malloc(((size_t)g->nnodes + 1) * sizeof(*m->blockers));
    if (!m->blockers)
        return DTX_ENOMEM;
    memcpy(m->blockers, g->indegree, g->nnodes * sizeof(*m->blockers));
    return DTX_OK;
}

void dtx_master_flow_fini(struct dtx_master *m)
{
    free(m->blockers);
    free(m->first);
    free(m->link);
    free(m->pending);
    free(m->walk);
    free(m->retry);
}

static bool has_successors(const struct dtx_master *m, uint32_t node)
{
    const struct dtx_graph *g = m->c.graph;

    if (m->c.live)
        return m->first && m->first[node] != DTX_NO_TASK;
    return g->start && g->start[node] < g->start[node + 1];
}

/* Begin a cascade at a node whose fate is known. */
static void begin_walk(struct dtx_master *m, uint32_t node, uint32_t cause)
{
    struct dtx_walk *p;

    if (!has_successors(m, node))
        return;
    p = dtx_grow(m->walk, &m->cap_walks, m->nwalks + 1, sizeof(*p));
    if (!p) {
        m->nomem = true;
        return;
    }
    m->walk = p;
    m->walk[m->nwalks++] = (struct dtx_walk){
        node, m->c.live ? m->first[node] : m->c.graph->start[node], cause};
}

static void release(struct dtx_master *m, uint32_t node)
{
    m->blockers[node]--;
    if (m->blockers[node] > 0 || m->state[node] != DTX_TASK_BLOCKED)
        return;
    if (node < m->ntasks) {
        dtx_master_make_ready(m, node);
    } else {
        m->state[node] = DTX_TASK_OK;
        begin_walk(m, node, DTX_NO_TASK);
    }
}

static void forget(struct dtx_master *m, uint32_t task)
{
    struct dtx_action *a =
        m->c.live ? dtx_actions_add(m->out, DTX_ACT_FORGET) : NULL;

    if (a)
        a->u.over = task;
}

static void skip(struct dtx_master *m, uint32_t node, uint32_t cause)
{
    if (!m->c.live && dtx_graph_is_barrier(m->c.graph, node)) {
        release(m, node); /* for it an end is an end */
        return;
    }
    if (m->state[node] != DTX_TASK_BLOCKED)
        return;
    m->state[node] = DTX_TASK_SKIPPED;
    if (node < m->ntasks) {
        m->owner[node] = cause;
        m->st.skipped++;
        forget(m, node);
    }
    begin_walk(m, node, cause);
}

/* The node the walk comes to next. The walk is popped when that is its last
 * one, before a deeper one can be pushed. */
static uint32_t next_node(struct dtx_master *m, struct dtx_walk *w)
{
    const struct dtx_graph *g = m->c.graph;
    uint32_t at = w->edge;

    if (!m->c.live) {
        w->edge++;
        m->nwalks -= w->edge == g->start[w->node + 1];
        return g->succ[at];
    }
    w->edge = m->link[at].next;
    m->nwalks -= w->edge == DTX_NO_TASK;
    m->first[w->node] = w->edge;
    m->link[at].next = m->spare;
    m->spare = at;
    return m->link[at].after;
}

static void go_on_walking(struct dtx_master *m)
{
    while (m->nwalks > 0 && dtx_master_spend(m)) {
        struct dtx_walk *w = &m->walk[m->nwalks - 1];
        uint32_t cause = w->cause, node = next_node(m, w);

        if (cause == DTX_NO_TASK)
            release(m, node);
        else
            skip(m, node, cause);
    }
}

/* ---- the start ---- */

static void start_task(struct dtx_master *m, uint32_t i,
                       enum dtx_prior prior)
{
    switch (prior) {
    case DTX_PRIOR_OK:
        m->state[i] = DTX_TASK_OK;
        m->st.ok++;
        m->st.prior_ok++;
        begin_walk(m, i, DTX_NO_TASK);
        break;
    case DTX_PRIOR_FAILED:
        m->state[i] = DTX_TASK_FAILED;
        m->st.failed++;
        m->st.prior_failed++;
        begin_walk(m, i, i);
        break;
    case DTX_PRIOR_LEFT:
        m->state[i] = DTX_TASK_LEFT;
        break;
    case DTX_PRIOR_NONE:
        if (!m->blockers || m->blockers[i] == 0)
            dtx_master_make_ready(m, i);
        return;
    }
    forget(m, i);
}

void dtx_master_flow_start(struct dtx_master *m)
{
    uint32_t i;

    for (i = 0; i < m->ntasks; i++)
        start_task(m, i, m->c.prior ? (enum dtx_prior)m->c.prior[i]
                                    : DTX_PRIOR_NONE);
    /* gates that wait for nothing */
    for (; !m->c.live && i < m->c.graph->nnodes; i++) {
        if (m->blockers && m->blockers[i] == 0) {
            m->state[i] = DTX_TASK_OK;
            begin_walk(m, i, DTX_NO_TASK);
        }
    }
    m->c.prior = NULL; /* borrowed for creation and start alone */
    m->c.attempts = NULL;
}

/* ---- tasks that come while the job runs ---- */

/* The first dependency of all: the arrays about them begin. */
static bool begin_links(struct dtx_master *m)
{
    uint32_t i;

    if (m->first)
        return true;
    m->first = malloc(m->cap_tasks * sizeof(*m->first));
    m->blockers = calloc(m->cap_tasks, sizeof(*m->blockers));
    if (!m->first || !m->blockers) {
        free(m->first);
        free(m->blockers);
        m->first = m->blockers = NULL;
        return false;
    }
    for (i = 0; i < m->ntasks; i++)
        m->first[i] = DTX_NO_TASK;
    return true;
}

static void link_after(struct dtx_master *m, uint32_t before, uint32_t after)
{
    struct dtx_link *p;
    uint32_t at = m->spare;

    if (at == DTX_NO_TASK) {
        p = begin_links(m) && m->nlinks < DTX_NO_TASK
                ? dtx_grow(m->link, &m->cap_links, m->nlinks + 1, sizeof(*p))
                : NULL;
        if (!p) {
            m->nomem = true;
            return;
        }
        m->link = p;
        at = (uint32_t)m->nlinks++;
    } else {
        m->spare = m->link[at].next;
    }
    m->link[at] = (struct dtx_link){after, m->first[before]};
    m->first[before] = at;
    m->blockers[after]++;
}

/* A new task waits for an earlier one, whose fate may be known. */
static void wait_for(struct dtx_master *m, uint32_t before, uint32_t after)
{
    switch ((enum dtx_task_state)m->state[before]) {
    case DTX_TASK_OK:
        break;
    case DTX_TASK_FAILED:
        skip(m, after, before);
        break;
    case DTX_TASK_SKIPPED:
        skip(m, after, m->owner[before]);
        break;
    case DTX_TASK_LEFT:
        /* nobody will do it in this session: nor what waits for it */
        if (m->state[after] == DTX_TASK_BLOCKED) {
            m->state[after] = DTX_TASK_LEFT;
            forget(m, after);
        }
        break;
    default:
        link_after(m, before, after);
    }
}

void dtx_master_arrive(struct dtx_master *m, const struct dtx_arrival *a)
{
    uint32_t from = m->ntasks, i;
    size_t e = 0;

    if (!m->open || a->upto < from || a->upto > m->c.list->ntasks)
        return;
    if (dtx_master_grow(m, a->upto, a->attempts)) {
        m->nomem = true;
        return;
    }
    dtx_master_trace(m, "%u tasks have come", a->upto - from);
    for (i = from; i < a->upto && !m->nomem; i++) {
        enum dtx_prior prior =
            a->prior ? (enum dtx_prior)a->prior[i - from] : DTX_PRIOR_NONE;

        m->items++;
        for (; e < a->nedges && a->edge[2 * e + 1] == i; e++) {
            if (prior == DTX_PRIOR_NONE && a->edge[2 * e] < i)
                wait_for(m, a->edge[2 * e], i);
            m->items++;
        }
        if (m->state[i] == DTX_TASK_BLOCKED && !m->nomem)
            start_task(m, i, prior);
    }
}

/* ---- rings ---- */

/* Make room for one more in a ring of 'cap' items of 'size' bytes. */
static void *ring_room(void *ring, size_t *at, size_t len, size_t *cap,
                       size_t size)
{
    size_t n = *cap ? *cap * 2 : 64, first;
    char *p;

    if (len < *cap)
        return ring;
    p = malloc(n * size);
    if (!p)
        return NULL;
    first = *cap - *at < len ? *cap - *at : len;
    if (len > 0) {
        memcpy(p, (char *)ring + *at * size, first * size);
        memcpy(p + first * size, ring, (len - first) * size);
    }
    free(ring);
    *at = 0;
    *cap = n;
    return p;
}

static void push_pending(struct dtx_master *m, const struct dtx_outcome *o,
                         bool final)
{
    struct dtx_pending *p = ring_room(m->pending, &m->pending_at,
                                      m->pending_len, &m->pending_cap,
                                      sizeof(*p));

    if (!p) {
        m->nomem = true;
        return;
    }
    m->pending = p;
    p += (m->pending_at + m->pending_len++) % m->pending_cap;
    p->outcome = *o;
    p->final = final;
}

static void push_retry(struct dtx_master *m, uint32_t task)
{
    struct dtx_retry *p = ring_room(m->retry, &m->retry_at, m->retry_len,
                                    &m->retry_cap, sizeof(*p));

    if (!p) {
        m->nomem = true;
        return;
    }
    m->retry = p;
    p += (m->retry_at + m->retry_len++) % m->retry_cap;
    p->task = task;
    p->at_ns = m->now_ns + m->c.retry_pause_ns;
}

/* ---- ends ---- */

static void measure(struct dtx_master *m, const struct dtx_outcome *o)
{
    struct dtx_rank *k = &m->rank[o->rank];
    int64_t n, cpus = dtx_master_attr(m, o->task)->cpus;

    k->ended++;
    if (o->wall_ns < 0)
        return;
    if (o->wall_ns > (INT64_MAX - k->busy_ns) / cpus)
        k->busy_ns = INT64_MAX; /* no clock says this */
    else
        k->busy_ns += o->wall_ns * cpus;
    m->nmeasured++;
    n = m->nmeasured < 64 ? (int64_t)m->nmeasured : 64;
    m->mean_ns += (o->wall_ns - m->mean_ns) / n;
    if (m->mean_ns <= 0)
        m->mean_ns = 1;
}

/* May this task be tried once more, after so many failures? */
static bool may_retry(const struct dtx_master *m, uint32_t task)
{
    uint32_t limit = dtx_master_attr(m, task)->retries;

    return m->fails[task] < (limit ? limit : m->c.retries);
}

void dtx_master_record(struct dtx_master *m, const struct dtx_outcome *o,
                       bool final)
{
    struct dtx_rec rec = {.kind = DTX_REC_OUTCOME};
    struct dtx_item_outcome item;
    struct dtx_action *a = dtx_actions_add(m->out, DTX_ACT_RECORD);

    if (!a)
        return;
    rec.u.outcome.epoch = m->c.epoch;
    rec.u.outcome.final = final;
    dtx_outcome_to_item(o, &item);
    a->u.record.number = ++m->next_record;
    a->u.record.task = o->task;
    a->u.record.urgent =
        has_successors(m, o->task) || o->status != DTX_STATUS_OK ||
        m->stopping ||
        (m->st.granted == 0 && m->ready.len + m->wide.len == 0);
    dtx_rec_encode(&m->out->bytes, &rec);
    dtx_item_outcome_encode(&m->out->bytes, &item);
    dtx_actions_close(m->out);
    push_pending(m, o, final);
}

/* ---- a limit that follows the median ---- */

void dtx_master_send_limit(struct dtx_master *m, uint32_t r)
{
    struct dtx_msg msg = {.kind = DTX_MSG_LIMIT};

    msg.u.limit.timeout_ns = m->limit_ns;
    if (m->limit_ns > 0 && m->rank[r].alive && !m->finished)
        dtx_master_send(m, r, msg);
}

/* A success tells how long tasks take. The ranks are told again when there are
 * an eighth more of them and the limit is another by three per cent: seldom,
 * however many tasks and ranks there are. */
static void move_limit(struct dtx_master *m, int64_t wall_ns)
{
    double limit, change;
    uint64_t n;
    uint32_t r;

    if (!m->median)
        return;
    dtx_median_add(m->median, wall_ns);
    n = dtx_median_count(m->median);
    if (n < MEDIAN_OF || n < m->limit_n + m->limit_n / 8)
        return;
    limit = (double)dtx_median_value(m->median) / 100.0 *
            m->c.timeout_percent;
    if (limit > (double)(INT64_MAX / 4))
        limit = (double)(INT64_MAX / 4);
    change = limit - (double)m->limit_ns;
    if ((change < 0 ? -change : change) <= 0.03 * (double)m->limit_ns)
        return;
    m->limit_ns = limit >= 1 ? (int64_t)limit : 1;
    m->limit_n = n;
    dtx_master_trace(m, "limit %lld us", (long long)(m->limit_ns / 1000));
    for (r = 0; r < m->c.nranks; r++)
        dtx_master_send_limit(m, r);
}

void dtx_master_next_attempt(struct dtx_master *m, uint32_t task)
{
    if (m->attempt[task] < UINT32_MAX)
        m->attempt[task]++;
}

void dtx_master_ended(struct dtx_master *m, const struct dtx_outcome *o)
{
    uint32_t i = o->task;
    bool ok = o->status == DTX_STATUS_OK, again;

    dtx_master_unlink(m, i);
    if (!dtx_status_finished((enum dtx_status)o->status)) {
        dtx_master_next_attempt(m, i);
        dtx_master_make_ready(m, i);
        return;
    }
    measure(m, o);
    if (ok)
        move_limit(m, o->wall_ns);
    if (!ok && m->fails[i] < UINT16_MAX)
        m->fails[i]++;
    again = !ok && may_retry(m, i);
    m->state[i] = again ? DTX_TASK_PAUSED : DTX_TASK_RECORDING;
    dtx_master_record(m, o, !again);
    if (again) {
        dtx_master_next_attempt(m, i);
        m->st.retried++;
        push_retry(m, i);
    }
}

static void check_halt(struct dtx_master *m)
{
    const struct dtx_halt *h = &m->c.halt;
    uint64_t failed = m->st.failed - m->st.prior_failed;
    uint64_t ended = failed + m->st.ok - m->st.prior_ok;
    bool halt = h->failures > 0 && failed >= h->failures;

    if (h->percent > 0 && ended >= 3)
        halt |= (double)failed * 100.0 >= h->percent * (double)ended;
    if (!halt || m->stopping)
        return;
    m->halted = true;
    dtx_master_stop(m, h->how);
}

static void settle(struct dtx_master *m, const struct dtx_pending *p)
{
    uint32_t i = p->outcome.task;
    struct dtx_action *a = dtx_actions_add(m->out, DTX_ACT_SHOW);

    if (a) {
        a->u.show.outcome = p->outcome;
        a->u.show.final = p->final;
    }
    if (!p->final)
        return;
    forget(m, i);
    if (p->outcome.status == DTX_STATUS_OK) {
        m->state[i] = DTX_TASK_OK;
        m->st.ok++;
        begin_walk(m, i, DTX_NO_TASK);
    } else {
        m->state[i] = DTX_TASK_FAILED;
        m->st.failed++;
        begin_walk(m, i, i);
    }
    check_halt(m); /* a success may be the third end */
}

void dtx_master_recorded(struct dtx_master *m, uint64_t number)
{
    while (m->recorded < number && m->pending_len > 0) {
        struct dtx_pending p = m->pending[m->pending_at];

        m->items++;
        m->recorded++;
        m->pending_at = (m->pending_at + 1) % m->pending_cap;
        m->pending_len--;
        settle(m, &p);
    }
}

/* ---- what goes back, and what comes again ---- */

static void go_on_retrying(struct dtx_master *m)
{
    while (m->retry_len > 0 && !m->stopping &&
           m->retry[m->retry_at].at_ns <= m->now_ns && dtx_master_spend(m)) {
        uint32_t i = m->retry[m->retry_at].task;

        m->retry_at = (m->retry_at + 1) % m->retry_cap;
        m->retry_len--;
        dtx_master_make_ready(m, i);
    }
}

void dtx_master_flow(struct dtx_master *m)
{
    dtx_master_take_back(m);
    dtx_master_unpark(m);
    go_on_walking(m);
    go_on_retrying(m);
}

bool dtx_master_flow_busy(const struct dtx_master *m)
{
    return m->nwalks > 0 || m->nlost > 0 || m->unparking != DTX_NO_TASK;
}

int64_t dtx_master_flow_due(const struct dtx_master *m)
{
    int64_t pace = dtx_master_pace_due(m);

    if (m->stopping)
        return NEVER;
    if (m->retry_len > 0 && m->retry[m->retry_at].at_ns < pace)
        return m->retry[m->retry_at].at_ns;
    return pace;
}

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
    dtx_master_live_fini(m);
    free(m->pending);
    free(m->walk);
    free(m->retry);
    free(m->doubt);
}

static bool has_successors(const struct dtx_master *m, uint32_t node)
{
    const struct dtx_graph *g = m->c.graph;

    if (m->c.live)
        return dtx_master_live_first(m, node) != DTX_NO_TASK;
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
        node,
        m->c.live ? dtx_master_live_first(m, node) : m->c.graph->start[node],
        cause};
}

static void release(struct dtx_master *m, uint32_t node)
{
    struct dtx_live_gate *gate = dtx_master_live_gate(m, node);
    uint32_t *blockers = gate ? &gate->blockers : &m->blockers[node];
    uint8_t *state = gate ? &gate->state : &m->state[node];

    --*blockers;
    if (*blockers > 0 || *state != DTX_TASK_BLOCKED)
        return;
    if (node < m->ntasks) {
        dtx_master_make_ready(m, node);
    } else {
        *state = DTX_TASK_OK;
        begin_walk(m, node, DTX_NO_TASK);
    }
}

void dtx_master_forget(struct dtx_master *m, uint32_t task)
{
    struct dtx_action *a =
        m->c.live ? dtx_actions_add(m->out, DTX_ACT_FORGET) : NULL;

    if (a)
        a->u.over = task;
}

void dtx_master_skip(struct dtx_master *m, uint32_t node, uint32_t cause)
{
    struct dtx_live_gate *gate = dtx_master_live_gate(m, node);
    uint8_t *state = gate ? &gate->state : &m->state[node];

    if (!m->c.live && dtx_graph_is_barrier(m->c.graph, node)) {
        release(m, node); /* for it an end is an end */
        return;
    }
    if (*state != DTX_TASK_BLOCKED)
        return;
    *state = DTX_TASK_SKIPPED;
    if (gate) {
        gate->cause = cause;
    } else if (node < m->ntasks) {
        m->owner[node] = cause;
        m->st.skipped++;
        dtx_master_forget(m, node);
    }
    begin_walk(m, node, cause);
}

/* The node the walk comes to next. The walk is popped when that is its last
 * one, before a deeper one can be pushed. */
static uint32_t next_node(struct dtx_master *m, struct dtx_walk *w)
{
    const struct dtx_graph *g = m->c.graph;
    uint32_t node;

    if (!m->c.live) {
        node = g->succ[w->edge++];
        m->nwalks -= w->edge == g->start[w->node + 1];
        return node;
    }
    node = dtx_master_live_pop(m, w->node, &w->edge);
    m->nwalks -= w->edge == DTX_NO_TASK;
    return node;
}

static void go_on_walking(struct dtx_master *m)
{
    while (m->nwalks > 0 && dtx_master_spend(m)) {
        struct dtx_walk *w = &m->walk[m->nwalks - 1];
        uint32_t cause = w->cause, node = next_node(m, w);

        if (cause == DTX_NO_TASK)
            release(m, node);
        else
            dtx_master_skip(m, node, cause);
    }
}

/* ---- the start ---- */

void dtx_master_start_task(struct dtx_master *m, uint32_t i,
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
    dtx_master_forget(m, i);
}

void dtx_master_flow_start(struct dtx_master *m)
{
    uint32_t i;

    for (i = 0; i < m->ntasks; i++)
        dtx_master_start_task(m, i, m->c.prior ? (enum dtx_prior)m->c.prior[i]
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

/* ---- rings ---- */

void *dtx_master_ring(void *ring, size_t *at, size_t len, size_t *cap,
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
    struct dtx_pending *p = dtx_master_ring(
        m->pending, &m->pending_at, m->pending_len, &m->pending_cap,
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
    struct dtx_retry *p = dtx_master_ring(
        m->retry, &m->retry_at, m->retry_len, &m->retry_cap, sizeof(*p));

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
    dtx_master_speed_ended(m, o);
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
        (m->st.granted == 0 && dtx_master_nready(m) == 0);
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

    if (!dtx_status_finished((enum dtx_status)o->status)) {
        dtx_master_next_attempt(m, i);
        dtx_master_make_ready(m, i);
        return;
    }
    measure(m, o);
    if (ok) {
        move_limit(m, o->wall_ns);
        dtx_master_learn(m, o->wall_ns);
    }
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

/* Of how many tasks a share is meant; 0: not known yet. */
static uint64_t halt_base(const struct dtx_master *m, uint64_t ended)
{
    if (m->c.halt.on == DTX_HALT_FAIL)
        return ended >= 3 ? ended : 0;
    return m->open ? 0 : m->ntasks - m->st.prior_ok - m->st.prior_failed;
}

static void check_halt(struct dtx_master *m)
{
    const struct dtx_halt *h = &m->c.halt;
    uint64_t failed = m->st.failed - m->st.prior_failed;
    uint64_t ok = m->st.ok - m->st.prior_ok;
    uint64_t n = h->on == DTX_HALT_FAIL      ? failed
                 : h->on == DTX_HALT_SUCCESS ? ok
                                             : ok + failed;
    uint64_t base = h->percent > 0 ? halt_base(m, ok + failed) : 0;

    if (m->stopping ||
        !((h->count > 0 && n >= h->count) ||
          (base > 0 && (double)n * 100.0 >= h->percent * (double)base)))
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
    dtx_master_forget(m, i);
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
    dtx_master_judge(m);
    dtx_master_unpark(m);
    dtx_master_return(m);
    go_on_walking(m);
    go_on_retrying(m);
}

bool dtx_master_flow_busy(const struct dtx_master *m)
{
    return m->nwalks > 0 || m->nlost > 0 || m->unparking != DTX_NO_TASK ||
           m->returning != DTX_NO_TASK;
}

int64_t dtx_master_flow_due(const struct dtx_master *m)
{
    int64_t pace = dtx_master_pace_due(m), late = dtx_master_late_due(m);
    int64_t doubt = dtx_master_doubt_due(m);

    if (doubt < late)
        late = doubt;
    if (m->stopping)
        return late;
    if (late < pace)
        pace = late;
    if (dtx_master_steal_due(m) < pace)
        pace = dtx_master_steal_due(m);
    if (dtx_master_aside_due(m) < pace)
        pace = dtx_master_aside_due(m);
    if (m->retry_len > 0 && m->retry[m->retry_at].at_ns < pace)
        return m->retry[m->retry_at].at_ns;
    return pace;
}

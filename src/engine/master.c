/* SPDX-License-Identifier: MIT */
/* The master hears events, checks that frames are from whom they say and of
 * this session, and keeps the count.  It decides nothing about placement
 * (master_grant.c) nor about what follows from an end (master_flow.c). */
#include "engine/master.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/master_state.h"

void dtx_master_trace(struct dtx_master *m, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    if (!m->c.trace)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    m->c.trace(m->c.trace_ctx, line);
}

const struct dtx_task_attr *dtx_master_attr(const struct dtx_master *m,
                                            uint32_t task)
{
    return dtx_tasklist_attr_of(m->c.list, task);
}

bool dtx_master_spend(struct dtx_master *m)
{
    if (m->budget == 0)
        return false;
    m->budget--;
    m->items++;
    return true;
}

/* ---- sending ---- */

bool dtx_master_open(struct dtx_master *m, uint32_t to,
                     const struct dtx_msg *msg)
{
    struct dtx_action *a = dtx_actions_add(m->out, DTX_ACT_SEND);
    struct dtx_msg copy = *msg;

    if (!a)
        return false;
    a->u.to = to;
    copy.epoch = m->c.epoch;
    copy.incarnation = m->rank[to].incarnation;
    dtx_msg_encode(&m->out->bytes, &copy);
    return true;
}

void dtx_master_sent(struct dtx_master *m)
{
    dtx_actions_close(m->out);
    m->st.frames_out++;
}

void dtx_master_send(struct dtx_master *m, uint32_t to, struct dtx_msg msg)
{
    if (dtx_master_open(m, to, &msg))
        dtx_master_sent(m);
}

/* ---- stopping ---- */

void dtx_master_stop(struct dtx_master *m, enum dtx_stop how)
{
    struct dtx_msg msg = {.kind = DTX_MSG_STOP};
    uint32_t r;

    if (how <= m->stopping || m->finished)
        return;
    m->stopping = how;
    dtx_master_trace(m, "stop %s", how == DTX_STOP_KILL ? "kill" : "drain");
    msg.u.stop.mode = (uint8_t)how;
    for (r = 0; r < m->c.nranks; r++) {
        if (m->rank[r].alive)
            dtx_master_send(m, r, msg);
    }
}

/* ---- ranks ---- */

/* A frame of another session or of a rank that counts as dead: not believed;
 * its sender is told once, so that it ends what it runs. */
static void refuse(struct dtx_master *m, uint32_t from,
                   const struct dtx_msg *msg)
{
    struct dtx_msg bye = {.kind = DTX_MSG_BYE};
    uint32_t keep = m->rank[from].incarnation;

    m->st.refused++;
    dtx_master_trace(m, "refused %s of rank %u", dtx_msg_name(msg->kind),
                     from);
    if (msg->epoch != m->c.epoch || m->rank[from].fenced)
        return;
    m->rank[from].fenced = true;
    m->rank[from].incarnation = msg->incarnation;
    dtx_master_send(m, from, bye);
    m->rank[from].incarnation = keep;
}

/* Tell a rank that has just come what it missed. */
static void greet(struct dtx_master *m, uint32_t r)
{
    struct dtx_msg msg = {.kind = DTX_MSG_STOP};

    if (m->finished) {
        msg.kind = DTX_MSG_BYE;
        dtx_master_send(m, r, msg);
    } else if (m->stopping) {
        msg.u.stop.mode = (uint8_t)m->stopping;
        dtx_master_send(m, r, msg);
    }
}

static void join(struct dtx_master *m, uint32_t r, const struct dtx_msg *msg)
{
    struct dtx_rank *k = &m->rank[r];
    size_t n = msg->u.hello.host.len;

    k->alive = true;
    k->slots = msg->u.hello.slots;
    k->given = 0;
    k->given_s = 0;
    if (n >= sizeof(k->host))
        n = sizeof(k->host) - 1;
    memcpy(k->host, msg->u.hello.host.data, n);
    k->host[n] = '\0';
    m->nalive++;
    m->slots_alive += k->slots;
    dtx_master_speed_join(m, r);
    dtx_master_listen(m, r);
    dtx_master_trace(m, "rank %u came with %u slots", r, k->slots);
    if (dtx_master_rank_joined(m, r))
        m->nomem = true;
}

static void on_hello(struct dtx_master *m, uint32_t from,
                     const struct dtx_msg *msg)
{
    struct dtx_rank *k = &m->rank[from];
    bool good = msg->u.hello.protocol == DTX_PROTOCOL &&
                msg->u.hello.slots > 0 && msg->u.hello.slots <= DTX_MAX_CPUS;

    if (k->came && msg->incarnation <= k->incarnation)
        return;
    if (k->alive)
        dtx_master_lose(m, &(struct dtx_loss){.rank = from});
    /* who was declared lost before coming may be dead: its greeting was under
     * way, and nobody would declare it again */
    good = good && !k->absent;
    if (!k->came)
        m->ncame++;
    if (k->absent)
        m->nabsent--;
    k->absent = false;
    k->came = true;
    k->incarnation = msg->incarnation;
    if (!good) {
        refuse(m, from, msg);
        return;
    }
    join(m, from, msg);
    greet(m, from);
    dtx_master_send_limit(m, from);
    dtx_master_send_deadline(m, from);
}

/* ---- frames ---- */

bool dtx_master_has_attempt(const struct dtx_master *m, uint32_t rank,
                            uint32_t task, uint32_t attempt)
{
    return task < m->ntasks && m->state[task] == DTX_TASK_GRANTED &&
           m->owner[task] == rank && m->attempt[task] == attempt;
}

/* What the rank said it has waiting, and what was under way to it then. */
static void note_waiting(struct dtx_rank *k, uint64_t received,
                         uint32_t waiting)
{
    uint64_t under_way = k->given > received ? k->given - received : 0;

    k->waiting = waiting + under_way;
    if (k->waiting > k->count)
        k->waiting = k->count;
}

static int on_done(struct dtx_master *m, uint32_t from, struct dtx_msg *msg)
{
    struct dtx_item_outcome item;
    struct dtx_outcome o;
    int rc;

    while ((rc = dtx_item_outcome_next(&msg->items, &item)) > 0) {
        m->items++;
        if (dtx_outcome_from_item(&item, &o))
            return DTX_EPROTO;
        if (!dtx_master_has_attempt(m, from, o.task, o.attempt)) {
            m->st.refused++;
            continue;
        }
        o.rank = from;
        dtx_master_told(m, &o);
    }
    if (rc < 0)
        return rc;
    note_waiting(&m->rank[from], msg->u.done.received, msg->u.done.waiting);
    dtx_master_rank_changed(m, from);
    dtx_master_settle(m, from);
    return DTX_OK;
}

/* The YIELD of this rank has been answered. */
static void end_steal(struct dtx_master *m, uint32_t from, uint32_t moved)
{
    struct dtx_rank *k = &m->rank[from];
    uint32_t thief = k->thief;

    k->yield_pending = false;
    k->thief = NO_RANK;
    if (thief != NO_RANK) {
        m->rank[thief].asking = false;
        m->st.steals += moved > 0;
        dtx_master_rank_changed(m, thief);
    }
    dtx_master_rank_changed(m, from);
    dtx_master_settle(m, from);
    if (m->called_back)
        dtx_master_call_back(m, from);
    else if (thief != NO_RANK)
        dtx_master_reclaim(m, from);
}

static int on_yielded(struct dtx_master *m, uint32_t from, struct dtx_msg *msg)
{
    struct dtx_rank *k = &m->rank[from];
    struct dtx_item_taskref ref;
    bool alone = dtx_master_nready(m) == 0;
    uint32_t n = 0;
    int rc;

    while ((rc = dtx_item_taskref_next(&msg->items, &ref)) > 0) {
        m->items++;
        if (!dtx_master_has_attempt(m, from, ref.task, ref.attempt)) {
            m->st.refused++;
            continue;
        }
        dtx_master_unlink(m, ref.task);
        k->given_s -= (double)m->est_s[ref.task] *
                      dtx_master_attr(m, ref.task)->cpus;
        dtx_master_make_ready(m, ref.task);
        n++;
    }
    if (rc < 0)
        return rc;
    dtx_master_trace(m, "rank %u yielded %u", from, n);
    note_waiting(k, msg->u.yielded.received, msg->u.yielded.waiting);
    if (k->thief != NO_RANK) {
        m->st.stolen += n;
        k->stolen_from += n;
        m->rank[k->thief].stolen_by += n;
        if (alone && m->c.zones)
            dtx_master_hand_over(m, k->thief, n);
    }
    if (msg->u.yielded.more)
        dtx_master_rank_changed(m, from);
    else
        end_steal(m, from, n);
    return DTX_OK;
}

static int on_message(struct dtx_master *m, uint32_t from, struct dtx_msg *msg)
{
    switch (msg->kind) {
    case DTX_MSG_DONE:
        return on_done(m, from, msg);
    case DTX_MSG_YIELDED:
        return on_yielded(m, from, msg);
    case DTX_MSG_STOPREQ:
        if (msg->u.stopreq.mode != DTX_STOP_DRAIN &&
            msg->u.stopreq.mode != DTX_STOP_KILL)
            return DTX_EPROTO;
        m->rank[from].told_stop = true;
        dtx_master_asked(m, (enum dtx_stop)msg->u.stopreq.mode);
        return DTX_OK;
    case DTX_MSG_BYE:
        m->rank[from].left = m->finished;
        dtx_master_part(m, from);
        return DTX_OK;
    case DTX_MSG_PING:
        if (from > 0)
            dtx_master_send(m, from, *msg);
        return DTX_OK;
    default:
        return DTX_EPROTO;
    }
}

static void on_frame(struct dtx_master *m, const struct dtx_event *ev)
{
    uint32_t from = ev->u.frame.from;
    struct dtx_msg msg;

    if (from >= m->c.nranks)
        return;
    m->st.frames_in++;
    if (dtx_msg_decode(ev->u.frame.data, ev->u.frame.len, &msg)) {
        dtx_master_expel(m, from, false);
        return;
    }
    if (msg.kind == DTX_MSG_HELLO && msg.epoch == m->c.epoch) {
        on_hello(m, from, &msg);
        return;
    }
    if (msg.epoch != m->c.epoch || !m->rank[from].alive ||
        msg.incarnation != m->rank[from].incarnation) {
        refuse(m, from, &msg);
        return;
    }
    dtx_master_heard(m, from);
    if (on_message(m, from, &msg)) {
        dtx_master_trace(m, "bad %s of rank %u", dtx_msg_name(msg.kind),
                         from);
        dtx_master_expel(m, from, false);
    }
}

/* ---- the step ---- */

static bool all_over(const struct dtx_master *m)
{
    if (!m->started || m->pending_len > 0 || m->doubt_len > 0 ||
        dtx_master_flow_busy(m))
        return false;
    if (m->nalive == 0 && dtx_master_all_came(m))
        return true;
    if (m->st.granted > 0)
        return false;
    if (m->stopping)
        return true;
    if (m->open)
        return false;
    return m->retry_len == 0 && !dtx_master_placeable(m);
}

static void finish(struct dtx_master *m)
{
    struct dtx_msg bye = {.kind = DTX_MSG_BYE};
    uint32_t r;

    m->finished = true;
    dtx_master_trace(m, "finish");
    for (r = 0; r < m->c.nranks; r++) {
        if (m->rank[r].alive)
            dtx_master_send(m, r, bye);
    }
    (void)dtx_actions_add(m->out, DTX_ACT_FINISH);
}

/* What is due now is done at the last of the events that wait: a timer for it
 * might be heard before that one, again and again. */
static void arm_timer(struct dtx_master *m, bool more)
{
    int64_t due = m->finished ? NEVER : dtx_master_flow_due(m);
    struct dtx_action *a;

    if (!m->finished && (dtx_master_flow_busy(m) || m->budget == 0))
        due = m->now_ns;
    if (m->look_ns < due)
        due = m->look_ns;
    if (due == NEVER || due == m->armed_ns || (more && due <= m->now_ns))
        return;
    a = dtx_actions_add(m->out, DTX_ACT_WAKE_AT);
    if (a)
        a->u.wake_at_ns = due;
    m->armed_ns = due;
}

/* After FINISH: whoever comes late or was not believed is told to go, and who
 * never says good bye is not waited for. */
static void hear_late(struct dtx_master *m, const struct dtx_event *ev)
{
    if (ev->kind == DTX_EV_FRAME)
        on_frame(m, ev);
    else if (ev->kind == DTX_EV_RANK_LOST && ev->u.lost.rank < m->c.nranks)
        dtx_master_lose(m, &ev->u.lost);
    else if (ev->kind == DTX_EV_TIMER)
        m->armed_ns = NEVER;
}

int dtx_master_step(struct dtx_master *m, const struct dtx_event *ev,
                    struct dtx_actions *out)
{
    dtx_actions_clear(out);
    m->out = out;
    m->now_ns = ev->now_ns;
    m->budget = m->c.slice;
    dtx_master_wake(m);
    if (m->finished) {
        hear_late(m, ev);
        if (!ev->more)
            dtx_master_look(m);
        arm_timer(m, ev->more);
        return m->nomem || out->failed || out->bytes.failed ? DTX_ENOMEM
                                                            : DTX_OK;
    }
    switch (ev->kind) {
    case DTX_EV_START:
        m->started = true;
        m->begin_ns = ev->now_ns;
        dtx_master_flow_start(m);
        break;
    case DTX_EV_FRAME:
        on_frame(m, ev);
        break;
    case DTX_EV_RECORDED:
        dtx_master_recorded(m, ev->u.recorded);
        break;
    case DTX_EV_RANK_LOST:
        if (ev->u.lost.rank < m->c.nranks)
            dtx_master_lose(m, &ev->u.lost);
        break;
    case DTX_EV_STOP:
        m->rank[0].told_stop = true;
        dtx_master_asked(m, ev->u.stop);
        break;
    case DTX_EV_TIMER:
        m->armed_ns = NEVER;
        break;
    case DTX_EV_TASKS:
        dtx_master_arrive(m, &ev->u.tasks);
        break;
    case DTX_EV_CLOSED:
        m->open = false;
        break;
    case DTX_EV_DEADLINE:
        dtx_master_set_deadline(m, ev->u.deadline_ns);
        break;
    case DTX_EV_COSTS:
        dtx_master_predict(m, &ev->u.costs);
        break;
    case DTX_EV_TASK_ENDED:
    case DTX_EV_RECALLED:
    case DTX_EV_HELD:
        break; /* the worker's */
    }
    if (!ev->more) /* what waits to be heard is heard first */
        dtx_master_look(m);
    dtx_master_flow(m);
    dtx_master_heed_deadline(m);
    if (!ev->more && !m->stopping)
        dtx_master_dispatch(m);
    if (all_over(m))
        finish(m);
    arm_timer(m, ev->more);
    return m->nomem || out->failed || out->bytes.failed ? DTX_ENOMEM : DTX_OK;
}

void dtx_master_expect(const struct dtx_master *m, uint32_t rank)
{
    const char *k = (const char *)&m->rank[rank];

    __builtin_prefetch(k);
    __builtin_prefetch(k + 64);
    __builtin_prefetch(k + 128);
}

/* ---- looking ---- */

bool dtx_master_all_gone(const struct dtx_master *m)
{
    return m->finished && m->nalive == 0 && dtx_master_all_came(m);
}

void dtx_master_stats(const struct dtx_master *m, struct dtx_master_stats *s)
{
    size_t i;

    *s = m->st;
    s->tasks = m->ntasks;
    s->ready = dtx_master_nready(m) + m->nparked + m->st.late;
    s->paused = m->retry_len;
    s->left = s->tasks - s->ok - s->failed - s->skipped;
    s->work = m->items + m->ready.compares + m->wide.compares +
              m->heavy.compares +
              m->low.compares + m->rich.compares + m->hungry.compares +
              m->patient.compares + m->reserved.compares;
    for (i = 0; i < m->ngroups; i++)
        s->work += m->group[i].free.compares;
    s->stopping = m->stopping;
    s->halted = m->halted;
    s->finished = m->finished;
    s->open = m->open;
}

void dtx_master_rank_stats(const struct dtx_master *m, uint32_t rank,
                           struct dtx_rank_stats *s)
{
    const struct dtx_rank *k = &m->rank[rank];

    memset(s, 0, sizeof(*s));
    s->alive = k->alive;
    s->left = k->left;
    s->came = k->came;
    s->lost_ns = k->lost_ns;
    s->took_back = k->took_back;
    s->slots = k->slots;
    memcpy(s->host, k->host, sizeof(s->host));
    s->ended = k->ended;
    s->granted = k->count;
    s->given = k->given;
    s->busy_ns = k->busy_ns;
    s->stolen_from = k->stolen_from;
    s->stolen_by = k->stolen_by;
    s->speed = k->speed;
    s->stood_back = k->stood_back;
}

const struct dtx_speeds *dtx_master_speeds(const struct dtx_master *m)
{
    return &m->speeds;
}

enum dtx_task_state dtx_master_task_state(const struct dtx_master *m,
                                          uint32_t task)
{
    return task < m->ntasks ? (enum dtx_task_state)m->state[task]
                            : DTX_TASK_BLOCKED;
}

uint32_t dtx_master_skip_cause(const struct dtx_master *m, uint32_t task)
{
    return m->state[task] == DTX_TASK_SKIPPED ? m->owner[task] : DTX_NO_TASK;
}

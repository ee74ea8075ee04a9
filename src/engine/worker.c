/* SPDX-License-Identifier: MIT */
/* A rank's side of the job; see worker.h.  It never chooses between tasks: what
 * was granted first is handed over first, and what was granted last is given
 * back first. */
#include "engine/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "engine/worker_state.h"

/* DONE and YIELDED are sent when they have grown to this many bytes. */
#define LIST_BYTES 32768
/* Others take all there is; and what is a change worth a message: a twentieth
 * of the processors. */
#define OTHERS_ALL 1001u
#define OTHERS_NEWS 50u

void dtx_worker_trace(struct dtx_worker *w, const char *fmt, ...)
{
    char line[160];
    va_list ap;

    if (!w->c.trace)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    w->c.trace(w->c.trace_ctx, line);
}

/* Hand over as many as fit, in the order in which they were granted. */
static void hand_over(struct dtx_worker *w)
{
    while (w->q_len > 0 && !w->stopping) {
        struct dtx_queued *q = w->queue[w->q_at];
        struct dtx_action *a;

        if (w->count > 0 && w->used + q->cpus >
                                (uint64_t)w->c.slots + w->c.ahead)
            return;
        a = dtx_actions_add(w->out, DTX_ACT_RUN);
        if (!a || !dtx_worker_remember(w, q)) {
            w->nomem = true;
            return;
        }
        dtx_buf_append(&w->out->bytes, q + 1, q->len);
        dtx_actions_close(w->out);
        (void)dtx_worker_dequeue(w, false);
        free(q);
    }
}

/* ---- sending ---- */

/* Slots' worth handed over beyond the slots: it waits in the executor, as the
 * newest tasks there, unless the news of an end is still under way. While that
 * starts nothing it may be all. */
static uint64_t beyond(const struct dtx_worker *w)
{
    if (w->held)
        return w->used;
    return w->used > w->c.slots ? w->used - w->c.slots : 0;
}

/* Tasks that have not started, as far as this side knows. */
static uint32_t waiting(const struct dtx_worker *w)
{
    uint64_t n = w->q_len, left = beyond(w);
    uint32_t i = w->newest;

    if (w->wide == 0) { /* no need to walk, a slot is a task */
        n += left < w->fresh ? left : w->fresh;
        i = NONE;
    }
    for (; i != NONE && left > 0 && !w->entry[i].started;
         i = w->entry[i].older) {
        left -= w->entry[i].cpus < left ? w->entry[i].cpus : left;
        n++;
    }
    return n > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)n;
}

void dtx_worker_send(struct dtx_worker *w, struct dtx_msg msg,
                     struct dtx_buf *list)
{
    struct dtx_action *a = dtx_actions_add(w->out, DTX_ACT_SEND);

    if (!a || (list && list->failed)) {
        w->nomem = true;
        return;
    }
    a->u.to = 0;
    msg.epoch = w->c.epoch;
    msg.incarnation = w->c.incarnation;
    dtx_msg_encode(&w->out->bytes, &msg);
    if (list) {
        dtx_buf_append(&w->out->bytes, list->data, list->len);
        dtx_buf_clear(list);
    }
    dtx_actions_close(w->out);
}

/* What has ended, which may be nothing, and what waits. */
static void report(struct dtx_worker *w)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DONE};

    msg.u.done.received = w->received;
    msg.u.done.waiting = waiting(w);
    msg.u.done.others = w->others_told = w->others;
    dtx_worker_send(w, msg, &w->ended);
}

static void send_done(struct dtx_worker *w)
{
    if (w->ended.len > 0 || w->ended.failed)
        report(w);
}

/* ---- yielding ---- */

static void send_yielded(struct dtx_worker *w, bool more)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELDED};

    send_done(w); /* what ended before is told before */
    msg.u.yielded.received = w->received;
    msg.u.yielded.waiting = waiting(w);
    msg.u.yielded.more = more;
    dtx_worker_send(w, msg, &w->given);
}

static void give_back(struct dtx_worker *w, uint32_t task, uint32_t attempt)
{
    struct dtx_item_taskref ref = {task, attempt};

    dtx_item_taskref_encode(&w->given, &ref);
    if (w->given.len > LIST_BYTES)
        send_yielded(w, true);
}

/* Answer the YIELD when every recall has been answered. */
static void end_yield(struct dtx_worker *w)
{
    if (!w->yielding || w->recalls > 0)
        return;
    w->yielding = false;
    send_yielded(w, false);
}

/* Give back up to 'n': first what is queued here, last come first; then ask
 * back what was handed over beyond the slots. */
static void begin_yield(struct dtx_worker *w, uint32_t n)
{
    uint64_t left = beyond(w);
    uint32_t i;
    struct dtx_queued *q;

    w->yielding = true;
    for (; n > 0 && (q = dtx_worker_dequeue(w, true)); n--) {
        give_back(w, q->task, q->attempt);
        free(q);
    }
    for (i = w->newest;
         i != NONE && n > 0 && left > 0 && !w->entry[i].started;
         i = w->entry[i].older) {
        struct dtx_handed *h = &w->entry[i];
        struct dtx_action *a;

        if (h->recalling)
            continue;
        a = dtx_actions_add(w->out, DTX_ACT_RECALL);
        if (!a)
            return;
        a->u.ref.task = h->task;
        a->u.ref.attempt = h->attempt;
        h->recalling = true;
        w->recalls++;
        n--;
        left -= h->cpus < left ? h->cpus : left;
    }
    end_yield(w);
}

/* Tasks start in their order: when this one has, so have all before it. */
static void note_start(struct dtx_worker *w, struct dtx_handed *h)
{
    uint32_t i = (uint32_t)(h - w->entry);

    for (; i != NONE && !w->entry[i].started; i = w->entry[i].older) {
        w->entry[i].started = true;
        w->fresh--;
    }
}

static void on_recalled(struct dtx_worker *w, const struct dtx_event *ev)
{
    struct dtx_handed *h =
        dtx_worker_find(w, ev->u.recalled.task, ev->u.recalled.attempt);

    /* it may have ended in between: then its entry is gone */
    if (w->recalls > 0)
        w->recalls--;
    if (h && ev->u.recalled.taken_back) {
        give_back(w, h->task, h->attempt);
        dtx_worker_forget(w, h);
    } else if (h) {
        h->recalling = false;
        note_start(w, h);
    }
    end_yield(w);
}

/* ---- events ---- */

static void on_start(struct dtx_worker *w, int64_t now_ns)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO};

    dtx_worker_lease_start(w, now_ns);
    msg.u.hello.protocol = DTX_PROTOCOL;
    msg.u.hello.slots = w->c.slots;
    msg.u.hello.host = dtx_str_of(w->host);
    dtx_worker_send(w, msg, NULL);
}

void dtx_worker_kill_all(struct dtx_worker *w)
{
    uint32_t i;

    for (i = w->newest; i != NONE; i = w->entry[i].older) {
        struct dtx_action *a = dtx_actions_add(w->out, DTX_ACT_KILL);

        if (!a)
            return;
        a->u.ref.task = w->entry[i].task;
        a->u.ref.attempt = w->entry[i].attempt;
    }
}

static void on_stop(struct dtx_worker *w, enum dtx_stop how)
{
    if (how <= w->stopping)
        return;
    w->stopping = how;
    dtx_worker_trace(w, "stop %s", how == DTX_STOP_KILL ? "kill" : "drain");
    w->yield_all = true;
    w->kill_all |= how == DTX_STOP_KILL;
}

/* What was within the slots waits as well: others may have it, or it goes back
 * with all the rest. */
static void on_held(struct dtx_worker *w, bool held)
{
    if (w->held == held)
        return;
    w->held = held;
    w->yield_all |= held && w->stopping;
    dtx_worker_trace(w, held ? "held" : "not held");
    report(w);
}

/* What is new is told at once; small changes go with what ends next. */
static void on_others(struct dtx_worker *w, uint32_t others)
{
    uint32_t last = w->others_told;

    w->others = others < OTHERS_ALL ? others : OTHERS_ALL;
    if (w->others >= last + OTHERS_NEWS || last >= w->others + OTHERS_NEWS)
        report(w);
}

static void on_bye(struct dtx_worker *w)
{
    struct dtx_msg msg = {.kind = DTX_MSG_BYE};

    dtx_worker_kill_all(w); /* nothing is left, unless we are not believed any
                               more */
    dtx_worker_send(w, msg, NULL);
    (void)dtx_actions_add(w->out, DTX_ACT_FINISH);
    w->finished = true;
}

static int on_grant(struct dtx_worker *w, struct dtx_msg *msg)
{
    const unsigned char *begin = msg->items.p;
    struct dtx_item_work item;
    int rc;

    for (; (rc = dtx_item_work_next(&msg->items, &item)) > 0;
         begin = msg->items.p) {
        if (item.cpus == 0 || item.cpus > w->c.slots)
            return DTX_EPROTO;
        w->received++;
        if (!dtx_worker_enqueue(w, &item, begin,
                                (size_t)(msg->items.p - begin))) {
            w->nomem = true;
            return DTX_ENOMEM;
        }
    }
    return rc;
}

static int on_limit(struct dtx_worker *w, const struct dtx_msg *msg)
{
    struct dtx_action *a;

    if (msg->u.limit.timeout_ns <= 0)
        return DTX_EPROTO;
    a = dtx_actions_add(w->out, DTX_ACT_LIMIT);
    if (a)
        a->u.limit_ns = msg->u.limit.timeout_ns;
    return DTX_OK;
}

static void on_deadline(struct dtx_worker *w, const struct dtx_msg *msg,
                        int64_t now_ns)
{
    struct dtx_action *a = dtx_actions_add(w->out, DTX_ACT_DEADLINE);
    int64_t left = msg->u.deadline.left_ns;

    if (a)
        a->u.deadline_ns =
            left > INT64_MAX - now_ns ? INT64_MAX : now_ns + left;
}

static int on_frame(struct dtx_worker *w, const struct dtx_event *ev)
{
    struct dtx_msg msg;

    if (dtx_msg_decode(ev->u.frame.data, ev->u.frame.len, &msg))
        return DTX_EPROTO;
    if (msg.epoch != w->c.epoch || msg.incarnation != w->c.incarnation ||
        ev->u.frame.from != 0)
        return DTX_OK;
    dtx_worker_meet(w, ev->now_ns);
    switch (msg.kind) {
    case DTX_MSG_GRANT:
        return on_grant(w, &msg);
    case DTX_MSG_YIELD:
        if (!w->yielding)
            begin_yield(w, msg.u.yield.count);
        return DTX_OK;
    case DTX_MSG_STOP:
        if (msg.u.stop.mode != DTX_STOP_DRAIN &&
            msg.u.stop.mode != DTX_STOP_KILL)
            return DTX_EPROTO;
        on_stop(w, (enum dtx_stop)msg.u.stop.mode);
        return DTX_OK;
    case DTX_MSG_LIMIT:
        return on_limit(w, &msg);
    case DTX_MSG_DEADLINE:
        on_deadline(w, &msg, ev->now_ns);
        return DTX_OK;
    case DTX_MSG_PING:
        return dtx_worker_answered(w, msg.u.ping.sent_ns, ev->now_ns);
    case DTX_MSG_BYE:
        on_bye(w);
        return DTX_OK;
    default:
        return DTX_EPROTO;
    }
}

static void on_ended(struct dtx_worker *w, const struct dtx_event *ev)
{
    const struct dtx_outcome *o = ev->u.ended;
    struct dtx_handed *h = dtx_worker_find(w, o->task, o->attempt);
    struct dtx_item_outcome item;

    if (!h)
        return;
    dtx_worker_forget(w, h);
    dtx_outcome_to_item(o, &item);
    item.rank = w->c.rank;
    dtx_item_outcome_encode(&w->ended, &item);
    if (w->ended.len > LIST_BYTES)
        send_done(w);
}

static void ask_to_stop(struct dtx_worker *w, enum dtx_stop how)
{
    struct dtx_msg msg = {.kind = DTX_MSG_STOPREQ};

    msg.u.stopreq.mode = (uint8_t)how;
    dtx_worker_send(w, msg, NULL);
}

int dtx_worker_step(struct dtx_worker *w, const struct dtx_event *ev,
                    struct dtx_actions *out)
{
    int rc = DTX_OK;

    dtx_actions_clear(out);
    w->out = out;
    if (w->finished)
        return DTX_OK;
    if (w->c.lost_after_ns > 0 && ev->kind != DTX_EV_START)
        dtx_worker_note_gap(w, ev->now_ns);
    switch (ev->kind) {
    case DTX_EV_START:
        on_start(w, ev->now_ns);
        break;
    case DTX_EV_FRAME:
        rc = on_frame(w, ev);
        break;
    case DTX_EV_TASK_ENDED:
        on_ended(w, ev);
        break;
    case DTX_EV_RECALLED:
        on_recalled(w, ev);
        break;
    case DTX_EV_HELD:
        on_held(w, ev->u.held);
        break;
    case DTX_EV_OTHERS:
        on_others(w, ev->u.others);
        break;
    case DTX_EV_STOP:
        ask_to_stop(w, ev->u.stop);
        break;
    case DTX_EV_TIMER:
        dtx_worker_lease_timer(w, ev);
        break;
    case DTX_EV_RECORDED:
    case DTX_EV_RANK_LOST:
    case DTX_EV_TASKS:
    case DTX_EV_CLOSED:
    case DTX_EV_DEADLINE:
    case DTX_EV_COSTS:
        break;
    }
    if (!w->finished) {
        if (w->yield_all && !w->yielding) {
            w->yield_all = false;
            begin_yield(w, UINT32_MAX);
        }
        if (w->kill_all) {
            w->kill_all = false;
            dtx_worker_kill_all(w);
        }
        hand_over(w);
        if (!ev->more)
            send_done(w);
    }
    if (w->nomem || out->failed || out->bytes.failed)
        return DTX_ENOMEM;
    return rc;
}

uint64_t dtx_worker_tasks(const struct dtx_worker *w)
{
    return w->q_len + w->count;
}

bool dtx_worker_finished(const struct dtx_worker *w)
{
    return w->finished;
}

bool dtx_worker_deserted(const struct dtx_worker *w)
{
    return w->deserted;
}

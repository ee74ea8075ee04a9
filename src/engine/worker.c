/* SPDX-License-Identifier: MIT */
/* A rank's side of the job; see worker.h.  It never chooses between tasks: what
 * was granted first is handed over first, and what was granted last is given
 * back first. */
#include "engine/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/pulse.h"
#include "wire/wire.h"

/* DONE and YIELDED are sent when they have grown to this many bytes. */
#define LIST_BYTES 32768
#define NONE UINT32_MAX
/* So many tasks are looked through one by one, the oldest first. */
#define FEW 16

/* A granted task that has not been handed over. */
struct queued {
    uint32_t task, attempt, cpus;
    size_t len; /* of the encoded work item behind this struct */
};

/* A task that has been handed over. Entries are linked twice: by age, and in
 * the bucket of their task. */
struct handed {
    uint32_t task, attempt, cpus;
    uint32_t older, newer;
    uint32_t chain;
    bool recalling; /* a RECALL is unanswered */
    bool started;   /* a RECALL came too late for it or a newer one */
};

struct dtx_worker {
    struct dtx_worker_config c;
    bool finished, deserted;
    int64_t lease_ns;  /* sent then, and answered by the master since */
    int64_t beat_ns;   /* when to ask it again */
    int64_t wake_ns;   /* when to look at these next */
    int64_t step_ns;   /* the last event's time */
    int64_t doubt_ns;  /* in doubt, see 'note_gap': until then */
    bool doubted;      /* since the last answer */
    enum dtx_stop stopping;
    bool met;          /* the master has spoken */
    bool held;         /* what was handed over need not have started */
    uint64_t received; /* tasks granted to us so far */

    struct queued **queue; /* a ring */
    size_t q_at, q_len, q_cap;

    struct handed *entry;
    size_t nentries, cap_entries;
    uint32_t free_entry, newest, oldest;
    uint32_t *bucket; /* NULL: there are few, and they are looked through */
    size_t nbuckets;
    uint64_t count; /* entries in use */
    uint64_t used;  /* cpus they ask for */
    uint64_t fresh; /* of them, not 'started': the newest */
    uint64_t wide;  /* of several cpus */

    bool yielding;         /* a YIELD is being answered */
    bool yield_all;        /* give everything back once that is answered */
    bool kill_all;         /* and end what runs */
    uint32_t recalls;      /* RECALLs unanswered */
    struct dtx_buf given;  /* encoded taskrefs for YIELDED */
    struct dtx_buf ended;  /* encoded outcomes for DONE */
    struct dtx_actions *out;
    bool nomem;
    char host[64];
};

static void trace(struct dtx_worker *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void trace(struct dtx_worker *w, const char *fmt, ...)
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

struct dtx_worker *dtx_worker_create(const struct dtx_worker_config *c)
{
    struct dtx_worker *w = calloc(1, sizeof(*w));
    size_t i;

    if (!w)
        return NULL;
    w->c = *c;
    (void)snprintf(w->host, sizeof(w->host), "%s", c->host ? c->host : "");
    w->free_entry = w->newest = w->oldest = NONE;
    if ((size_t)c->slots + c->ahead <= FEW)
        return w;
    w->nbuckets = 64;
    while (w->nbuckets < 4 * ((size_t)c->slots + c->ahead))
        w->nbuckets *= 2;
    w->bucket = malloc(w->nbuckets * sizeof(*w->bucket));
    if (!w->bucket) {
        free(w);
        return NULL;
    }
    for (i = 0; i < w->nbuckets; i++)
        w->bucket[i] = NONE;
    return w;
}

void dtx_worker_destroy(struct dtx_worker *w)
{
    size_t i;

    if (!w)
        return;
    for (i = 0; i < w->q_len; i++)
        free(w->queue[(w->q_at + i) % w->q_cap]);
    free(w->queue);
    free(w->entry);
    free(w->bucket);
    dtx_buf_free(&w->given);
    dtx_buf_free(&w->ended);
    free(w);
}

/* ---- what has been handed over ---- */

static uint32_t *bucket_of(struct dtx_worker *w, uint32_t task)
{
    return &w->bucket[(task * 2654435761u) & (w->nbuckets - 1)];
}

static struct handed *find(struct dtx_worker *w, uint32_t task,
                           uint32_t attempt)
{
    uint32_t i;

    if (!w->bucket) {
        i = w->oldest;
        while (i != NONE &&
               (w->entry[i].task != task || w->entry[i].attempt != attempt))
            i = w->entry[i].newer;
        return i == NONE ? NULL : &w->entry[i];
    }
    i = *bucket_of(w, task);
    while (i != NONE &&
           (w->entry[i].task != task || w->entry[i].attempt != attempt))
        i = w->entry[i].chain;
    return i == NONE ? NULL : &w->entry[i];
}

static bool remember(struct dtx_worker *w, const struct queued *q)
{
    struct handed *p;
    uint32_t i = w->free_entry, *b = w->bucket ? bucket_of(w, q->task) : NULL;

    if (i == NONE) {
        p = dtx_grow(w->entry, &w->cap_entries, w->nentries + 1, sizeof(*p));
        if (!p)
            return false;
        w->entry = p;
        i = (uint32_t)w->nentries++;
    } else {
        w->free_entry = w->entry[i].chain;
    }
    w->entry[i] = (struct handed){q->task, q->attempt, q->cpus,
                                  w->newest, NONE, b ? *b : NONE, false,
                                  false};
    if (b)
        *b = i;
    if (w->newest != NONE)
        w->entry[w->newest].newer = i;
    else
        w->oldest = i;
    w->newest = i;
    w->count++;
    w->used += q->cpus;
    w->fresh++;
    w->wide += q->cpus > 1;
    return true;
}

static void forget(struct dtx_worker *w, struct handed *h)
{
    uint32_t i = (uint32_t)(h - w->entry), *b;

    if (w->bucket) {
        for (b = bucket_of(w, h->task); *b != i;)
            b = &w->entry[*b].chain;
        *b = h->chain;
    }
    if (h->older != NONE)
        w->entry[h->older].newer = h->newer;
    else
        w->oldest = h->newer;
    if (h->newer != NONE)
        w->entry[h->newer].older = h->older;
    else
        w->newest = h->older;
    w->count--;
    w->used -= h->cpus;
    w->fresh -= !h->started;
    w->wide -= h->cpus > 1;
    h->chain = w->free_entry;
    w->free_entry = i;
}

/* ---- the queue ---- */

/* 'data' is the item as it came. */
static bool enqueue(struct dtx_worker *w, const struct dtx_item_work *item,
                    const void *data, size_t len)
{
    struct queued *q, **p;
    size_t cap = w->q_cap ? w->q_cap * 2 : 64, i;

    if (w->q_len == w->q_cap) {
        p = malloc(cap * sizeof(struct queued *));
        if (!p)
            return false;
        for (i = 0; i < w->q_len; i++)
            p[i] = w->queue[(w->q_at + i) % w->q_cap];
        free(w->queue);
        w->queue = p;
        w->q_cap = cap;
        w->q_at = 0;
    }
    q = malloc(sizeof(*q) + len);
    if (q) {
        *q = (struct queued){item->task, item->attempt, item->cpus, len};
        memcpy(q + 1, data, len);
        w->queue[(w->q_at + w->q_len++) % w->q_cap] = q;
    }
    return q != NULL;
}

static struct queued *dequeue(struct dtx_worker *w, bool from_end)
{
    struct queued *q;

    if (w->q_len == 0)
        return NULL;
    w->q_len--;
    if (from_end)
        return w->queue[(w->q_at + w->q_len) % w->q_cap];
    q = w->queue[w->q_at];
    w->q_at = (w->q_at + 1) % w->q_cap;
    return q;
}

/* Hand over as many as fit, in the order in which they were granted. */
static void hand_over(struct dtx_worker *w)
{
    while (w->q_len > 0 && !w->stopping) {
        struct queued *q = w->queue[w->q_at];
        struct dtx_action *a;

        if (w->count > 0 && w->used + q->cpus >
                                (uint64_t)w->c.slots + w->c.ahead)
            return;
        a = dtx_actions_add(w->out, DTX_ACT_RUN);
        if (!a || !remember(w, q)) {
            w->nomem = true;
            return;
        }
        dtx_buf_append(&w->out->bytes, q + 1, q->len);
        dtx_actions_close(w->out);
        (void)dequeue(w, false);
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

static void send_msg(struct dtx_worker *w, struct dtx_msg msg,
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
    send_msg(w, msg, &w->ended);
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
    send_msg(w, msg, &w->given);
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
    struct queued *q;

    w->yielding = true;
    for (; n > 0 && (q = dequeue(w, true)); n--) {
        give_back(w, q->task, q->attempt);
        free(q);
    }
    for (i = w->newest;
         i != NONE && n > 0 && left > 0 && !w->entry[i].started;
         i = w->entry[i].older) {
        struct handed *h = &w->entry[i];
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
static void note_start(struct dtx_worker *w, struct handed *h)
{
    uint32_t i = (uint32_t)(h - w->entry);

    for (; i != NONE && !w->entry[i].started; i = w->entry[i].older) {
        w->entry[i].started = true;
        w->fresh--;
    }
}

static void on_recalled(struct dtx_worker *w, const struct dtx_event *ev)
{
    struct handed *h =
        find(w, ev->u.recalled.task, ev->u.recalled.attempt);

    /* it may have ended in between: then its entry is gone */
    if (w->recalls > 0)
        w->recalls--;
    if (h && ev->u.recalled.taken_back) {
        give_back(w, h->task, h->attempt);
        forget(w, h);
    } else if (h) {
        h->recalling = false;
        note_start(w, h);
    }
    end_yield(w);
}

/* ---- the master's life ---- */

/* The master waits longer for this rank than the lease lasts (pulse.h). */
static int64_t lease_end(const struct dtx_worker *w)
{
    if (!w->met)
        return w->lease_ns + DTX_PULSE_FIRST_NS;
    return w->lease_ns + dtx_pulse_lease(w->c.lost_after_ns);
}

static void wake_for_lease(struct dtx_worker *w, int64_t now_ns)
{
    struct dtx_action *a = dtx_actions_add(w->out, DTX_ACT_WAKE_AT);
    int64_t end_ns = lease_end(w) + 1;

    if (end_ns <= now_ns)
        end_ns = w->doubt_ns;
    w->wake_ns = end_ns > now_ns && end_ns < w->beat_ns ? end_ns : w->beat_ns;
    if (a)
        a->u.wake_at_ns = w->wake_ns;
}

static void ask_master(struct dtx_worker *w, int64_t now_ns)
{
    struct dtx_msg msg = {.kind = DTX_MSG_PING};

    msg.u.ping.sent_ns = now_ns;
    send_msg(w, msg, NULL);
    w->beat_ns = now_ns + dtx_pulse_beat(w->c.lost_after_ns);
}

static int on_answer(struct dtx_worker *w, int64_t sent_ns, int64_t now_ns)
{
    if (sent_ns > now_ns)
        return DTX_EPROTO;
    if (sent_ns > w->lease_ns)
        w->lease_ns = sent_ns;
    w->doubted = false;
    return DTX_OK;
}

/* The master's first word: its answers to what was asked before may follow. */
static void meet(struct dtx_worker *w, int64_t now_ns)
{
    if (w->met || w->c.lost_after_ns <= 0)
        return;
    w->met = true;
    w->doubt_ns = now_ns + 2 * dtx_pulse_beat(w->c.lost_after_ns);
}

/* This side was stopped, with its machine perhaps, for as long as the master
 * may have been as well: an answer may lie unread. A beat is the time to find
 * it, once. */
static void note_gap(struct dtx_worker *w, int64_t now_ns)
{
    int64_t beat_ns = dtx_pulse_beat(w->c.lost_after_ns);

    if (now_ns - w->step_ns > 2 * beat_ns && !w->doubted) {
        w->doubted = true;
        w->doubt_ns = now_ns + beat_ns;
    }
    w->step_ns = now_ns;
}

/* ---- events ---- */

static void on_start(struct dtx_worker *w, int64_t now_ns)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO};

    if (w->c.lost_after_ns > 0) {
        w->lease_ns = w->step_ns = now_ns;
        w->beat_ns = now_ns + dtx_pulse_beat(w->c.lost_after_ns);
        w->doubt_ns = INT64_MIN;
        wake_for_lease(w, now_ns);
    }
    msg.u.hello.protocol = DTX_PROTOCOL;
    msg.u.hello.slots = w->c.slots;
    msg.u.hello.host = dtx_str_of(w->host);
    send_msg(w, msg, NULL);
}

static void kill_all(struct dtx_worker *w)
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
    trace(w, "stop %s", how == DTX_STOP_KILL ? "kill" : "drain");
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
    trace(w, held ? "held" : "not held");
    report(w);
}

static void on_bye(struct dtx_worker *w)
{
    struct dtx_msg msg = {.kind = DTX_MSG_BYE};

    kill_all(w); /* nothing is left, unless we are not believed any more */
    send_msg(w, msg, NULL);
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
        if (!enqueue(w, &item, begin, (size_t)(msg->items.p - begin))) {
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
    meet(w, ev->now_ns);
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
        return on_answer(w, msg.u.ping.sent_ns, ev->now_ns);
    case DTX_MSG_BYE:
        on_bye(w);
        return DTX_OK;
    default:
        return DTX_EPROTO;
    }
}

/* Rank 0 is dead, or cut off: what it granted is somebody else's by now. */
static void desert(struct dtx_worker *w)
{
    trace(w, "the master is silent");
    kill_all(w);
    (void)dtx_actions_add(w->out, DTX_ACT_FINISH);
    w->finished = w->deserted = true;
}

static void on_timer(struct dtx_worker *w, const struct dtx_event *ev)
{
    int64_t now_ns = ev->now_ns;

    if (w->c.lost_after_ns <= 0 || now_ns < w->wake_ns)
        return;
    if (!ev->more && now_ns > lease_end(w) && now_ns >= w->doubt_ns) {
        desert(w);
        return;
    }
    if (now_ns >= w->beat_ns)
        ask_master(w, now_ns);
    wake_for_lease(w, now_ns);
}

static void on_ended(struct dtx_worker *w, const struct dtx_event *ev)
{
    const struct dtx_outcome *o = ev->u.ended;
    struct handed *h = find(w, o->task, o->attempt);
    struct dtx_item_outcome item;

    if (!h)
        return;
    forget(w, h);
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
    send_msg(w, msg, NULL);
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
        note_gap(w, ev->now_ns);
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
    case DTX_EV_STOP:
        ask_to_stop(w, ev->u.stop);
        break;
    case DTX_EV_TIMER:
        on_timer(w, ev);
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
            kill_all(w);
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

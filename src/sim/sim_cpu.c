/* SPDX-License-Identifier: MIT */
/* When a process is free to hear an event, and what hearing and sending cost
 * it.
 *
 * A process does one thing at a time.  What comes while it is busy waits in its
 * box, and is heard in one go when it is free: up to BATCH events of which all
 * but the last are told that more follow, as in run/loop.c.  A process with
 * nothing to do sleeps; its own tasks, its store, its timers and the ranks of
 * its node wake it, but for frames of other nodes it looks now and then, after
 * naps that double.  It decides nothing about what is heard. */
#include "sim/sim_state.h"

#define BATCH 256 /* as MAX_AT_ONCE of run/loop.c */

/* The process that an event of this target concerns. */
static struct dtx_sim_rank *process_of(struct dtx_sim *s, uint32_t target)
{
    return &s->rank[target == DTX_SIM_MASTER ? 0 : target - 1];
}

static bool is_heard_by_engine(const struct dtx_sim_event *e)
{
    switch (e->kind) {
    case DTX_SIM_STORED:
    case DTX_SIM_NOTICE:
    case DTX_SIM_ANSWER:
    case DTX_SIM_FRAME:
    case DTX_SIM_TIMER:
    case DTX_SIM_STOPPING:
    case DTX_SIM_OTHERS:
    case DTX_SIM_ARRIVE:
    case DTX_SIM_CLOSE:
    case DTX_SIM_DEADLINE:
        return true;
    case DTX_SIM_LOOK:
    case DTX_SIM_END:
    case DTX_SIM_COME:
    case DTX_SIM_FAIL:
    case DTX_SIM_WAKE:
    case DTX_SIM_ALONE:
    case DTX_SIM_LOST:
    case DTX_SIM_CRASH:
        break;
    }
    return false;
}

/* ---- sleeping ---- */

/* When a process that has slept since 'since' looks next, from now on. */
static int64_t next_look(const struct dtx_sim_costs *c, int64_t since,
                         int64_t now)
{
    int64_t nap = c->nap_min_ns, at = since;

    while (at < now && nap < c->nap_max_ns) {
        at += nap;
        nap = 2 * nap < c->nap_max_ns ? 2 * nap : c->nap_max_ns;
    }
    if (at < now)
        at += (now - at + nap - 1) / nap * nap;
    return at;
}

static void look_at(struct dtx_sim_rank *r, int64_t at_ns)
{
    struct dtx_sim *s = r->sim;

    if (r->look != DTX_SIM_NONE && s->event[r->look].at_ns <= at_ns)
        return;
    dtx_sim_cancel(s, r->look);
    r->look = dtx_sim_post(s, at_ns, DTX_SIM_LOOK, r->target, 0);
}

/* A frame that does not ring: it is heard at the next look. */
static bool is_silent(const struct dtx_sim *s, const struct dtx_sim_event *e)
{
    uint32_t other = e->target == DTX_SIM_MASTER ? e->a : e->target - 1;

    return e->kind == DTX_SIM_FRAME && s->c.cost.nap_min_ns > 0 &&
           dtx_sim_is_far(s, other);
}

/* ---- the box ---- */

static void put_in_box(struct dtx_sim_rank *r, uint32_t i)
{
    struct dtx_sim *s = r->sim;

    s->event[i].boxed = true;
    s->event[i].next = DTX_SIM_NONE;
    if (r->box.tail != DTX_SIM_NONE)
        s->event[r->box.tail].next = i;
    else
        r->box.head = i;
    r->box.tail = i;
}

static uint32_t take_from_box(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;
    uint32_t i = r->box.head;

    r->box.head = s->event[i].next;
    if (r->box.head == DTX_SIM_NONE)
        r->box.tail = DTX_SIM_NONE;
    s->event[i].boxed = false;
    return i;
}

/* Is this one that the step before it is told of? A TIMER is not, since the
 * step may move it; nor is what a former life was sent. */
static bool counts(const struct dtx_sim_rank *r, const struct dtx_sim_event *e)
{
    return e->kind != DTX_SIM_TIMER &&
           (e->target == DTX_SIM_MASTER || e->life == r->life);
}

static void begin_batch(struct dtx_sim_rank *r)
{
    const struct dtx_sim *s = r->sim;
    uint32_t i = r->box.head;

    r->more[0] = r->more[1] = r->batch = 0;
    for (; i != DTX_SIM_NONE && r->batch < BATCH; i = s->event[i].next) {
        r->more[s->event[i].target == DTX_SIM_MASTER] +=
            counts(r, &s->event[i]);
        r->batch++;
    }
}

/* What comes to a process that hangs waits in its box as well, or it would be
 * overtaken by what does. */
static bool hangs(const struct dtx_sim_rank *r)
{
    return r->hung && r->sim->now_ns < r->wake_ns;
}

/* Hear what is in the box, until something takes time. */
static void work(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;

    if (hangs(r)) {
        look_at(r, r->wake_ns);
        return;
    }

    while (r->box.head != DTX_SIM_NONE && r->busy_ns <= s->now_ns && !s->over &&
           !s->nomem && !s->broken.code) {
        uint32_t i;

        if (r->batch == 0)
            begin_batch(r);
        i = take_from_box(r);
        r->batch--;
        r->more[s->event[i].target == DTX_SIM_MASTER] -=
            counts(r, &s->event[i]);
        if (s->event[i].dropped)
            dtx_sim_give_event(s, i);
        else
            dtx_sim_hear(s, i);
    }
    if (r->box.head != DTX_SIM_NONE)
        look_at(r, r->busy_ns);
}

bool dtx_sim_cpu_keeps(struct dtx_sim *s, uint32_t i)
{
    struct dtx_sim_event *e = &s->event[i];
    struct dtx_sim_rank *r;

    if (!s->timed)
        return false;
    r = process_of(s, e->target);
    if (e->kind == DTX_SIM_LOOK) {
        r->look = DTX_SIM_NONE;
        dtx_sim_give_event(s, i);
        work(r);
        return true;
    }
    if (!is_heard_by_engine(e))
        return false;
    if (r->busy_ns <= s->now_ns && r->box.head == DTX_SIM_NONE &&
        !is_silent(s, e) && !hangs(r)) {
        r->more[0] = r->more[1] = r->batch = 0;
        return false;
    }
    put_in_box(r, i);
    if (r->busy_ns > s->now_ns)
        look_at(r, r->busy_ns);
    else if (is_silent(s, e))
        look_at(r, next_look(&s->c.cost, r->busy_ns, s->now_ns));
    else
        work(r);
    return true;
}

bool dtx_sim_cpu_more(const struct dtx_sim *s, uint32_t target)
{
    if (target == DTX_SIM_MASTER)
        return s->rank[0].more[1] > 0;
    return s->rank[target - 1].more[0] > 0;
}

void dtx_sim_cpu_reset(struct dtx_sim_rank *r)
{
    r->busy_ns = r->sim->now_ns;
    r->box = (struct dtx_sim_list){DTX_SIM_NONE, DTX_SIM_NONE};
    r->more[0] = r->more[1] = r->batch = 0;
    r->look = DTX_SIM_NONE;
}

void dtx_sim_cpu_drop(struct dtx_sim_rank *r)
{
    uint32_t look = r->look;

    while (r->box.head != DTX_SIM_NONE)
        dtx_sim_give_event(r->sim, take_from_box(r));
    dtx_sim_cpu_reset(r);
    r->look = look;
}

/* ---- time ---- */

/* Tasks that a frame takes to a rank or back, beside those that ended. */
static uint64_t moved(const void *data, size_t len)
{
    struct dtx_item_work work;
    struct dtx_item_taskref ref;
    struct dtx_msg m;
    uint64_t n = 0;

    if (dtx_msg_decode(data, len, &m))
        return 0;
    if (m.kind == DTX_MSG_GRANT) {
        while (dtx_item_work_next(&m.items, &work) > 0)
            n++;
    } else if (m.kind == DTX_MSG_YIELDED) {
        while (dtx_item_taskref_next(&m.items, &ref) > 0)
            n++;
    }
    return n;
}

static int64_t cost_of_frame(const struct dtx_sim *s, uint32_t target,
                             const void *data, size_t len)
{
    if (target != DTX_SIM_MASTER)
        return 0;
    if (s->c.cost.task_ns == 0)
        return s->c.cost.frame_ns;
    return s->c.cost.frame_ns +
           (int64_t)moved(data, len) * s->c.cost.task_ns / 2;
}

int64_t dtx_sim_cpu_hear(struct dtx_sim *s, uint32_t target,
                         const struct dtx_event *ev)
{
    bool own = target == DTX_SIM_MASTER ? ev->u.frame.from == 0
                                        : target - 1 == 0;

    if (!s->timed || ev->kind != DTX_EV_FRAME)
        return s->now_ns;
    return s->now_ns + (own ? 0 : s->c.cost.recv_ns) +
           cost_of_frame(s, target, ev->u.frame.data, ev->u.frame.len);
}

int64_t dtx_sim_cpu_act(const struct dtx_sim *s, uint32_t target,
                        int64_t at_ns, const struct dtx_action *a,
                        const void *data)
{
    bool own = target == DTX_SIM_MASTER ? a->u.to == 0 : target - 1 == 0;

    if (!s->timed)
        return at_ns;
    if (a->kind == DTX_ACT_RECORD)
        return at_ns + s->c.cost.task_ns / 2;
    if (a->kind != DTX_ACT_SEND)
        return at_ns;
    return at_ns + (own ? 0 : s->c.cost.send_ns) +
           cost_of_frame(s, target, data, a->len);
}

void dtx_sim_cpu_end(struct dtx_sim *s, uint32_t target, int64_t at_ns)
{
    struct dtx_sim_rank *r;

    if (!s->timed)
        return;
    r = process_of(s, target);
    r->busy_ns = at_ns;
    if (target == DTX_SIM_MASTER && !s->res.finished)
        s->res.master_ns += at_ns - s->now_ns;
}

void dtx_sim_cpu_init(struct dtx_sim *s)
{
    const struct dtx_sim_costs *c = &s->c.cost;

    s->timed = c->send_ns > 0 || c->recv_ns > 0 || c->frame_ns > 0 ||
               c->task_ns > 0 || c->nap_min_ns > 0;
}

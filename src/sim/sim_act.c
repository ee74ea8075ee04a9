/* SPDX-License-Identifier: MIT */
/* What the master and the workers ask for, carried out in its order; see
 * sim.h.  It decides nothing. */
#include <stdio.h>

#include "sim/sim_state.h"

/* ---- the master ---- */

static void set_timer(struct dtx_sim *s, uint32_t *timer, uint32_t target,
                      int64_t at_ns)
{
    dtx_sim_cancel(s, *timer);
    *timer = dtx_sim_post(s, at_ns > s->now_ns ? at_ns : s->now_ns,
                          DTX_SIM_TIMER, target, 0);
}

static void finish(struct dtx_sim *s)
{
    if (s->res.finished)
        dtx_sim_break(s, "FINISH came twice");
    dtx_sim_check_finish(s);
    s->res.finished = true;
    s->res.makespan_ns = s->now_ns;
}

static const void *bytes_of(const struct dtx_actions *out,
                            const struct dtx_action *a)
{
    return a->len ? dtx_action_bytes(out, a) : "";
}

static void master_acts(struct dtx_sim *s, const struct dtx_action *a,
                        int64_t at_ns)
{
    const void *data = bytes_of(&s->out, a);

    dtx_sim_mix(s, &a->kind, sizeof(a->kind));
    dtx_sim_mix(s, data, a->len);
    switch (a->kind) {
    case DTX_ACT_RECORD:
        dtx_sim_store_record(s, a, data);
        break;
    case DTX_ACT_SEND:
        dtx_sim_mix(s, &a->u.to, sizeof(a->u.to));
        dtx_sim_check_sent(s, a->u.to, data, a->len);
        dtx_sim_exec_sent(s, a->u.to, data, a->len);
        dtx_sim_send(s, at_ns, 0, a->u.to, false, data, a->len);
        break;
    case DTX_ACT_WAKE_AT:
        set_timer(s, &s->timer, DTX_SIM_MASTER, a->u.wake_at_ns);
        break;
    case DTX_ACT_SHOW:
        dtx_sim_check_show(s, a);
        break;
    case DTX_ACT_FORGET:
        dtx_sim_mix(s, &a->u.over, sizeof(a->u.over));
        dtx_sim_stream_forget(s, a->u.over);
        break;
    case DTX_ACT_LOST:
        dtx_sim_expelled(s, a->u.lost.rank);
        break;
    case DTX_ACT_FINISH:
        finish(s);
        break;
    case DTX_ACT_RUN:
    case DTX_ACT_RECALL:
    case DTX_ACT_KILL:
    case DTX_ACT_LIMIT:
    case DTX_ACT_DEADLINE:
        dtx_sim_break(s, "the master asks for action %d", (int)a->kind);
        break;
    }
}

void dtx_sim_step_master(struct dtx_sim *s, struct dtx_event *ev)
{
    struct dtx_master_stats st;
    int64_t at_ns;
    size_t i;

    ev->now_ns = s->now_ns;
    ev->more = dtx_sim_more_waits(s, DTX_SIM_MASTER);
    at_ns = dtx_sim_cpu_hear(s, DTX_SIM_MASTER, ev);
    if (dtx_master_step(s->master, ev, &s->out)) {
        s->nomem = true;
        return;
    }
    dtx_master_stats(s->master, &st);
    if (ev->kind != DTX_EV_START &&
        st.work - s->last_work > s->res.max_step_work)
        s->res.max_step_work = st.work - s->last_work;
    s->last_work = st.work;
    for (i = 0; i < s->out.count; i++) {
        const struct dtx_action *a = &s->out.list[i];

        at_ns = dtx_sim_cpu_act(s, DTX_SIM_MASTER, at_ns, a,
                                bytes_of(&s->out, a));
        master_acts(s, a, at_ns);
    }
    dtx_sim_cpu_end(s, DTX_SIM_MASTER, at_ns);
    dtx_sim_check_step(s);
}

/* ---- workers ---- */

static void worker_ends(struct dtx_sim_rank *r)
{
    uint32_t i;

    r->finished = true;
    if (r->waiting.head != DTX_SIM_NONE)
        dtx_sim_break(r->sim, "rank %u goes with tasks waiting", r->number);
    for (i = r->running.head; i != DTX_SIM_NONE; i = r->sim->run[i].next) {
        if (r->sim->run[i].status != DTX_STATUS_KILLED)
            dtx_sim_break(r->sim, "rank %u goes while task %u runs", r->number,
                          r->sim->run[i].task + 1);
    }
}

static void worker_acts(struct dtx_sim_rank *r, const struct dtx_action *a,
                        int64_t at_ns)
{
    struct dtx_sim *s = r->sim;
    const void *data = bytes_of(&s->worker_out, a);

    dtx_sim_mix(s, &a->kind, sizeof(a->kind));
    dtx_sim_mix(s, data, a->len);
    switch (a->kind) {
    case DTX_ACT_SEND:
        if (a->u.to != 0)
            dtx_sim_break(s, "rank %u sends to %u", r->number, a->u.to);
        dtx_sim_idle_frame(r, data, a->len);
        dtx_sim_send(s, at_ns, r->number, 0, true, data, a->len);
        break;
    case DTX_ACT_RUN:
        dtx_sim_exec_run(r, data, a->len);
        break;
    case DTX_ACT_RECALL:
        dtx_sim_exec_recall(r, a->u.ref.task, a->u.ref.attempt);
        break;
    case DTX_ACT_KILL:
        dtx_sim_exec_kill(r, a->u.ref.task, a->u.ref.attempt);
        break;
    case DTX_ACT_LIMIT:
        dtx_sim_exec_limit(r, a->u.limit_ns);
        break;
    case DTX_ACT_DEADLINE:
        break; /* tasks here read no variables */
    case DTX_ACT_WAKE_AT:
        set_timer(s, &r->timer, r->target, a->u.wake_at_ns);
        break;
    case DTX_ACT_FINISH:
        worker_ends(r);
        break;
    case DTX_ACT_RECORD:
    case DTX_ACT_SHOW:
    case DTX_ACT_FORGET:
    case DTX_ACT_LOST:
        dtx_sim_break(s, "rank %u asks for action %d", r->number,
                      (int)a->kind);
        break;
    }
}

void dtx_sim_step_worker(struct dtx_sim_rank *r, struct dtx_event *ev)
{
    struct dtx_sim *s = r->sim;
    struct dtx_actions *out = &s->worker_out;
    int64_t at_ns;
    size_t i;
    int rc;

    ev->now_ns = s->now_ns;
    ev->more = dtx_sim_more_waits(s, r->target);
    at_ns = dtx_sim_cpu_hear(s, r->target, ev);
    rc = dtx_worker_step(r->worker, ev, out);
    if (rc == DTX_ENOMEM)
        s->nomem = true;
    else if (rc)
        dtx_sim_break(s, "rank %u refuses a frame", r->number);
    for (i = 0; i < out->count && !s->nomem; i++) {
        at_ns = dtx_sim_cpu_act(s, r->target, at_ns, &out->list[i],
                                bytes_of(out, &out->list[i]));
        worker_acts(r, &out->list[i], at_ns);
    }
    dtx_sim_cpu_end(s, r->target, at_ns);
}

static void worker_says(void *ctx, const char *line)
{
    struct dtx_sim_rank *r = ctx;

    dtx_sim_say(r->sim, "  rank %u: %s", r->number, line);
}

uint32_t dtx_sim_ahead(const struct dtx_sim_rank *r)
{
    const struct dtx_sim_config *c = &r->sim->c;

    return c->ahead * (c->ahead_per_slot ? c->slots[r->number] : 1);
}

void dtx_sim_come(struct dtx_sim_rank *r)
{
    struct dtx_sim *s = r->sim;
    struct dtx_event ev = {.kind = DTX_EV_START};
    char host[16];
    struct dtx_worker_config c = {
        .rank = r->number, .incarnation = r->life,
        .epoch = s->c.master.epoch, .slots = s->c.slots[r->number],
        .ahead = dtx_sim_ahead(r), .host = host,
        .lost_after_ns = r->number ? s->c.master.lost_after_ns : 0,
        .trace = s->c.trace ? worker_says : NULL, .trace_ctx = r,
    };

    (void)snprintf(host, sizeof(host), "host%u", r->number);
    dtx_worker_destroy(r->worker);
    r->worker = dtx_worker_create(&c);
    if (!r->worker || dtx_sim_exec_init(r, c.slots)) {
        s->nomem = true;
        return;
    }
    r->up = true;
    r->hanged = false;
    r->told_ns = s->now_ns;
    r->timer = DTX_SIM_NONE;
    r->holds = 0;
    r->holds_since = -1;
    dtx_sim_step_worker(r, &ev);
    dtx_sim_crowd_come(r);
}

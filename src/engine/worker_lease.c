/* SPDX-License-Identifier: MIT */
/* A worker's lease of what it runs: it asks the master now and then, and when
 * nothing is answered for too long it ends its tasks and goes (pulse.h). */
#include "base/error.h"
#include "engine/pulse.h"
#include "engine/worker_state.h"

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
    dtx_worker_send(w, msg, NULL);
    w->beat_ns = now_ns + dtx_pulse_beat(w->c.lost_after_ns);
}

void dtx_worker_lease_start(struct dtx_worker *w, int64_t now_ns)
{
    if (w->c.lost_after_ns <= 0)
        return;
    w->lease_ns = w->step_ns = now_ns;
    w->beat_ns = now_ns + dtx_pulse_beat(w->c.lost_after_ns);
    w->doubt_ns = INT64_MIN;
    wake_for_lease(w, now_ns);
}

int dtx_worker_answered(struct dtx_worker *w, int64_t sent_ns, int64_t now_ns)
{
    if (sent_ns > now_ns)
        return DTX_EPROTO;
    if (sent_ns > w->lease_ns)
        w->lease_ns = sent_ns;
    w->doubted = false;
    return DTX_OK;
}

void dtx_worker_meet(struct dtx_worker *w, int64_t now_ns)
{
    if (w->met || w->c.lost_after_ns <= 0)
        return;
    w->met = true;
    w->doubt_ns = now_ns + 2 * dtx_pulse_beat(w->c.lost_after_ns);
}

void dtx_worker_note_gap(struct dtx_worker *w, int64_t now_ns)
{
    int64_t beat_ns = dtx_pulse_beat(w->c.lost_after_ns);

    if (now_ns - w->step_ns > 2 * beat_ns && !w->doubted) {
        w->doubted = true;
        w->doubt_ns = now_ns + beat_ns;
    }
    w->step_ns = now_ns;
}

/* Rank 0 is dead, or cut off: what it granted is somebody else's by now. */
static void desert(struct dtx_worker *w)
{
    dtx_worker_trace(w, "the master is silent");
    dtx_worker_kill_all(w);
    (void)dtx_actions_add(w->out, DTX_ACT_FINISH);
    w->finished = w->deserted = true;
}

void dtx_worker_lease_timer(struct dtx_worker *w, const struct dtx_event *ev)
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

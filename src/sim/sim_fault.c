/* SPDX-License-Identifier: MIT */
/* Deaths, hangs, crashes, and the part of a driver that notices them. */
#include <stdlib.h>

#include "engine/pulse.h"
#include "sim/sim_state.h"

static void die(struct dtx_sim_rank *r)
{
    dtx_sim_idle_out(r);
    dtx_sim_exec_drop(r);
    r->up = false;
    dtx_sim_cancel(r->sim, r->timer); /* it may be in the box */
    r->timer = DTX_SIM_NONE;
    dtx_sim_cpu_drop(r);
}

void dtx_sim_count_as_lost(struct dtx_sim *s, const struct dtx_sim_rank *r)
{
    uint32_t e = dtx_sim_post(s, s->now_ns + s->c.detect_ns, DTX_SIM_LOST,
                              DTX_SIM_MASTER, r->number);

    if (e != DTX_SIM_NONE)
        s->event[e].life = r->life;
}

static void hang(struct dtx_sim *s, struct dtx_sim_rank *r, int64_t for_ns)
{
    dtx_sim_idle_out(r);
    r->hung = r->hanged = true;
    r->wake_ns = s->now_ns + for_ns;
    (void)dtx_sim_post(s, r->wake_ns, DTX_SIM_WAKE, r->target, 0);
    if (for_ns >= s->c.detect_ns && !s->c.unnoticed)
        dtx_sim_count_as_lost(s, r);
}

void dtx_sim_fail(struct dtx_sim *s, const struct dtx_sim_fault *f)
{
    struct dtx_sim_rank *r = &s->rank[f->rank];

    if (f->kind == DTX_SIM_CROWD) {
        dtx_sim_crowd(r, f->share);
        if (f->for_ns > 0)
            (void)dtx_sim_post(s, s->now_ns + f->for_ns, DTX_SIM_ALONE,
                               r->target, 0);
        return;
    }
    if (!r->up || r->hung || f->kind == DTX_SIM_STOPREQ) {
        if (f->kind == DTX_SIM_STOPREQ && r->up)
            (void)dtx_sim_post(s, s->now_ns, DTX_SIM_STOPPING, r->target,
                               (uint32_t)f->stop);
        return;
    }
    dtx_sim_say(s, "rank %u %s", f->rank,
                f->kind == DTX_SIM_HANG  ? "hangs"
                : f->kind == DTX_SIM_CUT ? "is cut off"
                                         : "dies");
    if (f->kind == DTX_SIM_HANG) {
        hang(s, r, f->for_ns);
        return;
    }
    if (f->kind == DTX_SIM_CUT) {
        dtx_sim_idle_out(r);
        r->cut_ns = s->now_ns + f->for_ns;
        return;
    }
    die(r);
    if (!s->c.unnoticed)
        dtx_sim_count_as_lost(s, r);
    if (f->kind == DTX_SIM_RESTART) {
        r->life++;
        (void)dtx_sim_post(s, s->now_ns + f->for_ns, DTX_SIM_COME, r->target,
                           0);
    }
}

/* A dead incarnation that had not come when another died comes only now: the
 * driver knows that it is dead. */
void dtx_sim_lose_again(struct dtx_sim *s, uint32_t rank)
{
    const struct dtx_sim_rank *r = &s->rank[rank];
    uint32_t e;

    if (!r->believed || r->believed_life > r->lost_life)
        return;
    e = dtx_sim_post(s, s->now_ns, DTX_SIM_LOST, DTX_SIM_MASTER, rank);
    if (e != DTX_SIM_NONE)
        s->event[e].life = r->lost_life;
}

/* What that incarnation ran when it died. */
static struct dtx_item_taskref *find_ran(struct dtx_sim *s,
                                const struct dtx_sim_event *e, uint32_t *n)
{
    struct dtx_item_taskref *ran = malloc((s->nruns + 1) * sizeof(*ran));
    size_t i;

    *n = 0;
    if (!ran)
        s->nomem = true;
    for (i = 0; ran && i < s->nruns; i++) {
        const struct dtx_sim_run *r = &s->run[i];

        if (r->rank == e->a && r->life == e->life && r->dropped)
            ran[(*n)++] = (struct dtx_item_taskref){r->task, r->attempt};
    }
    return ran;
}

void dtx_sim_lose(struct dtx_sim *s, const struct dtx_sim_event *e)
{
    struct dtx_sim_rank *r = &s->rank[e->a];
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};
    struct dtx_item_taskref *ran;

    if (r->life != e->life && r->believed_life > e->life)
        return; /* its successor has said so already */
    dtx_sim_say(s, "rank %u counts as lost", e->a);
    r->lost_life = e->life;
    ran = s->c.told && !r->hung ? find_ran(s, e, &ev.u.lost.nran) : NULL;
    ev.u.lost.rank = e->a;
    ev.u.lost.told = ran != NULL;
    ev.u.lost.ran = ran;
    if (ran)
        dtx_sim_check_told(s, &ev.u.lost);
    r->believed = false;
    r->absent = r->believed_life == 0;
    dtx_sim_step_master(s, &ev);
    s->telling = false;
    free(ran);
}

void dtx_sim_expelled(struct dtx_sim *s, uint32_t rank)
{
    struct dtx_sim_rank *r = &s->rank[rank];
    int64_t after = s->c.master.lost_after_ns;

    dtx_sim_say(s, "rank %u is expelled", rank);
    if (!r->believed || rank == 0)
        dtx_sim_break(s, "rank %u is expelled, which is not there", rank);
    else if (s->now_ns - r->spoke_ns <= dtx_pulse_silence(after))
        dtx_sim_break(s, "rank %u is expelled and has spoken", rank);
    else if (!r->faulted)
        dtx_sim_break(s, "rank %u is expelled and is well", rank);
    else if (!r->hanged && r->running.head != DTX_SIM_NONE)
        dtx_sim_break(s, "rank %u is expelled while its task %u runs", rank,
                      s->run[r->running.head].task + 1);
    r->believed = false;
}

void dtx_sim_crash(struct dtx_sim *s)
{
    if (s->res.finished)
        return;
    dtx_sim_say(s, "the job crashes");
    dtx_sim_store_crash(s);
    s->res.crashed = s->over = true;
    s->res.makespan_ns = s->now_ns;
}

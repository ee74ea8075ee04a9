/* SPDX-License-Identifier: MIT */
/* What is heard and said while a region runs; see region.h.  The communicating
 * thread asks for work when the style says that little is left, answers those
 * who ask here, and sleeps when there is nothing to do.  It never looks into
 * work. */
#include <string.h>

#include "lib/region.h"
#include "lib/results.h"
#include "node/clock.h"

#define LOOK_NS INT64_C(50000000)    /* sleep no longer */
#define LOAD_LEAST_NS INT64_C(2000000)
#define ASSIST_NS INT64_C(20000)     /* then look at what others say */

void dtx_run_send(struct dtx_run *r, uint32_t to, struct dtx_msg *m)
{
    int rc;

    m->epoch = r->g->number;
    dtx_buf_clear(&r->out);
    dtx_msg_encode(&r->out, m);
    rc = r->out.failed ? DTX_ENOMEM
                       : dtx_net_send(&r->s->net, to, DTX_CHANNEL_FRAMES,
                                      r->out.data, r->out.len);
    if (rc < 0 && r->rc == DTX_OK)
        r->rc = rc;
}

static int on_value(struct dtx_run *r, const struct dtx_msg *m)
{
    struct dtx_cursor lost = dtx_cursor_over(m->u.kvalue.lost.data,
                                             m->u.kvalue.lost.len);

    bool whole = r->member.code == DTX_OK; /* else ranks may differ in it */

    if (whole && m->u.kvalue.value.len != r->g->work->value_bytes)
        return DTX_EPROTO;
    if (whole && r->g->work->value_bytes)
        memcpy(r->values, m->u.kvalue.value.data, m->u.kvalue.value.len);
    r->done = m->u.kvalue.done;
    r->g->last = m->u.kvalue.last != 0;
    r->failures.count = m->u.kvalue.failed;
    r->failures.first = m->u.kvalue.first;
    r->failures.code = m->u.kvalue.code;
    if (whole && r->profile &&
        !dtx_profile_decode(r->profile, m->u.kvalue.profile))
        return DTX_EPROTO;
    while (!dtx_cursor_done(&lost)) {
        uint32_t rank = dtx_get_u32(&lost);

        if (lost.bad || rank == 0 || rank >= r->s->net.size)
            return DTX_EPROTO;
        dtx_session_bury(r->s, rank);
    }
    r->valued = true;
    return DTX_OK;
}

/* Slots begin, or begin again. */
void dtx_run_begin(struct dtx_run *r)
{
    struct dtx_counters before;

    if (r->s->crew.inlined) /* what the program did since the last call */
        dtx_crew_count(&r->s->crew, memset(&before, 0, sizeof(before)));
    dtx_crew_assign(&r->s->crew, r->g->style->step, r->g, r->g->stock);
    r->g->stock = 0;
    r->working = true;
}

static int take(struct dtx_run *r, const struct dtx_msg *m)
{
    struct dtx_crew *crew = &r->s->crew;
    struct dtx_cursor c =
        dtx_cursor_over(r->member.work.data, r->member.work.len);
    int rc = DTX_OK;

    r->straight += m->kind == DTX_MSG_KPASS || m->u.kgrant.ask != 0;
    if (!r->working)
        dtx_run_begin(r);
    (void)pthread_mutex_lock(&crew->lock);
    while (rc == DTX_OK && !dtx_cursor_done(&c))
        rc = r->g->style->take(r->g, &c);
    if (r->g->style->taken)
        r->g->style->taken(r->g);
    (void)pthread_mutex_unlock(&crew->lock);
    if (rc == DTX_OK && r->g->style->offer)
        r->g->style->offer(r->g);
    else if (rc == DTX_OK)
        dtx_crew_publish(crew);
    return rc;
}

/* Somebody waits for a share, or nobody. */
static void set_orders(struct dtx_run *r, bool waits)
{
    struct dtx_crew *c = &r->s->crew;

    (void)pthread_mutex_lock(&c->lock);
    c->orders = waits;
    dtx_crew_weigh(c);
    (void)pthread_mutex_unlock(&c->lock);
}

static void stop(struct dtx_run *r)
{
    set_orders(r, false);
    if (r->member.code != DTX_OK) {
        atomic_store(&r->g->dropped, true);
        r->g->style->drop(r->g);
    }
}

static int on_frame(struct dtx_run *r, uint32_t from)
{
    struct dtx_msg m;
    int what;

    if (dtx_msg_decode(r->frame.data, r->frame.len, &m))
        return DTX_EPROTO;
    if (m.kind == DTX_MSG_BYE && r->s->net.rank == 0) {
        r->s->net.byes++;
        dtx_lead_left(r, from);
        return DTX_OK;
    }
    if (from != 0 && r->s->net.rank != 0 && m.kind != DTX_MSG_KPASS)
        return DTX_EPROTO;
    if (r->s->net.lost[from] ||
        (m.epoch != r->g->number && m.kind != DTX_MSG_KFAIL))
        return DTX_OK;
    if (m.kind == DTX_MSG_KFAIL && from != 0)
        return dtx_lead_hear(r, from, &m);
    what = dtx_member_hear(&r->member, &m, r->frame.data, r->frame.len);
    switch (what) {
    case DTX_MEMBER_NOTHING:
        return DTX_OK;
    case DTX_MEMBER_TAKE:
        return take(r, &m);
    case DTX_MEMBER_SHARE:
        set_orders(r, true);
        return DTX_OK;
    case DTX_MEMBER_FAIL:
        r->told = true;
        return r->member.code;
    case DTX_MEMBER_STOP:
        stop(r);
        return DTX_OK;
    case DTX_MEMBER_OTHER:
        if (m.kind == DTX_MSG_KVALUE)
            return on_value(r, &m);
        return r->s->net.rank == 0 ? dtx_lead_hear(r, from, &m)
                                   : DTX_EPROTO;
    default:
        return what;
    }
}

/* A frame that was held back, or one of the network's; 0: none. */
static int next_frame(struct dtx_run *r, int *from)
{
    enum dtx_channel c;

    dtx_buf_clear(&r->frame);
    *from = 0;
    if (dtx_member_next(&r->member, &r->frame))
        return r->frame.failed ? DTX_ENOMEM : 1;
    return dtx_net_recv(&r->s->net, &c, from, &r->frame);
}

/* True when something came. */
static bool receive(struct dtx_run *r)
{
    bool any = false;

    while (!r->valued) { /* what follows is of the next region */
        int from = 0, rc = next_frame(r, &from);

        if (rc == 0)
            break;
        any = true;
        if (rc > 0)
            rc = on_frame(r, (uint32_t)from);
        if (rc < 0 && r->rc == DTX_OK)
            r->rc = rc;
        if (rc < 0)
            return true;
    }
    return any;
}

/* See who has died. */
static void watch(struct dtx_run *r)
{
    int rank;

    while (r->rc == DTX_OK && (rank = dtx_net_died(&r->s->net)) >= 0) {
        dtx_net_lose(&r->s->net, (uint32_t)rank);
        if (r->s->net.rank == 0)
            dtx_lead_lose(r, (uint32_t)rank);
        else if (rank == 0)
            r->rc = DTX_ELOST;
    }
}

static void ask(struct dtx_run *r, uint32_t count, bool idle)
{
    struct dtx_msg m;

    dtx_member_want(&r->member, count, idle, &m);
    if (r->g->style->news)
        r->g->style->news(r->g, &m.u.kwant.done, &m.u.kwant.busy_ns);
    dtx_run_send(r, 0, &m);
}

/* To the thief itself; rank 0 is told that it is on its way. */
static void pass(struct dtx_run *r, const struct dtx_buf *work)
{
    struct dtx_msg m = {.kind = DTX_MSG_KPASS};

    m.u.kpass.ask = r->member.ask;
    m.u.kpass.work = (struct dtx_str){work->data, work->len};
    if (r->member.thief >= r->s->net.size)
        r->rc = DTX_EPROTO;
    else
        dtx_run_send(r, r->member.thief, &m);
}

/* Answer who waits for a share of this rank's work, if that can be done now. */
static void answer(struct dtx_run *r, bool idle)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELDED};
    struct dtx_parted p = {DTX_BUF_INIT, DTX_BUF_INIT, 0};

    if (!r->g->style->give(r->g, r->member.thief_slots, &p) && !idle)
        return;
    if (dtx_member_passes(&r->member, r->s->net.rank, p.straight.len)) {
        pass(r, &p.straight);
        m.u.kyielded.straight = p.straight.len;
    } else {
        dtx_buf_append(&p.work, p.straight.data, p.straight.len);
    }
    m.u.kyielded.left_ns = p.left_ns;
    m.u.kyielded.work = (struct dtx_str){p.work.data, p.work.len};
    if (p.work.failed || p.straight.failed)
        r->rc = DTX_ENOMEM;
    dtx_run_send(r, 0, &m);
    dtx_buf_free(&p.work);
    dtx_buf_free(&p.straight);
    dtx_member_shared(&r->member);
    set_orders(r, false);
}

static void tell_load(struct dtx_run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KLOAD};
    int64_t now = dtx_clock_mono_ns(), left;

    if (r->g->style->fresh && r->g->style->fresh(r->g)) {
        dtx_member_fresh(&r->member, &m);
        dtx_run_send(r, 0, &m);
        return;
    }
    if (r->s->net.size <= 2 || now < r->load_at)
        return;
    left = r->g->style->left_ns(r->g);
    r->load_at = now + (left / 4 > LOAD_LEAST_NS ? left / 4 : LOAD_LEAST_NS);
    if (left < 0 || r->member.want_sent)
        return;
    m.u.kload.received = r->member.received;
    m.u.kload.left_ns = left;
    dtx_run_send(r, 0, &m);
}

static void tell_cancel(struct dtx_run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KCANCEL};
    const struct dtx_error *e = &r->g->trouble;

    if (!atomic_load(&r->g->cancel) || r->cancel_sent)
        return;
    r->cancel_sent = true;
    m.u.kcancel.code = e->code ? e->code : DTX_ECANCEL;
    m.u.kcancel.text = dtx_str_of(e->code ? e->text : "a kernel asked for it");
    dtx_run_send(r, 0, &m);
}

void dtx_region_trouble(struct dtx_region *g, const struct dtx_error *err)
{
    if (g->trouble.code == DTX_OK)
        g->trouble = *err;
    atomic_store(&g->cancel, true);
}

/* See what is to be said. That a kernel has asked to stop goes before that
 * nothing is left to do because of it. */
static void look(struct dtx_run *r)
{
    bool idle = dtx_crew_all_idle(&r->s->crew);
    bool holds = r->g->style->holds && r->g->style->holds(r->g);
    uint32_t count;

    tell_cancel(r);
    tell_load(r);
    if (dtx_member_asked(&r->member))
        answer(r, idle);
    if (idle && !holds && !r->member.idle_sent)
        ask(r, r->g->style->wants(r->g), true);
    else if (!r->member.want_sent && (count = r->g->style->wants(r->g)) > 0)
        ask(r, count, false);
}

void dtx_run_pump(struct dtx_run *r, bool *left)
{
    int rc;

    *left = false;
    if (!r->g->results && !r->g->style->pump)
        return;
    rc = r->g->style->pump ? r->g->style->pump(r->g, left)
                           : dtx_results_pump(r->g->results, left);
    if (rc < 0 && r->rc == DTX_OK)
        r->rc = rc;
}

/* Short tasks, while a slot sleeps, and what comes of each, which may be the
 * next one; but no longer than others can wait. */
static bool assist(struct dtx_run *r, bool *left)
{
    int64_t until = 0, now;
    bool any = false;

    while (r->g->style->assist && r->rc == DTX_OK &&
           r->g->style->assist(r->g)) {
        any = true;
        dtx_run_pump(r, left);
        now = dtx_clock_mono_ns();
        if (until == 0)
            until = now + ASSIST_NS;
        else if (now >= until)
            break;
    }
    return any;
}

/* Hear, compute (when there are no threads, or little to do), and sleep if that
 * was all. */
void dtx_run_turn(struct dtx_run *r)
{
    uint32_t seen = dtx_net_seen(&r->s->net);
    bool left = false, worked = receive(r);

    dtx_run_pump(r, &left);
    worked |= assist(r, &left);
    watch(r);
    if (r->rc < 0)
        return;
    if (!r->member.over)
        look(r);
    if (r->s->crew.inlined)
        worked |= dtx_crew_work(&r->s->crew);
    if (!worked)
        dtx_net_wait(&r->s->net, seen, left ? DTX_FULL_NS : LOOK_NS);
}

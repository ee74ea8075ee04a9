/* SPDX-License-Identifier: MIT */
/* One call that all ranks make together, from its ENTER to its KVALUE: what the
 * communicating thread does meanwhile.  It asks for work when the style says
 * that little is left, answers those who ask here, and hands in this rank's
 * part of the result.  It never looks into work; rank 0's office is in
 * region_lead.c. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "lib/diary.h"
#include "lib/learned.h"
#include "lib/region.h"
#include "lib/results.h"
#include "node/clock.h"

#define LOOK_NS INT64_C(50000000)    /* sleep no longer */
#define FULL_NS INT64_C(50000)       /* while results cannot be sent */
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

/* --- any rank ------------------------------------------------------------- */

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
static void begin_work(struct dtx_run *r)
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
        begin_work(r);
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

static void pump(struct dtx_run *r, bool *left)
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
        pump(r, left);
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
static void turn(struct dtx_run *r)
{
    uint32_t seen = dtx_net_seen(&r->s->net);
    bool left = false, worked = receive(r);

    pump(r, &left);
    worked |= assist(r, &left);
    watch(r);
    if (r->rc < 0)
        return;
    if (!r->member.over)
        look(r);
    if (r->s->crew.inlined)
        worked |= dtx_crew_work(&r->s->crew);
    if (!worked)
        dtx_net_wait(&r->s->net, seen, left ? FULL_NS : LOOK_NS);
}

/* --- beginning and end ---------------------------------------------------- */

static void enter(struct dtx_run *r)
{
    struct dtx_region *g = r->g;
    struct dtx_msg m = {.kind = DTX_MSG_ENTER};

    m.u.enter.protocol = DTX_PROTOCOL;
    m.u.enter.digest = dtx_hash128(g->text.data, g->text.len, 1).lo;
    if (g->prior) /* the shares come from it */
        m.u.enter.digest ^= dtx_hash128(g->prior->ns, sizeof(g->prior->ns), 2)
                                .lo;
    m.u.enter.call = (struct dtx_str){g->text.data, g->text.len};
    if (g->refused) {
        m.u.enter.code = g->refused->code;
        m.u.enter.call = dtx_str_of(g->refused->text);
    }
    m.u.enter.kernels =
        (struct dtx_str){r->s->names.data, r->s->names.len};
    if (r->s->broker && dtx_lead_begin(r, m.u.enter.digest) < 0)
        r->rc = DTX_ENOMEM;
    dtx_run_send(r, 0, &m);
}

/* What the slots have since the last part, together. */
static void send_part(struct dtx_run *r)
{
    struct dtx_region *g = r->g;
    struct dtx_msg m = {.kind = DTX_MSG_KPART};
    struct dtx_profile *profile = NULL;
    struct dtx_buf bytes = DTX_BUF_INIT;
    struct dtx_failures f = {0, 0, 0};
    unsigned i;

    for (i = 0; i < r->s->crew.n; i++) {
        struct dtx_call *c = &g->call[i];

        if (i > 0)
            dtx_reduce_merge(g->work, g->call[0].values, c->values);
        dtx_failures_add(&f, c->failures.first, c->failures.count,
                         c->failures.code);
        m.u.kpart.done += c->done;
        g->work->stats.busy += (double)c->busy_ns * 1e-9;
        c->busy_ns = 0;
    }
    g->work->stats.here += m.u.kpart.done;
    m.u.kpart.round = dtx_member_hand_in(&r->member);
    m.u.kpart.failed = f.count;
    m.u.kpart.first = f.first;
    m.u.kpart.code = f.code;
    m.u.kpart.results = g->results ? dtx_results_sent(g->results) : 0;
    m.u.kpart.value =
        (struct dtx_str){g->call[0].values, g->work->value_bytes};
    if (r->profile && (profile = dtx_loop_profile(g)))
        dtx_profile_encode(&bytes, profile);
    m.u.kpart.profile = (struct dtx_str){bytes.data, bytes.len};
    dtx_run_send(r, 0, &m);
    free(profile);
    dtx_buf_free(&bytes);
    for (i = 0; i < r->s->crew.n; i++) {
        struct dtx_call *c = &g->call[i];

        dtx_reduce_begin(g->work, c->values);
        c->done = 0;
        memset(&c->failures, 0, sizeof(c->failures));
    }
}

/* The slots have come to rest, whatever has happened. */
static void stop_slots(struct dtx_run *r)
{
    struct dtx_crew *c = &r->s->crew;

    if (r->rc < 0) {
        atomic_store(&r->g->dropped, true);
        r->g->style->drop(r->g);
        dtx_results_discard(r->g->results);
        dtx_crew_let_go(c);
    }
    while (!dtx_crew_all_idle(c)) {
        uint32_t seen = dtx_net_seen(&r->s->net);

        if (!(c->inlined && dtx_crew_work(c)) && !dtx_crew_all_idle(c))
            dtx_net_wait(&r->s->net, seen, FULL_NS);
    }
    dtx_crew_assign(c, NULL, NULL, 0);
    if (r->working)
        dtx_crew_count(c, &r->g->work->counters);
    r->working = false;
}

/* The slots have come to rest, and their results are on their way. */
static void settle(struct dtx_run *r)
{
    bool left = true;

    while (r->rc == DTX_OK) {
        pump(r, &left);
        if (!left && dtx_crew_all_idle(&r->s->crew)) {
            pump(r, &left);
            if (!left)
                return;
        }
        turn(r);
    }
}

/* Hand in this round's part, and wait for the value, or for more work, or for
 * the next round. */
static void finish_round(struct dtx_run *r)
{
    const struct dtx_member *m = &r->member;

    send_part(r);
    while (r->rc == DTX_OK && !r->valued && m->over && !dtx_member_owes(m)) {
        if (r->s->net.rank != 0 || !dtx_lead_conclude(r))
            turn(r);
    }
}

static void run_rounds(struct dtx_run *r)
{
    begin_work(r);
    while (r->rc == DTX_OK && !r->valued) {
        while (!r->member.over && r->rc == DTX_OK)
            turn(r);
        settle(r);
        stop_slots(r);
        if (r->rc == DTX_OK)
            finish_round(r);
    }
    stop_slots(r);
    if (r->rc == DTX_OK && r->g->results && r->s->net.rank == 0)
        dtx_results_finish(r->g->results);
}

static int make_slots(struct dtx_region *g)
{
    unsigned n = g->session->crew.n, i;
    size_t stride = dtx_reduce_stride(g->work);
    char *values = NULL;

    g->call = aligned_alloc(_Alignof(struct dtx_call), n * sizeof(*g->call));
    if (!g->call)
        return DTX_ENOMEM;
    memset(g->call, 0, n * sizeof(*g->call));
    if (stride)
        values = aligned_alloc(128, n * stride);
    if (stride && !values)
        return DTX_ENOMEM;
    for (i = 0; i < n; i++) {
        struct dtx_call *c = &g->call[i];

        c->session = g->session;
        c->region = g;
        c->slot = i;
        c->values = stride ? values + i * stride : NULL;
        dtx_reduce_begin(g->work, c->values);
    }
    return DTX_OK;
}

static int prepare(struct dtx_run *r)
{
    struct dtx_region *g = r->g;
    struct dtx_work *w = g->work;
    int rc = make_slots(g);

    if (rc == DTX_OK && w->result_bytes) {
        g->results = dtx_results_create(g);
        rc = g->results ? DTX_OK : DTX_ENOMEM;
    }
    r->values = calloc(1, w->value_bytes + 1);
    if (!r->values)
        rc = DTX_ENOMEM;
    if (rc == DTX_OK)
        dtx_reduce_begin(w, r->values);
    return rc;
}

/* Why this rank cannot go on. */
static const char *why(const struct dtx_run *r)
{
    return r->rc == DTX_ELOST ? "rank 0 is lost" : dtx_strerror(r->rc);
}

/* This rank cannot go on: the others must not wait for it. */
static void fail(struct dtx_run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KFAIL, .epoch = r->g->number};

    m.u.kfail.code = r->rc;
    m.u.kfail.text = dtx_str_of(why(r));
    if (r->s->net.rank == 0)
        dtx_lead_fail(r, &m);
    else if (!r->s->net.lost[0])
        dtx_run_send(r, 0, &m);
}

static int conclude(struct dtx_run *r, struct dtx_error *err)
{
    struct dtx_region *g = r->g;
    const char *call = g->text.len ? g->text.data : "a call";
    int code = r->member.code;

    if (r->told)
        return dtx_error_set(err, r->rc, "%s: %s", call,
                             r->member.text.len ? r->member.text.data : "");
    if (r->rc < 0)
        return dtx_error_set(err, r->rc, "%s: %s", call, why(r));
    if (code != DTX_OK)
        return dtx_error_set(err, code, "%s: %s", dtx_strerror(code),
                             r->member.text.len ? r->member.text.data : "");
    if (g->trouble.code != DTX_OK) {
        *err = g->trouble;
        return err->code;
    }
    dtx_reduce_store(g->work, r->values);
    if (r->profile && !dtx_learned_sweep(g, r->profile))
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (r->failures.count)
        return dtx_error_set(
            err, DTX_EKERNEL,
            "kernel %s failed %llu times of %llu, first for %llu (it "
            "returned %d)",
            g->kernel->name ? g->kernel->name : "of a task",
            (unsigned long long)r->failures.count,
            (unsigned long long)r->done, (unsigned long long)r->failures.first,
            r->failures.code);
    return DTX_OK;
}

static void clean_up(struct dtx_run *r)
{
    struct dtx_region *g = r->g;

    g->style->end(g);
    dtx_results_destroy(g->results);
    if (g->call)
        free(g->call[0].values);
    free(g->call);
    free(r->values);
    free(r->profile);
    free(g->prior);
    dtx_buf_free(&r->frame);
    dtx_buf_free(&r->out);
    dtx_member_fini(&r->member);
    dtx_lead_end(r);
}

int dtx_region_run(struct dtx_region *g, struct dtx_error *err)
{
    struct dtx_run r = {.g = g, .s = g->session};
    struct dtx_work *w = g->work;
    struct dtx_error unsaved = {0};
    int64_t start = dtx_clock_mono_ns();
    int rc;

    g->number = ++g->session->regions;
    dtx_member_begin(&r.member, g->number);
    memset(&w->stats, 0, sizeof(w->stats));
    memset(&w->counters, 0, sizeof(w->counters));
    rc = g->ill;
    if (rc == DTX_OK)
        rc = prepare(&r);
    if (rc == DTX_OK)
        rc = g->style->begin(g);
    if (rc == DTX_OK && w->remembers && g->style == &dtx_style_loop) {
        r.profile = dtx_loop_profile(g);
        rc = r.profile ? DTX_OK : DTX_ENOMEM;
    }
    r.rc = rc;
    if (rc == DTX_OK) {
        enter(&r);
        run_rounds(&r);
    }
    if (r.rc == DTX_OK && w->diary) {
        struct dtx_error e = {0};

        if (dtx_diary_sync(w->diary, &e) < 0)
            dtx_region_trouble(g, &e);
    }
    if (r.rc < 0 && !r.told)
        fail(&r);
    rc = conclude(&r, err);
    if (rc == DTX_OK)
        (void)dtx_learned_save(g->session, false, &unsaved);
    /* what is lost of a tree is lost: nobody can go on from there */
    g->session->broken |= r.rc < 0 || r.member.code == DTX_ELOST;
    w->stats.done = r.done;
    w->stats.failed = r.failures.count;
    w->stats.first = r.failures.first;
    w->stats.received = r.member.received;
    w->stats.straight = r.straight;
    clean_up(&r);
    w->stats.seconds = (double)(dtx_clock_mono_ns() - start) * 1e-9;
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* One call that all ranks make together, from its ENTER to its KVALUE: what the
 * communicating thread does meanwhile.  It asks for work when the style says
 * that little is left, answers those who ask here, drives the broker on rank 0,
 * and gathers the parts of the result in the end.  It never looks into
 * work. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/broker.h"
#include "lib/results.h"
#include "lib/session.h"
#include "node/clock.h"

#define LOOK_NS INT64_C(50000000)    /* sleep no longer */
#define FULL_NS INT64_C(50000)       /* while results cannot be sent */
#define LOAD_LEAST_NS INT64_C(2000000)

/* How far the region is, on this rank. */
struct run {
    struct dtx_region *g;
    struct dtx_session *s;
    struct dtx_buf frame, out;
    uint64_t received;    /* grants */
    bool want_sent, idle_sent, cancel_sent;
    uint32_t thief_slots; /* somebody waits for a share; 0: nobody */
    int64_t load_at;      /* when to say KLOAD */
    bool over;
    int code;             /* of the region */
    struct dtx_buf text;
    /* the result */
    char *values;         /* merged, on rank 0; the result in the end */
    struct dtx_failures failures;
    uint64_t done, parts, results_due;
    struct dtx_profile *profile;
    bool valued;
    int rc;               /* of what is done here */
};

static void send(struct run *r, uint32_t to, struct dtx_msg *m)
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

/* --- rank 0: the broker and the gathering --------------------------------- */

static void step_broker(struct run *r, uint32_t from)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME,
                           .now_ns = dtx_clock_mono_ns()};
    struct dtx_actions *out = r->s->actions;
    size_t i;
    int rc;

    ev.u.frame.from = from;
    ev.u.frame.data = r->frame.data;
    ev.u.frame.len = r->frame.len;
    rc = dtx_broker_step(r->s->broker, &ev, out);
    for (i = 0; i < out->count && rc == DTX_OK; i++) {
        const struct dtx_action *a = &out->list[i];

        if (a->kind == DTX_ACT_SEND)
            rc = dtx_net_send(&r->s->net, a->u.to, DTX_CHANNEL_FRAMES,
                              dtx_action_bytes(out, a), a->len);
    }
    if (rc < 0 && r->rc == DTX_OK)
        r->rc = rc;
}

/* The value of a frame, copied to where it is aligned. */
static char *aligned_copy(struct dtx_str s)
{
    char *p = malloc(s.len ? s.len : 1);

    if (p && s.len)
        memcpy(p, s.data, s.len);
    return p;
}

static int add_part(struct run *r, const struct dtx_msg *m)
{
    const struct dtx_work *w = r->g->work;
    char *part;

    if (m->u.kpart.value.len != w->value_bytes)
        return DTX_EPROTO;
    part = aligned_copy(m->u.kpart.value);
    if (!part)
        return DTX_ENOMEM;
    dtx_reduce_merge(w, r->values, part);
    free(part);
    dtx_failures_add(&r->failures, m->u.kpart.first, m->u.kpart.failed,
                     m->u.kpart.code);
    r->done += m->u.kpart.done;
    r->results_due += m->u.kpart.results;
    r->parts++;
    if (r->profile && !dtx_profile_decode(r->profile, m->u.kpart.profile))
        return DTX_EPROTO;
    return DTX_OK;
}

static bool all_there(const struct run *r)
{
    return r->parts == r->s->net.size &&
           (!r->g->results ||
            dtx_results_taken(r->g->results) >= r->results_due);
}

static void send_value(struct run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KVALUE};
    struct dtx_buf profile = DTX_BUF_INIT;
    uint32_t to;

    m.u.kvalue.done = r->done;
    m.u.kvalue.failed = r->failures.count;
    m.u.kvalue.first = r->failures.first;
    m.u.kvalue.code = r->failures.code;
    m.u.kvalue.value = (struct dtx_str){r->values, r->g->work->value_bytes};
    m.u.kvalue.last = r->g->last;
    if (r->profile)
        dtx_profile_encode(&profile, r->profile);
    m.u.kvalue.profile = (struct dtx_str){profile.data, profile.len};
    for (to = 1; to < r->s->net.size; to++)
        send(r, to, &m);
    dtx_buf_free(&profile);
    r->valued = true;
}

/* --- any rank ------------------------------------------------------------- */

static int on_value(struct run *r, const struct dtx_msg *m)
{
    if (m->u.kvalue.value.len != r->g->work->value_bytes)
        return DTX_EPROTO;
    if (r->g->work->value_bytes)
        memcpy(r->values, m->u.kvalue.value.data, m->u.kvalue.value.len);
    r->done = m->u.kvalue.done;
    r->g->last = m->u.kvalue.last != 0;
    r->failures.count = m->u.kvalue.failed;
    r->failures.first = m->u.kvalue.first;
    r->failures.code = m->u.kvalue.code;
    if (r->profile && !dtx_profile_decode(r->profile, m->u.kvalue.profile))
        return DTX_EPROTO;
    r->valued = true;
    return DTX_OK;
}

static int on_grant(struct run *r, const struct dtx_msg *m)
{
    int rc = r->g->style->take(r->g, m->u.kgrant.work);

    r->received++;
    r->want_sent = r->idle_sent = false;
    if (rc == DTX_OK)
        dtx_crew_publish(&r->s->crew);
    return rc;
}

static void set_order(struct run *r, uint32_t slots)
{
    struct dtx_crew *c = &r->s->crew;

    r->thief_slots = slots;
    (void)pthread_mutex_lock(&c->lock);
    c->orders = slots ? 1 : 0;
    dtx_crew_weigh(c);
    (void)pthread_mutex_unlock(&c->lock);
}

static void on_over(struct run *r, const struct dtx_msg *m)
{
    r->over = true;
    r->code = m->u.kover.code;
    dtx_buf_append(&r->text, m->u.kover.text.data, m->u.kover.text.len);
    if (r->thief_slots)
        set_order(r, 0);
    if (r->code != DTX_OK) {
        atomic_store(&r->g->dropped, true);
        r->g->style->drop(r->g);
    }
}

static int on_frame(struct run *r, uint32_t from)
{
    struct dtx_msg m;

    if (dtx_msg_decode(r->frame.data, r->frame.len, &m))
        return DTX_EPROTO;
    if (m.epoch != r->g->number)
        return DTX_OK;
    switch (m.kind) {
    case DTX_MSG_KYIELD:
        if (!r->over)
            set_order(r, m.u.kyield.slots ? m.u.kyield.slots : 1);
        return DTX_OK;
    case DTX_MSG_KGRANT:
        return on_grant(r, &m);
    case DTX_MSG_KOVER:
        on_over(r, &m);
        return DTX_OK;
    case DTX_MSG_KVALUE:
        return on_value(r, &m);
    case DTX_MSG_KPART:
        return r->s->net.rank == 0 ? add_part(r, &m) : DTX_EPROTO;
    case DTX_MSG_KENDED:
        return r->s->net.rank == 0 && r->g->style->hear
                   ? r->g->style->hear(r->g, m.u.kended.ended)
                   : DTX_EPROTO;
    case DTX_MSG_KRESULT:
        if (r->s->net.rank != 0 || !r->g->results)
            return DTX_EPROTO;
        return dtx_results_take(r->g->results, m.u.kresult.first,
                                m.u.kresult.count, m.u.kresult.bytes)
                   ? DTX_OK
                   : DTX_EPROTO;
    default:
        if (r->s->net.rank != 0)
            return DTX_EPROTO;
        step_broker(r, from);
        return DTX_OK;
    }
}

/* True when something came. */
static bool receive(struct run *r)
{
    bool any = false;

    for (;;) {
        enum dtx_channel c;
        int from = 0, rc;

        dtx_buf_clear(&r->frame);
        rc = dtx_net_recv(&r->s->net, &c, &from, &r->frame);
        if (rc == 0)
            return any;
        any = true;
        if (rc > 0)
            rc = on_frame(r, (uint32_t)from);
        if (rc < 0 && r->rc == DTX_OK)
            r->rc = rc;
        if (rc < 0)
            return true;
    }
}

static void ask(struct run *r, uint32_t count, bool idle)
{
    struct dtx_msg m = {.kind = DTX_MSG_KWANT};

    m.u.kwant.received = r->received;
    m.u.kwant.count = count;
    m.u.kwant.idle = idle;
    if (r->g->style->news)
        r->g->style->news(r->g, &m.u.kwant.done, &m.u.kwant.busy_ns);
    send(r, 0, &m);
    r->want_sent = true;
    r->idle_sent |= idle;
}

/* Answer who waits for a share of this rank's work, if that can be done now. */
static void answer(struct run *r, bool idle)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELDED};
    struct dtx_buf work = DTX_BUF_INIT;
    int64_t left = 0;

    if (!r->g->style->give(r->g, r->thief_slots, &work, &left) && !idle)
        return;
    m.u.kyielded.left_ns = left;
    m.u.kyielded.work = (struct dtx_str){work.data, work.len};
    if (work.failed)
        r->rc = DTX_ENOMEM;
    send(r, 0, &m);
    dtx_buf_free(&work);
    set_order(r, 0);
}

static void tell_load(struct run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KLOAD};
    int64_t now = dtx_clock_mono_ns(), left;

    if (r->g->style->fresh && r->g->style->fresh(r->g)) {
        m.u.kload.received = r->received;
        m.u.kload.left_ns = -1;
        r->want_sent = r->idle_sent = false;
        send(r, 0, &m);
        return;
    }
    if (r->s->net.size <= 2 || now < r->load_at)
        return;
    left = r->g->style->left_ns(r->g);
    r->load_at = now + (left / 4 > LOAD_LEAST_NS ? left / 4 : LOAD_LEAST_NS);
    if (left < 0 || r->want_sent)
        return;
    m.u.kload.received = r->received;
    m.u.kload.left_ns = left;
    send(r, 0, &m);
}

static void tell_cancel(struct run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KCANCEL};

    if (!atomic_load(&r->g->cancel) || r->cancel_sent)
        return;
    r->cancel_sent = true;
    send(r, 0, &m);
}

/* See what is to be said. That a kernel has asked to stop goes before that
 * nothing is left to do because of it. */
static void look(struct run *r)
{
    bool idle = dtx_crew_all_idle(&r->s->crew);
    bool holds = r->g->style->holds && r->g->style->holds(r->g);
    uint32_t count;

    tell_cancel(r);
    tell_load(r);
    if (r->thief_slots)
        answer(r, idle);
    if (idle && !holds && !r->idle_sent)
        ask(r, r->g->style->wants(r->g), true);
    else if (!r->want_sent && (count = r->g->style->wants(r->g)) > 0)
        ask(r, count, false);
}

static void pump(struct run *r, bool *left)
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

/* Hear, compute (when there are no threads), and sleep if that was all. */
static void turn(struct run *r)
{
    uint32_t seen = dtx_net_seen(&r->s->net);
    bool left = false, worked = receive(r);

    pump(r, &left);
    if (r->rc < 0)
        return;
    if (!r->over)
        look(r);
    if (r->s->crew.inlined)
        worked |= dtx_crew_work(&r->s->crew);
    if (!worked)
        dtx_net_wait(&r->s->net, seen, left ? FULL_NS : LOOK_NS);
}

/* --- beginning and end ---------------------------------------------------- */

static void enter(struct run *r)
{
    struct dtx_region *g = r->g;
    struct dtx_msg m = {.kind = DTX_MSG_ENTER};

    m.u.enter.protocol = DTX_PROTOCOL;
    m.u.enter.digest = dtx_hash128(g->text.data, g->text.len, 1).lo;
    if (g->work->profile) /* the shares come from it */
        m.u.enter.digest ^= dtx_hash128(g->work->profile->ns,
                                        sizeof(g->work->profile->ns), 2).lo;
    m.u.enter.call = (struct dtx_str){g->text.data, g->text.len};
    m.u.enter.kernels =
        (struct dtx_str){r->s->names.data, r->s->names.len};
    if (r->s->broker) {
        struct dtx_broker_region b = {.number = g->number,
                                      .digest = m.u.enter.digest,
                                      .call = g->text.data,
                                      .kernels = r->s->names.data};

        if (g->style == &dtx_style_loop && dtx_loop_has_plan(g)) {
            b.source = dtx_loop_draw;
            b.source_ctx = g;
        }
        dtx_broker_begin(r->s->broker, &b);
    }
    send(r, 0, &m);
}

/* What the slots have, together. */
static void send_part(struct run *r)
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
    }
    g->work->stats.here = m.u.kpart.done;
    m.u.kpart.failed = f.count;
    m.u.kpart.first = f.first;
    m.u.kpart.code = f.code;
    m.u.kpart.results = g->results ? dtx_results_sent(g->results) : 0;
    m.u.kpart.value =
        (struct dtx_str){g->call[0].values, g->work->value_bytes};
    if (r->profile && (profile = dtx_loop_profile(g)))
        dtx_profile_encode(&bytes, profile);
    m.u.kpart.profile = (struct dtx_str){bytes.data, bytes.len};
    send(r, 0, &m);
    free(profile);
    dtx_buf_free(&bytes);
}

/* The slots have come to rest, whatever has happened. */
static void stop_slots(struct run *r)
{
    struct dtx_crew *c = &r->s->crew;

    if (r->rc < 0) {
        atomic_store(&r->g->dropped, true);
        r->g->style->drop(r->g);
        dtx_results_discard(r->g->results);
    }
    while (!dtx_crew_all_idle(c)) {
        uint32_t seen = dtx_net_seen(&r->s->net);

        if (!(c->inlined && dtx_crew_work(c)) && !dtx_crew_all_idle(c))
            dtx_net_wait(&r->s->net, seen, FULL_NS);
    }
    dtx_crew_assign(c, NULL, NULL, 0);
}

/* The slots have come to rest, and their results are on their way. */
static void settle(struct run *r)
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

static void finish(struct run *r)
{
    send_part(r);
    while (r->rc == DTX_OK && !r->valued) {
        if (r->s->net.rank == 0 && all_there(r))
            send_value(r);
        else
            turn(r);
    }
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
    if (stride)
        values = aligned_alloc(128, n * stride);
    if (stride && !values)
        return DTX_ENOMEM;
    for (i = 0; i < n; i++) {
        struct dtx_call *c = &g->call[i];

        memset(c, 0, sizeof(*c));
        c->session = g->session;
        c->region = g;
        c->slot = i;
        c->values = stride ? values + i * stride : NULL;
        dtx_reduce_begin(g->work, c->values);
    }
    return DTX_OK;
}

static int prepare(struct run *r)
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

/* Keep what the parts cost for the next time. */
static void remember(struct run *r)
{
    struct dtx_work *w = r->g->work;

    free(w->profile);
    w->profile = r->profile;
    w->profile_begin = r->g->begin;
    w->profile_end = r->g->end;
    r->profile = NULL;
}

static int conclude(struct run *r, struct dtx_error *err)
{
    struct dtx_region *g = r->g;

    if (r->rc < 0)
        return dtx_error_set(err, r->rc, "%s: %s", g->text.data,
                             dtx_strerror(r->rc));
    if (r->code != DTX_OK)
        return dtx_error_set(err, r->code, "%s: %s", dtx_strerror(r->code),
                             r->text.failed ? "" : r->text.data);
    dtx_reduce_store(g->work, r->values);
    if (r->profile)
        remember(r);
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

static void clean_up(struct run *r)
{
    struct dtx_region *g = r->g;

    g->style->end(g);
    dtx_results_destroy(g->results);
    if (g->call)
        free(g->call[0].values);
    free(g->call);
    free(r->values);
    free(r->profile);
    dtx_buf_free(&r->frame);
    dtx_buf_free(&r->out);
    dtx_buf_free(&r->text);
}

int dtx_region_run(struct dtx_region *g, struct dtx_error *err)
{
    struct run r = {.g = g, .s = g->session};
    struct dtx_work *w = g->work;
    int64_t start = dtx_clock_mono_ns();
    int rc;

    g->number = ++g->session->regions;
    memset(&w->stats, 0, sizeof(w->stats));
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
        dtx_crew_assign(&g->session->crew, g->style->step, g, g->stock);
        while (!r.over && r.rc == DTX_OK)
            turn(&r);
        settle(&r);
        stop_slots(&r);
        if (r.rc == DTX_OK)
            finish(&r);
    }
    rc = conclude(&r, err);
    g->session->broken |= r.rc < 0;
    w->stats.done = r.done;
    w->stats.failed = r.failures.count;
    w->stats.first = r.failures.first;
    w->stats.received = r.received;
    clean_up(&r);
    w->stats.seconds = (double)(dtx_clock_mono_ns() - start) * 1e-9;
    return rc;
}

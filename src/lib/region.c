/* SPDX-License-Identifier: MIT */
/* One call that all ranks make together, from its ENTER to its KVALUE: it
 * begins, its rounds end, and this rank's part of the result is handed in.
 * What is heard and said meanwhile is in region_turn.c, rank 0's office in
 * region_lead.c. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "lib/diary.h"
#include "lib/learned.h"
#include "lib/region.h"
#include "lib/results.h"
#include "node/clock.h"

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
            dtx_net_wait(&r->s->net, seen, DTX_FULL_NS);
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
        dtx_run_pump(r, &left);
        if (!left && dtx_crew_all_idle(&r->s->crew)) {
            dtx_run_pump(r, &left);
            if (!left)
                return;
        }
        dtx_run_turn(r);
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
            dtx_run_turn(r);
    }
}

static void run_rounds(struct dtx_run *r)
{
    dtx_run_begin(r);
    while (r->rc == DTX_OK && !r->valued) {
        while (!r->member.over && r->rc == DTX_OK)
            dtx_run_turn(r);
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

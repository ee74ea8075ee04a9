/* SPDX-License-Identifier: MIT */
/* Rank 0's side of a region: it drives the broker, puts the parts of the result
 * together, and sees to what lost ranks had; see region.h.  A part counts when
 * the results that it names have come too, since both come on their own ways;
 * until then its rank may still be lost, and all it did be done again. */
#include <stdlib.h>
#include <string.h>

#include "engine/broker.h"
#include "lib/region.h"
#include "lib/results.h"
#include "node/clock.h"

static void step_broker(struct dtx_run *r, struct dtx_event *ev)
{
    struct dtx_actions *out = r->s->actions;
    size_t i;
    int rc;

    ev->now_ns = dtx_clock_mono_ns();
    rc = dtx_broker_step(r->s->broker, ev, out);
    for (i = 0; i < out->count && rc == DTX_OK; i++) {
        const struct dtx_action *a = &out->list[i];

        if (a->kind == DTX_ACT_SEND)
            rc = dtx_net_send(&r->s->net, a->u.to, DTX_CHANNEL_FRAMES,
                              dtx_action_bytes(out, a), a->len);
    }
    if (rc < 0 && r->rc == DTX_OK)
        r->rc = rc;
}

static void step_fail(struct dtx_run *r, uint32_t from,
                      const struct dtx_msg *m)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};

    dtx_buf_clear(&r->out);
    dtx_msg_encode(&r->out, m);
    ev.u.frame.from = from;
    ev.u.frame.data = r->out.data;
    ev.u.frame.len = r->out.len;
    if (!r->out.failed)
        step_broker(r, &ev);
}

void dtx_lead_fail(struct dtx_run *r, const struct dtx_msg *m)
{
    step_fail(r, r->s->net.rank, m);
}

void dtx_lead_left(struct dtx_run *r, uint32_t from)
{
    struct dtx_msg m = {.kind = DTX_MSG_KFAIL, .epoch = r->g->number};

    m.u.kfail.code = DTX_EMISMATCH;
    m.u.kfail.text = dtx_str_of("it has called dtx_finalize");
    step_fail(r, from, &m);
}

/* --- beginning and end ---------------------------------------------------- */

static bool on_moved(void *region, uint32_t from, uint32_t to,
                     struct dtx_str work, uint64_t straight,
                     struct dtx_buf *full)
{
    struct dtx_region *g = region;

    if (straight > 0 && g->style->passed)
        g->style->passed(g);
    return !g->style->moved || g->style->moved(g, from, to, work, full);
}

/* Of a tree nobody knows what a rank had, unless that is nothing. */
static int on_lost(void *region, uint32_t rank, struct dtx_buf *work)
{
    struct dtx_region *g = region;

    if (g->style->lost)
        return g->style->lost(g, rank, work);
    return dtx_broker_has_entered(g->session->broker, rank) ? DTX_ELOST
                                                            : DTX_OK;
}

int dtx_lead_begin(struct dtx_run *r, uint64_t digest)
{
    struct dtx_region *g = r->g;
    const struct dtx_net *n = &r->s->net;
    struct dtx_broker_region b = {.number = g->number,
                                  .digest = digest,
                                  .call = g->text.data,
                                  .kernels = r->s->names.data,
                                  .moved = on_moved,
                                  .lost = on_lost,
                                  .ctx = g};
    uint32_t i;

    r->part = calloc(n->size, sizeof(*r->part));
    r->taken = calloc(n->size, sizeof(*r->taken));
    if (!r->part || !r->taken)
        return DTX_ENOMEM;
    if (g->style == &dtx_style_loop && dtx_loop_is_source(g))
        b.source = dtx_loop_draw;
    dtx_broker_begin(r->s->broker, &b);
    for (i = 1; i < n->size; i++) {
        if (n->lost[i] && n->slots[i] > 0) /* the others do not know yet */
            dtx_lead_lose(r, i);
    }
    return DTX_OK;
}

void dtx_lead_end(struct dtx_run *r)
{
    uint32_t i;

    for (i = 0; r->part && i < r->s->net.size; i++)
        dtx_buf_free(&r->part[i]);
    free(r->part);
    free(r->taken);
}

void dtx_lead_lose(struct dtx_run *r, uint32_t rank)
{
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};

    dtx_buf_clear(&r->part[rank]);
    ev.u.lost = (struct dtx_loss){.rank = rank};
    step_broker(r, &ev);
}

void dtx_session_bury(struct dtx_session *s, uint32_t rank)
{
    s->slots_all -= s->net.slots[rank];
    s->net.slots[rank] = 0;
}

/* --- parts ---------------------------------------------------------------- */

/* The value of a frame, copied to where it is aligned. */
static char *aligned_copy(struct dtx_str s)
{
    char *p = malloc(s.len ? s.len : 1);

    if (p && s.len)
        memcpy(p, s.data, s.len);
    return p;
}

static int add_part(struct dtx_run *r, uint32_t from, const struct dtx_msg *m)
{
    const struct dtx_work *w = r->g->work;
    bool whole = r->member.code == DTX_OK; /* else ranks may differ in it */
    char *part;

    if (whole && m->u.kpart.value.len != w->value_bytes)
        return DTX_EPROTO;
    part = whole ? aligned_copy(m->u.kpart.value) : NULL;
    if (whole && !part)
        return DTX_ENOMEM;
    if (whole)
        dtx_reduce_merge(w, r->values, part);
    free(part);
    dtx_failures_add(&r->failures, m->u.kpart.first, m->u.kpart.failed,
                     m->u.kpart.code);
    r->done += m->u.kpart.done;
    if (whole && r->profile &&
        !dtx_profile_decode(r->profile, m->u.kpart.profile))
        return DTX_EPROTO;
    if (r->g->style->bank && !r->g->style->bank(r->g, from, m->u.kpart.round))
        return DTX_ENOMEM;
    dtx_broker_bank(r->s->broker, from, m->u.kpart.round);
    return DTX_OK;
}

/* A part: now, or when the results that it names are there. */
static int on_part(struct dtx_run *r, uint32_t from, const struct dtx_msg *m)
{
    struct dtx_buf *b = &r->part[from];

    if (from == r->s->net.rank || !r->g->results ||
        r->taken[from] >= m->u.kpart.results)
        return add_part(r, from, m);
    dtx_buf_clear(b);
    dtx_buf_append(b, r->frame.data, r->frame.len);
    return b->failed ? DTX_ENOMEM : DTX_OK;
}

static int on_result(struct dtx_run *r, uint32_t from, const struct dtx_msg *m)
{
    struct dtx_buf *b = &r->part[from];
    struct dtx_msg part;
    int rc;

    if (r->member.code != DTX_OK && !r->g->results)
        return DTX_OK; /* rank 0 does not make the call */
    if (!r->g->results ||
        !dtx_results_take(r->g->results, m->u.kresult.first,
                          m->u.kresult.count, m->u.kresult.failed != 0,
                          m->u.kresult.bytes))
        return DTX_EPROTO;
    r->taken[from] += m->u.kresult.count;
    if (b->len == 0)
        return DTX_OK;
    if (dtx_msg_decode(b->data, b->len, &part))
        return DTX_EPROTO;
    if (r->taken[from] < part.u.kpart.results)
        return DTX_OK;
    rc = add_part(r, from, &part);
    dtx_buf_clear(b);
    return rc;
}

int dtx_lead_hear(struct dtx_run *r, uint32_t from, const struct dtx_msg *m)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};

    switch (m->kind) {
    case DTX_MSG_KPART:
        return on_part(r, from, m);
    case DTX_MSG_KRESULT:
        return on_result(r, from, m);
    case DTX_MSG_KENDED:
        if (r->g->style->hear)
            return r->g->style->hear(r->g, from, m->u.kended.ended);
        return r->member.code != DTX_OK ? DTX_OK : DTX_EPROTO;
    default:
        ev.u.frame.from = from;
        ev.u.frame.data = r->frame.data;
        ev.u.frame.len = r->frame.len;
        step_broker(r, &ev);
        return DTX_OK;
    }
}

/* Those who are lost, for all to know; they are buried here too. */
static void name_lost(struct dtx_run *r, struct dtx_buf *lost)
{
    uint32_t i;

    for (i = 1; i < r->s->net.size; i++) {
        if (!dtx_broker_is_lost(r->s->broker, i))
            continue;
        dtx_put_u32(lost, i);
        dtx_session_bury(r->s, i);
    }
}

bool dtx_lead_conclude(struct dtx_run *r)
{
    struct dtx_msg m = {.kind = DTX_MSG_KVALUE};
    struct dtx_buf profile = DTX_BUF_INIT, lost = DTX_BUF_INIT;
    uint32_t to;

    if (!dtx_broker_complete(r->s->broker))
        return false;
    r->done += r->g->gone_done;
    dtx_failures_add(&r->failures, r->g->gone.first, r->g->gone.count,
                     r->g->gone.code);
    name_lost(r, &lost);
    m.u.kvalue.done = r->done;
    m.u.kvalue.failed = r->failures.count;
    m.u.kvalue.first = r->failures.first;
    m.u.kvalue.code = r->failures.code;
    m.u.kvalue.value = (struct dtx_str){r->values, r->g->work->value_bytes};
    m.u.kvalue.last = r->g->last;
    if (r->profile)
        dtx_profile_encode(&profile, r->profile);
    m.u.kvalue.profile = (struct dtx_str){profile.data, profile.len};
    m.u.kvalue.lost = (struct dtx_str){lost.data, lost.len};
    for (to = 1; to < r->s->net.size; to++) {
        if (r->s->net.slots[to] > 0)
            dtx_run_send(r, to, &m);
    }
    dtx_buf_free(&profile);
    dtx_buf_free(&lost);
    r->valued = true;
    return true;
}

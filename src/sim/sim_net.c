/* SPDX-License-Identifier: MIT */
/* The network of the simulator: every frame takes a way of its own length, but
 * none of a pair overtakes another.  It never looks into a frame, except to
 * write the transcript. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sim/sim_state.h"

#define SHOWN_ITEMS 6
#define ROOM 32 /* for a frame that is a little longer than the last */

bool dtx_sim_is_far(const struct dtx_sim *s, uint32_t rank)
{
    return s->c.ranks_per_node ? rank / s->c.ranks_per_node > 0 : rank != 0;
}

/* From node to node: the links of both ends are taken one frame after the
 * other. */
static int64_t by_links(struct dtx_sim *s, struct dtx_sim_rank *from,
                        struct dtx_sim_rank *to, int64_t at, size_t len)
{
    int64_t wire = (int64_t)((double)len * s->c.cost.byte_ns);
    uint32_t other = from->number ? from->number : to->number;

    if (at < from->sent_ns)
        at = from->sent_ns;
    from->sent_ns = at + wire;
    at += dtx_sim_spread(s, s->c.delay_ns, s->c.delay_spread_ns);
    if (s->c.ranks_per_switch && other / s->c.ranks_per_switch > 0)
        at += s->c.hop_ns;
    if (s->c.cost.byte_ns > 0 && at < to->got_ns)
        at = to->got_ns;
    to->got_ns = at + wire;
    return at + wire;
}

/* When a frame that leaves now arrives, not before the one sent before it. */
static int64_t arrival(struct dtx_sim *s, struct dtx_sim_rank *r,
                       bool to_master, int64_t at, size_t len)
{
    int64_t *last = to_master ? &r->out_ns : &r->in_ns;
    struct dtx_sim_rank *master = &s->rank[0];

    if (dtx_sim_is_far(s, r->number))
        at = by_links(s, to_master ? r : master, to_master ? master : r, at,
                      len);
    else if (r->number != 0)
        at += dtx_sim_spread(s, s->c.near_ns, s->c.delay_spread_ns);
    if (s->now_ns < r->cut_ns && at < r->cut_ns)
        at = r->cut_ns;
    if (at < *last)
        at = *last;
    *last = at;
    return at;
}

/* The frame's bytes; those of the last frame of this event are overwritten. */
static bool fill(struct dtx_sim_event *e, const void *data, size_t len)
{
    if (len >= e->room) {
        char *p = len < UINT32_MAX / 2 ? realloc(e->data, len + ROOM) : NULL;

        if (!p)
            return false;
        e->data = p;
        e->room = (uint32_t)(len + ROOM);
    }
    if (len > 0)
        memcpy(e->data, data, len);
    e->len = (uint32_t)len;
    return true;
}

void dtx_sim_send(struct dtx_sim *s, int64_t at_ns, uint32_t from, uint32_t to,
                  bool to_master, const void *data, size_t len)
{
    struct dtx_sim_rank *r = &s->rank[to_master ? from : to];
    uint32_t i = dtx_sim_post(s, arrival(s, r, to_master, at_ns, len),
                              DTX_SIM_FRAME,
                              to_master ? DTX_SIM_MASTER : r->target, from);

    s->res.frames++;
    if (i == DTX_SIM_NONE)
        return;
    if (!fill(&s->event[i], data, len))
        s->nomem = true; /* and nothing is heard any more */
}

/* ---- the transcript ---- */

/* One item of the list as text: 1 when there was one. */
static int say_item(struct dtx_msg *m, struct dtx_buf *b)
{
    struct dtx_item_work work;
    struct dtx_item_outcome o;
    struct dtx_item_taskref ref;
    int rc = 0;

    if (m->kind == DTX_MSG_GRANT &&
        (rc = dtx_item_work_next(&m->items, &work)) > 0)
        dtx_buf_printf(b, " %u/%u", work.task + 1, work.attempt);
    if (m->kind == DTX_MSG_YIELDED &&
        (rc = dtx_item_taskref_next(&m->items, &ref)) > 0)
        dtx_buf_printf(b, " %u/%u", ref.task + 1, ref.attempt);
    if (m->kind == DTX_MSG_DONE &&
        (rc = dtx_item_outcome_next(&m->items, &o)) > 0)
        dtx_buf_printf(b, " %u/%u %s", o.task + 1, o.attempt,
                       dtx_status_name((enum dtx_status)o.status));
    return rc;
}

static void say_fields(const struct dtx_msg *m, struct dtx_buf *b)
{
    switch (m->kind) {
    case DTX_MSG_HELLO:
        dtx_buf_printf(b, " slots=%u", m->u.hello.slots);
        break;
    case DTX_MSG_YIELD:
        if (m->u.yield.count == UINT32_MAX)
            dtx_buf_str(b, " all");
        else
            dtx_buf_printf(b, " %u", m->u.yield.count);
        break;
    case DTX_MSG_STOP:
        dtx_buf_str(b, m->u.stop.mode == DTX_STOP_KILL ? " kill" : " drain");
        break;
    case DTX_MSG_STOPREQ:
        dtx_buf_str(b,
                    m->u.stopreq.mode == DTX_STOP_KILL ? " kill" : " drain");
        break;
    case DTX_MSG_LIMIT:
        dtx_buf_printf(b, " %lld us",
                       (long long)(m->u.limit.timeout_ns / 1000));
        break;
    case DTX_MSG_DEADLINE:
        dtx_buf_printf(b, " in %lld us",
                       (long long)(m->u.deadline.left_ns / 1000));
        break;
    default:
        break;
    }
}

void dtx_sim_say_frame(struct dtx_sim *s, const struct dtx_sim_event *e)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_msg m;
    int n = 0;

    if (!s->c.trace)
        return;
    if (e->target == DTX_SIM_MASTER)
        dtx_buf_printf(&b, "%u > master: ", e->a);
    else
        dtx_buf_printf(&b, "master > %u: ", e->target - 1);
    if (dtx_msg_decode(e->data, e->len, &m)) {
        dtx_buf_str(&b, "?");
    } else {
        dtx_buf_str(&b, dtx_msg_name(m.kind));
        say_fields(&m, &b);
        while (n < SHOWN_ITEMS && say_item(&m, &b) > 0)
            n++;
        if (m.kind == DTX_MSG_DONE)
            dtx_buf_printf(&b, ", %u waiting", m.u.done.waiting);
        else if (m.kind == DTX_MSG_YIELDED)
            dtx_buf_printf(&b, ", %u waiting", m.u.yielded.waiting);
    }
    if (!b.failed)
        dtx_sim_say(s, "%s", b.data);
    dtx_buf_free(&b);
}

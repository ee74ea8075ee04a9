/* SPDX-License-Identifier: MIT */
/* Carries lines of running tasks; see live.h.  It keeps none. */
#include "run/live.h"

#include "base/log.h"
#include "base/units.h"
#include "run/inbox.h"
#include "run/lines.h"
#include "run/show.h"
#include "wire/wire.h"

#define LINES_NS (100 * DTX_MSEC_NS) /* how often running tasks are read */

/* Rank 0, to the others and to itself: so many pieces have come, so many bytes
 * need no room any more. */
static void give_back(struct dtx_live *v, uint32_t to, uint32_t pieces,
                      uint64_t bytes)
{
    if (to != v->rank)
        v->send(v->ctx, to, true, bytes, NULL, pieces);
    else
        dtx_live_back(v, pieces, bytes);
}

static void take_lines(struct dtx_live *v, uint32_t from,
                       const struct dtx_lines_piece *p)
{
    bool kept = dtx_show_lines(v->show, from, p);

    give_back(v, from, 1, kept ? 0 : p->len + DTX_LINES_COST);
}

static void send_lines(void *ctx, const struct dtx_lines_piece *p)
{
    struct dtx_live *v = ctx;
    struct dtx_buf b = DTX_BUF_INIT;

    if (v->rank == 0) {
        take_lines(v, 0, p);
        return;
    }
    dtx_put_u32(&b, p->task);
    dtx_put_u32(&b, p->attempt);
    dtx_put_u8(&b, (uint8_t)p->stream);
    dtx_put_str(&b, (struct dtx_str){p->len ? p->data : "", p->len});
    if (b.failed) { /* it is shown with the output */
        dtx_log(DTX_LOG_WARN, "out of memory: lines are shown later");
        dtx_live_back(v, 1, p->len + DTX_LINES_COST);
    } else {
        v->send(v->ctx, 0, false, p->off, b.data, b.len);
    }
    dtx_buf_free(&b);
}

void dtx_live_begin(struct dtx_live *v, uint32_t rank, struct dtx_lines *lines,
                    struct dtx_show *show, dtx_live_send_f send, void *ctx)
{
    *v = (struct dtx_live){rank, lines, show, send, ctx, 0};
    if (lines)
        dtx_lines_to(lines, send_lines, v);
}

void dtx_live_hear(struct dtx_live *v, uint32_t from, uint64_t off,
                   struct dtx_str body)
{
    struct dtx_cursor c = dtx_cursor_over(body.data, body.len);
    struct dtx_lines_piece p = {.off = off};
    struct dtx_str text;

    p.task = dtx_get_u32(&c);
    p.attempt = dtx_get_u32(&c);
    p.stream = dtx_get_u8(&c);
    text = dtx_get_str(&c);
    p.data = text.data;
    p.len = text.len;
    if (v->lines && dtx_cursor_done(&c) && p.stream < 2)
        take_lines(v, from, &p);
}

void dtx_live_back(struct dtx_live *v, uint32_t pieces, uint64_t bytes)
{
    if (v->lines && dtx_lines_back(v->lines, pieces, bytes))
        v->next_ns = 0;
}

bool dtx_live_poll(struct dtx_live *v, int64_t now, struct dtx_inbox *worker)
{
    struct dtx_outcome o;
    uint64_t bytes;
    uint32_t rank;
    bool moved = false;

    if (!v->lines)
        return false;
    while (v->show && dtx_show_spent(v->show, &rank, &bytes)) {
        give_back(v, rank, 0, bytes + DTX_LINES_COST);
        moved = true;
    }
    if (now >= v->next_ns) {
        v->next_ns = now + LINES_NS;
        moved |= dtx_lines_poll(v->lines);
    }
    while (dtx_lines_next(v->lines, &o)) {
        dtx_inbox_ended(worker, &o);
        moved = true;
    }
    return moved;
}

/* SPDX-License-Identifier: MIT */
/* Events waiting for a state machine; see inbox.h. */
#include "run/inbox.h"

#include <stdlib.h>
#include <string.h>

static struct dtx_inbox_item *add(struct dtx_inbox *b,
                                  enum dtx_event_kind kind)
{
    static struct dtx_inbox_item scratch;
    struct dtx_inbox_item *p =
        dtx_grow(b->item, &b->cap, b->count + 1, sizeof(*p));

    if (!p) {
        b->failed = true;
        return &scratch;
    }
    b->item = p;
    p += b->count++;
    memset(&p->ev, 0, sizeof(p->ev));
    p->ev.kind = kind;
    p->at = 0;
    return p;
}

struct dtx_event *dtx_inbox_add(struct dtx_inbox *b, enum dtx_event_kind kind)
{
    return &add(b, kind)->ev;
}

void dtx_inbox_frame(struct dtx_inbox *b, uint32_t from, const void *data,
                     size_t len)
{
    struct dtx_inbox_item *p = add(b, DTX_EV_FRAME);

    p->at = b->bytes.len;
    p->ev.u.frame.from = from;
    p->ev.u.frame.len = len;
    dtx_buf_append(&b->bytes, data, len);
    b->failed |= b->bytes.failed;
}

void dtx_inbox_lost(struct dtx_inbox *b, const struct dtx_loss *l)
{
    static const char none[sizeof(uint64_t)];
    struct dtx_inbox_item *p = add(b, DTX_EV_RANK_LOST);
    size_t pad = -b->bytes.len % sizeof(uint64_t);

    dtx_buf_append(&b->bytes, none, pad); /* where a struct may stand */
    p->at = b->bytes.len;
    p->ev.u.lost = *l;
    dtx_buf_append(&b->bytes, l->ran, l->nran * sizeof(*l->ran));
    b->failed |= b->bytes.failed;
}

void dtx_inbox_ended(struct dtx_inbox *b, const struct dtx_outcome *o)
{
    add(b, DTX_EV_TASK_ENDED)->ended = *o;
}

const struct dtx_event *dtx_inbox_event(struct dtx_inbox *b, size_t i,
                                        int64_t now_ns)
{
    struct dtx_inbox_item *p = &b->item[i];

    p->ev.now_ns = now_ns;
    p->ev.more = i + 1 < b->count;
    if (p->ev.kind == DTX_EV_FRAME)
        p->ev.u.frame.data = b->bytes.data + p->at;
    else if (p->ev.kind == DTX_EV_RANK_LOST)
        p->ev.u.lost.ran = (const void *)(b->bytes.data + p->at);
    else if (p->ev.kind == DTX_EV_TASK_ENDED)
        p->ev.u.ended = &p->ended;
    return &p->ev;
}

void dtx_inbox_clear(struct dtx_inbox *b)
{
    b->count = 0;
    dtx_buf_clear(&b->bytes);
}

void dtx_inbox_free(struct dtx_inbox *b)
{
    free(b->item);
    dtx_buf_free(&b->bytes);
    *b = (struct dtx_inbox)DTX_INBOX_INIT;
}

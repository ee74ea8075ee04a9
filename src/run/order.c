/* SPDX-License-Identifier: MIT */
/* A heap by task; see order.h.  It never decides whose turn it is. */
#include "run/order.h"

#include <stdlib.h>

#include "base/buf.h"

bool dtx_order_push(struct dtx_order *o, uint32_t task, void *thing)
{
    struct dtx_order_item *p =
        dtx_grow(o->item, &o->cap, o->len + 1, sizeof(*p));
    size_t i;

    if (!p)
        return false;
    o->item = p;
    for (i = o->len++; i > 0 && p[(i - 1) / 2].task > task; i = (i - 1) / 2)
        p[i] = p[(i - 1) / 2];
    p[i] = (struct dtx_order_item){task, thing};
    return true;
}

void *dtx_order_take(struct dtx_order *o, uint64_t limit)
{
    struct dtx_order_item *p = o->item, last;
    void *thing;
    size_t i = 0, child;

    if (o->len == 0 || p[0].task >= limit)
        return NULL;
    thing = p[0].thing;
    last = p[--o->len];
    for (child = 1; child < o->len; child = 2 * i + 1) {
        if (child + 1 < o->len && p[child + 1].task < p[child].task)
            child++;
        if (p[child].task >= last.task)
            break;
        p[i] = p[child];
        i = child;
    }
    p[i] = last;
    return thing;
}

void dtx_order_free(struct dtx_order *o)
{
    free(o->item);
    *o = (struct dtx_order){NULL, 0, 0};
}

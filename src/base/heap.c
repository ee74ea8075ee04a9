/* SPDX-License-Identifier: MIT */
/* Indexed binary heap; see heap.h. */
#include "base/heap.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

void dtx_heap_init(struct dtx_heap *h, dtx_heap_before_f before,
                   const void *ctx)
{
    memset(h, 0, sizeof(*h));
    h->before = before;
    h->ctx = ctx;
}

void dtx_heap_fini(struct dtx_heap *h)
{
    free(h->item);
    free(h->pos);
    memset(h, 0, sizeof(*h));
}

static void place(struct dtx_heap *h, size_t i, uint32_t item)
{
    h->item[i] = item;
    h->pos[item] = (uint32_t)i;
}

static bool before(struct dtx_heap *h, uint32_t a, uint32_t b)
{
    h->compares++;
    return h->before(h->ctx, a, b);
}

static void sift_up(struct dtx_heap *h, size_t i, uint32_t item)
{
    while (i > 0) {
        size_t up = (i - 1) / 2;

        if (!before(h, item, h->item[up]))
            break;
        place(h, i, h->item[up]);
        i = up;
    }
    place(h, i, item);
}

static void sift_down(struct dtx_heap *h, size_t i, uint32_t item)
{
    for (;;) {
        size_t kid = 2 * i + 1;

        if (kid >= h->len)
            break;
        if (kid + 1 < h->len && before(h, h->item[kid + 1], h->item[kid]))
            kid++;
        if (!before(h, h->item[kid], item))
            break;
        place(h, i, h->item[kid]);
        i = kid;
    }
    place(h, i, item);
}

static bool room_for(struct dtx_heap *h, uint32_t item)
{
    uint32_t *p;
    size_t cap = h->npos;

    p = dtx_grow(h->item, &h->cap, h->len + 1, sizeof(*p));
    if (!p)
        return false;
    h->item = p;
    if (item < h->npos)
        return true;
    p = dtx_grow(h->pos, &cap, (size_t)item + 1, sizeof(*p));
    if (!p)
        return false;
    h->pos = p;
    for (; h->npos < cap; h->npos++)
        h->pos[h->npos] = DTX_HEAP_NONE;
    return true;
}

bool dtx_heap_push(struct dtx_heap *h, uint32_t item)
{
    if (!room_for(h, item))
        return false;
    h->len++;
    sift_up(h, h->len - 1, item);
    return true;
}

uint32_t dtx_heap_top(const struct dtx_heap *h)
{
    return h->len ? h->item[0] : DTX_HEAP_NONE;
}

bool dtx_heap_has(const struct dtx_heap *h, uint32_t item)
{
    return item < h->npos && h->pos[item] != DTX_HEAP_NONE;
}

void dtx_heap_fix(struct dtx_heap *h, uint32_t item)
{
    size_t i;

    if (!dtx_heap_has(h, item))
        return;
    i = h->pos[item];
    if (i > 0 && before(h, item, h->item[(i - 1) / 2]))
        sift_up(h, i, item);
    else
        sift_down(h, i, item);
}

void dtx_heap_remove(struct dtx_heap *h, uint32_t item)
{
    size_t i;
    uint32_t last;

    if (!dtx_heap_has(h, item))
        return;
    i = h->pos[item];
    h->pos[item] = DTX_HEAP_NONE;
    last = h->item[--h->len];
    if (last == item)
        return;
    place(h, i, last);
    dtx_heap_fix(h, last);
}

uint32_t dtx_heap_pop(struct dtx_heap *h)
{
    uint32_t top = dtx_heap_top(h);

    if (top != DTX_HEAP_NONE)
        dtx_heap_remove(h, top);
    return top;
}

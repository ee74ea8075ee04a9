/* SPDX-License-Identifier: MIT */
/* Indexed heap with its keys inside; see keyheap.h. */
#include "base/keyheap.h"

#include <stdlib.h>

#include "base/buf.h"

#define BRANCHES 4

_Static_assert(sizeof(struct dtx_keyheap_node) == 16, "four are a line");

void dtx_keyheap_init(struct dtx_keyheap *h, dtx_key_pair_f key,
                      const void *ctx)
{
    memset(h, 0, sizeof(*h));
    h->key = key;
    h->ctx = ctx;
}

void dtx_keyheap_fini(struct dtx_keyheap *h)
{
    dtx_free_heap(h->node, sizeof(*h->node));
    free(h->pos);
    memset(h, 0, sizeof(*h));
}

static inline bool before(const struct dtx_keyheap_node *a,
                          const struct dtx_keyheap_node *b)
{
    if (a->hi != b->hi)
        return a->hi < b->hi;
    return a->lo != b->lo ? a->lo < b->lo : a->item < b->item;
}

static inline void place(struct dtx_keyheap *h, size_t i,
                         const struct dtx_keyheap_node *n)
{
    h->node[i] = *n;
    h->pos[n->item] = (uint32_t)i;
}

static struct dtx_keyheap_node node_of(const struct dtx_keyheap *h,
                                       uint32_t item)
{
    struct dtx_key_pair k = h->key(h->ctx, item);

    return (struct dtx_keyheap_node){k.hi, k.lo, item};
}

static void sift_up(struct dtx_keyheap *h, size_t i,
                    const struct dtx_keyheap_node *n)
{
    while (i > 0) {
        size_t up = (i - 1) / BRANCHES;

        h->compares++;
        if (!before(n, &h->node[up]))
            break;
        place(h, i, &h->node[up]);
        i = up;
    }
    place(h, i, n);
}

/* Sixteen nodes, of which four are looked at next. */
static inline void fetch(const struct dtx_keyheap_node *n)
{
    size_t i;

    for (i = 0; i < BRANCHES; i++)
        __builtin_prefetch(n + BRANCHES * i);
}

static void sift_down(struct dtx_keyheap *h, size_t i,
                      const struct dtx_keyheap_node *n)
{
    for (;;) {
        size_t kid = BRANCHES * i + 1, last = kid + BRANCHES, best = kid;

        if (kid >= h->len)
            break;
        if (last > h->len)
            last = h->len;
        if (BRANCHES * last < h->len)
            fetch(&h->node[BRANCHES * kid + 1]);
        h->compares += last - kid;
        for (kid++; kid < last; kid++) {
            if (before(&h->node[kid], &h->node[best]))
                best = kid;
        }
        if (!before(&h->node[best], n))
            break;
        place(h, i, &h->node[best]);
        i = best;
    }
    place(h, i, n);
}

/* To its place, from near 'i', which nobody has. */
static void settle(struct dtx_keyheap *h, size_t i,
                   const struct dtx_keyheap_node *n)
{
    if (i > 0) {
        h->compares++;
        if (before(n, &h->node[(i - 1) / BRANCHES])) {
            sift_up(h, i, n);
            return;
        }
    }
    sift_down(h, i, n);
}

static bool room_for(struct dtx_keyheap *h, uint32_t item)
{
    struct dtx_keyheap_node *p;
    size_t cap = h->npos;
    uint32_t *q;

    p = dtx_grow_heap(h->node, &h->cap, h->len + 1, sizeof(*p));
    if (!p)
        return false;
    h->node = p;
    if (item < h->npos)
        return true;
    q = dtx_grow(h->pos, &cap, (size_t)item + 1, sizeof(*q));
    if (!q)
        return false;
    h->pos = q;
    for (; h->npos < cap; h->npos++)
        h->pos[h->npos] = DTX_HEAP_NONE;
    return true;
}

bool dtx_keyheap_push(struct dtx_keyheap *h, uint32_t item)
{
    struct dtx_keyheap_node n;

    if (!room_for(h, item))
        return false;
    n = node_of(h, item);
    sift_up(h, h->len++, &n);
    return true;
}

void dtx_keyheap_fix(struct dtx_keyheap *h, uint32_t item)
{
    struct dtx_keyheap_node n, *old;

    if (!dtx_keyheap_has(h, item))
        return;
    n = node_of(h, item);
    old = &h->node[h->pos[item]];
    if (n.hi != old->hi || n.lo != old->lo)
        settle(h, h->pos[item], &n);
}

void dtx_keyheap_remove(struct dtx_keyheap *h, uint32_t item)
{
    struct dtx_keyheap_node last;
    size_t i;

    if (!dtx_keyheap_has(h, item))
        return;
    i = h->pos[item];
    h->pos[item] = DTX_HEAP_NONE;
    last = h->node[--h->len];
    if (last.item != item)
        settle(h, i, &last);
}

uint32_t dtx_keyheap_pop(struct dtx_keyheap *h)
{
    uint32_t top = dtx_keyheap_top(h);

    if (top != DTX_HEAP_NONE)
        dtx_keyheap_remove(h, top);
    return top;
}

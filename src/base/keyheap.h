/* SPDX-License-Identifier: MIT */
/* base/keyheap.h - an indexed heap whose keys lie in it
 *
 * As base/heap.h, for large heaps: the owner tells each item's key once, when
 * it comes and when dtx_keyheap_fix is called, and comparisons look at nothing
 * else.  Four branches to a node, so that a step down touches one or two lines
 * of cache (LaMarca and Ladner, "The influence of caches on the performance of
 * heaps", JEA 1, 1996).  The smallest key comes out first, then the smallest
 * number.
 */
#ifndef DTX_BASE_KEYHEAP_H
#define DTX_BASE_KEYHEAP_H

#include <string.h>

#include "base/heap.h"

/* Compared by 'hi', then by 'lo'. */
struct dtx_key_pair {
    uint64_t hi;
    uint32_t lo;
};

typedef struct dtx_key_pair (*dtx_key_pair_f)(const void *ctx, uint32_t item);

struct dtx_keyheap_node {
    uint64_t hi;
    uint32_t lo, item;
};

struct dtx_keyheap {
    struct dtx_keyheap_node *node; /* len of them in heap order */
    uint32_t *pos; /* place of an item, DTX_HEAP_NONE when absent */
    size_t len, cap, npos;
    dtx_key_pair_f key;
    const void *ctx;
    uint64_t compares;
};

void dtx_keyheap_init(struct dtx_keyheap *h, dtx_key_pair_f key,
                      const void *ctx);
void dtx_keyheap_fini(struct dtx_keyheap *h);
/* Add an item that is not there. False when out of memory. */
bool dtx_keyheap_push(struct dtx_keyheap *h, uint32_t item);
/* Take the first item out, or DTX_HEAP_NONE. */
uint32_t dtx_keyheap_pop(struct dtx_keyheap *h);
/* Put an item whose key has changed in its place; nothing if absent. */
void dtx_keyheap_fix(struct dtx_keyheap *h, uint32_t item);
/* Take an item out; nothing if absent. */
void dtx_keyheap_remove(struct dtx_keyheap *h, uint32_t item);

static inline bool dtx_keyheap_has(const struct dtx_keyheap *h, uint32_t item)
{
    return item < h->npos && h->pos[item] != DTX_HEAP_NONE;
}

/* The i-th item in heap order, below len. */
static inline uint32_t dtx_keyheap_at(const struct dtx_keyheap *h, size_t i)
{
    return h->node[i].item;
}

/* The first item, or DTX_HEAP_NONE. */
static inline uint32_t dtx_keyheap_top(const struct dtx_keyheap *h)
{
    return h->len ? h->node[0].item : DTX_HEAP_NONE;
}

/* Numbers as keys in the same order; no NAN. */
static inline uint64_t dtx_key_of_double(double v)
{
    uint64_t bits;

    v += 0.0; /* there is one zero */
    memcpy(&bits, &v, sizeof(bits));
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline uint32_t dtx_key_of_float(float v)
{
    uint32_t bits;

    v += 0.0f;
    memcpy(&bits, &v, sizeof(bits));
    return bits >> 31 ? ~bits : bits | UINT32_C(1) << 31;
}

#endif

/* SPDX-License-Identifier: MIT */
/* base/heap.h - an indexed binary heap of small numbers
 *
 * Items are numbers 0 .. n-1, each at most once.  Their order is asked of the
 * owner, so that keys live where they belong; after a key has changed call
 * dtx_heap_fix.  All changes cost O(log n) comparisons; 'compares' counts
 * them, so that a test can show it.
 */
#ifndef DTX_BASE_HEAP_H
#define DTX_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTX_HEAP_NONE UINT32_MAX

/* True when 'a' comes out before 'b'. Must be a strict order. */
typedef bool (*dtx_heap_before_f)(const void *ctx, uint32_t a, uint32_t b);

struct dtx_heap {
    uint32_t *item; /* len items in heap order */
    uint32_t *pos;  /* place of an item, DTX_HEAP_NONE when absent */
    size_t len, cap, npos;
    dtx_heap_before_f before;
    const void *ctx;
    uint64_t compares;
};

void dtx_heap_init(struct dtx_heap *h, dtx_heap_before_f before,
                   const void *ctx);
void dtx_heap_fini(struct dtx_heap *h);
/* Add an item that is not there. False when out of memory. */
bool dtx_heap_push(struct dtx_heap *h, uint32_t item);
/* The first item, or DTX_HEAP_NONE. */
uint32_t dtx_heap_top(const struct dtx_heap *h);
/* Take the first item out, or DTX_HEAP_NONE. */
uint32_t dtx_heap_pop(struct dtx_heap *h);
bool dtx_heap_has(const struct dtx_heap *h, uint32_t item);
/* Put an item whose key has changed in its place; nothing if absent. */
void dtx_heap_fix(struct dtx_heap *h, uint32_t item);
/* Take an item out; nothing if absent. */
void dtx_heap_remove(struct dtx_heap *h, uint32_t item);

#endif

/* SPDX-License-Identifier: MIT */
/* The deque of Chase and Lev; see deque.h. */
#include "lane/deque.h"

#include <stdlib.h>

#define FIRST_SIZE 64

struct dtx_ring {
    struct dtx_ring *older;
    int64_t size; /* a power of two */
    _Atomic(void *) item[];
};

static struct dtx_ring *make_ring(int64_t size, struct dtx_ring *older)
{
    struct dtx_ring *r =
        malloc(sizeof(*r) + (size_t)size * sizeof(r->item[0]));

    if (r) {
        r->older = older;
        r->size = size;
    }
    return r;
}

static void *get(const struct dtx_ring *r, int64_t i)
{
    return atomic_load_explicit(&r->item[i & (r->size - 1)],
                                memory_order_relaxed);
}

static void put(struct dtx_ring *r, int64_t i, void *item)
{
    atomic_store_explicit(&r->item[i & (r->size - 1)], item,
                          memory_order_relaxed);
}

bool dtx_deque_init(struct dtx_deque *d)
{
    struct dtx_ring *r = make_ring(FIRST_SIZE, NULL);

    atomic_init(&d->top, 0);
    atomic_init(&d->bottom, 0);
    atomic_init(&d->ring, r);
    return r != NULL;
}

void dtx_deque_fini(struct dtx_deque *d)
{
    struct dtx_ring *r = atomic_load(&d->ring);

    while (r) {
        struct dtx_ring *older = r->older;

        free(r);
        r = older;
    }
    atomic_store(&d->ring, NULL);
}

static struct dtx_ring *grow(struct dtx_deque *d, struct dtx_ring *r,
                             int64_t top, int64_t bottom)
{
    struct dtx_ring *larger = make_ring(r->size * 2, r);
    int64_t i;

    if (!larger)
        return NULL;
    for (i = top; i < bottom; i++)
        put(larger, i, get(r, i));
    atomic_store_explicit(&d->ring, larger, memory_order_release);
    return larger;
}

bool dtx_deque_push(struct dtx_deque *d, void *item)
{
    int64_t b = atomic_load_explicit(&d->bottom, memory_order_relaxed);
    int64_t t = atomic_load_explicit(&d->top, memory_order_acquire);
    struct dtx_ring *r = atomic_load_explicit(&d->ring, memory_order_relaxed);

    if (b - t >= r->size) {
        r = grow(d, r, t, b);
        if (!r)
            return false;
    }
    put(r, b, item);
    atomic_store_explicit(&d->bottom, b + 1, memory_order_release);
    return true;
}

void *dtx_deque_pop(struct dtx_deque *d)
{
    int64_t b = atomic_load_explicit(&d->bottom, memory_order_relaxed) - 1, t;
    struct dtx_ring *r = atomic_load_explicit(&d->ring, memory_order_relaxed);
    void *item = NULL;

    /* Nothing was there, and only the owner adds: no need to be seen. */
    if (atomic_load_explicit(&d->top, memory_order_acquire) > b)
        return NULL;
    atomic_store(&d->bottom, b);
    t = atomic_load(&d->top);
    if (t <= b) {
        item = get(r, b);
        if (t < b)
            return item;
        if (!atomic_compare_exchange_strong(&d->top, &t, t + 1))
            item = NULL; /* a thief took the last one */
    }
    atomic_store_explicit(&d->bottom, b + 1, memory_order_relaxed);
    return item;
}

void *dtx_deque_steal(struct dtx_deque *d, bool *lost)
{
    int64_t t = atomic_load(&d->top);
    int64_t b = atomic_load(&d->bottom);
    struct dtx_ring *r;
    void *item;

    *lost = false;
    if (t >= b)
        return NULL;
    r = atomic_load_explicit(&d->ring, memory_order_acquire);
    item = get(r, t);
    if (atomic_compare_exchange_strong(&d->top, &t, t + 1))
        return item;
    *lost = true;
    return NULL;
}

size_t dtx_deque_size(const struct dtx_deque *d)
{
    int64_t n = atomic_load_explicit(&d->bottom, memory_order_relaxed) -
                atomic_load_explicit(&d->top, memory_order_relaxed);

    return n > 0 ? (size_t)n : 0;
}

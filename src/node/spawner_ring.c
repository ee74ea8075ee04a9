/* SPDX-License-Identifier: MIT */
/* The two rings between a rank and its spawner; see spawner_ring.h.  One
 * writer and one reader each, positions that only grow.  It decides nothing
 * about tasks and never waits. */
#include "node/spawner_ring.h"

#include <stdbool.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct dtx_record) % DTX_RECORD_ALIGN == 0 &&
                   DTX_RECORD_ALIGN >= 2 * sizeof(uint32_t),
               "size and kind fit wherever a record may begin");

struct dtx_ring *dtx_ring_map(void)
{
    void *p = mmap(NULL, sizeof(struct dtx_ring), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void dtx_ring_unmap(struct dtx_ring *m)
{
    if (m)
        (void)munmap(m, sizeof(*m));
}

static struct dtx_record *record_at(struct dtx_ring *m, uint64_t pos)
{
    return (struct dtx_record *)(void *)&m->bytes[pos % DTX_RING_BYTES];
}

struct dtx_record *dtx_ring_reserve(struct dtx_ring *m, size_t size)
{
    uint64_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&m->head, memory_order_acquire);
    uint64_t left = DTX_RING_BYTES - tail % DTX_RING_BYTES;
    uint64_t want = (size + DTX_RECORD_ALIGN - 1) / DTX_RECORD_ALIGN *
                    DTX_RECORD_ALIGN;
    struct dtx_record *r;

    if (want > left && DTX_RING_BYTES - (tail - head) >= left) {
        r = record_at(m, tail); /* too short a rest: begin again at 0 */
        r->size = (uint32_t)left;
        r->kind = DTX_RECORD_PAD;
        tail += left;
        atomic_store_explicit(&m->tail, tail, memory_order_release);
        left = DTX_RING_BYTES;
    }
    if (want > left || DTX_RING_BYTES - (tail - head) < want)
        return NULL;
    r = record_at(m, tail);
    r->size = (uint32_t)want;
    return r;
}

void dtx_ring_publish(struct dtx_ring *m, const struct dtx_record *r)
{
    uint64_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);

    /* sequentially consistent: see sleep() of spawner_proc.c */
    atomic_store(&m->tail, tail + r->size);
}

struct dtx_record *dtx_ring_peek(struct dtx_ring *m)
{
    uint64_t head = atomic_load_explicit(&m->head, memory_order_relaxed);
    struct dtx_record *r;

    for (;;) {
        if (atomic_load(&m->tail) == head)
            return NULL;
        r = record_at(m, head);
        if (r->kind != DTX_RECORD_PAD)
            return r;
        head += r->size;
        atomic_store_explicit(&m->head, head, memory_order_release);
    }
}

void dtx_ring_drop(struct dtx_ring *m, const struct dtx_record *r)
{
    uint64_t head = atomic_load_explicit(&m->head, memory_order_relaxed);

    atomic_store_explicit(&m->head, head + r->size, memory_order_release);
}

void dtx_ring_done(struct dtx_ring *m, uint32_t entry)
{
    uint32_t t = atomic_load_explicit(&m->done_tail, memory_order_relaxed);

    m->done[t % DTX_RING_ENTRIES] = entry;
    atomic_store_explicit(&m->done_tail, t + 1, memory_order_release);
}

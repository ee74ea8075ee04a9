/* SPDX-License-Identifier: MIT */
/* Tasks as bytes, and queues of them; see taskqueue.h.  It decides the order,
 * and what of a queue is a fair share, never who gets it. */
#include "engine/taskqueue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define LOOKED_AT 1024u /* tasks that are dealt one by one */
#define HEAD_BYTES 32u  /* what a task takes beside its input, or less */

/* --- tasks as bytes ------------------------------------------------------- */

struct dtx_task_item *dtx_task_item_create(uint32_t kernel, const void *in,
                                           size_t bytes)
{
    struct dtx_task_item *t = malloc(sizeof(*t) + bytes);

    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->kernel = kernel;
    t->bytes = bytes;
    if (bytes)
        memcpy(t->data, in, bytes);
    return t;
}

void dtx_task_item_encode(struct dtx_buf *b, const struct dtx_task_item *t)
{
    uint64_t bits;

    memcpy(&bits, &t->cost, sizeof(bits));
    dtx_put_u64(b, t->id);
    dtx_put_u8(b, t->spawned ? DTX_TASK_SPAWNED : DTX_TASK_SUBMITTED);
    dtx_put_u32(b, t->kernel);
    dtx_put_i32(b, t->priority);
    dtx_put_u64(b, bits);
    dtx_put_str(b, (struct dtx_str){t->data, t->bytes});
}

void dtx_task_item_encode_lent(struct dtx_buf *b,
                               const struct dtx_task_item *t)
{
    dtx_put_u64(b, t->id);
    dtx_put_u8(b, DTX_TASK_LENT);
}

struct dtx_task_item *dtx_task_item_decode(struct dtx_cursor *c)
{
    uint64_t id = dtx_get_u64(c), bits;
    uint8_t form = dtx_get_u8(c);
    uint32_t kernel = dtx_get_u32(c);
    int32_t priority = dtx_get_i32(c);
    struct dtx_task_item *t;
    struct dtx_str data;

    bits = dtx_get_u64(c);
    data = dtx_get_str(c);
    if (form > DTX_TASK_SPAWNED)
        c->bad = true; /* who gets it needs all of it */
    if (c->bad)
        return NULL;
    t = dtx_task_item_create(kernel, data.data, data.len);
    if (!t)
        return NULL;
    t->id = id;
    t->spawned = form == DTX_TASK_SPAWNED;
    t->priority = priority;
    memcpy(&t->cost, &bits, sizeof(bits));
    if (!isfinite(t->cost))
        t->cost = 0;
    return t;
}

uint64_t dtx_task_item_peek(struct dtx_cursor *c, enum dtx_task_form *form)
{
    uint64_t id = dtx_get_u64(c);
    uint8_t f = dtx_get_u8(c);

    c->bad |= f > DTX_TASK_LENT;
    *form = (enum dtx_task_form)f;
    if (f == DTX_TASK_LENT)
        return id;
    (void)dtx_get_u32(c);
    (void)dtx_get_i32(c);
    (void)dtx_get_u64(c);
    (void)dtx_get_str(c);
    return id;
}

/* --- queues --------------------------------------------------------------- */

void dtx_task_queue_init(struct dtx_task_queue *q)
{
    memset(q, 0, sizeof(*q));
    q->tail = &q->head;
}

void dtx_task_item_free_all(struct dtx_task_item *t)
{
    while (t) {
        struct dtx_task_item *next = t->next;

        free(t);
        t = next;
    }
}

void dtx_task_queue_fini(struct dtx_task_queue *q)
{
    size_t i;

    dtx_task_item_free_all(q->head);
    for (i = 0; i < q->nheap; i++)
        free(q->heap[i]);
    free(q->heap);
    dtx_task_queue_init(q);
}

static bool before(const struct dtx_task_item *a, const struct dtx_task_item *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a->cost < b->cost || a->cost > b->cost)
        return a->cost > b->cost;
    return a->id < b->id;
}

static void swap(struct dtx_task_queue *q, size_t a, size_t b)
{
    struct dtx_task_item *t = q->heap[a];

    q->heap[a] = q->heap[b];
    q->heap[b] = t;
}

static bool push_heap(struct dtx_task_queue *q, struct dtx_task_item *t)
{
    struct dtx_task_item **h = dtx_grow(q->heap, &q->cap, q->nheap + 1,
                                        sizeof(struct dtx_task_item *));
    size_t i = q->nheap;

    if (!h)
        return false;
    q->heap = h;
    h[q->nheap++] = t;
    while (i > 0 && before(h[i], h[(i - 1) / 2])) {
        swap(q, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
    return true;
}

static struct dtx_task_item *pop_heap(struct dtx_task_queue *q)
{
    struct dtx_task_item *t = q->heap[0];
    size_t i = 0;

    q->heap[0] = q->heap[--q->nheap];
    for (;;) {
        size_t k = 2 * i + 1;

        if (k >= q->nheap)
            return t;
        if (k + 1 < q->nheap && before(q->heap[k + 1], q->heap[k]))
            k++;
        if (!before(q->heap[k], q->heap[i]))
            return t;
        swap(q, i, k);
        i = k;
    }
}

bool dtx_task_queue_push(struct dtx_task_queue *q, struct dtx_task_item *t)
{
    bool plain = t->priority == 0 && t->cost <= 0;

    if (!plain && !push_heap(q, t))
        return false;
    if (plain) {
        t->next = NULL;
        *q->tail = t;
        q->tail = &t->next;
    }
    q->count++;
    q->known += t->cost > 0;
    q->cost += t->cost > 0 ? t->cost : 0;
    return true;
}

static struct dtx_task_item *taken_out(struct dtx_task_queue *q,
                                       struct dtx_task_item *t)
{
    q->count--;
    q->known -= t->cost > 0;
    q->cost -= t->cost > 0 ? t->cost : 0;
    if (q->known == 0)
        q->cost = 0; /* what rounding has left */
    return t;
}

static bool comes_from_heap(const struct dtx_task_queue *q)
{
    return q->nheap > 0 && (!q->head || q->heap[0]->priority >= 0);
}

const struct dtx_task_item *dtx_task_queue_top(const struct dtx_task_queue *q)
{
    return comes_from_heap(q) ? q->heap[0] : q->head;
}

struct dtx_task_item *dtx_task_queue_pop(struct dtx_task_queue *q)
{
    struct dtx_task_item *t = q->head;

    if (q->count == 0)
        return NULL;
    if (comes_from_heap(q))
        return taken_out(q, pop_heap(q));
    q->head = t->next;
    if (!q->head)
        q->tail = &q->head;
    return taken_out(q, t);
}

/* --- a part for others ---------------------------------------------------- */

struct part {
    struct dtx_task_item *first, **tail;
    double cost;
    size_t count, bytes;
};

static void add_to(struct part *p, struct dtx_task_item *t)
{
    t->next = NULL;
    *p->tail = t;
    p->tail = &t->next;
    p->cost += t->cost;
    p->count++;
    p->bytes += t->bytes + HEAD_BYTES;
}

/* Back where they came from. There was room for them. */
static void put_back(struct dtx_task_queue *q, struct part *p)
{
    while (p->first) {
        struct dtx_task_item *t = p->first;

        p->first = t->next;
        if (!dtx_task_queue_push(q, t))
            free(t); /* cannot be: the heap does not shrink */
    }
}

static size_t part_by_count(size_t count, uint32_t theirs, uint32_t ours)
{
    uint64_t all = (uint64_t)theirs + ours;
    size_t n = (size_t)((count * (uint64_t)theirs + all / 2) / all);

    return n < 1 && count > 0 ? 1 : n;
}

struct dtx_task_item *dtx_task_queue_part(struct dtx_task_queue *q,
                                          uint32_t theirs, uint32_t ours,
                                          size_t bytes)
{
    struct part give = {NULL, NULL, 0, 0, 0}, keep = {NULL, NULL, 0, 0, 0};
    bool by_cost = q->known == q->count;
    size_t n = part_by_count(q->count, theirs, ours);
    double want = q->cost * theirs / ((double)theirs + ours);

    give.tail = &give.first;
    keep.tail = &keep.first;
    while (q->count > 0 && give.bytes < bytes &&
           (by_cost ? give.cost < want : give.count < n)) {
        struct dtx_task_item *t = dtx_task_queue_pop(q);

        if (by_cost && give.cost * ours > keep.cost * theirs &&
            give.count + keep.count < LOOKED_AT)
            add_to(&keep, t);
        else
            add_to(&give, t);
    }
    put_back(q, &keep);
    return give.first;
}

bool dtx_task_queue_say(struct dtx_task_queue *q, dtx_task_say_f say,
                        void *ctx)
{
    struct dtx_task_item **h = dtx_grow(q->heap, &q->cap, q->count,
                                        sizeof(struct dtx_task_item *));
    struct dtx_task_item *t, *list = q->head;
    size_t i, n = q->nheap;

    if (!h && q->count > 0)
        return false;
    q->heap = h;
    for (i = 0; i < n; i++) { /* none is in the list any more */
        h[i]->next = list;
        list = h[i];
    }
    q->nheap = q->count = q->known = 0;
    q->cost = 0;
    q->head = NULL;
    q->tail = &q->head;
    while ((t = list)) {
        list = t->next;
        say(ctx, t);
        (void)dtx_task_queue_push(q, t); /* there is room for all */
    }
    return true;
}

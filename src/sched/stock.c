/* SPDX-License-Identifier: MIT */
/* The stock; see stock.h.  Nodes stand in two heaps, by what is left of
 * memory and of devices, so that where there is most is known at once; what a
 * rank has is a short list, since tasks that need something are never queued
 * ahead. */
#include "sched/stock.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/heap.h"
#include "task/placement.h"

#define LOOK_AT 16 /* nodes looked at for one task */
#define NO_END (INT64_MAX / 2)

struct node {
    int64_t mem, used;
    uint32_t first;  /* of its ranks */
    uint32_t joined; /* how many of those */
};

struct pool {
    struct dtx_gpu *gpu;
    uint32_t n;
    uint64_t free;
};

struct rank {
    uint32_t node, pool;
    uint32_t next; /* of its node */
    uint32_t head; /* of what it has */
    bool joined;
    struct dtx_locus at;
};

struct entry {
    uint32_t task, next;
    int64_t mem;
    uint64_t devices;
    uint64_t number; /* in the order in which they were taken */
};

/* What waits for a rank's node to have enough, and what others have taken of
 * that node and pool since. */
struct promise {
    uint32_t task; /* DTX_STOCK_NONE: there is none */
    uint32_t rank;
    struct dtx_need need;
    uint64_t number; /* of the last that was taken before */
    int64_t mem;
    uint32_t gpus;
    uint32_t sought; /* a node is looked for, for this task; or NONE */
    size_t at, left; /* the one looked at last, and how many are left */
};

struct dtx_stock {
    struct rank *rank;
    uint32_t nranks;
    struct node *node;
    size_t nnodes, cap_nodes;
    struct pool *pool;
    size_t npools, cap_pools;
    struct entry *entry;
    size_t nentries, cap_entries;
    uint32_t spare; /* of entries, linked by next */
    uint64_t open;  /* entries in use */
    uint64_t last;  /* number of the newest */
    struct promise promise[DTX_STOCK_PROMISES];
    struct dtx_heap by_mem, by_gpus;
};

static uint32_t count_bits(uint64_t v)
{
    uint32_t n = 0;

    for (; v; v &= v - 1)
        n++;
    return n;
}

static int64_t mem_left(const struct dtx_stock *l, uint32_t node)
{
    return l->node[node].mem - l->node[node].used;
}

/* The most that any of its ranks could have. */
static uint32_t gpus_left(const struct dtx_stock *l, uint32_t node)
{
    uint32_t most = 0, last = DTX_STOCK_NONE, r, n;

    for (r = l->node[node].first; r != DTX_STOCK_NONE; r = l->rank[r].next) {
        if (l->rank[r].pool == last)
            continue;
        last = l->rank[r].pool;
        n = count_bits(l->pool[last].free);
        most = n > most ? n : most;
    }
    return most;
}

static bool more_mem(const void *ctx, uint32_t a, uint32_t b)
{
    int64_t x = mem_left(ctx, a), y = mem_left(ctx, b);

    return x != y ? x > y : a < b;
}

static bool more_gpus(const void *ctx, uint32_t a, uint32_t b)
{
    uint32_t x = gpus_left(ctx, a), y = gpus_left(ctx, b);

    return x != y ? x > y : a < b;
}

struct dtx_stock *dtx_stock_create(uint32_t nranks)
{
    struct dtx_stock *l = calloc(1, sizeof(*l));
    uint32_t i;

    if (!l)
        return NULL;
    l->rank = calloc(nranks ? nranks : 1, sizeof(*l->rank));
    if (!l->rank) {
        free(l);
        return NULL;
    }
    l->nranks = nranks;
    l->spare = DTX_STOCK_NONE;
    for (i = 0; i < DTX_STOCK_PROMISES; i++)
        l->promise[i].task = l->promise[i].sought = DTX_STOCK_NONE;
    for (i = 0; i < nranks; i++)
        l->rank[i].node = l->rank[i].next = l->rank[i].head = DTX_STOCK_NONE;
    dtx_heap_init(&l->by_mem, more_mem, l);
    dtx_heap_init(&l->by_gpus, more_gpus, l);
    return l;
}

void dtx_stock_destroy(struct dtx_stock *l)
{
    size_t i;

    if (!l)
        return;
    for (i = 0; i < l->npools; i++)
        free(l->pool[i].gpu);
    free(l->pool);
    free(l->node);
    free(l->rank);
    free(l->entry);
    dtx_heap_fini(&l->by_mem);
    dtx_heap_fini(&l->by_gpus);
    free(l);
}

uint32_t dtx_stock_add_node(struct dtx_stock *l, int64_t mem_bytes)
{
    struct node *n =
        dtx_grow(l->node, &l->cap_nodes, l->nnodes + 1, sizeof(*n));

    if (!n)
        return DTX_STOCK_NONE;
    l->node = n;
    n[l->nnodes] = (struct node){mem_bytes > 0 ? mem_bytes : NO_END, 0,
                                 DTX_STOCK_NONE, 0};
    return (uint32_t)l->nnodes++;
}

uint32_t dtx_stock_add_pool(struct dtx_stock *l, const struct dtx_gpu *gpu,
                             size_t n)
{
    struct pool *p =
        dtx_grow(l->pool, &l->cap_pools, l->npools + 1, sizeof(*p));

    if (!p)
        return DTX_STOCK_NONE;
    l->pool = p;
    p += l->npools;
    p->n = n < DTX_MACHINE_GPUS ? (uint32_t)n : DTX_MACHINE_GPUS;
    p->free = p->n == 64 ? UINT64_MAX : (UINT64_C(1) << p->n) - 1;
    p->gpu = malloc((p->n + 1) * sizeof(*p->gpu));
    if (!p->gpu)
        return DTX_STOCK_NONE;
    if (p->n)
        memcpy(p->gpu, gpu, p->n * sizeof(*gpu));
    return (uint32_t)l->npools++;
}

void dtx_stock_set_rank(struct dtx_stock *l, uint32_t rank, uint32_t node,
                         uint32_t pool, const struct dtx_locus *at)
{
    struct rank *r = &l->rank[rank];

    r->node = node;
    r->pool = pool;
    r->at = *at;
    r->next = l->node[node].first;
    l->node[node].first = rank;
}

/* ---- at work ---- */

/* Ranks come or go: whoever looks for a node begins again. */
static void seek_again(struct dtx_stock *l)
{
    uint32_t i;

    for (i = 0; i < DTX_STOCK_PROMISES; i++)
        l->promise[i].sought = DTX_STOCK_NONE;
}

bool dtx_stock_join(struct dtx_stock *l, uint32_t rank)
{
    struct rank *r = &l->rank[rank];

    if (r->joined)
        return true;
    r->joined = true;
    seek_again(l);
    if (l->node[r->node].joined++ > 0)
        return true;
    return dtx_heap_push(&l->by_mem, r->node) &&
           dtx_heap_push(&l->by_gpus, r->node);
}

void dtx_stock_leave(struct dtx_stock *l, uint32_t rank)
{
    struct rank *r = &l->rank[rank];
    uint32_t i;

    if (!r->joined)
        return;
    for (i = 0; i < DTX_STOCK_PROMISES; i++) {
        if (l->promise[i].rank == rank)
            l->promise[i].task = DTX_STOCK_NONE;
    }
    seek_again(l);
    r->joined = false;
    if (--l->node[r->node].joined > 0)
        return;
    dtx_heap_remove(&l->by_mem, r->node);
    dtx_heap_remove(&l->by_gpus, r->node);
}

bool dtx_stock_could(const struct dtx_stock *l, uint32_t rank,
                      const struct dtx_need *need)
{
    const struct rank *r = &l->rank[rank];

    return need->mem_bytes <= l->node[r->node].mem &&
           need->gpus <= l->pool[r->pool].n;
}

static bool fits(const struct dtx_stock *l, const struct rank *r,
                 const struct dtx_need *need)
{
    return need->mem_bytes <= mem_left(l, r->node) &&
           need->gpus <= count_bits(l->pool[r->pool].free);
}

/* ---- promises ---- */

/* Who wants what, and which ranks will do. */
struct seeker {
    uint32_t task;
    const struct dtx_need *need;
    int64_t (*score)(void *ctx, uint32_t rank);
    void *ctx;
};

static const struct promise *promise_of(const struct dtx_stock *l,
                                        uint32_t task)
{
    uint32_t i;

    for (i = 0; i < DTX_STOCK_PROMISES; i++) {
        if (l->promise[i].task == task)
            return &l->promise[i];
    }
    return NULL;
}

/* Would this leave the one it was promised to as much as that needs, once all
 * that was taken before the promise is there again? */
static bool leaves(const struct dtx_stock *l, const struct promise *p,
                   const struct rank *r, const struct dtx_need *need)
{
    const struct rank *to = &l->rank[p->rank];

    if (need->mem_bytes > 0 && r->node == to->node &&
        p->mem + need->mem_bytes > l->node[r->node].mem - p->need.mem_bytes)
        return false;
    return need->gpus == 0 || r->pool != to->pool ||
           p->gpus + need->gpus + p->need.gpus <= l->pool[r->pool].n;
}

/* Of two that have a promise each, the newer one gives way, so that they do not
 * wait for each other. */
static bool keeps(const struct dtx_stock *l, const struct rank *r,
                  uint32_t task, const struct dtx_need *need)
{
    const struct promise *own = promise_of(l, task), *p;

    for (p = l->promise; p < l->promise + DTX_STOCK_PROMISES; p++) {
        if (p->task != DTX_STOCK_NONE && p != own &&
            (!own || p->number < own->number) && !leaves(l, p, r, need))
            return false;
    }
    return true;
}

/* The nodes with most left of what is needed, and where both are, of memory. */
static uint32_t heaps_of(const struct dtx_stock *l, const struct dtx_need *need,
                         const struct dtx_heap *h[2])
{
    uint32_t n = 0;

    if (need->gpus > 0)
        h[n++] = &l->by_gpus;
    if (need->gpus == 0 || need->mem_bytes > 0)
        h[n++] = &l->by_mem;
    return n;
}

/* One of the node's ranks could have it: it is promised. */
static bool promise_at(struct dtx_stock *l, struct promise *p, uint32_t node,
                       const struct seeker *s)
{
    uint32_t r = l->node[node].first;

    for (; r != DTX_STOCK_NONE; r = l->rank[r].next) {
        if (!l->rank[r].joined || !dtx_stock_could(l, r, s->need) ||
            s->score(s->ctx, r) < 0)
            continue;
        p->task = s->task;
        p->rank = r;
        p->need = *s->need;
        p->number = ++l->last;
        p->mem = 0;
        p->gpus = 0;
        p->sought = DTX_STOCK_NONE;
        return true;
    }
    return false;
}

enum dtx_stock_answer dtx_stock_promise(
    struct dtx_stock *l, uint32_t which, uint32_t task,
    const struct dtx_need *need, int64_t (*score)(void *ctx, uint32_t rank),
    void *ctx)
{
    const struct seeker s = {task, need, score, ctx};
    const struct dtx_heap *h[2];
    struct promise *p = &l->promise[which];
    uint32_t n = heaps_of(l, need, h), k;
    size_t i;

    if (p->task == task)
        return DTX_STOCK_KEPT;
    p->task = DTX_STOCK_NONE;
    for (k = 0; k < n; k++) {
        for (i = 0; i < h[k]->len && i < LOOK_AT; i++) {
            if (promise_at(l, p, h[k]->item[i], &s))
                return DTX_STOCK_KEPT;
        }
    }
    if (p->sought != task) {
        p->sought = task;
        p->left = l->nnodes;
    }
    for (i = 0; i < LOOK_AT && p->left > 0; i++, p->left--) {
        p->at = (p->at + 1) % l->nnodes;
        if (promise_at(l, p, (uint32_t)p->at, &s))
            return DTX_STOCK_KEPT;
    }
    return p->left > 0 ? DTX_STOCK_SEEKING : DTX_STOCK_NEVER;
}

uint32_t dtx_stock_promised(const struct dtx_stock *l, uint32_t task)
{
    const struct promise *p = promise_of(l, task);

    return p ? p->rank : DTX_STOCK_NONE;
}

void dtx_stock_unpromise(struct dtx_stock *l, uint32_t task)
{
    uint32_t i;

    for (i = 0; i < DTX_STOCK_PROMISES; i++) {
        if (l->promise[i].task == task)
            l->promise[i].task = DTX_STOCK_NONE;
    }
}

/* An entry of this rank comes (sign 1) or goes (-1): is it newer than a
 * promise? */
static void note(struct dtx_stock *l, const struct rank *r,
                 const struct entry *e, int sign)
{
    struct promise *p = l->promise;

    for (; p < l->promise + DTX_STOCK_PROMISES; p++) {
        const struct rank *to = &l->rank[p->rank];
        uint32_t gpus = count_bits(e->devices);

        if (p->task == DTX_STOCK_NONE || e->number < p->number)
            continue;
        if (r->node == to->node)
            p->mem += sign * e->mem;
        if (r->pool == to->pool)
            p->gpus = sign > 0 ? p->gpus + gpus : p->gpus - gpus;
    }
}

/* ---- finding and taking ---- */

struct found {
    uint32_t rank;
    int64_t score;
};

/* The best of the node's ranks that has it, if that is better than what was
 * found before. */
static void find_at(const struct dtx_stock *l, uint32_t node,
                    const struct seeker *s, struct found *best)
{
    uint32_t r = l->node[node].first;

    if (s->need->mem_bytes > mem_left(l, node))
        return;
    for (; r != DTX_STOCK_NONE; r = l->rank[r].next) {
        int64_t most;

        if (!l->rank[r].joined || !fits(l, &l->rank[r], s->need) ||
            (l->open > 0 && !keeps(l, &l->rank[r], s->task, s->need)))
            continue;
        most = s->score(s->ctx, r);
        if (most < 0 || most < best->score ||
            (most == best->score && r > best->rank))
            continue;
        *best = (struct found){r, most};
    }
}

uint32_t dtx_stock_find(const struct dtx_stock *l, uint32_t task,
                         const struct dtx_need *need,
                         int64_t (*score)(void *ctx, uint32_t rank), void *ctx)
{
    const struct seeker s = {task, need, score, ctx};
    const struct promise *own = promise_of(l, task);
    struct found best = {DTX_STOCK_NONE, -1};
    const struct dtx_heap *h[2];
    uint32_t n = heaps_of(l, need, h), k;
    size_t i, most = l->open > 0 ? LOOK_AT : SIZE_MAX;

    for (k = 0; k < n; k++) {
        for (i = 0; i < h[k]->len && i < most; i++)
            find_at(l, h[k]->item[i], &s, &best);
        if (h[k]->len <= most)
            break; /* these were all */
    }
    if (own)
        find_at(l, l->rank[own->rank].node, &s, &best);
    return best.rank;
}

static void changed(struct dtx_stock *l, uint32_t node)
{
    dtx_heap_fix(&l->by_mem, node);
    dtx_heap_fix(&l->by_gpus, node);
}

/* An unused entry, or DTX_STOCK_NONE. */
static uint32_t make_entry(struct dtx_stock *l)
{
    struct entry *e;
    uint32_t i = l->spare;

    if (i != DTX_STOCK_NONE) {
        l->spare = l->entry[i].next;
        return i;
    }
    e = dtx_grow(l->entry, &l->cap_entries, l->nentries + 1, sizeof(*e));
    if (!e)
        return DTX_STOCK_NONE;
    l->entry = e;
    return (uint32_t)l->nentries++;
}

bool dtx_stock_take(struct dtx_stock *l, uint32_t rank, uint32_t task,
                     const struct dtx_need *need)
{
    struct rank *r = &l->rank[rank];
    struct pool *p = &l->pool[r->pool];
    uint64_t devices = 0;
    uint32_t i;

    if (!fits(l, r, need) || (i = make_entry(l)) == DTX_STOCK_NONE)
        return false;
    if (need->gpus > 0)
        devices = dtx_placement_gpus(p->gpu, p->n, p->free, &r->at, need->gpus);
    l->entry[i] = (struct entry){task, r->head, need->mem_bytes, devices,
                                 ++l->last};
    dtx_stock_unpromise(l, task);
    note(l, r, &l->entry[i], 1);
    r->head = i;
    p->free &= ~devices;
    l->node[r->node].used += need->mem_bytes;
    l->open++;
    changed(l, r->node);
    return true;
}

void dtx_stock_give(struct dtx_stock *l, uint32_t rank, uint32_t task)
{
    struct rank *r = &l->rank[rank];
    uint32_t *at = &r->head, i;

    while (*at != DTX_STOCK_NONE && l->entry[*at].task != task)
        at = &l->entry[*at].next;
    i = *at;
    if (i == DTX_STOCK_NONE)
        return;
    *at = l->entry[i].next;
    note(l, r, &l->entry[i], -1);
    l->pool[r->pool].free |= l->entry[i].devices;
    l->node[r->node].used -= l->entry[i].mem;
    l->entry[i].next = l->spare;
    l->spare = i;
    l->open--;
    changed(l, r->node);
}

uint64_t dtx_stock_devices(const struct dtx_stock *l, uint32_t rank,
                            uint32_t task)
{
    uint32_t i = l->rank[rank].head;

    while (i != DTX_STOCK_NONE && l->entry[i].task != task)
        i = l->entry[i].next;
    return i == DTX_STOCK_NONE ? 0 : l->entry[i].devices;
}

bool dtx_stock_idle(const struct dtx_stock *l)
{
    return l->open == 0;
}

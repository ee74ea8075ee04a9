/* SPDX-License-Identifier: MIT */
/* Sums of what moves through the memory of each pool; see traffic.h.  They are
 * whole numbers, so that what was taken and given back leaves nothing. */
#include "sched/traffic.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/error.h"

/* A task alone asks for no more than this many NUMA nodes can give. */
#define MOST_NODES 64u

struct pool {
    uint32_t nodes, slots;
    uint64_t load; /* parts */
};

struct dtx_traffic {
    uint32_t *pool_of; /* each rank */
    struct pool *pool;
    size_t npools, cap_pools;
    uint64_t nodes; /* of all pools */
    double crowd;   /* the most slots that share a NUMA node */
};

struct dtx_traffic *dtx_traffic_create(uint32_t nranks)
{
    struct dtx_traffic *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->pool_of = calloc(nranks ? nranks : 1, sizeof(*t->pool_of));
    if (t->pool_of)
        return t;
    free(t);
    return NULL;
}

void dtx_traffic_destroy(struct dtx_traffic *t)
{
    if (!t)
        return;
    free(t->pool_of);
    free(t->pool);
    free(t);
}

uint32_t dtx_traffic_add_pool(struct dtx_traffic *t, uint32_t nodes,
                              uint32_t slots)
{
    struct pool *p =
        dtx_grow(t->pool, &t->cap_pools, t->npools + 1, sizeof(*p));
    double crowd;

    if (!p)
        return DTX_TRAFFIC_NONE;
    t->pool = p;
    nodes = nodes ? nodes : 1;
    p[t->npools] = (struct pool){nodes, slots, 0};
    crowd = (double)slots / nodes;
    t->crowd = crowd > t->crowd ? crowd : t->crowd;
    t->nodes += nodes;
    return (uint32_t)t->npools++;
}

void dtx_traffic_set_rank(struct dtx_traffic *t, uint32_t rank, uint32_t pool)
{
    t->pool_of[rank] = pool;
}

/* For qsort, of pointers into the array of reaches. */
static int by_place(const void *x, const void *y)
{
    const struct dtx_traffic_reach
        *a = *(const struct dtx_traffic_reach *const *)x,
        *b = *(const struct dtx_traffic_reach *const *)y;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a > b) - (a < b);
}

/* The ranks from the i-th of 'sorted' on that share memory with it, or through
 * one another: where they end, or 0 when out of memory. */
static uint32_t make_pool(struct dtx_traffic *t,
                          const struct dtx_traffic_reach *const *sorted,
                          uint32_t i, uint32_t n,
                          const struct dtx_traffic_reach *reach)
{
    uint32_t last = sorted[i]->last, slots = 0, end, pool;

    for (end = i; end < n && sorted[end]->node == sorted[i]->node &&
                  sorted[end]->first <= last;
         end++) {
        slots += sorted[end]->slots;
        if (sorted[end]->last > last)
            last = sorted[end]->last;
    }
    pool = dtx_traffic_add_pool(t, last - sorted[i]->first + 1, slots);
    if (pool == DTX_TRAFFIC_NONE)
        return 0;
    for (; i < end; i++)
        dtx_traffic_set_rank(t, (uint32_t)(sorted[i] - reach), pool);
    return end;
}

int dtx_traffic_lay_out(struct dtx_traffic *t,
                        const struct dtx_traffic_reach *reach,
                        uint32_t nranks)
{
    const struct dtx_traffic_reach **sorted =
        malloc((nranks + (size_t)1) * sizeof(*sorted));
    uint32_t i;

    if (!sorted)
        return DTX_ENOMEM;
    for (i = 0; i < nranks; i++)
        sorted[i] = &reach[i];
    qsort(sorted, nranks, sizeof(*sorted), by_place);
    for (i = 0; i < nranks;) {
        i = make_pool(t, sorted, i, nranks, reach);
        if (i == 0)
            break;
    }
    free(sorted);
    return i < nranks ? DTX_ENOMEM : DTX_OK;
}

uint32_t dtx_traffic_parts(double share)
{
    if (!(share > 0))
        return 0;
    if (share >= MOST_NODES)
        return MOST_NODES * DTX_TRAFFIC_ONE;
    return (uint32_t)(share * DTX_TRAFFIC_ONE);
}

bool dtx_traffic_is_heavy(const struct dtx_traffic *t, uint32_t parts)
{
    return parts * t->crowd > DTX_TRAFFIC_ONE;
}

uint32_t dtx_traffic_pools(const struct dtx_traffic *t)
{
    return (uint32_t)t->npools;
}

uint32_t dtx_traffic_pool(const struct dtx_traffic *t, uint32_t rank)
{
    return t->pool_of[rank];
}

uint32_t dtx_traffic_pool_nodes(const struct dtx_traffic *t, uint32_t pool)
{
    return t->pool[pool].nodes;
}

uint64_t dtx_traffic_nodes(const struct dtx_traffic *t)
{
    return t->nodes;
}

void dtx_traffic_clear(struct dtx_traffic *t)
{
    size_t i;

    for (i = 0; i < t->npools; i++)
        t->pool[i].load = 0;
}

static struct pool *pool_of(const struct dtx_traffic *t, uint32_t rank)
{
    return &t->pool[t->pool_of[rank]];
}

bool dtx_traffic_fits(const struct dtx_traffic *t, uint32_t rank,
                      uint32_t parts)
{
    const struct pool *p = pool_of(t, rank);
    uint64_t each = parts ? DTX_TRAFFIC_ONE / parts : 0;

    return p->load + parts <= p->nodes * (each ? each : 1) * parts;
}

int64_t dtx_traffic_left(const struct dtx_traffic *t, uint32_t rank)
{
    const struct pool *p = pool_of(t, rank);

    return (int64_t)DTX_TRAFFIC_ONE - (int64_t)(p->load / p->nodes);
}

void dtx_traffic_take(struct dtx_traffic *t, uint32_t rank, uint32_t parts)
{
    pool_of(t, rank)->load += parts;
}

void dtx_traffic_give(struct dtx_traffic *t, uint32_t rank, uint32_t parts)
{
    struct pool *p = pool_of(t, rank);

    p->load -= parts < p->load ? parts : p->load;
}

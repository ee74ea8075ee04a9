/* SPDX-License-Identifier: MIT */
/* List scheduling of what has been; see gain.h. */
#include "predict/gain.h"

#include <stdlib.h>

#include "base/heap.h"

/* Slots by when they are free. */
static bool free_before(const void *ctx, uint32_t a, uint32_t b)
{
    const double *at = ctx;

    if (at[a] < at[b] || at[a] > at[b])
        return at[a] < at[b];
    return a < b;
}

static int by_cost(const void *a, const void *b, void *ctx)
{
    const float *cost = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    bool kx = cost[x] >= 0, ky = cost[y] >= 0;

    if (kx != ky)
        return kx ? 1 : -1;
    if (kx && (cost[x] < cost[y] || cost[x] > cost[y]))
        return cost[x] > cost[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static double schedule(const float *seconds, const uint32_t *order, size_t n,
                       double *at, struct dtx_heap *h)
{
    double end = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t slot = dtx_heap_top(h);

        at[slot] += (double)seconds[order[i]];
        end = at[slot] > end ? at[slot] : end;
        dtx_heap_fix(h, slot);
    }
    return end;
}

bool dtx_gain_makespan(const float *seconds, const float *cost, size_t n,
                       uint32_t slots, double *out)
{
    uint32_t *order = malloc((n + 1) * sizeof(*order)), i;
    double *at = calloc((size_t)slots + 1, sizeof(*at));
    struct dtx_heap h;
    bool ok = order && at && slots > 0 && n < UINT32_MAX;

    dtx_heap_init(&h, free_before, at);
    for (i = 0; ok && i < slots; i++)
        ok = dtx_heap_push(&h, i);
    for (i = 0; ok && i < n; i++)
        order[i] = i;
    if (ok && cost)
        qsort_r(order, n, sizeof(*order), by_cost, (void *)(uintptr_t)cost);
    if (ok)
        *out = schedule(seconds, order, n, at, &h);
    dtx_heap_fini(&h);
    free(order);
    free(at);
    return ok;
}

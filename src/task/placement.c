/* SPDX-License-Identifier: MIT */
/* Choosing slots and devices; see placement.h. */
#include "task/placement.h"

#include <string.h>

/* From the outside in. */
enum level { RANK, PACKAGE, NUMA, CACHE };

struct choice {
    const struct dtx_locus *at;
    bool (*is_free)(void *, uint32_t);
    void *ctx;
    uint8_t *chosen;
};

/* A part of a level: slots first .. end - 1, and how many of them are free. */
struct part {
    uint32_t first, end, nfree;
};

static bool can_take(const struct choice *c, uint32_t slot)
{
    return !c->chosen[slot] && c->is_free(c->ctx, slot);
}

static uint32_t key(const struct choice *c, enum level level, uint32_t slot)
{
    switch (level) {
    case PACKAGE:
        return c->at[slot].package;
    case NUMA:
        return c->at[slot].numa;
    case CACHE:
        return c->at[slot].cache;
    default:
        return 0;
    }
}

/* The part of 'level' that begins at 'first' and ends at 'end' at most. */
static struct part part_at(const struct choice *c, enum level level,
                           uint32_t first, uint32_t end)
{
    struct part p = {first, first, 0};

    while (p.end < end && key(c, level, p.end) == key(c, level, first))
        p.nfree += can_take(c, p.end++);
    return p;
}

/* Does k fit better into a than into b? */
static bool better(struct part a, struct part b, uint32_t k)
{
    if (a.nfree >= k)
        return b.nfree < k || a.nfree < b.nfree;
    return a.nfree > b.nfree;
}

static void take_lowest(const struct choice *c, struct part p, uint32_t k)
{
    uint32_t i;

    for (i = p.first; i < p.end && k > 0; i++) {
        if (!can_take(c, i))
            continue;
        c->chosen[i] = 1;
        k--;
    }
}

/* The part of 'level' inside 'whole' that suits k best. */
static struct part best_part(const struct choice *c, enum level level,
                             struct part whole, uint32_t k)
{
    struct part best = {0, 0, 0}, p;
    uint32_t i;

    for (i = whole.first; i < whole.end; i = p.end) {
        p = part_at(c, level, i, whole.end);
        if (better(p, best, k))
            best = p;
    }
    return best;
}

/* Take k slots out of all, which has so many free. */
static void take(const struct choice *c, struct part whole, uint32_t k)
{
    enum level level = RANK, inner;

    while (k > 0) {
        struct part p = {0, 0, 0};

        for (inner = CACHE; inner > level; inner--) {
            p = best_part(c, inner, whole, k);
            if (p.nfree >= k)
                break;
        }
        if (inner == CACHE) {
            take_lowest(c, p, k);
            return;
        }
        if (inner > level) { /* it lies in p, but in no one part of p */
            whole = p;
            level = inner;
        }
        p = best_part(c, level + 1, whole, k);
        take_lowest(c, p, p.nfree);
        k -= p.nfree;
    }
}

/* The first of k free slots side by side, or n. */
static uint32_t adjacent(const struct choice *c, uint32_t n, uint32_t k)
{
    uint32_t length = 0, i;

    for (i = 0; i < n; i++) {
        length = can_take(c, i) ? length + 1 : 0;
        if (length == k)
            return i + 1 - k;
    }
    return n;
}

bool dtx_placement_slots(const struct dtx_locus *at, uint32_t n,
                         bool (*is_free)(void *ctx, uint32_t slot), void *ctx,
                         uint32_t k, uint8_t *chosen)
{
    struct choice c = {at, is_free, ctx, chosen};
    struct part all = {0, n, 0};
    uint32_t first;

    memset(chosen, 0, n);
    all = part_at(&c, RANK, 0, n);
    if (all.nfree < k)
        return false;
    if (at) {
        take(&c, all, k);
        return true;
    }
    first = adjacent(&c, n, k);
    all.first = first < n ? first : 0;
    take_lowest(&c, all, k);
    return true;
}

static enum dtx_distance gpu_distance(const struct dtx_gpu *g,
                                      const struct dtx_locus *at)
{
    struct dtx_locus there = {DTX_MACHINE_NONE, DTX_MACHINE_NONE, g->numa,
                              g->package};

    return dtx_locus_distance(&there, at);
}

uint64_t dtx_placement_gpus(const struct dtx_gpu *gpu, uint32_t n,
                            uint64_t free, const struct dtx_locus *at,
                            uint32_t k)
{
    uint64_t chosen = 0;
    uint32_t distance, i;

    for (distance = DTX_NEAR_CORE; distance <= DTX_NEAR_NODE; distance++) {
        for (i = 0; i < n && i < DTX_MACHINE_GPUS && k > 0; i++) {
            if (!(free >> i & 1) || gpu_distance(&gpu[i], at) != distance)
                continue;
            chosen |= UINT64_C(1) << i;
            k--;
        }
    }
    return k > 0 ? 0 : chosen;
}

/* ---- memory traffic ---- */

/* A NUMA node: its first free slot, how many are free, what is moved. */
struct memory {
    uint32_t first, nfree;
    uint64_t load;
};

static bool is_emptier(const struct memory *a, const struct memory *b,
                       bool heavy)
{
    if (heavy && a->load != b->load)
        return a->load < b->load;
    if (a->nfree != b->nfree)
        return a->nfree > b->nfree;
    return a->load > b->load; /* one that is not heavy does not mind */
}

uint32_t dtx_placement_spread(const struct dtx_placement_traffic *t,
                              uint32_t n, bool heavy)
{
    struct memory best = {n, 0, 0};
    uint32_t i = 0;

    while (i < n) {
        uint32_t numa = t->numa(t->ctx, i);
        struct memory p = {n, 0, 0};

        for (; i < n && t->numa(t->ctx, i) == numa; i++) {
            if (!t->is_free(t->ctx, i)) {
                p.load += t->parts(t->ctx, i);
                continue;
            }
            p.first = p.nfree++ == 0 ? i : p.first;
        }
        if (p.nfree > 0 && (best.nfree == 0 || is_emptier(&p, &best, heavy)))
            best = p;
    }
    return best.first;
}

static bool is_better(const struct dtx_placement_memory *a,
                      const struct dtx_placement_memory *b)
{
    bool full_a = a->taken >= a->cores, full_b = b->taken >= b->cores;

    if (full_a != full_b)
        return full_b;
    if (a->load != b->load)
        return a->load < b->load;
    return (int64_t)a->cores - a->taken > (int64_t)b->cores - b->taken;
}

uint32_t dtx_placement_memory(const struct dtx_placement_memory *m, uint32_t n)
{
    uint32_t best = 0, i;

    for (i = 1; i < n; i++)
        if (is_better(&m[i], &m[best]))
            best = i;
    return best;
}

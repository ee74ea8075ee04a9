/* SPDX-License-Identifier: MIT */
/* A histogram with geometric buckets; see median.h.  It knows nothing of
 * tasks. */
#include "engine/median.h"

#include <math.h>
#include <stdlib.h>

#define SUB_BITS 5u /* 32 buckets for each power of two */
#define SUB (1u << SUB_BITS)
#define BUCKETS 2048u /* a power of two, for the descent */

struct dtx_median {
    uint64_t count;
    uint64_t sum[BUCKETS + 1]; /* Fenwick's tree, from 1 */
};

struct dtx_median *dtx_median_create(void)
{
    return calloc(1, sizeof(struct dtx_median));
}

void dtx_median_destroy(struct dtx_median *m)
{
    free(m);
}

/* Below 32 each number has its own; then the first six bits say which. */
static uint32_t bucket_of(uint64_t v)
{
    uint32_t top = 0, shift;

    while (v >> top > 1)
        top++;
    if (top < SUB_BITS)
        return (uint32_t)v;
    shift = top - SUB_BITS;
    return (shift + 1) * SUB + (uint32_t)((v >> shift) - SUB);
}

/* The middle of a bucket. */
static int64_t middle_of(uint32_t b)
{
    uint32_t shift;
    uint64_t low;

    if (b < SUB)
        return (int64_t)b;
    shift = b / SUB - 1;
    low = (uint64_t)(SUB + b % SUB) << shift;
    return (int64_t)(low + ((UINT64_C(1) << shift) >> 1));
}

void dtx_median_add(struct dtx_median *m, int64_t ns)
{
    uint32_t i = bucket_of(ns > 0 ? (uint64_t)ns : 0) + 1;

    m->count++;
    for (; i <= BUCKETS; i += i & (~i + 1u))
        m->sum[i]++;
}

uint64_t dtx_median_count(const struct dtx_median *m)
{
    return m->count;
}

int64_t dtx_median_value(const struct dtx_median *m)
{
    return dtx_median_quantile(m, 0.5);
}

int64_t dtx_median_quantile(const struct dtx_median *m, double share)
{
    uint64_t before = (uint64_t)ceil(share * (double)m->count);
    uint32_t at = 0, step;

    before -= before > 0;
    if (m->count == 0)
        return 0;
    /* the last place with at most 'before' durations up to it */
    for (step = BUCKETS / 2; step > 0; step /= 2) {
        if (m->sum[at + step] <= before) {
            at += step;
            before -= m->sum[at];
        }
    }
    return middle_of(at);
}

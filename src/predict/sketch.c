/* SPDX-License-Identifier: MIT */
/* A histogram that joins its buckets; see sketch.h. */
#include "predict/sketch.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FINEST 6 /* buckets of 2^(1/64) */
#define Y_MAX 700.0

static double width(const struct dtx_sketch *s)
{
    return ldexp(0.69314718055994530942, s->scale - FINEST);
}

static int32_t bucket(const struct dtx_sketch *s, double y)
{
    return (int32_t)floor(y / width(s));
}

static int32_t half(int32_t i)
{
    return i >= 0 ? i / 2 : -((1 - i) / 2);
}

/* Join neighbours. */
static void coarsen(struct dtx_sketch *s)
{
    struct dtx_sketch was = *s;
    uint32_t i;

    memset(s->count, 0, sizeof(s->count));
    s->scale++;
    s->base = half(was.base);
    for (i = 0; i < DTX_SKETCH_BUCKETS; i++)
        s->count[half(was.base + (int32_t)i) - s->base] += was.count[i];
}

static uint32_t last_used(const struct dtx_sketch *s)
{
    uint32_t i = DTX_SKETCH_BUCKETS - 1;

    while (i > 0 && s->count[i] == 0)
        i--;
    return i;
}

/* Move the buckets so that number 'b' is among them; false when they do not
 * reach. */
static bool reach(struct dtx_sketch *s, int32_t b)
{
    uint32_t last = last_used(s);
    int32_t shift = s->base - b;

    if (b >= s->base && b - s->base < (int32_t)DTX_SKETCH_BUCKETS)
        return true;
    if (shift <= 0 || last + (uint32_t)shift >= DTX_SKETCH_BUCKETS)
        return false;
    memmove(s->count + shift, s->count, (last + 1) * sizeof(s->count[0]));
    memset(s->count, 0, (size_t)shift * sizeof(s->count[0]));
    s->base = b;
    return true;
}

void dtx_sketch_add(struct dtx_sketch *s, double y, uint32_t times)
{
    int32_t b;

    if (!(y > -Y_MAX))
        y = -Y_MAX;
    if (y > Y_MAX)
        y = Y_MAX;
    b = bucket(s, y);
    if (s->n == 0)
        s->base = b - (int32_t)DTX_SKETCH_BUCKETS / 2;
    while (!reach(s, b)) {
        coarsen(s);
        b = bucket(s, y);
    }
    if (times > UINT32_MAX - s->count[b - s->base])
        times = UINT32_MAX - s->count[b - s->base]; /* full */
    s->count[b - s->base] += times;
    s->n += times;
}

double dtx_sketch_quantile(const struct dtx_sketch *s, double q)
{
    double want = q * (double)s->n, seen = 0;
    uint32_t i;

    for (i = 0; s->n > 0 && i < DTX_SKETCH_BUCKETS; i++) {
        double c = s->count[i];

        if (c > 0 && seen + c >= want)
            return (s->base + (int32_t)i + (want - seen) / c) * width(s);
        seen += c;
    }
    return 0;
}

void dtx_sketch_fade(struct dtx_sketch *s, double weight)
{
    double all = (double)s->n, seen = 0;
    uint64_t kept = 0;
    uint32_t i;

    if (all <= weight)
        return;
    for (i = 0; i < DTX_SKETCH_BUCKETS; i++) {
        uint64_t upto; /* so many of this bucket and those before stay */

        seen += s->count[i];
        upto = (uint64_t)floor(seen / all * weight + 0.5);
        s->count[i] = (uint32_t)(upto - kept);
        kept = upto;
    }
    s->n = kept;
}

void dtx_sketch_merge(struct dtx_sketch *into, const struct dtx_sketch *from)
{
    double w = width(from);
    uint32_t i;

    for (i = 0; i < DTX_SKETCH_BUCKETS; i++) {
        if (from->count[i] > 0)
            dtx_sketch_add(into, (from->base + (int32_t)i + 0.5) * w,
                           from->count[i]);
    }
}

/* SPDX-License-Identifier: MIT */
/* Adaptive conformal intervals; see interval.h. */
#include "predict/interval.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define STEP 0.02    /* by how much a hit or miss moves the level */
#define FEW 12u      /* errors below which others are borrowed */
#define WIDE 2.3     /* of nothing known: a factor of ten either way */
#define NARROWEST 0.002

/* Put a value where it belongs among 'n' sorted ones. */
static void insert(float *a, uint32_t n, float v)
{
    for (; n > 0 && a[n - 1] > v; n--)
        a[n] = a[n - 1];
    a[n] = v;
}

/* Take one of the sorted values out. */
static void take_out(float *a, uint32_t n, float v)
{
    uint32_t i = 0;

    while (i + 1 < n && a[i] < v)
        i++;
    memmove(a + i, a + i + 1, (n - i - 1) * sizeof(*a));
}

static uint32_t held(const struct dtx_interval *v)
{
    return v->n < DTX_INTERVAL_ERRORS ? v->n : DTX_INTERVAL_ERRORS;
}

/* The quantile of sorted errors; beyond the ends what lies there goes on. */
static double quantile(const float *a, uint32_t n, double q)
{
    double at = q * (n + 1) - 1;
    double spread = (double)(a[n - 1] - a[0]) + NARROWEST;
    uint32_t i;

    if (at <= 0)
        return (double)a[0] + at * spread / (n + 1) * 4;
    if (at >= n - 1)
        return (double)a[n - 1] + (at - (n - 1)) * spread / (n + 1) * 4;
    i = (uint32_t)at;
    return (double)a[i] + (at - i) * (double)(a[i + 1] - a[i]);
}

void dtx_interval_bounds(const struct dtx_interval *v,
                         const struct dtx_interval *wider, double *low,
                         double *high)
{
    float a[2 * DTX_INTERVAL_ERRORS];
    uint32_t n = held(v);
    double out = (1 - DTX_INTERVAL_LEVEL) + (double)v->alpha, few;
    const float *from = v->sorted;
    uint32_t i;

    if (n < FEW && wider && held(wider) > 0) {
        uint32_t more = held(wider);

        memcpy(a, wider->sorted, more * sizeof(a[0]));
        for (i = 0; i < n; i++)
            insert(a, more + i, v->error[i]);
        n += more;
        from = a;
    }
    if (n == 0) {
        *low = -WIDE;
        *high = WIDE;
        return;
    }
    out = fmin(fmax(out, 0.001), 0.8);
    few = 1 + 3.0 / (n * n);
    *low = fmin(quantile(from, n, out / 2), 0) * few - NARROWEST;
    *high = fmax(quantile(from, n, 1 - out / 2), 0) * few + NARROWEST;
}

void dtx_interval_put(struct dtx_interval *v, float error)
{
    float *place = &v->error[v->n % DTX_INTERVAL_ERRORS];
    uint32_t n = held(v);

    if (n == DTX_INTERVAL_ERRORS)
        take_out(v->sorted, n--, *place);
    insert(v->sorted, n, error);
    *place = error;
    v->n++;
    if (v->n == 2 * DTX_INTERVAL_ERRORS)
        v->n = DTX_INTERVAL_ERRORS; /* full; the ring's place is the same */
}

void dtx_interval_learn(struct dtx_interval *v, double low, double high,
                        double error)
{
    bool missed = error < low || error > high;

    v->alpha += (float)(STEP * ((1 - DTX_INTERVAL_LEVEL) - missed));
    v->alpha = fmaxf(fminf(v->alpha, 0.3f), -0.0995f);
    dtx_interval_put(v, (float)error);
}

void dtx_interval_fade(struct dtx_interval *v)
{
    struct dtx_interval was = *v;
    uint32_t n = held(&was), keep = n < FEW ? n : FEW, i;

    memset(v, 0, sizeof(*v));
    for (i = 0; i < keep; i++)
        dtx_interval_put(v, was.error[(was.n - keep + i) %
                                      DTX_INTERVAL_ERRORS]);
}

void dtx_interval_merge(struct dtx_interval *into,
                        const struct dtx_interval *from)
{
    uint32_t i, n = held(from);

    for (i = 0; i < n; i++)
        dtx_interval_put(into, from->error[(from->n - n + i) %
                                           DTX_INTERVAL_ERRORS]);
    into->alpha = (into->alpha + from->alpha) / 2;
}

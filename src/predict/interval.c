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
#define LEARNING 1.5 /* times as large as the later ones */

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

/* 'v' and, while it has few, 'wider', by size. */
static uint32_t gather(const struct dtx_interval *v,
                       const struct dtx_interval *wider, float *out)
{
    uint32_t n = held(v), more = wider && n < FEW ? held(wider) : 0, i;

    if (more == 0) {
        memcpy(out, v->sorted, n * sizeof(*out));
        return n;
    }
    memcpy(out, wider->sorted, more * sizeof(*out));
    for (i = 0; i < n; i++)
        insert(out, more + i, v->error[i]);
    return n + more;
}

/* The median size of 'n' errors, the first of which is the 'from'th. */
static double median_size(const struct dtx_interval *v, uint32_t from,
                          uint32_t n)
{
    float a[DTX_INTERVAL_ERRORS];
    uint32_t i;

    for (i = 0; i < n; i++)
        insert(a, i, fabsf(v->error[(from + i) % DTX_INTERVAL_ERRORS]));
    return (double)a[n / 2];
}

uint32_t dtx_interval_errors(const struct dtx_interval *v,
                             const struct dtx_interval *wider, float *out)
{
    uint32_t n = held(v), i;

    if (n < 2 * FEW)
        return gather(v, wider, out);
    while (n >= 2 * FEW &&
           median_size(v, v->n - n, n / 4) >
               LEARNING * median_size(v, v->n - n + n / 4, n - n / 4))
        n -= n / 4;
    for (i = 0; i < n; i++)
        insert(out, i, v->error[(v->n - n + i) % DTX_INTERVAL_ERRORS]);
    return n;
}

void dtx_interval_bounds(const struct dtx_interval *v,
                         const struct dtx_interval *wider, double *low,
                         double *high)
{
    float a[2 * DTX_INTERVAL_ERRORS];
    uint32_t n = gather(v, wider, a);
    double out = (1 - DTX_INTERVAL_LEVEL) + (double)v->alpha, few;

    if (n == 0) {
        *low = -WIDE;
        *high = WIDE;
        return;
    }
    out = fmin(fmax(out, 0.001), 0.8);
    few = 1 + 3.0 / (n * n);
    *low = fmin(quantile(a, n, out / 2), 0) * few - NARROWEST;
    *high = fmax(quantile(a, n, 1 - out / 2), 0) * few + NARROWEST;
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

/* SPDX-License-Identifier: MIT */
/* Fits one power law with a constant; see curve.h. */
#include "predict/curve.h"

#include <math.h>

#include "predict/sample.h"

#define MOST_SECONDS 1e10
#define POWER_MIN 0.25
#define POWER_STEP 0.25
#define POWERS 12
#define REFINE 3
#define ENOUGH 8u   /* samples of a program that has changed */
#define USED 128u /* samples a fit looks at, from all parts of the window */

/* The argument itself, from its logarithm (features.c: log1p). */
static double raw(float x)
{
    return x < 0 ? 0 : expm1((double)x);
}

/* Least squares of 1 = constant/t + factor*x^p/t; the mean squared error, or
 * a huge one when it makes no sense. */
static double fit(struct dtx_curve *c, const double *u, const double *r,
                  uint32_t n)
{
    double s11 = 0, s12 = 0, s22 = 0, b1 = 0, b2 = 0, det, sum;
    uint32_t i;

    /* r: 1/t; u: log of x (or -inf); the sum of (1 - c r - f x^p r)^2 */
    for (i = 0; i < n; i++) {
        double g = exp(c->power * u[i]) * r[i];

        s11 += r[i] * r[i];
        s12 += r[i] * g;
        s22 += g * g;
        b1 += r[i];
        b2 += g;
    }
    det = s11 * s22 - s12 * s12;
    if (!(det > 1e-12 * s11 * s22) || !isfinite(det))
        return HUGE_VAL;
    c->constant = (b1 * s22 - b2 * s12) / det;
    c->factor = (s11 * b2 - s12 * b1) / det;
    if (c->constant < 0) { /* nothing costs less than nothing */
        c->constant = 0;
        c->factor = b2 / s22;
    }
    if (c->factor <= 0)
        return HUGE_VAL;
    sum = n - 2 * (c->constant * b1 + c->factor * b2) +
          c->constant * c->constant * s11 +
          2 * c->constant * c->factor * s12 + c->factor * c->factor * s22;
    return sum > 0 ? sum / n : 0;
}

static void offer(struct dtx_curve *best, struct dtx_curve *c, const double *u,
                  const double *r, uint32_t n)
{
    double e = fit(c, u, r, n);

    if (e < best->error) {
        *best = *c;
        best->error = e;
        best->known = true;
    }
}

static void try_feature(struct dtx_curve *best, uint32_t feature,
                        const double *u, const double *r, uint32_t n)
{
    struct dtx_curve mine = {.error = HUGE_VAL};
    struct dtx_curve c = {.feature = feature};
    double step = POWER_STEP;
    uint32_t i;

    for (i = 0; i < POWERS; i++) {
        c.power = POWER_MIN + i * POWER_STEP;
        offer(&mine, &c, u, r, n);
    }
    if (!mine.known || mine.error > best->error * 1.5)
        return;
    for (i = 0; i < REFINE; i++) {
        double middle = mine.power;

        step /= 2;
        c.power = middle - step;
        if (c.power > 0)
            offer(&mine, &c, u, r, n);
        c.power = middle + step;
        offer(&mine, &c, u, r, n);
    }
    if (mine.error < best->error)
        *best = mine;
}

/* The samples to look at. */
static uint32_t choose(const struct dtx_sample *s, uint32_t n, uint32_t mark,
                       const struct dtx_sample *out[USED])
{
    uint32_t looked = dtx_spread(n, USED), used = 0, i;

    for (i = 0; i < looked; i++) {
        out[used] = &s[dtx_spread_at(n, USED, i)];
        used += mark == 0 || out[used]->mark == mark;
    }
    return mark && used < ENOUGH ? choose(s, n, 0, out) : used;
}

void dtx_curve_train(struct dtx_curve *c, const struct dtx_sample *s,
                     uint32_t n, uint32_t mark)
{
    const struct dtx_sample *one[USED];
    double u[USED], r[USED];
    uint32_t f, i;

    n = choose(s, n, mark, one);
    *c = (struct dtx_curve){.error = HUGE_VAL};
    if (n < 4)
        return;
    for (f = 0; f < DTX_FEATURE_NUMBERS; f++) {
        float lo = one[0]->x[f], hi = lo;

        for (i = 0; i < n; i++) {
            float x = one[i]->x[f];

            lo = x < lo ? x : lo;
            hi = x > hi ? x : hi;
            u[i] = log(fmax(raw(x), 1e-9));
            r[i] = exp(-(double)one[i]->y);
        }
        if (f != 1 && hi > lo && lo >= 0)
            try_feature(c, f, u, r, n);
    }
    c->error = sqrt(c->error);
}

double dtx_curve_value(const struct dtx_curve *c, const struct dtx_sample *s)
{
    double x = fmax(raw(s->x[c->feature]), 1e-9);

    double t = c->constant + c->factor * exp(fmin(c->power * log(x), 600));

    return log(fmin(fmax(t, 1e-9), MOST_SECONDS));
}

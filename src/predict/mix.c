/* SPDX-License-Identifier: MIT */
/* Experts weighed by their recent errors; see mix.h. */
#include "predict/mix.h"

#include <math.h>

#define KEEP 0.96    /* of an error, from one outcome to the next */
#define CREDIT 4.0   /* outcomes that the prior counts for */
#define UNKNOWN 0.5  /* an error, where there is none yet */
#define FIRST_TURNS 128
#define LEAST_SHARE 0.15f
#define REST 16
#define MEAN 0.5     /* share of the weighted mean, the rest is the median's */

/* The error that 'prior' is a multiple of: the reference's own, lately. */
static double reference(const struct dtx_mix *m, uint32_t ref)
{
    return ((double)m->loss[ref] + 0.5 * UNKNOWN) /
           ((double)m->count[ref] + 0.5);
}

void dtx_mix_errors(const struct dtx_mix *m, const double *prior, uint32_t ref,
                    uint32_t n, double *error)
{
    double base = reference(m, ref);
    uint32_t i;

    for (i = 0; i < n; i++)
        error[i] = ((double)m->loss[i] + CREDIT * base * prior[i]) /
                   ((double)m->count[i] + CREDIT);
}

/* One by the sixth power of the error. */
static double weight_of(double error)
{
    double e = 1 / (error + 1e-3);

    return e * e * e * e * e * e;
}

double dtx_mix_value(struct dtx_mix *m, const double *say,
                     const double *error, uint32_t n)
{
    double w[DTX_MIX_MAX], v[DTX_MIX_MAX], sum = 0, seen = 0, mean = 0, median;
    uint32_t order[DTX_MIX_MAX], used = 0, i, k;

    for (i = 0; i < n; i++) {
        if (isnan(say[i]))
            continue;
        for (k = used++; k > 0 && v[k - 1] > say[i]; k--) {
            v[k] = v[k - 1];
            order[k] = order[k - 1];
        }
        v[k] = say[i];
        order[k] = i;
    }
    if (used == 0)
        return NAN;
    for (k = 0; k < used; k++) {
        w[k] = weight_of(error[order[k]]);
        sum += w[k];
        mean += w[k] * v[k];
    }
    mean /= sum;
    for (k = 0; k < used; k++)
        m->share[order[k]] = (float)(w[k] / sum);
    for (k = 0; k + 1 < used && seen + w[k] < sum / 2; k++)
        seen += w[k];
    median = v[k];
    return MEAN * mean + (1 - MEAN) * median;
}

double dtx_mix_error(const struct dtx_mix *m, uint32_t expert)
{
    if (m->count[expert] < 1)
        return HUGE_VAL;
    return (double)m->loss[expert] / (double)m->count[expert];
}

bool dtx_mix_hears(const struct dtx_mix *m, uint32_t expert, uint64_t turn)
{
    return turn < FIRST_TURNS || m->share[expert] > LEAST_SHARE ||
           turn % REST == 0;
}

void dtx_mix_learn(struct dtx_mix *m, const double *say, uint32_t n, double y)
{
    double t = exp(y);
    uint32_t i;

    m->scale = m->scale > 0 ? m->scale + 0.05f * ((float)t - m->scale)
                            : (float)t;
    for (i = 0; i < n; i++) {
        double e;

        if (isnan(say[i]))
            continue;
        e = fabs(exp(say[i]) - t) / (double)m->scale;
        e = fmin(e, 10);
        m->loss[i] = (float)(KEEP * (double)m->loss[i] + e);
        m->count[i] = (float)(KEEP * (double)m->count[i] + 1);
    }
}

void dtx_mix_merge(struct dtx_mix *into, const struct dtx_mix *from)
{
    uint32_t i;

    for (i = 0; i < DTX_MIX_MAX; i++) {
        into->loss[i] += from->loss[i];
        into->count[i] += from->count[i];
    }
    for (i = 0; i < DTX_MIX_MAX; i++)
        into->share[i] = 1;
    if (into->scale <= 0)
        into->scale = from->scale;
}

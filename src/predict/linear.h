/* SPDX-License-Identifier: MIT */
/* predict/linear.h - log-linear regression, learned outcome by outcome
 *
 * Keeps the weighted moments of features and logarithm of the seconds, so what
 * two histories have learned adds up to what one would have; the coefficients
 * are those of ridge regression (Hoerl and Kennard, Technometrics 12, 1970) on
 * standardised features, the same that recursive least squares with that
 * regularisation arrives at.  An outcome far from what was expected weighs
 * less (Huber, Ann. Math. Stat. 35, 1964), an old one too.
 */
#ifndef DTX_PREDICT_LINEAR_H
#define DTX_PREDICT_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#define DTX_LINEAR_MAX 16u
#define DTX_LINEAR_MOMENTS ((DTX_LINEAR_MAX + 2) * (DTX_LINEAR_MAX + 3) / 2)

/* Zero-initialise. */
struct dtx_linear {
    double moment[DTX_LINEAR_MOMENTS]; /* sums of products of 1, x..., y: the
                                          lower triangle, row by row */
    uint32_t dims;  /* features from here on have always been 0 */
    float low[DTX_LINEAR_MAX + 1], high[DTX_LINEAR_MAX + 1]; /* seen; y last */
    bool seen;
    double spread;  /* mean absolute residual, recent */
    double mean[DTX_LINEAR_MAX], coef[DTX_LINEAR_MAX], mean_y;
    double solved;  /* weight of the outcomes the coefficients come from */
    uint32_t since; /* outcomes since then */
};

/* 'keep' (at most 1) is what earlier outcomes count for from now on. */
void dtx_linear_learn(struct dtx_linear *l, const float *x, double y,
                      double keep);
/* Bring the coefficients up to date if enough has come since. */
void dtx_linear_solve(struct dtx_linear *l);
double dtx_linear_value(const struct dtx_linear *l, const float *x);
/* The same, kept to the range of y that has been seen; with 'reach' beyond it
 * by no more than the features are beyond theirs, and at most by e^3.6. */
double dtx_linear_bounded(const struct dtx_linear *l, const float *x,
                          bool reach);
/* All before counts for 'weight' outcomes at most. */
void dtx_linear_fade(struct dtx_linear *l, double weight);
/* Add what another has learned. */
void dtx_linear_merge(struct dtx_linear *into, const struct dtx_linear *from);
/* How much of y the feature explains alone: the squared correlation. */
double dtx_linear_relevance(const struct dtx_linear *l, uint32_t feature);
double dtx_linear_variance(const struct dtx_linear *l, uint32_t feature);

#endif

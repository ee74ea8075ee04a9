/* SPDX-License-Identifier: MIT */
/* predict/interval.h - how far the truth may be from the prediction
 *
 * Conformal: the recent errors of the mix themselves, below and above, say how
 * wide the interval must be; no distribution is assumed (Vovk, Gammerman,
 * Shafer, "Algorithmic Learning in a Random World", 2005).  The level asked
 * for is moved by what the intervals covered so far, so that coverage holds
 * when costs drift (Gibbs and Candes, "Adaptive conformal inference under
 * distribution shift", NeurIPS 2021).  With few errors known it is wide.
 */
#ifndef DTX_PREDICT_INTERVAL_H
#define DTX_PREDICT_INTERVAL_H

#include <stdint.h>

#define DTX_INTERVAL_ERRORS 64u
#define DTX_INTERVAL_LEVEL 0.9

/* Zero-initialise. */
struct dtx_interval {
    float error[DTX_INTERVAL_ERRORS]; /* a ring: y less prediction */
    float sorted[DTX_INTERVAL_ERRORS]; /* the same by size */
    uint32_t n;                       /* ever */
    float alpha;                      /* less the share left out that is asked
                                         for, to reach the one wanted */
};

/* The errors themselves, by size, for those who draw from them: how many, at
 * most twice DTX_INTERVAL_ERRORS. Without the first ones, where they were much
 * larger than those that came later: it was learning then. 'wider' (or NULL)
 * lends its own while there are few. */
uint32_t dtx_interval_errors(const struct dtx_interval *v,
                             const struct dtx_interval *wider, float *out);
/* What is to be added to a prediction (logarithms) for the bounds. 'wider'
 * (or NULL) lends its errors while there are few. */
void dtx_interval_bounds(const struct dtx_interval *v,
                         const struct dtx_interval *wider, double *low,
                         double *high);
/* 'low' and 'high' are the bounds that were said, 'error' what came. */
void dtx_interval_learn(struct dtx_interval *v, double low, double high,
                        double error);
/* An error alone, as of an interval that was not looked at. */
void dtx_interval_put(struct dtx_interval *v, float error);
/* Only the last few errors count from now on. */
void dtx_interval_fade(struct dtx_interval *v);
void dtx_interval_merge(struct dtx_interval *into,
                        const struct dtx_interval *from);

#endif

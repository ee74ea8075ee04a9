/* SPDX-License-Identifier: MIT */
/* predict/nearest.h - what the most similar commands took
 *
 * Nearest neighbours over a class's recent outcomes.  Numbers count by how
 * much they explain (struct dtx_metric), words by being the same, a different
 * host and age a little.  What is averaged are the residuals to the log-linear
 * regression, so that between and beyond the neighbours its slope holds
 * (regression kriging in its simplest form).
 */
#ifndef DTX_PREDICT_NEAREST_H
#define DTX_PREDICT_NEAREST_H

#include <stdint.h>

#include "predict/sample.h"

struct dtx_metric {
    float relevance[DTX_FEATURE_NUMBERS]; /* share of the variance explained */
    uint8_t number_at[DTX_FEATURE_NUMBERS]; /* those that count */
    uint8_t word_at[DTX_FEATURE_WORDS];
    uint32_t numbers, words;           /* how many */
    float number[DTX_FEATURE_NUMBERS]; /* factor of a squared difference */
    float word[DTX_FEATURE_WORDS];     /* cost of being different */
    float host, mark;
    float age;                         /* per outcome */
};

struct dtx_linear;

/* The logarithm of the seconds; NAN where there is no neighbour. 'slope' may be
 * NULL. The sample number 'but' is not looked at; 'n': all are. */
double dtx_nearest_value(const struct dtx_metric *m,
                         const struct dtx_sample *s, uint32_t n, uint32_t but,
                         const struct dtx_linear *slope,
                         const struct dtx_sample *at);
/* How far apart two are by what is said of them, whenever and wherever they
 * ran. */
float dtx_nearest_apart(const struct dtx_metric *m, const struct dtx_sample *a,
                        const struct dtx_sample *b);

#endif

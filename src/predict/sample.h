/* SPDX-License-Identifier: MIT */
/* predict/sample.h - one outcome as the experts see it */
#ifndef DTX_PREDICT_SAMPLE_H
#define DTX_PREDICT_SAMPLE_H

#include <stdint.h>

#include "predict/features.h"

struct dtx_sample {
    float y;         /* logarithm of the seconds */
    uint32_t when;   /* number of the outcome in its class, modulo 2^32 */
    float x[DTX_FEATURE_NUMBERS];
    uint32_t word[DTX_FEATURE_WORDS];
    uint32_t host;
    uint32_t mark;   /* of the program, 0: not known */
    uint32_t exact;  /* of the hash of the command: enough to tell within a
                        class */
};

/* Some of 'n' samples stand for all: one from each stretch of equal length, by
 * chance, so that it catches no rhythm.  How many there are, 'most' at most,
 * and which is the 'k'th. */
static inline uint32_t dtx_spread(uint32_t n, uint32_t most)
{
    uint32_t step = (n + most - 1) / most;

    return step ? n / step : 0;
}

static inline uint32_t dtx_spread_at(uint32_t n, uint32_t most, uint32_t k)
{
    uint32_t step = (n + most - 1) / most;
    uint32_t h = (k + 1) * UINT32_C(0x9e3779b1);

    return k * step + ((h ^ h >> 13) >> 8) % step;
}

#endif

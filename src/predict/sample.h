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
    uint32_t exact;  /* of the hash of the command: enough to tell within a
                        class */
};

#endif

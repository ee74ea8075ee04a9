/* SPDX-License-Identifier: MIT */
/* predict/sketch.h - the distribution of a class's seconds, mergeable
 *
 * A histogram over the logarithm whose buckets are powers of 2^(1/2^scale);
 * when what it holds no longer fits, neighbours are joined and the scale falls
 * by one (the exponential histogram of OpenTelemetry; its relative error is
 * bounded as in DDSketch: Masson, Rim, Lee, PVLDB 12(12), 2019).  At the finest
 * scale a quantile is at most 1.1 per cent off.
 */
#ifndef DTX_PREDICT_SKETCH_H
#define DTX_PREDICT_SKETCH_H

#include <stdint.h>

#define DTX_SKETCH_BUCKETS 128u

/* Zero-initialise. */
struct dtx_sketch {
    int32_t scale; /* below the finest */
    int32_t base;  /* number of the first bucket */
    uint64_t n;
    uint32_t count[DTX_SKETCH_BUCKETS];
};

/* 'y' is a natural logarithm; beyond +-700 it counts as that. */
void dtx_sketch_add(struct dtx_sketch *s, double y, uint32_t times);
/* The logarithm below which the share 'q' lies; 0 when it is empty. */
double dtx_sketch_quantile(const struct dtx_sketch *s, double q);
/* What it holds counts for about 'weight' from now on, where it is more. */
void dtx_sketch_fade(struct dtx_sketch *s, double weight);
void dtx_sketch_merge(struct dtx_sketch *into, const struct dtx_sketch *from);

#endif

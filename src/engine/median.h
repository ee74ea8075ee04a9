/* SPDX-License-Identifier: MIT */
/* engine/median.h - the median of a stream of durations, in constant memory
 *
 * Durations are counted in buckets whose bounds grow geometrically, 32 to each
 * power of two, and the median is the middle of the bucket that holds it: at
 * most 1.6 per cent away, whatever the distribution and the order, and the same
 * for the same durations.  This is the histogram of HdrHistogram (G. Tene) with
 * the bound of relative error of DDSketch (Masson, Rim, Lee: PVLDB 12(12),
 * 2019); a tree of partial sums (Fenwick, 1994) makes both adding and asking a
 * matter of eleven steps.
 */
#ifndef DTX_ENGINE_MEDIAN_H
#define DTX_ENGINE_MEDIAN_H

#include <stdint.h>

struct dtx_median;

struct dtx_median *dtx_median_create(void); /* NULL when out of memory */
void dtx_median_destroy(struct dtx_median *m); /* NULL is allowed */
/* Below 0 counts as 0. */
void dtx_median_add(struct dtx_median *m, int64_t ns);
uint64_t dtx_median_count(const struct dtx_median *m);
/* Of an even number the lower of the two in the middle; 0 when there is
 * none. */
int64_t dtx_median_value(const struct dtx_median *m);
/* The duration that this share of them, 0 to 1, does not exceed. */
int64_t dtx_median_quantile(const struct dtx_median *m, double share);

#endif

/* SPDX-License-Identifier: MIT */
/* predict/gain.h - what an order of tasks is worth
 *
 * Greedy list scheduling (Graham, SIAM J. Appl. Math. 17, 1969): each task in
 * its turn goes to the slot that is free first.  With the seconds that tasks
 * really took, in the order of the list and in an order by prediction, the two
 * makespans tell what the prediction gained, all else being equal.
 */
#ifndef DTX_PREDICT_GAIN_H
#define DTX_PREDICT_GAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The makespan of 'n' tasks of one slot each, on 'slots' slots. By 'cost', if
 * not NULL, the longest first, those below 0 (unknown) before all; else as they
 * stand. False when out of memory. */
bool dtx_gain_makespan(const float *seconds, const float *cost, size_t n,
                       uint32_t slots, double *out);

#endif

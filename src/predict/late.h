/* SPDX-License-Identifier: MIT */
/* predict/late.h - tasks that run for longer than was thought
 *
 * A task that has run for a hundred seconds where one was expected is an
 * outcome that is not there yet, and says "at least": leaving it out until it
 * ends makes a class look as short as its shortest tasks (length-biased
 * censoring).  Counted, by class, are how many there are and how many times as
 * long as expected each has run; as they run on that grows, and as they end it
 * is taken back, and what is learned is what they took.  Private to predict/.
 */
#ifndef DTX_PREDICT_LATE_H
#define DTX_PREDICT_LATE_H

#include <stdbool.h>
#include <stdint.h>

/* Of a class. Zero-initialise. */
struct dtx_late {
    uint32_t n;
    double times; /* sum of how many times as long */
    double most;
};

struct dtx_late_task {
    uint64_t id, class_key;
    double times; /* 0: free */
};

/* A bounded table: what finds no room is not counted. Zero-initialise. */
struct dtx_late_tasks {
    struct dtx_late_task *task; /* or NULL: none yet */
    uint32_t n;
};

/* Where this task is, or may be put ('times' is 0 then); NULL: no room. */
struct dtx_late_task *dtx_late_find(struct dtx_late_tasks *t, uint64_t id);
void dtx_late_free(struct dtx_late_tasks *t);

/* One more that has run 'times' as long, was 'before' (0: is new). */
void dtx_late_add(struct dtx_late *l, double before, double times);
void dtx_late_remove(struct dtx_late *l, double times);
/* What they make of a prediction of their class, as a logarithm to add to it
 * and to the upper bound; 'n' outcomes are known of the class. */
void dtx_late_shift(const struct dtx_late *l, uint64_t n, double *value,
                    double *high);

#endif

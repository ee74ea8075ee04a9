/* SPDX-License-Identifier: MIT */
/* sched/crowd.h - what others use of a rank's processors, and what that costs
 *
 * Others are processes that are no tasks of the job.  A rank that measures what
 * they use (node/others.h) tells the share of its slots' processors that they
 * take away, now and then; a processor is shared in time, so what is left of it
 * is the speed of the tasks on it (processor sharing: L. Kleinrock,
 * "Time-shared systems: a theoretical treatment", J. ACM 14(2), 1967):
 *
 *     seconds = predicted_s * dtx_crowd_times(c.share);
 *     alone_s = took_s / dtx_crowd_times(dtx_crowd_mean(&c, began_ns, now_ns));
 *
 * The second is what a task would have taken alone.  From that a rank's own
 * speed is learned (sched/speed.h): so the two are multiplied, and when others
 * come or go it is known at once, not after outcomes that were slow.
 *
 * What was told is kept as the sum of share times time, at a few marks: of the
 * near past all, of the far past ever fewer.
 */
#ifndef DTX_SCHED_CROWD_H
#define DTX_SCHED_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#define DTX_CROWD_MARKS 16u

struct dtx_crowd_mark {
    int64_t at_ns;
    double lost_ns; /* share times time from the first mark on */
};

struct dtx_crowd {
    double share; /* since the last mark; 0 to 1 */
    double most;  /* it was at any time */
    struct dtx_crowd_mark mark[DTX_CROWD_MARKS];
    uint32_t n;
};

/* Nobody else up to now. */
void dtx_crowd_begin(struct dtx_crowd *c, int64_t now_ns);
/* From now on others take this share. */
void dtx_crowd_set(struct dtx_crowd *c, double share, int64_t now_ns);
/* What they took on average from one time up to another that is not before
 * it. */
double dtx_crowd_mean(const struct dtx_crowd *c, int64_t from_ns,
                      int64_t to_ns);
/* How many times as long a task takes: 1 where the share is too little to be
 * told from noise, and 4 at most, since whoever takes more than that when the
 * rank is idle would take less if it were not. */
double dtx_crowd_times(double share);

#endif

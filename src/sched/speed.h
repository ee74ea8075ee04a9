/* SPDX-License-Identifier: MIT */
/* sched/speed.h - how much longer one rank takes than the others
 *
 * Of each task that succeeded, the logarithm of what it took over what it was
 * predicted to take.  What a rank's lie above those of all ranks is the rank's
 * own doing, since a prediction does not know where its task will run; what all
 * have in common is the predictions', and moves with them: what counts is by
 * how much an outcome lies above the level of those that ended last, anywhere.
 * Recent outcomes count (a rank's last fifty or so), so load that others put on
 * a node is seen to come and to go.
 *
 *     dtx_speed_put(&all, &rank[r].speed, took_s, predicted_s);
 *     seconds = predicted_s * dtx_speed_slowness(&all, &rank[r].speed);
 *
 * A mean of few outcomes that scatter says little: a difference below twice its
 * standard error is none, nor is any where predictions are very bad (a standard
 * deviation of 0.8), and of a larger one that part is believed which an
 * estimator that shrinks takes (W. James and C. Stein, "Estimation with
 * quadratic loss", 4th Berkeley Symposium, 1961).
 */
#ifndef DTX_SCHED_SPEED_H
#define DTX_SCHED_SPEED_H

#include <stdbool.h>
#include <stdint.h>

/* Of a rank; zero-initialise. */
struct dtx_speed {
    double n;         /* outcomes that count, up to a bound */
    double mean, var; /* of their logarithms */
};

/* Of all ranks; zero-initialise. */
struct dtx_speeds {
    double level, seen; /* of the logarithms lately; of so many */
    double var;         /* about their ranks' means */
    double n, sum; /* of the ranks' n, and of n times mean */
    uint32_t told; /* ranks that have any */
};

/* A task of 'said_s' predicted seconds took 'took_s'. What is too short to tell
 * anything is left out. */
void dtx_speed_put(struct dtx_speeds *all, struct dtx_speed *s, double took_s,
                   double said_s);
/* The rank is gone. */
void dtx_speed_drop(struct dtx_speeds *all, struct dtx_speed *s);
/* How many times as long as on all ranks on average a task takes here: 1 when
 * that is not sure to differ; between 1/8 and 8. */
double dtx_speed_slowness(const struct dtx_speeds *all,
                          const struct dtx_speed *s);

/* The rank beside all others. */
struct dtx_speed_claim {
    double times;     /* as long as on them */
    double low, high; /* 19 times of 20 it lies between */
    double n;         /* outcomes it rests on */
};
/* Those of one node may be asked for together: 's' of 'ranks' of them. False:
 * there is nothing to compare, or it is not sure to differ. */
bool dtx_speed_claim(const struct dtx_speeds *all, const struct dtx_speed *s,
                     uint32_t ranks, struct dtx_speed_claim *out);
/* Add a rank's to its node's ('to' zero-initialised). */
void dtx_speed_add(struct dtx_speed *to, const struct dtx_speed *s);

#endif

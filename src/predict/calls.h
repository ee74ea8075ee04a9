/* SPDX-License-Identifier: MIT */
/* predict/calls.h - what calls of a program's kernels will take
 *
 *     c = dtx_calls_create();
 *     if (dtx_calls_ask(c, &call, &seconds))  ... order and cut by it ...
 *     dtx_calls_learn(c, &call, seconds);     ... when it has ended
 *
 * A predictor of kernels (predictor.h), and a window of what each call took,
 * which is what is kept from run to run.  A hint is a prior: before any outcome
 * it is what is said; then what is learned is by how much hints are wrong (the
 * ratio of seconds to hint), so that their order stands until outcomes tell
 * otherwise.  Hints may be in any unit, the same for all calls of a kernel.
 */
#ifndef DTX_PREDICT_CALLS_H
#define DTX_PREDICT_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "predict/features.h"

struct dtx_calls;

#define DTX_CALLS_KERNELS 64u /* beyond these the oldest is forgotten */
#define DTX_CALLS_WINDOW 256u /* outcomes of a kernel that are kept */

struct dtx_calls *dtx_calls_create(void);
void dtx_calls_destroy(struct dtx_calls *c); /* NULL is allowed */
/* False when nothing is known, nor given. */
bool dtx_calls_ask(struct dtx_calls *c, const struct dtx_kernel_call *call,
                   double *seconds);
/* 0 or DTX_ENOMEM. */
int dtx_calls_learn(struct dtx_calls *c, const struct dtx_kernel_call *call,
                    double seconds);
/* Outcomes of a kernel that were learned, and their mean; 0: none. */
uint64_t dtx_calls_known(const struct dtx_calls *c, const char *kernel,
                         double *mean);
/* Outcomes learned, of all kernels. */
uint64_t dtx_calls_outcomes(const struct dtx_calls *c);
/* Seconds of one unit of the hints of a kernel, at first sight; 1 before any
 * outcome with one. */
double dtx_calls_ratio(const struct dtx_calls *c, const char *kernel);
/* What is kept, kernel by kernel, the oldest first. Non-zero of 'fn' ends it
 * and is returned. */
typedef int (*dtx_calls_f)(void *ctx, const struct dtx_kernel_call *call,
                           double seconds);
int dtx_calls_each(const struct dtx_calls *c, dtx_calls_f fn, void *ctx);

#endif

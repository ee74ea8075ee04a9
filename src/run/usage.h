/* SPDX-License-Identifier: MIT */
/* run/usage.h - profiles of a job's classes, within a share of rank 0's time
 *
 * Hears each outcome, with a history or without one.  It spends a two-hundredth
 * of the time that passes: outcomes that come faster are left out, and a sample
 * of the tasks makes the profile (predict/usage.h).
 */
#ifndef DTX_RUN_USAGE_H
#define DTX_RUN_USAGE_H

#include <stdint.h>

#include "predict/usage.h"

struct dtx_outcome;
struct dtx_tasklist;

/* Zero-initialise, but for mem_bytes. */
struct dtx_usage_heard {
    struct dtx_usages all;
    int64_t mem_bytes; /* --mem: for tasks that do not say */
    int64_t begun_ns, spent_ns; /* begun: 0 before the first */
};

/* An attempt at a task of 'list' has ended. Its class's profile with it; NULL
 * when it was left out. */
const struct dtx_usage *dtx_usage_hear(struct dtx_usage_heard *h,
                                       const struct dtx_tasklist *list,
                                       const struct dtx_outcome *o);

#endif

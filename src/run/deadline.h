/* SPDX-License-Identifier: MIT */
/* run/deadline.h - when the job is to be over
 *
 * --deadline says it, else in a Slurm job that job's end, which may move while
 * the job runs.  For rank 0; what it means is the engine's business.
 */
#ifndef DTX_RUN_DEADLINE_H
#define DTX_RUN_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "run/slurm.h"

struct dtx_error;
struct dtx_options;
struct dtx_when;

/* Time before a deadline by which tasks are over, their grace included: to
 * record, to pack, to tell and to leave. */
#define DTX_DEADLINE_LEAVE_NS INT64_C(10000000000)
/* The time spans of --deadline begin: set by the supervisor, in nanoseconds
 * since 1970, so that a launch again does not begin anew. */
#define DTX_BEGAN_ENV "DTX_BEGAN"

struct dtx_deadline {
    int64_t given_ns; /* by --deadline, since 1970; 0: not */
    bool asked;       /* of Slurm, and not answered yet */
    struct dtx_slurm_watch watch;
};

/* A point of time in nanoseconds since 1970, INT64_MAX for never; a span counts
 * from 'now_ns'. 0, or DTX_ELIMIT when there is no such time. */
int dtx_deadline_resolve(const struct dtx_when *when, int64_t now_ns,
                         int64_t *ns);
/* Is the time of --deadline over before anything has begun? Not that of a span
 * when a supervisor launches again. 0, or an exit status with 'err' filled. */
int dtx_deadline_check(const struct dtx_options *o, struct dtx_error *err);
/* Call while there is one thread. */
void dtx_deadline_begin(struct dtx_deadline *d, const struct dtx_options *o);
/* Is there news? True and the deadline of the wall clock, INT64_MAX for none.
 * Waits up to 'wait_ms' for it. */
bool dtx_deadline_next(struct dtx_deadline *d, int wait_ms, int64_t *ns);
/* Something has happened that may have moved it. */
void dtx_deadline_ask(struct dtx_deadline *d);
void dtx_deadline_end(struct dtx_deadline *d);

#endif

/* SPDX-License-Identifier: MIT */
/* cli/recorded.h - a job that ran, as one that can be simulated
 *
 * From a run directory: the tasks of its journal, what waits for what, and how
 * long the last attempt of each took.  From a joblog (ours or GNU parallel's):
 * a task for each number in it, none waiting.  A task that failed at last fails
 * again; failed attempts before a success are made again too.
 */
#ifndef DTX_CLI_RECORDED_H
#define DTX_CLI_RECORDED_H

#include <stdint.h>

struct dtx_error;
struct dtx_scenario_job;

struct dtx_recorded {
    uint64_t unknown;    /* tasks without an outcome: taken to be as long as
                            the median of the others */
    uint32_t attempts;   /* the most that a task needed, at least 1 */
    int64_t makespan_ns; /* from the first start to the last end, by the wall
                            clocks of the nodes; 0 when several sessions made
                            it */
};

/* 'path' is a run directory, "latest" for the last one, or a joblog. 'job' is
 * empty, initialised. */
int dtx_recorded_load(const char *path, struct dtx_scenario_job *job,
                      struct dtx_recorded *r, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* run/slurm.h - what is asked of Slurm, and what it is told
 *
 * By its own commands (squeue, scontrol), with a limit: a controller that is
 * slow or away holds nothing up.  Slurm is never asked for each task.
 *
 * The watch is a small process, forked before MPI starts, that asks when the
 * job is to end: at once, and then each DTX_SLURM_ASK_S, since the limit may be
 * changed; after a signal once out of turn, since preemption moves the end.
 */
#ifndef DTX_RUN_SLURM_H
#define DTX_RUN_SLURM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dtx_error;

#define DTX_SLURM_ASK_S 60

/* "LEFT|END" as squeue's %L and %e print them: the end, in nanoseconds since
 * 1970; INT64_MAX when there is none; or DTX_EPARSE. */
int dtx_slurm_read_end(const char *text, int64_t now_ns, int64_t *end_ns);
/* Ask; at most ten seconds. */
int dtx_slurm_end(const char *job_id, int64_t *end_ns, struct dtx_error *err);
/* Has it been preempted, and may it be queued again? False when Slurm does not
 * say so. */
bool dtx_slurm_preempted(const char *job_id);
/* Of what "scontrol show job" prints. */
bool dtx_slurm_read_preempted(const char *text);
/* Queue the job again: it is ended for that, at once. */
int dtx_slurm_requeue(const char *job_id, struct dtx_error *err);

struct dtx_slurm_watch {
    pid_t pid; /* 0: none */
    int answers, asks;
};

/* Call while there is one thread. */
int dtx_slurm_watch_begin(struct dtx_slurm_watch *w, const char *job_id,
                          struct dtx_error *err);
/* A new end: true and in '*end_ns'. Waits for one up to so long. */
bool dtx_slurm_watch_next(struct dtx_slurm_watch *w, int wait_ms,
                          int64_t *end_ns);
/* Ask soon. */
void dtx_slurm_watch_ask(struct dtx_slurm_watch *w);
void dtx_slurm_watch_end(struct dtx_slurm_watch *w);

#endif

/* SPDX-License-Identifier: MIT */
/* run/restart.h - a Slurm job that is started again goes on with its work
 *
 * Slurm starts a job again after a node was lost, after preemption and when the
 * job asks for it (--requeue).  The script runs from its first line then; so a
 * run directory keeps, in the file slurm-job, whose job it is and in which
 * start of that job it was used last.  A "distributex run" in a later start of
 * the same job takes the first directory that this start has not used yet, and
 * resumes: a script with several of them goes on with each.
 */
#ifndef DTX_RUN_RESTART_H
#define DTX_RUN_RESTART_H

#include <stdbool.h>

struct dtx_alloc;
struct dtx_error;
struct dtx_options;

/* Set run_dir and resume in the options when there is such a directory: true.
 * Not when the user asked for a resume. DTX_RUN_DIR and --run-dir are looked at
 * alone where given. */
bool dtx_restart_adopt(struct dtx_options *o, const struct dtx_alloc *a,
                       struct dtx_error *err);
/* Rank 0, once the directory is its own: this start uses it. A failure is worth
 * a warning. */
int dtx_restart_mark(const char *run_dir, const struct dtx_alloc *a,
                     struct dtx_error *err);

/* Rank 0, at the session's end, with work left: a start after this one would
 * get further, since this one did. */
int dtx_requeue_advise(const char *run_dir);
/* When all ranks have left: queue the Slurm job again if 'status' says that it
 * was stopped with work left, and it was preempted (Slurm itself only does so
 * when it had to kill the job); or with --requeue, if its time was over and the
 * session got anything done. Says what it does. */
void dtx_requeue(const struct dtx_options *o, const char *run_dir, int status);

#endif

/* SPDX-License-Identifier: MIT */
/* run/sidefile.h - small files beside a job that come from its task file
 *
 * The restart file of a GREASY file, for the next job; and the commands that
 * disBatch's PERENGINE gives, in the run directory, where every rank and every
 * later session finds them.
 */
#ifndef DTX_RUN_SIDEFILE_H
#define DTX_RUN_SIDEFILE_H

#include <stddef.h>

struct dtx_buf;
struct dtx_error;
struct dtx_job;
struct dtx_master;
struct dtx_options;

#define DTX_SIDE_SETUP 1u
#define DTX_SIDE_TEARDOWN 2u

/* Rank 0, the job being open: keep the task file's commands for nodes in the
 * run directory; '*which' are those there, DTX_SIDE_*. An exit status. */
int dtx_sidefile_keep(const struct dtx_options *o, const struct dtx_job *job,
                      unsigned *which, struct dtx_error *err);
/* Any rank: the text of one of them. 0 or an error. */
int dtx_sidefile_command(const char *run_dir, unsigned which,
                         struct dtx_buf *text, struct dtx_error *err);

/* At the end: TASKFILE.rst in the current directory, if there is a reason for
 * one; ours from an earlier session goes when nothing is left. Tells of it in
 * the log. */
void dtx_sidefile_restart(const struct dtx_options *o,
                          const struct dtx_job *job,
                          const struct dtx_master *m);

#endif

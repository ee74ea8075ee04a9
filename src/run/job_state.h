/* SPDX-License-Identifier: MIT */
/* run/job_state.h - what the job's own files share
 *
 * Private to run/job.c, which opens and closes, and run/job_journal.c, which
 * writes the session's part of the journal.
 */
#ifndef DTX_RUN_JOB_STATE_H
#define DTX_RUN_JOB_STATE_H

#include "run/job.h"

/* Make the journal, or open it to go on. */
int dtx_job_open_journal(struct dtx_job *job, struct dtx_error *err);
/* Begin this session's part: its head, and the list when it is new. */
int dtx_job_begin_session(const struct dtx_options *o, struct dtx_job *job,
                          uint32_t ranks, const char *command_line,
                          bool new_list, struct dtx_error *err);
int dtx_job_record_end(struct dtx_job *job, const struct dtx_job_end *end,
                       struct dtx_error *err);
/* Under a supervisor: a launch after the first goes on with what that began,
 * whose list is in the journal ('job->go_on'). What died before it had one has
 * begun nothing: its journal goes. */
void dtx_job_find_beginning(const struct dtx_options *o, struct dtx_job *job);

#endif

/* SPDX-License-Identifier: MIT */
/* run/resume.h - what earlier sessions of a job have finished
 *
 * A task is finished when its last outcome is in the journal, is final, and
 * its output is where the record says.  Outputs of a session that did not end
 * in good order are checked by their sums (a node may have died before they
 * were on disk); those of others by their presence.
 *
 * Damage in the journal costs what stood there and no more: it is told loudly,
 * and if a task list may have been in it the task file must be given again.
 */
#ifndef DTX_RUN_RESUME_H
#define DTX_RUN_RESUME_H

#include <stdbool.h>

#include "run/options.h"

struct dtx_error;
struct dtx_job;
struct dtx_outcome;

/* Read job->run_dir's journal and set job->prior, job->attempts and
 * job->last_epoch.  When no task file was read (job->has_list is false) the
 * journal's list becomes the job's; '*new_list' tells whether the job's list
 * is to be written to the journal. */
int dtx_resume_read(struct dtx_job *job, enum dtx_resume mode, bool *new_list,
                    struct dtx_error *err);
/* The same from what a joblog told, one row for each task. */
int dtx_resume_joblog(struct dtx_job *job, enum dtx_resume mode,
                      const struct dtx_outcome *told, struct dtx_error *err);
/* Write the output index anew, for the list as it is now; needs what _read has
 * found, and no reading. */
int dtx_resume_index(struct dtx_job *job, struct dtx_error *err);

#endif

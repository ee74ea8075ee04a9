/* SPDX-License-Identifier: MIT */
/* run/resume.h - what earlier sessions of a job have finished
 *
 * A task is finished when its last outcome is in the journal, is final, and
 * its output is where the record says.  Outputs of the last session are
 * checked by their sums when it did not end in good order (a node may have
 * died before they were on disk); older ones by their presence.
 */
#ifndef DTX_RUN_RESUME_H
#define DTX_RUN_RESUME_H

#include <stdbool.h>

#include "run/options.h"

struct dtx_error;
struct dtx_job;

/* Read job->run_dir's journal and set job->prior, job->attempts and
 * job->last_epoch.  When no task file was read (job->has_list is false) the
 * journal's list becomes the job's; '*new_list' tells whether the job's list
 * is to be written to the journal. */
int dtx_resume_read(struct dtx_job *job, enum dtx_resume mode, bool *new_list,
                    struct dtx_error *err);
/* Write the output index anew, for the list as it is now. */
int dtx_resume_index(struct dtx_job *job, struct dtx_error *err);

#endif

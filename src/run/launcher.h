/* SPDX-License-Identifier: MIT */
/* run/launcher.h - what TACC Launcher's tasks are used to find
 *
 * While LAUNCHER_JOB_FILE is set, tasks of a file or a stream run in
 * LAUNCHER_WORKDIR and see LAUNCHER_JID and its companions
 * (dtx_options.launcher).  In a live list they are what its first attributes,
 * those of a task without a directive, begin with: call both before anything
 * of it is read.
 */
#ifndef DTX_RUN_LAUNCHER_H
#define DTX_RUN_LAUNCHER_H

#include <stdint.h>

struct dtx_error;
struct dtx_tasklist;

/* Tasks that name no directory run in 'dir'. 0, DTX_ENOMEM, or DTX_EINVAL when
 * it is none. */
int dtx_launcher_dir(struct dtx_tasklist *list, const char *dir,
                     struct dtx_error *err);
/* Put the variables beside those the tasks have. 0, DTX_ENOMEM or
 * DTX_ELIMIT. */
int dtx_launcher_env(struct dtx_tasklist *list, uint32_t nodes, uint64_t slots,
                     struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* run/guard.h - a Slurm job does not outlive its batch script's node
 *
 * With --no-kill Slurm leaves the rest of a job when a node is lost, also when
 * that is the node of the batch script: nothing would run in it until its time
 * is over.  So a process on another node asks Slurm once a minute how the first
 * one is, and has the job queued again (or ended, where it may not be) when
 * Slurm says that it is down.  It is a step of the job and ends with it.
 */
#ifndef DTX_RUN_GUARD_H
#define DTX_RUN_GUARD_H

#include <sys/types.h>

struct dtx_buf;

/* The node to watch from: the first of 'nodes' (a list as Slurm writes it) that
 * is not 'here'. Nothing is written when there is none. */
void dtx_guard_place(const char *nodes, const char *here, struct dtx_buf *out);

/* Start it, for the job of this process's environment. 0: none is needed, since
 * this is no batch job of several nodes, or it could not be started. */
pid_t dtx_guard_begin(void);
void dtx_guard_end(pid_t guard); /* 0 is allowed */

#endif

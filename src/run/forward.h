/* SPDX-License-Identifier: MIT */
/* run/forward.h - a reader of stdout that may go away
 *
 * mpirun dies of SIGPIPE when the reader of its stdout leaves ("| head"), and
 * the job with it.  So where stdout is a pipe, mpirun gets one of ours, and a
 * small process carries the bytes on; when the reader has left it goes on
 * reading and throws them away.
 */
#ifndef DTX_RUN_FORWARD_H
#define DTX_RUN_FORWARD_H

#include <sys/types.h>

struct dtx_error;

struct dtx_forward {
    pid_t pid;      /* 0: stdout is no pipe, nothing is done */
    int old_stdout; /* ours */
};

/* From now on fd 1 is the way through the carrier. Call while there is one
 * thread. */
int dtx_forward_begin(struct dtx_forward *f, struct dtx_error *err);
/* fd 1 is what it was; waits (some seconds at most) until all is carried. */
void dtx_forward_end(struct dtx_forward *f);

#endif

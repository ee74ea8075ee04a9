/* SPDX-License-Identifier: MIT */
/* node/iowait.h - how long a task waited for block devices
 *
 * The kernel's delay accounting, where it is on (since Linux 5.14 it is off
 * until somebody sets kernel.task_delayacct): of one thread at a time, in ticks
 * of 10 ms, and of processes that have ended only until their parent has waited
 * for them. So it is known of a task whose first process did its waiting
 * itself, in its first thread: one that left a processor by itself as often as
 * the whole task did. Of others it is not known.
 */
#ifndef DTX_NODE_IOWAIT_H
#define DTX_NODE_IOWAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum dtx_iowait {
    DTX_IOWAIT_OFF,     /* it is not accounted */
    DTX_IOWAIT_PERHAPS, /* an older kernel: zeroes need mean nothing, until
                           one has waited */
    DTX_IOWAIT_ON
};

struct dtx_iowait_process {
    uint64_t ns;    /* waited for devices */
    uint64_t waits; /* times it left a processor by itself */
};

/* /proc is looked for below 'root': "" is this machine. */
enum dtx_iowait dtx_iowait_find(const char *root);
/* A process that has ended and has not been waited for. False: not known. */
bool dtx_iowait_read(const char *root, pid_t pid, struct dtx_iowait_process *p);
/* Of a whole task, of which 'p' is the first process and 'waits' counts what p
 * counts: true and ns in '*ns', or false. May change '*how' to ON. */
bool dtx_iowait_of(enum dtx_iowait *how, const struct dtx_iowait_process *p,
                   uint64_t waits, uint64_t *ns);

#endif

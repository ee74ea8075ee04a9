/* SPDX-License-Identifier: MIT */
/* node/peer.h - does another process of this node still live, and how did it
 * end
 *
 * For processes that are not our children.  A pidfd tells of the death at once
 * and of no other process; before Linux 5.3, or where a filter forbids it, the
 * process number and its start time are looked at instead.  How it ended only
 * Linux 6.15 and later tell to others than the parent.
 */
#ifndef DTX_NODE_PEER_H
#define DTX_NODE_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dtx_peer {
    pid_t pid; /* 0: nobody */
    int fd;    /* pidfd, or -1 */
    uint64_t start; /* of the process, in ticks since boot; 0 = unknown */
};

#define DTX_PEER_NONE {0, -1, 0}

/* Begin to watch a process that lives. 'plain': as if there were no pidfds. */
void dtx_peer_watch(struct dtx_peer *p, pid_t pid, bool plain);
/* Is it dead (a zombie included)? False for nobody. */
bool dtx_peer_died(const struct dtx_peer *p);
/* Is it stopped, as by SIGSTOP? */
bool dtx_peer_stopped(const struct dtx_peer *p);
/* How it ended, as waitpid gives it; -1 as long as that is not known: its
 * parent must have waited for it first; -2: nobody can tell. */
int dtx_peer_status(const struct dtx_peer *p);
/* KILL it, if it still is the one. */
void dtx_peer_kill(const struct dtx_peer *p);
void dtx_peer_forget(struct dtx_peer *p);

#endif

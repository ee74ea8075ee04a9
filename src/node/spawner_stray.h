/* SPDX-License-Identifier: MIT */
/* node/spawner_stray.h - processes that tasks have left behind
 *
 * The spawner is the subreaper: whatever survives its parent becomes the
 * spawner's child.  A stray is a child that is not the leader of a task.  To
 * find one costs a read of a file in /proc and a count; who it belongs to
 * cannot be told, so it is held against every task that ran at that time.
 */
#ifndef DTX_NODE_SPAWNER_STRAY_H
#define DTX_NODE_SPAWNER_STRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dtx_strays {
    int fd;     /* the list of our children, -1: the kernel has none */
    char *text; /* what was read from it */
    size_t size;
    pid_t *pid; /* strays seen and not yet reaped */
    size_t n, cap;
};

/* 0 or DTX_ENOMEM. */
int dtx_strays_init(struct dtx_strays *s);
/* True when there may be a stray that was not there at the last call.
 * 'leader' holds the process ids of 'n' places, 0 where there is none,
 * 'running' of them are in use. */
bool dtx_strays_look(struct dtx_strays *s, const pid_t *leader, size_t n,
                     size_t running);
/* A child that was no leader has been reaped. */
void dtx_strays_forget(struct dtx_strays *s, pid_t pid);
/* Kill and reap all children and theirs, for at most 'limit_ns'. */
void dtx_strays_end(struct dtx_strays *s, int64_t limit_ns);

#endif

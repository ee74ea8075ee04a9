/* SPDX-License-Identifier: MIT */
/* node/spawner_child.h - one command becomes one process
 *
 * Everything is prepared in the spawner (words, path of the program, array of
 * arguments); the child, which borrows the spawner's memory until it executes
 * the program, makes system calls and nothing else.
 */
#ifndef DTX_NODE_SPAWNER_CHILD_H
#define DTX_NODE_SPAWNER_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "node/counting.h"

#define DTX_PATH_CACHE 64

/* Where a program was found. */
struct dtx_program {
    char *name;
    char *path;
};

/* What stays the same from task to task. */
struct dtx_launcher {
    const char *shell;    /* borrowed */
    const char *path;     /* directories, as in PATH; borrowed */
    const char *base_cwd; /* to enter first, NULL = the spawner is there */
    struct rlimit files;  /* limit of open files that tasks get ... */
    bool set_files;       /* ... if it differs from the spawner's */
    struct dtx_counting counting; /* of those that are to be counted */
    pid_t self;
    char **vec;           /* room for arguments */
    size_t cap_vec;
    struct dtx_buf text;  /* a command for the shell */
    char *candidate;      /* room for a path */
    size_t candidate_size;
    struct dtx_program program[DTX_PATH_CACHE];
};

struct dtx_launch {
    char *command; /* ends in NUL, 'len' bytes before it */
    size_t len;
    const char *cwd;      /* NULL: as it is */
    int out_fd, err_fd;   /* -1: as the spawner's, which is /dev/null */
    const unsigned long *mask; /* affinity of 'mask_size' bytes, or NULL */
    size_t mask_size;
    char *const *env;
    _Atomic int32_t *group; /* gets its process group before it runs */
    struct dtx_counting_run *counter; /* gets what counts it; NULL: nothing */
};

/* For the life of the process. Borrows its strings. 0 or DTX_ENOMEM. */
int dtx_launcher_init(struct dtx_launcher *l, const char *shell,
                      const char *path);
/* Start it as the leader of its own process group: the process id, or -1 and
 * errno when no process could be made. What goes wrong after that is said on
 * the task's stderr and its exit code is 127 or 126. */
pid_t dtx_launcher_start(struct dtx_launcher *l, const struct dtx_launch *t);

#endif

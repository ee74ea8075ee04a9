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
#include "node/counters.h"

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
    struct dtx_perf_set perf; /* what is counted of each; of none: nothing */
    int give, take;       /* sockets; the files of its counters come this way */
    bool probed;          /* both are as they will stay */
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
    bool counts;  /* count it: counter gets the files
                     (DTX_PERF_EVENTS of them, see dtx_perf_end), or -1 */
    int *counter;
};

/* For the life of the process. Borrows its strings. 0 or DTX_ENOMEM. */
int dtx_launcher_init(struct dtx_launcher *l, const char *shell,
                      const char *path);
/* Can anything be counted of what is started? Finds it out the first time. */
bool dtx_launcher_counts(struct dtx_launcher *l);
/* Start it as the leader of its own process group: the process id, or -1 and
 * errno when no process could be made. What goes wrong after that is said on
 * the task's stderr and its exit code is 127 or 126. */
pid_t dtx_launcher_start(struct dtx_launcher *l, const struct dtx_launch *t);

#endif

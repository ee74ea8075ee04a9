/* SPDX-License-Identifier: MIT */
/* node/spawner.h - starts, watches, limits and accounts command tasks
 *
 * A process of its own, forked before MPI_Init and before any thread, so that
 * the rank never forks beside MPI's pinned memory and never waits for a
 * process start.  It leaves the rank's session and closes its stdio, is the
 * subreaper of all tasks, and when the rank dies (its pipe closes) it kills
 * every task process, descendants that left their group included, and goes.
 * While it is guarded (dtx_spawner_guard) its death is told in a file, and when
 * it hangs, so that its heartbeat stands still, the spawner ends it like its
 * tasks.  Between the two
 * stands a watcher, a process that sleeps until the spawner ends and then
 * kills what it left; so all tasks are ended whenever one of the three lives
 * on, and when all three are killed at once, the tasks' own processes are (the
 * kernel does that) but not what these have started.
 *
 *   fork      dtx_spawner_fork(): early, cheap
 *   configure dtx_spawner_configure(): once, before the first run
 *   run       dtx_spawner_run(): hands over a command; the spawner starts it
 *             as soon as enough slots are free, first come first served.
 *             Handing over slightly more than fits hides the way between two
 *             tasks; what has not started can be recalled at once.
 *   ended     dtx_spawner_poll(): one ended attempt at a time; the bell given
 *             to fork() is rung when there is something
 *   capture   stdout and stderr go into unlinked files; a result with output
 *             names a capture that the rank copies (any thread) and then
 *             releases
 *
 * All calls except dtx_spawner_capture_fds come from one thread.
 */
#ifndef DTX_NODE_SPAWNER_H
#define DTX_NODE_SPAWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/outcome.h"

struct dtx_bell;
struct dtx_error;
struct dtx_locus;
struct dtx_spawner;

/* One slot: the processing units (OS indices) its tasks are bound to.
 * npus 0: not bound. */
struct dtx_slot_cpus {
    const uint32_t *pus;
    uint32_t npus;
};

/* A NUMA node in which the rank has cores. */
struct dtx_slot_numa {
    uint32_t numa, ncores; /* its number, as in a dtx_locus */
    struct dtx_slot_cpus cpus;
};

struct dtx_spawner_config {
    uint32_t nslots;
    uint32_t first_slot; /* number of slot 0 on the node, from 1 */
    const struct dtx_slot_cpus *slots; /* nslots rows, or NULL: never bind */
    const struct dtx_locus *places; /* nslots rows: where each slot is, so that
                                       wide tasks get near ones
                                       (task/placement.h); NULL: not known */
    bool bind_single;    /* bind tasks of one slot too, not only wider ones */
    const struct dtx_slot_numa *numas; /* heavy tasks are bound to one of these,
                            whatever slot they have, since others move away;
                            NULL: they are not */
    uint32_t nnumas;
    bool spreads;        /* tasks are bound to their slots, each of which has a
                            core of its own, in 'places': their traffic decides
                            in which slots they start */
    uint32_t rank;
    const char *shell;   /* e.g. "/bin/sh" */
    const char *cwd;     /* absolute; where tasks without their own run */
    const char *run_dir; /* absolute; DTX_RUN_DIR */
    const char *tmp_dir; /* where captures live, or NULL to choose:
                            $TMPDIR, /tmp, /var/tmp, else run_dir; file systems
                            that are memory (tmpfs) are passed over */
    bool capture;        /* false: tasks' output goes to /dev/null */
    int64_t grace_ns;    /* between TERM and KILL */
    int term_signal;     /* what is sent in place of TERM; 0 = TERM */
    int64_t memfree;     /* bytes: no task starts while less memory is free, and
                            the newest of several is ended (KILLED) while there
                            is less than half; 0: never looked at */
    const char *memory_root; /* as in node/memory.h; NULL: "" */
    int64_t deadline_ns; /* wall clock since 1970 for DTX_REMAINING_SECONDS,
                            0 = none: the variable is not set */
    /* The environment tasks start from: pass environ. Variables of the
     * launcher (OMPI_*, PMIX_*, PMI_*, ...) and of an outer job (DTX_*) are
     * taken out here. */
    char *const *env;
};

struct dtx_spawn_request {
    uint32_t task, attempt; /* task DTX_NO_TASK: no task, so without the
                               variables that tell of one */
    uint32_t cpus;       /* 1 .. nslots */
    int64_t timeout_ns;  /* 0 = none */
    const char *command; /* 'len' bytes */
    size_t len;
    const char *cwd;     /* NULL = config.cwd; relative to it otherwise */
    const char *name;    /* DTX_TASK_NAME, NULL = not set */
    const char *env;     /* further variables, see struct dtx_task_attr; they
                            take the place of those in config.env. NULL = none,
                            at most DTX_MAX_ENV bytes */
    uint32_t index;      /* for %i in 'env' */
    bool slot_mark;      /* see DTX_ATTR_SLOT */
    bool limited;        /* dtx_spawner_limit holds for it */
    uint32_t traffic;    /* what it moves through memory (sched/traffic.h); 0:
                            in this job nobody looks after that */
    bool heavy;          /* it is to have a NUMA node in which little is moved,
                            and is bound to it */
};

struct dtx_spawn_result {
    struct dtx_outcome outcome; /* all but rank-wide output place and checksum:
                                   out_len and err_len are set, out_off and
                                   out_crc are not */
    int32_t capture; /* >= 0: holds the output, to be released; -1: no output */
    int error;       /* 0, or DTX_ENOSPC, ...: there was no place for its
                        output in dtx_spawner_dir(), so it was not started, or
                        its output may be cut; its status is KILLED */
};

/* Fork it. Call from a process with one thread. The bell is borrowed for the
 * spawner's life. 'counts': tasks are counted where anything can be
 * (node/counters.h); else they have the kernel's accounting alone. */
int dtx_spawner_fork(struct dtx_bell *bell, bool counts,
                     struct dtx_spawner **out, struct dtx_error *err);
/* Everything is copied. DTX_ELIMIT when it does not fit. */
int dtx_spawner_configure(struct dtx_spawner *s,
                          const struct dtx_spawner_config *c,
                          struct dtx_error *err);
/* 0; DTX_EAGAIN when the queue is full for now (the caller keeps it and tries
 * again after the next result); DTX_ELIMIT when it can never fit, 'cpus' not
 * in 1 .. nslots included (treated by the caller as an attempt that could not
 * be executed); DTX_ESTATE before configure. */
int dtx_spawner_run(struct dtx_spawner *s, const struct dtx_spawn_request *r);
/* Take back what has not started: true when it will not start. */
bool dtx_spawner_recall(struct dtx_spawner *s, uint32_t task, uint32_t attempt);
/* TERM to the task's group, KILL after the grace; its result comes with status
 * KILLED. Nothing when it has ended already. If it has not started it ends at
 * once as KILLED. */
void dtx_spawner_kill(struct dtx_spawner *s, uint32_t task, uint32_t attempt);
/* From now on tasks that are 'limited' and have no timeout of their own, those
 * that run already included, are ended after 'limit_ns' of run time. */
void dtx_spawner_limit(struct dtx_spawner *s, int64_t limit_ns);
/* Tasks that start from now on find the time to this in DTX_REMAINING_SECONDS:
 * wall clock since 1970, of this host. */
void dtx_spawner_deadline(struct dtx_spawner *s, int64_t deadline_ns);
/* What has not started will not, and ends at once as KILLED. */
void dtx_spawner_drop_waiting(struct dtx_spawner *s);
/* One ended attempt: true and '*out' filled. */
bool dtx_spawner_poll(struct dtx_spawner *s, struct dtx_spawn_result *out);
/* The files of a capture, for pread: 0, or an error when it is not known.
 * Thread safe. The fds stay the spawner library's. Output of this result is
 * [out_start, out_start + out_len) and [err_start, err_start + err_len). */
int dtx_spawner_capture_fds(struct dtx_spawner *s, int32_t capture, int *out_fd,
                            int64_t *out_start, int *err_fd,
                            int64_t *err_start);
/* Number 'i' (from 0) of what has been handed over and not polled, in no
 * order: false when there are no more. What waits to start has a fd of -1; what
 * runs has written [start[k], its size) of fd[k] so far, 0 stdout and 1 stderr.
 * What was read there is the task's only if dtx_spawner_holds says so
 * afterwards: a task may have ended, or emptied the file. The fds stay the
 * spawner library's. */
struct dtx_spawn_view {
    uint32_t task, attempt, entry;
    int fd[2];
    int64_t start[2];
};
bool dtx_spawner_view(struct dtx_spawner *s, uint32_t i,
                      struct dtx_spawn_view *out);
bool dtx_spawner_holds(const struct dtx_spawner *s,
                       const struct dtx_spawn_view *v, int k);
/* The output has been copied: the capture may be used again. */
void dtx_spawner_release(struct dtx_spawner *s, int32_t capture);
/* From now on, when the rank ends without having said so, tell it in the file
 * 'notice' (node/notice.h; NULL: nowhere); and when it calls dtx_spawner_beat
 * no more for 'still_ns' (0: may be), end its tasks and kill it. The time in
 * which the spawner itself was stopped does not count. 'busy': it has no time
 * to beat; only when it was stopped for so long it is killed. 0 or
 * DTX_ELIMIT. */
int dtx_spawner_guard(struct dtx_spawner *s, const char *notice,
                      int64_t still_ns, bool busy);
void dtx_spawner_beat(struct dtx_spawner *s);
/* It has no time to beat for now, or has again. */
void dtx_spawner_busy(struct dtx_spawner *s, bool busy);
/* It may stand still from now on; its end is still told. */
void dtx_spawner_let_rest(struct dtx_spawner *s);
/* The rank's life has come to its end in good order: neither. */
void dtx_spawner_unguard(struct dtx_spawner *s);
/* What config.memfree does. */
struct dtx_spawner_memory {
    bool held;           /* what waits to start waits for memory */
    uint32_t relieved;   /* tasks that were ended to free some, so far */
    int64_t free_bytes;  /* at the last look */
};
void dtx_spawner_memory(const struct dtx_spawner *s,
                        struct dtx_spawner_memory *out);
/* Is it alive? When false, the node's tasks are lost: give up the rank. */
bool dtx_spawner_alive(struct dtx_spawner *s);
/* Where outputs gather while tasks run; "" before configure. */
const char *dtx_spawner_dir(const struct dtx_spawner *s);
/* Its process id, for tests and messages. */
int dtx_spawner_pid(const struct dtx_spawner *s);
/* End it: kills what runs, without grace, and waits for it (bounded). NULL is
 * allowed. */
void dtx_spawner_stop(struct dtx_spawner *s);

#endif

/* SPDX-License-Identifier: MIT */
/* run/supervise_job.h - what the supervisor knows of its mpirun
 *
 * supervise.c launches it and judges how the job ended; supervise_watch.c
 * watches it while it runs.  Private to run/supervise*.c.
 */
#ifndef DTX_RUN_SUPERVISE_JOB_H
#define DTX_RUN_SUPERVISE_JOB_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/units.h"
#include "run/marker.h"

/* How often the supervisor looks around. */
#define DTX_SUPERVISE_TICK_NS (100 * DTX_MSEC_NS)

struct dtx_mpirun {
    pid_t pid; /* mpirun, and its process group */
    struct dtx_marker marker;
    int64_t leave_ns, kill_ns;
    int64_t silent_ns;      /* of rank 0: it is dead, or its node */
    uint32_t first_epoch;   /* of the first launch */
    uint64_t beat;          /* of rank 0, as it was seen */
    int64_t beat_ns;        /* when; 0: not yet */
    int64_t look_ns;
    int64_t looks;          /* since then */
    int64_t start_ns;       /* for MPI to come up */
    int64_t open_ns;        /* rank 0 has the job since then, 0 = not yet */
    int64_t look_start_ns;
    bool met;               /* the ranks have, or were given up: */
    bool timed_out;
    bool came_up;           /* all ranks have met, in any launch */
    bool lost;              /* rank 0 is */
    int64_t started;
    uint32_t ranks;    /* of this launch */
    uint32_t launches; /* before this one */
    uint32_t failures; /* of those, in a row */
    unsigned ints;
    bool draining, killing; /* asked for */
    bool time_over;         /* USR1 said so, as the first */
    bool kill_sent, deaf_said;
    int64_t next_drain, drain_gap;
    int64_t term_at, kill_at, give_up_at; /* 0: not planned */
    bool marked;                          /* the marker has been seen */
    bool ended;
    int wait_status;
};

struct dtx_mpirun_signals {
    sigset_t wanted, old_mask;
    struct sigaction old_chld;
};

/* A signal has come: what is asked for from now on. */
void dtx_mpirun_hear(struct dtx_mpirun *j, int sig);
/* Until mpirun has ended, or does not however it is asked to. */
void dtx_mpirun_watch(struct dtx_mpirun *j,
                      const struct dtx_mpirun_signals *sig);

#endif

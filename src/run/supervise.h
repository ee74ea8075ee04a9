/* SPDX-License-Identifier: MIT */
/* run/supervise.h - launch mpirun, and know how the job ended
 *
 * mpirun's own exit status proves nothing: rank 0 writes the job's status into
 * a marker file just before it leaves, and that is what counts.  The
 * supervisor never hangs on mpirun: after the marker, and after a second
 * Ctrl-C, it waits for a stated time, then uses TERM, then KILL.
 *
 * When rank 0, mpirun or a node is lost it ends what is left, waits a while and
 * launches the rest of the job, on the hosts that still answer, up to a stated
 * number of times.  Ranks other than rank 0 may die without any of that
 * (mpirun --enable-recovery, and the engine); what they had runs elsewhere.
 *
 * mpirun gets a process group of its own, so that a terminal's Ctrl-C reaches
 * the supervisor alone, and dies with the supervisor.
 *
 * Signals, from supervisor to the ranks (mpirun forwards both):
 *   first INT, any TERM, HUP, USR1  SIGUSR1: drain. Sent again after 1, 2,
 *                                   4 ... seconds (INT and HUP that were
 *                                   ignored at the start stay so)
 *   second INT                      SIGUSR2: kill the tasks, save, leave now
 * A job that was stopped with work left, by USR1 before all others, ends with
 * DTX_EXIT_DEADLINE: that is how batch systems say that the time is over.
 *
 * Both would end a rank that has no handlers yet, so they wait until rank 0
 * has said that all ranks have met (a file beside the marker).
 */
#ifndef DTX_RUN_SUPERVISE_H
#define DTX_RUN_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "run/marker.h"

struct dtx_error;

/* For the ranks of a later launch: the epoch of the first one's session. They
 * go on with what that has begun. 0: this is the first. */
#define DTX_GO_ON_ENV "DTX_GO_ON"

struct dtx_supervise {
    uint32_t ranks;
    const char *hostfile; /* NULL: this machine, or the allocation */
    const char *nodes;    /* of the Slurm job, as it lists them, without a
                             hostfile; else NULL */
    const char *mpirun;   /* NULL: $MPIRUN, else "mpirun" */
    const char *run_dir;  /* absolute, is there already */
    char **argv;          /* program and arguments of each rank, then NULL */
    const char *ft;       /* mpirun --with-ft, or NULL */
    bool verbose;         /* log the command line */
    bool pass_stdin;      /* rank 0 reads our stdin (never a terminal);
                             otherwise it is /dev/null */
    uint32_t relaunches;  /* in a row, at most */
    int64_t lost_after_ns; /* rank 0 is lost when its lease was not renewed for
                              so long, and 15 s at least; 0 = never */
    int64_t start_ns;     /* for MPI to come up; 0: 60 s, and 20 ms a rank */
    int64_t leave_ns;     /* for mpirun to leave by itself: more than a task
                             has between TERM and KILL; 0: 10 s */
    int64_t kill_ns;      /* between TERM and KILL; 0: 5 s */
};

/* Run it to its end. '*exit_status' is always set to what the program should
 * leave with. DTX_OK when the marker gave it, or when the user killed the job
 * (130); otherwise an error to be shown: mpirun cannot be run, or the ranks
 * never met (110), the marker is missing (108). Call from the main thread while
 * there is no other: signals are blocked meanwhile, and put back after. */
int dtx_supervise_run(const struct dtx_supervise *s, int *exit_status,
                      struct dtx_error *err);

#endif

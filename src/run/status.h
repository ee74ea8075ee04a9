/* SPDX-License-Identifier: MIT */
/* run/status.h - what the program's exit status means
 *
 * One row per meaning: name, first and last status, text.  The command
 * "distributex help exit-status", the manual and the code use this table, so
 * that none of them can say something else.
 */
#ifndef DTX_RUN_STATUS_H
#define DTX_RUN_STATUS_H

#include <stdint.h>

#define DTX_EXIT_MAP(X)                                                        \
    X(OK, 0, 0,                                                                \
      "all tasks succeeded (or --halt success= stopped the job, or done= "     \
      "did and none had failed)")                                              \
    X(FAILED, 1, 100,                                                          \
      "so many tasks failed, skipped ones included (also when --halt "         \
      "fail= or done= stopped the job)")                                      \
    X(MANY_FAILED, 101, 101, "more than 100 tasks failed")                     \
    X(USAGE, 102, 102, "bad usage: an option or an argument")                  \
    X(TASKFILE, 103, 103,                                                      \
      "bad task file; nothing was run (of a stream: what stood before the "    \
      "bad line)")                    \
    X(RUNDIR, 104, 104,                                                        \
      "run directory: holds a job, is in use, is not found, or is not the "    \
      "same on all ranks")                                                     \
    X(STOPPED, 105, 105, "stopped with work left; --resume goes on")           \
    X(DEADLINE, 106, 106,                                                      \
      "the time was over with work left (--deadline, the end of the Slurm "    \
      "job, or USR1); --resume goes on, --requeue has queued the job again")   \
    X(STORAGE, 107, 107, "no space left, or the journal cannot be written")    \
    X(LOST, 108, 108, "the launcher or a rank was lost; --resume goes on")     \
    X(INTERNAL, 109, 109, "internal error")                                    \
    X(MPI, 110, 110, "MPI cannot be started, or not as asked")                 \
    X(SETUP, 111, 111, "--node-setup failed on every node; no task was run")   \
    X(SIGNALLED, 129, 192,                                                     \
      "128 + n: ended at once by signal n (130: Ctrl-C twice)")

enum dtx_exit {
#define DTX_EXIT_ENUM(name, first, last, text) DTX_EXIT_##name = first,
    DTX_EXIT_MAP(DTX_EXIT_ENUM)
#undef DTX_EXIT_ENUM
    DTX_EXIT_INTERRUPTED = 130
};

/* The status of a job that ran to its end with so many failures. */
static inline int dtx_exit_of_failed(uint64_t failed)
{
    return failed > 100 ? DTX_EXIT_MANY_FAILED : (int)failed;
}

#endif

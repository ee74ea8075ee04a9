/* SPDX-License-Identifier: MIT */
/* run/run.h - "distributex run" as a function
 *
 * Finds out what this process is (a rank, the whole job, or the supervisor of
 * an mpirun), prepares, runs the loop, and returns the exit status of
 * run/status.h.  Prints what a user should see.
 */
#ifndef DTX_RUN_RUN_H
#define DTX_RUN_RUN_H

/* 'argv' are the words behind "run"; 'self' is argv[0] of the program. */
int dtx_run_main(const char *self, int argc, char *const *argv);

#endif

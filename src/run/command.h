/* SPDX-License-Identifier: MIT */
/* run/command.h - run a program of the system, with a limit
 *
 * For the few questions put to Slurm.  Not for a rank's main thread while MPI
 * is up: it forks.
 */
#ifndef DTX_RUN_COMMAND_H
#define DTX_RUN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;

struct dtx_command {
    char *const *argv;   /* argv[0] is looked for in PATH */
    const char *input;   /* for its stdin, or NULL: nothing */
    size_t len;
    bool with_stderr;    /* its stderr goes to 'out' as well, else nowhere */
    int64_t limit_ns;    /* then it is killed */
};

#define DTX_COMMAND_OUTPUT (1u << 20) /* bytes that are kept of it */

/* Run it to its end. 0 and its exit status in '*status' (128 + n: signal n), or
 * an error: it could not be run (DTX_ENOENT) or took too long (DTX_EAGAIN).
 * 'out' has what it wrote in either case, and a NUL behind that. */
int dtx_command_run(const struct dtx_command *c, struct dtx_buf *out,
                    int *status, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* cli/told.h - outcomes that a joblog, run directory or run.h5 tells of
 *
 * In the order in which they were written.  A run directory's come from its
 * journal, also after a kill.
 */
#ifndef DTX_CLI_TOLD_H
#define DTX_CLI_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/outcome.h"

struct dtx_buf;
struct dtx_error;

struct dtx_told {
    uint64_t seq;        /* the task's number, from 1 */
    const char *command;
    size_t len;
    char host[64];       /* "" = not known */
    const struct dtx_outcome *outcome;
};

typedef int (*dtx_told_f)(void *ctx, const struct dtx_told *t);

/* Write RUNDIR/run.h5 from the journal there. */
int dtx_told_runfile(const char *dir, struct dtx_error *err);
/* Everything that the joblog, run directory or run.h5 at 'path' tells. Non-zero
 * of 'fn' ends it and is returned; it fills 'err' itself. */
int dtx_told_each(const char *path, dtx_told_f fn, void *ctx,
                  struct dtx_error *err);
/* What tells this source from others, in 32 hexadecimal digits: a hash of a
 * joblog's bytes; of a run directory the id its own job writes under. */
int dtx_told_id(const char *path, char id[33], struct dtx_error *err);
bool dtx_told_is_run(const char *path); /* is it a directory? */
/* A whole file, appended to 'out'; "-" is standard input. */
int dtx_told_file(const char *path, struct dtx_buf *out,
                  struct dtx_error *err);

#endif

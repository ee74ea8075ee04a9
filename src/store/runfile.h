/* SPDX-License-Identifier: MIT */
/* store/runfile.h - run.h5: everything measured in a job, in one HDF5 file
 *
 * Derived from the journal, which stays the truth: it can be made again at any
 * time.  A table of attempts in the order in which they were recorded, the
 * hosts, and the bytes of the commands.  doc/history.md tells the columns.
 */
#ifndef DTX_STORE_RUNFILE_H
#define DTX_STORE_RUNFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "task/outcome.h"
#include "wire/experience.h"

struct dtx_error;

#define DTX_RUNFILE_VERSION 1

struct dtx_run_attempt {
    struct dtx_outcome outcome;
    uint64_t seq;        /* the task's number, from 1 */
    uint64_t command_at; /* in the bytes of the commands */
    uint32_t command_len;
    uint32_t host;       /* row of the hosts */
};

/* Zero-initialise. */
struct dtx_runfile {
    struct dtx_run_attempt *attempt;
    size_t n, cap;
    struct dtx_buf text;          /* the commands */
    struct dtx_experience hosts;  /* its hosts alone are used */
};

void dtx_runfile_free(struct dtx_runfile *r);
/* Append an attempt. 0 or DTX_ENOMEM. */
int dtx_runfile_add(struct dtx_runfile *r, uint64_t seq, const char *command,
                    size_t len, const char *host, const struct dtx_outcome *o);
/* Write it whole, beside and renamed; or read it. */
int dtx_runfile_write(const char *path, const struct dtx_runfile *r,
                      struct dtx_error *err);
int dtx_runfile_read(const char *path, struct dtx_runfile *r,
                     struct dtx_error *err);
/* Does the file begin as HDF5 files do? */
bool dtx_runfile_is_h5(const char *path);

#endif

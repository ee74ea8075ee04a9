/* SPDX-License-Identifier: MIT */
/* task/joblog.h - a joblog in GNU parallel's nine columns, read back
 *
 * Says for each task of a list what the log tells of it.  A line is the task's
 * with its number when that task has its very command, else that of the next
 * task with that command; tasks of an array, which share a command, only go by
 * number.  Of several lines for one task the last counts.  Or gives the lines
 * one by one, without any list.  Reads bytes, opens nothing.
 */
#ifndef DTX_TASK_JOBLOG_H
#define DTX_TASK_JOBLOG_H

#include <stddef.h>
#include <stdint.h>

#include "task/outcome.h"

struct dtx_error;
struct dtx_tasklist;

/* A line that tells of a task. */
struct dtx_joblog_line {
    uint64_t seq;
    struct dtx_outcome outcome; /* its task is seq less one, modulo 2^32 */
    const char *command;        /* with its newlines; borrowed for the call */
    const char *host;           /* likewise */
    size_t len, host_len;
};

/* Called for each in order; non-zero ends and is returned. */
typedef int (*dtx_joblog_line_f)(void *ctx, const struct dtx_joblog_line *line,
                                 struct dtx_error *err);
/* What dtx_joblog_read says of bad lines holds. */
int dtx_joblog_each(const char *name, const char *text, size_t len,
                    dtx_joblog_line_f fn, void *ctx, struct dtx_error *err);

struct dtx_joblog_counts {
    uint64_t lines;   /* that tell of a task */
    uint64_t foreign; /* of those, of a task that is not in the list */
};

/* 'out' has l->ntasks rows and is overwritten: status NONE where the log tells
 * nothing. A last line without an end that makes no sense was cut off and is
 * passed over; any other bad line is DTX_EPARSE with NAME:LINE. Or
 * DTX_ENOMEM. */
int dtx_joblog_read(const char *name, const char *text, size_t len,
                    const struct dtx_tasklist *l, struct dtx_outcome *out,
                    struct dtx_joblog_counts *counts, struct dtx_error *err);

#endif

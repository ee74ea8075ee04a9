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

/* One line; the pieces are borrowed for the call. */
struct dtx_joblog_row {
    uint64_t seq;
    const char *host, *command;
    size_t host_len, command_len;
    struct dtx_outcome outcome; /* its task is seq less one, modulo 2^32 */
};
/* Non-zero ends the reading and is returned. */
typedef int (*dtx_joblog_row_f)(void *ctx, const struct dtx_joblog_row *row);
/* Every line of the log, in order; bad lines as above. */
int dtx_joblog_each(const char *name, const char *text, size_t len,
                    dtx_joblog_row_f fn, void *ctx, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* task/taskfile.h - a task file's bytes into tasks and dependencies
 *
 * One command per line.  Blank lines and lines whose first non-blank is '#'
 * are skipped, except directives: "#DTX key=value ..." stands alone before the
 * task it applies to (several such lines add up; a key given twice for one
 * task is an error; a directive with no task after it is an error).  Keys:
 * name= cpus= prio= after= timeout= retries= cwd=.  A value may be quoted with
 * '...' or "...".  after= takes task numbers, ranges and names, separated by
 * commas: after=1,3-5,prep; numbers are ordinals of tasks, not of lines, and
 * may be larger than the task's own.  CR before LF is dropped.  NUL bytes are
 * an error.
 *
 * Unknown keys, bad values, unknown names, a task after itself, cycles and
 * exceeded limits are errors "FILE:LINE: reason" with the remedy, and nothing
 * is kept.
 */
#ifndef DTX_TASK_TASKFILE_H
#define DTX_TASK_TASKFILE_H

#include <stddef.h>

struct dtx_error;
struct dtx_graph;
struct dtx_tasklist;

/* Parse 'len' bytes. 'name' is used in messages. On success both outputs are
 * initialised, the graph sealed, and the caller finishes both; on failure
 * neither needs to be. */
int dtx_taskfile_parse(const char *name, const char *data, size_t len,
                       struct dtx_tasklist *list, struct dtx_graph *graph,
                       struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* task/taskfile.h - a task file's bytes into tasks and dependencies
 *
 * One command per line.  Blank lines and lines whose first non-blank is '#'
 * are skipped, except directives: "#DTX key=value ..." stands alone before the
 * task it applies to (several such lines add up; a key given twice for one
 * task is an error; a directive with no task after it is an error).  Keys:
 * name= cpus= prio= after= timeout= retries= cwd= mem= gpus=.  A value may be
 * quoted with '...' or "...".  after= takes task numbers, ranges and names,
 * separated by commas: after=1,3-5,prep; numbers are ordinals of tasks, not of
 * lines, and may be larger than the task's own.  CR before LF is dropped.  NUL
 * bytes are an error.
 */
#ifndef DTX_TASK_TASKFILE_H
#define DTX_TASK_TASKFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct dtx_error;
struct dtx_graph;
struct dtx_tasklist;

/* What a file says beside its tasks, for whoever wants to know. */
struct dtx_taskfile_more {
    bool greasy;                   /* it uses GREASY's syntax */
    struct dtx_buf setup, teardown; /* disBatch's PERENGINE; NUL-terminated
                                       texts, empty when not given */
    bool (*stop)(void); /* in: asked now and then while a long file is read;
                           true: give up, DTX_ESTATE. NULL: never */
    uint32_t cpus;      /* in: of tasks that do not say; 0: 1 */
};

#define DTX_STOP_EVERY 65536u /* tasks between two such questions */

/* Parse 'len' bytes. 'name' is used in messages. On success both outputs are
 * initialised, the graph sealed, and the caller finishes both; on failure
 * neither needs to be. */
int dtx_taskfile_parse(const char *name, const char *data, size_t len,
                       struct dtx_tasklist *list, struct dtx_graph *graph,
                       struct dtx_error *err);
/* The same; 'more' is all zeroes before, 'stop' and 'cpus' apart, and its texts
 * are to be freed after, whatever comes of it. */
int dtx_taskfile_parse_more(const char *name, const char *data, size_t len,
                            struct dtx_tasklist *list, struct dtx_graph *graph,
                            struct dtx_taskfile_more *more,
                            struct dtx_error *err);

/* ---- line by line: a stream ----
 *
 * Each line is taken when it comes, and so after= may only name earlier tasks;
 * a later number, a range that reaches beyond and an unknown name are errors
 * at that line.  The tasks of a line are added to the end of 'list'.  The
 * caller may take tasks out of the list between lines (set ntasks and text.len
 * to 0), but leaves attributes and pool alone: task numbers go on counting
 * all.  What stays of a task gone by is its name's text, once, and 8 bytes
 * where it has one; distinct attributes stay as well. */

struct dtx_edge;
struct dtx_taskparser;

/* 'list' is initialised, empty and borrowed until the parser is destroyed.
 * 'name' is copied. NULL when out of memory. */
struct dtx_taskparser *dtx_taskparser_create(const char *name,
                                             struct dtx_tasklist *list);
void dtx_taskparser_destroy(struct dtx_taskparser *p); /* or NULL */
/* The next line, without its newline; not kept. Adds no, one or several tasks.
 * After an error, which names the line, only _destroy may follow; what the
 * line had added to the list must not be used. */
int dtx_taskparser_line(struct dtx_taskparser *p, const char *s, size_t len,
                        struct dtx_error *err);
/* The end of the stream: what is missing then? */
int dtx_taskparser_end(struct dtx_taskparser *p, struct dtx_error *err);
/* What the tasks of the last line wait for (struct dtx_edge of task/after.h,
 * numbers from 0); borrowed until the next call. */
const struct dtx_edge *dtx_taskparser_edges(const struct dtx_taskparser *p,
                                            size_t *n);

#endif

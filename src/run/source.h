/* SPDX-License-Identifier: MIT */
/* run/source.h - from the command line to the list of tasks
 *
 * A task file, a template with its arguments, or a job array: whatever the
 * user gave becomes a list of tasks and the graph of what waits for what.
 */
#ifndef DTX_RUN_SOURCE_H
#define DTX_RUN_SOURCE_H

#include <stdbool.h>

struct dtx_buf;
struct dtx_error;
struct dtx_graph;
struct dtx_options;
struct dtx_taskfile_more;
struct dtx_tasklist;

/* Read all of it; 'more' as for dtx_taskfile_parse_more.
 * On success the caller finishes both; on failure neither
 * needs to be. DTX_ESTATE when a signal came while a pipe was being read.
 * o->form must not be DTX_FORM_NONE. */
int dtx_source_read(const struct dtx_options *o, struct dtx_tasklist *list,
                    struct dtx_graph *graph, struct dtx_taskfile_more *more,
                    struct dtx_error *err);

/* Append a whole file, also a pipe, to 'b'; 'what' it is, for messages. 0, or
 * an error; DTX_ESTATE when a signal came. */
int dtx_source_file(const char *what, const char *name, struct dtx_buf *b,
                    struct dtx_error *err);

/* What the tasks are called in the journal: the task file's name, or what
 * stands in its place. */
const char *dtx_source_name(const struct dtx_options *o);

/* Does it read standard input? */
bool dtx_source_is_stdin(const struct dtx_options *o);

/* --dry-run: the commands to standard output, one per line. An exit status;
 * 'err' is filled when it is not 0. */
int dtx_source_print(const struct dtx_options *o, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* task/layout.h - where --results puts the files of a task
 *
 * As GNU parallel lays them out.  A plain DIR becomes a tree: for a task with
 * arguments (task/args.h) DIR/1/<first>/2/<second>/, with the names of a header
 * (where it has one) in place of the numbers, and sorted by them: as numbers,
 * then as bytes; for any other task DIR/<id>/.  In an argument tab, backslash
 * and slash are written \t \\ \_, and it is cut to the length a file name can
 * have.  Where GNU parallel would leave the tree we do not: an argument, or a
 * part of a name, that is "." or ".." is written \. or \.. there.
 *
 * A DIR with replacement strings is expanded for each task (the command is the
 * argument of a task without) and is the file's name, as it comes out.
 *
 * What is answered is the beginning of all names of a task: a path that ends in
 * '/' is followed by "stdout", "stderr", "seq"; another is the file of stdout,
 * with ".err" and ".seq" behind it those of the others.
 */
#ifndef DTX_TASK_LAYOUT_H
#define DTX_TASK_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;
struct dtx_layout;
struct dtx_tasklist;

/* What the file system takes. */
struct dtx_layout_limits {
    size_t name; /* bytes of one file name */
    size_t path; /* bytes of a path */
};

/* 'dir' and 'list' are borrowed; the list may grow. NULL and 'err' when out of
 * memory, or for a replacement string that is refused. */
struct dtx_layout *dtx_layout_create(const char *dir,
                                     const struct dtx_tasklist *list,
                                     const struct dtx_layout_limits *limits,
                                     struct dtx_error *err);
void dtx_layout_destroy(struct dtx_layout *l); /* NULL is allowed */

/* Does DIR hold {%}? Then DTX_SLOT_BYTE stands in paths for the slot. */
bool dtx_layout_has_slot(const struct dtx_layout *l);
/* Append the path of a task; nothing when it has none (which
 * dtx_layout_check tells before). Memory may fail: out->failed. */
void dtx_layout_path(struct dtx_layout *l, uint32_t task, struct dtx_buf *out);

/* Two tasks that write the same files; the same number twice: there are
 * none. */
struct dtx_layout_twins {
    uint32_t first, second;
};
/* Can the files of all tasks in the list have their names? 0 and whether some
 * are the same (looked for in lists of up to 10,000,000 tasks), or an error
 * that tells the task. */
int dtx_layout_check(struct dtx_layout *l, struct dtx_layout_twins *twins,
                     struct dtx_error *err);

#endif

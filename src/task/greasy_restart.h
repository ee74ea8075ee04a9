/* SPDX-License-Identifier: MIT */
/* task/greasy_restart.h - the tasks that are left, as a GREASY file
 *
 * Dependencies among them are numbers of the new file's lines; those on tasks
 * that are done are dropped, since they hold.  What GREASY cannot say (a later
 * task, cores, limits, names) becomes a #DTX line, which is a comment to it.
 */
#ifndef DTX_TASK_GREASY_RESTART_H
#define DTX_TASK_GREASY_RESTART_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_graph;
struct dtx_tasklist;

/* How such a file begins. */
#define DTX_GREASY_RESTART_HEAD "# distributex: tasks that are left\n"

/* Append the file's text; 'is_done' tells which tasks it is to be without.
 * '*count' are those written. 0, or DTX_ENOMEM; the graph is one of a file
 * without barriers. */
int dtx_greasy_restart(const struct dtx_tasklist *list,
                       const struct dtx_graph *graph,
                       bool (*is_done)(void *ctx, uint32_t task), void *ctx,
                       struct dtx_buf *out, uint32_t *count);

#endif

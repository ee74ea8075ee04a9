/* SPDX-License-Identifier: MIT */
/* task/after.h - what after= says, collected first and resolved at the end
 *
 * An after= may name tasks that come later, so the parser only notes where
 * its text is; once all tasks are known, dtx_after_resolve makes the graph of
 * them.  A range or a name that stands for several tasks becomes one gate,
 * however often it is used.
 */
#ifndef DTX_TASK_AFTER_H
#define DTX_TASK_AFTER_H

#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_graph;
struct dtx_tasklist;

struct dtx_after_ref {
    const char *value; /* borrowed from the file's bytes */
    uint32_t len, task, line;
};

struct dtx_after {
    struct dtx_after_ref *ref; /* in the order of tasks */
    size_t nrefs, cap_refs;
};

/* Zero-initialise; 'value' must live until the references are resolved. */
void dtx_after_fini(struct dtx_after *a);
/* Task number 'task', later than all before it, has this after=. 0, DTX_ENOMEM
 * or DTX_ELIMIT (the value is longer than 4 GiB). */
int dtx_after_add(struct dtx_after *a, uint32_t task, uint32_t line,
                  const char *value, size_t len);
/* Initialise 'graph', add all edges and seal it. On failure '*line' is the
 * line at fault, or unchanged, 'err' says why, without the place, and 'graph'
 * still has to be finished. */
int dtx_after_resolve(const struct dtx_after *a,
                      const struct dtx_tasklist *list, struct dtx_graph *graph,
                      uint32_t *line, struct dtx_error *err);

#endif

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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct dtx_error;
struct dtx_graph;
struct dtx_tasklist;

struct dtx_after_ref {
    const char *value; /* borrowed from the file's bytes; NULL: numbers */
    uint32_t len, task, line;
    uint32_t lo, hi; /* tasks numbered from 0, when there is no value */
};

/* All tasks from number 'task' on wait until all before have ended; with
 * 'check' until they have succeeded. */
struct dtx_barrier {
    uint32_t task, line;
    bool check;
};

struct dtx_after {
    struct dtx_after_ref *ref; /* in the order of tasks */
    size_t nrefs, cap_refs;
    struct dtx_barrier *barrier; /* in the order of tasks */
    size_t nbarriers, cap_barriers;
};

/* Zero-initialise; 'value' must live until the references are resolved. */
void dtx_after_fini(struct dtx_after *a);
/* Task number 'task', later than all before it, has this after=. 0, DTX_ENOMEM
 * or DTX_ELIMIT (the value is longer than 4 GiB). */
int dtx_after_add(struct dtx_after *a, uint32_t task, uint32_t line,
                  const char *value, size_t len);
/* The same for tasks number 'lo' to 'hi'. 0 or DTX_ENOMEM. */
int dtx_after_add_range(struct dtx_after *a, uint32_t task, uint32_t line,
                        uint32_t lo, uint32_t hi);
/* How many of the last references are of this task? */
size_t dtx_after_count(const struct dtx_after *a, uint32_t task);
/* 'task' waits for what the last 'n' references say. 0 or DTX_ENOMEM. */
int dtx_after_again(struct dtx_after *a, size_t n, uint32_t task);
/* Tasks from number 'task' on wait for those before. 0 or DTX_ENOMEM. */
int dtx_after_barrier(struct dtx_after *a, uint32_t task, uint32_t line,
                      bool check);
/* Initialise 'graph', add all edges and seal it. On failure '*line' is the
 * line at fault, or unchanged, 'err' says why, without the place, and 'graph'
 * still has to be finished. */
int dtx_after_resolve(const struct dtx_after *a,
                      const struct dtx_tasklist *list, struct dtx_graph *graph,
                      uint32_t *line, struct dtx_error *err);

/* "3" or "3-5"; false when it is neither, and so a name. Numbers are kept
 * below 2^63. */
bool dtx_after_scan(const char *s, const char *end, uint64_t *lo,
                    uint64_t *hi);

/* ---- of a stream: at once, and of earlier tasks alone ---- */

struct dtx_edge {
    uint32_t before, after;
};

/* In the edges of a stream a node is a task, or a gate: this bit and the
 * gate's number, from 0 in the order in which they are made. A gate opens when
 * all that it waits for has succeeded. Its edges stand together, before any
 * that waits for it. */
#define DTX_GATE 0x80000000u

#define DTX_LIVE_FAN 4u
#define DTX_LIVE_LEVELS 14u /* FAN^LEVELS is above DTX_MAX_TASKS */

/* Gates of ranges of one size: plus one, 0 = not made. */
struct dtx_after_blocks {
    uint32_t *gate;
    size_t n, cap;
};

/* Zero-initialise. Keeps eight bytes for each task that has a name, and less
 * than two for each task once a range is waited for. */
struct dtx_after_live {
    struct dtx_keymap group_of; /* hash of a name -> its group */
    struct dtx_after_group *group;
    size_t ngroups, cap_groups;
    struct dtx_after_member *member;
    size_t nmembers, cap_members;
    uint32_t spare; /* first of the members that are free, plus one */
    struct dtx_after_blocks block[DTX_LIVE_LEVELS]; /* of FAN^1, FAN^2 ... */
    uint32_t range_lo, range_hi, range_gate; /* the last one; 0 = none */
    uint32_t ngates;
    struct dtx_edge *edge; /* since dtx_after_live_begin */
    size_t nedges, cap_edges;
};

void dtx_after_live_fini(struct dtx_after_live *l);
/* Drop the edges: the next are those of another line. */
void dtx_after_live_begin(struct dtx_after_live *l);
/* Task number 'task' bears this name. 0 or DTX_ENOMEM. */
int dtx_after_live_name(struct dtx_after_live *l, const char *name,
                        uint32_t task);
/* Add to 'edge' what task number 'task', whose own name is 'name' (or NULL),
 * waits for. 0, or 'err' says why, without the place. */
int dtx_after_live_now(struct dtx_after_live *l, uint32_t task,
                       const char *name, const char *value, size_t len,
                       struct dtx_error *err);
/* Add what task number 'task' waits for: tasks number 'lo' to 'hi', all
 * earlier ones. 0 or DTX_ENOMEM. */
int dtx_after_live_range(struct dtx_after_live *l, uint32_t task, uint32_t lo,
                         uint32_t hi);
/* Task number 'task' of the same line waits for what the one before it waits
 * for. 0 or DTX_ENOMEM. */
int dtx_after_live_again(struct dtx_after_live *l, uint32_t task);

#endif

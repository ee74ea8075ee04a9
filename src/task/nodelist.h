/* SPDX-License-Identifier: MIT */
/* task/nodelist.h - lists of nodes and counts as Slurm writes them
 *
 * "n[1-3,08],login" is five names; "2(x3),1" is four numbers.  Both come from
 * the environment, so nothing in them is believed: lengths and numbers are
 * bounded, and what is not of the form is an error.
 */
#ifndef DTX_TASK_NODELIST_H
#define DTX_TASK_NODELIST_H

#include <stddef.h>
#include <stdint.h>

#define DTX_NODES_MAX 1000000u
#define DTX_NODE_NAME_MAX 255u

/* Each name in turn; non-zero ends the walk and is handed on. */
typedef int (*dtx_node_f)(void *ctx, const char *name);

/* Walk over the names of a list such as "rack[1-2]n[01-16],x7". 0; DTX_EPARSE;
 * DTX_ELIMIT for too many or too long names; or what 'fn' returned. */
int dtx_nodelist_each(const char *list, dtx_node_f fn, void *ctx);

/* "2(x3),1": numbers, repeated. */
struct dtx_node_counts {
    uint32_t nodes;
    uint64_t sum;
    uint32_t least, most;
};
/* 0, DTX_EPARSE or DTX_ELIMIT; '*out' is only changed by success. */
int dtx_node_counts(const char *text, struct dtx_node_counts *out);

#endif

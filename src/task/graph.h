/* SPDX-License-Identifier: MIT */
/* task/graph.h - which task waits for which
 *
 * Nodes 0 .. ntasks-1 are the tasks.  Nodes from ntasks on are gates: a gate
 * stands for "all of these tasks" wherever one after= names a range or a name
 * shared by many, so that a thousand tasks after a thousand others cost two
 * thousand edges and not a million.  A gate opens when all its predecessors
 * succeeded; it fails when one of them failed.
 * A barrier is a gate that opens when all its predecessors have ended, failed
 * and skipped ones too; barriers are made after all gates.
 *
 * Build: dtx_graph_init, _gate and _edge as often as needed, then _seal, which
 * finds cycles and makes the successor lists.
 */
#ifndef DTX_TASK_GRAPH_H
#define DTX_TASK_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTX_MAX_EDGES 2000000000u

struct dtx_graph {
    uint32_t ntasks, nnodes;
    uint32_t nbarriers; /* the last of the nodes */
    /* after _seal: the successors of n are succ[start[n]] to
     * succ[start[n+1] - 1]; both NULL when there is no edge at all */
    uint32_t *start, *succ;
    uint32_t *indegree; /* NULL when there is no edge at all */
    /* before _seal */
    uint32_t *edge; /* pairs before, after */
    size_t nedges, cap_edges;
};

void dtx_graph_init(struct dtx_graph *g, uint32_t ntasks);
void dtx_graph_fini(struct dtx_graph *g);
/* A new gate's node number in '*node'. 0 or DTX_ELIMIT. */
int dtx_graph_gate(struct dtx_graph *g, uint32_t *node);
/* The same for a barrier. */
int dtx_graph_barrier(struct dtx_graph *g, uint32_t *node);
/* 'after' waits for 'before'. 0, DTX_ENOMEM or DTX_ELIMIT. */
int dtx_graph_edge(struct dtx_graph *g, uint32_t before, uint32_t after);
/* 0 or DTX_ENOMEM; DTX_EINVAL when there is a cycle: then '*cycle_next' is the
 * lowest task on one and '*cycle' a task on it for which that one waits
 * (possibly through a gate). */
int dtx_graph_seal(struct dtx_graph *g, uint32_t *cycle, uint32_t *cycle_next);

static inline bool dtx_graph_is_barrier(const struct dtx_graph *g, uint32_t n)
{
    return n >= g->nnodes - g->nbarriers;
}

#endif

/* SPDX-License-Identifier: MIT */
/* The dependency graph: edges are collected as pairs, then sorted by counting
 * into successor lists; see graph.h.  Kahn's algorithm (Comm. ACM 5, 1962)
 * tells whether there is a cycle; what it leaves over leads back to one.  It
 * knows no names and no lines, and never decides when a task may run. */
#include "task/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

#define NONE UINT32_MAX

void dtx_graph_init(struct dtx_graph *g, uint32_t ntasks)
{
    memset(g, 0, sizeof(*g));
    g->ntasks = ntasks;
    g->nnodes = ntasks;
}

void dtx_graph_fini(struct dtx_graph *g)
{
    free(g->start);
    free(g->succ);
    free(g->indegree);
    free(g->edge);
    memset(g, 0, sizeof(*g));
}

int dtx_graph_gate(struct dtx_graph *g, uint32_t *node)
{
    if (g->nnodes >= NONE - 1)
        return DTX_ELIMIT;
    *node = g->nnodes++;
    return DTX_OK;
}

int dtx_graph_barrier(struct dtx_graph *g, uint32_t *node)
{
    int rc = dtx_graph_gate(g, node);

    if (!rc)
        g->nbarriers++;
    return rc;
}

int dtx_graph_edge(struct dtx_graph *g, uint32_t before, uint32_t after)
{
    uint32_t *p;

    assert(before < g->nnodes && after < g->nnodes);
    if (g->nedges >= DTX_MAX_EDGES)
        return DTX_ELIMIT;
    p = dtx_grow(g->edge, &g->cap_edges, g->nedges + 1, 2 * sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    g->edge = p;
    p[2 * g->nedges] = before;
    p[2 * g->nedges + 1] = after;
    g->nedges++;
    return DTX_OK;
}

/* Sort the edges into lists: count, sum up, drop into place. */
static void fill_lists(struct dtx_graph *g)
{
    size_t i;

    for (i = 0; i < g->nedges; i++) {
        g->start[g->edge[2 * i] + 1]++;
        g->indegree[g->edge[2 * i + 1]]++;
    }
    for (i = 0; i < g->nnodes; i++)
        g->start[i + 1] += g->start[i];
    for (i = 0; i < g->nedges; i++) /* start[] is the place to write */
        g->succ[g->start[g->edge[2 * i]]++] = g->edge[2 * i + 1];
    memmove(g->start + 1, g->start, g->nnodes * sizeof(*g->start));
    g->start[0] = 0;
}

/* Take away what waits for nothing, until nothing is left to take; 'degree'
 * then is 0 for all that went. True when all went. */
static bool drain(const struct dtx_graph *g, uint32_t *degree, uint32_t *queue)
{
    uint32_t head = 0, tail = 0, i, n;

    memcpy(degree, g->indegree, g->nnodes * sizeof(*degree));
    for (n = 0; n < g->nnodes; n++) {
        if (degree[n] == 0)
            queue[tail++] = n;
    }
    while (head < tail) {
        n = queue[head++];
        for (i = g->start[n]; i < g->start[n + 1]; i++) {
            if (--degree[g->succ[i]] == 0)
                queue[tail++] = g->succ[i];
        }
    }
    return tail == g->nnodes;
}

/* All that 'drain' left has a predecessor that it left too: going back leads
 * onto a cycle. Names its lowest task and the task which that one waits for
 * ('pred' is scratch for one number a node). */
static void find_cycle(const struct dtx_graph *g, const uint32_t *degree,
                       uint32_t *pred, uint32_t *cycle, uint32_t *cycle_next)
{
    uint32_t n = NONE, lowest, first;
    size_t i;

    for (i = g->nedges; i-- > 0;) {
        uint32_t before = g->edge[2 * i], after = g->edge[2 * i + 1];

        if (degree[before] != 0 && degree[after] != 0) {
            pred[after] = before;
            n = after;
        }
    }
    assert(n != NONE);
    for (i = 0; i < g->nnodes; i++)
        n = pred[n];
    first = lowest = n;
    for (n = pred[first]; n != first; n = pred[n])
        lowest = n < lowest ? n : lowest;
    n = pred[lowest];
    while (n >= g->ntasks && n != lowest) /* through gates to a task */
        n = pred[n];
    *cycle = n;
    *cycle_next = lowest;
}

static void drop_lists(struct dtx_graph *g)
{
    free(g->start);
    free(g->succ);
    free(g->indegree);
    g->start = g->succ = g->indegree = NULL;
}

int dtx_graph_seal(struct dtx_graph *g, uint32_t *cycle, uint32_t *cycle_next)
{
    uint32_t *degree, *scratch;
    int rc = DTX_OK;

    if (g->nedges == 0)
        return DTX_OK;
    g->start = calloc((size_t)g->nnodes + 1, sizeof(*g->start));
    g->succ = malloc(g->nedges * sizeof(*g->succ));
    g->indegree = calloc(g->nnodes, sizeof(*g->indegree));
    degree = malloc(g->nnodes * sizeof(*degree));
    scratch = malloc(g->nnodes * sizeof(*scratch));
    if (!g->start || !g->succ || !g->indegree || !degree || !scratch) {
        rc = DTX_ENOMEM;
    } else {
        fill_lists(g);
        if (!drain(g, degree, scratch)) {
            find_cycle(g, degree, scratch, cycle, cycle_next);
            rc = DTX_EINVAL;
        }
    }
    free(degree);
    free(scratch);
    if (rc) {
        drop_lists(g);
        return rc;
    }
    free(g->edge);
    g->edge = NULL;
    g->cap_edges = 0;
    return DTX_OK;
}

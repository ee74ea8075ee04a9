/* SPDX-License-Identifier: MIT */
/* A live list in the simulator: tasks come when the configuration says so, in
 * the groups that are due at one time, with what they wait for.  It decides
 * nothing about them. */
#include <stdlib.h>
#include <string.h>

#include "task/after.h"
#include "sim/sim_state.h"

/* What each node waits for, by counting: those of node n are pred[at[n]] to
 * pred[at[n + 1] - 1]. */
static void find_preds(const struct dtx_graph *g, uint32_t *at, uint32_t *pred)
{
    uint32_t node, i;

    for (node = 0; node < g->nnodes; node++)
        at[node + 1] = at[node] + g->indegree[node];
    for (node = 0; node < g->nnodes; node++) {
        for (i = g->start[node]; i < g->start[node + 1]; i++)
            pred[at[g->succ[i]]++] = node;
    }
    memmove(at + 1, at, g->nnodes * sizeof(*at)); /* each went one on */
    at[0] = 0;
}

struct order {
    struct dtx_sim *s;
    const uint32_t *at, *pred;
    uint32_t *gate; /* of the nodes behind the tasks: how they are called */
    uint32_t ngates;
};

/* Append what 'node', called 'name', waits for; gates not seen before come
 * first. A gate that waits for nothing is left out. */
static void put_node(struct order *o, uint32_t node, uint32_t name)
{
    const struct dtx_graph *g = o->s->c.master.graph;
    uint32_t i, before;

    for (i = o->at[node]; i < o->at[node + 1]; i++) {
        before = o->pred[i];
        if (before < g->ntasks || o->gate[before - g->ntasks] != 0 ||
            g->indegree[before] == 0)
            continue;
        put_node(o, before, DTX_GATE | o->ngates);
        o->gate[before - g->ntasks] = DTX_GATE | o->ngates++;
    }
    for (i = o->at[node]; i < o->at[node + 1]; i++) {
        before = o->pred[i];
        if (before >= g->ntasks)
            before = o->gate[before - g->ntasks];
        if (before == 0 && o->pred[i] != 0)
            continue;
        o->s->edge[2 * o->s->nedges] = before;
        o->s->edge[2 * o->s->nedges++ + 1] = name;
    }
}

/* The edges of the whole graph as pairs, in the order of the tasks that
 * wait. */
static int sort_edges(struct dtx_sim *s)
{
    const struct dtx_graph *g = s->c.master.graph;
    struct order o = {.s = s};
    uint32_t *at, *pred, i;

    if (!g->start)
        return DTX_OK;
    o.at = at = calloc((size_t)g->nnodes + 2, sizeof(*at));
    o.pred = pred = malloc((g->nedges + 1) * sizeof(*pred));
    o.gate = calloc((size_t)(g->nnodes - g->ntasks) + 1, sizeof(*o.gate));
    s->edge = malloc((g->nedges + 1) * 2 * sizeof(*s->edge));
    if (at && pred && o.gate && s->edge) {
        find_preds(g, at, pred);
        for (i = 0; i < g->ntasks; i++)
            put_node(&o, i, i);
    }
    i = at && pred && o.gate && s->edge;
    free(at);
    free(pred);
    free(o.gate);
    return i ? DTX_OK : DTX_ENOMEM;
}

/* Where the edges of tasks that have not come begin, with their gates. */
static size_t edges_due(const struct dtx_sim *s)
{
    size_t due = s->edge_at, e;

    for (e = due; e < s->nedges; e++) {
        uint32_t after = s->edge[2 * e + 1];

        if (after & DTX_GATE)
            continue;
        if (after >= s->arrived)
            break;
        due = e + 1;
    }
    return due;
}

int dtx_sim_stream_init(struct dtx_sim *s)
{
    s->c.master.live = s->c.arrive_ns != NULL;
    s->closed = !s->c.master.live;
    s->arrived = s->closed ? s->ntasks : 0;
    if (s->closed)
        return DTX_OK;
    s->forgotten = calloc((size_t)s->ntasks + 1, sizeof(*s->forgotten));
    return s->forgotten ? sort_edges(s) : DTX_ENOMEM;
}

void dtx_sim_stream_fini(struct dtx_sim *s)
{
    free(s->edge);
    free(s->forgotten);
}

void dtx_sim_stream_arrive(struct dtx_sim *s, struct dtx_event *ev)
{
    const struct dtx_master_config *c = &s->c.master;
    uint32_t from = s->arrived;
    size_t first = s->edge_at;

    while (s->arrived < s->ntasks && s->c.arrive_ns[s->arrived] <= s->now_ns)
        s->arrived++;
    s->edge_at = edges_due(s);
    ev->kind = DTX_EV_TASKS;
    ev->u.tasks = (struct dtx_arrival){
        s->arrived, c->prior ? c->prior + from : NULL,
        c->attempts ? c->attempts + from : NULL,
        s->edge ? s->edge + 2 * first : NULL, s->edge_at - first,
        c->cost_s ? c->cost_s + from : NULL,
        c->need_s ? c->need_s + from : NULL};
    dtx_sim_say(s, "%u tasks come", s->arrived - from);
    if (s->arrived < s->ntasks)
        (void)dtx_sim_post(s, s->c.arrive_ns[s->arrived], DTX_SIM_ARRIVE,
                           DTX_SIM_MASTER, 0);
    else
        (void)dtx_sim_post(s, s->now_ns + s->c.close_ns, DTX_SIM_CLOSE,
                           DTX_SIM_MASTER, 0);
}

void dtx_sim_stream_close(struct dtx_sim *s, struct dtx_event *ev)
{
    s->closed = true;
    ev->kind = DTX_EV_CLOSED;
    dtx_sim_say(s, "no more tasks come");
}

void dtx_sim_stream_forget(struct dtx_sim *s, uint32_t task)
{
    if (!s->c.master.live || task >= s->arrived || s->forgotten[task])
        dtx_sim_break(s, "task %u is forgotten twice or too early", task + 1);
    else
        s->forgotten[task] = true;
}

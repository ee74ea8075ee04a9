/* SPDX-License-Identifier: MIT */
/* A live list in the simulator: tasks come when the configuration says so, in
 * the groups that are due at one time, with what they wait for.  It decides
 * nothing about them. */
#include <stdlib.h>

#include "sim/sim_state.h"

/* The edges of the whole graph as pairs, sorted by counting. */
static int sort_edges(struct dtx_sim *s)
{
    const struct dtx_graph *g = s->c.master.graph;
    uint32_t *at, node, i;

    if (!g->start)
        return DTX_OK;
    at = calloc((size_t)s->ntasks + 1, sizeof(*at));
    s->edge = malloc((g->nedges + 1) * 2 * sizeof(*s->edge));
    if (!at || !s->edge) {
        free(at);
        return DTX_ENOMEM;
    }
    for (node = 0; node + 1 < s->ntasks; node++)
        at[node + 1] = at[node] + g->indegree[node];
    for (node = 0; node < s->ntasks; node++) {
        for (i = g->start[node]; i < g->start[node + 1]; i++) {
            uint32_t after = g->succ[i], k = at[after]++;

            s->edge[2 * (size_t)k] = node;
            s->edge[2 * (size_t)k + 1] = after;
        }
    }
    free(at);
    return DTX_OK;
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
    while (s->edge && s->edge_at < c->graph->nedges &&
           s->edge[2 * s->edge_at + 1] < s->arrived)
        s->edge_at++;
    ev->kind = DTX_EV_TASKS;
    ev->u.tasks = (struct dtx_arrival){
        s->arrived, c->prior ? c->prior + from : NULL,
        c->attempts ? c->attempts + from : NULL,
        s->edge ? s->edge + 2 * first : NULL, s->edge_at - first};
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

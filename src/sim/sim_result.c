/* SPDX-License-Identifier: MIT */
/* What is known when a run is over: the sums, and that everybody has come to
 * an end.  It observes only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim_state.h"

/* What the task has to take: nothing if it was skipped, left, or had ended
 * before. */
static double needed(const struct dtx_sim *s, uint32_t task)
{
    enum dtx_task_state state;

    if (s->c.master.prior && s->c.master.prior[task] != DTX_PRIOR_NONE)
        return 0;
    if (task >= s->res.stats.tasks) /* has not come */
        return 0;
    state = dtx_master_task_state(s->master, task);
    return state == DTX_TASK_OK || state == DTX_TASK_FAILED
               ? (double)s->c.duration_ns[task]
               : 0;
}

/* The longest chain of tasks that wait for one another, in seconds times 1e9;
 * one task where nothing waits.  Nodes are visited when all before them have
 * been (Kahn, "Topological sorting of large networks", CACM 5(11), 1962). */
static double longest_chain(struct dtx_sim *s)
{
    const struct dtx_graph *g = s->c.master.graph;
    double longest = 0, *until = calloc(g->nnodes, sizeof(*until));
    uint32_t *left = malloc(g->nnodes * sizeof(*left)), n = 0, i, k;

    if (!until || !left) {
        s->nomem = true;
    } else {
        memcpy(left, g->indegree, g->nnodes * sizeof(*left));
        for (i = 0; i < g->nnodes; i++) {
            if (left[i] == 0)
                s->stack[n++] = i;
        }
    }
    while (n > 0) {
        uint32_t node = s->stack[--n];

        if (node < s->ntasks)
            until[node] += needed(s, node);
        if (until[node] > longest)
            longest = until[node];
        for (k = g->start[node]; k < g->start[node + 1]; k++) {
            i = g->succ[k];
            if (until[i] < until[node])
                until[i] = until[node];
            if (--left[i] == 0)
                s->stack[n++] = i;
        }
    }
    free(until);
    free(left);
    return longest;
}

static int64_t lower_bound(struct dtx_sim *s)
{
    double work = 0, longest = 0, slots = 0, fastest = 0, mem = 0, gpus = 0;
    double each;
    uint32_t i;

    for (i = 0; i < s->ntasks; i++) {
        double t = needed(s, i);

        work += t * dtx_tasklist_attr_of(s->c.master.list, i)->cpus;
        mem += t * (double)dtx_sim_mem_of(s, i);
        gpus += t * dtx_sim_gpus_of(s, i);
        longest = t > longest ? t : longest;
    }
    if (s->c.master.graph->start)
        longest = longest_chain(s);
    for (i = 0; i < s->nranks; i++) {
        double speed = s->c.speed ? s->c.speed[i] : 1.0;

        slots += s->c.slots[i] * speed;
        fastest = speed > fastest ? speed : fastest;
    }
    each = work / slots;
    if (s->c.mem_total > 0)
        each = fmax(each, mem / s->c.mem_total);
    if (s->c.gpus_total > 0)
        each = fmax(each, gpus / s->c.gpus_total);
    longest /= fastest;
    return (int64_t)(each > longest ? each : longest);
}

void dtx_sim_sum_up(struct dtx_sim *s)
{
    size_t i;

    dtx_master_stats(s->master, &s->res.stats);
    s->res.lower_bound_ns = lower_bound(s);
    for (i = 0; i < s->nruns; i++) {
        const struct dtx_sim_run *r = &s->run[i];
        int64_t busy;

        if (r->state == RUN_WAITS || r->state == RUN_RECALLED)
            continue;
        busy = r->wall_ns;
        if (r->state == RUN_RUNS)
            busy = s->now_ns - r->start_ns;
        busy *= r->cpus;
        s->res.busy_ns += busy;
        if (!r->believed)
            s->res.lost_ns += busy;
    }
}

/* Nothing is due any more: everybody must have come to an end. */
void dtx_sim_check_quiet(struct dtx_sim *s)
{
    uint32_t r;

    if (!s->res.finished)
        dtx_sim_break(s, "nothing is due and FINISH has not come");
    for (r = 0; r < s->nranks; r++) {
        const struct dtx_sim_rank *k = &s->rank[r];

        if (k->believed)
            dtx_sim_break(s, "rank %u has not said BYE", r);
        if (k->up && !k->finished && dtx_worker_tasks(k->worker) > 0)
            dtx_sim_break(s, "rank %u still has tasks", r);
    }
}

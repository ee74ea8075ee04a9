/* SPDX-License-Identifier: MIT */
/* What is known of tasks that ask for memory or devices: no node gives away
 * more than it has, and no device is with two tasks.  Part of the model; it
 * looks at who holds what, not at the engine's count. */
#include "sim/sim_state.h"

static const struct dtx_task_attr *attr(const struct dtx_sim *s, uint32_t task)
{
    return dtx_tasklist_attr_of(s->c.master.list, task);
}

int64_t dtx_sim_mem_of(const struct dtx_sim *s, uint32_t task)
{
    int64_t mem = attr(s, task)->mem_bytes;

    mem = mem ? mem : s->c.master.mem_bytes;
    return mem > 0 ? mem : 0;
}

uint32_t dtx_sim_gpus_of(const struct dtx_sim *s, uint32_t task)
{
    uint32_t gpus = attr(s, task)->gpus;

    gpus = gpus ? gpus : s->c.master.gpus;
    return gpus == DTX_NO_GPUS ? 0 : gpus;
}

bool dtx_sim_is_needy(const struct dtx_sim *s, uint32_t task)
{
    return s->c.needs.node &&
           (dtx_sim_mem_of(s, task) > 0 || dtx_sim_gpus_of(s, task) > 0);
}

bool dtx_sim_could_have(const struct dtx_sim *s, uint32_t rank, uint32_t task)
{
    const struct dtx_sim_needs *n = &s->c.needs;

    return !dtx_sim_is_needy(s, task) ||
           (dtx_sim_mem_of(s, task) <= n->mem_bytes[n->node[rank]] &&
            dtx_sim_gpus_of(s, task) <= n->gpus[n->node[rank]]);
}

void dtx_sim_check_needs(struct dtx_sim *s, uint32_t rank,
                         const struct dtx_item_work *w)
{
    const struct dtx_sim_needs *n = &s->c.needs;
    int64_t mem = dtx_sim_mem_of(s, w->task);
    uint32_t i;

    if (!dtx_sim_is_needy(s, w->task)) {
        s->task[w->task].gpus = 0;
        return;
    }
    for (i = 0; i < s->ntasks; i++) {
        const struct dtx_sim_task *t = &s->task[i];

        if (i == w->task || !dtx_sim_is_needy(s, i) || !dtx_sim_held(s, t) ||
            n->node[t->holder] != n->node[rank])
            continue;
        mem += dtx_sim_mem_of(s, i);
        if (t->gpus & w->gpus)
            dtx_sim_break(s, "tasks %u and %u have the same device", i + 1,
                          w->task + 1);
    }
    if (mem > n->mem_bytes[n->node[rank]])
        dtx_sim_break(s, "task %u is granted and its node has no memory left",
                      w->task + 1);
    if ((uint32_t)__builtin_popcountll(w->gpus) != dtx_sim_gpus_of(s, w->task))
        dtx_sim_break(s, "task %u has not the devices it asks for",
                      w->task + 1);
    s->task[w->task].gpus = w->gpus;
}

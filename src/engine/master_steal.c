/* SPDX-License-Identifier: MIT */
/* Steals: who gives back what it has not started, and for whom.  Every choice
 * is the top of a heap; nothing here looks at all ranks. */
#include "engine/master_state.h"

uint64_t dtx_master_spare(const struct dtx_rank *k)
{
    uint64_t queued = k->used > k->slots ? k->used - k->slots : 0;

    return k->waiting < queued ? k->waiting : queued;
}

void dtx_master_yield(struct dtx_master *m, uint32_t victim, uint32_t count,
                      uint32_t thief)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELD};

    msg.u.yield.count = count;
    m->rank[victim].yield_pending = true;
    m->rank[victim].thief = thief;
    m->st.yields++;
    if (count == UINT32_MAX)
        dtx_master_trace(m, "rank %u to yield all", victim);
    else
        dtx_master_trace(m, "rank %u to yield %u", victim, count);
    dtx_master_send(m, victim, msg);
    dtx_master_rank_changed(m, victim);
}

void dtx_master_steal(struct dtx_master *m)
{
    while (m->policy->steals && m->hungry.len > 0 && m->rich.len > 0 &&
           dtx_master_spend(m)) {
        uint32_t thief = dtx_heap_top(&m->hungry);
        uint32_t victim = dtx_heap_top(&m->rich);
        uint32_t n = dtx_master_loot(m, victim, thief,
                                     dtx_master_spare(&m->rank[victim]));

        m->rank[thief].asking = true;
        dtx_master_rank_changed(m, thief);
        dtx_master_yield(m, victim, n, thief);
    }
}

void dtx_master_call_back(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->alive && !m->stopping && !k->yield_pending &&
        dtx_master_spare(k) > 0)
        dtx_master_yield(m, r, UINT32_MAX, NO_RANK);
}

void dtx_master_reclaim(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->reserved != DTX_NO_TASK && !m->stopping && dtx_master_spare(k) > 0)
        dtx_master_yield(m, r, UINT32_MAX, NO_RANK);
}

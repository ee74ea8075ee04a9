/* SPDX-License-Identifier: MIT */
/* Tasks that ask for memory or devices: they wait in heaps of their own, in
 * order, until some node has what they need, which is then counted as taken
 * (sched/stock) while their rank makes room, if it must, and until they end.
 * Those that wait for devices and those that wait for memory alone do not wait
 * for each other. */
#include "engine/master_state.h"

static struct dtx_need need_of(const struct dtx_master *m, uint32_t task)
{
    const struct dtx_task_attr *a = dtx_master_attr(m, task);
    struct dtx_need need = {a->mem_bytes ? a->mem_bytes : m->c.mem_bytes,
                            a->gpus ? a->gpus : m->c.gpus};

    if (need.mem_bytes < 0)
        need.mem_bytes = 0;
    if (need.gpus == DTX_NO_GPUS)
        need.gpus = 0;
    return need;
}

struct dtx_keyheap *dtx_master_needy_heap(struct dtx_master *m, uint32_t task)
{
    struct dtx_need need;

    if (!m->c.stock)
        return NULL;
    need = need_of(m, task);
    if (need.gpus > 0)
        return &m->needy[0];
    return need.mem_bytes > 0 ? &m->needy[1] : NULL;
}

bool dtx_master_is_needy(struct dtx_master *m, uint32_t task)
{
    return dtx_master_needy_heap(m, task) != NULL;
}

void dtx_master_give_back(struct dtx_master *m, uint32_t r, uint32_t task)
{
    if (m->c.stock)
        dtx_stock_give(m->c.stock, r, task);
}

/* Who looks for a rank, and with how many slots. */
struct search {
    struct dtx_master *m;
    uint32_t cpus;
};

/* Ranks with free slots before those that must make room first. */
static int64_t score(void *ctx, uint32_t r)
{
    const struct search *s = ctx;
    const struct dtx_rank *k = &s->m->rank[r];

    s->m->items++;
    if (!k->alive || k->reserved != DTX_NO_TASK || k->slots < s->cpus)
        return -1;
    return k->used < k->slots ? (int64_t)(k->slots - k->used) : 0;
}

bool dtx_master_place_needy(struct dtx_master *m, struct dtx_keyheap *h)
{
    uint32_t task = dtx_keyheap_top(h), r;
    struct search s = {m, dtx_master_attr(m, task)->cpus};
    struct dtx_need need = need_of(m, task);

    if (m->nalive == 0)
        return false;
    r = dtx_stock_find(m->c.stock, &need, score, &s);
    /* Has nobody anything, and it still does not fit? Looking was bounded; only
     * what comes of it counts, or a step of few items would never come to other
     * tasks. */
    if ((r == DTX_STOCK_NONE && !dtx_master_too_late(m, task) &&
         (!dtx_stock_idle(m->c.stock) || m->reserved.len > 0)) ||
        !dtx_master_spend(m))
        return false;
    (void)dtx_keyheap_pop(h);
    if (dtx_master_too_late(m, task)) {
        dtx_master_put_off(m, task);
        return true;
    }
    if (r == DTX_STOCK_NONE) {
        dtx_master_park(m, task);
        return true;
    }
    if (!dtx_stock_take(m->c.stock, r, task, &need)) {
        m->nomem = true;
        return false;
    }
    dtx_master_trace(m, "rank %u: memory or devices for task %u", r, task + 1);
    dtx_master_grant_or_reserve(m, r, task);
    return true;
}

/* SPDX-License-Identifier: MIT */
/* Tasks that ask for memory or devices: they wait in heaps of their own, in
 * order, until some node has what they need, which is then counted as taken
 * (sched/stock) while their rank makes room, if it must, and until they end.
 * Those that wait for devices and those that wait for memory alone do not wait
 * for each other.  While the first of a heap waits, some node is kept for it,
 * and smaller ones behind it start where they do not delay it. */
#include "engine/master_state.h"

/* Tasks of a heap that are looked at behind its first, and those of them for
 * which room is looked for. */
#define LOOK_AT 256
#define TRY 8

static struct dtx_need need_by(const struct dtx_master *m,
                               const struct dtx_task_attr *a)
{
    struct dtx_need need = {a->mem_bytes ? a->mem_bytes : m->c.mem_bytes,
                            a->gpus ? a->gpus : m->c.gpus};

    if (need.mem_bytes < 0)
        need.mem_bytes = 0;
    if (need.gpus == DTX_NO_GPUS)
        need.gpus = 0;
    return need;
}

static struct dtx_need need_of(const struct dtx_master *m, uint32_t task)
{
    return need_by(m, dtx_master_attr(m, task));
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
    uint32_t spared; /* a rank that is kept for another, or NO_RANK */
};

/* Ranks with free slots before those that must make room first. One that is
 * spared makes room for no wide task: all its slots would wait for that. */
static int64_t score(void *ctx, uint32_t r)
{
    const struct search *s = ctx;
    const struct dtx_rank *k = &s->m->rank[r];

    s->m->items++;
    if (!k->alive || k->reserved != DTX_NO_TASK || k->slots < s->cpus ||
        (r == s->spared && s->cpus > 1 && k->used + s->cpus > k->slots))
        return -1;
    return k->used < k->slots ? (int64_t)(k->slots - k->used) : 0;
}

/* Ranks that have the slots at all, reserved or not. */
static int64_t has_slots(void *ctx, uint32_t r)
{
    const struct search *s = ctx;
    const struct dtx_rank *k = &s->m->rank[r];

    s->m->items++;
    return k->alive && k->slots >= s->cpus ? 0 : -1;
}

static uint32_t find(struct dtx_master *m, uint32_t task, uint32_t spared)
{
    struct search s = {m, dtx_master_attr(m, task)->cpus, spared};
    struct dtx_need need = need_of(m, task);

    return dtx_stock_find(m->c.stock, task, &need, score, &s);
}

/* The first of a heap must wait: some node is kept for it. */
static enum dtx_stock_answer promise(struct dtx_master *m,
                                     const struct dtx_keyheap *h)
{
    uint32_t task = dtx_keyheap_top(h);
    struct search s = {m, dtx_master_attr(m, task)->cpus, NO_RANK};
    struct dtx_need need = need_of(m, task);

    return dtx_stock_promise(m->c.stock, h == &m->needy[1], task, &need,
                             has_slots, &s);
}

/* Where 'b' does not fit this does not, either. */
static bool exceeds(const struct dtx_take *a, const struct dtx_take *b)
{
    return a->need.mem_bytes >= b->need.mem_bytes &&
           a->need.gpus >= b->need.gpus && a->cpus >= b->cpus;
}

static struct dtx_take take_of(const struct dtx_master *m, uint32_t task)
{
    return (struct dtx_take){need_of(m, task), dtx_master_attr(m, task)->cpus};
}

/* Does any task ask for less of anything? Often all ask for the same. */
static bool any_smaller(struct dtx_master *m, const struct dtx_take *top)
{
    const struct dtx_tasklist *l = m->c.list;
    struct dtx_take *least = &m->least;

    if (m->nweighed == 0)
        *least = (struct dtx_take){{INT64_MAX, UINT32_MAX}, UINT32_MAX};
    for (; m->nweighed < l->nattrs; m->nweighed++) {
        const struct dtx_task_attr *a = &l->attr[m->nweighed];
        struct dtx_need need = need_by(m, a);

        if (need.mem_bytes == 0 && need.gpus == 0)
            continue;
        if (need.mem_bytes < least->need.mem_bytes)
            least->need.mem_bytes = need.mem_bytes;
        if (need.gpus < least->need.gpus)
            least->need.gpus = need.gpus;
        if (a->cpus < least->cpus)
            least->cpus = a->cpus;
    }
    return !exceeds(least, top);
}

/* Of the next ones of a heap whose first must wait, the first that fits now
 * beside what is kept for that, and comes before 'next'; DTX_NO_TASK: none.
 * Some are looked at, and few of them twice. */
static uint32_t smaller(struct dtx_master *m, const struct dtx_keyheap *h,
                        uint32_t next, uint32_t *rank)
{
    struct dtx_take top = take_of(m, dtx_keyheap_top(h)), least = top;
    uint32_t kept = dtx_stock_promised(m->c.stock, dtx_keyheap_top(h));
    uint32_t best = DTX_NO_TASK, tried = 0, r;
    size_t i;

    if (!any_smaller(m, &top))
        return DTX_NO_TASK;
    for (i = 1; i < h->len && i < LOOK_AT && tried < TRY; i++) {
        uint32_t task = dtx_keyheap_at(h, i);
        struct dtx_take t = take_of(m, task);

        if (exceeds(&t, &top) || exceeds(&t, &least) ||
            (next != DTX_HEAP_NONE && !dtx_master_before(m, task, next)) ||
            (best != DTX_NO_TASK && !dtx_master_before(m, task, best)) ||
            dtx_master_too_late(m, task))
            continue;
        m->items++;
        tried++;
        r = find(m, task, kept);
        if (r == DTX_STOCK_NONE) {
            least = t;
            continue;
        }
        best = task;
        *rank = r;
    }
    return best;
}

/* It fits there: out of its heap, and to that rank. */
static bool place(struct dtx_master *m, struct dtx_keyheap *h, uint32_t task,
                  uint32_t r)
{
    struct dtx_need need = need_of(m, task);

    dtx_keyheap_remove(h, task);
    if (!dtx_stock_take(m->c.stock, r, task, &need)) {
        m->nomem = true;
        return false;
    }
    dtx_master_trace(m, "rank %u: memory or devices for task %u", r, task + 1);
    dtx_master_grant_or_reserve(m, r, task);
    return true;
}

bool dtx_master_place_needy(struct dtx_master *m, struct dtx_keyheap *h,
                            uint32_t next)
{
    uint32_t task = dtx_keyheap_top(h), r;
    bool late = dtx_master_too_late(m, task);

    if (m->nalive == 0)
        return false;
    r = late ? DTX_STOCK_NONE : find(m, task, NO_RANK);
    if (!late && r == DTX_STOCK_NONE &&
        (!dtx_stock_idle(m->c.stock) || m->reserved.len > 0)) {
        enum dtx_stock_answer a = promise(m, h);

        if (a == DTX_STOCK_SEEKING ||
            (a == DTX_STOCK_KEPT &&
             (task = smaller(m, h, next, &r)) == DTX_NO_TASK))
            return false;
    }
    /* looking was bounded; only what comes of it counts, or a step of few items
     * would never come to other tasks */
    if (!dtx_master_spend(m))
        return false;
    if (r != DTX_STOCK_NONE)
        return place(m, h, task, r);
    (void)dtx_keyheap_pop(h);
    dtx_stock_unpromise(m->c.stock, task);
    if (late)
        dtx_master_put_off(m, task);
    else /* nobody could have it, though others have nothing */
        dtx_master_park(m, task);
    return true;
}

/* SPDX-License-Identifier: MIT */
/* In which order tasks and ranks come: heaps of both, and where a rank belongs
 * in them.  Says who is first; decides nothing about who gets what. */
#include <stdlib.h>

#include "base/error.h"
#include "engine/master_state.h"

/* ---- orders ---- */

bool dtx_master_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    int32_t pa = dtx_master_attr(m, a)->prio, pb = dtx_master_attr(m, b)->prio;

    if (pa != pb)
        return pa > pb;
    if (m->c.longest_first && m->cost_s) {
        /* unknown costs may be long: they come first */
        float ca = m->cost_s[a], cb = m->cost_s[b];
        bool ka = ca >= 0, kb = cb >= 0;

        if (ka != kb)
            return !ka;
        if (ka && (ca < cb || ca > cb))
            return ca > cb;
    }
    return a < b;
}

static bool low_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *ra = &m->rank[a], *rb = &m->rank[b];
    uint64_t la = m->policy->by_given ? ra->given : ra->used;
    uint64_t lb = m->policy->by_given ? rb->given : rb->used;
    uint64_t x = la * rb->slots, y = lb * ra->slots;
    double sa = 0, sb = 0;

    if (m->cost_s && m->policy->by_given) {
        sa = ra->given_s / ra->slots;
        sb = rb->given_s / rb->slots;
    } else if (m->cost_s && ra->used >= ra->slots && rb->used >= rb->slots) {
        sa = dtx_master_done_s(ra);
        sb = dtx_master_done_s(rb);
    }
    if (sa < sb || sa > sb)
        return sa < sb;
    return x != y ? x < y : a < b;
}

static bool rich_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *ra = &m->rank[a], *rb = &m->rank[b];
    double x = dtx_master_done_s(ra), y = dtx_master_done_s(rb);

    if (x < y || x > y)
        return x > y;
    return a < b;
}

static bool hungry_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *ra = &m->rank[a], *rb = &m->rank[b];
    uint64_t x = ra->used * rb->slots, y = rb->used * ra->slots;

    return x != y ? x < y : a < b;
}

static bool patient_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;
    int64_t x = m->rank[a].patient_ns, y = m->rank[b].patient_ns;

    return x != y ? x < y : a < b;
}

static bool reserved_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;

    return dtx_master_before(m, m->rank[a].reserved, m->rank[b].reserved);
}

static bool free_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_master *m = ctx;

    if (m->rank[a].used != m->rank[b].used)
        return m->rank[a].used < m->rank[b].used;
    return a < b;
}

int dtx_master_grant_init(struct dtx_master *m)
{
    m->parked = m->parked_last = m->unparking = DTX_NO_TASK;
    dtx_heap_init(&m->ready, dtx_master_before, m);
    dtx_heap_init(&m->wide, dtx_master_before, m);
    dtx_heap_init(&m->needy[0], dtx_master_before, m);
    dtx_heap_init(&m->needy[1], dtx_master_before, m);
    dtx_heap_init(&m->heavy, dtx_master_before, m);
    dtx_heap_init(&m->low, low_before, m);
    dtx_heap_init(&m->hungry, hungry_before, m);
    dtx_heap_init(&m->patient, patient_before, m);
    dtx_heap_init(&m->reserved, reserved_before, m);
    return dtx_tourney_init(&m->rich, m->c.nranks, rich_before, m)
               ? DTX_OK
               : DTX_ENOMEM;
}

void dtx_master_grant_fini(struct dtx_master *m)
{
    size_t i;

    dtx_heap_fini(&m->ready);
    dtx_heap_fini(&m->wide);
    dtx_heap_fini(&m->needy[0]);
    dtx_heap_fini(&m->needy[1]);
    dtx_heap_fini(&m->heavy);
    dtx_heap_fini(&m->low);
    dtx_tourney_fini(&m->rich);
    dtx_heap_fini(&m->hungry);
    dtx_heap_fini(&m->patient);
    dtx_heap_fini(&m->reserved);
    for (i = 0; i < m->ngroups; i++)
        dtx_heap_fini(&m->group[i].free);
    free(m->group);
    free(m->touched);
}

/* ---- ranks in their heaps ---- */

bool dtx_master_all_came(const struct dtx_master *m)
{
    return m->ncame + m->nabsent >= m->c.nranks;
}

static void put(struct dtx_master *m, struct dtx_heap *h, uint32_t r, bool in)
{
    if (!in)
        dtx_heap_remove(h, r);
    else if (dtx_heap_has(h, r))
        dtx_heap_fix(h, r);
    else if (!dtx_heap_push(h, r))
        m->nomem = true;
}

void dtx_master_rank_changed(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];
    bool open = k->alive && k->reserved == DTX_NO_TASK;
    bool hungry = open && !k->asking && k->used < k->slots;

    m->items++;
    put(m, &m->low, r, open && !k->sated);
    dtx_tourney_set(&m->rich, m->c.zones ? m->c.zones->place[r] : r,
                    k->alive && dtx_master_spare(k) > 0 && !k->yield_pending
                        ? r
                        : DTX_HEAP_NONE);
    if (!hungry)
        k->patient_ns = 0;
    else if (!dtx_heap_has(&m->hungry, r) && !dtx_heap_has(&m->patient, r))
        k->hungry_ns = m->now_ns;
    put(m, &m->hungry, r, hungry && k->patient_ns == 0);
    put(m, &m->patient, r, hungry && k->patient_ns != 0);
    put(m, &m->reserved, r, k->reserved != DTX_NO_TASK);
    if (k->slots > 0)
        put(m, &m->group[k->group].free, r, open);
}

static int group_of(struct dtx_master *m, uint32_t slots, uint32_t *index)
{
    struct dtx_rank_group *p;
    size_t i;

    for (i = 0; i < m->ngroups; i++) {
        if (m->group[i].slots == slots) {
            *index = (uint32_t)i;
            return DTX_OK;
        }
    }
    p = dtx_grow(m->group, &m->cap_groups, m->ngroups + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    m->group = p;
    *index = (uint32_t)m->ngroups++;
    p[*index].slots = slots;
    p[*index].alive = 0;
    dtx_heap_init(&p[*index].free, free_before, m);
    return DTX_OK;
}

uint32_t dtx_master_largest(const struct dtx_master *m)
{
    uint32_t most = 0;
    size_t i;

    for (i = 0; i < m->ngroups; i++) {
        if (m->group[i].alive > 0 && m->group[i].slots > most)
            most = m->group[i].slots;
    }
    return most;
}

int dtx_master_rank_joined(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];

    if (m->c.stock && !dtx_stock_join(m->c.stock, r))
        m->nomem = true;
    if (k->slots > dtx_master_largest(m) || m->c.stock)
        dtx_master_begin_unparking(m);
    if (group_of(m, k->slots, &k->group)) {
        k->alive = false;
        k->slots = 0;
        return DTX_ENOMEM;
    }
    m->group[k->group].alive++;
    dtx_master_rank_changed(m, r);
    return DTX_OK;
}

void dtx_master_rank_left(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];
    uint32_t task = k->reserved;

    m->group[k->group].alive--;
    k->reserved = DTX_NO_TASK;
    dtx_master_rank_changed(m, r);
    if (m->c.stock)
        dtx_stock_leave(m->c.stock, r);
    if (task != DTX_NO_TASK) {
        dtx_master_give_back(m, r, task);
        dtx_master_make_ready(m, task);
    }
}

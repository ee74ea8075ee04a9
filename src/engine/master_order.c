/* SPDX-License-Identifier: MIT */
/* In which order tasks and ranks come: heaps of both, and where a rank belongs
 * in them.  Says who is first; decides nothing about who gets what. */
#include <stdlib.h>

#include "base/error.h"
#include "engine/master_state.h"

/* ---- orders ---- */

/* By priority; then the longest first, where that is asked for; then as they
 * come. Unknown costs may be long: they come before known ones. */
static struct dtx_key_pair task_key(const void *ctx, uint32_t task)
{
    const struct dtx_master *m = ctx;
    struct dtx_key_pair k = {
        ~dtx_key_of_double(dtx_master_attr(m, task)->prio), 0};

    if (m->c.longest_first && m->cost_s && m->cost_s[task] >= 0)
        k.lo = ~dtx_key_of_float(m->cost_s[task]);
    return k;
}

bool dtx_master_before(const struct dtx_master *m, uint32_t a, uint32_t b)
{
    struct dtx_key_pair x = task_key(m, a), y = task_key(m, b);

    if (x.hi != y.hi)
        return x.hi < y.hi;
    return x.lo != y.lo ? x.lo < y.lo : a < b;
}

/* How full the rank is, or how much it has been given, of its slots. */
static double share_of(uint64_t n, const struct dtx_rank *k)
{
    return k->slots ? (double)n / k->slots : 0;
}

/* As the policy has it: who was given least, in seconds where these are known;
 * or who has least, and of those without a free slot who is done first. */
static struct dtx_key_pair low_key(const void *ctx, uint32_t r)
{
    const struct dtx_master *m = ctx;
    const struct dtx_rank *k = &m->rank[r];
    double share = share_of(m->policy->by_given ? k->given : k->used, k);
    struct dtx_key_pair key = {0, dtx_key_of_float((float)share)};

    if (!m->cost_s) {
        key.hi = dtx_key_of_double(share);
    } else if (m->policy->by_given) {
        key.hi = dtx_key_of_double(k->slots ? k->given_s / k->slots : 0);
    } else if (k->used < k->slots) {
        key.hi = dtx_key_of_double(share - 1); /* below 0 */
    } else {
        double done = dtx_master_done_s(k);

        key.hi = dtx_key_of_double(done > 0 ? done : 0);
    }
    return key;
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

static struct dtx_key_pair hungry_key(const void *ctx, uint32_t r)
{
    const struct dtx_rank *k = &((const struct dtx_master *)ctx)->rank[r];

    return (struct dtx_key_pair){dtx_key_of_double(share_of(k->used, k)), 0};
}

static struct dtx_key_pair patient_key(const void *ctx, uint32_t r)
{
    const struct dtx_master *m = ctx;

    return (struct dtx_key_pair){(uint64_t)m->rank[r].patient_ns, 0};
}

/* By the task it is reserved for. */
static struct dtx_key_pair reserved_key(const void *ctx, uint32_t r)
{
    const struct dtx_master *m = ctx;

    uint32_t task = m->rank[r].reserved;
    struct dtx_key_pair k = task_key(m, task);

    if (k.lo == 0) /* no known cost: below all that are */
        k.lo = task < (1u << 22) ? task : 1u << 22;
    return k;
}

static struct dtx_key_pair free_key(const void *ctx, uint32_t r)
{
    const struct dtx_master *m = ctx;

    return (struct dtx_key_pair){m->rank[r].used, 0};
}

/* May there be tasks of several cpus? */
static bool any_wide(const struct dtx_master *m)
{
    const struct dtx_tasklist *l = m->c.list;
    size_t i;

    for (i = 0; i < l->nattrs; i++) {
        if (l->attr[i].cpus > 1)
            return true;
    }
    return m->c.live;
}

int dtx_master_grant_init(struct dtx_master *m)
{
    m->any_wide = any_wide(m);
    m->parked = m->parked_last = m->unparking = DTX_NO_TASK;
    dtx_keyheap_init(&m->ready, task_key, m);
    dtx_keyheap_init(&m->wide, task_key, m);
    dtx_keyheap_init(&m->needy[0], task_key, m);
    dtx_keyheap_init(&m->needy[1], task_key, m);
    dtx_keyheap_init(&m->heavy, task_key, m);
    dtx_keyheap_init(&m->low, low_key, m);
    dtx_keyheap_init(&m->hungry, hungry_key, m);
    dtx_keyheap_init(&m->patient, patient_key, m);
    dtx_keyheap_init(&m->reserved, reserved_key, m);
    return dtx_tourney_init(&m->rich, m->c.nranks, rich_before, m)
               ? DTX_OK
               : DTX_ENOMEM;
}

void dtx_master_grant_fini(struct dtx_master *m)
{
    size_t i;

    dtx_keyheap_fini(&m->ready);
    dtx_keyheap_fini(&m->wide);
    dtx_keyheap_fini(&m->needy[0]);
    dtx_keyheap_fini(&m->needy[1]);
    dtx_keyheap_fini(&m->heavy);
    dtx_keyheap_fini(&m->low);
    dtx_tourney_fini(&m->rich);
    dtx_keyheap_fini(&m->hungry);
    dtx_keyheap_fini(&m->patient);
    dtx_keyheap_fini(&m->reserved);
    for (i = 0; i < m->ngroups; i++)
        dtx_keyheap_fini(&m->group[i].free);
    free(m->group);
    dtx_master_speed_fini(m);
    free(m->touched);
}

/* ---- ranks in their heaps ---- */

bool dtx_master_all_came(const struct dtx_master *m)
{
    return m->ncame + m->nabsent >= m->c.nranks;
}

static void put(struct dtx_master *m, struct dtx_keyheap *h, uint32_t r,
                bool in)
{
    if (!in)
        dtx_keyheap_remove(h, r);
    else if (dtx_keyheap_has(h, r))
        dtx_keyheap_fix(h, r);
    else if (!dtx_keyheap_push(h, r))
        m->nomem = true;
}

void dtx_master_rank_changed(struct dtx_master *m, uint32_t r)
{
    struct dtx_rank *k = &m->rank[r];
    bool open = k->alive && k->reserved == DTX_NO_TASK;
    bool hungry = open && !k->asking && k->used < k->slots &&
                  !(k->passed && m->c.delay_ns > 0); /* where none steals */

    m->items++;
    put(m, &m->low, r, open && !k->sated && !k->aside && !k->passed);
    dtx_tourney_set(&m->rich, m->c.zones ? m->c.zones->place[r] : r,
                    k->alive && dtx_master_spare(k) > 0 && !k->yield_pending
                        ? r
                        : DTX_HEAP_NONE);
    if (!hungry)
        k->patient_ns = 0;
    else if (!dtx_keyheap_has(&m->hungry, r) &&
             !dtx_keyheap_has(&m->patient, r))
        k->hungry_ns = m->now_ns;
    put(m, &m->hungry, r, hungry && k->patient_ns == 0);
    put(m, &m->patient, r, hungry && k->patient_ns != 0);
    put(m, &m->reserved, r, k->reserved != DTX_NO_TASK);
    if (k->slots > 0 && m->any_wide)
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
    dtx_keyheap_init(&p[*index].free, free_key, m);
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

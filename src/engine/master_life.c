/* SPDX-License-Identifier: MIT */
/* How a master begins and ends: room for its tasks and ranks, and that again as
 * a live list grows.  Nothing is decided here; master.c hears the events. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "engine/master_state.h"

#define DEFAULT_DEPTH_NS (20 * DTX_MSEC_NS)

/* The array '*p' of 'have' items of 'size' bytes gets room for 'cap'. */
static bool widen(void *p, size_t cap, size_t size)
{
    void *old, *q;

    memcpy(&old, p, sizeof(old));
    q = realloc(old, cap * size);
    if (!q)
        return false;
    memcpy(p, &q, sizeof(q));
    return true;
}

static int make_room(struct dtx_master *m, size_t n)
{
    size_t cap = m->cap_tasks + m->cap_tasks / 2;

    if (cap < n)
        cap = n;
    if (!widen(&m->state, cap, sizeof(*m->state)) ||
        !widen(&m->owner, cap, sizeof(*m->owner)) ||
        !widen(&m->next, cap, sizeof(*m->next)) ||
        !widen(&m->prev, cap, sizeof(*m->prev)) ||
        !widen(&m->est_s, cap, sizeof(*m->est_s)) ||
        !widen(&m->attempt, cap, sizeof(*m->attempt)) ||
        !widen(&m->fails, cap, sizeof(*m->fails)) ||
        !dtx_master_widen_costs(m, cap) || !dtx_master_widen_shares(m, cap))
        return DTX_ENOMEM;
    if (m->losses && !widen(&m->losses, cap, sizeof(*m->losses)))
        return DTX_ENOMEM;
    if (m->first && (!widen(&m->first, cap, sizeof(*m->first)) ||
                     !widen(&m->blockers, cap, sizeof(*m->blockers))))
        return DTX_ENOMEM;
    m->cap_tasks = cap;
    return DTX_OK;
}

int dtx_master_grow(struct dtx_master *m, size_t n, const uint16_t *attempts)
{
    size_t i;

    if (n > m->cap_tasks && make_room(m, n))
        return DTX_ENOMEM;
    for (i = m->ntasks; i < n; i++) {
        m->state[i] = DTX_TASK_BLOCKED;
        m->owner[i] = NO_RANK;
        m->attempt[i] = (attempts ? attempts[i - m->ntasks] : 0) + 1u;
        m->fails[i] = 0;
        if (m->losses)
            m->losses[i] = 0;
        m->est_s[i] = -1.0f;
        if (m->first) {
            m->first[i] = DTX_NO_TASK;
            m->blockers[i] = 0;
        }
    }
    dtx_master_set_costs(m, m->ntasks, n, NULL, NULL);
    dtx_master_set_shares(m, m->ntasks, n);
    m->ntasks = (uint32_t)n;
    return DTX_OK;
}

static int init_tasks(struct dtx_master *m)
{
    size_t nodes;

    m->open = m->c.live;
    m->late = m->returning = DTX_NO_TASK;
    m->deadline_ns = NEVER;
    m->spare = DTX_NO_TASK;
    if (m->c.live) {
        m->c.cost_s = m->c.need_s = NULL;
        return DTX_OK;
    }
    nodes = m->c.graph->nnodes;
    if (make_room(m, nodes + 1) ||
        dtx_master_grow(m, m->c.list->ntasks, m->c.attempts))
        return DTX_ENOMEM;
    memset(m->state, DTX_TASK_BLOCKED, nodes);
    dtx_master_set_costs(m, 0, m->ntasks, m->c.cost_s, m->c.need_s);
    m->c.cost_s = m->c.need_s = NULL; /* borrowed for creation alone */
    if (!m->c.losses)
        return DTX_OK;
    m->losses = calloc(m->cap_tasks, sizeof(*m->losses));
    if (!m->losses)
        return DTX_ENOMEM;
    memcpy(m->losses, m->c.losses, m->ntasks * sizeof(*m->losses));
    m->c.losses = NULL; /* borrowed for creation alone */
    return DTX_OK;
}

static int init(struct dtx_master *m)
{
    uint32_t r;

    m->rank = calloc(m->c.nranks, sizeof(*m->rank));
    if (!m->rank)
        return DTX_ENOMEM;
    for (r = 0; r < m->c.nranks; r++) {
        m->rank[r].thief = NO_RANK;
        m->rank[r].reserved = DTX_NO_TASK;
        m->rank[r].head = m->rank[r].tail = DTX_NO_TASK;
        m->rank[r].next_up = DTX_NO_TASK;
        m->rank[r].slow = 1;
    }
    dtx_master_loss_init(m);
    if (m->c.timeout_percent > 0 && !(m->median = dtx_median_create()))
        return DTX_ENOMEM;
    if (init_tasks(m) || dtx_master_grant_init(m))
        return DTX_ENOMEM;
    return dtx_master_flow_init(m);
}

struct dtx_master *dtx_master_create(const struct dtx_master_config *c,
                                     struct dtx_error *err)
{
    struct dtx_master *m;
    const struct dtx_policy *policy = dtx_policy_find(c->policy, err);

    if (!policy)
        return NULL;
    if (c->nranks == 0 ||
        (!c->live && c->graph->ntasks != c->list->ntasks)) {
        (void)dtx_error_set(err, DTX_EINVAL, "engine: inconsistent set-up");
        return NULL;
    }
    m = calloc(1, sizeof(*m));
    if (m) {
        m->c = *c;
        m->policy = policy;
        m->armed_ns = NEVER;
        if (m->c.zones && m->c.zones->n == 1)
            m->c.zones = NULL; /* all are alike */
        if (m->c.depth_ns <= 0)
            m->c.depth_ns = DEFAULT_DEPTH_NS;
        if (m->c.slice == 0)
            m->c.slice = DTX_MASTER_SLICE;
        if (m->c.retries == 0)
            m->c.retries = 1;
    }
    if (!m || init(m)) {
        dtx_master_destroy(m);
        (void)dtx_error_set(err, DTX_ENOMEM,
                            "engine: no memory for %zu tasks",
                            c->list->ntasks);
        return NULL;
    }
    return m;
}

void dtx_master_destroy(struct dtx_master *m)
{
    if (!m)
        return;
    dtx_master_grant_fini(m);
    dtx_master_flow_fini(m);
    dtx_master_loss_fini(m);
    dtx_median_destroy(m->median);
    dtx_buf_free(&m->path);
    dtx_median_destroy(m->lengths);
    free(m->state);
    free(m->owner);
    free(m->next);
    free(m->prev);
    free(m->est_s);
    free(m->cost_s);
    free(m->need_s);
    free(m->start_s);
    free(m->share);
    free(m->attempt);
    free(m->fails);
    free(m->rank);
    free(m);
}

/* SPDX-License-Identifier: MIT */
/* Tasks that come while the job runs, and what they wait for: lists of links
 * at tasks and gates that are not over, used up and given back as the walks of
 * master_flow.c come by.  It decides nothing but whether a new node is ready,
 * blocked or skipped when it comes. */
#include <stdlib.h>
#include <string.h>

#include "engine/master_state.h"

void dtx_master_live_fini(struct dtx_master *m)
{
    free(m->first);
    free(m->gate);
    free(m->link);
}

uint32_t dtx_master_live_first(const struct dtx_master *m, uint32_t node)
{
    const struct dtx_live_gate *gate = dtx_master_live_gate(m, node);

    if (gate)
        return gate->first;
    return m->first ? m->first[node] : DTX_NO_TASK;
}

static uint32_t *first_of(struct dtx_master *m, uint32_t node)
{
    struct dtx_live_gate *gate = dtx_master_live_gate(m, node);

    return gate ? &gate->first : &m->first[node];
}

static uint8_t *state_of(struct dtx_master *m, uint32_t node)
{
    struct dtx_live_gate *gate = dtx_master_live_gate(m, node);

    return gate ? &gate->state : &m->state[node];
}

uint32_t dtx_master_live_pop(struct dtx_master *m, uint32_t node,
                             uint32_t *next)
{
    uint32_t *first = first_of(m, node), at = *first;
    uint32_t after = m->link[at].after;

    *next = *first = m->link[at].next;
    m->link[at].next = m->spare;
    m->spare = at;
    return after;
}

/* The first dependency of all: the arrays about them begin. */
static bool begin_links(struct dtx_master *m)
{
    uint32_t i;

    if (m->first)
        return true;
    m->first = malloc(m->cap_tasks * sizeof(*m->first));
    m->blockers = calloc(m->cap_tasks, sizeof(*m->blockers));
    if (!m->first || !m->blockers) {
        free(m->first);
        free(m->blockers);
        m->first = m->blockers = NULL;
        return false;
    }
    for (i = 0; i < m->ntasks; i++)
        m->first[i] = DTX_NO_TASK;
    return true;
}

/* A link that nobody uses, or DTX_NO_TASK. */
static uint32_t take_link(struct dtx_master *m)
{
    uint32_t at = m->spare;
    struct dtx_link *p;

    if (at != DTX_NO_TASK) {
        m->spare = m->link[at].next;
        return at;
    }
    p = begin_links(m) && m->nlinks < DTX_NO_TASK
            ? dtx_grow(m->link, &m->cap_links, m->nlinks + 1, sizeof(*p))
            : NULL;
    if (!p) {
        m->nomem = true;
        return DTX_NO_TASK;
    }
    m->link = p;
    return (uint32_t)m->nlinks++;
}

static void link_after(struct dtx_master *m, uint32_t before, uint32_t after)
{
    struct dtx_live_gate *gate = dtx_master_live_gate(m, after);
    uint32_t at = take_link(m), *first;

    if (at == DTX_NO_TASK)
        return;
    first = first_of(m, before);
    m->link[at] = (struct dtx_link){after, *first};
    *first = at;
    if (gate)
        gate->blockers++;
    else
        m->blockers[after]++;
}

/* Nobody will do in this session what it waits for: nor it. */
static void leave(struct dtx_master *m, uint32_t node)
{
    uint8_t *state = state_of(m, node);

    if (*state != DTX_TASK_BLOCKED)
        return;
    *state = DTX_TASK_LEFT;
    if (!dtx_master_live_gate(m, node))
        dtx_master_forget(m, node);
}

/* A new node waits for an earlier one, whose fate may be known. */
static void wait_for(struct dtx_master *m, uint32_t before, uint32_t after)
{
    const struct dtx_live_gate *gate = dtx_master_live_gate(m, before);

    switch ((enum dtx_task_state)*state_of(m, before)) {
    case DTX_TASK_OK:
        break;
    case DTX_TASK_FAILED:
        dtx_master_skip(m, after, before);
        break;
    case DTX_TASK_SKIPPED:
        dtx_master_skip(m, after, gate ? gate->cause : m->owner[before]);
        break;
    case DTX_TASK_LEFT:
        leave(m, after);
        break;
    default:
        link_after(m, before, after);
    }
}

/* Is this a node that has come? */
static bool known(const struct dtx_master *m, uint32_t node)
{
    return node & DTX_GATE ? (node & ~DTX_GATE) < m->ngates : node < m->ntasks;
}

/* A new gate and all its edges, from number '*e' on. */
static bool add_gate(struct dtx_master *m, const struct dtx_arrival *a,
                     size_t *e)
{
    uint32_t node = a->edge[2 * *e + 1];
    struct dtx_live_gate *p = dtx_grow(m->gate, &m->cap_gates, m->ngates + 1,
                                       sizeof(*p));

    if (!p || (node & ~DTX_GATE) != m->ngates)
        return false;
    m->gate = p;
    p[m->ngates] =
        (struct dtx_live_gate){0, DTX_NO_TASK, DTX_NO_TASK, DTX_TASK_BLOCKED};
    for (; *e < a->nedges && a->edge[2 * *e + 1] == node; ++*e) {
        if (known(m, a->edge[2 * *e]))
            wait_for(m, a->edge[2 * *e], node);
        m->items++;
    }
    m->ngates++;
    p += node & ~DTX_GATE;
    if (p->state == DTX_TASK_BLOCKED && p->blockers == 0)
        p->state = DTX_TASK_OK;
    return true;
}

/* What task i waits for, and the gates that were made for it. */
static void add_waits(struct dtx_master *m, const struct dtx_arrival *a,
                      uint32_t i, enum dtx_prior prior, size_t *e)
{
    while (*e < a->nedges && !m->nomem) {
        uint32_t before = a->edge[2 * *e], after = a->edge[2 * *e + 1];

        if (after & DTX_GATE) {
            m->nomem = !add_gate(m, a, e);
            continue;
        }
        if (after != i)
            return;
        if (prior == DTX_PRIOR_NONE && known(m, before) && before != i)
            wait_for(m, before, i);
        m->items++;
        ++*e;
    }
}

void dtx_master_arrive(struct dtx_master *m, const struct dtx_arrival *a)
{
    uint32_t from = m->ntasks, i;
    size_t e = 0;

    if (!m->open || a->upto < from || a->upto > m->c.list->ntasks)
        return;
    if ((a->cost_s && !dtx_master_begin_costs(m)) ||
        dtx_master_grow(m, a->upto, a->attempts)) {
        m->nomem = true;
        return;
    }
    if (a->cost_s)
        dtx_master_set_costs(m, from, a->upto, a->cost_s, a->need_s);
    dtx_master_trace(m, "%u tasks have come", a->upto - from);
    for (i = from; i < a->upto && !m->nomem; i++) {
        enum dtx_prior prior =
            a->prior ? (enum dtx_prior)a->prior[i - from] : DTX_PRIOR_NONE;

        m->items++;
        add_waits(m, a, i, prior, &e);
        if (m->state[i] == DTX_TASK_BLOCKED && !m->nomem)
            dtx_master_start_task(m, i, prior);
    }
}

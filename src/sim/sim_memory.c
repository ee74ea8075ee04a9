/* SPDX-License-Identifier: MIT */
/* Tasks that share the memory of their NUMA node slow one another down: see
 * dtx_sim_memory in sim.h.  It never decides where a task runs.
 *
 * Of each domain, what its tasks have left is kept as time at full speed; when
 * one comes or goes, the others' ends move.  A step costs the slots of one
 * domain. */
#include <math.h>
#include <stdlib.h>

#include "sim/sim_state.h"
#include "task/placement.h"

/* Of a slot: the task that began in it. */
struct seat {
    uint32_t run;   /* or NONE */
    double left_ns; /* at full speed, when its domain changed last */
    double bound;   /* share of its time that it waits for memory */
};

struct domain {
    double load;       /* tasks, each by its share; wide ones by their cpus */
    int64_t since_ns;  /* it has been so since then */
    uint32_t first, n; /* seats */
};

struct dtx_sim_domains {
    struct seat *seat;
    struct domain *domain;
    uint32_t *first_seat;  /* of each rank */
    uint32_t *node_domain; /* of each rank: the first of its node */
    uint32_t *node_seat;   /* of each rank: likewise */
    uint32_t *node_slots;  /* of each rank: of its node */
};

/* Number the slots of all ranks, and cut each node's into domains. */
static void lay_out(struct dtx_sim *s, struct dtx_sim_domains *m)
{
    uint32_t per = s->c.ranks_per_node ? s->c.ranks_per_node : 1;
    uint32_t nseats = 0, ndomains = 0, r, i, d;

    for (r = 0; r < s->nranks; r += per) {
        uint32_t base = nseats, slots, last = r + per;

        for (i = r; i < last && i < s->nranks; i++) {
            m->first_seat[i] = nseats;
            nseats += s->c.slots[i];
        }
        slots = nseats - base;
        for (i = r; i < last && i < s->nranks; i++) {
            m->node_domain[i] = ndomains;
            m->node_seat[i] = base;
            m->node_slots[i] = slots;
        }
        for (d = 0; d < s->c.memory.domains; d++) {
            struct domain *p = &m->domain[ndomains++];
            uint64_t n = s->c.memory.domains;

            p->first = base + (uint32_t)((slots * (uint64_t)d + n - 1) / n);
            p->n = base + (uint32_t)((slots * (d + UINT64_C(1)) + n - 1) / n) -
                   p->first;
        }
    }
    for (i = 0; i < nseats; i++)
        m->seat[i].run = DTX_SIM_NONE;
}

int dtx_sim_memory_init(struct dtx_sim *s)
{
    struct dtx_sim_domains *m;
    size_t nseats = 0, r;

    if (!s->c.memory.bound || s->c.memory.domains == 0)
        return DTX_OK;
    m = s->domains = calloc(1, sizeof(*m));
    if (!m)
        return DTX_ENOMEM;
    for (r = 0; r < s->nranks; r++)
        nseats += s->c.slots[r];
    m->seat = calloc(nseats, sizeof(*m->seat));
    m->domain = calloc((size_t)s->nranks * s->c.memory.domains,
                       sizeof(*m->domain));
    m->first_seat = calloc(s->nranks, sizeof(*m->first_seat));
    m->node_domain = calloc(s->nranks, sizeof(*m->node_domain));
    m->node_seat = calloc(s->nranks, sizeof(*m->node_seat));
    m->node_slots = calloc(s->nranks, sizeof(*m->node_slots));
    s->numas = calloc(s->c.memory.domains, sizeof(*s->numas));
    if (!s->numas || !m->seat || !m->domain || !m->first_seat ||
        !m->node_domain || !m->node_seat || !m->node_slots)
        return DTX_ENOMEM;
    lay_out(s, m);
    return DTX_OK;
}

void dtx_sim_memory_fini(struct dtx_sim *s)
{
    struct dtx_sim_domains *m = s->domains;

    if (!m)
        return;
    free(s->numas);
    free(m->seat);
    free(m->domain);
    free(m->first_seat);
    free(m->node_domain);
    free(m->node_seat);
    free(m->node_slots);
    free(m);
    s->domains = NULL;
}

/* How many times as long a task takes. */
static double stretch(const struct dtx_sim *s, double bound, double load)
{
    return 1 - bound + bound * fmax(load / s->c.memory.streams, 1);
}

void dtx_sim_move_end(struct dtx_sim *s, uint32_t i, int64_t end_ns)
{
    struct dtx_sim_run *run = &s->run[i];
    struct dtx_sim_rank *r = &s->rank[run->rank];
    int64_t limit = run->limited ? r->limit_ns : run->timeout_ns;

    run->full_ns = end_ns - run->start_ns;
    if (run->status == DTX_STATUS_KILLED)
        return;
    run->status = DTX_STATUS_NONE;
    if (limit > 0 && run->full_ns > limit + s->c.spawn_ns) {
        run->status = DTX_STATUS_TIMEOUT;
        end_ns = run->start_ns + limit + s->c.spawn_ns;
    }
    if (end_ns < s->now_ns)
        end_ns = s->now_ns;
    if (run->end_event != DTX_SIM_NONE)
        dtx_sim_cancel(s, run->end_event);
    run->end_event = dtx_sim_post(s, end_ns, DTX_SIM_END, r->target, i);
}

/* What is left of each becomes less by the time gone, then the load changes. */
static void change(struct dtx_sim *s, struct domain *d, double more)
{
    double load = fmax(d->load + more, 0), before = d->load;
    bool moves = fmax(load, s->c.memory.streams) >
                     fmax(before, s->c.memory.streams) ||
                 fmax(load, s->c.memory.streams) <
                     fmax(before, s->c.memory.streams);
    uint32_t i;

    for (i = d->first; i < d->first + d->n; i++) {
        struct seat *p = &s->domains->seat[i];

        if (p->run == DTX_SIM_NONE)
            continue;
        p->left_ns -= (double)(s->now_ns - d->since_ns) /
                      stretch(s, p->bound, before);
        p->left_ns = fmax(p->left_ns, 0);
        if (moves && p->bound > 0)
            dtx_sim_move_end(s, p->run,
                             s->now_ns + llround(p->left_ns *
                                                 stretch(s, p->bound, load)));
    }
    d->since_ns = s->now_ns;
    d->load = load;
}

uint32_t dtx_sim_memory_numa(const struct dtx_sim *s, uint32_t rank,
                             uint32_t slot)
{
    const struct dtx_sim_domains *m = s->domains;
    uint64_t at;

    if (!m)
        return 0;
    at = m->first_seat[rank] + slot - m->node_seat[rank];
    return (uint32_t)(at * s->c.memory.domains / m->node_slots[rank]);
}

static struct domain *domain_of(const struct dtx_sim *s, uint32_t rank,
                                uint32_t slot)
{
    const struct dtx_sim_domains *m = s->domains;

    return &m->domain[m->node_domain[rank] +
                      dtx_sim_memory_numa(s, rank, slot)];
}

void dtx_sim_memory_enter(struct dtx_sim *s, uint32_t i)
{
    struct dtx_sim_run *run = &s->run[i];
    struct domain *d;
    uint32_t seat;
    double bound;

    if (!s->domains)
        return;
    seat = s->domains->first_seat[run->rank] + run->slot;
    d = domain_of(s, run->rank, run->slot);
    bound = (double)s->c.memory.bound[run->task];
    change(s, d, bound * run->cpus);
    s->domains->seat[seat] = (struct seat){i, (double)run->full_ns, bound};
    if (bound > 0)
        dtx_sim_move_end(s, i,
                         run->start_ns + llround((double)run->full_ns *
                                                 stretch(s, bound, d->load)));
}

void dtx_sim_memory_move(struct dtx_sim *s, uint32_t i, uint32_t slot)
{
    struct dtx_sim_run *run = &s->run[i];
    uint32_t base = s->domains ? s->domains->first_seat[run->rank] : 0;
    struct seat *from, *to;
    struct domain *d;

    if (!s->domains) {
        run->slot = slot;
        return;
    }
    from = &s->domains->seat[base + run->slot];
    to = &s->domains->seat[base + slot];
    change(s, domain_of(s, run->rank, run->slot), -from->bound * run->cpus);
    *to = *from;
    from->run = DTX_SIM_NONE;
    run->slot = slot;
    d = domain_of(s, run->rank, slot);
    to->run = DTX_SIM_NONE; /* what it has left is known already */
    change(s, d, to->bound * run->cpus);
    to->run = i;
    if (to->bound > 0)
        dtx_sim_move_end(s, i, s->now_ns + llround(to->left_ns *
                                                   stretch(s, to->bound,
                                                           d->load)));
}

void dtx_sim_memory_leave(struct dtx_sim *s, uint32_t i)
{
    const struct dtx_sim_run *run = &s->run[i];
    struct seat *p;
    uint32_t seat;

    if (!s->domains)
        return;
    seat = s->domains->first_seat[run->rank] + run->slot;
    p = &s->domains->seat[seat];
    if (p->run != i)
        return;
    p->run = DTX_SIM_NONE;
    change(s, domain_of(s, run->rank, run->slot), -p->bound * run->cpus);
}

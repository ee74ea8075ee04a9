/* SPDX-License-Identifier: MIT */
/* Which slots a task in the spawner gets, and to which processing units it is
 * bound: see spawner_proc.h.  Where it goes is task/placement's choice. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "node/spawner_proc.h"
#include "task/machine.h"
#include "task/placement.h"

#define LONG_BITS (sizeof(long) * CHAR_BIT)

static bool is_free(void *ctx, uint32_t slot)
{
    return ((struct dtx_proc *)ctx)->slot_run[slot] == DTX_NO_RUN;
}

static uint32_t numa_of(void *ctx, uint32_t slot)
{
    return ((struct dtx_proc *)ctx)->config->places[slot].numa;
}

static uint32_t parts_in(void *ctx, uint32_t slot)
{
    struct dtx_proc *p = ctx;

    return p->run[p->slot_run[slot]].traffic;
}

/* Does it matter to it, or to those that do, in which slot it runs? */
static bool is_spread(const struct dtx_proc *p, const struct dtx_run *r)
{
    return r->cpus == 1 && r->traffic > 0 && p->config->spreads;
}

/* Near ones if there are; the first of them. Most want one: the lowest. */
static uint32_t take_slots(struct dtx_proc *p, uint32_t run)
{
    const struct dtx_placement_traffic t = {numa_of, is_free, parts_in, p};
    uint32_t n = p->config->nslots, first = n, k = p->run[run].cpus, i;
    bool wide = k > 1;

    if (is_spread(p, &p->run[run])) {
        first = dtx_placement_spread(&t, n, p->run[run].heavy);
        p->slot_run[first] = run;
        p->nfree_slots--;
        return first;
    }

    if (wide)
        (void)dtx_placement_slots(p->config->places, n, is_free, p, k,
                                  p->chosen);
    p->nfree_slots -= k;
    for (i = 0; k > 0 && i < n; i++) {
        if (!is_free(p, i) || (wide && !p->chosen[i]))
            continue;
        p->slot_run[i] = run;
        if (first == n)
            first = i;
        k--;
    }
    return first;
}

void dtx_proc_free_slots(struct dtx_proc *p, uint32_t run)
{
    uint32_t k = p->run[run].cpus, i = p->run[run].slot;

    p->nfree_slots += k;
    for (; k > 0 && i < p->config->nslots; i++) {
        if (p->slot_run[i] != run)
            continue;
        p->slot_run[i] = DTX_NO_RUN;
        k--;
    }
}

/* Is it bound to its slots? */
static bool is_bound(const struct dtx_spawner_config *c,
                     const struct dtx_run *r)
{
    return c->slots && (r->cpus > 1 || c->bind_single);
}

/* Count what runs and is bound, in the NUMA nodes to whose cores it is. */
static void count_bound(struct dtx_proc *p)
{
    const struct dtx_spawner_config *c = p->config;
    uint32_t i, k;

    for (k = 0; k < c->nnumas; k++)
        p->crowd[k] =
            (struct dtx_placement_memory){.cores = c->numas[k].ncores};
    for (i = 0; i < c->nslots; i++) {
        const struct dtx_run *r =
            is_free(p, i) ? NULL : &p->run[p->slot_run[i]];

        for (k = 0; r && k < c->nnumas; k++) {
            if (r->numa != k && !(is_bound(c, r) && c->places &&
                                  c->places[i].numa == c->numas[k].numa))
                continue;
            p->crowd[k].load += r->traffic;
            p->crowd[k].taken++;
        }
    }
}

/* The NUMA node for a run whose slot has not been taken yet. */
static uint32_t choose_numa(struct dtx_proc *p, const struct dtx_run *r)
{
    if (r->cpus > 1 || !r->heavy || p->config->nnumas == 0)
        return DTX_NO_RUN;
    count_bound(p);
    return dtx_placement_memory(p->crowd, p->config->nnumas);
}

void dtx_proc_take_slots(struct dtx_proc *p, uint32_t run)
{
    struct dtx_run *r = &p->run[run];

    r->numa = choose_numa(p, r);
    r->slot = take_slots(p, run);
}

/* ---- masks ---- */

static uint32_t highest(const struct dtx_slot_cpus *s, uint32_t top)
{
    uint32_t k;

    for (k = 0; k < s->npus; k++)
        top = s->pus[k] > top ? s->pus[k] : top;
    return top;
}

bool dtx_proc_make_room(struct dtx_proc *p)
{
    const struct dtx_spawner_config *c = p->config;
    uint32_t top = 0, i;

    for (i = 0; c->slots && i < c->nslots; i++)
        top = highest(&c->slots[i], top);
    for (i = 0; i < c->nnumas; i++)
        top = highest(&c->numas[i].cpus, top);
    p->mask_size = (top / LONG_BITS + 1) * sizeof(*p->mask);
    p->mask = malloc(p->mask_size);
    p->crowd = calloc(c->nnumas + (size_t)1, sizeof(*p->crowd));
    return p->mask && p->crowd;
}

/* Add processing units to the mask; false when there are none. */
static bool add_units(struct dtx_proc *p, const struct dtx_slot_cpus *s)
{
    uint32_t k;

    for (k = 0; k < s->npus; k++)
        p->mask[s->pus[k] / LONG_BITS] |= 1ul << s->pus[k] % LONG_BITS;
    return s->npus > 0;
}

const unsigned long *dtx_proc_bind_mask(struct dtx_proc *p, uint32_t run)
{
    const struct dtx_spawner_config *c = p->config;
    const struct dtx_run *r = &p->run[run];
    uint32_t left = r->cpus, i;

    if (r->numa != DTX_NO_RUN) {
        memset(p->mask, 0, p->mask_size);
        return add_units(p, &c->numas[r->numa].cpus) ? p->mask : NULL;
    }
    if (!is_bound(c, r))
        return NULL;
    memset(p->mask, 0, p->mask_size);
    for (i = r->slot; left > 0 && i < c->nslots; i++) {
        if (p->slot_run[i] != run)
            continue;
        if (!add_units(p, &c->slots[i]))
            return NULL;
        left--;
    }
    return p->mask;
}

/* SPDX-License-Identifier: MIT */
/* A rank's slots as its spawner is told of them: which cores are theirs, where
 * these are, and what is bound; see rank_state.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/spawner.h"
#include "run/options.h"
#include "run/rank_state.h"

extern char **environ;

/* The processing units of each slot; NULL: do not bind. */
static struct dtx_slot_cpus *slot_cpus(const struct dtx_rank_life *r)
{
    const struct dtx_share *s = &r->share;
    struct dtx_slot_cpus *slots;
    uint32_t i;

    if (r->o->bind == DTX_BIND_NONE || !r->cores.real || s->nslots > s->ncores)
        return NULL;
    slots = calloc(s->nslots, sizeof(*slots));
    for (i = 0; slots && i < s->nslots; i++) {
        const struct dtx_core *c = &r->cores.core[s->first_core + i];

        slots[i].pus = r->cores.pus + c->first_pu;
        slots[i].npus = c->npus;
    }
    return slots;
}

/* Where each slot is; NULL: slots have no cores of their own. Also on a drawn
 * machine, where nobody is bound. */
static struct dtx_locus *slot_places(const struct dtx_rank_life *r)
{
    const struct dtx_share *s = &r->share;
    struct dtx_locus *at;
    uint32_t i;

    if (s->nslots > s->ncores)
        return NULL;
    at = calloc(s->nslots, sizeof(*at));
    for (i = 0; at && i < s->nslots; i++)
        at[i] = dtx_machine_core(&r->machine, s->first_core + i);
    return at;
}

/* The NUMA nodes in which the rank has cores, and in '*n' how many; NULL: no
 * task is bound to them, or each to its slot. */
static struct dtx_slot_numa *slot_numas(const struct dtx_rank_life *r,
                                        uint32_t *n)
{
    const struct dtx_share *s = &r->share;
    struct dtx_slot_numa *row;
    uint32_t i;

    *n = 0;
    if (r->o->bind != DTX_BIND_AUTO || !r->cores.real || s->ncores == 0)
        return NULL;
    row = calloc(s->ncores, sizeof(*row));
    for (i = 0; row && i < s->ncores; i++) {
        const struct dtx_core *c = &r->cores.core[s->first_core + i];
        struct dtx_locus at = dtx_machine_core(&r->machine, s->first_core + i);
        struct dtx_slot_numa *last = *n > 0 ? &row[*n - 1] : NULL;

        if (!last || last->numa != at.numa) {
            last = &row[(*n)++];
            last->numa = at.numa;
            last->cpus.pus = r->cores.pus + c->first_pu;
        }
        last->ncores++;
        last->cpus.npus += c->npus;
    }
    return row;
}

int dtx_rank_configure_spawner(struct dtx_rank_life *r, struct dtx_error *err)
{
    struct dtx_slot_cpus *slots = slot_cpus(r);
    struct dtx_locus *places = slot_places(r);
    struct dtx_spawner_config c;
    struct dtx_slot_numa *numas;
    char cwd[4096];
    int rc;

    memset(&c, 0, sizeof(c));
    numas = slot_numas(r, &c.nnumas);
    if (!getcwd(cwd, sizeof(cwd)))
        (void)snprintf(cwd, sizeof(cwd), "/");
    c.nslots = r->share.nslots;
    c.first_slot = r->share.first_slot;
    c.slots = slots;
    c.places = places;
    c.bind_single = r->o->bind == DTX_BIND_CORE;
    c.numas = numas;
    c.spreads = places && c.bind_single && c.nslots == r->share.ncores;
    c.rank = r->me;
    c.shell = r->o->shell;
    c.cwd = r->job_open ? r->job.cwd : cwd;
    c.run_dir = r->run_dir;
    c.tmp_dir = r->o->tmp_dir;
    c.capture = true;
    c.grace_ns = r->o->grace_ns;
    c.memfree = r->o->memfree;
    c.term_signal = r->o->term_signal;
    c.env = environ;
    rc = dtx_spawner_configure(r->spawner, &c, err);
    free(slots);
    free(places);
    free(numas);
    return rc;
}

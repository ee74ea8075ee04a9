/* SPDX-License-Identifier: MIT */
/* Ranks, their nodes and the zones they are in; see nodes.h. */
#include "run/nodes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "run/place.h"
#include "sched/traffic.h"
#include "sched/zones.h"
#include "task/machine.h"

/* ---- nodes ---- */

static uint32_t find(const struct dtx_nodes *t, const struct dtx_card *cards,
                     uint32_t i)
{
    uint32_t k;

    if (i > 0 && dtx_card_same_node(&cards[i - 1], &cards[i]))
        return t->of[i - 1];
    for (k = 0; k < t->n; k++)
        if (dtx_card_same_node(&cards[t->first[k]], &cards[i]))
            break;
    return k;
}

int dtx_nodes_init(struct dtx_nodes *t, const struct dtx_card *cards,
                   uint32_t ncards)
{
    uint32_t i, k;

    memset(t, 0, sizeof(*t));
    t->of = calloc(ncards + (size_t)1, sizeof(*t->of));
    t->nth = calloc(ncards + (size_t)1, sizeof(*t->nth));
    t->first = calloc(ncards + (size_t)1, sizeof(*t->first));
    t->ranks = calloc(ncards + (size_t)1, sizeof(*t->ranks));
    if (!t->of || !t->nth || !t->first || !t->ranks) {
        dtx_nodes_fini(t);
        return DTX_ENOMEM;
    }
    for (i = 0; i < ncards; i++) {
        k = t->of[i] = find(t, cards, i);
        if (k == t->n)
            t->first[t->n++] = i;
        t->nth[i] = t->ranks[k]++;
    }
    return DTX_OK;
}

void dtx_nodes_fini(struct dtx_nodes *t)
{
    free(t->of);
    free(t->nth);
    free(t->first);
    free(t->ranks);
    memset(t, 0, sizeof(*t));
}

void dtx_nodes_cores(const struct dtx_nodes *t, const struct dtx_machine *m,
                     uint32_t rank, struct dtx_locus *first,
                     struct dtx_locus *last)
{
    uint64_t k = t->nth[rank], all = t->ranks[t->of[rank]];
    uint64_t begin = k * m->usable / all, end = (k + 1) * m->usable / all;

    if (m->usable != m->cores) { /* the launcher has bound it to its own */
        begin = 0;
        end = m->usable;
    }
    *first = dtx_machine_core(m, (uint32_t)begin);
    *last = dtx_machine_core(m, (uint32_t)(end > begin ? end - 1 : begin));
}

/* ---- zones ---- */

static uint32_t levels_of(const char *path)
{
    uint32_t n = path[0] != '\0';

    for (; *path; path++)
        n += *path == '.';
    return n;
}

/* The levels of switches that all nodes tell of alike, 0: they do not. */
static uint32_t common_levels(const struct dtx_nodes *t,
                              const struct dtx_card *cards)
{
    uint32_t k, levels = 0;

    for (k = 0; k < t->n; k++) {
        struct dtx_machine m;
        uint32_t n;

        dtx_card_machine(&cards[t->first[k]], &m);
        n = levels_of(m.path);
        dtx_machine_free(&m);
        if (n == 0 || (k > 0 && n != levels))
            return 0;
        levels = n;
    }
    return levels;
}

/* From the outermost zone to that of the rank's leaf switch. */
static int climb_down(struct dtx_zones *z, const char *path, uint32_t levels,
                      uint32_t *zone)
{
    uint32_t left = levels;
    int rc = DTX_OK;

    for (*zone = 0; left > 0 && rc == DTX_OK; left--) {
        size_t len = strcspn(path, ".");

        rc = dtx_zones_child(z, *zone, DTX_NEAR_SWITCH + left - 1,
                             dtx_hash128(path, len, 0).lo, zone);
        path += len + (path[len] == '.');
    }
    return rc;
}

/* A rank is in the zones that have all its cores. */
static int enter(struct dtx_zones *z, const struct dtx_locus *a,
                 const struct dtx_locus *b, uint32_t *zone)
{
    const struct {
        uint32_t level, a, b;
    } part[] = {{DTX_NEAR_PACKAGE, a->package, b->package},
                {DTX_NEAR_NUMA, a->numa, b->numa},
                {DTX_NEAR_CACHE, a->cache, b->cache}};
    size_t i;
    int rc = DTX_OK;

    for (i = 0; i < 3 && rc == DTX_OK; i++) {
        if (part[i].a == DTX_MACHINE_NONE)
            continue;
        if (part[i].a != part[i].b)
            break;
        rc = dtx_zones_child(z, *zone, part[i].level, part[i].a, zone);
    }
    return rc;
}

static int add_rank(const struct dtx_nodes *t, const struct dtx_card *card,
                    uint32_t rank, uint32_t levels, struct dtx_zones *z)
{
    struct dtx_locus first, last;
    struct dtx_machine m;
    uint32_t zone;
    int rc;

    dtx_card_machine(card, &m);
    rc = climb_down(z, m.path, levels, &zone);
    if (rc == DTX_OK)
        rc = dtx_zones_child(z, zone, DTX_NEAR_NODE, t->of[rank], &zone);
    dtx_nodes_cores(t, &m, rank, &first, &last);
    if (rc == DTX_OK && m.usable > 0)
        rc = enter(z, &first, &last, &zone);
    dtx_machine_free(&m);
    dtx_zones_set(z, rank, zone);
    return rc;
}

int dtx_nodes_zones(const struct dtx_nodes *t, const struct dtx_card *cards,
                    uint32_t ncards, struct dtx_zones *z)
{
    uint32_t levels = common_levels(t, cards), r;
    int rc = dtx_zones_init(z, ncards, DTX_NEAR_SWITCH + levels);

    for (r = 0; r < ncards && rc == DTX_OK; r++)
        rc = add_rank(t, &cards[r], r, levels, z);
    if (rc == DTX_OK)
        rc = dtx_zones_seal(z);
    if (rc != DTX_OK)
        dtx_zones_fini(z);
    return rc;
}

/* ---- memory ---- */

#define NUMAS 1024u /* of a node; further ones count as the last of these */

/* What the ranks of a node have together. */
struct memory {
    uint8_t used[NUMAS / 8]; /* bit i: there are cores in NUMA node i */
};

static uint32_t numa_of(const struct dtx_locus *at)
{
    if (at->numa == DTX_MACHINE_NONE)
        return 0; /* nobody says: all cores share one */
    return at->numa < NUMAS ? at->numa : NUMAS - 1;
}

/* Add a rank's cores; the numbers of its NUMA nodes as the machine has them. */
static void add_memory(const struct dtx_card *card, const struct dtx_share *s,
                       struct memory *m, struct dtx_traffic_reach *reach)
{
    struct dtx_machine machine;
    uint32_t begin = 0, end, numa;
    bool any = false;
    size_t k;

    dtx_card_machine(card, &machine);
    for (k = 0; k < machine.nnests; k++, begin = end) {
        end = begin + machine.nest[k].ncores;
        if (end <= s->first_core || begin >= s->first_core + s->ncores)
            continue;
        numa = numa_of(&machine.nest[k].at);
        if (!any || numa < reach->first)
            reach->first = numa;
        if (!any || numa > reach->last)
            reach->last = numa;
        any = true;
        m->used[numa / 8] |= (uint8_t)(1u << numa % 8);
    }
    if (!any)
        m->used[0] |= 1;
    dtx_machine_free(&machine);
}

/* How many NUMA nodes below this one have cores. */
static uint32_t count_below(const struct memory *m, uint32_t numa)
{
    uint32_t n = 0, i;

    for (i = 0; i < numa; i++)
        n += m->used[i / 8] >> i % 8 & 1;
    return n;
}

int dtx_nodes_memory(const struct dtx_nodes *t, const struct dtx_card *cards,
                     uint32_t ncards, const struct dtx_share *each,
                     struct dtx_traffic_reach *reach)
{
    struct memory *m = calloc(t->n + (size_t)1, sizeof(*m));
    uint32_t i;

    if (!m)
        return DTX_ENOMEM;
    for (i = 0; i < ncards; i++) {
        reach[i] = (struct dtx_traffic_reach){.node = t->of[i],
                                              .slots = each[i].nslots};
        add_memory(&cards[i], &each[i], &m[t->of[i]], &reach[i]);
    }
    for (i = 0; i < ncards; i++) {
        reach[i].first = count_below(&m[t->of[i]], reach[i].first);
        reach[i].last = count_below(&m[t->of[i]], reach[i].last);
    }
    free(m);
    return DTX_OK;
}

/* ---- ways ---- */

/* Ranks of a node ring one another: a futex of another process is heard after
 * 19 us. Those of other nodes look for frames after naps of up to a millisecond
 * (run/loop.c): half of one there, and half of one back. Nothing is known of
 * what tasks read, so nothing is taken to be moved. */
void dtx_nodes_ways(struct dtx_ways *w)
{
    uint32_t i;

    memset(w, 0, sizeof(*w));
    for (i = DTX_NEAR_CACHE; i < DTX_WAYS; i++)
        w->ask_ns[i] = i < DTX_NEAR_SWITCH ? 40000 : DTX_MSEC_NS;
}

/* SPDX-License-Identifier: MIT */
/* The tree of zones; see zones.h.  It knows nothing of machines: who fills it
 * says what is in what. */
#include "sched/zones.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

static int add(struct dtx_zones *z, uint32_t parent, uint32_t level,
               uint32_t *zone)
{
    struct dtx_zone *p = dtx_grow(z->zone, &z->cap, z->n + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    z->zone = p;
    p[z->n] = (struct dtx_zone){.parent = parent, .level = level};
    *zone = (uint32_t)z->n++;
    return DTX_OK;
}

int dtx_zones_init(struct dtx_zones *z, uint32_t nranks, uint32_t level)
{
    uint32_t all;

    memset(z, 0, sizeof(*z));
    z->nranks = nranks;
    z->of = calloc(nranks + (size_t)1, sizeof(*z->of));
    z->place = calloc(nranks + (size_t)1, sizeof(*z->place));
    if (z->of && z->place && add(z, 0, level, &all) == DTX_OK)
        return DTX_OK;
    dtx_zones_fini(z);
    return DTX_ENOMEM;
}

void dtx_zones_fini(struct dtx_zones *z)
{
    free(z->zone);
    free(z->of);
    free(z->place);
    dtx_keymap_free(&z->known);
    memset(z, 0, sizeof(*z));
}

int dtx_zones_child(struct dtx_zones *z, uint32_t parent, uint32_t level,
                    uint64_t key, uint32_t *zone)
{
    struct dtx_key k = {(uint64_t)parent << 32 | level, key};
    uint32_t fresh = (uint32_t)z->n;
    bool made;

    if (!dtx_keymap_put(&z->known, dtx_hash128(&k, sizeof(k), 0), fresh, zone,
                        &made))
        return DTX_ENOMEM;
    return made ? add(z, parent, level, zone) : DTX_OK;
}

void dtx_zones_set(struct dtx_zones *z, uint32_t rank, uint32_t zone)
{
    z->of[rank] = zone;
}

int dtx_zones_seal(struct dtx_zones *z)
{
    uint32_t *next = calloc(z->n, sizeof(*next)), i;

    if (!next)
        return DTX_ENOMEM;
    for (i = 0; i < z->nranks; i++)
        next[z->of[i]]++;
    for (i = (uint32_t)z->n - 1; i > 0; i--)
        next[z->zone[i].parent] += next[i];
    /* 'next' was how many ranks a zone has, and becomes the place of the next
     * that is put there */
    for (i = 0; i < z->n; i++) {
        struct dtx_zone *zone = &z->zone[i];
        uint32_t size = next[i];

        zone->first = i ? next[zone->parent] : 0;
        zone->end = zone->first + size;
        if (i)
            next[zone->parent] = zone->end;
        next[i] = zone->first;
    }
    for (i = 0; i < z->nranks; i++)
        z->place[i] = next[z->of[i]]++;
    free(next);
    return DTX_OK;
}

uint32_t dtx_zones_distance(const struct dtx_zones *z, uint32_t a, uint32_t b)
{
    uint32_t x = z->of[a], y = z->of[b];

    if (a == b)
        return 0;
    while (x != y) { /* parents come before their zones */
        if (x > y)
            x = z->zone[x].parent;
        else
            y = z->zone[y].parent;
    }
    return z->zone[x].level;
}

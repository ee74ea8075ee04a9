/* SPDX-License-Identifier: MIT */
/* sched/zones.h - what ranks share, as a tree, and what a way costs
 *
 * A zone is what several ranks share: a cache, a NUMA node, a package, a node,
 * a switch.  Zones are in one another, and their level says how far two ranks
 * are apart that share nothing smaller (enum dtx_distance, and one more for
 * each level of switches: task/distance.h).  The ranks of a zone stand side by
 * side in one row, so that each zone is a stretch of it.
 *
 *     dtx_zones_init, then for each rank dtx_zones_child from the outermost
 *     zone inwards and dtx_zones_set, then dtx_zones_seal
 */
#ifndef DTX_SCHED_ZONES_H
#define DTX_SCHED_ZONES_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct dtx_zone {
    uint32_t parent;     /* of the outermost: itself */
    uint32_t level;
    uint32_t first, end; /* its stretch of the row, once sealed */
};

struct dtx_zones {
    struct dtx_zone *zone; /* 0 has all; others come behind their parents */
    size_t n, cap;
    uint32_t nranks;
    uint32_t *of;    /* per rank: its innermost zone */
    uint32_t *place; /* per rank: its place in the row, once sealed */
    struct dtx_keymap known;
};

/* One zone that has all ranks. 0, or DTX_ENOMEM with nothing to be freed. */
int dtx_zones_init(struct dtx_zones *z, uint32_t nranks, uint32_t level);
void dtx_zones_fini(struct dtx_zones *z); /* zeroed is allowed */
/* The zone of this level in 'parent' that is called 'key' there: found, or
 * made. 0 or DTX_ENOMEM. */
int dtx_zones_child(struct dtx_zones *z, uint32_t parent, uint32_t level,
                    uint64_t key, uint32_t *zone);
void dtx_zones_set(struct dtx_zones *z, uint32_t rank, uint32_t zone);
/* 0 or DTX_ENOMEM. */
int dtx_zones_seal(struct dtx_zones *z);
/* The level of the smallest zone that has both; two ranks, or a rank itself:
 * DTX_NEAR_CORE. */
uint32_t dtx_zones_distance(const struct dtx_zones *z, uint32_t a, uint32_t b);

/* What distance costs, by distance; beyond the last as the last. */
#define DTX_WAYS 12
struct dtx_ways {
    int64_t ask_ns[DTX_WAYS];  /* between rank 0 and a victim: until what that
                                  is asked for has come */
    int64_t move_ns[DTX_WAYS]; /* between victim and thief: until a task can
                                  begin there, since what it needs is where it
                                  waited */
};

static inline int64_t dtx_way_ns(const int64_t *ways, uint32_t distance)
{
    return ways[distance < DTX_WAYS ? distance : DTX_WAYS - 1];
}

#endif

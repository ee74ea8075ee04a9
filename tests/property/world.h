/* SPDX-License-Identifier: MIT */
/* tests/property/world.h - a random job on a random machine
 *
 * Everything about a world follows from its seed.  The configuration points
 * into the world, which must stay where it is.
 */
#ifndef DTX_TESTS_PROPERTY_WORLD_H
#define DTX_TESTS_PROPERTY_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "sched/stock.h"
#include "sched/traffic.h"
#include "sched/zones.h"
#include "sim/sim.h"
#include "task/graph.h"
#include "task/task.h"

#define WORLD_RANKS 40
#define WORLD_FAULTS 6
#define WORLD_CRASHES 4
#define WORLD_GPUS 3

struct world {
    struct dtx_rng rng;
    struct dtx_tasklist list;
    struct dtx_graph graph;
    uint32_t ntasks;
    int64_t *duration_ns;
    uint8_t *failures;
    float *cost_s;
    uint32_t slots[WORLD_RANKS];
    double speed[WORLD_RANKS];
    struct dtx_sim_fault fault[WORLD_FAULTS];
    int64_t span_ns;      /* about how long it takes */
    uint32_t widest;      /* slots of the largest rank */
    bool wide;            /* there are tasks of several cpus */
    bool costly;          /* messages and thinking take time */
    bool zoned;           /* the master knows how far ranks are apart */
    int64_t *arrive_ns;   /* of a live list */
    uint32_t crashes;     /* sessions that end in a crash before the last */
    int64_t crash_ns[WORLD_CRASHES];
    float *share;           /* of memory bandwidth */
    struct dtx_traffic *traffic; /* in a third the master looks after it */
    uint32_t node[WORLD_RANKS]; /* in a third tasks ask for memory, devices */
    int64_t mem_bytes[WORLD_RANKS]; /* per node */
    uint32_t gpus[WORLD_RANKS];
    struct dtx_zones zones; /* in half the worlds the master knows them */
    struct dtx_sim_config sim;
};

/* Ends the program when there is no memory. */
void world_make(struct world *w, uint64_t seed);
void world_free(struct world *w);
/* What a session counts memory and devices with, or NULL where nobody does. */
struct dtx_stock *world_stock(const struct world *w);
/* One line about it. */
void world_show(const struct world *w);

#endif

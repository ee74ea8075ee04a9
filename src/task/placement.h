/* SPDX-License-Identifier: MIT */
/* task/placement.h - which free slots, and which devices, a task gets
 *
 * A wide task wants its slots near each other.  The levels are the shared
 * cache, the NUMA node, the package and the rank: it goes into one part of the
 * innermost level that has room for it, there into the one it fills best (so
 * large holes stay whole).  Inside that part it takes the inner one with most
 * free slots wholly, and for the rest the same rule holds.  Pure: it reads who
 * is free and answers.
 */
#ifndef DTX_TASK_PLACEMENT_H
#define DTX_TASK_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "task/machine.h"

/* Choose 'k' of the slots that 'is_free' says are free and set them in
 * 'chosen' (n bytes, else untouched): false, and nothing chosen, when fewer
 * are. 'at' says where each slot is, parts of a level side by side; NULL: not
 * known, then slots side by side are taken where there are such. Costs a few
 * passes over the slots for each part it takes. */
bool dtx_placement_slots(const struct dtx_locus *at, uint32_t n,
                         bool (*is_free)(void *ctx, uint32_t slot), void *ctx,
                         uint32_t k, uint8_t *chosen);

/* Memory traffic of tasks that share NUMA nodes, as one executor knows it. */
struct dtx_placement_traffic {
    uint32_t (*numa)(void *ctx, uint32_t slot);  /* slots of one side by side */
    bool (*is_free)(void *ctx, uint32_t slot);
    uint32_t (*parts)(void *ctx, uint32_t slot); /* what runs there moves */
    void *ctx;
};

/* A slot for a task of one cpu: a heavy one goes where least is moved, another
 * where most slots are free, so that there is one in each NUMA node when a
 * heavy one comes. The lowest slot of that NUMA node, or n: none is free. */
uint32_t dtx_placement_spread(const struct dtx_placement_traffic *t,
                              uint32_t n, bool heavy);

/* A NUMA node to whose cores tasks are bound, and what is bound there. */
struct dtx_placement_memory {
    uint64_t load;         /* what it moves */
    uint32_t taken, cores; /* that it has taken, of so many */
};

/* The NUMA node for one more that is bound by memory, whatever slot it has: of
 * those with a core left (of all, where none has) the one in which least is
 * moved, then that with most cores left, then the first. 'n' is 1 or more. */
uint32_t dtx_placement_memory(const struct dtx_placement_memory *m, uint32_t n);

/* Choose 'k' devices out of 'free' (bit i: the i-th of the machine), the
 * nearest to 'at' first, among equals the lowest: their bits, or 0 when fewer
 * are free. All are of one kind. */
uint64_t dtx_placement_gpus(const struct dtx_gpu *gpu, uint32_t n,
                            uint64_t free, const struct dtx_locus *at,
                            uint32_t k);

#endif

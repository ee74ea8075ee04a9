/* SPDX-License-Identifier: MIT */
/* sched/traffic.h - the memory bandwidth of NUMA nodes, and who uses it
 *
 * What a task moves is told as a share of what the memory of one NUMA node can
 * move, in parts of DTX_TRAFFIC_ONE.  A task is heavy when tasks like it in all
 * slots of a NUMA node would ask for more than there is; only those are looked
 * after.  As many of them run at once as fit: beyond that each waits for memory
 * for longer, and holds a slot in which one that computes would not (time to
 * compute and time to move data: Williams, Waterman and Patterson, "Roofline",
 * CACM 52(4), 2009).
 *
 * Ranks that share NUMA nodes share a pool.  In which NUMA node of its pool a
 * task starts is the executor's choice (task/placement.h).  It is arithmetic:
 * nothing is measured here.
 */
#ifndef DTX_SCHED_TRAFFIC_H
#define DTX_SCHED_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_traffic;

#define DTX_TRAFFIC_ONE 65536u
#define DTX_TRAFFIC_NONE UINT32_MAX

struct dtx_traffic *dtx_traffic_create(uint32_t nranks); /* NULL: no memory */
void dtx_traffic_destroy(struct dtx_traffic *t);         /* NULL is allowed */

/* A pool of so many NUMA nodes, in which there are so many slots: its number,
 * or DTX_TRAFFIC_NONE when out of memory. */
uint32_t dtx_traffic_add_pool(struct dtx_traffic *t, uint32_t nodes,
                              uint32_t slots);
void dtx_traffic_set_rank(struct dtx_traffic *t, uint32_t rank, uint32_t pool);

/* Where a rank has its slots: in the NUMA nodes 'first' to 'last' of a machine,
 * whose numbers have no holes. */
struct dtx_traffic_reach {
    uint32_t node; /* which machine */
    uint32_t first, last, slots;
};
/* Make the pools: ranks that reach the same NUMA node share one, and so do
 * those that share one with a third. Costs a sort. 0 or DTX_ENOMEM. */
int dtx_traffic_lay_out(struct dtx_traffic *t,
                        const struct dtx_traffic_reach *reach,
                        uint32_t nranks);

/* From a share of 1 or so, as measured, to parts; 0 for what is no number. */
uint32_t dtx_traffic_parts(double share);
/* Would tasks like this one crowd a NUMA node of any pool? */
bool dtx_traffic_is_heavy(const struct dtx_traffic *t, uint32_t parts);
/* How many pools there are, a rank's, and how many NUMA nodes one has. */
uint32_t dtx_traffic_pools(const struct dtx_traffic *t);
uint32_t dtx_traffic_pool(const struct dtx_traffic *t, uint32_t rank);
uint32_t dtx_traffic_pool_nodes(const struct dtx_traffic *t, uint32_t pool);
/* All NUMA nodes together. */
uint64_t dtx_traffic_nodes(const struct dtx_traffic *t);

/* Nothing is used: a job begins. */
void dtx_traffic_clear(struct dtx_traffic *t);

/* Is there room for one more of these in the rank's pool? As many fit as go
 * whole into each NUMA node, at least one. */
bool dtx_traffic_fits(const struct dtx_traffic *t, uint32_t rank,
                      uint32_t parts);
/* What is left there for each NUMA node, below 0 when it is crowded. */
int64_t dtx_traffic_left(const struct dtx_traffic *t, uint32_t rank);
/* One comes, whether it fits or not; one goes. */
void dtx_traffic_take(struct dtx_traffic *t, uint32_t rank, uint32_t parts);
void dtx_traffic_give(struct dtx_traffic *t, uint32_t rank, uint32_t parts);

#endif

/* SPDX-License-Identifier: MIT */
/* tests/property/lane.h - the kernel lane among ranks that are not there
 *
 * The broker, its books and a member for each rank, as in lib/, with a network
 * that keeps the order of two ranks' frames and no other, and with ranks that
 * die, and what they sent other ranks than 0 with them or not.  What happens next is drawn from a seed: a frame arrives, a slot does a
 * unit of work, a rank answers or asks, one dies, its death is noticed.  There
 * is no clock, since nothing may depend on one.
 *
 * What was done is compared with what should have been: the sum over all units
 * of a hash of each, and for tasks the order and number of their ends.
 */
#ifndef DTX_SIM_LANE_H
#define DTX_SIM_LANE_H

#include <stdbool.h>
#include <stdint.h>

enum dtx_lane_kind {
    DTX_LANE_LOOP,   /* ranges dealt out at the start */
    DTX_LANE_CHUNKS, /* chunks of a source */
    DTX_LANE_TREE,
    DTX_LANE_TASKS,  /* with dependencies; some fail */
    DTX_LANE_SPAWN   /* the same, and they spawn others */
};

struct dtx_lane_case {
    enum dtx_lane_kind kind;
    uint32_t nranks;
    uint32_t units;  /* iterations or tasks; of a tree: about so many nodes */
    uint32_t deaths; /* at most; rank 0 lives */
    bool fails;      /* a rank, be it 0, says that it cannot go on */
    bool values;     /* tasks: sums are handed in as well */
    uint64_t seed;
};

struct dtx_lane_result {
    int code;         /* of the region */
    uint32_t dead;
    bool failed;      /* a rank did so */
    uint32_t told;    /* ranks that live and heard of it, by its name */
    uint32_t alone;   /* and who live and did not */
    uint32_t rounds;
    uint32_t lent;    /* tasks that another rank than 0 parted with */
    uint32_t straight; /* shares that went so, ... */
    uint32_t late;     /* ... and came behind the broker's word of them */
    uint64_t done, want_done;
    uint64_t sum, want_sum;
    char wrong[128];  /* what must never happen and did; "" */
};

/* 0, or DTX_ENOMEM. */
int dtx_lane_simulate(const struct dtx_lane_case *c,
                      struct dtx_lane_result *out);

#endif

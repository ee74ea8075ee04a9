/* SPDX-License-Identifier: MIT */
/* sched/stock.h - memory and devices of the nodes, and who has them
 *
 * Tasks that ask for memory or devices are handed out only while their node
 * has as much left; the stock says where that is, and keeps count.  Memory is
 * the node's, shared by its ranks.  Devices are in pools: ranks that see the
 * same devices of a node share one.  It is arithmetic: nothing is measured
 * here, and nobody is kept from using more than he asked for.
 */
#ifndef DTX_SCHED_STOCK_H
#define DTX_SCHED_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/machine.h"

struct dtx_stock;

#define DTX_STOCK_NONE UINT32_MAX
#define DTX_STOCK_PROMISES 2

/* What a task asks for, beside slots. */
struct dtx_need {
    int64_t mem_bytes; /* 0: does not say */
    uint32_t gpus;
};

struct dtx_stock *dtx_stock_create(uint32_t nranks); /* NULL: no memory */
void dtx_stock_destroy(struct dtx_stock *l);         /* NULL is allowed */

/* ---- setting up: nodes and pools, then the rank of each ---- */
/* A node with so much memory (0: not known, so without end); its number, or
 * DTX_STOCK_NONE when out of memory. */
uint32_t dtx_stock_add_node(struct dtx_stock *l, int64_t mem_bytes);
/* A pool of devices (copied), likewise. */
uint32_t dtx_stock_add_pool(struct dtx_stock *l, const struct dtx_gpu *gpu,
                             size_t n);
/* 'at': near which place its devices should be. */
void dtx_stock_set_rank(struct dtx_stock *l, uint32_t rank, uint32_t node,
                         uint32_t pool, const struct dtx_locus *at);

/* ---- at work ---- */
/* A rank may be given to from now on, or no longer (what it has stays in the
 * count until it is given back). False when out of memory. */
bool dtx_stock_join(struct dtx_stock *l, uint32_t rank);
void dtx_stock_leave(struct dtx_stock *l, uint32_t rank);

/* Could the rank have it, were nothing taken? */
bool dtx_stock_could(const struct dtx_stock *l, uint32_t rank,
                      const struct dtx_need *need);
/* The rank that has joined, whose node has what the task needs beside what was
 * promised to others before it, and to which 'score' gives most (below 0: not
 * this one; ties: the lowest); or DTX_STOCK_NONE. Looks at the few nodes with
 * most left of what is needed and at the one that was promised to it; at all
 * when nothing is taken, so that NONE is the last word then. */
uint32_t dtx_stock_find(const struct dtx_stock *l, uint32_t task,
                         const struct dtx_need *need,
                         int64_t (*score)(void *ctx, uint32_t rank), void *ctx);

enum dtx_stock_answer {
    DTX_STOCK_KEPT,    /* it is promised */
    DTX_STOCK_SEEKING, /* not yet: ask again, and others are looked at */
    DTX_STOCK_NEVER    /* no rank that has joined could have it */
};

/* The task needs what no node has now: one that could have it is promised to
 * it, by the 'which'-th promise, whoever had that.  Others get there only what
 * it will leave, so that it need not wait for more than what was taken before:
 * the reservation of backfilling (Lifka, "The ANL/IBM SP scheduling system",
 * JSSPP 1995), without times. 'score' below 0: not this rank. Each call looks
 * at a few nodes, those with most left and then the next of all. Taking ends
 * it, as does the loss of its rank. */
enum dtx_stock_answer dtx_stock_promise(
    struct dtx_stock *l, uint32_t which, uint32_t task,
    const struct dtx_need *need, int64_t (*score)(void *ctx, uint32_t rank),
    void *ctx);
/* The rank that is promised to it, or DTX_STOCK_NONE. */
uint32_t dtx_stock_promised(const struct dtx_stock *l, uint32_t task);
/* Nothing is promised to this task any more. */
void dtx_stock_unpromise(struct dtx_stock *l, uint32_t task);
/* Count it as taken; near devices first. False, and nothing taken, when it is
 * not there or out of memory. */
bool dtx_stock_take(struct dtx_stock *l, uint32_t rank, uint32_t task,
                     const struct dtx_need *need);
/* What this task took is there again; nothing if it took nothing. */
void dtx_stock_give(struct dtx_stock *l, uint32_t rank, uint32_t task);
/* The devices it took: bit i is the i-th of the rank's pool. */
uint64_t dtx_stock_devices(const struct dtx_stock *l, uint32_t rank,
                            uint32_t task);
/* Is nothing taken at all? */
bool dtx_stock_idle(const struct dtx_stock *l);

#endif

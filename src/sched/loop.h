/* SPDX-License-Identifier: MIT */
/* sched/loop.h - the loop schedules of the literature, by their usual names
 *
 * A plan cuts the iterations 0 .. total-1 into chunks, front to back, one for
 * each time a slot asks.  What a slot is given depends on how much is left, how
 * many slots there are and, for the adaptive ones, on what was learnt of the
 * ranks' speed.  It is arithmetic alone: it sends nothing and asks nobody the
 * time.  One caller at a time.
 */
#ifndef DTX_SCHED_LOOP_H
#define DTX_SCHED_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_loop_plan;

/* What a plan is made for. */
struct dtx_loop_case {
    uint64_t total;        /* iterations */
    uint64_t least;        /* no chunk is smaller, but the last; 0 = 1 */
    uint32_t nranks;
    const uint32_t *slots; /* of each rank; 0: takes no part; copied */
    const double *weight;  /* speed of a slot of each rank, any unit; NULL: all
                              alike; copied */
    double overhead_ns;    /* FSC: h, the cost of taking a chunk */
    double sigma_ns;       /* FSC: deviation of an iteration's time */
};

struct dtx_loop_schedule {
    const char *name;   /* "static", "ss", ... */
    const char *help;   /* one line */
    const char *source; /* the paper */
    bool learns;        /* dtx_loop_plan_learn changes what it does */
    bool asks;          /* needs overhead_ns and sigma_ns */
};

/* NULL and 'err' filled with the names there are. Letters count alike in both
 * cases; '-' and '_' too. */
const struct dtx_loop_schedule *dtx_loop_schedule_find(const char *name,
                                                       struct dtx_error *err);
/* Our own way, for which there is no plan: ranges are dealt out at the start
 * and move to whoever runs dry. */
bool dtx_loop_schedule_is_own(const struct dtx_loop_schedule *s);

/* NULL when out of memory. */
struct dtx_loop_plan *dtx_loop_plan_create(const struct dtx_loop_schedule *s,
                                           const struct dtx_loop_case *c);
void dtx_loop_plan_destroy(struct dtx_loop_plan *p); /* NULL is allowed */
/* The next chunk, for a slot of 'rank': its size, 0 when all are given out, and
 * where it begins. */
uint64_t dtx_loop_plan_next(struct dtx_loop_plan *p, uint32_t rank,
                            uint64_t *begin);
/* A slot of 'rank' took 'ns' for a chunk of 'count' iterations. */
void dtx_loop_plan_learn(struct dtx_loop_plan *p, uint32_t rank, uint64_t count,
                         double ns);

#endif

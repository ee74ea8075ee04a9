/* SPDX-License-Identifier: MIT */
/* sched/recall.h - what the loops of earlier runs cost
 *
 * A loop is known by its kernel, range and features; what is recalled for one
 * is the profile of the same, or of the most similar one of that kernel,
 * stretched to its range and believed the less the more they differ.  All ranks
 * hold the same, and so they all recall the same.  Of each loop two profiles
 * are kept: that of its first sweep in this run, which is what the next run
 * begins with, and that of the last one.
 */
#ifndef DTX_SCHED_RECALL_H
#define DTX_SCHED_RECALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/profile.h"

#define DTX_RECALL_LOOPS 64u    /* beyond these the oldest is forgotten */
#define DTX_RECALL_FEATURES 8u

struct dtx_loop_name {
    const char *kernel;
    uint64_t begin, end;
    const double *x;
    uint32_t nx; /* at most DTX_RECALL_FEATURES */
};

struct dtx_recall;

struct dtx_recall *dtx_recall_create(void);
void dtx_recall_destroy(struct dtx_recall *r); /* NULL is allowed */
size_t dtx_recall_loops(const struct dtx_recall *r);
/* A profile of an earlier run, in the order in which they were kept. False: out
 * of memory. */
bool dtx_recall_load(struct dtx_recall *r, const struct dtx_loop_name *n,
                     const struct dtx_profile *p);
/* ... or of a sweep that has ended just now. */
bool dtx_recall_keep(struct dtx_recall *r, const struct dtx_loop_name *n,
                     const struct dtx_profile *p);
/* What a loop of 'total' grains is thought to cost; false: nothing is known.
 * '*exact' (may be NULL): it is of the same loop. */
bool dtx_recall_find(const struct dtx_recall *r, const struct dtx_loop_name *n,
                     uint32_t total, struct dtx_profile *out, bool *exact);
/* What is to be kept, the oldest first. Non-zero of 'fn' ends it and is
 * returned. */
typedef int (*dtx_recall_f)(void *ctx, const struct dtx_loop_name *n,
                            const struct dtx_profile *p);
int dtx_recall_each(const struct dtx_recall *r, dtx_recall_f fn, void *ctx);

#endif

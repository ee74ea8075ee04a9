/* SPDX-License-Identifier: MIT */
/* lib/results.h - results of single iterations on their way to rank 0
 *
 * A slot asks for a place for the results of a batch; neighbouring batches fill
 * one buffer, which goes to the communicating thread when it is full, when the
 * next batch is no neighbour, or when the slot has nothing to do.  That thread
 * sends it (or delivers it, on rank 0).  A rank that produces faster than rank
 * 0 takes in waits, with at most 16 MiB behind it.
 */
#ifndef DTX_LIB_RESULTS_H
#define DTX_LIB_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/codec.h"

struct dtx_region;
struct dtx_results;

/* NULL when out of memory. */
struct dtx_results *dtx_results_create(struct dtx_region *g);
void dtx_results_destroy(struct dtx_results *r); /* NULL is allowed */

/* A slot's: where the results of iterations first .. first+count-1 go; NULL
 * when out of memory. */
char *dtx_results_place(struct dtx_results *r, unsigned slot, uint64_t first,
                        uint64_t count);
/* A slot's: an iteration whose place it has been given has failed. */
void dtx_results_taint(struct dtx_results *r, unsigned slot);
/* A slot's: it has nothing to do for now. */
void dtx_results_flush(struct dtx_results *r, unsigned slot);

/* The communicating thread's: pass on what is full, as long as the network
 * takes it. 0 or negative. True in '*left' when something is still here. */
int dtx_results_pump(struct dtx_results *r, bool *left);
/* Throw away what is in the queue, and from now on what comes to it. NULL is
 * allowed. */
void dtx_results_discard(struct dtx_results *r);
/* Results that this rank has passed on. */
uint64_t dtx_results_sent(const struct dtx_results *r);
/* Rank 0: some have come; those that have come before are passed over. False:
 * they are not of this loop, or memory is short. */
bool dtx_results_take(struct dtx_results *r, uint64_t first, uint64_t count,
                      bool failed, struct dtx_str bytes);
/* Rank 0: some that an earlier run has left; as above. */
bool dtx_results_known(struct dtx_results *r, uint64_t first, uint64_t count,
                       struct dtx_str bytes);
/* Rank 0, at the end: deliver what still waits for its turn behind a gap. */
void dtx_results_finish(struct dtx_results *r);

#endif

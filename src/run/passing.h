/* SPDX-License-Identifier: MIT */
/* run/passing.h - which segments of outputs that are not kept may go
 *
 * Rank 0 counts, for each segment of each rank (store/output.h), the outputs
 * that are still to be shown.  A segment may go when there are none and a later
 * one of its rank has been heard of, since outputs of a rank are told of in the
 * order in which they were packed.  The last ones go with the session.  Not
 * thread-safe; does no I/O.
 */
#ifndef DTX_RUN_PASSING_H
#define DTX_RUN_PASSING_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_passing;

struct dtx_passing *dtx_passing_create(uint32_t nranks); /* NULL: no memory */
void dtx_passing_destroy(struct dtx_passing *p); /* NULL is allowed */
/* An output at 'out_off' has been told of, and is needed until its release.
 * False when out of memory: then nothing of this rank goes any more. */
bool dtx_passing_hold(struct dtx_passing *p, uint32_t rank, uint64_t out_off);
void dtx_passing_release(struct dtx_passing *p, uint32_t rank,
                         uint64_t out_off);
/* A segment that may go, each once; false: there is none now. */
bool dtx_passing_next(struct dtx_passing *p, uint32_t *rank, uint32_t *segment);
/* Would dtx_passing_next say true? */
bool dtx_passing_any(const struct dtx_passing *p);

#endif

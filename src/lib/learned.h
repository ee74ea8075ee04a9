/* SPDX-License-Identifier: MIT */
/* lib/learned.h - what is learned of kernels, and kept from run to run
 *
 * Loops: the profile by which one is dealt out, and what its sweep cost.  The
 * file of the option learned= is rank 0's to read and to write; all ranks get
 * what it says of loops at the start, since all deal by it.
 */
#ifndef DTX_LIB_LEARNED_H
#define DTX_LIB_LEARNED_H

#include "lib/session.h"

/* Collective. 'err', the same on all ranks: its folder is not there, or there
 * is no memory. What is wrong about the file is no failure: it is in
 * s->learned, and 'file' has a text on rank 0. 0 or negative. */
int dtx_learned_open(struct dtx_session *s, struct dtx_error *file,
                     struct dtx_error *err);
/* Rank 0: write what is new, if 'end', or now and then. 0, or why it could not
 * be written. */
int dtx_learned_save(struct dtx_session *s, bool end, struct dtx_error *err);
void dtx_learned_close(struct dtx_session *s);

/* The profile to deal out a loop of 'total' grains by, the same on all ranks:
 * into g->prior, NULL when nothing is known. '*guessed': it is the program's
 * own guess. 0 or DTX_ENOMEM. */
int dtx_learned_prior(struct dtx_region *g, uint32_t total, bool *guessed);
/* What a sweep cost. False when out of memory. */
bool dtx_learned_sweep(const struct dtx_region *g,
                       const struct dtx_profile *p);

#endif

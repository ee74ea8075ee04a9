/* SPDX-License-Identifier: MIT */
/* predict/memory.h - what a predictor has learned, into rows and back
 *
 * Rows that were read from a file are believed only as far as they make sense:
 * one that does not is left out and counted, so that nothing in a damaged
 * history can do more than be missing.
 */
#ifndef DTX_PREDICT_MEMORY_H
#define DTX_PREDICT_MEMORY_H

#include <stdint.h>

struct dtx_experience;
struct dtx_predictor;

/* Append nothing: class, sample and command rows of 'e', which must have none,
 * become those of 'p'. 0 or DTX_ENOMEM. */
int dtx_predictor_save(const struct dtx_predictor *p, struct dtx_experience *e);
/* Add what the rows tell to what 'p' knows; '*senseless' (may be NULL) counts
 * rows left out. 0 or DTX_ENOMEM. */
int dtx_predictor_load(struct dtx_predictor *p, const struct dtx_experience *e,
                       uint64_t *senseless);

#endif

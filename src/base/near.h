/* SPDX-License-Identifier: MIT */
/* base/near.h - what was meant by a word nobody knows
 *
 * Offer every known word; 'best' is the one that a slip of the hand or an
 * abbreviation explains, or NULL.
 */
#ifndef DTX_BASE_NEAR_H
#define DTX_BASE_NEAR_H

#include <stddef.h>

struct dtx_near {
    const char *word; /* borrowed */
    size_t len;
    const char *best; /* one of the words offered */
    size_t distance;
};

/* 'word', its first 'len' bytes, is what was written. Letters count alike in
 * both cases. */
void dtx_near_init(struct dtx_near *s, const char *word, size_t len);
void dtx_near_offer(struct dtx_near *s, const char *known);

#endif

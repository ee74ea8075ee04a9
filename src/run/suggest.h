/* SPDX-License-Identifier: MIT */
/* run/suggest.h - what was meant by a word nobody knows
 *
 * Offer every known word; 'best' is the one that a slip of the hand or an
 * abbreviation explains, or NULL.
 */
#ifndef DTX_RUN_SUGGEST_H
#define DTX_RUN_SUGGEST_H

#include <stddef.h>

struct dtx_suggest {
    const char *word;
    size_t len;
    const char *best; /* one of the words offered */
    size_t distance;
};

void dtx_suggest_init(struct dtx_suggest *s, const char *word, size_t len);
void dtx_suggest_offer(struct dtx_suggest *s, const char *known);

#endif

/* SPDX-License-Identifier: MIT */
/* store/journal_find.h - whole frames behind bytes that are none
 *
 * For a journal of which a piece is damaged: looks for a frame at every byte.
 * That costs no more than reading the bytes once, whatever lengths they
 * pretend to be, and a kept checksum for each 256 of them.  Private to
 * store/journal*.c.
 */
#ifndef DTX_STORE_JOURNAL_FIND_H
#define DTX_STORE_JOURNAL_FIND_H

#include <stddef.h>
#include <stdint.h>

struct dtx_frame_finder {
    const unsigned char *p;
    size_t len;
    uint32_t *sum;
    size_t n; /* known of 'sum' */
};

/* The bytes must stay. DTX_OK or DTX_ENOMEM. */
int dtx_frame_finder_init(struct dtx_frame_finder *f, const void *data,
                          size_t len);
void dtx_frame_finder_fini(struct dtx_frame_finder *f);
/* Where the first whole frame at 'from' or behind begins; the length when
 * there is none. */
size_t dtx_frame_find(struct dtx_frame_finder *f, size_t from);

#endif

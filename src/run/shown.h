/* SPDX-License-Identifier: MIT */
/* run/shown.h - how much of tasks' outputs was shown while they ran
 *
 * Rank 0 counts here what it has taken of each attempt; nobody else knows.
 * Of a task only the newest attempt counts.  Not thread-safe; does no I/O.
 */
#ifndef DTX_RUN_SHOWN_H
#define DTX_RUN_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_lines_piece;
struct dtx_shown;

/* Of both streams: bytes, and whether they end within a line. */
struct dtx_shown_so_far {
    uint64_t bytes[2];
    bool in_line[2];
};

struct dtx_shown *dtx_shown_create(void);   /* NULL: no memory */
void dtx_shown_destroy(struct dtx_shown *s); /* NULL is allowed */
/* Is this piece the next one of its stream? '*in_line': it goes on with a line
 * that has begun. False also when out of memory, and for a piece without data,
 * which makes its stream one of which nothing was shown. */
bool dtx_shown_take(struct dtx_shown *s, const struct dtx_lines_piece *p,
                    bool *in_line);
/* The attempt has ended: what was shown of it, nothing at all included. It is
 * forgotten. */
struct dtx_shown_so_far dtx_shown_end(struct dtx_shown *s, uint32_t task,
                                      uint32_t attempt);

#endif

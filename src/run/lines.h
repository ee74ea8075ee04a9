/* SPDX-License-Identifier: MIT */
/* run/lines.h - the lines of tasks that still run (--line-buffer)
 *
 * On each rank: looks a few times a second at what running tasks have written
 * and hands on whole lines, from the capture files, in which all stays until
 * the task has ended.  Rank 0 (run/show.h) counts what it has taken of each
 * attempt; when the attempt has ended it shows the packed output from there on.
 * For that count to be final an outcome is held until rank 0 has heard all that
 * was sent before it: one round trip, for attempts of which lines were shown.
 *
 * What was sent and has not been written yet is bounded: behind a slow reader
 * lines wait in the files.
 *
 *     dtx_lines_poll()      a few times a second, and when there is room again
 *     dtx_lines_end()       when the attempt's result is there
 *     dtx_lines_hold()      before its outcome is told; _next() gives it back
 */
#ifndef DTX_RUN_LINES_H
#define DTX_RUN_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/outcome.h"

struct dtx_lines;
struct dtx_spawner;

#define DTX_LINES_CHUNK (256u << 10) /* a longer line is sent in parts */
#define DTX_LINES_WINDOW (1u << 20)  /* sent and not yet written, about ... */
#define DTX_LINES_ALL (64u << 20)    /* ... and of all ranks together */
#define DTX_LINES_COST 128u          /* what a piece counts beside its bytes */

/* Some lines of one stream, or the part of a long one. Without data: what was
 * sent of this stream is no longer the beginning of its output (the task has
 * emptied the file), so that all of it is to be shown at the end. */
struct dtx_lines_piece {
    uint32_t task, attempt;
    int stream;   /* 0 stdout, 1 stderr */
    uint64_t off; /* bytes of the stream before it */
    const char *data;
    size_t len;
};

typedef void (*dtx_lines_send_f)(void *ctx, const struct dtx_lines_piece *p);

/* One of so many ranks; the spawner is borrowed. NULL when out of memory. */
struct dtx_lines *dtx_lines_create(struct dtx_spawner *s, uint32_t ranks);
void dtx_lines_destroy(struct dtx_lines *l); /* NULL is allowed */
/* Where pieces go: before the first poll. */
void dtx_lines_to(struct dtx_lines *l, dtx_lines_send_f send, void *ctx);

/* Send what has come. True when something was. */
bool dtx_lines_poll(struct dtx_lines *l);
/* Rank 0 has heard 'pieces' more, and 'bytes' (costs included) more have been
 * written. True when lines may go on that had to wait. */
bool dtx_lines_back(struct dtx_lines *l, uint32_t pieces, uint64_t bytes);
/* The result of an attempt is there, and its streams began at 'start'. */
void dtx_lines_end(struct dtx_lines *l, uint32_t task, uint32_t attempt,
                   const int64_t start[2]);
/* True when the outcome is kept until rank 0 has heard what was sent. */
bool dtx_lines_hold(struct dtx_lines *l, const struct dtx_outcome *o);
/* One that was kept and may be told now. */
bool dtx_lines_next(struct dtx_lines *l, struct dtx_outcome *out);

#endif

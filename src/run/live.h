/* SPDX-License-Identifier: MIT */
/* run/live.h - lines of running tasks on their way from a rank to rank 0
 *
 * Between what reads them (run/lines.h) and what shows them (run/show.h): the
 * two messages of the bulk channel, LINES and BACK (doc/protocol.md), which
 * rank 0 does without for its own.  Part of the loop.
 */
#ifndef DTX_RUN_LIVE_H
#define DTX_RUN_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/codec.h"

struct dtx_inbox;
struct dtx_lines;
struct dtx_show;

/* Send LINES, or BACK: then there is no data and 'len' stands by itself. */
typedef void (*dtx_live_send_f)(void *ctx, uint32_t to, bool back,
                                uint64_t off, const void *data, size_t len);

struct dtx_live {
    uint32_t rank;
    struct dtx_lines *lines; /* NULL: all does nothing */
    struct dtx_show *show;   /* rank 0 */
    dtx_live_send_f send;
    void *ctx;
    int64_t next_ns; /* when to look again */
};

/* All is borrowed. */
void dtx_live_begin(struct dtx_live *v, uint32_t rank, struct dtx_lines *lines,
                    struct dtx_show *show, dtx_live_send_f send, void *ctx);
/* LINES have come, to rank 0. */
void dtx_live_hear(struct dtx_live *v, uint32_t from, uint64_t off,
                   struct dtx_str body);
/* BACK has come. */
void dtx_live_back(struct dtx_live *v, uint32_t pieces, uint64_t bytes);
/* Look, if it is time; outcomes that may be told go to the worker. True when
 * anything moved. */
bool dtx_live_poll(struct dtx_live *v, int64_t now, struct dtx_inbox *worker);

#endif

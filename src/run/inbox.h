/* SPDX-License-Identifier: MIT */
/* run/inbox.h - events waiting for a state machine, with their bytes */
#ifndef DTX_RUN_INBOX_H
#define DTX_RUN_INBOX_H

#include <stddef.h>

#include "base/buf.h"
#include "engine/event.h"
#include "task/outcome.h"

struct dtx_inbox_item {
    struct dtx_event ev;
    size_t at;                /* FRAME, RANK_LOST: its bytes in 'bytes' */
    struct dtx_outcome ended; /* TASK_ENDED */
};

struct dtx_inbox {
    struct dtx_inbox_item *item;
    size_t count, cap;
    struct dtx_buf bytes;
    bool failed; /* out of memory: something was lost */
};

#define DTX_INBOX_INIT {NULL, 0, 0, DTX_BUF_INIT, false}

/* A new event of this kind, to be filled in; never NULL (a scratch one when
 * 'failed'). */
struct dtx_event *dtx_inbox_add(struct dtx_inbox *b, enum dtx_event_kind kind);
void dtx_inbox_frame(struct dtx_inbox *b, uint32_t from, const void *data,
                     size_t len);
/* What 'l' points to is copied. */
void dtx_inbox_lost(struct dtx_inbox *b, const struct dtx_loss *l);
void dtx_inbox_ended(struct dtx_inbox *b, const struct dtx_outcome *o);
/* Event i, ready to be stepped: 'more' tells of later ones. */
const struct dtx_event *dtx_inbox_event(struct dtx_inbox *b, size_t i,
                                        int64_t now_ns);
void dtx_inbox_clear(struct dtx_inbox *b);
void dtx_inbox_free(struct dtx_inbox *b);

#endif

/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_wire.c - any bytes as a message and as a record
 *
 * What is accepted, list and all, must be written again as the same bytes:
 * there is one encoding of everything.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read a list to its end and write it; false when it is refused. */
#define LIST(NAME, name)                                                       \
    static int copy_##name(struct dtx_cursor c, struct dtx_buf *b)             \
    {                                                                          \
        struct dtx_item_##name item;                                           \
        int rc;                                                                \
                                                                               \
        while ((rc = dtx_item_##name##_next(&c, &item)) > 0)                   \
            dtx_item_##name##_encode(b, &item);                                \
        return rc == 0 && dtx_cursor_done(&c);                                 \
    }
DTX_ITEM_MAP(LIST)

static int copy_none(struct dtx_cursor c, struct dtx_buf *b)
{
    (void)b;
    return dtx_cursor_done(&c);
}

#define copy_NONE copy_none
#define copy_WORK copy_work
#define copy_OUTCOME copy_outcome
#define copy_TASKREF copy_taskref
#define copy_ATTR copy_attr
#define copy_TASK copy_task
#define copy_EDGE copy_edge

static void compare(const struct dtx_buf *b, const uint8_t *data, size_t size)
{
    if (b->failed)
        return;
    if (b->len != size || memcmp(b->data, data, size) != 0)
        abort();
}

static void try_message(const uint8_t *data, size_t size)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_msg m;
    int good = 0;

    if (dtx_msg_decode(data, size, &m))
        return;
    dtx_msg_encode(&b, &m);
    switch (m.kind) {
#define CASE(NAME, name, number, item)                                         \
    case DTX_MSG_##NAME:                                                       \
        good = copy_##item(m.items, &b);                                       \
        break;
        DTX_MSG_MAP(CASE)
#undef CASE
    }
    if (good)
        compare(&b, data, size);
    dtx_buf_free(&b);
}

static void try_record(const uint8_t *data, size_t size)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_rec r;
    int good = 0;

    if (dtx_rec_decode(data, size, &r))
        return;
    dtx_rec_encode(&b, &r);
    switch (r.kind) {
#define CASE(NAME, name, number, item)                                         \
    case DTX_REC_##NAME:                                                       \
        good = copy_##item(r.items, &b);                                       \
        break;
        DTX_REC_MAP(CASE)
#undef CASE
    }
    if (good)
        compare(&b, data, size);
    dtx_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_message(data, size);
    try_record(data, size);
    return 0;
}

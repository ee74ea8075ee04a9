/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_journal.c - any bytes as a journal
 *
 * Either the header is refused, or whole records and damaged stretches come in
 * order and without a hole, each record framed anew gives the very bytes it was
 * read from, and what is left is 'torn'. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

struct seen {
    const uint8_t *data;
    size_t size, at;
    bool in_gap; /* the last was a damaged stretch */
    unsigned count, stop_at;
};

static int see(void *ctx, const void *payload, size_t len, uint64_t at,
               struct dtx_error *err)
{
    struct seen *s = ctx;
    struct dtx_buf b = DTX_BUF_INIT;

    (void)err;
    require(at == s->at);
    if (!payload) {
        require(len > 0 && len < s->size - s->at && !s->in_gap);
        s->in_gap = true;
        s->at += len;
        return 0;
    }
    s->in_gap = false;
    require(len > 0 && len <= s->size - s->at - DTX_JOURNAL_FRAME);
    dtx_journal_frame(&b, payload, len);
    require(!b.failed && memcmp(b.data, s->data + at, b.len) == 0);
    s->at += b.len;
    dtx_buf_free(&b);
    return ++s->count == s->stop_at ? DTX_EAGAIN : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = {data, size, 16, false, 0, 0};
    struct seen again = {data, size, 16, false, 0, 0};
    struct dtx_error err = {0, ""};
    uint64_t torn = UINT64_MAX;
    int rc = dtx_journal_read_bytes(data, size, see, &s, &torn, &err);

    if (rc != 0) {
        require(rc == DTX_EFOREIGN && s.count == 0 && err.text[0]);
        return 0;
    }
    require(!s.in_gap);
    require(size < 16 ? torn == size : torn == size - s.at);
    if (s.count > 0) {
        again.stop_at = (s.count + 1) / 2;
        require(dtx_journal_read_bytes(data, size, see, &again, NULL, NULL) ==
                DTX_EAGAIN);
        require(again.count == again.stop_at);
    }
    return 0;
}

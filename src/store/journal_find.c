/* SPDX-License-Identifier: MIT */
/* Frames of a journal behind bytes that are none; see journal_find.h.  It reads
 * no file and never looks into a payload.
 *
 * Checksums of the first k * STEP bytes are kept, as far as they were needed:
 * of any range between two of them the checksum follows without reading it. */
#include "store/journal_find.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "store/file.h"
#include "store/journal.h"

#define STEP 256u /* bytes between two kept checksums */

/* a * b modulo the polynomial of CRC-32, bits reversed as in zlib. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t m = UINT32_C(1) << 31, p = 0;

    for (; m != 0 && a != 0; m >>= 1) {
        if (a & m) {
            p ^= b;
            a ^= m;
        }
        b = b & 1 ? (b >> 1) ^ UINT32_C(0xedb88320) : b >> 1;
    }
    return p;
}

/* The checksum's part in that of itself and 'len' further bytes. */
static uint32_t shift(uint32_t crc, size_t len)
{
    uint32_t x = UINT32_C(1) << 23; /* x to the power of 8: one byte */

    for (; len > 0; len >>= 1) {
        if (len & 1)
            crc = multiply(x, crc);
        x = multiply(x, x);
    }
    return crc;
}

static uint32_t join(uint32_t first, uint32_t second, size_t second_len)
{
    return shift(first, second_len) ^ second;
}

static uint32_t sum_to(struct dtx_frame_finder *s, size_t k)
{
    for (; s->n <= k; s->n++)
        s->sum[s->n] = s->n == 0 ? 0
                                 : dtx_crc32(s->sum[s->n - 1],
                                             s->p + (s->n - 1) * STEP, STEP);
    return s->sum[k];
}

static uint32_t sum_of(struct dtx_frame_finder *s, size_t from, size_t to)
{
    size_t a = (from + STEP - 1) / STEP, z = to / STEP;
    uint32_t head, middle;

    if (to - from <= 8 * STEP)
        return dtx_crc32(0, s->p + from, to - from);
    head = dtx_crc32(0, s->p + from, a * STEP - from);
    middle = join(sum_to(s, a), sum_to(s, z), (z - a) * STEP);
    return dtx_crc32(join(head, middle, (z - a) * STEP), s->p + z * STEP,
                     to - z * STEP);
}

int dtx_frame_finder_init(struct dtx_frame_finder *f, const void *data,
                          size_t len)
{
    f->p = data;
    f->len = len;
    f->n = 0;
    f->sum = malloc((len / STEP + 1) * sizeof(*f->sum));
    return f->sum ? DTX_OK : DTX_ENOMEM;
}

void dtx_frame_finder_fini(struct dtx_frame_finder *f)
{
    free(f->sum);
    f->sum = NULL;
}

size_t dtx_frame_find(struct dtx_frame_finder *f, size_t from)
{
    size_t len = f->len, at, n;

    for (at = from; len > DTX_JOURNAL_FRAME && at < len - DTX_JOURNAL_FRAME;
         at++) {
        const unsigned char *p = f->p + at;
        size_t body = at + DTX_JOURNAL_FRAME;

        n = dtx_file_get32(p);
        if (n == 0 || n > DTX_JOURNAL_MAX_RECORD || n > len - body)
            continue;
        if (sum_of(f, body, body + n) == dtx_file_get32(p + 4))
            return at;
    }
    return len;
}

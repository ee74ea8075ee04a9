/* SPDX-License-Identifier: MIT */
/* Numbers and texts as bytes; see codec.h.  Every length is compared with what
 * is left before it is used. */
#include "wire/codec.h"

#include <math.h>
#include <string.h>

struct dtx_cursor dtx_cursor_over(const void *data, size_t len)
{
    const unsigned char *p = data;

    return (struct dtx_cursor){p, len ? p + len : p, false};
}

bool dtx_cursor_done(const struct dtx_cursor *c)
{
    return !c->bad && c->p == c->end;
}

struct dtx_str dtx_str_of(const char *s)
{
    return (struct dtx_str){s ? s : "", s ? strlen(s) : 0};
}

void dtx_put_u8(struct dtx_buf *b, uint8_t v)
{
    dtx_buf_append(b, &v, 1);
}

void dtx_put_u64(struct dtx_buf *b, uint64_t v)
{
    unsigned char *out;

    if (!dtx_buf_reserve(b, 10))
        return;
    out = (unsigned char *)b->data + b->len;
    for (; v >= 0x80; v >>= 7)
        *out++ = (unsigned char)(v | 0x80);
    *out++ = (unsigned char)v;
    *out = '\0';
    b->len = (size_t)(out - (unsigned char *)b->data);
}

void dtx_put_u32(struct dtx_buf *b, uint32_t v)
{
    dtx_put_u64(b, v);
}

void dtx_put_i64(struct dtx_buf *b, int64_t v)
{
    dtx_put_u64(b, ((uint64_t)v << 1) ^ (uint64_t)(v < 0 ? -1 : 0));
}

void dtx_put_i32(struct dtx_buf *b, int32_t v)
{
    dtx_put_i64(b, v);
}

void dtx_put_str(struct dtx_buf *b, struct dtx_str v)
{
    dtx_put_u64(b, v.len);
    dtx_buf_append(b, v.data, v.len);
}

static uint64_t fail(struct dtx_cursor *c)
{
    c->bad = true;
    c->p = c->end;
    return 0;
}

uint8_t dtx_get_u8(struct dtx_cursor *c)
{
    if (c->p == c->end)
        return (uint8_t)fail(c);
    return *c->p++;
}

uint64_t dtx_get_long(struct dtx_cursor *c)
{
    uint64_t v = 0;
    unsigned shift;

    for (shift = 0; shift < 70; shift += 7) {
        unsigned char byte;

        if (c->p == c->end)
            return fail(c);
        byte = *c->p++;
        if (shift == 63 && byte > 1)
            return fail(c);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte == 0 && shift > 0 ? fail(c) : v;
    }
    return fail(c);
}

uint32_t dtx_get_u32(struct dtx_cursor *c)
{
    uint64_t v = dtx_get_u64(c);

    return (uint32_t)(v > UINT32_MAX ? fail(c) : v);
}

int64_t dtx_get_i64(struct dtx_cursor *c)
{
    uint64_t v = dtx_get_u64(c);

    return (int64_t)((v >> 1) ^ (~(v & 1) + 1));
}

int32_t dtx_get_i32(struct dtx_cursor *c)
{
    int64_t v = dtx_get_i64(c);

    if (v < INT32_MIN || v > INT32_MAX)
        return (int32_t)fail(c);
    return (int32_t)v;
}

struct dtx_str dtx_get_str(struct dtx_cursor *c)
{
    uint64_t len = dtx_get_u64(c);
    struct dtx_str s = {"", 0};

    if (len > (uint64_t)(c->end - c->p)) {
        (void)fail(c);
        return s;
    }
    if (len > 0) {
        s.data = (const char *)c->p;
        s.len = (size_t)len;
        c->p += len;
    }
    return s;
}

void dtx_put_doubles(struct dtx_buf *b, const double *x, uint32_t n)
{
    uint64_t bits;
    uint32_t i;

    for (i = 0; i < n; i++) {
        memcpy(&bits, &x[i], sizeof(bits));
        dtx_put_u64(b, bits);
    }
}

bool dtx_get_doubles(struct dtx_str bytes, double *x, uint32_t most,
                     uint32_t *n)
{
    struct dtx_cursor c = dtx_cursor_over(bytes.data, bytes.len);
    bool ok = true;

    for (*n = 0; *n < most && ok && !dtx_cursor_done(&c); (*n)++) {
        uint64_t bits = dtx_get_u64(&c);

        memcpy(&x[*n], &bits, sizeof(bits));
        ok = !c.bad && isfinite(x[*n]);
    }
    return ok && dtx_cursor_done(&c);
}

void dtx_put_counters(struct dtx_buf *b, struct dtx_counters v)
{
    unsigned i;

    dtx_put_u8(b, v.provider);
    if (v.provider == DTX_COUNTER_NONE)
        return;
    dtx_put_u8(b, v.counted);
    for (i = 0; i < DTX_COUNTED; i++)
        if (v.counted >> i & 1)
            dtx_put_u64(b, v.value[i]);
}

struct dtx_counters dtx_get_counters(struct dtx_cursor *c)
{
    struct dtx_counters v;
    unsigned i;

    memset(&v, 0, sizeof(v));
    v.provider = dtx_get_u8(c);
    if (v.provider == DTX_COUNTER_NONE)
        return v;
    if (v.provider >= DTX_COUNTERS)
        (void)fail(c);
    v.counted = dtx_get_u8(c);
    for (i = 0; i < DTX_COUNTED; i++)
        if (v.counted >> i & 1)
            v.value[i] = dtx_get_u64(c);
    if (c->bad)
        memset(&v, 0, sizeof(v));
    return v;
}

/* SPDX-License-Identifier: MIT */
/* Growable bytes; see buf.h.  Grows by half again, at least to 64 bytes. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dtx_plain(char *s, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            s[i] = '?';
    }
}

void *dtx_grow(void *p, size_t *cap, size_t need, size_t size)
{
    size_t want;
    void *q;

    if (need <= *cap && p)
        return p;
    want = *cap + *cap / 2;
    if (want < need)
        want = need;
    if (want < 8)
        want = 8;
    if (size != 0 && want > SIZE_MAX / size)
        return NULL;
    q = realloc(p, want * size);
    if (q)
        *cap = want;
    return q;
}

/* Node 0 is the last of the first four places. */
void dtx_free_heap(void *p, size_t size)
{
    if (p)
        free((char *)p - 3 * size);
}

void *dtx_grow_heap(void *p, size_t *cap, size_t need, size_t size)
{
    size_t want = *cap + *cap / 2, bytes;
    char *q;

    if (need <= *cap && p)
        return p;
    if (want < need)
        want = need;
    want = want / 4 * 4 + 5; /* whole fours */
    if (want > SIZE_MAX / 2 / size)
        return NULL;
    bytes = (want + 3) * size;
    q = aligned_alloc(4 * size, bytes);
    if (!q)
        return NULL;
    q += 3 * size;
    if (p)
        memcpy(q, p, *cap * size);
    dtx_free_heap(p, size);
    *cap = want;
    return q;
}

bool dtx_buf_enlarge(struct dtx_buf *b, size_t more)
{
    char *p;

    if (b->failed)
        return false;
    if (more > SIZE_MAX / 2 - b->len - 64) {
        b->failed = true;
        return false;
    }
    p = dtx_grow(b->data, &b->cap, b->len + more + 64, 1);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->data[b->len] = '\0';
    return true;
}

void dtx_buf_str(struct dtx_buf *b, const char *s)
{
    dtx_buf_append(b, s, strlen(s));
}

void dtx_buf_char(struct dtx_buf *b, char c)
{
    dtx_buf_append(b, &c, 1);
}

void dtx_buf_printf(struct dtx_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!dtx_buf_reserve(b, (size_t)n + 1))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void dtx_buf_shell_quoted(struct dtx_buf *b, const char *s, size_t len)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_@%+=:,./-";
    size_t i;
    bool plain = len > 0;

    for (i = 0; i < len && plain; i++)
        plain = s[i] != '\0' && strchr(safe, s[i]) != NULL;
    if (plain) {
        dtx_buf_append(b, s, len);
        return;
    }
    dtx_buf_char(b, '\'');
    for (i = 0; i < len; i++) {
        if (s[i] == '\'')
            dtx_buf_str(b, "'\\''");
        else
            dtx_buf_char(b, s[i]);
    }
    dtx_buf_char(b, '\'');
}

void dtx_buf_clear(struct dtx_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

void dtx_buf_drop(struct dtx_buf *b, size_t n)
{
    if (n == 0 || n > b->len)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

void dtx_buf_free(struct dtx_buf *b)
{
    free(b->data);
    *b = (struct dtx_buf)DTX_BUF_INIT;
}

/* SPDX-License-Identifier: MIT */
/* base/buf.h - growable bytes
 *
 * Zero-initialise with DTX_BUF_INIT.  Failure to grow is sticky: 'failed' is
 * set and later appends do nothing, so a writer may append many times and
 * look once.  The data is always followed by a NUL that 'len' does not count
 * (when data is not NULL).
 */
#ifndef DTX_BASE_BUF_H
#define DTX_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct dtx_buf {
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};

#define DTX_BUF_INIT {NULL, 0, 0, false}

/* dtx_buf_reserve where there is no room yet. */
bool dtx_buf_enlarge(struct dtx_buf *b, size_t more);

/* Make room for 'more' further bytes; false (and failed) when there is none. */
static inline bool dtx_buf_reserve(struct dtx_buf *b, size_t more)
{
    return (!b->failed && b->data && b->cap - b->len > more) ||
           dtx_buf_enlarge(b, more);
}

static inline void dtx_buf_append(struct dtx_buf *b, const void *data,
                                  size_t len)
{
    if (!dtx_buf_reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void dtx_buf_str(struct dtx_buf *b, const char *s);
void dtx_buf_char(struct dtx_buf *b, char c);
void dtx_buf_printf(struct dtx_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Append 's' so that a POSIX shell reads it back as one word. */
void dtx_buf_shell_quoted(struct dtx_buf *b, const char *s, size_t len);
/* Forget the content, keep the memory; 'failed' is cleared. */
void dtx_buf_clear(struct dtx_buf *b);
/* Drop the first 'n' bytes (n <= len). */
void dtx_buf_drop(struct dtx_buf *b, size_t n);
void dtx_buf_free(struct dtx_buf *b);

/* Make somebody's bytes fit for a terminal: ? for each control character. */
void dtx_plain(char *s, size_t len);

/* Grow a plain array: returns 'p' or its successor with room for at least
 * 'need' items of 'size' bytes and updates '*cap' (items), or NULL with
 * everything unchanged (the caller still owns 'p'). */
void *dtx_grow(void *p, size_t *cap, size_t need, size_t size);

/* The same for a heap of four branches whose nodes are a power of two in bytes:
 * the four below a node begin at a multiple of their size together, and so take
 * as few lines of cache as can be. Not for realloc or free. */
void *dtx_grow_heap(void *p, size_t *cap, size_t need, size_t size);
void dtx_free_heap(void *p, size_t size); /* NULL is allowed */

#endif

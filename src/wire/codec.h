/* SPDX-License-Identifier: MIT */
/* wire/codec.h - numbers and texts as bytes, bounds-checked
 *
 * Writing appends to a dtx_buf (whose failure is sticky).  Reading moves a
 * cursor that is sticky on failure as well: after the first short or wrong
 * field every read gives 0 or an empty text and 'bad' stays set, so that
 * generated code has no branches and looks once at the end.
 *
 * Unsigned numbers are LEB128 (7 bits a byte, least first, at most 10 bytes,
 * no needless bytes), signed ones zigzag first; a u8 is one byte; a text is
 * its length, then its bytes; counters are their provider, and unless that is 0
 * a byte of what was counted and a u64 for each bit that is set in it.
 */
#ifndef DTX_WIRE_CODEC_H
#define DTX_WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "task/counters.h"

/* Borrowed bytes inside a frame; not NUL-terminated. */
struct dtx_str {
    const char *data;
    size_t len;
};

struct dtx_cursor {
    const unsigned char *p, *end;
    bool bad;
};

struct dtx_cursor dtx_cursor_over(const void *data, size_t len);
/* True at a clean end: nothing left and nothing was wrong. */
bool dtx_cursor_done(const struct dtx_cursor *c);

typedef uint8_t dtx_wire_u8;
typedef uint32_t dtx_wire_u32;
typedef uint64_t dtx_wire_u64;
typedef int32_t dtx_wire_i32;
typedef int64_t dtx_wire_i64;
typedef struct dtx_str dtx_wire_str;
typedef struct dtx_counters dtx_wire_counters;

void dtx_put_u8(struct dtx_buf *b, uint8_t v);
void dtx_put_u32(struct dtx_buf *b, uint32_t v);
void dtx_put_u64(struct dtx_buf *b, uint64_t v);
void dtx_put_i32(struct dtx_buf *b, int32_t v);
void dtx_put_i64(struct dtx_buf *b, int64_t v);
void dtx_put_str(struct dtx_buf *b, struct dtx_str v);
void dtx_put_counters(struct dtx_buf *b, struct dtx_counters v);

/* dtx_get_u64 of a number of several bytes, or of none. */
uint64_t dtx_get_long(struct dtx_cursor *c);

uint8_t dtx_get_u8(struct dtx_cursor *c);
uint32_t dtx_get_u32(struct dtx_cursor *c);
static inline uint64_t dtx_get_u64(struct dtx_cursor *c)
{
    return c->p != c->end && *c->p < 0x80 ? *c->p++ : dtx_get_long(c);
}
int32_t dtx_get_i32(struct dtx_cursor *c);
int64_t dtx_get_i64(struct dtx_cursor *c);
struct dtx_str dtx_get_str(struct dtx_cursor *c);
struct dtx_counters dtx_get_counters(struct dtx_cursor *c);

/* Numbers as a text of their bits, a u64 each. Reading is strict: 'bytes' must
 * hold whole numbers, finite ones, 'most' at most. False: they do not. */
void dtx_put_doubles(struct dtx_buf *b, const double *x, uint32_t n);
bool dtx_get_doubles(struct dtx_str bytes, double *x, uint32_t most,
                     uint32_t *n);

/* A NUL-terminated text as one to be written; NULL is the empty one. */
struct dtx_str dtx_str_of(const char *s);

#endif

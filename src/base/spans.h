/* SPDX-License-Identifier: MIT */
/* base/spans.h - a set of numbers, as spans in order
 *
 *     struct dtx_spans s = DTX_SPANS_INIT;
 *     dtx_spans_add(&s, 10, 5);             // 10 .. 14
 *     dtx_spans_cut(&s, 12, 1);             // 10, 11, 13, 14
 *     for (at = 0; at < 20; at += n)
 *         in = dtx_spans_at(&s, at, 20, &n); // 10 out, 2 in, 1 out, 2 in ...
 *     dtx_spans_free(&s);
 *
 * Neighbours are joined.  Looking costs the logarithm of the spans, a change in
 * the middle moves those behind it, one at the end nothing.
 */
#ifndef DTX_BASE_SPANS_H
#define DTX_BASE_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_span {
    uint64_t first, end;
};

struct dtx_spans {
    struct dtx_span *list;
    size_t n, cap;
};

#define DTX_SPANS_INIT {NULL, 0, 0}

/* Put first .. first+count-1 in, what is in already included. False when out
 * of memory: then nothing has changed. */
bool dtx_spans_add(struct dtx_spans *s, uint64_t first, uint64_t count);
/* Take them out, if they are in. False likewise. */
bool dtx_spans_cut(struct dtx_spans *s, uint64_t first, uint64_t count);
/* Is 'at' in? '*count' is how many from 'at' on, to 'end' (behind 'at') at
 * most, have the same answer. */
bool dtx_spans_at(const struct dtx_spans *s, uint64_t at, uint64_t end,
                  uint64_t *count);
/* How many numbers are in. */
uint64_t dtx_spans_sum(const struct dtx_spans *s);
void dtx_spans_clear(struct dtx_spans *s);
void dtx_spans_free(struct dtx_spans *s);

#endif

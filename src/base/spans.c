/* SPDX-License-Identifier: MIT */
/* Spans in order, none of them empty, none touching the next; see spans.h. */
#include "base/spans.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* The first span that ends at or behind 'at'. */
static size_t find(const struct dtx_spans *s, uint64_t at)
{
    size_t lo = 0, hi = s->n;

    if (s->n > 0 && s->list[s->n - 1].end < at)
        return s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->list[mid].end < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The spans i .. j-1 become 'count' others. */
static bool replace(struct dtx_spans *s, size_t i, size_t j,
                    const struct dtx_span *with, size_t count)
{
    struct dtx_span *l = dtx_grow(s->list, &s->cap, s->n - (j - i) + count,
                                  sizeof(*l));

    if (!l)
        return false;
    s->list = l;
    memmove(l + i + count, l + j, (s->n - j) * sizeof(*l));
    memcpy(l + i, with, count * sizeof(*l));
    s->n = s->n - (j - i) + count;
    return true;
}

bool dtx_spans_add(struct dtx_spans *s, uint64_t first, uint64_t count)
{
    struct dtx_span one = {first, first + count};
    size_t i = find(s, first), j = i;

    if (count == 0)
        return true;
    for (; j < s->n && s->list[j].first <= one.end; j++) {
        if (s->list[j].first < one.first)
            one.first = s->list[j].first;
        if (s->list[j].end > one.end)
            one.end = s->list[j].end;
    }
    return replace(s, i, j, &one, 1);
}

bool dtx_spans_cut(struct dtx_spans *s, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;
    size_t i = find(s, first), j = i, n = 0;
    struct dtx_span rest[2];

    for (; count > 0 && j < s->n && s->list[j].first < end; j++) {
        if (s->list[j].first < first)
            rest[n++] = (struct dtx_span){s->list[j].first, first};
        if (s->list[j].end > end)
            rest[n++] = (struct dtx_span){end, s->list[j].end};
    }
    return i == j || replace(s, i, j, rest, n);
}

bool dtx_spans_at(const struct dtx_spans *s, uint64_t at, uint64_t end,
                  uint64_t *count)
{
    size_t i = find(s, at + 1);
    bool in = i < s->n && s->list[i].first <= at;
    uint64_t stop = in ? s->list[i].end : i < s->n ? s->list[i].first : end;

    *count = (stop < end ? stop : end) - at;
    return in;
}

uint64_t dtx_spans_sum(const struct dtx_spans *s)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < s->n; i++)
        sum += s->list[i].end - s->list[i].first;
    return sum;
}

void dtx_spans_clear(struct dtx_spans *s)
{
    s->n = 0;
}

void dtx_spans_free(struct dtx_spans *s)
{
    free(s->list);
    memset(s, 0, sizeof(*s));
}

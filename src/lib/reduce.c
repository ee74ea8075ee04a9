/* SPDX-License-Identifier: MIT */
/* Reduced values: each slot has a copy of all of them, one behind the other;
 * here they begin, are merged, and reach the caller. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/session.h"

#define EACH(type_, expression)                                                \
    do {                                                                       \
        size_t n_ = r->bytes / sizeof(type_);                                  \
        type_ *a_ = (type_ *)(void *)into;                                     \
        const type_ *b_ = (const type_ *)(const void *)from;                   \
        for (size_t i = 0; i < n_; i++) {                                      \
            type_ a = a_[i], b = b_[i];                                        \
            (void)b;                                                           \
            a_[i] = (type_)(expression);                                       \
        }                                                                      \
    } while (0)

static void merge_i64(const struct dtx_reduction *r, char *into,
                      const char *from)
{
    if (r->op == DTX_SUM) /* wraps, rather than being undefined */
        EACH(int64_t, (uint64_t)a + (uint64_t)b);
    else if (r->op == DTX_MIN)
        EACH(int64_t, a < b ? a : b);
    else
        EACH(int64_t, a > b ? a : b);
}

static void merge_u64(const struct dtx_reduction *r, char *into,
                      const char *from)
{
    if (r->op == DTX_SUM)
        EACH(uint64_t, a + b);
    else if (r->op == DTX_MIN)
        EACH(uint64_t, a < b ? a : b);
    else
        EACH(uint64_t, a > b ? a : b);
}

static void merge_f64(const struct dtx_reduction *r, char *into,
                      const char *from)
{
    if (r->op == DTX_SUM)
        EACH(double, a + b);
    else if (r->op == DTX_MIN)
        EACH(double, b < a || isnan(b) ? b : a);
    else
        EACH(double, b > a || isnan(b) ? b : a);
}

static void begin_one(const struct dtx_reduction *r, char *into)
{
    if (r->combine)
        memcpy(into, r->identity, r->bytes);
    else if (r->op == DTX_SUM)
        memset(into, 0, r->bytes);
    else if (r->type == DTX_I64)
        for (size_t i = 0; i < r->bytes / sizeof(int64_t); i++)
            ((int64_t *)(void *)into)[i] =
                r->op == DTX_MIN ? INT64_MAX : INT64_MIN;
    else if (r->type == DTX_U64)
        memset(into, r->op == DTX_MIN ? 0xff : 0, r->bytes);
    else
        for (size_t i = 0; i < r->bytes / sizeof(double); i++)
            ((double *)(void *)into)[i] =
                r->op == DTX_MIN ? HUGE_VAL : -HUGE_VAL;
}

size_t dtx_reduce_stride(const struct dtx_work *w)
{
    return (w->value_bytes + 127) / 128 * 128;
}

void dtx_reduce_begin(const struct dtx_work *w, char *values)
{
    unsigned k;

    for (k = 0; k < w->nred; k++)
        begin_one(&w->red[k], values + w->red[k].offset);
}

void dtx_reduce_merge(const struct dtx_work *w, char *into, const char *from)
{
    unsigned k;

    for (k = 0; k < w->nred; k++) {
        const struct dtx_reduction *r = &w->red[k];

        if (r->combine)
            r->combine(into + r->offset, from + r->offset, r->bytes);
        else if (r->type == DTX_I64)
            merge_i64(r, into + r->offset, from + r->offset);
        else if (r->type == DTX_U64)
            merge_u64(r, into + r->offset, from + r->offset);
        else
            merge_f64(r, into + r->offset, from + r->offset);
    }
}

void dtx_reduce_store(const struct dtx_work *w, const char *values)
{
    unsigned k;

    for (k = 0; k < w->nred; k++) {
        if (w->red[k].value)
            memcpy(w->red[k].value, values + w->red[k].offset,
                   w->red[k].bytes);
    }
}

void dtx_failures_add(struct dtx_failures *f, uint64_t first, uint64_t count,
                      int code)
{
    if (count == 0)
        return;
    if (f->count == 0 || first < f->first) {
        f->first = first;
        f->code = code;
    }
    f->count += count;
}

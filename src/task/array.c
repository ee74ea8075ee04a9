/* SPDX-License-Identifier: MIT */
/* Slurm's lists of array indices; see array.h.  It decides what they say, not
 * what they are for. */
#include "task/array.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/show.h"
#include "task/task.h"

static int refuse(const char *spec, const char *why, struct dtx_error *err)
{
    struct dtx_show b;

    return dtx_error_set(err, DTX_EPARSE, "--array: '%s': %s",
                         dtx_show_text(&b, spec, strlen(spec)), why);
}

static bool read_number(const char **s, uint32_t *out)
{
    uint64_t n = 0;
    const char *p = *s;

    while (*p >= '0' && *p <= '9' && n <= DTX_MAX_ARRAY_INDEX)
        n = n * 10 + (uint64_t)(*p++ - '0');
    if (p == *s || n > DTX_MAX_ARRAY_INDEX)
        return false;
    *s = p;
    *out = (uint32_t)n;
    return true;
}

/* first, first + step ... up to last; false when there are too many. */
static int add_range(struct dtx_array *a, uint32_t first, uint32_t last,
                     uint32_t step)
{
    uint64_t i, n = ((uint64_t)last - first) / step + 1;
    uint32_t *p;

    if (n > DTX_MAX_TASKS - a->n)
        return DTX_ELIMIT;
    p = dtx_grow(a->index, &a->cap, a->n + (size_t)n, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    a->index = p;
    for (i = 0; i < n; i++)
        p[a->n++] = first + (uint32_t)(i * step);
    return DTX_OK;
}

/* "7", "1-9", "1-9:2" */
static int read_range(struct dtx_array *a, const char **s, const char *spec,
                      struct dtx_error *err)
{
    uint32_t first, last, step = 1;
    int rc;

    if (!read_number(s, &first))
        return refuse(spec, "not a list of indices such as 1-1000:2 or "
                            "1,3,7-9, up to 4000000000", err);
    last = first;
    if (**s == '-') {
        (*s)++;
        if (!read_number(s, &last))
            return refuse(spec, "a range is FIRST-LAST or FIRST-LAST:STEP",
                          err);
        if (**s == ':') {
            (*s)++;
            if (!read_number(s, &step) || step == 0)
                return refuse(spec, "the step is a number from 1", err);
        }
        if (a->step == 0)
            a->step = step;
    }
    if (last < first)
        return refuse(spec, "a range ends below its beginning", err);
    rc = add_range(a, first, last, step);
    if (rc == DTX_ELIMIT)
        return dtx_error_set(err, rc,
                             "--array: '%s': more than %u tasks", spec,
                             DTX_MAX_TASKS);
    return rc ? dtx_error_set(err, rc, "out of memory") : DTX_OK;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void sort_and_unify(struct dtx_array *a)
{
    size_t i, n = 1;

    for (i = 1; i < a->n && a->index[i - 1] < a->index[i]; i++)
        continue;
    if (i >= a->n)
        return;
    qsort(a->index, a->n, sizeof(*a->index), compare);
    for (i = 1; i < a->n; i++) {
        if (a->index[i] != a->index[n - 1])
            a->index[n++] = a->index[i];
    }
    a->n = n;
}

int dtx_array_parse(const char *spec, struct dtx_array *out,
                    struct dtx_error *err)
{
    const char *s = spec;
    int rc;

    memset(out, 0, sizeof(*out));
    do {
        s += s != spec; /* a comma */
        rc = read_range(out, &s, spec, err);
    } while (rc == DTX_OK && *s == ',');
    if (rc == DTX_OK && *s == '%')
        rc = refuse(spec, "a limit (%N) is not part of the list here: --jobs N "
                          "sets how many run at a time on a node", err);
    else if (rc == DTX_OK && *s)
        rc = refuse(spec, "not a list of indices such as 1-1000:2 or 1,3,7-9",
                    err);
    if (rc) {
        dtx_array_free(out);
        return rc;
    }
    if (out->step == 0)
        out->step = 1;
    sort_and_unify(out);
    return DTX_OK;
}

void dtx_array_free(struct dtx_array *a)
{
    free(a->index);
    memset(a, 0, sizeof(*a));
}

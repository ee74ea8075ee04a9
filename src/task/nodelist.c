/* SPDX-License-Identifier: MIT */
/* Reads Slurm's lists; see nodelist.h.  It knows the form alone: whether such
 * nodes exist is not asked. */
#include "task/nodelist.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define DIGITS_MAX 9

struct walk {
    dtx_node_f fn;
    void *ctx;
    uint32_t count;
    char name[DTX_NODE_NAME_MAX + 1];
};

static int walk_name(struct walk *w, size_t len, const char *s,
                     const char *end);

/* Digits at '*s': their value and how many there are; 0 of them is an error. */
static int take_digits(const char **s, const char *end, uint32_t *value,
                       size_t *width)
{
    const char *p = *s;

    *value = 0;
    while (p < end && isdigit((unsigned char)*p)) {
        if (p - *s >= DIGITS_MAX)
            return DTX_ELIMIT;
        *value = *value * 10 + (uint32_t)(*p++ - '0');
    }
    *width = (size_t)(p - *s);
    *s = p;
    return *width > 0 ? DTX_OK : DTX_EPARSE;
}

/* One of "1-3" or "08", put behind the first 'len' bytes of the name; what
 * follows the bracket is from 's'. */
static int walk_range(struct walk *w, size_t len, const char **at,
                      const char *close, const char *s, const char *end)
{
    uint32_t lo, hi;
    size_t width, dummy;
    int rc = take_digits(at, close, &lo, &width);

    hi = lo;
    if (rc == DTX_OK && *at < close && **at == '-') {
        (*at)++;
        rc = take_digits(at, close, &hi, &dummy);
    }
    if (rc == DTX_OK && hi < lo)
        rc = DTX_EPARSE;
    for (; rc == DTX_OK && lo <= hi; lo++) {
        int n = snprintf(w->name + len, sizeof(w->name) - len, "%0*u",
                         (int)width, (unsigned)lo);

        if (n < 0 || (size_t)n >= sizeof(w->name) - len)
            return DTX_ELIMIT;
        rc = walk_name(w, len + (size_t)n, s, end);
    }
    return rc;
}

static int walk_bracket(struct walk *w, size_t len, const char *s,
                        const char *end)
{
    const char *close = memchr(s, ']', (size_t)(end - s));
    int rc;

    if (!close)
        return DTX_EPARSE;
    for (;;) {
        rc = walk_range(w, len, &s, close, close + 1, end);
        if (rc)
            return rc;
        if (s == close)
            return DTX_OK;
        if (*s++ != ',')
            return DTX_EPARSE;
    }
}

/* The rest of a name, from 's', behind its first 'len' bytes. */
static int walk_name(struct walk *w, size_t len, const char *s,
                     const char *end)
{
    for (; s < end; s++) {
        if (*s == '[')
            return walk_bracket(w, len, s + 1, end);
        if (*s == ']' || isspace((unsigned char)*s))
            return DTX_EPARSE;
        if (len >= DTX_NODE_NAME_MAX)
            return DTX_ELIMIT;
        w->name[len++] = *s;
    }
    if (len == 0)
        return DTX_EPARSE;
    if (++w->count > DTX_NODES_MAX)
        return DTX_ELIMIT;
    w->name[len] = '\0';
    return w->fn(w->ctx, w->name);
}

/* The comma, outside of brackets, that ends the entry at 's'; or the end. */
static const char *entry_end(const char *s)
{
    int depth = 0;

    for (; *s; s++) {
        depth += (*s == '[') - (*s == ']');
        if (*s == ',' && depth == 0)
            break;
    }
    return s;
}

int dtx_nodelist_each(const char *list, dtx_node_f fn, void *ctx)
{
    struct walk w = {.fn = fn, .ctx = ctx};
    int rc;

    for (;;) {
        const char *end = entry_end(list);

        rc = walk_name(&w, 0, list, end);
        if (rc || !*end)
            return rc;
        list = end + 1;
    }
}

/* "2(x3)" or "1". */
static int take_count(const char **s, const char *end, uint32_t *value,
                      uint32_t *times)
{
    size_t width;
    int rc = take_digits(s, end, value, &width);

    *times = 1;
    if (rc || *s == end || **s != '(')
        return rc;
    if (end - *s < 3 || (*s)[1] != 'x')
        return DTX_EPARSE;
    *s += 2;
    rc = take_digits(s, end, times, &width);
    if (rc)
        return rc;
    if (*s == end || **s != ')' || *times == 0)
        return DTX_EPARSE;
    (*s)++;
    return DTX_OK;
}

int dtx_node_counts(const char *text, struct dtx_node_counts *out)
{
    const char *end = text + strlen(text);
    struct dtx_node_counts c = {0, 0, UINT32_MAX, 0};

    for (;;) {
        uint32_t value, times;
        int rc = take_count(&text, end, &value, &times);

        if (rc)
            return rc;
        if (times > DTX_NODES_MAX - c.nodes)
            return DTX_ELIMIT;
        c.nodes += times;
        c.sum += (uint64_t)value * times;
        c.least = value < c.least ? value : c.least;
        c.most = value > c.most ? value : c.most;
        if (text == end)
            break;
        if (*text++ != ',')
            return DTX_EPARSE;
    }
    *out = c;
    return DTX_OK;
}

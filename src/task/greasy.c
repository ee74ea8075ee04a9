/* SPDX-License-Identifier: MIT */
/* GREASY's task lines: "[# 1-3,-2 #] command" and "[@ /dir @] command"; see
 * parser.h.  Its numbers are lines of the file, comments and blank lines
 * counted; a negative one counts back from its own line.  It decides which
 * tasks are meant; what waiting for them means is the graph's part. */
#include <string.h>

#include "task/parser.h"

static const char *show(struct dtx_taskparser *p, const char *s,
                        const char *end)
{
    return dtx_show_text(&p->shown, s, (size_t)(end - s));
}

static void trim(const char **s, const char **end)
{
    while (*s < *end && dtx_is_blank(**s))
        (*s)++;
    while (*s < *end && dtx_is_blank((*end)[-1]))
        (*end)--;
}

bool dtx_greasy_is(const char *s, const char *end)
{
    return end - s >= 2 && s[0] == '[' && (s[1] == '#' || s[1] == '@');
}

/* The first line of lo to hi that holds no task, or 0 and '*task' is the first
 * of theirs. */
static uint32_t find_tasks(const struct dtx_taskparser *p, uint64_t lo,
                           uint64_t hi, uint32_t *task)
{
    size_t a = 0, b = p->nruns;
    const struct dtx_line_run *r;

    while (a < b) { /* the last run that begins at lo or before */
        size_t mid = a + (b - a) / 2;

        if (p->run[mid].line <= lo)
            a = mid + 1;
        else
            b = mid;
    }
    if (a == 0)
        return (uint32_t)lo;
    r = &p->run[a - 1];
    if (lo - r->line >= r->count)
        return (uint32_t)lo;
    *task = r->task + (uint32_t)(lo - r->line);
    return hi - r->line < r->count ? 0 : r->line + r->count;
}

static int wait_lines(struct dtx_taskparser *p, uint64_t lo, uint64_t hi)
{
    unsigned long own = p->line;
    uint32_t task = 0, empty;
    int rc;

    if (lo < 1 || hi < lo)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "[# %s #]: lines count from 1, and a range goes "
                             "from low to high",
                             p->shown.text);
    if (hi >= own)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "[# %s #]: must be a line before this one, which "
                             "is %lu; for later ones write #DTX after=",
                             p->shown.text, own);
    empty = find_tasks(p, lo, hi, &task);
    if (empty)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "[# %s #]: line %lu holds no task; the numbers "
                             "are lines of the file, blank ones and comments "
                             "counted",
                             p->shown.text, (unsigned long)empty);
    rc = p->live ? dtx_after_live_range(&p->earlier, p->ntasks, task,
                                        task + (uint32_t)(hi - lo))
                 : dtx_after_add_range(&p->after, p->ntasks, p->line, task,
                                       task + (uint32_t)(hi - lo));
    return rc == DTX_ENOMEM ? dtx_parser_nomem(p) : rc;
}

static int read_element(struct dtx_taskparser *p, const char *s,
                        const char *end)
{
    uint64_t lo, hi;

    trim(&s, &end);
    (void)show(p, s, end);
    if (dtx_after_scan(s, end, &lo, &hi))
        return wait_lines(p, lo, hi);
    if (s < end && *s == '-' && dtx_after_scan(s + 1, end, &lo, &hi) &&
        lo == hi) {
        lo = lo > 0 && lo < p->line ? p->line - lo : lo == 0 ? p->line : 0;
        return wait_lines(p, lo, lo);
    }
    return dtx_error_set(p->err, DTX_EPARSE,
                         "[# %s #]: must be lines as in [# 1-3,7,-2 #]: a "
                         "number, a range, or -N for N lines before",
                         p->shown.text);
}

static int read_waits(struct dtx_taskparser *p, const char *s, const char *end)
{
    for (;;) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        int rc = read_element(p, s, comma ? comma : end);

        if (rc || !comma)
            return rc;
        s = comma + 1;
    }
}

static int read_dir(struct dtx_taskparser *p, const char *s, const char *end)
{
    trim(&s, &end);
    if (s == end)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "[@ @]: the directory is missing");
    return dtx_directive_set(p, "cwd", s, (size_t)(end - s));
}

/* The part at '*s', "[# ... #]" or "[@ ... @]"; '*s' goes behind it. */
static int read_part(struct dtx_taskparser *p, const char **s, const char *end)
{
    const char *begin = *s + 2, *q = begin;
    char mark = (*s)[1];

    while (q < end && !(q[0] == mark && q + 1 < end && q[1] == ']'))
        q++;
    if (q == end)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "%s: the closing '%c]' is missing",
                             show(p, *s, end), mark);
    *s = q + 2;
    return mark == '#' ? read_waits(p, begin, q) : read_dir(p, begin, q);
}

int dtx_greasy_read(struct dtx_taskparser *p, const char **s, const char *end)
{
    bool waits = false;
    int rc = dtx_parser_dialect(p, DTX_DIALECT_GREASY);

    while (!rc && dtx_greasy_is(*s, end)) {
        if ((*s)[1] == '#' && waits)
            return dtx_error_set(p->err, DTX_EPARSE,
                                 "a second [# #]: write one, with commas");
        waits |= (*s)[1] == '#';
        rc = read_part(p, s, end);
        while (*s < end && dtx_is_blank(**s))
            (*s)++;
    }
    if (!rc && *s == end)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "a command is missing behind [# #] or [@ @]");
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* "#DTX key=value ...": the keys, their values, and what was meant by a word
 * that is none; see taskfile.h.  It decides whether a value is good and keeps
 * it for the task that follows; what after= stands for is after.c's part. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "task/parser.h"

#define NKEYS DTX_PARSER_KEYS

typedef int (*set_f)(struct dtx_taskparser *p, const char *v, size_t len);

static const struct key {
    const char *name;
    set_f set;
} keys[NKEYS];

static const char *show(struct dtx_taskparser *p, const char *s, size_t len)
{
    return dtx_show_text(&p->shown, s, len);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A whole number as the value of 'key'. */
static int read_int(struct dtx_taskparser *p, const char *key, const char *v,
                    size_t len, int64_t lo, int64_t hi, int64_t *out)
{
    char text[24];
    int rc = DTX_EPARSE;

    if (len < sizeof(text)) {
        memcpy(text, v, len);
        text[len] = '\0';
        rc = dtx_parse_int(text, lo, hi, out);
    }
    if (rc)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "%s=%s: must be a whole number from %lld to %lld",
                             key, show(p, v, len), (long long)lo,
                             (long long)hi);
    return DTX_OK;
}

static int set_cpus(struct dtx_taskparser *p, const char *v, size_t len)
{
    int64_t n;
    int rc = read_int(p, "cpus", v, len, 1, DTX_MAX_CPUS, &n);

    if (!rc)
        p->pending.attr.cpus = (uint32_t)n;
    return rc;
}

static int set_gpus(struct dtx_taskparser *p, const char *v, size_t len)
{
    int64_t n;
    int rc = read_int(p, "gpus", v, len, 0, DTX_MAX_GPUS, &n);

    if (!rc)
        p->pending.attr.gpus = n > 0 ? (uint32_t)n : DTX_NO_GPUS;
    return rc;
}

static int set_mem(struct dtx_taskparser *p, const char *v, size_t len)
{
    char text[32];
    int64_t n = 0;
    int rc = DTX_EPARSE;

    if (len < sizeof(text)) {
        memcpy(text, v, len);
        text[len] = '\0';
        rc = dtx_parse_size(text, &n);
    }
    if (rc)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "mem=%s: must be a size such as 512M, 4G or 0",
                             show(p, v, len));
    p->pending.attr.mem_bytes = n > 0 ? n : -1;
    return DTX_OK;
}

static int set_prio(struct dtx_taskparser *p, const char *v, size_t len)
{
    int64_t n;
    int rc = read_int(p, "prio", v, len, -DTX_MAX_PRIO, DTX_MAX_PRIO, &n);

    if (!rc)
        p->pending.attr.prio = (int32_t)n;
    return rc;
}

static int set_retries(struct dtx_taskparser *p, const char *v, size_t len)
{
    int64_t n;
    int rc = read_int(p, "retries", v, len, 1, DTX_MAX_RETRIES, &n);

    if (!rc)
        p->pending.attr.retries = (uint32_t)n;
    return rc;
}

static int set_timeout(struct dtx_taskparser *p, const char *v, size_t len)
{
    char text[64];
    int64_t ns = 0;
    int rc = DTX_EPARSE;

    if (len < sizeof(text)) {
        memcpy(text, v, len);
        text[len] = '\0';
        rc = strcmp(text, "none") == 0 ? DTX_OK : dtx_parse_duration(text, &ns);
    }
    if (rc == DTX_ELIMIT)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "timeout=%s: must be at most 100 years, or none",
                             show(p, v, len));
    if (rc)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "timeout=%s: must be a duration such as 90, 30s, "
                             "1h30m or 2-12:00:00, or none",
                             show(p, v, len));
    p->pending.attr.timeout_ns = ns > 0 ? ns : -1;
    return DTX_OK;
}

static int set_cwd(struct dtx_taskparser *p, const char *v, size_t len)
{
    if (len > DTX_MAX_CWD)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "cwd=%s: a path of %zu bytes: the limit is %u",
                             show(p, v, len), len, DTX_MAX_CWD);
    p->pending.attr.cwd = dtx_tasklist_intern(p->list, v, len);
    return p->pending.attr.cwd == DTX_NO_TEXT ? dtx_parser_nomem(p) : DTX_OK;
}

/* Would after= read it as a number or a range? */
static bool is_number_or_range(const char *s, size_t len)
{
    const char *end = s + len, *p = s;

    while (p < end && is_digit(*p))
        p++;
    if (p == s || p == end)
        return p == end;
    if (*p++ != '-' || p == end)
        return false;
    while (p < end && is_digit(*p))
        p++;
    return p == end;
}

static const char *why_bad_name(const char *v, size_t len)
{
    size_t i;

    if (len > DTX_MAX_NAME)
        return "a name has at most 255 bytes";
    if (*v == '-')
        return "a name must not begin with '-'";
    if (is_number_or_range(v, len))
        return "a name must not look like a number or a range";
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)v[i];

        if (c <= ' ' || c == 0x7f || c == ',')
            return "a name must not hold commas, blanks or control characters";
    }
    return NULL;
}

static int set_name(struct dtx_taskparser *p, const char *v, size_t len)
{
    const char *why = why_bad_name(v, len);

    if (why)
        return dtx_error_set(p->err, DTX_EPARSE, "name=%s: %s", show(p, v, len),
                             why);
    p->pending.name = dtx_tasklist_intern(p->list, v, len);
    return p->pending.name == DTX_NO_TEXT ? dtx_parser_nomem(p) : DTX_OK;
}

/* Of a stream nothing stays, so the text is copied. */
static int keep_after(struct dtx_taskparser *p, const char *v, size_t len)
{
    dtx_buf_clear(&p->waits);
    dtx_buf_append(&p->waits, v, len);
    p->waits_line = p->line;
    return p->waits.failed ? dtx_parser_nomem(p) : DTX_OK;
}

static int set_after(struct dtx_taskparser *p, const char *v, size_t len)
{
    int rc;

    if (p->live)
        return keep_after(p, v, len);
    rc = dtx_after_add(&p->after, p->ntasks, p->line, v, len);
    if (rc == DTX_ELIMIT)
        return dtx_error_set(p->err, rc, "after=%s: too long", show(p, v, len));
    return rc ? dtx_parser_nomem(p) : DTX_OK;
}

static const struct key keys[NKEYS] = {
    {"name", set_name},   {"cpus", set_cpus},       {"prio", set_prio},
    {"after", set_after}, {"timeout", set_timeout}, {"retries", set_retries},
    {"cwd", set_cwd},     {"mem", set_mem},         {"gpus", set_gpus},
};

/* Levenshtein's distance, letters' case aside; both at most 16 long. */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t row[17], i, j;

    for (j = 0; j <= blen; j++)
        row[j] = j;
    for (i = 1; i <= alen; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= blen; j++) {
            size_t d = diagonal + (lower(a[i - 1]) != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < d)
                d = row[j] + 1;
            if (row[j - 1] + 1 < d)
                d = row[j - 1] + 1;
            row[j] = d;
        }
    }
    return row[blen];
}

/* The key that was meant, or NULL. */
static const char *nearest_key(const char *s, size_t len)
{
    const char *best = NULL;
    size_t i, d, least = 3;

    if (len == 0 || len > 16)
        return NULL;
    for (i = 0; i < NKEYS; i++) {
        d = distance(s, len, keys[i].name, strlen(keys[i].name));
        if (d < least && d < len) {
            least = d;
            best = keys[i].name;
        }
    }
    return best;
}

static int fail_key(struct dtx_taskparser *p, const char *s, size_t len)
{
    const char *near = nearest_key(s, len);
    char known[16 * NKEYS];
    size_t i, n = 0;

    known[0] = '\0';
    for (i = 0; i < NKEYS; i++)
        n += (size_t)snprintf(known + n, sizeof(known) - n,
                              " %s=", keys[i].name);
    return dtx_error_set(p->err, DTX_EPARSE,
                         "unknown key '%s'%s%s%s; the keys are%s",
                         show(p, s, len), near ? ": did you mean " : "",
                         near ? near : "", near ? "=?" : "", known);
}

static int find_key(struct dtx_taskparser *p, const char *s, size_t len,
                    size_t *index)
{
    size_t i;

    for (i = 0; i < NKEYS; i++) {
        if (strlen(keys[i].name) == len && memcmp(keys[i].name, s, len) == 0) {
            *index = i;
            return DTX_OK;
        }
    }
    return fail_key(p, s, len);
}

/* The value at '*s', plain or quoted; '*s' goes behind it. */
static int scan_value(struct dtx_taskparser *p, const char *key, const char **s,
                      const char *end, const char **value, size_t *len)
{
    const char *v = *s, *q = v;

    if (v < end && (*v == '\'' || *v == '"')) {
        q = memchr(v + 1, *v, (size_t)(end - v - 1));
        if (!q)
            return dtx_error_set(p->err, DTX_EPARSE,
                                 "%s=%s: the closing quote is missing", key,
                                 show(p, v, (size_t)(end - v)));
        *s = q + 1;
        v++;
    } else {
        while (q < end && !dtx_is_blank(*q) && *q != '\'' && *q != '"')
            q++;
        *s = q;
    }
    if (*s < end && !dtx_is_blank(**s))
        return dtx_error_set(p->err, DTX_EPARSE,
                             "%s=%s: quotes go round the whole value, with a "
                             "blank behind",
                             key, show(p, v, (size_t)(end - v)));
    if (q == v)
        return dtx_error_set(p->err, DTX_EPARSE, "%s=: the value is missing",
                             key);
    *value = v;
    *len = (size_t)(q - v);
    return DTX_OK;
}

static int set_key(struct dtx_taskparser *p, size_t i, const char *v,
                   size_t len)
{
    uint32_t *given = &p->pending.key_line[i];

    if (*given)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "%s=%s: given twice for one task, first on line "
                             "%lu",
                             keys[i].name, show(p, v, len),
                             (unsigned long)*given);
    *given = p->line;
    return keys[i].set(p, v, len);
}

/* One key=value; '*s' goes behind it. */
static int read_pair(struct dtx_taskparser *p, const char **s, const char *end)
{
    const char *k = *s, *q = k, *v = NULL;
    size_t i = 0, len = 0;
    int rc;

    while (q < end && !dtx_is_blank(*q) && *q != '=')
        q++;
    if (q == end || *q != '=' || q == k)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "'%s': expected key=value, without blanks around "
                             "the '='",
                             show(p, k, (size_t)(q - k)));
    rc = find_key(p, k, (size_t)(q - k), &i);
    if (rc)
        return rc;
    *s = q + 1;
    rc = scan_value(p, keys[i].name, s, end, &v, &len);
    return rc ? rc : set_key(p, i, v, len);
}

static int read_directive(struct dtx_taskparser *p, const char *s,
                          const char *end)
{
    int rc = DTX_OK;

    if (p->pending.line == 0)
        p->pending.line = p->line;
    while (!rc) {
        while (s < end && dtx_is_blank(*s))
            s++;
        if (s == end)
            return DTX_OK;
        rc = read_pair(p, &s, end);
    }
    return rc;
}

/* What was meant as a directive but is not
 * written as one must not pass for a comment. */
int dtx_directive_read(struct dtx_taskparser *p, const char *s,
                       const char *end)
{
    const char *q = s + 4;
    bool exact, parted, glued;

    if (end - s < 4 || lower(s[1]) != 'd' || lower(s[2]) != 't' ||
        lower(s[3]) != 'x')
        return DTX_OK;
    exact = memcmp(s, "#DTX", 4) == 0;
    parted = q == end || dtx_is_blank(*q);
    if (exact && parted)
        return read_directive(p, q, end);
    while (q < end && is_lower(*q))
        q++;
    glued = q > s + 4 && q < end && *q == '=';
    if (!parted && !glued)
        return DTX_OK;
    return dtx_error_set(p->err, DTX_EPARSE,
                         "'%s': a directive is written '#DTX key=value', a "
                         "comment '# ...'",
                         show(p, s, (size_t)(end - s)));
}

void dtx_directive_forget(struct dtx_taskparser *p)
{
    memset(&p->pending, 0, sizeof(p->pending));
    p->pending.attr = p->list->attr[p->plain];
    p->pending.name = DTX_NO_TEXT;
}

int dtx_directive_set(struct dtx_taskparser *p, const char *key, const char *v,
                      size_t len)
{
    size_t i = 0;
    int rc = find_key(p, key, strlen(key), &i);

    if (p->pending.line == 0)
        p->pending.line = p->line;
    return rc ? rc : set_key(p, i, v, len);
}

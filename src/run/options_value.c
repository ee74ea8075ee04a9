/* SPDX-License-Identifier: MIT */
/* The option table, and how the value of each kind reads.  It decides what a
 * value means and what is wrong with it; where values come from, and which one
 * wins, is options.c's business. */
#include "run/options_row.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "base/when.h"
#include "run/options.h"
#include "run/options_table.h"
#include "sched/policy.h"
#include "task/array.h"
#include "task/show.h"
#include "task/task.h"

static const struct dtx_option table[] = {
#define AT(field) offsetof(struct dtx_options, field)
#define GROUP(title) {NULL, 0, DTX_OPTION_GROUP, 0, NULL, 0, 0, NULL, title},
#define ROW(name, letter, kind, place, arg, lo, hi, value, help)               \
    {name, letter, DTX_OPTION_##kind, place, arg, lo, hi, value, help},
    DTX_OPTION_MAP(GROUP, ROW)
#undef ROW
#undef GROUP
#undef AT
};

#define NROWS (sizeof(table) / sizeof(table[0]))
_Static_assert(NROWS <= DTX_OPTION_ROWS_MAX, "DTX_OPTION_ROWS_MAX");

const struct dtx_option *dtx_option_table(size_t *count)
{
    *count = NROWS;
    return table;
}

/* Names of GNU parallel for options that have another one here. */
static const char *const aliases[][2] = {{"max-procs", "jobs"},
                                         {"halt-on-error", "halt"}};

const struct dtx_option *dtx_option_named(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strlen(aliases[i][0]) == len &&
            memcmp(aliases[i][0], name, len) == 0)
            return dtx_option_named(aliases[i][1], strlen(aliases[i][1]));
    }
    for (i = 0; i < NROWS; i++) {
        if (table[i].name && strlen(table[i].name) == len &&
            memcmp(table[i].name, name, len) == 0)
            return &table[i];
    }
    return NULL;
}

const struct dtx_option *dtx_option_lettered(char letter)
{
    size_t i;

    if (letter == 'P')
        letter = 'j';
    for (i = 0; i < NROWS; i++) {
        if (table[i].letter && table[i].letter == letter)
            return &table[i];
    }
    return NULL;
}

bool dtx_option_takes_value(const struct dtx_option *o)
{
    return o->kind != DTX_OPTION_FLAG && o->kind != DTX_OPTION_MODE &&
           o->kind != DTX_OPTION_HELP;
}

const char *dtx_option_variable(const struct dtx_option *o, char *buf,
                                size_t size)
{
    size_t i;

    (void)snprintf(buf, size, "DTX_%s", o->name);
    for (i = 0; buf[i]; i++)
        buf[i] = buf[i] == '-' ? '_' : (char)toupper((unsigned char)buf[i]);
    return buf;
}

static bool is_percentage(const char *value)
{
    size_t n = strlen(value);

    return n > 1 && value[n - 1] == '%';
}

static int read_number(const struct dtx_option *o, const char *label,
                       const char *value, int64_t *out, struct dtx_error *err)
{
    char what[160];

    if (dtx_parse_int(value, o->lo, o->hi, out) == 0)
        return 0;
    (void)snprintf(what, sizeof(what), "a whole number from %lld to %lld",
                   (long long)o->lo, (long long)o->hi);
    return dtx_option_refuse(err, label, value, what);
}

/* A bound of a range: "0", "1h", "36500d". */
static void show_bound(char *buf, size_t size, int64_t ns)
{
    if (ns != 0 && ns % DTX_OPTION_DAY == 0)
        (void)snprintf(buf, size, "%lldd", (long long)(ns / DTX_OPTION_DAY));
    else if (ns != 0 && ns % DTX_OPTION_HOUR == 0)
        (void)snprintf(buf, size, "%lldh", (long long)(ns / DTX_OPTION_HOUR));
    else
        (void)snprintf(buf, size, "%llds", (long long)(ns / DTX_SEC_NS));
}

static int read_duration(const struct dtx_option *o, const char *label,
                         const char *value, int64_t *out,
                         struct dtx_error *err)
{
    bool none = o->value && strcmp(o->value, "none") == 0;
    char what[160], lo[32], hi[32];
    int64_t ns = 0;

    if (none && strcmp(value, "none") == 0) {
        *out = 0;
        return 0;
    }
    if (dtx_parse_duration(value, &ns) == 0 && ns >= o->lo && ns <= o->hi) {
        *out = ns;
        return 0;
    }
    show_bound(lo, sizeof(lo), o->lo);
    show_bound(hi, sizeof(hi), o->hi);
    (void)snprintf(what, sizeof(what),
                   "a duration from %s to %s, such as 90, 30s, 1h30m or "
                   "02:30:00%s", lo, hi, none ? ", or none" : "");
    return dtx_option_refuse(err, label, value, what);
}

/* A duration, or a share of the median run time: above 100%, since half of all
 * tasks take longer than the median. */
static int read_timeout(const struct dtx_option *o, const char *label,
                        const char *value, struct dtx_options *out,
                        struct dtx_error *err)
{
    char digits[16], *end;
    size_t n = strlen(value);
    double share = 0;
    int rc;

    if (!is_percentage(value)) {
        rc = read_duration(o, label, value, &out->timeout_ns, err);
        if (rc == 0)
            out->timeout_percent = 0;
        return rc;
    }
    (void)snprintf(digits, sizeof(digits), "%.*s",
                   (int)(n <= sizeof(digits) ? n - 1 : 0), value);
    if (isdigit((unsigned char)digits[0]) &&
        digits[strspn(digits, "0123456789.")] == '\0')
        share = strtod(digits, &end);
    else
        end = digits;
    if (*end || share <= 100 || share > 1000000)
        return dtx_option_refuse(
            err, label, value,
            "valid: a share of the median run time is above 100% "
            "and up to 1000000%, such as 200%");
    out->timeout_percent = share;
    out->timeout_ns = 0;
    return 0;
}

static int read_size(const char *label, const char *value, int64_t *out,
                     struct dtx_error *err)
{
    int64_t bytes = 0;

    if (dtx_parse_size(value, &bytes) == 0) {
        *out = bytes;
        return 0;
    }
    return dtx_option_refuse(
        err, label, value,
        "a size below 8E: bytes, or with K, M, G, T or P behind it "
        "(of 1024), such as 512M or 2.5G");
}

static int read_text(const char *label, const char *value, char **out,
                     struct dtx_error *err)
{
    char *copy;

    if (!*value)
        return dtx_error_set(err, DTX_EINVAL, "%s: the value is empty", label);
    copy = strdup(value);
    if (!copy)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    free(*out);
    *out = copy;
    return 0;
}

static int read_texts(const char *label, const char *value,
                      struct dtx_texts *out, struct dtx_error *err)
{
    char *copy = NULL, **p;
    int rc = read_text(label, value, &copy, err);

    if (rc)
        return rc;
    p = dtx_grow(out->text, &out->cap, out->n + 1, sizeof(*p));
    if (!p) {
        free(copy);
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    }
    out->text = p;
    p[out->n++] = copy;
    return 0;
}

static int read_header(const char *label, const char *value, char **out,
                       struct dtx_error *err)
{
    if (strcmp(value, ":") != 0)
        return dtx_option_refuse(
            err, label, value,
            "':', the only form there is: the first line of each "
            "source names its columns");
    return read_text(label, value, out, err);
}

/* GNU parallel's other forms: one file for all tasks. */
static int read_results(const char *label, const char *value, char **out,
                        struct dtx_error *err)
{
    static const char *const table_ends[] = {".csv", ".tsv", ".json"};
    size_t i, len = strlen(value);

    for (i = 0; i < sizeof(table_ends) / sizeof(table_ends[0]); i++) {
        size_t n = strlen(table_ends[i]);

        if (len >= n && strcasecmp(value + len - n, table_ends[i]) == 0)
            return dtx_option_refuse(
                err, label, value,
                "a directory, or a name with replacement strings: "
                "one table of all is not written; --joblog FILE is "
                "one without the outputs");
    }
    return read_text(label, value, out, err);
}

static int read_policy(const char *label, const char *value, char **out,
                       struct dtx_error *err)
{
    if (!dtx_policy_find(value, err)) {
        (void)dtx_error_prefix(err, "%s: ", label);
        return DTX_EINVAL;
    }
    return read_text(label, value, out, err);
}

static int read_array(const char *label, const char *value, char **out,
                      struct dtx_error *err)
{
    struct dtx_array a;
    int rc = dtx_array_parse(value, &a, err);

    if (rc) {
        (void)dtx_error_prefix(err, "%s: ", label);
        return rc == DTX_ENOMEM ? rc : DTX_EINVAL;
    }
    dtx_array_free(&a);
    return read_text(label, value, out, err);
}

/* A per cent above 0 and at most 'most', with an optional fraction. */
static bool read_percent(const char *s, size_t len, double most, double *out)
{
    char digits[16], *end;

    if (len == 0 || len >= sizeof(digits) || !isdigit((unsigned char)*s) ||
        strspn(s, "0123456789.") < len)
        return false;
    memcpy(digits, s, len);
    digits[len] = '\0';
    *out = strtod(digits, &end);
    return *end == '\0' && *out > 0 && *out <= most;
}

/* The forms that GNU parallel keeps from its earlier versions. */
static const char *halt_of_old(const char *value)
{
    static const char *const old[][2] = {{"0", "never"},
                                         {"1", "soon,fail=1"},
                                         {"2", "now,fail=1"},
                                         {"-1", "soon,success=1"},
                                         {"-2", "now,success=1"}};
    size_t i;

    for (i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
        if (strcmp(value, old[i][0]) == 0)
            return old[i][1];
    }
    return value;
}

/* "soon,fail=" and the like: go behind it. */
static bool read_halt_kind(const char **s, struct dtx_halt *out)
{
    static const char *const hows[] = {"soon,", "now,"};
    static const char *const ons[] = {"fail=", "success=", "done="};
    size_t how, on;

    for (how = 0; how < 2; how++) {
        const char *rest = *s + strlen(hows[how]);

        if (strncmp(*s, hows[how], strlen(hows[how])) != 0)
            continue;
        out->how = how ? DTX_STOP_KILL : DTX_STOP_DRAIN;
        for (on = 0; on < sizeof(ons) / sizeof(ons[0]); on++) {
            if (strncmp(rest, ons[on], strlen(ons[on])) == 0) {
                out->on = (enum dtx_halt_on)on;
                *s = rest + strlen(ons[on]);
                return true;
            }
        }
    }
    return false;
}

static int read_jobs(const struct dtx_option *o, const char *label,
                     const char *value, struct dtx_jobs *out,
                     struct dtx_error *err)
{
    struct dtx_jobs j = {DTX_JOBS_COUNT, 0, 0};
    bool more = value[0] == '+', fewer = value[0] == '-';
    int64_t n = 0;

    if (is_percentage(value)) {
        j.how = DTX_JOBS_SHARE;
        if (read_percent(value, strlen(value) - 1, 100000, &j.percent)) {
            *out = j;
            return 0;
        }
    } else if (isdigit((unsigned char)value[more || fewer]) &&
               dtx_parse_int(value + (more || fewer), o->lo, o->hi, &n) == 0) {
        j.how = more || fewer ? DTX_JOBS_MORE
                : n == 0      ? DTX_JOBS_ALL
                              : DTX_JOBS_COUNT;
        j.n = (int32_t)(fewer ? -n : n);
        *out = j;
        return 0;
    }
    return dtx_option_refuse(
        err, label, value,
        "a number up to 65535, +N or -N (more or fewer than the "
        "cores), or N% of the cores");
}

static int read_halt(const struct dtx_option *o, const char *label,
                     const char *value, struct dtx_halt *out,
                     struct dtx_error *err)
{
    struct dtx_halt h = {DTX_STOP_DRAIN, DTX_HALT_FAIL, 0, 0};
    const char *rest = halt_of_old(value);
    int64_t n = 0;

    if (strcmp(rest, "never") == 0) {
        *out = h;
        return 0;
    }
    /* N% alone is soon,fail=N% */
    if (!read_halt_kind(&rest, &h) &&
        !(is_percentage(rest) && isdigit((unsigned char)*rest)))
        return dtx_option_refuse_word(
            o, err, label, value,
            "never, or soon or now with fail=, success= or "
            "done= and a number or a share, such as "
            "soon,fail=1 or now,success=10%");
    if (is_percentage(rest)) {
        if (!read_percent(rest, strlen(rest) - 1, 100, &h.percent))
            return dtx_option_refuse(
                err, label, value,
                "valid: a share is above 0% and up to 100%");
    } else {
        if (dtx_parse_int(rest, 1, DTX_MAX_TASKS, &n) != 0)
            return dtx_option_refuse(
                err, label, value,
                "valid: behind '=' stands a number from 1, or a "
                "share such as 10%");
        h.count = (uint32_t)n;
    }
    *out = h;
    return 0;
}

static int read_when(const char *label, const char *value,
                     struct dtx_when *out, struct dtx_error *err)
{
    if (dtx_parse_when(value, out) == 0)
        return 0;
    return dtx_option_refuse(
        err, label, value,
        "a time: 2h30m or 45:00 from now, 2026-03-01T17:30 of the "
        "local calendar, @SECONDS since 1970, or none");
}

int dtx_option_flag(const char *label, const char *value, bool *out,
                    struct dtx_error *err)
{
    static const char *const words[2][3] = {{"0", "no", "false"},
                                            {"1", "yes", "true"}};
    size_t i;

    for (i = 0; i < 6; i++) {
        if (strcmp(value, words[i / 3][i % 3]) == 0) {
            *out = i >= 3;
            return 0;
        }
    }
    return dtx_option_refuse(err, label, value,
                             "yes or no (1 or 0, true or false)");
}

int dtx_option_set(const struct dtx_option *o, const char *label,
                   const char *value, struct dtx_options *out,
                   struct dtx_error *err)
{
    void *at = (char *)out + o->place;
    int64_t n = 0;
    int rc;

    switch (o->kind) {
    case DTX_OPTION_FLAG:
    case DTX_OPTION_YESNO:
        return dtx_option_flag(label, value, at, err);
    case DTX_OPTION_NUMBER:
        rc = read_number(o, label, value, &n, err);
        if (rc == 0)
            *(uint32_t *)at = (uint32_t)n;
        return rc;
    case DTX_OPTION_JOBS:
        return read_jobs(o, label, value, at, err);
    case DTX_OPTION_DURATION:
        return read_duration(o, label, value, at, err);
    case DTX_OPTION_SIZE:
        return read_size(label, value, at, err);
    case DTX_OPTION_TIMEOUT:
        return read_timeout(o, label, value, out, err);
    case DTX_OPTION_TEXT:
        return read_text(label, value, at, err);
    case DTX_OPTION_TEXTS:
        return read_texts(label, value, at, err);
    case DTX_OPTION_HEADER:
        return read_header(label, value, at, err);
    case DTX_OPTION_RESULTS:
        return read_results(label, value, at, err);
    case DTX_OPTION_ARRAY:
        return read_array(label, value, at, err);
    case DTX_OPTION_POLICY:
        return read_policy(label, value, at, err);
    case DTX_OPTION_HALT:
        return read_halt(o, label, value, at, err);
    case DTX_OPTION_BIND:
    case DTX_OPTION_COUNTERS:
    case DTX_OPTION_KEEP:
    case DTX_OPTION_LATE:
    case DTX_OPTION_SIGNAL:
        return dtx_option_set_word(o, label, value, at, err);
    case DTX_OPTION_WHEN:
        return read_when(label, value, at, err);
    case DTX_OPTION_GROUP:
    case DTX_OPTION_MODE:
    case DTX_OPTION_HELP:
        break;
    }
    return dtx_error_set(err, DTX_EINVAL, "%s takes no value", label);
}

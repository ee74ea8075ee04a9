/* SPDX-License-Identifier: MIT */
/* Numbers, durations and sizes; see units.h. */
#include "base/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_DURATION_S (100.0 * 366 * 86400)

int dtx_parse_int(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
    char *end;
    long long v;

    if (!isdigit((unsigned char)*s) &&
        !(*s == '-' && isdigit((unsigned char)s[1])))
        return DTX_EPARSE;
    errno = 0;
    v = strtoll(s, &end, 10);
    if (*end)
        return DTX_EPARSE;
    if (errno == ERANGE || v < lo || v > hi)
        return DTX_ELIMIT;
    *out = v;
    return DTX_OK;
}

/* An unsigned decimal with an optional fraction; advances '*s'. */
static int scan_decimal(const char **s, double *out)
{
    const char *p = *s;
    double v = 0, place = 1;

    if (!isdigit((unsigned char)*p))
        return DTX_EPARSE;
    for (; isdigit((unsigned char)*p); p++)
        v = v * 10 + (*p - '0');
    if (*p == '.') {
        for (p++; isdigit((unsigned char)*p); p++)
            v += (*p - '0') * (place /= 10);
    }
    *s = p;
    *out = v;
    return DTX_OK;
}

/* D-HH:MM:SS, D-HH:MM, D-HH, HH:MM:SS or MM:SS, as Slurm writes time. */
static int parse_clock(const char *s, double *out)
{
    double part[3] = {0, 0, 0}, days = 0, v;
    const char *dash = strchr(s, '-');
    int n = 0;

    if (dash) {
        if (scan_decimal(&s, &days) || s != dash)
            return DTX_EPARSE;
        s++;
    }
    for (;; s++) {
        if (n == 3 || scan_decimal(&s, &v))
            return DTX_EPARSE;
        part[n++] = v;
        if (*s != ':')
            break;
    }
    if (*s)
        return DTX_EPARSE;
    if (dash)
        v = days * 86400 + part[0] * 3600 + part[1] * 60 + part[2];
    else if (n == 3)
        v = part[0] * 3600 + part[1] * 60 + part[2];
    else
        v = part[0] * 60 + part[1];
    *out = v;
    return DTX_OK;
}

static double unit_seconds(const char **s)
{
    static const struct {
        const char *name;
        double seconds;
    } unit[] = {{"ms", 1e-3}, {"us", 1e-6}, {"s", 1},
                {"m", 60},    {"h", 3600},  {"d", 86400}};
    size_t i;

    for (i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
        size_t n = strlen(unit[i].name);

        if (strncmp(*s, unit[i].name, n) == 0) {
            *s += n;
            return unit[i].seconds;
        }
    }
    return 0;
}

static int parse_units(const char *s, double *out)
{
    double total = 0, v, unit;
    int parts = 0;

    do {
        if (scan_decimal(&s, &v))
            return DTX_EPARSE;
        unit = unit_seconds(&s);
        if (unit == 0) {
            if (*s || parts > 0)
                return DTX_EPARSE;
            unit = 1;
        }
        total += v * unit;
        parts++;
    } while (*s);
    *out = total;
    return DTX_OK;
}

int dtx_parse_duration(const char *s, int64_t *out_ns)
{
    double v = 0;
    int rc;

    rc = strpbrk(s, ":-") ? parse_clock(s, &v) : parse_units(s, &v);
    if (rc)
        return rc;
    if (!(v <= MAX_DURATION_S))
        return DTX_ELIMIT;
    *out_ns = (int64_t)llround(v * 1e9);
    return DTX_OK;
}

int dtx_parse_size(const char *s, int64_t *out_bytes)
{
    static const char letters[] = "KMGTP";
    double v;
    const char *hit;

    if (scan_decimal(&s, &v))
        return DTX_EPARSE;
    if (*s && (hit = strchr(letters, toupper((unsigned char)*s)))) {
        v *= pow(1024.0, (double)(hit - letters + 1));
        s++;
        if (*s == 'i')
            s++;
    }
    if (*s == 'B' || *s == 'b')
        s++;
    if (*s)
        return DTX_EPARSE;
    if (!(v < 9.0e18))
        return DTX_ELIMIT;
    *out_bytes = (int64_t)v;
    return DTX_OK;
}

const char *dtx_format_duration(char *buf, size_t size, int64_t ns)
{
    double s = (double)ns / 1e9;
    int64_t t = ns / DTX_SEC_NS;

    if (ns < DTX_MSEC_NS)
        (void)snprintf(buf, size, "%.0f us", (double)ns / 1e3);
    else if (ns < DTX_SEC_NS)
        (void)snprintf(buf, size, "%.1f ms", (double)ns / 1e6);
    else if (s < 99.995)
        (void)snprintf(buf, size, "%.2f s", s);
    else if (t < 3600)
        (void)snprintf(buf, size, "%dm%02ds", (int)(t / 60), (int)(t % 60));
    else if (t < 86400)
        (void)snprintf(buf, size, "%dh%02dm", (int)(t / 3600),
                       (int)(t % 3600 / 60));
    else
        (void)snprintf(buf, size, "%lldd%02dh", (long long)(t / 86400),
                       (int)(t % 86400 / 3600));
    return buf;
}

const char *dtx_format_size(char *buf, size_t size, int64_t bytes)
{
    static const char *const unit[] = {"B",   "KiB", "MiB",
                                       "GiB", "TiB", "PiB"};
    double v = (double)bytes;
    int u = 0;

    while (v >= 1024 && u < 5) {
        v /= 1024;
        u++;
    }
    (void)snprintf(buf, size, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v,
                   unit[u]);
    return buf;
}

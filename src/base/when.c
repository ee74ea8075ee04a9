/* SPDX-License-Identifier: MIT */
/* Reads a point of time; see when.h.  It knows the calendar's lengths and no
 * clock. */
#include "base/when.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"

#define FIRST_YEAR 1970
#define LAST_YEAR 2200

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30,
                               31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Does 's' look like 'form', where a digit stands for any digit? */
static int has_form(const char *s, const char *form)
{
    for (; *form; s++, form++) {
        if (*form == '0' ? *s < '0' || *s > '9' : *s != *form)
            return 0;
    }
    return *s == '\0';
}

static int number(const char *s, int digits)
{
    int n = 0;

    while (digits-- > 0)
        n = n * 10 + (*s++ - '0');
    return n;
}

static int parse_local(const char *s, struct dtx_when *out)
{
    struct dtx_when w = {.kind = DTX_WHEN_LOCAL};

    w.year = number(s, 4);
    w.month = number(s + 5, 2);
    w.day = number(s + 8, 2);
    w.hour = number(s + 11, 2);
    w.minute = number(s + 14, 2);
    w.second = s[16] ? number(s + 17, 2) : 0;
    if (w.year < FIRST_YEAR || w.year > LAST_YEAR || w.month < 1 ||
        w.month > 12 || w.day < 1 || w.day > days_of(w.year, w.month) ||
        w.hour > 23 || w.minute > 59 || w.second > 59)
        return DTX_ELIMIT;
    *out = w;
    return DTX_OK;
}

int dtx_parse_when(const char *s, struct dtx_when *out)
{
    struct dtx_when w = {.kind = DTX_WHEN_NONE};
    int rc = DTX_OK;

    if (has_form(s, "0000-00-00T00:00") || has_form(s, "0000-00-00T00:00:00"))
        return parse_local(s, out);
    if (*s == '@') {
        w.kind = DTX_WHEN_EPOCH;
        rc = dtx_parse_int(s + 1, 0, INT64_MAX / DTX_SEC_NS, &w.ns);
        w.ns *= DTX_SEC_NS;
    } else if (strcmp(s, "none") != 0) {
        w.kind = DTX_WHEN_SPAN;
        rc = dtx_parse_duration(s, &w.ns);
    }
    if (rc == DTX_OK)
        *out = w;
    return rc;
}

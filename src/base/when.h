/* SPDX-License-Identifier: MIT */
/* base/when.h - a point of time as people write it
 *
 * A span from now on, seconds since 1970, or a date and time of the local
 * calendar.  Which second the latter is depends on the time zone, so turning it
 * into one is for code that may look at the environment.
 */
#ifndef DTX_BASE_WHEN_H
#define DTX_BASE_WHEN_H

#include <stdint.h>

enum dtx_when_kind {
    DTX_WHEN_UNSET,
    DTX_WHEN_NONE,  /* "none": never */
    DTX_WHEN_SPAN,  /* "2h30m", "45:00": 'ns' from now on */
    DTX_WHEN_EPOCH, /* "@1764057600": 'ns' since 1970 */
    DTX_WHEN_LOCAL  /* "2026-03-01T17:30[:00]" */
};

struct dtx_when {
    enum dtx_when_kind kind;
    int64_t ns;
    int year, month, day, hour, minute, second;
};

/* The whole string or nothing: 0, DTX_EPARSE or DTX_ELIMIT (no such date). */
int dtx_parse_when(const char *s, struct dtx_when *out);

#endif

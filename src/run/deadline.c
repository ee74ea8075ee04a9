/* SPDX-License-Identifier: MIT */
/* Where the deadline comes from; see deadline.h. */
#include "run/deadline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "base/when.h"
#include "node/clock.h"
#include "run/alloc.h"
#include "run/options.h"
#include "run/status.h"

static const char *from_environ(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

int dtx_deadline_resolve(const struct dtx_when *when, int64_t now_ns,
                         int64_t *ns)
{
    struct tm tm;
    time_t t;

    switch (when->kind) {
    case DTX_WHEN_UNSET:
    case DTX_WHEN_NONE:
        *ns = INT64_MAX;
        return DTX_OK;
    case DTX_WHEN_SPAN:
        *ns = when->ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + when->ns;
        return DTX_OK;
    case DTX_WHEN_EPOCH:
        *ns = when->ns;
        return DTX_OK;
    case DTX_WHEN_LOCAL:
        break;
    }
    memset(&tm, 0, sizeof(tm));
    tm.tm_year = when->year - 1900;
    tm.tm_mon = when->month - 1;
    tm.tm_mday = when->day;
    tm.tm_hour = when->hour;
    tm.tm_min = when->minute;
    tm.tm_sec = when->second;
    tm.tm_isdst = -1;
    t = mktime(&tm);
    if (t == (time_t)-1 || t > INT64_MAX / DTX_SEC_NS)
        return DTX_ELIMIT;
    *ns = (int64_t)t * DTX_SEC_NS;
    return DTX_OK;
}

/* When spans begin. */
static int64_t beginning(void)
{
    const char *began = getenv(DTX_BEGAN_ENV);
    int64_t ns;

    if (began && dtx_parse_int(began, 1, INT64_MAX, &ns) == DTX_OK)
        return ns;
    return dtx_clock_wall_ns();
}

int dtx_deadline_check(const struct dtx_options *o, struct dtx_error *err)
{
    int64_t now = dtx_clock_wall_ns(), ns;
    char ago[32];

    if ((o->deadline.kind != DTX_WHEN_EPOCH &&
         o->deadline.kind != DTX_WHEN_LOCAL) ||
        dtx_deadline_resolve(&o->deadline, now, &ns) || ns > now ||
        getenv(DTX_BEGAN_ENV))
        return 0;
    (void)dtx_error_set(err, DTX_EINVAL,
                        "--deadline: that time was over %s ago: give one that "
                        "is to come, or a span, as 2h",
                        dtx_format_duration(ago, sizeof(ago), now - ns));
    return DTX_EXIT_USAGE;
}

void dtx_deadline_begin(struct dtx_deadline *d, const struct dtx_options *o)
{
    struct dtx_error err = {0, ""};
    struct dtx_alloc a;

    memset(d, 0, sizeof(*d));
    if (o->deadline.kind != DTX_WHEN_UNSET) {
        if (dtx_deadline_resolve(&o->deadline, beginning(), &d->given_ns))
            d->given_ns = INT64_MAX;
        return;
    }
    dtx_alloc_read(from_environ, NULL, &a);
    if (!a.inside)
        return;
    if (dtx_slurm_watch_begin(&d->watch, a.job_id, &err))
        dtx_log(DTX_LOG_WARN, "%s", err.text);
    else
        d->asked = true;
}

bool dtx_deadline_next(struct dtx_deadline *d, int wait_ms, int64_t *ns)
{
    if (d->given_ns) {
        *ns = d->given_ns;
        d->given_ns = 0;
        return true;
    }
    if (!dtx_slurm_watch_next(&d->watch, d->asked ? wait_ms : 0, ns))
        return false;
    d->asked = false;
    return true;
}

void dtx_deadline_ask(struct dtx_deadline *d)
{
    dtx_slurm_watch_ask(&d->watch);
}

void dtx_deadline_end(struct dtx_deadline *d)
{
    dtx_slurm_watch_end(&d->watch);
}

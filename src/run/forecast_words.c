/* SPDX-License-Identifier: MIT */
/* The words of a forecast; see forecast.h.  Only text. */
#include "run/forecast.h"

#include <time.h>

#include "base/buf.h"
#include "base/units.h"
#include "predict/deadline.h"

#define SOON_S 600 /* told with seconds */

bool dtx_forecast_soon(double seconds)
{
    return seconds < SOON_S;
}

void dtx_forecast_time(struct dtx_buf *b, int64_t ns, int64_t now_ns,
                       bool soon)
{
    time_t t = (time_t)(ns / DTX_SEC_NS), now = (time_t)(now_ns / DTX_SEC_NS);
    struct tm tm, today;
    char text[40] = "?";

    if (localtime_r(&t, &tm) && localtime_r(&now, &today)) {
        bool same = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;

        (void)strftime(text, sizeof(text),
                       same ? soon ? "%H:%M:%S" : "%H:%M"
                            : soon ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M",
                       &tm);
    }
    dtx_buf_str(b, text);
}

int64_t dtx_forecast_later(int64_t now_ns, double seconds)
{
    return seconds < 1e9 ? now_ns + (int64_t)(seconds * 1e9)
                         : now_ns + INT64_C(1000000000) * DTX_SEC_NS;
}

void dtx_forecast_text(const struct dtx_verdict *v, int64_t now_ns,
                       int64_t deadline_ns, int64_t kept_ns, struct dtx_buf *b)
{
    bool soon = dtx_forecast_soon(v->late);

    dtx_buf_str(b, "finishes ");
    dtx_forecast_time(b, dtx_forecast_later(now_ns, v->early), now_ns, soon);
    dtx_buf_str(b, " to ");
    dtx_forecast_time(b, dtx_forecast_later(now_ns, v->late), now_ns, soon);
    dtx_buf_str(b, " (90 %)");
    if (deadline_ns == INT64_MAX)
        return;
    dtx_buf_str(b, "; the time ends ");
    dtx_forecast_time(b, deadline_ns, now_ns, soon);
    dtx_buf_str(b, ", for tasks ");
    dtx_forecast_time(b, deadline_ns - kept_ns, now_ns, soon);
    dtx_buf_printf(b, ": %.0f %% risk of missing it, %llu task%s at risk",
                   100 * v->risk, (unsigned long long)v->at_risk,
                   v->at_risk == 1 ? "" : "s");
}

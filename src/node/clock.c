/* SPDX-License-Identifier: MIT */
/* Reads the two clocks of clock.h.  It never decides anything by them. */
#include "node/clock.h"

#include <time.h>

#include "base/units.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0)
        return 0; /* not possible for these two on Linux */
    return (int64_t)t.tv_sec * DTX_SEC_NS + t.tv_nsec;
}

int64_t dtx_clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t dtx_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

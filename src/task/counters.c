/* SPDX-License-Identifier: MIT */
/* Counters of an attempt; see counters.h.  Knows no provider: node/ counts. */
#include "task/counters.h"

#include <stddef.h>

const char *dtx_counter_name(enum dtx_counter c)
{
    static const char *const name[DTX_COUNTERS] = {
        "none", "papi-hardware", "perf-hardware", "papi-software",
        "perf-software", "rusage",
    };

    return (unsigned)c < DTX_COUNTERS ? name[c] : "?";
}

const char *dtx_counted_name(enum dtx_counted c)
{
    static const char *const name[DTX_COUNTED] = {
        "instructions", "cycles", "misses", "iowait_ns",
        "clock_ns", "migrations", "switches", "faults",
    };

    return (unsigned)c < DTX_COUNTED ? name[c] : "?";
}

bool dtx_counters_get(const struct dtx_counters *c, enum dtx_counted what,
                      uint64_t *value)
{
    if (!(c->counted >> what & 1))
        return false;
    *value = c->value[what];
    return true;
}

void dtx_counters_set(struct dtx_counters *c, enum dtx_counted what,
                      uint64_t value)
{
    c->counted |= (uint8_t)(1u << what);
    c->value[what] = value;
}

void dtx_counters_sum(struct dtx_counters *sum, const struct dtx_counters *x)
{
    int i;

    if (sum->provider == DTX_COUNTER_NONE) {
        *sum = *x;
        return;
    }
    if (sum->provider < x->provider)
        sum->provider = x->provider;
    sum->counted &= x->counted;
    for (i = 0; i < DTX_COUNTED; i++)
        if (sum->counted >> i & 1 &&
            __builtin_add_overflow(sum->value[i], x->value[i], &sum->value[i]))
            sum->value[i] = UINT64_MAX;
}

bool dtx_counters_scale(uint64_t count, uint64_t enabled, uint64_t running,
                        uint64_t *value)
{
    __extension__ unsigned __int128 v = count;

    if (running == 0)
        return false;
    if (running >= enabled) {
        *value = count;
        return true;
    }
    v = (v * enabled + running / 2) / running;
    *value = v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
    return true;
}

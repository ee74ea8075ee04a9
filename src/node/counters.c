/* SPDX-License-Identifier: MIT */
/* Chooses who counts; see counters.h. It counts nothing itself. */
#include "node/counters.h"

#include <stdio.h>
#include <string.h>

#include "node/papi.h"

static bool try_programs(const struct dtx_counter_source *s,
                         struct dtx_counter_row *row)
{
    uint8_t counted = row->counted;

    if (!s->programs)
        return true;
    if (s->programs(s->provider, &counted, row->why) && counted != 0) {
        row->counted = counted;
        return true;
    }
    if (!row->why[0])
        (void)snprintf(row->why, sizeof(row->why), "it counts no program");
    return false;
}

/* Does it count programs? */
static bool try_source(const struct dtx_counter_source *s,
                       struct dtx_counter_row *row)
{
    row->provider = s->provider;
    row->works = s->probe(s->provider, &row->counted, row->why) &&
                 row->counted != 0;
    if (row->works) {
        row->why[0] = '\0';
        return try_programs(s, row);
    }
    row->counted = 0;
    if (!row->why[0])
        (void)snprintf(row->why, sizeof(row->why), "it counts nothing");
    return false;
}

void dtx_counters_choose(const struct dtx_counter_source *source, size_t n,
                         bool first, struct dtx_counter_choice *out)
{
    bool taken = false;
    size_t i;

    memset(out, 0, sizeof(*out));
    out->provider = DTX_COUNTER_RUSAGE;
    for (i = 0; i < n && out->n < DTX_COUNTERS && !(first && taken); i++) {
        struct dtx_counter_row *row = &out->row[out->n++];

        if (!try_source(&source[i], row))
            continue;
        if (taken) {
            (void)snprintf(row->why, sizeof(row->why), "a better one counts");
            continue;
        }
        taken = true;
        out->provider = row->provider;
        out->counted = row->counted;
    }
}

void dtx_counters_probe(bool first, struct dtx_counter_choice *out)
{
    static const struct dtx_counter_source sources[] = {
        {DTX_COUNTER_PAPI_HARDWARE, dtx_papi_probe, dtx_papi_attaches},
        {DTX_COUNTER_PERF_HARDWARE, dtx_perf_probe, NULL},
        {DTX_COUNTER_PAPI_SOFTWARE, dtx_papi_probe, dtx_papi_attaches},
        {DTX_COUNTER_PERF_SOFTWARE, dtx_perf_probe, NULL},
    };
    size_t n = sizeof(sources) / sizeof(sources[0]);

    if (first && !dtx_perf_has_hardware())
        dtx_counters_choose(&sources[n - 1], 1, true, out);
    else
        dtx_counters_choose(sources, n, first, out);
}

int64_t dtx_counter_cost_ns(enum dtx_counter provider)
{
    if (provider == DTX_COUNTER_NONE || provider == DTX_COUNTER_RUSAGE)
        return 0;
    return provider == DTX_COUNTER_PAPI_HARDWARE ||
                   provider == DTX_COUNTER_PAPI_SOFTWARE
               ? DTX_COUNTER_PAPI_NS
               : DTX_COUNTER_PERF_NS;
}

void dtx_counter_pace_init(struct dtx_counter_pace *p, int64_t cost_ns,
                           uint32_t slots)
{
    p->cost_ns = cost_ns;
    p->left_ns = p->most_ns = p->cost_ns * (int64_t)slots;
}

bool dtx_counter_pace_start(struct dtx_counter_pace *p)
{
    if (p->cost_ns == 0 || p->left_ns < p->cost_ns)
        return false;
    p->left_ns -= p->cost_ns;
    return true;
}

void dtx_counter_pace_end(struct dtx_counter_pace *p, int64_t wall_ns)
{
    int64_t room_ns = p->most_ns - p->left_ns;
    int64_t more_ns = wall_ns / DTX_COUNTER_SHARE;

    if (wall_ns < DTX_COUNTER_SHORT_NS)
        more_ns /= 4;
    p->left_ns += more_ns < room_ns ? more_ns : room_ns;
}

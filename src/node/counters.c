/* SPDX-License-Identifier: MIT */
/* Chooses who counts; see counters.h. It counts nothing itself. */
#include "node/counters.h"

#include <stdio.h>
#include <string.h>

#include "node/papi.h"

static void try_source(const struct dtx_counter_source *s, bool taken,
                       struct dtx_counter_row *row)
{
    row->provider = s->provider;
    row->works = s->probe(s->provider, &row->counted, row->why) &&
                 row->counted != 0;
    if (!row->works) {
        row->counted = 0;
        if (!row->why[0])
            (void)snprintf(row->why, sizeof(row->why), "it counts nothing");
    } else if (!s->programs) {
        (void)snprintf(row->why, sizeof(row->why),
                       "it cannot count a program from its start");
    } else if (taken) {
        (void)snprintf(row->why, sizeof(row->why), "a better one counts");
    } else {
        row->why[0] = '\0';
    }
}

void dtx_counters_choose(const struct dtx_counter_source *source, size_t n,
                         bool first, struct dtx_counter_choice *out)
{
    bool taken = false;
    size_t i;

    memset(out, 0, sizeof(*out));
    out->provider = DTX_COUNTER_RUSAGE;
    for (i = 0; i < n && out->n < DTX_COUNTERS && !(first && taken); i++) {
        struct dtx_counter_row *row = &out->row[out->n];

        if (first && !source[i].programs)
            continue;
        try_source(&source[i], taken, row);
        out->n++;
        if (taken || !row->works || !source[i].programs)
            continue;
        taken = true;
        out->provider = row->provider;
        out->counted = row->counted;
    }
}

void dtx_counters_probe(bool first, struct dtx_counter_choice *out)
{
    static const struct dtx_counter_source sources[] = {
        {DTX_COUNTER_PAPI_HARDWARE, false, dtx_papi_probe},
        {DTX_COUNTER_PERF_HARDWARE, true, dtx_perf_probe},
        {DTX_COUNTER_PAPI_SOFTWARE, false, dtx_papi_probe},
        {DTX_COUNTER_PERF_SOFTWARE, true, dtx_perf_probe},
    };

    dtx_counters_choose(sources, sizeof(sources) / sizeof(sources[0]), first,
                        out);
}

bool dtx_counter_pace_start(const struct dtx_counter_pace *p)
{
    return p->known && p->mean_ns >= DTX_COUNTER_SHORT_NS;
}

void dtx_counter_pace_end(struct dtx_counter_pace *p, int64_t wall_ns)
{
    if (!p->known)
        p->mean_ns = wall_ns;
    else
        p->mean_ns += (wall_ns - p->mean_ns) / 8;
    p->known = true;
}

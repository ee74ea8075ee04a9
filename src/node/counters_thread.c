/* SPDX-License-Identifier: MIT */
/* Counts a thread by the best source that can, and by its clock; see
 * counters.h.  The kernel's events are not among the sources: they make each
 * sleep and waking of a thread dearer, by some 10 us for a short loop, and tell
 * little that the clock does not, which costs nothing. */
#include "node/counters.h"

#include <pthread.h>
#include <string.h>

#include "base/units.h"
#include "node/papi.h"

static bool read_clock(const struct dtx_thread_counter *t, uint64_t *ns)
{
    struct timespec now;

    if (!t->clocked || clock_gettime(t->clock, &now) != 0)
        return false;
    *ns = (uint64_t)now.tv_sec * DTX_SEC_NS + (uint64_t)now.tv_nsec;
    return true;
}

void dtx_thread_counter_choose(struct dtx_thread_counter *t,
                               const struct dtx_thread_source *source, size_t n)
{
    size_t i;

    memset(t, 0, sizeof(*t));
    for (i = 0; i < n && !t->handle; i++) {
        t->handle = source[i].open(source[i].provider);
        t->source = t->handle ? &source[i] : NULL;
    }
    t->clocked = pthread_getcpuclockid(pthread_self(), &t->clock) == 0;
    t->clocked = read_clock(t, &t->clock_ns);
}

void dtx_thread_counter_open(struct dtx_thread_counter *t,
                             enum dtx_thread_counting by)
{
    static const struct dtx_thread_source sources[] = {
        {DTX_COUNTER_PAPI_HARDWARE, true, dtx_papi_thread_open,
         dtx_papi_thread_read, dtx_papi_thread_close},
        {DTX_COUNTER_PERF_HARDWARE, false, dtx_perf_thread_open,
         dtx_perf_thread_read, dtx_perf_thread_close},
    };
    size_t n = sizeof(sources) / sizeof(sources[0]);
    size_t from = by == DTX_THREAD_COUNTING_AUTO ? 0 : 1;

    if (!dtx_perf_has_hardware()) /* PAPI would be started for nothing */
        from = n;
    dtx_thread_counter_choose(t, sources + from, n - from);
}

static void read_source(struct dtx_thread_counter *t, struct dtx_counters *out)
{
    if (t->source)
        t->source->read(t->handle, out);
    out->provider = (uint8_t)(out->counted ? t->source->provider
                                           : DTX_COUNTER_RUSAGE);
}

void dtx_thread_counter_note(struct dtx_thread_counter *t)
{
    struct dtx_counters c = {0};

    if (!t->source || !t->source->own)
        return;
    read_source(t, &c);
    dtx_counters_sum(&t->noted, &c);
}

void dtx_thread_counter_read(struct dtx_thread_counter *t,
                             struct dtx_counters *out)
{
    uint64_t now, ns;

    memset(out, 0, sizeof(*out));
    if (t->source && t->source->own) {
        *out = t->noted;
        memset(&t->noted, 0, sizeof(t->noted));
        if (out->provider == DTX_COUNTER_NONE)
            out->provider = DTX_COUNTER_RUSAGE;
    } else {
        read_source(t, out);
    }
    if (!read_clock(t, &now))
        return;
    if (!dtx_counters_get(out, DTX_COUNTED_CLOCK_NS, &ns))
        dtx_counters_set(out, DTX_COUNTED_CLOCK_NS, now - t->clock_ns);
    t->clock_ns = now;
}

void dtx_thread_counter_close(struct dtx_thread_counter *t)
{
    if (t->source)
        t->source->close(t->handle);
    memset(t, 0, sizeof(*t));
}

/* SPDX-License-Identifier: MIT */
/* Counts a thread by the best source that can, and by its clock; see
 * counters.h.  The kernel's events are not among the sources: they make each
 * sleep and waking of a thread dearer, by some 10 us for a short loop, and tell
 * little that the clock does not, which costs nothing. */
#include "node/counters.h"

#include <pthread.h>
#include <string.h>

#include "base/units.h"

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

void dtx_thread_counter_open(struct dtx_thread_counter *t)
{
    static const struct dtx_thread_source sources[] = {
        {DTX_COUNTER_PERF_HARDWARE, dtx_perf_thread_open, dtx_perf_thread_read,
         dtx_perf_thread_close},
    };

    dtx_thread_counter_choose(t, sources, sizeof(sources) / sizeof(sources[0]));
}

void dtx_thread_counter_read(struct dtx_thread_counter *t,
                             struct dtx_counters *out)
{
    uint64_t now, ns;

    memset(out, 0, sizeof(*out));
    if (t->source)
        t->source->read(t->handle, out);
    out->provider = (uint8_t)(out->counted ? t->source->provider
                                           : DTX_COUNTER_RUSAGE);
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

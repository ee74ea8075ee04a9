/* SPDX-License-Identifier: MIT */
/* task/counters.h - what was counted while an attempt ran, and by whom
 *
 * A counter that was not measured is absent: its bit in 'counted' is 0, and its
 * value means nothing. Ask dtx_counters_get, which says so, before a ratio is
 * made of two of them.
 */
#ifndef DTX_TASK_COUNTERS_H
#define DTX_TASK_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

/* Who counted, best first. */
enum dtx_counter {
    DTX_COUNTER_NONE,          /* nobody */
    DTX_COUNTER_PAPI_HARDWARE, /* the processor's counters, through PAPI */
    DTX_COUNTER_PERF_HARDWARE, /* the same through perf_event_open: where PAPI
                                  is not there, or too old for the processor */
    DTX_COUNTER_PAPI_SOFTWARE, /* the kernel's events, through PAPI */
    DTX_COUNTER_PERF_SOFTWARE, /* the same through perf_event_open */
    DTX_COUNTER_RUSAGE,        /* nothing but the kernel's accounting */
    DTX_COUNTERS               /* number of them */
};

/* What can be counted. The place of each is its bit in 'counted' and its index
 * in 'value'. */
enum dtx_counted {
    DTX_COUNTED_INSTRUCTIONS, /* retired in user mode */
    DTX_COUNTED_CYCLES,       /* in user mode */
    DTX_COUNTED_MISSES,       /* of the last level of cache, in user mode */
    DTX_COUNTED_IOWAIT_NS,    /* waiting for block devices */
    DTX_COUNTED_CLOCK_NS,     /* on a processor */
    DTX_COUNTED_MIGRATIONS,   /* from one processor to another */
    DTX_COUNTED_SWITCHES,     /* of context */
    DTX_COUNTED_FAULTS,       /* of pages */
    DTX_COUNTED               /* number of them: they fit into 8 bits */
};

struct dtx_counters {
    uint8_t provider; /* enum dtx_counter */
    uint8_t counted;  /* bit i: value[i] was measured */
    uint64_t value[DTX_COUNTED];
};

/* "papi-hardware", "perf-software", "rusage", ...; "none". */
const char *dtx_counter_name(enum dtx_counter c);
/* "instructions", "cycles", "misses", "iowait_ns", "clock_ns", ... */
const char *dtx_counted_name(enum dtx_counted c);

/* False: 'what' was not measured, and '*value' is as it was. */
bool dtx_counters_get(const struct dtx_counters *c, enum dtx_counted what,
                      uint64_t *value);
/* 'what' was measured. */
void dtx_counters_set(struct dtx_counters *c, enum dtx_counted what,
                      uint64_t value);

/* Add 'x' to 'sum', whose provider is NONE when it is empty. What one of them
 * lacks is absent; the provider is the lesser one. A sum stays below 2^64. */
void dtx_counters_sum(struct dtx_counters *sum, const struct dtx_counters *x);

/* What a counter would have shown that was on the processor's list for
 * 'running' of 'enabled' ns, since more were wanted than there are: the count
 * scaled up, and at most UINT64_MAX. False when it never ran, so that nothing
 * is known. */
bool dtx_counters_scale(uint64_t count, uint64_t enabled, uint64_t running,
                        uint64_t *value);

#endif

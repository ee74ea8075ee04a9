/* SPDX-License-Identifier: MIT */
/* node/papi_count.c - what PAPI counts here
 *
 * The only file that includes <papi.h>. An event is taken to count when it can
 * be added, started and read, and what must have happened in between was seen.
 */
#include "node/papi.h"

#include <papi.h>
#include <stdio.h>

#include "node/counters.h"

struct event {
    const char *name;
    enum dtx_counted counted;
    bool certain; /* a little work makes it more than 0 */
};

const char *dtx_papi_library(char *buf, size_t size)
{
    unsigned v = (unsigned)PAPI_VERSION;
    (void)snprintf(buf, size, "PAPI %u.%u.%u.%u", v >> 24 & 0xff,
                   v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff);
    return buf;
}

/* 0 or PAPI's error; "does not count" is PAPI_ENOCNTR. */
static int try_event(const struct event *e)
{
    volatile unsigned x = 1;
    int set = PAPI_NULL, rc = PAPI_create_eventset(&set), stopped, i;
    long long value = 0;

    if (rc != PAPI_OK)
        return rc;
    rc = PAPI_add_named_event(set, e->name);
    if (rc == PAPI_OK)
        rc = PAPI_start(set);
    if (rc == PAPI_OK) {
        for (i = 0; i < 10000; i++)
            x = x * 3 + 1;
        stopped = PAPI_stop(set, &value);
        rc = stopped != PAPI_OK ? stopped
             : value < 0 || (value == 0 && e->certain) ? PAPI_ENOCNTR
                                                       : PAPI_OK;
    }
    (void)PAPI_cleanup_eventset(set);
    (void)PAPI_destroy_eventset(&set);
    return rc;
}

static bool try_events(const struct event *e, size_t n, uint8_t *counted,
                       char *why)
{
    int rc;

    while (n-- > 0) {
        rc = try_event(&e[n]);
        if (rc == PAPI_OK)
            *counted |= (uint8_t)(1u << e[n].counted);
        else
            (void)snprintf(why, DTX_COUNTER_WHY, "%s: %s", e[n].name,
                           PAPI_strerror(rc));
    }
    return *counted != 0;
}

bool dtx_papi_probe(enum dtx_counter provider, uint8_t *counted, char *why)
{
    static const struct event hardware[] = {
        {"PAPI_TOT_INS", DTX_COUNTED_INSTRUCTIONS, true},
        {"PAPI_TOT_CYC", DTX_COUNTED_CYCLES, true},
        {"PAPI_L3_TCM", DTX_COUNTED_MISSES, false},
    };
    static const struct event software[] = {
        {"perf::TASK-CLOCK", DTX_COUNTED_CLOCK_NS, true},
        {"perf::CPU-MIGRATIONS", DTX_COUNTED_MIGRATIONS, false},
    };
    int rc;
    bool good;

    *counted = 0;
    rc = PAPI_library_init(PAPI_VER_CURRENT);
    if (rc != PAPI_VER_CURRENT) {
        (void)snprintf(why, DTX_COUNTER_WHY, "the library does not start: %s",
                       rc > 0 ? "it is of another version than its header"
                              : PAPI_strerror(rc));
        return false;
    }
    good = provider == DTX_COUNTER_PAPI_HARDWARE
               ? try_events(hardware, 3, counted, why)
               : try_events(software, 2, counted, why);
    PAPI_shutdown();
    return good;
}

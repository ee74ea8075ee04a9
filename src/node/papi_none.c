/* SPDX-License-Identifier: MIT */
/* node/papi_none.c - no PAPI
 *
 * Takes the place of papi_count.c where the program is built without PAPI; it
 * says so, and counts nothing.
 */
#include "node/papi.h"

#include <stdio.h>

#include "node/counters.h"

const char *dtx_papi_library(char *buf, size_t size)
{
    (void)snprintf(buf, size, "none (built --without-papi)");
    return buf;
}

static bool say_none(uint8_t *counted, char *why)
{
    *counted = 0;
    (void)snprintf(why, DTX_COUNTER_WHY, "built --without-papi");
    return false;
}

bool dtx_papi_probe(enum dtx_counter provider, uint8_t *counted, char *why)
{
    (void)provider;
    return say_none(counted, why);
}

bool dtx_papi_attaches(enum dtx_counter provider, uint8_t *counted, char *why)
{
    (void)provider;
    return say_none(counted, why);
}

struct dtx_papi_programs *dtx_papi_open(enum dtx_counter provider,
                                        uint8_t counted, char *why)
{
    (void)provider;
    (void)say_none(&counted, why);
    return NULL;
}

void dtx_papi_close(struct dtx_papi_programs *p)
{
    (void)p;
}

struct dtx_papi_program *dtx_papi_attach(const struct dtx_papi_programs *p,
                                         pid_t pid, int *why)
{
    (void)p;
    (void)pid;
    (void)why;
    return NULL;
}

void dtx_papi_end(struct dtx_papi_program *x, struct dtx_counters *out)
{
    (void)x;
    (void)out;
}

void *dtx_papi_thread_open(enum dtx_counter provider)
{
    (void)provider;
    return NULL;
}

void dtx_papi_thread_read(void *handle, struct dtx_counters *out)
{
    (void)handle;
    (void)out;
}

void dtx_papi_thread_close(void *handle)
{
    (void)handle;
}

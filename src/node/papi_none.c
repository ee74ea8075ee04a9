/* SPDX-License-Identifier: MIT */
/* node/papi_none.c - no PAPI
 *
 * Takes the place of papi_count.c where the program is built without PAPI; it
 * says so, and does nothing else.
 */
#include "node/papi.h"

#include <stdio.h>

#include "node/counters.h"

const char *dtx_papi_library(char *buf, size_t size)
{
    (void)snprintf(buf, size, "none (built --without-papi)");
    return buf;
}

bool dtx_papi_probe(enum dtx_counter provider, uint8_t *counted, char *why)
{
    (void)provider;
    *counted = 0;
    (void)snprintf(why, DTX_COUNTER_WHY, "built --without-papi");
    return false;
}

/* SPDX-License-Identifier: MIT */
/* node/papi.h - the counter library this program was built with
 *
 * configure chooses one of papi_count.c and papi_none.c.
 */
#ifndef DTX_NODE_PAPI_H
#define DTX_NODE_PAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/counters.h"

/* "PAPI 7.0.0.0" or "none (built --without-papi)", cut to fit.
 * Returns 'buf'. */
const char *dtx_papi_library(char *buf, size_t size);

/* A probe for struct dtx_counter_source (node/counters.h): PAPI_HARDWARE or
 * PAPI_SOFTWARE events of the calling thread are added, started and read. It
 * starts the library, in this process alone, and shuts it down again. */
bool dtx_papi_probe(enum dtx_counter provider, uint8_t *counted, char *why);

#endif

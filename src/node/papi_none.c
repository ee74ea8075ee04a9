/* SPDX-License-Identifier: MIT */
/* node/papi_none.c - no PAPI
 *
 * Takes the place of papi_version.c where the program is built without PAPI;
 * it says so, and does nothing else.
 */
#include "node/papi.h"

#include <stdio.h>

const char *dtx_papi_library(char *buf, size_t size)
{
    (void)snprintf(buf, size, "none (built --without-papi)");
    return buf;
}

/* SPDX-License-Identifier: MIT */
/* node/papi_version.c - the version of PAPI
 *
 * Answers with the version of the header this was compiled with; it neither
 * starts the library nor touches a counter.
 */
#include "node/papi.h"

#include <papi.h>
#include <stdio.h>

const char *dtx_papi_library(char *buf, size_t size)
{
    unsigned v = (unsigned)PAPI_VERSION;
    (void)snprintf(buf, size, "PAPI %u.%u.%u.%u", v >> 24 & 0xff,
                   v >> 16 & 0xff, v >> 8 & 0xff, v & 0xff);
    return buf;
}

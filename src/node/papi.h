/* SPDX-License-Identifier: MIT */
/* node/papi.h - which counter library this program was built with
 *
 * configure chooses one of papi_version.c and papi_none.c.
 */
#ifndef DTX_NODE_PAPI_H
#define DTX_NODE_PAPI_H

#include <stddef.h>

/* "PAPI 7.0.0.0" or "none (built --without-papi)", cut to fit.
 * Returns 'buf'. */
const char *dtx_papi_library(char *buf, size_t size);

#endif

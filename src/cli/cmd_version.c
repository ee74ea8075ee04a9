/* SPDX-License-Identifier: MIT */
/* "distributex version": what this program is and what it is built on. */
#include "cli/cmd.h"

#include <string.h>
#include <zlib.h>

#ifdef HAVE_CONFIG_H
#include "base/config.h"
#endif

#include "base/buf.h"
#include "cli/topics.h"
#include "mpi/transport.h"
#include "node/cores.h"
#include "node/papi.h"
#include "store/hdf5_version.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "(version unknown)"
#endif

const char *dtx_cmd_version_text(void)
{
    return PACKAGE_VERSION;
}

static void put_libraries(struct dtx_buf *b)
{
    char text[256];

    dtx_buf_printf(b, "MPI      %s\n",
                   dtx_transport_library(text, sizeof(text)));
    dtx_buf_printf(b, "topology %s\n", dtx_cores_library(text, sizeof(text)));
    dtx_buf_printf(b, "counters %s\n", dtx_papi_library(text, sizeof(text)));
    dtx_buf_printf(b, "archive  %s\n", dtx_hdf5_library(text, sizeof(text)));
    dtx_buf_printf(b, "sums     zlib %s\n", zlibVersion());
}

int dtx_cmd_version(int argc, char **argv)
{
    struct dtx_buf b = DTX_BUF_INIT;
    bool verbose = false;
    int i;

    for (i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (dtx_cmd_asks_help(argv[i]))
            return dtx_cmd_print_usage("version");
        else if (argv[i][0] == '-')
            return dtx_cmd_unknown_option("version", argv[i]);
        else
            return dtx_cmd_usage("version: unexpected '%.60s'", argv[i]);
    }
    dtx_buf_printf(&b, "distributex %s\n", PACKAGE_VERSION);
    if (verbose)
        put_libraries(&b);
    return dtx_cmd_print(&b);
}

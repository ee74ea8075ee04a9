/* SPDX-License-Identifier: MIT */
/* "distributex run": all of it is run/'s. */
#include "cli/cmd.h"

#include "run/run.h"

int dtx_cmd_run(int argc, char **argv)
{
    return dtx_run_main(argv[0], argc - 2, argv + 2);
}

/* SPDX-License-Identifier: MIT */
/* "distributex run": all of it is run/'s; the history is lent to it. */
#include "cli/cmd.h"

#include "cli/history.h"
#include "cli/told.h"
#include "run/learn.h"
#include "run/run.h"

static const struct dtx_archive archive = {
    dtx_history_make, dtx_history_read, dtx_history_write,
    dtx_told_runfile, dtx_cli_history_merge};

int dtx_cmd_run(int argc, char **argv)
{
    dtx_learn_archive(&archive);
    return dtx_run_main(argv[0], argc - 2, argv + 2);
}

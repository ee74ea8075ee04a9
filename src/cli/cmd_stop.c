/* SPDX-License-Identifier: MIT */
/* "distributex stop": leaves a request in the run directory, which the job's
 * rank 0 sees.  It sends no signal, so it works from another host as well. */
#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "run/status.h"
#include "store/rundir.h"

static int ask(const char *name)
{
    struct dtx_buf path = DTX_BUF_INIT, text = DTX_BUF_INIT;
    struct dtx_error err;
    bool running = false;
    int rc = dtx_rundir_find(name, &path, &err);

    if (rc == 0)
        rc = dtx_rundir_request_stop(path.data, &running, &err);
    if (rc == 0 && !running)
        rc = dtx_error_set(&err, DTX_ESTATE, "no job runs in %s", path.data);
    if (rc == 0)
        dtx_buf_printf(&text, "asked the job in %s to drain\n", path.data);
    dtx_buf_free(&path);
    if (rc != 0)
        return dtx_cmd_fail(DTX_EXIT_RUNDIR, &err);
    return dtx_cmd_print(&text);
}

int dtx_cmd_stop(int argc, char **argv)
{
    const char *name = NULL;
    bool options = true;
    int i, words = 0;

    for (i = 2; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-') {
            if (dtx_cmd_asks_help(argv[i]))
                return dtx_cmd_print_usage("stop");
            return dtx_cmd_unknown_option("stop", argv[i]);
        } else {
            name = argv[i];
            words++;
        }
    }
    if (words > 1)
        return dtx_cmd_usage("stop: at most one run directory: distributex "
                             "stop [RUNDIR]");
    return ask(name && strcmp(name, "latest") == 0 ? NULL : name);
}

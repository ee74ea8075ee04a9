/* SPDX-License-Identifier: MIT */
/* "distributex history": which part of it is asked for. */
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/history.h"

static const struct {
    const char *name;
    int (*run)(const struct dtx_cli_words *w);
} parts[] = {
    {"list", dtx_history_cmd_list},     {"show", dtx_history_cmd_show},
    {"import", dtx_history_cmd_import}, {"merge", dtx_history_cmd_merge},
    {"prune", dtx_history_cmd_prune},   {"score", dtx_history_cmd_score},
    {"runfile", dtx_history_cmd_runfile},
};

int dtx_cmd_history(int argc, char **argv)
{
    struct dtx_cli_words w;
    bool done = false;
    size_t i;
    int status;

    if (argc < 3)
        return dtx_cmd_usage("history: say list, show, import, merge, prune, "
                             "score or runfile; see 'distributex history "
                             "--help'");
    if (dtx_cmd_asks_help(argv[2]))
        return dtx_cmd_print_usage("history");
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].name, argv[2]) != 0)
            continue;
        status = dtx_cli_words("history", argc, argv, 3, &w, &done);
        if (done)
            return status;
        status = parts[i].run(&w);
        free(w.word);
        return status;
    }
    return dtx_cmd_usage("history: there is no '%.60s'; say list, show, "
                         "import, merge, prune, score or runfile", argv[2]);
}

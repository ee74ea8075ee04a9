/* SPDX-License-Identifier: MIT */
/* Finds the command that was meant and calls it.  It decides nothing else. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"
#include "cli/cmd.h"
#include "run/status.h"

/* Commands that are promised but not built. */
static const char *const later[] = {"report", "status", "top", "topo"};

static int refuse(const char *word)
{
    const struct dtx_cmd *table;
    struct dtx_near near;
    size_t i, n;

    for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (strcmp(word, later[i]) == 0)
            return dtx_cmd_usage("'%s' is not in this version; see "
                                 "'distributex help'", word);
    }
    table = dtx_cmd_table(&n);
    dtx_near_init(&near, word, strlen(word));
    for (i = 0; i < n; i++)
        dtx_near_offer(&near, table[i].name);
    if (near.best)
        return dtx_cmd_usage("unknown command '%.60s'; did you mean '%s'?",
                             word, near.best);
    if (access(word, R_OK) == 0)
        return dtx_cmd_usage("'%.200s' is a file, not a command; to run it as "
                             "a task file: distributex run %.200s", word, word);
    return dtx_cmd_usage("unknown command '%.60s'; see 'distributex help'",
                         word);
}

/* Give closed standard descriptors something that cannot be written to, or for
 * input not be read: else the next file opened, such as a journal, would get
 * their numbers and with them what is meant for the user. */
static bool hold_standard_fds(void)
{
    int fd;

    do {
        fd = open("/dev/null", fcntl(STDIN_FILENO, F_GETFD) < 0 ? O_WRONLY
                                                                : O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
    const struct dtx_cmd *c;
    const char *word = argc > 1 ? argv[1] : NULL;

    if (!hold_standard_fds())
        return DTX_EXIT_INTERNAL;
    if (!word)
        return dtx_cmd_usage("a command is missing, as in 'distributex run "
                             "TASKFILE'; see 'distributex help'");
    if (dtx_cmd_asks_help(word))
        return dtx_cmd_help(1, argv);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return dtx_cmd_version(argc, argv);
    c = dtx_cmd_find(word);
    return c ? c->run(argc, argv) : refuse(word);
}

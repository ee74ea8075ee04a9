/* SPDX-License-Identifier: MIT */
/* The command table and what all commands share: how they print and how they
 * refuse.  It knows no command's business. */
#include "cli/cmd.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "run/page.h"
#include "run/status.h"

static const struct dtx_cmd table[] = {
#define CMD_ROW(name, args, help) {#name, args, help, dtx_cmd_##name},
    DTX_CMD_MAP(CMD_ROW)
#undef CMD_ROW
};

#define NCOMMANDS (sizeof(table) / sizeof(table[0]))

const struct dtx_cmd *dtx_cmd_table(size_t *count)
{
    *count = NCOMMANDS;
    return table;
}

const struct dtx_cmd *dtx_cmd_find(const char *name)
{
    size_t i;

    for (i = 0; i < NCOMMANDS; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

int dtx_cmd_usage(const char *fmt, ...)
{
    va_list ap;

    (void)fputs("distributex: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    return DTX_EXIT_USAGE;
}

int dtx_cmd_fail(int status, const struct dtx_error *err)
{
    (void)fprintf(stderr, "distributex: %s\n", err->text);
    return status;
}

int dtx_cmd_unknown_option(const char *command, const char *word)
{
    return dtx_cmd_usage("%s: unknown option %.60s; see 'distributex %s "
                         "--help'", command, word, command);
}

int dtx_cmd_write(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {fd, POLLOUT, 0};

            if (poll(&wait, 1, -1) < 0 && errno != EINTR)
                return -1;
        } else if (n < 0 && errno != EINTR) {
            return -1;
        } else if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

int dtx_cmd_print(struct dtx_buf *b)
{
    struct dtx_error err;
    int rc = 0;

    if (b->failed)
        rc = dtx_error_set(&err, DTX_ENOMEM, "out of memory");
    else if (dtx_cmd_write(STDOUT_FILENO, b->data, b->len) != 0 &&
             errno != EPIPE)
        rc = dtx_error_errno(&err, "cannot write to standard output");
    dtx_buf_free(b);
    return rc == 0 ? 0 : dtx_cmd_fail(DTX_CMD_FAILED, &err);
}

int dtx_cmd_print_usage(const char *command)
{
    const struct dtx_cmd *c = dtx_cmd_find(command);
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, false, false};

    if (!c)
        return dtx_cmd_usage("there is no command '%.60s'", command);
    dtx_buf_printf(&b, "usage: distributex %s %s\n", c->name, c->args);
    dtx_page_para(&p, c->help);
    if (strstr(c->args, "RUNDIR"))
        dtx_page_para(&p, "RUNDIR is the run directory; without it, or with "
                          "'latest', the one that ./distributex-latest leads "
                          "to.");
    return dtx_cmd_print(&b);
}

bool dtx_cmd_asks_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

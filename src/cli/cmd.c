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
#include "base/near.h"
#include "run/page.h"
#include "run/status.h"

static const struct dtx_cmd table[] = {
#define CMD_ROW(name, args, help) {#name, args, help, dtx_cmd_##name},
    DTX_CMD_MAP(CMD_ROW)
#undef CMD_ROW
};

static const struct dtx_cmd_option options[] = {
#define OPTION_ROW(command, name, letter, value, help)                         \
    {#command, name, letter, value, help},
    DTX_CMD_OPTION_MAP(OPTION_ROW)
#undef OPTION_ROW
};

#define NOPTIONS (sizeof(options) / sizeof(options[0]))
#define NCOMMANDS (sizeof(table) / sizeof(table[0]))

const struct dtx_cmd *dtx_cmd_table(size_t *count)
{
    *count = NCOMMANDS;
    return table;
}

const struct dtx_cmd_option *dtx_cmd_option_table(size_t *count)
{
    *count = NOPTIONS;
    return options;
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
    struct dtx_near near;
    size_t i, len = strcspn(word, "=");

    dtx_near_init(&near, word + 2, strncmp(word, "--", 2) == 0 ? len - 2 : 0);
    for (i = 0; i < NOPTIONS; i++) {
        if (strcmp(options[i].command, command) == 0)
            dtx_near_offer(&near, options[i].name);
    }
    dtx_near_offer(&near, "help");
    if (near.best)
        return dtx_cmd_usage("%s: unknown option %.60s; did you mean --%s?",
                             command, word, near.best);
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

void dtx_cmd_put_options(struct dtx_page *p, const char *command)
{
    char term[80];
    size_t i;

    for (i = 0; i < NOPTIONS; i++) {
        const struct dtx_cmd_option *o = &options[i];
        char letter[] = {'-', o->letter, ',', ' ', '\0'};

        if (strcmp(o->command, command) != 0)
            continue;
        (void)snprintf(term, sizeof(term), "%s--%s%s%s",
                       o->letter ? letter : "", o->name, o->value ? " " : "",
                       o->value ? o->value : "");
        dtx_page_item(p, term, o->help);
    }
}

int dtx_cmd_print_usage(const char *command)
{
    const struct dtx_cmd *c = dtx_cmd_find(command);
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, false, DTX_PAGE_NOTHING};

    if (!c)
        return dtx_cmd_usage("there is no command '%.60s'", command);
    dtx_buf_printf(&b, "usage: distributex %s %s\n", c->name, c->args);
    dtx_page_para(&p, c->help);
    if (strstr(c->args, "RUNDIR"))
        dtx_page_para(&p, "RUNDIR is the run directory; without it, or with "
                          "'latest', the one that ./distributex-latest leads "
                          "to.");
    dtx_cmd_put_options(&p, command);
    return dtx_cmd_print(&b);
}

bool dtx_cmd_asks_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

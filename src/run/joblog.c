/* SPDX-License-Identifier: MIT */
/* The joblog's text: GNU parallel's nine columns; see show.h.  And whether its
 * file can be written at all, found out before anything is begun. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "run/job.h"
#include "run/show.h"

void dtx_joblog_header(struct dtx_buf *b)
{
    dtx_buf_str(b, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\t"
                   "Signal\tCommand\n");
}

/* A newline is written as a NUL, as GNU parallel does: a line is an outcome,
 * whatever the command says. */
static void put_command(struct dtx_buf *b, const char *command, size_t len)
{
    const char *end = command + len, *nl;

    while ((nl = memchr(command, '\n', (size_t)(end - command))) != NULL) {
        dtx_buf_append(b, command, (size_t)(nl - command));
        dtx_buf_char(b, '\0');
        command = nl + 1;
    }
    dtx_buf_append(b, command, (size_t)(end - command));
}

void dtx_joblog_line(struct dtx_buf *b, const struct dtx_outcome *o,
                     const char *host, const char *command, size_t len)
{
    int exit_code = o->exit_code, sig = o->signal;

    if (o->status == DTX_STATUS_TIMEOUT) { /* as GNU parallel has it */
        exit_code = -1;
        sig = 15;
    }
    dtx_buf_printf(b, "%llu\t%s\t%.3f\t%10.3f\t0\t%llu\t%d\t%d\t",
                   (unsigned long long)dtx_task_id(o->task), host,
                   (double)o->start_ns / 1e9, (double)o->wall_ns / 1e9,
                   (unsigned long long)o->out_len, exit_code, sig);
    put_command(b, command, len);
    dtx_buf_char(b, '\n');
}

/* A pipe is not opened: its reader would take the closing for the end. */
int dtx_joblog_check(const char *path, struct dtx_error *err)
{
    struct stat st;
    int fd;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        if (access(path, W_OK) != 0)
            return dtx_error_errno(err, "cannot write joblog %s", path);
        return DTX_OK;
    }
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0)
        return dtx_error_errno(err, "cannot write joblog %s", path);
    (void)close(fd);
    return DTX_OK;
}

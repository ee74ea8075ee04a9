/* SPDX-License-Identifier: MIT */
/* The joblog's lines: made as outcomes are pushed, written by the showing
 * thread. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "run/outlet.h"
#include "run/show_state.h"
#include "store/file.h"

#define TAIL_BYTES 65536 /* of a joblog, looked at before it goes on */

/* A line of the joblog: 0, an errno, or -1 when the thread is to end and nobody
 * reads. It does not wait for the others. */
static int write_all(struct dtx_show *s, int fd, const char *p, size_t len)
{
    struct dtx_outlet o = {&s->stopping, NULL, NULL};

    return dtx_outlet_write(&o, fd, p, len);
}

/* Write the lines that wait. Called without the lock; what cannot be written
 * is told once. */
void dtx_show_write_log(void *show)
{
    struct dtx_show *s = show;
    struct dtx_buf taken;
    int e = 0;

    (void)pthread_mutex_lock(&s->lock);
    taken = s->log;
    s->log = s->line;
    s->line = taken;
    s->logging = taken.len > 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (s->joblog_fd >= 0)
        e = write_all(s, s->joblog_fd, taken.data, taken.len);
    dtx_buf_clear(&s->line);
    if (e > 0) {
        dtx_printer_note(&s->printer, e);
        dtx_log(DTX_LOG_ERROR, "joblog: cannot write %s: %s; no further lines",
                s->c.joblog, strerror(e));
        (void)close(s->joblog_fd);
        s->joblog_fd = -1;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->logging = false;
    (void)pthread_mutex_unlock(&s->lock);
}

/* 0 or DTX_ENOMEM. Called with the lock held. */
int dtx_show_add_line(struct dtx_show *s, const struct dtx_outcome *o)
{
    struct dtx_buf b = DTX_BUF_INIT;
    size_t len = s->log.len;

    dtx_tasklist_command(&b, s->c.list, o->task, o->slot);
    dtx_joblog_line(&s->log, o, s->c.host(s->c.ctx, o->rank),
                    b.data ? b.data : "", b.len);
    s->log.failed |= b.failed;
    dtx_buf_free(&b);
    if (!s->log.failed)
        return DTX_OK;
    s->log.failed = false; /* without the half of a line */
    s->log.len = len;
    return DTX_ENOMEM;
}

/* A session that was killed may have left half a line: what has come to its
 * ninth column counts where a joblog is read back and is ended, less is cut
 * off. What cannot be read back, a pipe, is left alone. */
static int mend_joblog(struct dtx_show *s, off_t end)
{
    char tail[TAIL_BYTES];
    size_t n = end < TAIL_BYTES ? (size_t)end : TAIL_BYTES, i, tabs = 0;
    int rc, fd = open(s->c.joblog, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return 0;
    rc = dtx_file_read(fd, tail, n, (uint64_t)(end - (off_t)n)) == (ssize_t)n;
    (void)close(fd);
    if (!rc || tail[n - 1] == '\n')
        return 0;
    for (i = n; i > 0 && tail[i - 1] != '\n'; i--)
        tabs += tail[i - 1] == '\t';
    if (tabs >= 8 || (i == 0 && (off_t)n < end))
        return write_all(s, s->joblog_fd, "\n", 1);
    return ftruncate(s->joblog_fd, end - (off_t)(n - i)) ? errno : 0;
}

int dtx_show_open_joblog(struct dtx_show *s, struct dtx_error *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, e;
    off_t end;

    s->joblog_fd = -1;
    if (!s->c.joblog)
        return DTX_OK;
    if (!s->c.append)
        flags |= O_TRUNC;
    s->joblog_fd = open(s->c.joblog, flags, 0666);
    if (s->joblog_fd < 0)
        return dtx_error_errno(err, "cannot open joblog %s", s->c.joblog);
    end = lseek(s->joblog_fd, 0, SEEK_END);
    e = end > 0 ? mend_joblog(s, end) : 0;
    if (e == 0 && lseek(s->joblog_fd, 0, SEEK_END) <= 0) {
        dtx_joblog_header(&s->line);
        e = s->line.failed
                ? ENOMEM
                : write_all(s, s->joblog_fd, s->line.data, s->line.len);
        dtx_buf_clear(&s->line);
    }
    errno = e;
    return e ? dtx_error_errno(err, "cannot write joblog %s", s->c.joblog)
             : DTX_OK;
}

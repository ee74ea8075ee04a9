/* SPDX-License-Identifier: MIT */
/* Writes the files of --results; see results.h.  They are copies for the user:
 * nothing of ours is ever read from them. */
#include "store/results.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/file.h"
#include "store/writer.h"
#include "task/task.h"

#define PIECE (64u << 10)

/* mkdir -p. 0 or -1. */
static int make_dirs(char *path)
{
    char *p = path;

    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return -1;
    while ((p = strchr(p + 1, '/')) != NULL) {
        int rc;

        *p = '\0';
        rc = mkdir(path, 0777);
        *p = '/';
        if (rc != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            return -1;
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1;
}

int dtx_results_check(const char *dir, struct dtx_error *err)
{
    struct dtx_buf path = DTX_BUF_INIT;
    int rc = 0;

    dtx_buf_str(&path, dir);
    if (path.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (make_dirs(path.data) != 0)
        rc = dtx_error_errno(err, "--results: cannot make %s", dir);
    else if (access(dir, W_OK | X_OK) != 0)
        rc = dtx_error_errno(err, "--results: cannot write in %s", dir);
    dtx_buf_free(&path);
    return rc;
}

/* 'len' bytes at 'start' of 'from', or as many as there are, become the file.
 * 0 or -1. */
static int copy(int from, int64_t start, uint64_t len, int to, char *piece)
{
    uint64_t done = 0;

    while (done < len) {
        size_t want = len - done < PIECE ? (size_t)(len - done) : PIECE;
        ssize_t n = dtx_file_read(from, piece, want, (uint64_t)start + done);

        if (n < 0 || dtx_file_write(to, piece, (size_t)n, done) != 0)
            return -1;
        done += (uint64_t)n;
        if ((size_t)n < want)
            break;
    }
    return 0;
}

/* The file 'name' in the directory that is the first 'dir' bytes of 'path'. */
static int open_file(struct dtx_buf *path, size_t dir, const char *name)
{
    path->len = dir;
    dtx_buf_str(path, name);
    if (path->failed) {
        errno = ENOMEM;
        return -1;
    }
    return open(path->data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

static int write_stream(struct dtx_buf *path, size_t dir, const char *name,
                        int from, int64_t start, uint64_t len)
{
    char piece[PIECE];
    int fd = open_file(path, dir, name), rc;

    if (fd < 0)
        return -1;
    rc = copy(from, start, len, fd, piece);
    return close(fd) != 0 ? -1 : rc;
}

static int write_seq(struct dtx_buf *path, size_t dir, const char *id)
{
    int fd = open_file(path, dir, "/seq"), rc;

    if (fd < 0)
        return -1;
    rc = dtx_file_write(fd, id, strlen(id), 0);
    return close(fd) != 0 ? -1 : rc;
}

int dtx_results_write(const char *dir, const struct dtx_pack *p,
                      struct dtx_error *err)
{
    const struct dtx_outcome *o = &p->outcome;
    struct dtx_buf path = DTX_BUF_INIT, id = DTX_BUF_INIT;
    size_t len;
    int rc = 0;

    dtx_buf_printf(&id, "%" PRIu64, dtx_task_id(o->task));
    dtx_buf_printf(&path, "%s/%s", dir, id.failed ? "" : id.data);
    len = path.len;
    if (path.failed || id.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (make_dirs(path.data) != 0 ||
             write_stream(&path, len, "/stdout", p->out_fd, p->out_start,
                          o->out_len) != 0 ||
             write_stream(&path, len, "/stderr", p->err_fd, p->err_start,
                          o->err_len) != 0 ||
             write_seq(&path, len, id.data) != 0)
        rc = dtx_error_errno(err, "--results: cannot write %s", path.data);
    dtx_buf_free(&id);
    dtx_buf_free(&path);
    return rc;
}

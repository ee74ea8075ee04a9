/* SPDX-License-Identifier: MIT */
/* Writes the files of --results; see results.h.  They are copies for the user:
 * nothing of ours is ever read from them. */
#include "store/results.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/file.h"
#include "store/writer.h"
#include "task/task.h"

#define PIECE (64u << 10)

/* mkdir -p, from the far end: mostly all but the last few are there. 0 or
 * -1. */
static int make_dirs(char *path)
{
    size_t whole = strlen(path), len = whole;

    while (mkdir(path, 0777) != 0 && errno != EEXIST) {
        while (len > 0 && path[len - 1] == '/')
            len--;
        while (len > 0 && path[len - 1] != '/')
            len--;
        if (errno != ENOENT || len <= 1)
            return -1;
        path[len - 1] = '\0'; /* its parent first */
    }
    for (len = strlen(path); len < whole; len += strlen(path + len)) {
        path[len] = '/';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

/* The directory that is the same for all tasks. */
static void put_base(struct dtx_buf *b, const char *dir)
{
    size_t n = strcspn(dir, "{");

    if (dir[n]) {
        while (n > 0 && dir[n - 1] != '/')
            n--;
    }
    dtx_buf_append(b, n ? dir : ".", n ? n : 1);
}

int dtx_results_check(const char *dir, struct dtx_layout_limits *limits,
                      struct dtx_error *err)
{
    struct dtx_buf base = DTX_BUF_INIT;
    long name;
    int rc = 0;

    put_base(&base, dir);
    if (base.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (make_dirs(base.data) != 0)
        rc = dtx_error_errno(err, "--results: cannot make %s", base.data);
    else if (access(base.data, W_OK | X_OK) != 0)
        rc = dtx_error_errno(err, "--results: cannot write in %s", base.data);
    name = rc == 0 ? pathconf(base.data, _PC_NAME_MAX) : -1;
    limits->name = name > 0 ? (size_t)name : NAME_MAX;
    limits->path = PATH_MAX;
    dtx_buf_free(&base);
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

/* The file whose name is the first 'len' bytes of 'path' and this end. */
static int open_file(struct dtx_buf *path, size_t len, const char *end)
{
    path->len = len;
    dtx_buf_str(path, end);
    if (path->failed) {
        errno = ENOMEM;
        return -1;
    }
    return open(path->data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

static int write_stream(struct dtx_buf *path, size_t len, const char *end,
                        int from, int64_t start, uint64_t bytes)
{
    char piece[PIECE];
    int fd = open_file(path, len, end), rc;

    if (fd < 0)
        return -1;
    rc = copy(from, start, bytes, fd, piece);
    return close(fd) != 0 ? -1 : rc;
}

static int write_seq(struct dtx_buf *path, size_t len, const char *end,
                     uint64_t id)
{
    char digits[24];
    int fd = open_file(path, len, end), rc;

    if (fd < 0)
        return -1;
    (void)snprintf(digits, sizeof(digits), "%" PRIu64, id);
    rc = dtx_file_write(fd, digits, strlen(digits), 0);
    return close(fd) != 0 ? -1 : rc;
}

/* The directory 'path' is in, or is when it ends in a slash. */
static int make_parent(struct dtx_buf *path)
{
    char *slash = strrchr(path->data, '/');
    int rc;

    if (!slash || slash == path->data)
        return 0;
    *slash = '\0';
    rc = make_dirs(path->data);
    *slash = '/';
    return rc;
}

int dtx_results_write(const struct dtx_pack *p, struct dtx_error *err)
{
    static const char *const ends[2][3] = {{"", ".err", ".seq"},
                                           {"stdout", "stderr", "seq"}};
    const struct dtx_outcome *o = &p->outcome;
    struct dtx_buf path = DTX_BUF_INIT;
    const char *const *end;
    size_t len = strlen(p->results);
    int rc = 0;

    dtx_buf_append(&path, p->results, len);
    end = ends[len > 0 && p->results[len - 1] == '/'];
    if (path.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (make_parent(&path) != 0 ||
             write_stream(&path, len, end[0], p->out_fd, p->out_start,
                          o->out_len) != 0 ||
             write_stream(&path, len, end[1], p->err_fd, p->err_start,
                          o->err_len) != 0 ||
             write_seq(&path, len, end[2], dtx_task_id(o->task)) != 0)
        rc = dtx_error_errno(err, "--results: cannot write %s", path.data);
    dtx_buf_free(&path);
    return rc;
}

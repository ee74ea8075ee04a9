/* SPDX-License-Identifier: MIT */
/* The files between rank 0 and the supervisor; see marker.h.  It never decides
 * what a status means. */
#include "run/marker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"

#define MARKER_FORMAT "distributex-exit %d\n"
#define READY_SUFFIX ".ready"
#define LOST_SUFFIX ".lost"

void dtx_marker_lost_path(struct dtx_buf *b, const char *path)
{
    dtx_buf_printf(b, "%s" LOST_SUFFIX, path);
}

void dtx_marker_name(struct dtx_marker *m, const char *run_dir)
{
    struct dtx_buf b = DTX_BUF_INIT, ready = DTX_BUF_INIT;
    struct dtx_buf lost = DTX_BUF_INIT;
    uint64_t nonce = 0;

    if (getrandom(&nonce, sizeof(nonce), GRND_NONBLOCK) !=
        (ssize_t)sizeof(nonce))
        nonce = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
    dtx_buf_printf(&b, "%s/.exit-%016llx", run_dir, (unsigned long long)nonce);
    dtx_buf_printf(&ready, "%s" READY_SUFFIX, b.failed ? "" : b.data);
    dtx_marker_lost_path(&lost, b.failed ? "" : b.data);
    if (b.failed || ready.failed || lost.failed) {
        dtx_buf_free(&b);
        dtx_buf_free(&ready);
        dtx_buf_free(&lost);
    }
    m->path = b.data;
    m->ready = ready.data;
    m->lost = lost.data;
    m->run_dir = run_dir;
}

static int write_file(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    ssize_t n;

    if (fd < 0)
        return -1;
    do {
        n = write(fd, text, len);
    } while (n < 0 && errno == EINTR);
    if (close(fd) < 0 || n != (ssize_t)len) {
        (void)unlink(path);
        return -1;
    }
    return 0;
}

int dtx_marker_write(const char *path, int status)
{
    struct dtx_buf temp = DTX_BUF_INIT;
    char text[64];
    int len, rc = DTX_ENOMEM;

    if (status < 0 || status > 255)
        return DTX_EINVAL;
    len = snprintf(text, sizeof(text), MARKER_FORMAT, status);
    dtx_buf_printf(&temp, "%s.tmp", path);
    if (!temp.failed)
        rc = write_file(temp.data, text, (size_t)len) < 0 ||
                     rename(temp.data, path) < 0
                 ? dtx_error_errno(NULL, "%s", path)
                 : DTX_OK;
    dtx_buf_free(&temp);
    return rc;
}

int dtx_marker_ready(const char *path)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc = DTX_ENOMEM;

    dtx_buf_printf(&b, "%s" READY_SUFFIX, path);
    if (!b.failed)
        rc = write_file(b.data, "", 0) < 0 ? dtx_error_errno(NULL, "%s", b.data)
                                           : DTX_OK;
    dtx_buf_free(&b);
    return rc;
}

/* Opening the directory makes a network file system look again for a file it
 * has not found before. */
static void look_again(const struct dtx_marker *m)
{
    DIR *d = opendir(m->run_dir);

    if (d)
        (void)closedir(d);
}

bool dtx_marker_is_ready(const struct dtx_marker *m)
{
    look_again(m);
    return access(m->ready, F_OK) == 0;
}

int dtx_marker_read(const struct dtx_marker *m)
{
    char text[64], again[64];
    ssize_t n = -1;
    int fd, status = -1;

    look_again(m);
    fd = open(m->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        (void)close(fd);
        (void)unlink(m->path);
    }
    if (n <= 0)
        return -1;
    text[n] = '\0';
    if (sscanf(text, MARKER_FORMAT, &status) != 1 || status < 0 || status > 255)
        return -1;
    (void)snprintf(again, sizeof(again), MARKER_FORMAT, status);
    return strcmp(text, again) == 0 ? status : -1;
}

void dtx_marker_remove(struct dtx_marker *m)
{
    if (m->ready)
        (void)unlink(m->ready);
    if (m->lost)
        (void)unlink(m->lost);
    free(m->ready);
    free(m->lost);
    free(m->path);
    m->ready = m->lost = m->path = NULL;
}

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
#define LOSSY_FORMAT "distributex-exit %d lossy\n"
#define UP_SUFFIX ".up"
#define OPEN_SUFFIX ".open"
#define READY_SUFFIX ".ready"
#define LOST_SUFFIX ".lost"

void dtx_marker_lost_path(struct dtx_buf *b, const char *path)
{
    dtx_buf_printf(b, "%s" LOST_SUFFIX, path);
}

/* 'path' and its suffix; NULL when out of memory. */
static char *beside(const char *path, const char *suffix)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_buf_printf(&b, "%s%s", path, suffix);
    if (b.failed)
        dtx_buf_free(&b);
    return b.data;
}

static void forget(char **name)
{
    if (*name)
        (void)unlink(*name);
    free(*name);
    *name = NULL;
}

void dtx_marker_name(struct dtx_marker *m, const char *run_dir)
{
    uint64_t nonce = 0;
    char name[32];

    if (getrandom(&nonce, sizeof(nonce), GRND_NONBLOCK) !=
        (ssize_t)sizeof(nonce))
        nonce = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
    (void)snprintf(name, sizeof(name), "/.exit-%016llx",
                   (unsigned long long)nonce);
    m->run_dir = run_dir;
    m->path = beside(run_dir, name);
    m->up = beside(m->path ? m->path : "", UP_SUFFIX);
    m->open = beside(m->path ? m->path : "", OPEN_SUFFIX);
    m->ready = beside(m->path ? m->path : "", READY_SUFFIX);
    m->lost = beside(m->path ? m->path : "", LOST_SUFFIX);
    if (!m->up || !m->open || !m->ready || !m->lost)
        forget(&m->path);
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

int dtx_marker_write(const char *path, int status, bool lossy)
{
    struct dtx_buf temp = DTX_BUF_INIT;
    char text[64];
    int len, rc = DTX_ENOMEM;

    if (status < 0 || status > 255)
        return DTX_EINVAL;
    len = lossy ? snprintf(text, sizeof(text), LOSSY_FORMAT, status)
                : snprintf(text, sizeof(text), MARKER_FORMAT, status);
    dtx_buf_printf(&temp, "%s.tmp", path);
    if (!temp.failed)
        rc = write_file(temp.data, text, (size_t)len) < 0 ||
                     rename(temp.data, path) < 0
                 ? dtx_error_errno(NULL, "%s", path)
                 : DTX_OK;
    dtx_buf_free(&temp);
    return rc;
}

static int say(const char *path, const char *suffix)
{
    char *name = beside(path, suffix);
    int rc = DTX_ENOMEM;

    if (name)
        rc = write_file(name, "", 0) < 0 ? dtx_error_errno(NULL, "%s", name)
                                         : DTX_OK;
    free(name);
    return rc;
}

int dtx_marker_up(const char *path)
{
    return say(path, UP_SUFFIX);
}

int dtx_marker_open(const char *path)
{
    return say(path, OPEN_SUFFIX);
}

int dtx_marker_ready(const char *path)
{
    return say(path, READY_SUFFIX);
}

/* Opening the directory makes a network file system look again for a file it
 * has not found before. */
static void look_again(const struct dtx_marker *m)
{
    DIR *d = opendir(m->run_dir);

    if (d)
        (void)closedir(d);
}

bool dtx_marker_is_up(const struct dtx_marker *m)
{
    look_again(m);
    return access(m->up, F_OK) == 0;
}

bool dtx_marker_is_open(const struct dtx_marker *m)
{
    look_again(m);
    return access(m->open, F_OK) == 0;
}

bool dtx_marker_is_ready(const struct dtx_marker *m)
{
    look_again(m);
    return access(m->ready, F_OK) == 0;
}

int dtx_marker_read(const struct dtx_marker *m, bool *lossy)
{
    char text[64], again[64];
    ssize_t n = -1;
    int fd, status = -1;

    look_again(m);
    fd = open(m->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        (void)close(fd);
    }
    *lossy = false;
    if (n <= 0)
        return -1;
    text[n] = '\0';
    if (sscanf(text, MARKER_FORMAT, &status) != 1 || status < 0 || status > 255)
        return -1;
    (void)snprintf(again, sizeof(again), MARKER_FORMAT, status);
    if (strcmp(text, again) == 0)
        return status;
    (void)snprintf(again, sizeof(again), LOSSY_FORMAT, status);
    *lossy = strcmp(text, again) == 0;
    return *lossy ? status : -1;
}

void dtx_marker_remove(struct dtx_marker *m)
{
    forget(&m->path);
    forget(&m->up);
    forget(&m->open);
    forget(&m->ready);
    forget(&m->lost);
}

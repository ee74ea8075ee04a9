/* SPDX-License-Identifier: MIT */
/* Whole reads and writes, directory syncs, paths and naps; see file.h.
 * Decides nothing and never reports: callers read errno and say what they
 * were about to do. */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

ssize_t dtx_file_read(int fd, void *buf, size_t len, uint64_t off)
{
    char *p = buf;
    size_t got = 0;

    while (got < len) {
        ssize_t n = pread(fd, p + got, len - got, (off_t)(off + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

int dtx_file_write(int fd, const void *buf, size_t len, uint64_t off)
{
    const char *p = buf;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return -1;
        p += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int dtx_file_sync_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = !slash          ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    int fd, rc;

    if (!dir)
        return -1;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    rc = fsync(fd);
    if (rc != 0 && (errno == EINVAL || errno == ENOSYS || errno == EBADF ||
                    errno == EOPNOTSUPP))
        rc = 0;
    (void)close(fd);
    return rc;
}

char *dtx_file_join(const char *dir, const char *name)
{
    size_t a = strlen(dir), b = strlen(name);
    char *p = malloc(a + b + 2);

    if (p) {
        memcpy(p, dir, a);
        p[a] = '/';
        memcpy(p + a + 1, name, b + 1);
    }
    return p;
}

int64_t dtx_file_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * DTX_SEC_NS + ts.tv_nsec;
}

void dtx_file_nap(int64_t ns)
{
    struct timespec ts = {.tv_sec = (time_t)(ns / DTX_SEC_NS),
                          .tv_nsec = (long)(ns % DTX_SEC_NS)};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
        continue;
}

/* SPDX-License-Identifier: MIT */
/* Writes in pieces that do not block; see outlet.h.  It never decides what an
 * error means for the job. */
#include "run/outlet.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define LOOK_MS 100
#define FILE_BYTES (1u << 20) /* written at once to a file */

/* Wait until fd takes some bytes; false when it does not and it is time to
 * end. */
static bool await_room(const struct dtx_outlet *o, int fd)
{
    for (;;) {
        bool last = atomic_load(o->stopping);
        struct pollfd pf = {fd, POLLOUT, 0};

        if (poll(&pf, 1, last ? 0 : LOOK_MS) > 0)
            return true;
        if (last)
            return false;
        if (o->idle)
            o->idle(o->ctx);
    }
}

/* Bytes that can be written without blocking once there is room. */
static size_t room_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? FILE_BYTES : PIPE_BUF;
}

/* A terminal may have less room than it says: then the thread may be ended in
 * this write, and nowhere else. */
static ssize_t write_some(int fd, const char *p, size_t len)
{
    int old, e;
    ssize_t n;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    n = write(fd, p, len);
    e = errno;
    (void)pthread_setcancelstate(old, NULL);
    errno = e;
    return n;
}

int dtx_outlet_write(const struct dtx_outlet *o, int fd, const char *p,
                     size_t len)
{
    size_t most = room_of(fd);

    while (len > 0) {
        ssize_t n;

        if (!await_room(o, fd))
            return -1;
        n = write_some(fd, p, len < most ? len : most);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if (n == 0) {
            return EIO;
        } else if (errno != EINTR && errno != EAGAIN) {
            return errno;
        }
    }
    return 0;
}

bool dtx_outlet_reader_left(int fd, int e)
{
    struct stat st;

    return e == EPIPE || e == EBADF || /* EBADF: closed from the start */
           (e == EIO && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode));
}

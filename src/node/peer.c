/* SPDX-License-Identifier: MIT */
/* Watching a process that is not a child; see peer.h.  It never waits. */
#include "node/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define INFO_EXIT (UINT64_C(1) << 3)

/* The kernel's struct pidfd_info, in its first size. */
struct info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};

#define GET_INFO _IOWR(0xFF, 11, struct info)

/* State and start time of a process; false when there is none. */
static bool look(pid_t pid, char *state, uint64_t *start)
{
    char path[64], text[512];
    unsigned long long ticks = 0;
    const char *p;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    p = strrchr(text, ')');
    if (!p ||
        sscanf(p + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%*s %*s %*s %*s %llu",
               state, &ticks) != 2)
        return false;
    *start = ticks;
    return true;
}

void dtx_peer_watch(struct dtx_peer *p, pid_t pid, bool plain)
{
    char state;

    p->pid = pid;
    p->fd = plain ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    p->start = 0;
    if (!look(pid, &state, &p->start))
        p->start = 0;
}

bool dtx_peer_died(const struct dtx_peer *p)
{
    struct pollfd f = {p->fd, POLLIN, 0};
    uint64_t start = 0;
    char state = '?';

    if (p->pid == 0)
        return false;
    if (p->fd >= 0)
        return poll(&f, 1, 0) == 1;
    if (!look(p->pid, &state, &start))
        return kill(p->pid, 0) != 0 && errno == ESRCH;
    return state == 'Z' || state == 'X' || (p->start && start != p->start);
}

bool dtx_peer_stopped(const struct dtx_peer *p)
{
    uint64_t start = 0;
    char state = '?';

    return p->pid > 0 && look(p->pid, &state, &start) &&
           start == p->start && (state == 'T' || state == 't');
}

int dtx_peer_status(const struct dtx_peer *p)
{
    struct info i;

    memset(&i, 0, sizeof(i));
    i.mask = INFO_EXIT;
    if (p->fd < 0 || ioctl(p->fd, GET_INFO, &i) != 0)
        return -2;
    return i.mask & INFO_EXIT ? i.exit_code : -1;
}

void dtx_peer_kill(const struct dtx_peer *p)
{
    if (p->pid <= 0 || dtx_peer_died(p))
        return;
    if (p->fd < 0 ||
        (syscall(SYS_pidfd_send_signal, p->fd, SIGKILL, NULL, 0) != 0 &&
         errno == ENOSYS))
        (void)kill(p->pid, SIGKILL);
}

void dtx_peer_forget(struct dtx_peer *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    *p = (struct dtx_peer)DTX_PEER_NONE;
}

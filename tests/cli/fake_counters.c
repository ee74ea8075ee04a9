/* SPDX-License-Identifier: MIT */
/* tests/cli/fake_counters.c - a processor whose counters count, for LD_PRELOAD
 *
 * Programs that open perf events of the hardware get files that say what
 * FAKE_COUNTERS has: "INSTRUCTIONS CYCLES MISSES", the same for each task.  So a
 * test can tell what tasks do on a machine that has no counters; all other
 * system calls made through syscall() pass.
 */
#include <dlfcn.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long (*real_syscall)(long, ...);
static int (*real_ioctl)(int, unsigned long, ...);
static unsigned long long count[3]; /* instructions, cycles, misses */

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAKE_COUNTERS");

    *(void **)&real_syscall = dlsym(RTLD_NEXT, "syscall");
    *(void **)&real_ioctl = dlsym(RTLD_NEXT, "ioctl");
    if (!text || sscanf(text, "%llu %llu %llu", &count[0], &count[1],
                        &count[2]) != 3)
        count[0] = count[1] = count[2] = 0;
}

/* A file that says what an event has counted: in a child of vfork, system calls
 * alone. */
static int open_count(const struct perf_event_attr *a)
{
    uint64_t x[3] = {0, 1000, 1000}; /* value, ns enabled, ns running */
    int fd;

    if (a->config == PERF_COUNT_HW_INSTRUCTIONS)
        x[0] = count[0];
    else if (a->config == PERF_COUNT_HW_CPU_CYCLES)
        x[0] = count[1];
    else if (a->config == PERF_COUNT_HW_CACHE_MISSES)
        x[0] = count[2];
    fd = (int)real_syscall(SYS_memfd_create, "count", MFD_CLOEXEC);
    if (fd >= 0 && pwrite(fd, x, sizeof(x), 0) != (ssize_t)sizeof(x)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

long syscall(long number, ...)
{
    va_list ap;
    long a[6];

    va_start(ap, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_perf_event_open && count[1] > 0) {
        const struct perf_event_attr *e = (const void *)(uintptr_t)a[0];

        if (e->type == PERF_TYPE_HARDWARE)
            return open_count(e);
    }
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Such a file is none that can be enabled, but it counts. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    void *arg;

    va_start(ap, request);
    arg = va_arg(ap, void *);
    va_end(ap);
    if (request == PERF_EVENT_IOC_ENABLE && count[1] > 0)
        return 0;
    return real_ioctl(fd, request, arg);
}

/* SPDX-License-Identifier: MIT */
/* Counting by perf_event_open(2); see counters.h. User mode alone is counted
 * (exclude_kernel), which needs no right where kernel.perf_event_paranoid is 2
 * or less. No groups: they do not go with inheritance. */
#include "node/counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct dtx_perf_event hardware[] = {
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, DTX_COUNTED_INSTRUCTIONS},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, DTX_COUNTED_CYCLES},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, DTX_COUNTED_MISSES},
};
/* context switches and page faults are in the kernel's accounting as well */
static const struct dtx_perf_event software[] = {
    {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, DTX_COUNTED_CLOCK_NS},
    {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, DTX_COUNTED_MIGRATIONS},
};

static const struct dtx_perf_event *events_of(enum dtx_counter provider,
                                              size_t *n)
{
    *n = 0;
    if (provider == DTX_COUNTER_PERF_HARDWARE)
        *n = sizeof(hardware) / sizeof(hardware[0]);
    else if (provider == DTX_COUNTER_PERF_SOFTWARE)
        *n = sizeof(software) / sizeof(software[0]);
    return provider == DTX_COUNTER_PERF_HARDWARE ? hardware : software;
}

enum whose {
    PROGRAMS, /* of the calling thread and what comes of it, from its exec on */
    PROBES,   /* the same, once it is enabled */
    THREADS   /* of the calling thread alone, at once */
};

static int open_event(const struct dtx_perf_event *e, enum whose whose)
{
    struct perf_event_attr a;

    memset(&a, 0, sizeof(a));
    a.size = sizeof(a);
    a.type = e->type;
    a.config = e->config;
    a.disabled = whose != THREADS;
    a.inherit = whose != THREADS;
    a.enable_on_exec = whose == PROGRAMS;
    a.exclude_kernel = 1;
    a.exclude_hv = 1;
    a.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED |
                    PERF_FORMAT_TOTAL_TIME_RUNNING;
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1,
                        PERF_FLAG_FD_CLOEXEC);
}

/* False when it is not known. */
static bool read_event(int fd, uint64_t *value)
{
    uint64_t x[3]; /* value, ns enabled, ns running */

    return read(fd, x, sizeof(x)) == (ssize_t)sizeof(x) &&
           dtx_counters_scale(x[0], x[1], x[2], value);
}

/* ---- probe ---- */

static void work_a_little(void)
{
    volatile unsigned x = 1;
    int i;

    for (i = 0; i < 10000; i++)
        x = x * 3 + 1;
}

/* 0 or the errno. */
static int try_event(const struct dtx_perf_event *e)
{
    int fd = open_event(e, PROBES), error = errno;
    uint64_t value = 0;
    bool good;

    if (fd < 0)
        return error;
    good = ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0;
    work_a_little();
    good = good && read_event(fd, &value) &&
           (value > 0 || e->counted == DTX_COUNTED_MISSES ||
            e->counted == DTX_COUNTED_MIGRATIONS);
    (void)close(fd);
    return good ? 0 : ENODATA;
}

static void say_why(enum dtx_counted what, int e, char *why)
{
    const char *remedy = "";

    if (e == EACCES || e == EPERM)
        remedy = "; needs kernel.perf_event_paranoid <= 2, and in a container "
                 "the right to call perf_event_open";
    else if (e == ENOENT || e == EOPNOTSUPP)
        remedy = "; virtual machines often have none";
    (void)snprintf(why, DTX_COUNTER_WHY, "%s: %s%s", dtx_counted_name(what),
                   e == ENODATA ? "it does not count" : strerror(e), remedy);
}

bool dtx_perf_keep_open(void)
{
    return open_event(&software[0], PROBES) >= 0;
}

bool dtx_perf_has_hardware(void)
{
    size_t n = sizeof(hardware) / sizeof(hardware[0]), i;
    int fd = -1;

    for (i = 0; fd < 0 && i < n; i++)
        fd = open_event(&hardware[i], PROBES);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

bool dtx_perf_probe(enum dtx_counter provider, uint8_t *counted, char *why)
{
    const struct dtx_perf_event *event;
    size_t n, i;

    event = events_of(provider, &n);
    *counted = 0;
    for (i = n; i-- > 0;) {
        int e = try_event(&event[i]);

        if (e == 0)
            *counted |= (uint8_t)(1u << event[i].counted);
        else
            say_why(event[i].counted, e, why);
    }
    return *counted != 0;
}

void dtx_perf_set_init(struct dtx_perf_set *s, enum dtx_counter provider,
                       uint8_t counted)
{
    const struct dtx_perf_event *event;
    size_t n, i;

    event = events_of(provider, &n);
    memset(s, 0, sizeof(*s));
    s->provider = provider;
    for (i = 0; i < n; i++)
        if (counted >> event[i].counted & 1)
            s->event[s->n++] = event[i];
}

/* ---- a task ---- */

union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(DTX_PERF_EVENTS * sizeof(int))];
};

void dtx_perf_give(const struct dtx_perf_set *s, int sock)
{
    int fd[DTX_PERF_EVENTS];
    char byte = 0;
    struct iovec v = {&byte, 1};
    union control c;
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c};
    uint32_t n, i;

    for (n = 0; n < s->n; n++)
        if ((fd[n] = open_event(&s->event[n], PROGRAMS)) < 0)
            break;
    if (n > 0 && n == s->n) {
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        memset(&c, 0, sizeof(c));
        c.head.cmsg_level = SOL_SOCKET;
        c.head.cmsg_type = SCM_RIGHTS;
        c.head.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&c.head), fd, n * sizeof(int));
        (void)sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    for (i = 0; i < n; i++)
        (void)close(fd[i]);
}

bool dtx_perf_take(const struct dtx_perf_set *s, int sock,
                   int fd[DTX_PERF_EVENTS])
{
    char byte;
    struct iovec v = {&byte, 1};
    union control c;
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c,
                       .msg_controllen = sizeof(c)};
    struct cmsghdr *head;
    size_t len = 0;
    int i;

    for (i = 0; i < DTX_PERF_EVENTS; i++)
        fd[i] = -1;
    if (s->n == 0 || recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
        return false;
    head = CMSG_FIRSTHDR(&m);
    if (head && head->cmsg_level == SOL_SOCKET &&
        head->cmsg_type == SCM_RIGHTS && head->cmsg_len >= CMSG_LEN(0))
        len = head->cmsg_len - CMSG_LEN(0);
    if (len > 0 && len <= DTX_PERF_EVENTS * sizeof(int))
        memcpy(fd, CMSG_DATA(head), len);
    if (len == s->n * sizeof(int))
        return true;
    for (i = 0; i < DTX_PERF_EVENTS; i++) { /* cut: too many files are open */
        if (fd[i] >= 0)
            (void)close(fd[i]);
        fd[i] = -1;
    }
    return false;
}

void dtx_perf_end(const struct dtx_perf_set *s, int fd[DTX_PERF_EVENTS],
                  struct dtx_counters *out)
{
    uint64_t value;
    uint32_t i;

    memset(out, 0, sizeof(*out));
    for (i = 0; i < s->n; i++) {
        if (fd[i] < 0)
            continue;
        if (read_event(fd[i], &value))
            dtx_counters_set(out, s->event[i].counted, value);
        (void)close(fd[i]);
        fd[i] = -1;
    }
    out->provider = (uint8_t)(out->counted ? s->provider : DTX_COUNTER_RUSAGE);
}

/* ---- a thread ---- */

struct thread {
    uint32_t n;
    struct counter {
        enum dtx_counted counted;
        int fd;
        uint64_t x[3]; /* when it was last read */
    } counter[DTX_PERF_EVENTS];
};

/* What has been counted since the last time. A thread that was not enabled
 * meanwhile has not run, and done nothing. */
static bool read_more(struct counter *c, uint64_t *value)
{
    uint64_t x[3], enabled, running;
    bool known;

    if (read(c->fd, x, sizeof(x)) != (ssize_t)sizeof(x))
        return false;
    enabled = x[1] - c->x[1];
    running = x[2] - c->x[2];
    *value = 0;
    known = (enabled == 0 && x[2] > 0) ||
            dtx_counters_scale(x[0] - c->x[0], enabled, running, value);
    memcpy(c->x, x, sizeof(x));
    return known;
}

/* Does it count? What the kernel accepts need not. */
static bool start_counter(struct counter *c, const struct dtx_perf_event *e)
{
    uint64_t value;

    memset(c, 0, sizeof(*c));
    c->counted = e->counted;
    c->fd = open_event(e, THREADS);
    if (c->fd < 0)
        return false;
    work_a_little();
    if (read_more(c, &value) &&
        (value > 0 || e->counted == DTX_COUNTED_MISSES ||
         e->counted == DTX_COUNTED_MIGRATIONS))
        return true;
    (void)close(c->fd);
    return false;
}

void *dtx_perf_thread_open(enum dtx_counter provider)
{
    struct thread *t = calloc(1, sizeof(*t));
    const struct dtx_perf_event *event;
    size_t n, i;

    event = events_of(provider, &n);
    for (i = 0; t && i < n; i++)
        t->n += start_counter(&t->counter[t->n], &event[i]);
    if (t && t->n > 0)
        return t;
    free(t);
    return NULL;
}

void dtx_perf_thread_read(void *handle, struct dtx_counters *out)
{
    struct thread *t = handle;
    uint64_t value;
    uint32_t i;

    for (i = 0; i < t->n; i++)
        if (read_more(&t->counter[i], &value))
            dtx_counters_set(out, t->counter[i].counted, value);
}

void dtx_perf_thread_close(void *handle)
{
    struct thread *t = handle;

    while (t->n > 0)
        (void)close(t->counter[--t->n].fd);
    free(t);
}

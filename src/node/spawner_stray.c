/* SPDX-License-Identifier: MIT */
/* Finds and ends processes that tasks left behind; see spawner_stray.h.  It
 * knows no task beyond its process id.
 *
 * The count is enough: only we reap, so every leader that runs and every stray
 * seen before is in the list of our children, and any further one is new. */
#include "node/spawner_stray.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "node/clock.h"

#define FIRST_SIZE 16384
#define PAUSE_NS DTX_MSEC_NS

int dtx_strays_init(struct dtx_strays *s)
{
    char path[64];

    memset(s, 0, sizeof(*s));
    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children",
                   (long)getpid());
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    s->size = FIRST_SIZE;
    s->text = malloc(s->size);
    return s->text ? DTX_OK : DTX_ENOMEM;
}

/* Read "12 34 56 ", all of it. False when that cannot be. */
static bool read_children(struct dtx_strays *s)
{
    size_t len = 0;

    if (s->fd < 0)
        return false;
    for (;;) {
        ssize_t n = pread(s->fd, s->text + len, s->size - 1 - len, (off_t)len);
        char *p;

        if (n < 0)
            return false;
        len += (size_t)n;
        if (len < s->size - 1) {
            s->text[len] = '\0';
            return true;
        }
        p = dtx_grow(s->text, &s->size, s->size * 2, 1);
        if (!p)
            return false;
        s->text = p;
    }
}

static size_t count_words(const char *p)
{
    size_t n = 0;

    while ((p = strchr(p, ' ')) != NULL) {
        n++;
        p++;
    }
    return n;
}

static bool contains(const pid_t *v, size_t n, pid_t pid)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (v[i] == pid)
            return true;
    return false;
}

static void remember(struct dtx_strays *s, pid_t pid)
{
    pid_t *p = dtx_grow(s->pid, &s->cap, s->n + 1, sizeof(*p));

    if (!p)
        return; /* it is new again next time: costs files, harms nothing */
    s->pid = p;
    p[s->n++] = pid;
}

/* The next process id in the list, or 0. */
static pid_t next_pid(const char **p)
{
    char *end;
    long v = strtol(*p, &end, 10);

    if (end == *p)
        return 0;
    *p = end;
    return (pid_t)v;
}

bool dtx_strays_look(struct dtx_strays *s, const pid_t *leader, size_t n,
                     size_t running)
{
    const char *p = s->text;
    bool found = false;
    pid_t pid;

    if (!read_children(s))
        return true;
    p = s->text;
    if (count_words(p) == running + s->n)
        return false;
    while ((pid = next_pid(&p)) > 0) {
        if (contains(leader, n, pid) || contains(s->pid, s->n, pid))
            continue;
        remember(s, pid);
        found = true;
    }
    return found;
}

void dtx_strays_forget(struct dtx_strays *s, pid_t pid)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        if (s->pid[i] == pid) {
            s->pid[i] = s->pid[--s->n];
            return;
        }
}

/* Is process 'pid' our child? By /proc/PID/stat: "PID (NAME) S PARENT ...". */
static bool is_child(long pid)
{
    char path[64], text[512];
    const char *p;
    char state;
    long parent;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    p = strrchr(text, ')');
    return p && sscanf(p + 1, " %c %ld", &state, &parent) == 2 &&
           parent == (long)getpid();
}

/* Where the kernel keeps no list of children: look at every process. */
static void kill_by_scan(void)
{
    DIR *d = opendir("/proc");
    const struct dirent *e;

    if (!d)
        return;
    while ((e = readdir(d)) != NULL) {
        long pid;

        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        pid = strtol(e->d_name, NULL, 10);
        if (pid > 1 && is_child(pid))
            (void)kill((pid_t)pid, SIGKILL);
    }
    (void)closedir(d);
}

static void kill_children(struct dtx_strays *s)
{
    const char *p;
    pid_t pid;

    if (!read_children(s)) {
        kill_by_scan();
        return;
    }
    p = s->text;
    while ((pid = next_pid(&p)) > 0)
        (void)kill(pid, SIGKILL);
}

/* False when there is no child at all. */
static bool reap_children(void)
{
    pid_t pid;

    do
        pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0);
    return pid == 0 || errno != ECHILD;
}

void dtx_strays_end(struct dtx_strays *s, int64_t limit_ns)
{
    const struct timespec pause = {0, PAUSE_NS / 10};
    int64_t end_ns = dtx_clock_mono_ns() + limit_ns;

    /* the children of those who die become ours: round after round */
    while (reap_children() && dtx_clock_mono_ns() < end_ns) {
        kill_children(s);
        (void)nanosleep(&pause, NULL);
    }
}

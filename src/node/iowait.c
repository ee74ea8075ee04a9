/* SPDX-License-Identifier: MIT */
/* Reads the wait for block devices from /proc; see iowait.h. */
#include "node/iowait.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

#define FIELD 42 /* of stat: delayacct_blkio_ticks, see proc(5) */
#define WAITS "\nvoluntary_ctxt_switches:"

/* The beginning of a file, as text. False when it is not there. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    if (fd >= 0) {
        n = read(fd, text, size - 1);
        (void)close(fd);
    }
    if (n >= 0)
        text[n] = '\0';
    return n >= 0;
}

static bool read_of(const char *root, pid_t pid, const char *name, char *text,
                    size_t size)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/proc/%ld/%s", root, (long)pid,
                     name);

    return n > 0 && (size_t)n < sizeof(path) && read_text(path, text, size);
}

enum dtx_iowait dtx_iowait_find(const char *root)
{
    char path[PATH_MAX], text[4096];
    int n = snprintf(path, sizeof(path), "%s/proc/sys/kernel/task_delayacct",
                     root);

    if (n < 0 || (size_t)n >= sizeof(path))
        return DTX_IOWAIT_OFF;
    if (read_text(path, text, sizeof(text)))
        return text[0] == '1' ? DTX_IOWAIT_ON : DTX_IOWAIT_OFF;
    (void)snprintf(path, sizeof(path), "%s/proc/cmdline", root);
    if (!read_text(path, text, sizeof(text)) || strstr(text, "nodelayacct"))
        return DTX_IOWAIT_OFF;
    return DTX_IOWAIT_PERHAPS;
}

/* The number after 'text', which may begin with blanks. */
static bool read_number(const char *text, uint64_t *value)
{
    char *end;

    *value = strtoull(text, &end, 10);
    return end != text;
}

/* The name of the program may hold anything; the last ')' ends it. */
static bool find_ticks(const char *stat, uint64_t *ticks)
{
    const char *at = strrchr(stat, ')');
    int field;

    for (field = 2; at && field < FIELD; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at && read_number(at, ticks);
}

bool dtx_iowait_read(const char *root, pid_t pid, struct dtx_iowait_process *p)
{
    long hz = sysconf(_SC_CLK_TCK);
    char text[4096];
    const char *at;
    uint64_t ticks;

    if (hz <= 0 || !read_of(root, pid, "stat", text, sizeof(text)) ||
        !find_ticks(text, &ticks) ||
        !read_of(root, pid, "status", text, sizeof(text)))
        return false;
    p->ns = ticks * (DTX_SEC_NS / (uint64_t)hz);
    at = strstr(text, WAITS);
    return at && read_number(at + strlen(WAITS), &p->waits);
}

bool dtx_iowait_of(enum dtx_iowait *how, const struct dtx_iowait_process *p,
                   uint64_t waits, uint64_t *ns)
{
    if (*how == DTX_IOWAIT_PERHAPS && p->ns > 0)
        *how = DTX_IOWAIT_ON;
    if (*how != DTX_IOWAIT_ON || p->waits + waits / 10 < waits)
        return false;
    *ns = p->ns;
    return true;
}

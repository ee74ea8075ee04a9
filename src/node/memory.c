/* SPDX-License-Identifier: MIT */
/* Reads /proc/meminfo and the control groups, both versions; see memory.h. */
#include "node/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_LIMIT (INT64_C(1) << 60)
#define FILE_BYTES 16384 /* of a file that is read; what is looked for stands
                            before that */

/* The beginning of a file, ended by NUL: false when there is none. */
static bool read_file(const char *path, char text[FILE_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return false;
    while (len < FILE_BYTES - 1 &&
           ((n = read(fd, text + len, FILE_BYTES - 1 - len)) > 0 ||
            (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    (void)close(fd);
    text[len] = '\0';
    return len > 0;
}

/* The number behind 'name' at the beginning of a line; -1: there is none. */
static int64_t number_of(const char *text, const char *name)
{
    size_t len = strlen(name);
    const char *p = text;
    char *end;
    long long n;

    while (p && strncmp(p, name, len) != 0) {
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    if (!p)
        return -1;
    p += len;
    while (*p == ' ' || *p == '\t')
        p++;
    if (!isdigit((unsigned char)*p))
        return -1;
    errno = 0;
    n = strtoll(p, &end, 10);
    return errno || n < 0 ? -1 : n;
}

/* The number in a file of its own; -1: none, or "max". */
static int64_t number_in(const char *dir, const char *file)
{
    char path[PATH_MAX], text[FILE_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, file);

    if (n < 0 || (size_t)n >= sizeof(path) || !read_file(path, text))
        return -1;
    return number_of(text, "");
}

/* The names of one version's files. */
struct names {
    const char *mount, *limit, *usage, *cache;
};

/* What the group in 'dir' leaves; -1: it has no limit. */
static int64_t left_in(const char *dir, const struct names *v)
{
    char path[PATH_MAX], text[FILE_BYTES];
    int64_t limit = number_in(dir, v->limit), used, cache = 0;
    int n;

    used = limit >= 0 ? number_in(dir, v->usage) : -1;
    if (used < 0)
        return -1;
    n = snprintf(path, sizeof(path), "%s/memory.stat", dir);
    if (n > 0 && (size_t)n < sizeof(path) && read_file(path, text))
        cache = number_of(text, v->cache);
    used -= cache > 0 && cache < used ? cache : 0;
    return limit > used ? limit - used : 0;
}

/* The limit of the group in 'dir'; -1: it has none, which v1 says with a very
 * large number. */
static int64_t limit_of(const char *dir, const struct names *v)
{
    int64_t n = number_in(dir, v->limit);

    return n > 0 && n < NO_LIMIT ? n : -1;
}

typedef int64_t ask_f(const char *dir, const struct names *v);

/* The least that 'ask' says of a group and those above it; -1: nothing. In a
 * container the group may be one of the host's: then the mount's own root is
 * all there is. */
static int64_t least_along(const char *root, const char *group,
                           const struct names *v, ask_f *ask)
{
    char dir[PATH_MAX];
    int64_t least = -1, n_here;
    size_t top;
    int n = snprintf(dir, sizeof(dir), "%s%s%s", root, v->mount, group);

    if (n < 0 || (size_t)n >= sizeof(dir))
        return -1;
    top = strlen(root) + strlen(v->mount);
    for (;;) {
        char *slash;

        n_here = ask(dir, v);
        if (n_here >= 0 && (least < 0 || n_here < least))
            least = n_here;
        slash = strrchr(dir + top, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Each line of /proc/self/cgroup is number:controllers:path. */
static int64_t least_of_groups(const char *root, ask_f *ask)
{
    static const struct names two = {"/sys/fs/cgroup", "memory.max",
                                     "memory.current", "inactive_file "};
    static const struct names one = {
        "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
        "memory.usage_in_bytes", "total_inactive_file "};
    char path[PATH_MAX], text[FILE_BYTES], *line, *rest = NULL;
    int64_t least = -1;
    int n = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);

    if (n < 0 || (size_t)n >= sizeof(path) || !read_file(path, text))
        return -1;
    for (line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *group = strchr(line, '/');
        int64_t n_here = -1;

        if (group && strncmp(line, "0::", 3) == 0)
            n_here = least_along(root, group, &two, ask);
        else if (group && strstr(line, ":memory:"))
            n_here = least_along(root, group, &one, ask);
        if (n_here >= 0 && (least < 0 || n_here < least))
            least = n_here;
    }
    return least;
}

/* A line of /proc/meminfo in bytes; -1: it is not there. */
static int64_t of_meminfo(const char *root, const char *name)
{
    char path[PATH_MAX], text[FILE_BYTES];
    int n = snprintf(path, sizeof(path), "%s/proc/meminfo", root);
    int64_t kib = -1;

    if (n > 0 && (size_t)n < sizeof(path) && read_file(path, text))
        kib = number_of(text, name);
    return kib < 0 || kib > NO_LIMIT / 1024 ? -1 : kib * 1024;
}

int64_t dtx_memory_free_at(const char *root)
{
    int64_t left = least_of_groups(root, left_in);
    int64_t available = of_meminfo(root, "MemAvailable:");

    return available < 0 || (left >= 0 && left < available) ? left : available;
}

int64_t dtx_memory_limit_at(const char *root)
{
    int64_t n = least_of_groups(root, limit_of);

    return n > 0 ? n : 0;
}

int64_t dtx_memory_total_at(const char *root)
{
    int64_t n = of_meminfo(root, "MemTotal:");

    return n > 0 ? n : 0;
}

/* SPDX-License-Identifier: MIT */
/* The machine's memory and the cgroup's limit of it; see topo.h.  A limit of
 * any group above ours holds as well, so the way up to the root is walked; what
 * cannot be read sets no limit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "node/topo.h"

#define NO_LIMIT (INT64_C(1) << 60) /* v1 says so with a very large number */

/* The number a file holds, or 0: none, "max", or nothing to read. */
static int64_t read_limit(const char *path)
{
    char text[64] = "";
    FILE *f = fopen(path, "re");
    int64_t n = 0;

    if (!f)
        return 0;
    if (fgets(text, sizeof(text), f)) {
        text[strcspn(text, "\n")] = '\0';
        if (dtx_parse_int(text, 1, NO_LIMIT, &n) != 0)
            n = 0;
    }
    (void)fclose(f);
    return n < NO_LIMIT ? n : 0;
}

/* The least limit of 'group' (with its leading slash) and those above it. */
static int64_t least_above(const char *root, const char *mount,
                           const char *group, const char *file)
{
    struct dtx_buf path = DTX_BUF_INIT;
    size_t len = strlen(group), i;
    int64_t least = 0, n;

    for (;; len = i) {
        dtx_buf_clear(&path);
        dtx_buf_printf(&path, "%s%s%.*s/%s", root, mount, (int)len, group,
                       file);
        n = path.failed ? 0 : read_limit(path.data);
        if (n > 0 && (least == 0 || n < least))
            least = n;
        for (i = len; i > 0 && group[i - 1] != '/';)
            i--;
        if (i == 0)
            break;
        i--; /* the slash itself */
    }
    dtx_buf_free(&path);
    return least;
}

/* A line of /proc/self/cgroup: "0::/group" or "4:memory:/group". */
static int64_t limit_of(const char *root, const char *line)
{
    const char *kind = strchr(line, ':');
    const char *group = kind ? strchr(kind + 1, ':') : NULL;

    if (!group || group[1] != '/')
        return 0;
    if (group == kind + 1)
        return least_above(root, "/sys/fs/cgroup", group + 1, "memory.max");
    if (strncmp(kind + 1, "memory:", 7) != 0)
        return 0;
    return least_above(root, "/sys/fs/cgroup/memory", group + 1,
                       "memory.limit_in_bytes");
}

int64_t dtx_topo_memory_total(const char *root)
{
    struct dtx_buf path = DTX_BUF_INIT;
    char line[128];
    long long kib = 0;
    FILE *f;

    dtx_buf_printf(&path, "%s/proc/meminfo", root);
    f = path.failed ? NULL : fopen(path.data, "re");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "MemTotal:", 9) == 0) {
            kib = strtoll(line + 9, NULL, 10);
            break;
        }
    if (f)
        (void)fclose(f);
    dtx_buf_free(&path);
    return kib > 0 && kib < NO_LIMIT / 1024 ? kib * 1024 : 0;
}

int64_t dtx_topo_memory_limit(const char *root)
{
    struct dtx_buf path = DTX_BUF_INIT;
    char *line = NULL;
    size_t cap = 0;
    int64_t least = 0, n;
    FILE *f;

    dtx_buf_printf(&path, "%s/proc/self/cgroup", root);
    f = path.failed ? NULL : fopen(path.data, "re");
    while (f && getline(&line, &cap, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        n = limit_of(root, line);
        if (n > 0 && (least == 0 || n < least))
            least = n;
    }
    if (f)
        (void)fclose(f);
    free(line);
    dtx_buf_free(&path);
    return least;
}

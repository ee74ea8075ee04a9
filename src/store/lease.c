/* SPDX-License-Identifier: MIT */
/* The lease's text and the judgement over its owner; see lease.h.  Decides
 * whether a process lives only from certain signs (same host, boot and pid
 * namespace); says "unknown" otherwise, and never waits. */
#include "store/lease.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "store/file.h"

#define FIRST_LINE "distributex-lease "
#define FIRST_LEN (sizeof(FIRST_LINE) - 1)

/* A small file of /proc as a string; false when it cannot be read. */
static bool read_small(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = dtx_file_read(fd, buf, size - 1, 0);
    (void)close(fd);
    if (n <= 0)
        return false;
    buf[n] = '\0';
    return true;
}

/* State letter and start time of a process. */
static bool read_process(int64_t pid, char *state, uint64_t *start)
{
    char path[64], text[1024], *p;
    int field;

    (void)snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
    if (!read_small(path, text, sizeof(text)))
        return false;
    p = strrchr(text, ')'); /* the name before it may hold anything */
    if (!p || p[1] != ' ' || p[2] == '\0')
        return false;
    *state = p[2];
    p += 2;
    for (field = 3; p && field < 22; field++) {
        p = strchr(p, ' ');
        p = p ? p + 1 : NULL;
    }
    if (!p || !isdigit((unsigned char)*p))
        return false;
    *start = strtoull(p, NULL, 10);
    return true;
}

void dtx_lease_self(struct dtx_lease *l)
{
    struct stat st;
    char state;
    size_t i;

    memset(l, 0, sizeof(*l));
    if (gethostname(l->host, sizeof(l->host) - 1) != 0 || !l->host[0])
        memcpy(l->host, "-", 2);
    for (i = 0; l->host[i]; i++) {
        if (!isgraph((unsigned char)l->host[i]))
            l->host[i] = '_';
    }
    if (!read_small("/proc/sys/kernel/random/boot_id", l->boot,
                    sizeof(l->boot)))
        memcpy(l->boot, "-", 2);
    l->boot[strcspn(l->boot, " \n")] = '\0';
    if (stat("/proc/self/ns/pid", &st) == 0)
        l->pidns = (uint64_t)st.st_ino;
    l->pid = getpid();
    if (!read_process(l->pid, &state, &l->start))
        l->start = 0;
}

void dtx_lease_format(const struct dtx_lease *l, struct dtx_buf *out)
{
    dtx_buf_printf(out,
                   FIRST_LINE "1\n"
                              "epoch %" PRIu32 "\n"
                              "state %s\n"
                              "host %s\n"
                              "boot %s\n"
                              "pidns %" PRIu64 "\n"
                              "pid %" PRId64 "\n"
                              "start %" PRIu64 "\n"
                              "beat %020" PRIu64 "\n",
                   l->epoch, l->released ? "released" : "held    ", l->host,
                   l->boot, l->pidns, l->pid, l->start, l->beat);
}

static bool take_number(const char *s, uint64_t max, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    *out = strtoull(s, &end, 10);
    return errno == 0 && *end == '\0' && *out <= max;
}

static bool take_text(const char *s, char *out, size_t size)
{
    size_t len = strlen(s);

    if (len == 0 || len >= size)
        return false;
    memcpy(out, s, len + 1);
    return true;
}

/* One line "key value" into 'l'. Keys of later versions are passed over. */
static bool take_line(struct dtx_lease *l, const char *key, const char *value,
                      unsigned *seen)
{
    static const char *const keys[] = {"epoch", "state", "host",  "boot",
                                       "pidns", "pid",   "start", "beat"};
    uint64_t n = 0;
    size_t k = 0;
    bool ok = true;

    while (k < sizeof(keys) / sizeof(*keys) && strcmp(key, keys[k]) != 0)
        k++;
    switch (k) {
    case 0:
        ok = take_number(value, UINT32_MAX, &n);
        l->epoch = (uint32_t)n;
        break;
    case 1:
        l->released = strcmp(value, "released") == 0;
        ok = l->released || strncmp(value, "held", 4) == 0;
        break;
    case 2:
        ok = take_text(value, l->host, sizeof(l->host));
        break;
    case 3:
        ok = take_text(value, l->boot, sizeof(l->boot));
        break;
    case 4:
        ok = take_number(value, UINT64_MAX, &l->pidns);
        break;
    case 5:
        ok = take_number(value, INT32_MAX, &n) && n > 0;
        l->pid = (int64_t)n;
        break;
    case 6:
        ok = take_number(value, UINT64_MAX, &l->start);
        break;
    case 7:
        ok = take_number(value, UINT64_MAX, &l->beat);
        break;
    default:
        return true;
    }
    *seen |= 1u << k;
    return ok;
}

int dtx_lease_parse(const char *text, size_t len, struct dtx_lease *l)
{
    char copy[DTX_LEASE_MAX_TEXT + 1], *line, *save = NULL;
    struct dtx_lease got;
    unsigned seen = 0;

    memset(&got, 0, sizeof(got));
    if (len == 0 || len > DTX_LEASE_MAX_TEXT || memchr(text, '\0', len) ||
        text[len - 1] != '\n')
        return DTX_ECORRUPT;
    memcpy(copy, text, len);
    copy[len] = '\0';
    line = strtok_r(copy, "\n", &save);
    if (!line || strncmp(line, FIRST_LINE, FIRST_LEN) != 0)
        return DTX_ECORRUPT;
    if (strcmp(line + FIRST_LEN, "1") != 0)
        return DTX_EFOREIGN;
    while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
        char *value = strchr(line, ' ');

        if (!value)
            return DTX_ECORRUPT;
        *value = '\0';
        if (!take_line(&got, line, value + 1, &seen))
            return DTX_ECORRUPT;
    }
    if (seen != 0xffu)
        return DTX_ECORRUPT;
    *l = got;
    return 0;
}

enum dtx_lease_owner dtx_lease_judge(const struct dtx_lease *l)
{
    struct dtx_lease me;
    uint64_t start;
    char state;

    if (l->released)
        return DTX_LEASE_GONE;
    dtx_lease_self(&me);
    if (strcmp(me.host, l->host) != 0 || strcmp(me.boot, l->boot) != 0 ||
        strcmp(me.boot, "-") == 0 || me.pidns != l->pidns || me.pidns == 0)
        return DTX_LEASE_UNKNOWN;
    if (kill((pid_t)l->pid, 0) != 0 && errno == ESRCH)
        return DTX_LEASE_GONE;
    if (!read_process(l->pid, &state, &start))
        return kill((pid_t)l->pid, 0) != 0 && errno == ESRCH
                   ? DTX_LEASE_GONE
                   : DTX_LEASE_UNKNOWN;
    if (state == 'Z' || state == 'X' || start != l->start)
        return DTX_LEASE_GONE;
    return DTX_LEASE_ALIVE;
}

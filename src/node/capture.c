/* SPDX-License-Identifier: MIT */
/* Makes, hands out and takes back the files for outputs; see capture.h.  It
 * knows no task and never reads an output. */
#include "node/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "node/clock.h"
#include "node/spawner_env.h"
#include "node/spawner_ring.h"

#define KEEP_BYTES (1 << 20) /* larger files are emptied before the next use */
/* So much room is not used up in so short a time. */
#define ROOM_BYTES (UINT64_C(16) << 30)
#define ROOM_NS (5 * DTX_MSEC_NS)

/* A file without a name, beyond stdio's descriptors; -1 and errno. */
static int open_unnamed(const char *dir)
{
    static unsigned count;
    char path[4200];
    int fd, e, try;

    fd = open(dir, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 || errno == ENOSPC || errno == EMFILE || errno == ENFILE)
        return fd;
    for (try = 0; try < 100; try++) {
        int n = snprintf(path, sizeof(path), "%s/.dtx-%ld-%u", dir,
                         (long)getpid(), count++);

        if (n < 0 || (size_t)n >= sizeof(path)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    if (fd >= 0 && unlink(path) != 0) {
        e = errno;
        (void)close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static bool is_memory(const char *dir)
{
    struct statfs f;

    if (statfs(dir, &f) != 0)
        return false; /* opening it will tell */
    return f.f_type == TMPFS_MAGIC || f.f_type == RAMFS_MAGIC ||
           f.f_type == HUGETLBFS_MAGIC;
}

static bool try_dir(const char *dir)
{
    int fd = open_unnamed(dir);

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

static int copy_dir(const char *dir, char *buf, size_t size,
                    struct dtx_error *err)
{
    if (strlen(dir) >= size)
        return dtx_error_set(err, DTX_ELIMIT, "capture: %s: name too long",
                             dir);
    memcpy(buf, dir, strlen(dir) + 1);
    return DTX_OK;
}

int dtx_capture_choose(const struct dtx_spawner_config *c, char *dir,
                       size_t size, struct dtx_error *err)
{
    const char *list[3] = {dtx_env_find(c->env, "TMPDIR"), "/tmp", "/var/tmp"};
    const char *found = c->tmp_dir;
    size_t i;

    for (i = 0; !found && i < sizeof(list) / sizeof(list[0]); i++)
        if (list[i] && list[i][0] == '/' && !is_memory(list[i]) &&
            try_dir(list[i]))
            found = list[i];
    if (!found)
        found = c->run_dir;
    if (c->capture && (found == c->tmp_dir || found == c->run_dir) &&
        !try_dir(found))
        return dtx_error_errno(
            err, "capture: cannot make files for outputs in %s", found);
    return copy_dir(found, dir, size, err);
}

int dtx_captures_init(struct dtx_captures *s, struct dtx_ring *ring, int sock,
                      const char *dir, uint32_t max)
{
    memset(s, 0, sizeof(*s));
    s->c = calloc(max, sizeof(*s->c));
    s->free_list = calloc(max, sizeof(*s->free_list));
    s->held = calloc(max, sizeof(*s->held));
    if (!s->c || !s->free_list || !s->held)
        return DTX_ENOMEM;
    s->max = max;
    s->ring = ring;
    s->sock = sock;
    s->dir = dir;
    return DTX_OK;
}

static bool write_mark(struct dtx_capture_file *f)
{
    if (getrandom(f->mark, sizeof(f->mark), GRND_NONBLOCK) !=
        (ssize_t)sizeof(f->mark)) {
        f->mark[0] = (uint64_t)dtx_clock_wall_ns();
        f->mark[1] = (uint64_t)dtx_clock_mono_ns() * 0x9e3779b97f4a7c15u;
    }
    if (write(f->fd, f->mark, sizeof(f->mark)) != (ssize_t)sizeof(f->mark))
        return false;
    f->end = (int64_t)sizeof(f->mark);
    f->damaged = false;
    return true;
}

static bool mark_is_there(const struct dtx_capture_file *f)
{
    uint64_t now[2];

    return pread(f->fd, now, sizeof(now), 0) == (ssize_t)sizeof(now) &&
           now[0] == f->mark[0] && now[1] == f->mark[1];
}

static void close_file(struct dtx_capture_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
}

static bool make_file(struct dtx_capture_file *f, const char *dir)
{
    f->fd = open_unnamed(dir);
    return f->fd >= 0 && write_mark(f);
}

/* Pass both files to the rank. Its buffer may be full: then not now. */
static bool send_files(struct dtx_captures *s, uint32_t i)
{
    struct dtx_capture *c = &s->c[i];
    struct dtx_capture_note note = {(int32_t)i};
    int fds[2] = {c->out.fd, c->err.fd};
    union {
        char bytes[CMSG_SPACE(sizeof(fds))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {&note, sizeof(note)};
    struct msghdr m;
    struct cmsghdr *h;

    memset(&m, 0, sizeof(m));
    memset(&control, 0, sizeof(control));
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
    m.msg_control = control.bytes;
    m.msg_controllen = sizeof(control.bytes);
    h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(h), fds, sizeof(fds));
    if (sendmsg(s->sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return false;
    (void)atomic_fetch_add(&s->ring->sent, 1);
    return true;
}

static bool make_capture(struct dtx_captures *s, uint32_t i)
{
    struct dtx_capture *c = &s->c[i];
    int e;

    c->out.fd = c->err.fd = -1;
    if (make_file(&c->out, s->dir) && make_file(&c->err, s->dir) &&
        send_files(s, i))
        return true;
    e = errno;
    dtx_captures_retire(s, (int32_t)i);
    errno = e;
    return false;
}

/* Ready for the next task? */
static bool freshen(struct dtx_capture_file *f)
{
    if (!f->damaged && f->end <= KEEP_BYTES)
        return true;
    return ftruncate(f->fd, 0) == 0 && write_mark(f);
}

static bool prepare(struct dtx_captures *s, uint32_t i)
{
    struct dtx_capture *c = &s->c[i];

    if (c->out.fd >= 0 && freshen(&c->out) && freshen(&c->err))
        return true;
    if (c->out.fd >= 0)
        dtx_captures_retire(s, (int32_t)i);
    return make_capture(s, i);
}

bool dtx_captures_released(const struct dtx_captures *s)
{
    uint32_t i;

    for (i = 0; i < s->nheld; i++)
        if (atomic_load(&s->ring->released[s->held[i]]))
            return true;
    return false;
}

static void collect(struct dtx_captures *s)
{
    uint32_t i = 0;

    while (i < s->nheld) {
        uint32_t k = s->held[i];

        if (!atomic_load_explicit(&s->ring->released[k],
                                  memory_order_acquire)) {
            i++;
            continue;
        }
        atomic_store_explicit(&s->ring->released[k], 0, memory_order_relaxed);
        s->held[i] = s->held[--s->nheld];
        s->free_list[s->nfree++] = k;
    }
}

int32_t dtx_captures_take(struct dtx_captures *s)
{
    uint32_t i;

    if (s->nfree == 0)
        collect(s);
    if (s->nfree == 0 && s->n < s->max) {
        i = s->n;
        if (!make_capture(s, i))
            return DTX_CAPTURE_FAILED;
        s->n++;
        return (int32_t)i;
    }
    if (s->nfree == 0)
        return DTX_CAPTURE_HELD;
    if (!prepare(s, s->free_list[s->nfree - 1]))
        return DTX_CAPTURE_FAILED;
    return (int32_t)s->free_list[--s->nfree];
}

static void measure(struct dtx_capture_file *f, int64_t *start, int64_t *len)
{
    off_t size = f->fd < 0 ? -1 : lseek(f->fd, 0, SEEK_END);

    *start = f->end;
    *len = 0;
    if (size < 0)
        return;
    if (size < f->end || !mark_is_there(f)) {
        f->damaged = true;
        *start = 0;
    }
    *len = (int64_t)size - *start;
    f->end = (int64_t)size;
}

void dtx_captures_measure(struct dtx_captures *s, int32_t i,
                          struct dtx_capture_range *r)
{
    measure(&s->c[i].out, &r->out_start, &r->out_len);
    measure(&s->c[i].err, &r->err_start, &r->err_len);
}

bool dtx_capture_cut(struct dtx_captures *s, int32_t i)
{
    int64_t now_ns = dtx_clock_mono_ns();
    struct statvfs v;
    uint64_t blocks;

    if (now_ns < s->room_until_ns ||
        fstatvfs(s->c[i].out.fd, &v) != 0 || v.f_blocks == 0)
        return false;
    blocks = geteuid() == 0 ? v.f_bfree : v.f_bavail;
    if (blocks > ROOM_BYTES / (v.f_frsize ? v.f_frsize : 1))
        s->room_until_ns = now_ns + ROOM_NS;
    return blocks == 0;
}

void dtx_captures_retire(struct dtx_captures *s, int32_t i)
{
    close_file(&s->c[i].out);
    close_file(&s->c[i].err);
}

void dtx_captures_hold(struct dtx_captures *s, int32_t i)
{
    s->held[s->nheld++] = (uint32_t)i;
}

void dtx_captures_put(struct dtx_captures *s, int32_t i)
{
    s->free_list[s->nfree++] = (uint32_t)i;
}

/* SPDX-License-Identifier: MIT */
/* A futex in a page of shared memory; see bell.h.  It decides nothing about
 * when to sleep and never takes a lock.
 *
 * Why no ring is lost.  All four accesses below are sequentially consistent,
 * so they have one order that all processes agree on:
 *
 *     sleeper: S1  sleepers += 1         ringer: R1  count += 1
 *              S2  look at count                 R2  look at sleepers
 *
 * If R2 finds no sleeper, it stands before S1 in that order, hence R1 does as
 * well, and S2 sees the new count: the sleeper does not sleep.  If R2 finds a
 * sleeper, it calls FUTEX_WAKE after R1; the kernel compares the count and
 * queues the sleeper under one lock, so either FUTEX_WAIT sees the new count
 * and returns, or it is in the queue and is woken.  A sleeper that was killed
 * leaves its number behind: that costs later rings a futex call, no more. */
#include "node/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "node/clock.h"

#define BELL_BYTES 4096

struct bell_page {
    _Atomic uint32_t count;
    _Atomic uint32_t sleepers;
    uint64_t token;
};

struct dtx_bell {
    struct bell_page *page;
    struct dtx_bell_address address;
    int fd; /* the owner's; -1 in a peer */
};

_Static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t),
               "a futex word is 32 bits");

static struct bell_page *map_page(int fd)
{
    void *p = mmap(NULL, BELL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

static uint64_t make_token(void)
{
    uint64_t t;

    if (getrandom(&t, sizeof(t), GRND_NONBLOCK) != (ssize_t)sizeof(t))
        t = (uint64_t)dtx_clock_wall_ns() ^ ((uint64_t)getpid() << 40);
    return t;
}

static int make_memory(void)
{
    int fd = memfd_create("dtx-bell", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    /* sealed, so that nobody can shrink it below a mapping */
    if (ftruncate(fd, BELL_BYTES) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
        int e = errno;

        (void)close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

struct dtx_bell *dtx_bell_create(struct dtx_error *err)
{
    struct dtx_bell *b = calloc(1, sizeof(*b));

    if (!b) {
        (void)dtx_error_set(err, DTX_ENOMEM, "bell: out of memory");
        return NULL;
    }
    b->fd = make_memory();
    if (b->fd >= 0)
        b->page = map_page(b->fd);
    if (!b->page) {
        (void)dtx_error_errno(err, "bell: cannot make shared memory");
        dtx_bell_destroy(b);
        return NULL;
    }
    b->page->token = make_token();
    b->address.pid = (int32_t)getpid();
    b->address.fd = b->fd;
    b->address.token = b->page->token;
    return b;
}

static struct bell_page *map_peer(const struct dtx_bell_address *a)
{
    struct bell_page *page = NULL;
    struct stat st;
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)a->pid,
                   (int)a->fd);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == BELL_BYTES)
        page = map_page(fd);
    (void)close(fd);
    if (page && page->token != a->token) {
        (void)munmap(page, BELL_BYTES);
        page = NULL;
    }
    return page;
}

struct dtx_bell *dtx_bell_open(const struct dtx_bell_address *a)
{
    struct dtx_bell *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->fd = -1;
    b->address = *a;
    b->page = map_peer(a);
    if (!b->page) {
        free(b);
        return NULL;
    }
    return b;
}

void dtx_bell_destroy(struct dtx_bell *b)
{
    int e = errno;

    if (!b)
        return;
    if (b->page)
        (void)munmap(b->page, BELL_BYTES);
    if (b->fd >= 0)
        (void)close(b->fd);
    free(b);
    errno = e;
}

void dtx_bell_address(const struct dtx_bell *b, struct dtx_bell_address *out)
{
    *out = b->address;
}

/* Not FUTEX_PRIVATE: the other side is another process. */
static long call_futex(_Atomic uint32_t *word, int op, uint32_t value,
                       const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

void dtx_bell_ring(struct dtx_bell *b)
{
    int e = errno;

    (void)atomic_fetch_add(&b->page->count, 1); /* R1 */
    if (atomic_load(&b->page->sleepers) != 0)   /* R2 */
        (void)call_futex(&b->page->count, FUTEX_WAKE, INT_MAX, NULL);
    errno = e;
}

uint32_t dtx_bell_seen(const struct dtx_bell *b)
{
    return atomic_load(&b->page->count);
}

void dtx_bell_wait(struct dtx_bell *b, uint32_t seen, int64_t nap_ns)
{
    struct timespec t;

    if (nap_ns <= 0 || atomic_load(&b->page->count) != seen)
        return;
    t.tv_sec = (time_t)(nap_ns / DTX_SEC_NS);
    t.tv_nsec = (long)(nap_ns % DTX_SEC_NS);
    (void)atomic_fetch_add(&b->page->sleepers, 1); /* S1 */
    if (atomic_load(&b->page->count) == seen)      /* S2 */
        (void)call_futex(&b->page->count, FUTEX_WAIT, seen, &t);
    (void)atomic_fetch_sub(&b->page->sleepers, 1);
}

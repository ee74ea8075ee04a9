/* SPDX-License-Identifier: MIT */
/* How the lease changes hands and beats; see lease.h.  Decides who of several
 * takers wins, by files made exclusively alone: no lock is trusted.  Never
 * removes a claim of a larger epoch, and never writes into a lease that is not
 * its own. */
#include "store/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "store/file.h"

#define CLAIM_PREFIX "lease.e"
#define CLAIM_LEN (sizeof(CLAIM_PREFIX) - 1)
#define NAP_NS (2 * DTX_MSEC_NS)
#define WATCH_NS (100 * DTX_MSEC_NS)

/* A lease or claim as it was when looked at. */
struct look {
    int rc; /* 0, DTX_ENOENT, or DTX_ECORRUPT: something unreadable is there */
    struct dtx_lease lease;
    char text[DTX_LEASE_MAX_TEXT];
    size_t len;
};

/* 0 (also when there is nothing, see v->rc), or what is wrong. */
static int look_at(const char *path, struct look *v, struct dtx_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n;

    memset(&v->lease, 0, sizeof(v->lease));
    v->len = 0;
    v->rc = DTX_ENOENT;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return dtx_error_errno(err, "cannot open %s", path);
    n = dtx_file_read(fd, v->text, sizeof(v->text), 0);
    if (n < 0) {
        int rc = dtx_error_errno(err, "cannot read %s", path);

        (void)close(fd);
        return rc;
    }
    (void)close(fd);
    v->len = (size_t)n;
    v->rc = dtx_lease_parse(v->text, v->len, &v->lease);
    if (v->rc == DTX_EFOREIGN)
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s was written by a newer version", path);
    return 0;
}

static bool same_look(const struct look *a, const struct look *b)
{
    return a->rc == b->rc && a->len == b->len &&
           memcmp(a->text, b->text, a->len) == 0;
}

static bool same_owner(const struct dtx_lease *a, const struct dtx_lease *b)
{
    return a->epoch == b->epoch && a->pid == b->pid && a->start == b->start &&
           a->pidns == b->pidns && strcmp(a->host, b->host) == 0 &&
           strcmp(a->boot, b->boot) == 0;
}

int dtx_lease_read(const char *dir, struct dtx_lease *l, struct dtx_error *err)
{
    char *path = dtx_file_join(dir, DTX_LEASE_FILE);
    struct look v;
    int rc;

    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = look_at(path, &v, err);
    if (rc == 0 && v.rc != 0)
        rc = dtx_error_set(err, v.rc, "%s: %s", path,
                           v.rc == DTX_ENOENT ? "not there" : "damaged");
    if (rc == 0)
        *l = v.lease;
    free(path);
    return rc;
}

struct taking {
    const struct dtx_lease_taking *t;
    char *path;   /* of the lease */
    bool told;    /* 'waiting' was called */
    int64_t late; /* when to give up looking again */
};

static char *claim_path(const char *dir, uint32_t epoch)
{
    char name[32];

    (void)snprintf(name, sizeof(name), CLAIM_PREFIX "%" PRIu32, epoch);
    return dtx_file_join(dir, name);
}

static int say_busy(const struct taking *g, const struct look *v,
                    struct dtx_error *err)
{
    if (v->rc != 0)
        return dtx_error_set(err, DTX_EBUSY,
                             "another job is about to run in %s", g->t->dir);
    return dtx_error_set(err, DTX_EBUSY,
                         "another job runs in %s: process %" PRId64
                         " on host %s",
                         g->t->dir, v->lease.pid, v->lease.host);
}

static void say_waiting(struct taking *g, const struct look *v)
{
    char text[512], time[32];

    if (g->told || !g->t->waiting)
        return;
    g->told = true;
    (void)dtx_format_duration(time, sizeof(time), g->t->stale_ns);
    if (v->rc == 0)
        (void)snprintf(text, sizeof(text),
                       "the last job here (process %" PRId64 " on host %s) "
                       "did not end properly; watching for %s whether it "
                       "still lives",
                       v->lease.pid, v->lease.host, time);
    else
        (void)snprintf(text, sizeof(text),
                       "the lease of the last job here is damaged; watching "
                       "for %s whether that job still lives",
                       time);
    (void)g->t->waiting(g->t->ctx, text);
}

/* Watch a file for stale_ns: 0 when it did not change, DTX_EAGAIN when it
 * did, DTX_ESTATE when the watching is not wanted any more. */
static int watch(struct taking *g, const char *path, const struct look *v,
                 struct dtx_error *err)
{
    int64_t end = dtx_file_now() + g->t->stale_ns;
    int64_t nap = g->t->stale_ns / 20;

    if (nap > WATCH_NS)
        nap = WATCH_NS;
    say_waiting(g, v);
    while (dtx_file_now() < end) {
        struct look now;
        int rc;

        if (g->t->waiting && !g->t->waiting(g->t->ctx, NULL))
            return dtx_error_set(err, DTX_ESTATE,
                                 "interrupted while watching whether another "
                                 "job lives in %s",
                                 g->t->dir);
        dtx_file_nap(nap);
        rc = look_at(path, &now, err);
        if (rc != 0)
            return rc;
        if (!same_look(v, &now))
            return DTX_EAGAIN;
    }
    return 0;
}

/* May the lease be taken from whom it shows? 0 yes, DTX_EBUSY no, DTX_EAGAIN
 * it has changed meanwhile. */
static int judge(struct taking *g, const struct look *v, struct dtx_error *err)
{
    enum dtx_lease_owner o = DTX_LEASE_UNKNOWN;
    struct look now;
    int rc;

    if (v->rc == DTX_ENOENT)
        return 0;
    if (v->rc == 0)
        o = dtx_lease_judge(&v->lease);
    if (o == DTX_LEASE_GONE)
        return 0;
    if (o == DTX_LEASE_ALIVE)
        return say_busy(g, v, err);
    rc = watch(g, g->path, v, err);
    if (rc != DTX_EAGAIN)
        return rc;
    rc = look_at(g->path, &now, err);
    if (rc == 0 && now.rc == 0 && v->rc == 0 && !now.lease.released &&
        same_owner(&now.lease, &v->lease))
        return say_busy(g, &now, err);
    return rc != 0 ? rc : DTX_EAGAIN;
}

/* Make the claim file. 0, DTX_EEXIST, or what is wrong. */
static int make_claim(const char *path, const struct dtx_lease *mine,
                      struct dtx_error *err)
{
    struct dtx_buf text = DTX_BUF_INIT;
    int fd, rc = 0;

    dtx_lease_format(mine, &text);
    if (text.failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = dtx_error_errno(err, "cannot make %s", path);
        dtx_buf_free(&text);
        return rc;
    }
    if (dtx_file_write(fd, text.data, text.len, 0) != 0)
        rc = dtx_error_errno(err, "cannot write %s", path);
    if (close(fd) != 0 && rc == 0)
        rc = dtx_error_errno(err, "cannot write %s", path);
    if (rc != 0)
        (void)unlink(path);
    dtx_buf_free(&text);
    return rc;
}

/* Somebody has claimed an epoch already: 0 when they are gone and it may be
 * passed over, DTX_EAGAIN when the lease must be looked at again. */
static int judge_claim(struct taking *g, const char *path,
                       struct dtx_error *err)
{
    enum dtx_lease_owner o = DTX_LEASE_UNKNOWN;
    struct look v;
    int rc = look_at(path, &v, err);

    if (rc != 0)
        return rc;
    if (v.rc == DTX_ENOENT)
        return DTX_EAGAIN;
    if (v.rc == 0)
        o = dtx_lease_judge(&v.lease);
    if (o == DTX_LEASE_UNKNOWN)
        return watch(g, path, &v, err);
    if (o == DTX_LEASE_GONE)
        return 0;
    if (dtx_file_now() > g->late)
        return say_busy(g, &v, err);
    dtx_file_nap(NAP_NS);
    return DTX_EAGAIN;
}

/* Remove all claims of epochs below 'epoch': whoever made them has lost.
 * '*highest' is the largest epoch claimed, 0 for none. */
static int scan_claims(const char *dir, uint32_t epoch, uint32_t *highest,
                       struct dtx_error *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    int rc = 0;

    *highest = 0;
    if (!d)
        return dtx_error_errno(err, "cannot read %s", dir);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        int64_t n;

        if (strncmp(e->d_name, CLAIM_PREFIX, CLAIM_LEN) != 0 ||
            dtx_parse_int(e->d_name + CLAIM_LEN, 0, UINT32_MAX, &n) != 0)
            continue;
        if (n > (int64_t)*highest)
            *highest = (uint32_t)n;
        if (n < (int64_t)epoch && unlinkat(dirfd(d), e->d_name, 0) != 0 &&
            errno != ENOENT)
            rc = dtx_error_errno(err, "cannot remove %s/%s", dir, e->d_name);
    }
    (void)closedir(d);
    return rc;
}

/* The claim is made: turn it into the lease if nobody claims a larger epoch
 * and the lease is still as judged. DTX_EAGAIN when somebody was faster.
 *
 * Of two claims the smaller one loses in any order of events: if it was there
 * when the larger one was made, the larger one's scan removes it, or its
 * rename came before that and the larger one sees the lease changed; if it was
 * made later, it sees the larger claim, or the lease that became of it. */
static int promote(struct taking *g, const char *claim, const struct look *v,
                   const struct dtx_lease *mine, struct dtx_error *err)
{
    struct look now;
    uint32_t highest;
    int rc = scan_claims(g->t->dir, mine->epoch, &highest, err);

    if (rc == 0 && highest > mine->epoch)
        rc = DTX_EAGAIN;
    if (rc == 0)
        rc = look_at(g->path, &now, err);
    if (rc == 0 && !same_look(v, &now))
        rc = DTX_EAGAIN;
    if (rc == 0 && rename(claim, g->path) != 0 && errno != ENOENT)
        rc = dtx_error_errno(err, "cannot write %s", g->path);
    if (rc != 0) {
        (void)unlink(claim);
        return rc;
    }
    /* ENOENT: a larger epoch has removed it, or a file server answers for the
     * second time; the lease knows */
    rc = look_at(g->path, &now, err);
    if (rc == 0 && (now.rc != 0 || !same_owner(&now.lease, mine)))
        rc = DTX_EAGAIN;
    return rc;
}

/* Which epoch to claim: behind the lease's and behind those of takers who died
 * on the way. DTX_EAGAIN when one of them lives: look again. */
static int choose_epoch(struct taking *g, const struct look *v, uint32_t *epoch,
                        struct dtx_error *err)
{
    uint64_t next = (uint64_t)v->lease.epoch + 1;
    uint32_t highest;
    int rc = scan_claims(g->t->dir, 0, &highest, err);

    if (rc != 0)
        return rc;
    if (next < g->t->at_least)
        next = g->t->at_least;
    if (highest >= next) {
        char *path = claim_path(g->t->dir, highest);

        if (!path)
            return dtx_error_set(err, DTX_ENOMEM, "out of memory");
        rc = judge_claim(g, path, err);
        free(path);
        if (rc != 0)
            return rc;
        next = (uint64_t)highest + 1;
    }
    if (next > UINT32_MAX)
        return dtx_error_set(err, DTX_ELIMIT, "%s: too many sessions", g->path);
    *epoch = (uint32_t)next;
    return 0;
}

/* Try to become the owner after 'v' was judged. DTX_EAGAIN: look again. */
static int claim(struct taking *g, const struct look *v, struct dtx_lease *mine,
                 struct dtx_error *err)
{
    char *path;
    int rc;

    dtx_lease_self(mine);
    rc = choose_epoch(g, v, &mine->epoch, err);
    if (rc != 0)
        return rc;
    path = claim_path(g->t->dir, mine->epoch);
    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = make_claim(path, mine, err);
    if (rc == 0)
        rc = promote(g, path, v, mine, err);
    else if (rc == DTX_EEXIST)
        rc = DTX_EAGAIN;
    free(path);
    return rc;
}

int dtx_lease_take(const struct dtx_lease_taking *t, struct dtx_lease *mine,
                   struct dtx_error *err)
{
    struct taking g = {t, dtx_file_join(t->dir, DTX_LEASE_FILE), false,
                       dtx_file_now() + 4 * t->stale_ns};
    struct look v;
    int rc;

    if (!g.path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    do {
        rc = look_at(g.path, &v, err);
        if (rc == 0)
            rc = judge(&g, &v, err);
        if (rc == 0)
            rc = claim(&g, &v, mine, err);
    } while (rc == DTX_EAGAIN && dtx_file_now() < g.late);
    if (rc == DTX_EAGAIN)
        rc = say_busy(&g, &v, err);
    free(g.path);
    return rc;
}

/* Write 'mine' into the open lease file if that shows the same owner. */
static int rewrite(int fd, const char *path, const struct dtx_lease *mine,
                   struct dtx_error *err)
{
    struct dtx_buf text = DTX_BUF_INIT;
    char old[DTX_LEASE_MAX_TEXT];
    struct dtx_lease now;
    ssize_t n = dtx_file_read(fd, old, sizeof(old), 0);
    int rc = 0;

    if (n < 0)
        return dtx_error_errno(err, "cannot read %s", path);
    if (dtx_lease_parse(old, (size_t)n, &now) != 0 || now.epoch < mine->epoch)
        return DTX_ENOENT;
    if (!same_owner(&now, mine))
        return dtx_error_set(err, DTX_ESTALE,
                             "process %" PRId64 " on host %s has taken over "
                             "this run directory (%s)",
                             now.pid, now.host, path);
    dtx_lease_format(mine, &text);
    if (text.failed)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    else if (dtx_file_write(fd, text.data, text.len, 0) != 0)
        rc = dtx_error_errno(err, "cannot write %s", path);
    dtx_buf_free(&text);
    return rc;
}

/* The lease has vanished or is damaged: make it again. */
static int restore(const char *dir, const char *path,
                   const struct dtx_lease *mine, struct dtx_error *err)
{
    char *tmp = claim_path(dir, mine->epoch);
    int rc;

    if (!tmp)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = make_claim(tmp, mine, err);
    if (rc == 0 && rename(tmp, path) != 0)
        rc = dtx_error_errno(err, "cannot write %s", path);
    free(tmp);
    return rc;
}

int dtx_lease_beat(const char *dir, struct dtx_lease *mine,
                   struct dtx_error *err)
{
    char *path = dtx_file_join(dir, DTX_LEASE_FILE);
    int fd, rc = DTX_ENOENT;

    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    mine->beat++;
    fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        rc = rewrite(fd, path, mine, err);
        if (close(fd) != 0 && rc == 0)
            rc = dtx_error_errno(err, "cannot write %s", path);
    } else if (errno != ENOENT) {
        rc = dtx_error_errno(err, "cannot open %s", path);
    }
    if (rc == DTX_ENOENT)
        rc = restore(dir, path, mine, err);
    free(path);
    return rc;
}

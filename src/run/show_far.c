/* SPDX-License-Identifier: MIT */
/* Outputs of other nodes: asked for piece by piece, some ahead of the one that
 * is shown, and written as they come. */
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "run/show_state.h"

#define PULL_BYTES (4u << 20) /* asked of other nodes and not yet shown */
#define PULLS 256             /* outputs of which some was asked */

void dtx_show_free_pull(struct dtx_show *s, uint64_t written)
{
    struct dtx_show_pull *p = s->pull;

    s->pulling -= p->asked - written;
    s->pull = p->next;
    if (!s->pull)
        s->newest = NULL;
    s->npulls--;
    dtx_buf_free(&p->data);
    free(p);
}

/* Write what has come of a far output; stdout first, then stderr. */
static int write_far(struct dtx_show *s, const struct dtx_show_entry *e,
                     uint64_t at, const char *data, size_t len)
{
    uint64_t split = e->out_len > at ? e->out_len - at : 0;
    size_t out = split < len ? (size_t)split : len;
    int rc = 0;

    if (out > 0)
        rc = dtx_printer_write(&s->printer, DTX_STDOUT, data, out);
    if (rc == 0 && len > out)
        rc = dtx_printer_write(&s->printer, DTX_STDERR, data + out, len - out);
    return rc;
}

static void say_lost(const struct dtx_show *s, const struct dtx_show_entry *e,
                     const char *why)
{
    dtx_log(DTX_LOG_WARN,
            "output of task %llu, from rank %u on %s, %s; try 'distributex "
            "output %s %llu'",
            (unsigned long long)dtx_task_id(e->task), (unsigned)e->rank,
            s->c.host(s->c.ctx, e->rank), why, s->c.run_dir,
            (unsigned long long)dtx_task_id(e->task));
}

/* Wait for bytes of the first entry: they are taken into 'b'. False when no
 * more will come. Called and returns with the lock held. */
static bool await_data(struct dtx_show *s, const struct dtx_show_entry *e,
                       struct dtx_buf *b)
{
    while (!atomic_load(&s->stopping)) {
        struct dtx_show_pull *p = s->pull && s->pull->e == e ? s->pull : NULL;

        if (p && p->data.len > 0) {
            *b = p->data;
            p->data = (struct dtx_buf)DTX_BUF_INIT;
            return true;
        }
        if (p && p->lost)
            return false;
        if (s->log.len > 0) {
            (void)pthread_mutex_unlock(&s->lock);
            dtx_show_write_log(s);
            (void)pthread_mutex_lock(&s->lock);
            continue;
        }
        s->c.notify(s->c.ctx);
        s->asleep = true; /* joblog lines do not wait for the bytes */
        (void)pthread_cond_wait(&s->cond, &s->lock);
        s->asleep = false;
    }
    return false;
}

/* Called and returns with the lock held. */
void dtx_show_far(struct dtx_show *s, struct dtx_show_entry *e)
{
    struct dtx_buf b = DTX_BUF_INIT;
    uint64_t written = 0;
    uint32_t crc = 0;
    int rc = 0;

    while (written < dtx_show_total(e) && rc == 0 && await_data(s, e, &b)) {
        (void)pthread_mutex_unlock(&s->lock);
        crc = dtx_crc32(crc, b.data, b.len);
        rc = write_far(s, e, written, b.data, b.len);
        (void)pthread_mutex_lock(&s->lock);
        written += b.len;
        s->pulling -= b.len;
        dtx_buf_free(&b);
    }
    if (s->pull && s->pull->e == e)
        dtx_show_free_pull(s, written);
    if (rc != 0 || atomic_load(&s->stopping))
        return;
    if (written < dtx_show_total(e))
        say_lost(s, e, "cannot be shown: it could not be fetched");
    else if (crc != e->crc && !e->live) /* the sum is over all of it */
        say_lost(s, e, "is damaged: its checksum is wrong");
}

/* Where the bytes of a far entry begin. */
static uint64_t begin_of(const struct dtx_show_entry *e)
{
    return e->off + (e->live ? e->live->from : 0);
}

/* The entry to ask for next and its pull, NULL when there is none now. */
static struct dtx_show_pull *next_pull(struct dtx_show *s)
{
    struct dtx_show_pull *p;

    while (s->ask && !s->ask->far)
        s->ask = s->ask->next;
    if (!s->ask || s->pulling >= PULL_BYTES)
        return NULL;
    if (s->newest && s->newest->e == s->ask)
        return s->newest;
    p = s->npulls < PULLS ? calloc(1, sizeof(*p)) : NULL;
    if (!p)
        return NULL;
    p->e = s->ask;
    *(s->newest ? &s->newest->next : &s->pull) = p;
    s->newest = p;
    s->npulls++;
    return p;
}

bool dtx_show_want(struct dtx_show *s, struct dtx_show_want *out)
{
    struct dtx_show_pull *p;

    (void)pthread_mutex_lock(&s->lock);
    p = next_pull(s);
    if (p) {
        uint64_t left = dtx_show_total(p->e) - p->asked;

        out->rank = p->e->rank;
        out->off = begin_of(p->e) + p->asked;
        out->len = left < DTX_SHOW_PIECE ? (uint32_t)left : DTX_SHOW_PIECE;
        p->asked += out->len;
        s->pulling += out->len;
        if (left == out->len)
            s->ask = s->ask->next;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return p != NULL;
}

/* The pull whose next bytes these are: one of at most PULLS, mostly the
 * first. */
static struct dtx_show_pull *awaiting(struct dtx_show *s, uint32_t rank,
                                      uint64_t off)
{
    struct dtx_show_pull *p = s->pull;

    while (p && (p->e->rank != rank || begin_of(p->e) + p->got != off ||
                 p->asked == p->got))
        p = p->next;
    return p;
}

void dtx_show_feed(struct dtx_show *s, uint32_t rank, uint64_t off,
                   const void *data, size_t len)
{
    struct dtx_show_pull *p;

    (void)pthread_mutex_lock(&s->lock);
    p = awaiting(s, rank, off);
    if (p && !p->lost && len > 0 && len <= p->asked - p->got) {
        dtx_buf_append(&p->data, data, len);
        p->got += len;
        p->lost = p->data.failed;
    } else if (p) {
        p->lost = true; /* the rank could not read it */
    }
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
}

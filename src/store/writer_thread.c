/* SPDX-License-Identifier: MIT */
/* The store thread; see writer.h.  Decides when to write, to sync and to beat;
 * the lock is held for moving memory only, never for I/O.  Never writes again
 * after a failure of the journal or the lease. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "store/file.h"
#include "store/journal.h"
#include "store/results.h"
#include "store/rundir.h"
#include "store/writer_state.h"
#include "task/outcome.h"

#define GATHER_NS (16 * DTX_MSEC_NS)
#define PACK_BYTES (64u << 10)
#define KEEP_BYTES (4u << 20) /* larger buffers are given back after use */

/* Empty it and keep its memory, unless that is much. */
static void clear_group(struct dtx_writer_group *g)
{
    if (g->bytes.cap > KEEP_BYTES)
        dtx_buf_free(&g->bytes);
    else
        dtx_buf_clear(&g->bytes);
    if (g->cap > KEEP_BYTES / sizeof(*g->mark)) {
        free(g->mark);
        g->mark = NULL;
        g->cap = 0;
    }
    g->nmarks = 0;
}

/* Results are visible: tell once until they have been polled. */
static void tell(struct dtx_writer *w)
{
    if (!atomic_exchange(&w->ready, true) && w->c.notify)
        w->c.notify(w->c.ctx);
}

/* Nothing is written from now on. */
static void fail(struct dtx_writer *w, const struct dtx_error *err)
{
    if (w->broken)
        return;
    w->broken = true;
    (void)pthread_mutex_lock(&w->lock);
    w->failed = err->code;
    (void)snprintf(w->text, sizeof(w->text), "%.*s", (int)sizeof(w->text) - 1,
                   err->text);
    (void)pthread_mutex_unlock(&w->lock);
    tell(w);
}

static void sync_journal(struct dtx_writer *w)
{
    struct dtx_error err;

    if (w->unsynced_since == 0 || w->broken)
        return;
    w->unsynced_since = 0;
    if (dtx_journal_sync(w->c.journal, &err) != 0)
        fail(w, &err);
}

/* Renew the lease. Only a newer session ends the writing: a beat that could
 * not be written may succeed the next time. */
static void beat(struct dtx_writer *w, int64_t now)
{
    struct dtx_error err;
    int rc;

    if (!w->c.lease || w->broken || now < w->beat_at)
        return;
    w->beat_at = now + DTX_LEASE_BEAT_NS;
    rc = dtx_rundir_beat(w->c.lease, &err);
    if (rc == DTX_ESTALE) {
        fail(w, &err);
    } else if (rc != 0 && !w->beat_warned) {
        w->beat_warned = true;
        dtx_log(DTX_LOG_WARN, "store: cannot renew the lease: %s", err.text);
    }
}

/* What is due by time. */
static void keep_up(struct dtx_writer *w)
{
    int64_t now = dtx_file_now();

    beat(w, now);
    if (w->unsynced_since != 0 && now >= w->unsynced_since + w->c.sync_ns)
        sync_journal(w);
}

/* Put the group into the journal, then into the index. */
static void append_group(struct dtx_writer *w, struct dtx_writer_group *g)
{
    struct dtx_error err;
    uint64_t at;
    size_t i;

    if (w->broken)
        return;
    if (dtx_journal_append(w->c.journal, g->bytes.data, g->bytes.len, &at,
                           &err) != 0) {
        fail(w, &err);
        return;
    }
    if (w->unsynced_since == 0)
        w->unsynced_since = dtx_file_now();
    if (w->c.sync_ns == 0)
        sync_journal(w);
    if (w->broken)
        return;
    (void)pthread_mutex_lock(&w->lock);
    if (g->last > w->recorded) /* else none of them has a number */
        w->recorded = g->last;
    (void)pthread_mutex_unlock(&w->lock);
    tell(w);
    /* derived, and checked when it is used: a failure costs a search */
    for (i = 0; i < g->nmarks; i++)
        g->mark[i].journal_at += at;
    if (g->nmarks > 0)
        (void)dtx_output_index_set_all(w->c.index, g->mark, g->nmarks);
}

/* Write the records that have gathered. Called without the lock; the lease is
 * looked at first, in case this process has slept. */
static void write_records(struct dtx_writer *w)
{
    struct dtx_writer_group g;

    keep_up(w);
    (void)pthread_mutex_lock(&w->lock);
    g = w->in;
    if (g.bytes.len > 0) {
        w->in = w->out;
        w->out = g;
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (g.bytes.len == 0)
        return;
    append_group(w, &w->out);
    clear_group(&w->out);
}

void dtx_writer_progress(void *writer)
{
    write_records(writer);
}

/* To where it is kept, or where it passes, or nowhere. */
static int add_output(struct dtx_writer *w, struct dtx_pack *p,
                      struct dtx_error *err)
{
    struct dtx_outcome *o = &p->outcome;
    struct dtx_output *to = dtx_keep_has(w->c.keep, o->status) ? w->c.output
                                                               : w->c.passing;

    if (to)
        return dtx_output_add(to, o, p->out_fd, p->out_start, p->err_fd,
                              p->err_start, err);
    o->out_off = o->out_len || o->err_len ? DTX_OUTPUT_PASSING : 0;
    o->out_crc = 0;
    return 0;
}

static int flush_outputs(struct dtx_writer *w, struct dtx_error *err)
{
    int rc = dtx_output_flush(w->c.output, err);

    if (w->c.passing && rc == 0)
        rc = dtx_output_flush(w->c.passing, err);
    return rc;
}

/* Why outputs are lost: the file and the reason, once. */
static void tell_pack(struct dtx_writer *w, const struct dtx_error *err)
{
    dtx_log(w->pack_told ? DTX_LOG_DEBUG : DTX_LOG_ERROR, "%s", err->text);
    w->pack_told = true;
}

static void refuse_pack(struct dtx_pack *p, int error)
{
    p->error = error;
    p->outcome.out_off = p->outcome.out_len = p->outcome.err_len = 0;
    p->outcome.out_crc = 0;
}

/* One whose files of --results cannot be written is refused by itself; what
 * out/ does not take (the result) refuses all that go there together. */
static int add_pack(struct dtx_writer *w, struct dtx_pack *p)
{
    struct dtx_error err;
    int rc = p->results ? dtx_results_write(p, &err) : 0;

    if (rc != 0) {
        tell_pack(w, &err);
        refuse_pack(p, rc);
        return 0;
    }
    rc = add_output(w, p, &err);
    if (rc)
        tell_pack(w, &err);
    return rc;
}

/* Take packs that go into the file with one write: small ones, or one large;
 * returns how many. */
static size_t take_packs(struct dtx_writer *w,
                         struct dtx_pack p[DTX_WRITER_PACKS])
{
    uint64_t bytes = 0;
    size_t n = 0;

    (void)pthread_mutex_lock(&w->lock);
    while (n < DTX_WRITER_PACKS && w->todo.head < w->todo.len) {
        const struct dtx_outcome *o = &w->todo.item[w->todo.head].outcome;

        if (o->out_len > PACK_BYTES || o->err_len > PACK_BYTES)
            bytes = PACK_BYTES;
        bytes += o->out_len + o->err_len;
        if (n > 0 && bytes > PACK_BYTES)
            break;
        (void)dtx_writer_pop(&w->todo, &p[n++]);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

/* Do some packs; false when there are none. */
static bool work_on_packs(struct dtx_writer *w)
{
    struct dtx_pack p[DTX_WRITER_PACKS];
    size_t n = take_packs(w, p), i;
    struct dtx_error err;
    int rc = 0;

    if (n == 0)
        return false;
    for (i = 0; i < n && rc == 0; i++)
        rc = w->broken ? w->failed : add_pack(w, &p[i]);
    if (rc == 0) {
        rc = flush_outputs(w, &err);
        if (rc != 0)
            tell_pack(w, &err);
    }
    for (i = 0; i < n && rc != 0; i++)
        refuse_pack(&p[i], rc);
    (void)pthread_mutex_lock(&w->lock);
    for (i = 0; i < n; i++) /* room was made when they were handed in */
        (void)dtx_writer_push(&w->packed, &p[i]);
    (void)pthread_mutex_unlock(&w->lock);
    tell(w);
    return true;
}

/* When something is to be done though nothing comes in. */
static int64_t next_due(const struct dtx_writer *w, int64_t now)
{
    int64_t at = now + 60 * DTX_SEC_NS;

    if (w->broken)
        return at;
    if (w->c.lease && w->beat_at < at)
        at = w->beat_at;
    if (w->unsynced_since != 0 && w->unsynced_since + w->c.sync_ns < at)
        at = w->unsynced_since + w->c.sync_ns;
    return at;
}

static bool has_work(const struct dtx_writer *w)
{
    return w->in.bytes.len > 0 || w->todo.head < w->todo.len;
}

/* Sleep until there is work or something is due. Called with the lock.
 *
 * Work is followed by GATHER_NS of gathering whether or not there is more
 * already: in a stream nobody needs to wake this thread, and it wakes once in
 * that time. Only when nothing came in it sleeps until it is woken. */
static void await_work(struct dtx_writer *w)
{
    while (!w->stopping && !w->hurry) {
        int64_t now = dtx_file_now(), until = next_due(w, now);
        struct timespec ts;

        if (w->gather_until == 0 && has_work(w))
            w->gather_until = now + GATHER_NS;
        if (w->gather_until != 0 && w->gather_until <= now) {
            if (has_work(w))
                break;
            w->gather_until = 0;
        }
        if (w->gather_until != 0 && w->gather_until < until)
            until = w->gather_until;
        if (until <= now)
            break;
        ts.tv_sec = (time_t)(until / DTX_SEC_NS);
        ts.tv_nsec = (long)(until % DTX_SEC_NS);
        w->sleeping = w->gather_until != 0 ? DTX_WRITER_GATHERING
                                           : DTX_WRITER_ASLEEP;
        (void)pthread_cond_timedwait(&w->wake, &w->lock, &ts);
        w->sleeping = DTX_WRITER_AWAKE;
    }
    w->hurry = false;
    w->gather_until = 0;
}

static void *run(void *ctx)
{
    struct dtx_writer *w = ctx;
    bool done, some;

    do {
        (void)pthread_mutex_lock(&w->lock);
        await_work(w);
        some = has_work(w);
        done = w->stopping && !some;
        (void)pthread_mutex_unlock(&w->lock);
        write_records(w);
        while (work_on_packs(w))
            write_records(w);
        if (some)
            w->gather_until = dtx_file_now() + GATHER_NS;
    } while (!done);
    sync_journal(w);
    return NULL;
}

/* The thread takes no signal: they belong to the main thread. */
int dtx_writer_thread(struct dtx_writer *w)
{
    sigset_t all, old;
    int rc;

    (void)sigfillset(&all);
    rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (rc != 0)
        return rc;
    rc = pthread_create(&w->thread, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        (void)pthread_setname_np(w->thread, "dtx-store");
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* The callers' side of the store thread; see writer.h.  It takes what is to be
 * written and hands out what has been; writer_thread.c writes it. */
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "store/file.h"
#include "store/journal.h"
#include "store/output.h"
#include "store/rundir.h"
#include "store/writer_state.h"
#include "task/task.h"

#define LONGEST_SYNC_NS (86400 * DTX_SEC_NS)

static void free_group(struct dtx_writer_group *g)
{
    dtx_buf_free(&g->bytes);
    free(g->mark);
    memset(g, 0, sizeof(*g));
}

bool dtx_writer_push(struct dtx_writer_packs *q, const struct dtx_pack *p)
{
    struct dtx_pack *item;

    if (q->head > 0 && q->len == q->cap) {
        memmove(q->item, q->item + q->head,
                (q->len - q->head) * sizeof(*q->item));
        q->len -= q->head;
        q->head = 0;
    }
    item = dtx_grow(q->item, &q->cap, q->len + 1, sizeof(*item));
    if (!item)
        return false;
    q->item = item;
    q->item[q->len++] = *p;
    return true;
}

bool dtx_writer_pop(struct dtx_writer_packs *q, struct dtx_pack *p)
{
    if (q->head == q->len)
        return false;
    *p = q->item[q->head++];
    if (q->head == q->len)
        q->head = q->len = 0;
    return true;
}

static int init_sync(struct dtx_writer *w)
{
    pthread_condattr_t a;
    int rc = pthread_mutex_init(&w->lock, NULL);

    if (rc != 0)
        return rc;
    rc = pthread_condattr_init(&a);
    if (rc == 0) {
        rc = pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
        if (rc == 0)
            rc = pthread_cond_init(&w->wake, &a);
        (void)pthread_condattr_destroy(&a);
    }
    if (rc != 0)
        (void)pthread_mutex_destroy(&w->lock);
    return rc;
}

static void free_writer(struct dtx_writer *w)
{
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    free_group(&w->in);
    free_group(&w->out);
    free(w->todo.item);
    free(w->packed.item);
    free(w);
}

static void set_progress(struct dtx_writer *w, void (*fn)(void *ctx))
{
    if (w->c.output)
        dtx_output_set_progress(w->c.output, fn, w);
    if (w->c.passing)
        dtx_output_set_progress(w->c.passing, fn, w);
}

int dtx_writer_start(const struct dtx_writer_config *c, struct dtx_writer **out,
                     struct dtx_error *err)
{
    struct dtx_writer *w = calloc(1, sizeof(*w));

    if (!w)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    w->c = *c;
    if (w->c.sync_ns > LONGEST_SYNC_NS)
        w->c.sync_ns = LONGEST_SYNC_NS;
    atomic_init(&w->ready, false);
    w->beat_at = dtx_file_now() + DTX_LEASE_BEAT_NS;
    errno = init_sync(w);
    if (errno != 0) {
        free(w);
        return dtx_error_errno(err, "cannot start the store thread");
    }
    set_progress(w, dtx_writer_progress);
    errno = dtx_writer_thread(w);
    if (errno != 0) {
        int rc = dtx_error_errno(err, "cannot start the store thread");

        set_progress(w, NULL);
        free_writer(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* Let go of the lock and wake the thread if it sleeps too deeply. */
static void hand_over(struct dtx_writer *w, bool hurry)
{
    bool wake = w->sleeping == DTX_WRITER_ASLEEP ||
                (w->sleeping == DTX_WRITER_GATHERING && hurry);

    if (hurry)
        w->hurry = true;
    if (wake)
        w->sleeping = DTX_WRITER_AWAKE; /* nobody else needs to wake it */
    (void)pthread_mutex_unlock(&w->lock);
    if (wake)
        (void)pthread_cond_signal(&w->wake);
}

/* Make sure that one more result fits. */
static bool reserve_result(struct dtx_writer *w)
{
    /* some are in work */
    size_t waiting = w->todo.len - w->todo.head + DTX_WRITER_PACKS;
    struct dtx_pack *item =
        dtx_grow(w->packed.item, &w->packed.cap, w->packed.len + waiting + 1,
                 sizeof(*item));

    if (!item)
        return false;
    w->packed.item = item;
    return true;
}

int dtx_writer_pack(struct dtx_writer *w, const struct dtx_pack *p)
{
    bool ok;

    if (!w->c.output)
        return DTX_EINVAL;
    (void)pthread_mutex_lock(&w->lock);
    ok = reserve_result(w) && dtx_writer_push(&w->todo, p);
    hand_over(w, ok && !p->lazy);
    return ok ? 0 : DTX_ENOMEM;
}

/* Add to the group that gathers; nothing is changed on failure. */
static int add_record(struct dtx_writer *w, const void *payload, size_t len,
                      uint32_t task)
{
    struct dtx_writer_group *g = &w->in;
    size_t at = g->bytes.len;

    if (task != DTX_NO_TASK && w->c.index) {
        struct dtx_index_entry *m =
            dtx_grow(g->mark, &g->cap, g->nmarks + 1, sizeof(*m));

        if (!m)
            return DTX_ENOMEM;
        g->mark = m;
    }
    dtx_journal_frame(&g->bytes, payload, len);
    if (g->bytes.failed) {
        g->bytes.failed = false;
        return DTX_ENOMEM;
    }
    if (task != DTX_NO_TASK && w->c.index)
        g->mark[g->nmarks++] = (struct dtx_index_entry){at, task, 0};
    return 0;
}

int dtx_writer_record(struct dtx_writer *w, uint64_t number,
                      const void *payload, size_t len, uint32_t task,
                      bool urgent)
{
    int rc = 0;

    if (!w->c.journal || len == 0 || len > DTX_JOURNAL_MAX_RECORD)
        return DTX_EINVAL;
    (void)pthread_mutex_lock(&w->lock);
    if (number != 0 && number != w->asked + 1)
        rc = DTX_EINVAL;
    else if (!w->failed)
        rc = add_record(w, payload, len, task);
    if (rc == 0 && number != 0) {
        w->asked = number;
        w->in.last = number;
    }
    hand_over(w, urgent);
    return rc;
}

/* The next result, with the lock. */
static bool take_result(struct dtx_writer *w, struct dtx_writer_result *out)
{
    if (w->recorded > w->told) {
        out->kind = DTX_WRITER_RECORDED;
        out->recorded = w->told = w->recorded;
        return true;
    }
    if (w->failed && !w->failure_told) {
        w->failure_told = true;
        out->kind = DTX_WRITER_FAILED;
        out->error = w->failed;
        memcpy(out->text, w->text, sizeof(out->text));
        return true;
    }
    if (dtx_writer_pop(&w->packed, &out->pack)) {
        out->kind = DTX_WRITER_PACKED;
        return true;
    }
    return false;
}

bool dtx_writer_poll(struct dtx_writer *w, struct dtx_writer_result *out)
{
    bool some;

    if (!atomic_load(&w->ready))
        return false;
    memset(out, 0, sizeof(*out));
    (void)pthread_mutex_lock(&w->lock);
    some = take_result(w, out);
    if (!some)
        atomic_store(&w->ready, false);
    (void)pthread_mutex_unlock(&w->lock);
    return some;
}

int dtx_writer_stop(struct dtx_writer *w, struct dtx_error *err)
{
    int rc;

    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    hand_over(w, true);
    (void)pthread_join(w->thread, NULL);
    set_progress(w, NULL);
    rc = w->failed;
    if (rc != 0)
        (void)dtx_error_set(err, rc, "%s", w->text);
    free_writer(w);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* The showing thread: takes entry after entry and writes it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "run/passing.h"
#include "run/show_state.h"
#include "store/output.h"

#define GATHER_NS (16 * DTX_MSEC_NS)

static void show_near(struct dtx_show *s, const struct dtx_show_entry *e)
{
    struct dtx_outcome o;
    struct dtx_error err;

    memset(&o, 0, sizeof(o));
    o.task = e->task;
    o.rank = e->rank;
    o.out_off = e->off;
    o.out_len = e->out_len;
    o.err_len = e->err_len;
    o.out_crc = e->crc;
    if (dtx_output_each(s->reader, s->c.epoch, &o, dtx_printer_write,
                        &s->printer, &err) < 0)
        dtx_log(DTX_LOG_WARN, "output of task %llu cannot be shown: %s",
                (unsigned long long)dtx_task_id(e->task), err.text);
}

static void show_lines(struct dtx_show *s, const struct dtx_show_entry *e)
{
    enum dtx_stream k = e->out_len > 0 ? DTX_STDOUT : DTX_STDERR;

    (void)dtx_printer_write(&s->printer, k, e->live->text, dtx_show_total(e));
}

/* Would anybody see it? */
bool dtx_show_wants(struct dtx_show *s, uint64_t out_len, uint64_t err_len)
{
    return s->c.output && ((out_len > 0 && !atomic_load(&s->printer.mute[0])) ||
                           (err_len > 0 && !atomic_load(&s->printer.mute[1])));
}

/* Write what is held back, with the lock. */
static void release(struct dtx_show *s)
{
    (void)pthread_mutex_unlock(&s->lock);
    (void)dtx_printer_flush(&s->printer);
    (void)pthread_mutex_lock(&s->lock);
    s->holding = false;
}

/* Tags are made shortly before they are needed, unless the commands are
 * forgotten by then. */
bool dtx_show_tags_late(const struct dtx_show *s)
{
    return s->c.tag_of && !s->c.live;
}

/* Lines begin with the entry's tag from now on. Called and returns with the
 * lock held. */
static void take_tag(struct dtx_show *s, const struct dtx_show_entry *e)
{
    if (!s->c.tag_of)
        return;
    if (!e->tag)
        release(s);
    while (!e->tag && !atomic_load(&s->stopping)) {
        s->c.notify(s->c.ctx);
        (void)pthread_cond_wait(&s->cond, &s->lock);
    }
    s->printer.tag = e->tag ? e->tag : "";
    s->printer.in_line[0] = s->printer.in_line[1] = false;
}

void dtx_show_free_entry(struct dtx_show_entry *e)
{
    free(e->live);
    free(e->tag);
    free(e);
}

/* The output is no longer needed. With the lock held. */
void dtx_show_let_pass(struct dtx_show *s, uint32_t rank, uint64_t off)
{
    if (s->passing && off & DTX_OUTPUT_PASSING)
        dtx_passing_release(s->passing, rank, off);
}

/* Give back the space of some that have been shown; false: there is none.
 * Called and returns with the lock held. */
static bool give_back(struct dtx_show *s)
{
    uint32_t rank, segment;
    int rc;

    if (!s->passing || !dtx_passing_next(s->passing, &rank, &segment))
        return false;
    (void)pthread_mutex_unlock(&s->lock);
    rc = dtx_output_drop_segment(s->c.run_dir, s->c.epoch, rank, segment);
    if (rc != 0)
        dtx_log(DTX_LOG_DEBUG, "show: a segment of rank %u stays: %s",
                (unsigned)rank, dtx_strerror(rc));
    (void)pthread_mutex_lock(&s->lock);
    return true;
}

/* Free it; of lines it is told first. With the lock held. */
static void retire(struct dtx_show *s, struct dtx_show_entry *e)
{
    if (!e->live || !e->live->lines) {
        dtx_show_free_entry(e);
        return;
    }
    free(e->tag);
    free(e->live);
    e->tag = NULL;
    e->live = NULL;
    e->next = s->spent;
    s->spent = e;
    if (!e->next)
        s->c.notify(s->c.ctx);
}

/* The first entry is done with. With the lock held. */
static void drop_first(struct dtx_show *s)
{
    struct dtx_show_entry *e = s->first;

    if (s->ask == e)
        s->ask = e->next;
    if (s->untagged == e)
        s->untagged = e->next;
    dtx_show_let_pass(s, e->rank, e->off);
    if (e->tag && dtx_show_tags_late(s))
        s->tag_bytes -= strlen(e->tag) + 1;
    s->printer.tag = NULL;
    s->first = e->next;
    if (!s->first)
        s->last = &s->first;
    retire(s, e);
}

/* Go on where what was shown of it before has ended. */
static void take_live(struct dtx_show *s, const struct dtx_show_entry *e)
{
    const struct dtx_show_live *v = e->live;

    memset(s->printer.skip, 0, sizeof(s->printer.skip));
    if (!v)
        return;
    memcpy(s->printer.skip, v->skip, sizeof(s->printer.skip));
    memcpy(s->printer.in_line, v->in_line, sizeof(s->printer.in_line));
}

/* Called and returns with the lock held. */
static void show_first(struct dtx_show *s)
{
    struct dtx_show_entry *e = s->first;

    if (dtx_show_wants(s, e->out_len, e->err_len)) {
        take_tag(s, e);
        take_live(s, e);
        s->holding = true;
        if (e->far) {
            release(s); /* before there is something to wait for */
            dtx_show_far(s, e);
            release(s);
        } else {
            (void)pthread_mutex_unlock(&s->lock);
            if (e->live && e->live->lines)
                show_lines(s, e);
            else
                show_near(s, e);
            (void)pthread_mutex_lock(&s->lock);
        }
    } else if (s->pull && s->pull->e == e) {
        dtx_show_free_pull(s, 0);
    }
    drop_first(s);
}

/* Called with the lock held. */
bool dtx_show_all_shown(const struct dtx_show *s)
{
    return !s->first && s->log.len == 0 && !s->logging && !s->holding;
}

/* Sleep until there is something, then let some more come, unless somebody
 * waits: short tasks would wake this thread each. With the lock held. */
static void await_work(struct dtx_show *s)
{
    struct timespec end;

    s->asleep = true;
    (void)pthread_cond_wait(&s->cond, &s->lock);
    s->asleep = false;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += GATHER_NS;
    end.tv_sec += end.tv_nsec / DTX_SEC_NS;
    end.tv_nsec %= DTX_SEC_NS;
    while (!s->awaited && !atomic_load(&s->stopping) &&
           pthread_cond_timedwait(&s->cond, &s->lock, &end) != ETIMEDOUT)
        continue;
}

static void *thread_main(void *arg)
{
    struct dtx_show *s = arg;
    int old;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    (void)pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        if (s->log.len > 0) {
            (void)pthread_mutex_unlock(&s->lock);
            dtx_show_write_log(s);
            (void)pthread_mutex_lock(&s->lock);
        } else if (give_back(s)) {
            continue;
        } else if (s->first) {
            show_first(s);
        } else if (s->holding) {
            release(s);
        } else {
            await_work(s);
            continue;
        }
        if (s->awaited && dtx_show_all_shown(s)) {
            s->awaited = false;
            s->c.notify(s->c.ctx);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    (void)dtx_printer_flush(&s->printer);
    dtx_show_write_log(s);
    return NULL;
}

int dtx_show_start_thread(struct dtx_show *s, struct dtx_error *err)
{
    sigset_t all, old;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&s->thread, NULL, thread_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return dtx_error_set(err, DTX_ESYS, "show: cannot start a thread");
    return DTX_OK;
}

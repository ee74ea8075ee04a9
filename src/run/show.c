/* SPDX-License-Identifier: MIT */
/* What is to be shown and in which order; see show.h.  The thread that shows it
 * (show_thread.c) never decides what may be shown: that was decided when an
 * outcome was pushed. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "run/lines.h"
#include "run/passing.h"
#include "run/show_state.h"
#include "run/shown.h"
#include "store/output.h"

#define JOIN_S 2             /* for the thread to end by itself */
#define TAG_BYTES (1u << 20) /* of tags made before they are needed */

/* ---- life ---- */

static void free_show(struct dtx_show *s)
{
    struct dtx_show_entry *e;

    while (s->pull)
        dtx_show_free_pull(s, s->pull->asked);
    while (s->first) {
        e = s->first;
        s->first = e->next;
        dtx_show_free_entry(e);
    }
    for (e = dtx_order_take(&s->early, UINT64_MAX); e;
         e = dtx_order_take(&s->early, UINT64_MAX))
        dtx_show_free_entry(e);
    dtx_order_free(&s->early);
    while (s->spent) {
        e = s->spent;
        s->spent = e->next;
        dtx_show_free_entry(e);
    }
    dtx_shown_destroy(s->shown);
    dtx_passing_destroy(s->passing);
    if (s->joblog_fd >= 0)
        (void)close(s->joblog_fd);
    dtx_output_reader_destroy(s->reader);
    dtx_buf_free(&s->line);
    dtx_buf_free(&s->printer.hold);
    dtx_buf_free(&s->log);
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static void init_sync(struct dtx_show *s)
{
    pthread_condattr_t a;

    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_condattr_init(&a);
    (void)pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->cond, &a);
    (void)pthread_condattr_destroy(&a);
}

int dtx_show_start(const struct dtx_show_config *c, struct dtx_show **out,
                   struct dtx_error *err)
{
    struct dtx_show *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return dtx_error_set(err, DTX_ENOMEM, "show: out of memory");
    s->c = *c;
    s->last = &s->first;
    s->printer.outlet =
        (struct dtx_outlet){&s->stopping, dtx_show_write_log, s};
    s->printer.run_dir = c->run_dir;
    s->printer.wipe = c->wipe;
    init_sync(s);
    rc = dtx_show_open_joblog(s, err);
    if (rc == DTX_OK) {
        s->reader = dtx_output_reader_create(c->run_dir);
        if (c->passing > 0)
            s->passing = dtx_passing_create(c->passing);
        if (c->lines)
            s->shown = dtx_shown_create();
        if (!s->reader || (c->passing > 0 && !s->passing) ||
            (c->lines && !s->shown))
            rc = dtx_error_set(err, DTX_ENOMEM, "show: out of memory");
    }
    if (rc == DTX_OK)
        rc = dtx_show_start_thread(s, err);
    if (rc) {
        free_show(s);
        return rc;
    }
    *out = s;
    return DTX_OK;
}

/* Of a far output what was shown is not even fetched, as far as it stands at
 * the beginning. */
static void skip_far(struct dtx_show_entry *e)
{
    struct dtx_show_live *v = e->live;

    v->from = v->skip[0];
    e->out_len -= v->skip[0];
    v->skip[0] = 0;
    if (e->out_len > 0)
        return;
    v->from += v->skip[1];
    e->err_len -= v->skip[1];
    v->skip[1] = 0;
}

/* Some of it was shown already. False when out of memory. */
static bool skip_shown(struct dtx_show_entry *e,
                       const struct dtx_shown_so_far *f)
{
    if (f->bytes[0] == 0 && f->bytes[1] == 0)
        return true;
    e->live = calloc(1, sizeof(*e->live));
    if (!e->live)
        return false;
    memcpy(e->live->skip, f->bytes, sizeof(f->bytes));
    memcpy(e->live->in_line, f->in_line, sizeof(f->in_line));
    if (e->far)
        skip_far(e);
    return true;
}

static struct dtx_show_entry *make_entry(const struct dtx_show *s,
                                const struct dtx_outcome *o,
                                const struct dtx_shown_so_far *f)
{
    struct dtx_show_entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->task = o->task;
    e->rank = o->rank;
    e->crc = o->out_crc;
    e->off = o->out_off;
    e->out_len = o->out_len;
    e->err_len = o->err_len;
    e->far = !s->c.is_near(s->c.ctx, o->rank);
    if (skip_shown(e, f))
        return e;
    dtx_show_free_entry(e);
    return NULL;
}

/* False when out of memory. */
static bool make_tag(const struct dtx_show *s, struct dtx_show_entry *e)
{
    struct dtx_buf b = DTX_BUF_INIT;

    s->c.tag_of(s->c.ctx, e->task, &b);
    dtx_buf_char(&b, '\0');
    if (b.failed)
        dtx_buf_free(&b);
    e->tag = b.data;
    return e->tag != NULL;
}

/* Make tags for the entries that come next, some at a time. With the lock. */
static void make_tags(struct dtx_show *s)
{
    while (s->untagged && s->tag_bytes < TAG_BYTES) {
        struct dtx_show_entry *e = s->untagged;

        if (!make_tag(s, e))
            break; /* the thread asks again */
        s->tag_bytes += strlen(e->tag) + 1;
        s->untagged = e->next;
    }
}

/* With the lock. */
static void append(struct dtx_show *s, struct dtx_show_entry *e)
{
    *s->last = e;
    s->last = &e->next;
    if (!s->ask)
        s->ask = e;
    if (!dtx_show_tags_late(s))
        return;
    if (!s->untagged)
        s->untagged = e;
    make_tags(s);
}

/* With the lock. */
static void wake(struct dtx_show *s)
{
    if (s->asleep &&
        (!dtx_show_all_shown(s) || (s->passing && dtx_passing_any(s->passing))))
        (void)pthread_cond_signal(&s->cond);
}

/* What was shown of it while it ran, no more than there is. */
static struct dtx_shown_so_far shown_of(struct dtx_show *s,
                                        const struct dtx_outcome *o)
{
    struct dtx_shown_so_far f = {{0, 0}, {false, false}};

    if (s->shown)
        f = dtx_shown_end(s->shown, o->task, o->attempt);
    if (f.bytes[0] > o->out_len)
        f.bytes[0] = o->out_len;
    if (f.bytes[1] > o->err_len)
        f.bytes[1] = o->err_len;
    return f;
}

int dtx_show_push(struct dtx_show *s, const struct dtx_outcome *o, bool final)
{
    struct dtx_shown_so_far f = shown_of(s, o);
    bool wanted = dtx_show_wants(s, o->out_len - f.bytes[0],
                                 o->err_len - f.bytes[1]) &&
                  (final || !s->c.keep_order);
    struct dtx_show_entry *e = wanted ? make_entry(s, o, &f) : NULL;
    int rc;

    if (e && s->c.tag_of && s->c.live && !make_tag(s, e)) {
        dtx_show_free_entry(e);
        e = NULL;
    }
    rc = wanted && !e ? DTX_ENOMEM : DTX_OK;
    if (e && s->c.keep_order) {
        if (!dtx_order_push(&s->early, e->task, e)) {
            rc = DTX_ENOMEM;
            dtx_show_free_entry(e);
        }
        e = NULL;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (s->passing && !dtx_outcome_is_kept(o) &&
        dtx_passing_hold(s->passing, o->rank, o->out_off) &&
        (!wanted || rc != DTX_OK))
        dtx_show_let_pass(s, o->rank, o->out_off);
    if (s->c.joblog && final && dtx_show_add_line(s, o))
        rc = DTX_ENOMEM;
    if (e)
        append(s, e);
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* NULL when out of memory. */
static struct dtx_show_entry *make_lines(const struct dtx_show *s,
                                const struct dtx_lines_piece *p)
{
    struct dtx_show_entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->live = calloc(1, sizeof(*e->live) + p->len);
    e->task = p->task;
    *(p->stream ? &e->err_len : &e->out_len) = p->len;
    if (!e->live || (s->c.tag_of && s->c.live && !make_tag(s, e))) {
        dtx_show_free_entry(e);
        return NULL;
    }
    e->live->lines = true;
    memcpy(e->live->text, p->data, p->len);
    return e;
}

bool dtx_show_lines(struct dtx_show *s, uint32_t rank,
                    const struct dtx_lines_piece *p)
{
    size_t out = p->stream ? 0 : p->len, err = p->len - out;
    bool wanted = dtx_show_wants(s, out, err), in_line;
    struct dtx_show_entry *e = wanted ? make_lines(s, p) : NULL;

    if ((wanted && !e) || !dtx_shown_take(s->shown, p, &in_line) || !wanted) {
        if (e)
            dtx_show_free_entry(e);
        return false;
    }
    e->rank = rank;
    e->live->in_line[p->stream] = in_line;
    (void)pthread_mutex_lock(&s->lock);
    append(s, e);
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
    return true;
}

bool dtx_show_spent(struct dtx_show *s, uint32_t *rank, uint64_t *bytes)
{
    struct dtx_show_entry *e;

    (void)pthread_mutex_lock(&s->lock);
    e = s->spent;
    if (e)
        s->spent = e->next;
    (void)pthread_mutex_unlock(&s->lock);
    if (!e)
        return false;
    *rank = e->rank;
    *bytes = dtx_show_total(e);
    dtx_show_free_entry(e);
    return true;
}

/* Hand on what waits for tasks below 'limit'. */
static void hand_on(struct dtx_show *s, uint64_t limit)
{
    struct dtx_show_entry *e = dtx_order_take(&s->early, limit);

    if (!e)
        return;
    (void)pthread_mutex_lock(&s->lock);
    for (; e; e = dtx_order_take(&s->early, limit))
        append(s, e);
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
}

void dtx_show_settle(struct dtx_show *s)
{
    if (!s->c.keep_order)
        return;
    while (s->next < UINT32_MAX && s->c.is_settled(s->c.ctx, s->next))
        s->next++;
    hand_on(s, s->next);
}

void dtx_show_end(struct dtx_show *s)
{
    hand_on(s, UINT64_MAX);
}

void dtx_show_tend(struct dtx_show *s)
{
    if (!dtx_show_tags_late(s))
        return;
    (void)pthread_mutex_lock(&s->lock);
    make_tags(s);
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
}

bool dtx_show_idle(struct dtx_show *s)
{
    bool idle;

    (void)pthread_mutex_lock(&s->lock);
    idle = dtx_show_all_shown(s);
    s->awaited = !idle;
    if (!idle)
        (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
    return idle;
}

int dtx_show_error(struct dtx_show *s)
{
    return atomic_load(&s->printer.error);
}

void dtx_show_stop(struct dtx_show *s)
{
    struct timespec end = {0, 0};

    if (!s)
        return;
    (void)pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += JOIN_S;
    if (pthread_timedjoin_np(s->thread, NULL, &end) != 0) {
        (void)pthread_cancel(s->thread);
        (void)pthread_join(s->thread, NULL);
    }
    free_show(s);
}

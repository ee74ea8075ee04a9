/* SPDX-License-Identifier: MIT */
/* The showing thread; see show.h.  It reads and prints; it never decides what
 * may be shown: that was decided when an outcome was pushed. */
#include "run/show.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "run/lines.h"
#include "run/order.h"
#include "run/outlet.h"
#include "run/passing.h"
#include "run/printer.h"
#include "run/shown.h"
#include "store/file.h"
#include "store/output.h"

#define PULL_BYTES (4u << 20) /* asked of other nodes and not yet shown */
#define PULLS 256             /* outputs of which some was asked */
#define JOIN_S 2              /* for the thread to end by itself */
#define GATHER_NS (8 * DTX_MSEC_NS)
#define TAG_BYTES (1u << 20) /* of tags made before they are needed */
#define TAIL_BYTES 65536 /* of a joblog, looked at before it goes on */

/* What --line-buffer adds to an entry: it is lines of a task that still runs,
 * or an output of which some has been shown. */
struct live {
    uint64_t skip[2]; /* bytes of each stream that are not to be shown */
    uint64_t from;    /* far: the entry's lengths begin so far behind 'off' */
    bool in_line[2];  /* goes on within a line */
    bool lines;       /* 'text' is all there is, of the one stream that has a
                         length */
    char text[];
};

/* An output waiting to be shown: all that is kept of its task. */
struct entry {
    struct entry *next;
    uint64_t off, out_len, err_len;
    char *tag; /* NULL: there is none yet */
    struct live *live; /* or NULL */
    uint32_t task, rank, crc;
    bool far;
};
_Static_assert(sizeof(struct entry) <= 64, "one for each waiting output");

/* A far output of which some has been asked for. */
struct pull {
    struct pull *next;
    struct entry *e;
    uint64_t asked, got;
    struct dtx_buf data; /* come and not yet written */
    bool lost;           /* the rest will not come */
};

struct dtx_show {
    struct dtx_show_config c;
    pthread_t thread;
    pthread_mutex_t lock; /* over these: */
    pthread_cond_t cond;
    struct entry *first, **last;
    struct entry *ask;          /* nothing before it is still to be asked for */
    struct pull *pull, *newest; /* in the order of the entries */
    struct entry *untagged; /* before it all have their tags */
    size_t tag_bytes;
    struct entry *spent; /* lines that were written, to be told */
    bool awaited; /* somebody waits for all to be shown */
    bool asleep;  /* the thread waits for something to show */
    unsigned npulls;
    uint64_t pulling;   /* bytes asked and not written */
    struct dtx_buf log; /* joblog lines to be written */
    bool logging;       /* the thread writes some just now */
    bool holding;       /* the thread holds some output back */
    struct dtx_passing *passing; /* NULL: all is kept */
    /* the main thread's own */
    struct dtx_order early; /* entries before their turn */
    uint32_t next;          /* all tasks before it are settled */
    struct dtx_shown *shown; /* of tasks that run; NULL: without lines */
    /* anybody's */
    atomic_bool stopping; /* set with the lock held */
    /* the thread's own */
    struct dtx_output_reader *reader;
    struct dtx_printer printer; /* mute and error are anybody's */
    struct dtx_buf line;
    int joblog_fd;
};

/* ---- the joblog ---- */

/* A line of the joblog: 0, an errno, or -1 when the thread is to end and nobody
 * reads. It does not wait for the others. */
static int write_all(struct dtx_show *s, int fd, const char *p, size_t len)
{
    struct dtx_outlet o = {&s->stopping, NULL, NULL};

    return dtx_outlet_write(&o, fd, p, len);
}

/* Write the lines that wait. Called without the lock; what cannot be written
 * is told once. */
static void write_log(void *show)
{
    struct dtx_show *s = show;
    struct dtx_buf taken;
    int e = 0;

    (void)pthread_mutex_lock(&s->lock);
    taken = s->log;
    s->log = s->line;
    s->line = taken;
    s->logging = taken.len > 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (s->joblog_fd >= 0)
        e = write_all(s, s->joblog_fd, taken.data, taken.len);
    dtx_buf_clear(&s->line);
    if (e > 0) {
        dtx_printer_note(&s->printer, e);
        dtx_log(DTX_LOG_ERROR, "joblog: cannot write %s: %s; no further lines",
                s->c.joblog, strerror(e));
        (void)close(s->joblog_fd);
        s->joblog_fd = -1;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->logging = false;
    (void)pthread_mutex_unlock(&s->lock);
}

/* 0 or DTX_ENOMEM. Called with the lock held. */
static int add_line(struct dtx_show *s, const struct dtx_outcome *o)
{
    struct dtx_buf b = DTX_BUF_INIT;
    size_t len = s->log.len;

    dtx_tasklist_command(&b, s->c.list, o->task, o->slot);
    dtx_joblog_line(&s->log, o, s->c.host(s->c.ctx, o->rank),
                    b.data ? b.data : "", b.len);
    s->log.failed |= b.failed;
    dtx_buf_free(&b);
    if (!s->log.failed)
        return DTX_OK;
    s->log.failed = false; /* without the half of a line */
    s->log.len = len;
    return DTX_ENOMEM;
}

/* ---- outputs of other nodes ---- */

static uint64_t total_of(const struct entry *e)
{
    return e->out_len + e->err_len;
}

static void free_pull(struct dtx_show *s, uint64_t written)
{
    struct pull *p = s->pull;

    s->pulling -= p->asked - written;
    s->pull = p->next;
    if (!s->pull)
        s->newest = NULL;
    s->npulls--;
    dtx_buf_free(&p->data);
    free(p);
}

/* Write what has come of a far output; stdout first, then stderr. */
static int write_far(struct dtx_show *s, const struct entry *e, uint64_t at,
                     const char *data, size_t len)
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

static void say_lost(const struct dtx_show *s, const struct entry *e,
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
static bool await_data(struct dtx_show *s, const struct entry *e,
                       struct dtx_buf *b)
{
    while (!atomic_load(&s->stopping)) {
        struct pull *p = s->pull && s->pull->e == e ? s->pull : NULL;

        if (p && p->data.len > 0) {
            *b = p->data;
            p->data = (struct dtx_buf)DTX_BUF_INIT;
            return true;
        }
        if (p && p->lost)
            return false;
        if (s->log.len > 0) {
            (void)pthread_mutex_unlock(&s->lock);
            write_log(s);
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
static void show_far(struct dtx_show *s, struct entry *e)
{
    struct dtx_buf b = DTX_BUF_INIT;
    uint64_t written = 0;
    uint32_t crc = 0;
    int rc = 0;

    while (written < total_of(e) && rc == 0 && await_data(s, e, &b)) {
        (void)pthread_mutex_unlock(&s->lock);
        crc = dtx_crc32(crc, b.data, b.len);
        rc = write_far(s, e, written, b.data, b.len);
        (void)pthread_mutex_lock(&s->lock);
        written += b.len;
        s->pulling -= b.len;
        dtx_buf_free(&b);
    }
    if (s->pull && s->pull->e == e)
        free_pull(s, written);
    if (rc != 0 || atomic_load(&s->stopping))
        return;
    if (written < total_of(e))
        say_lost(s, e, "cannot be shown: it could not be fetched");
    else if (crc != e->crc && !e->live) /* the sum is over all of it */
        say_lost(s, e, "is damaged: its checksum is wrong");
}

/* Where the bytes of a far entry begin. */
static uint64_t begin_of(const struct entry *e)
{
    return e->off + (e->live ? e->live->from : 0);
}

/* The entry to ask for next and its pull, NULL when there is none now. */
static struct pull *next_pull(struct dtx_show *s)
{
    struct pull *p;

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
    struct pull *p;

    (void)pthread_mutex_lock(&s->lock);
    p = next_pull(s);
    if (p) {
        uint64_t left = total_of(p->e) - p->asked;

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
static struct pull *awaiting(struct dtx_show *s, uint32_t rank, uint64_t off)
{
    struct pull *p = s->pull;

    while (p && (p->e->rank != rank || begin_of(p->e) + p->got != off ||
                 p->asked == p->got))
        p = p->next;
    return p;
}

void dtx_show_feed(struct dtx_show *s, uint32_t rank, uint64_t off,
                   const void *data, size_t len)
{
    struct pull *p;

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

/* ---- the thread ---- */

static void show_near(struct dtx_show *s, const struct entry *e)
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

static void show_lines(struct dtx_show *s, const struct entry *e)
{
    enum dtx_stream k = e->out_len > 0 ? DTX_STDOUT : DTX_STDERR;

    (void)dtx_printer_write(&s->printer, k, e->live->text, total_of(e));
}

/* Would anybody see it? */
static bool is_wanted(struct dtx_show *s, uint64_t out_len, uint64_t err_len)
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
static bool makes_tags_late(const struct dtx_show *s)
{
    return s->c.tag_of && !s->c.live;
}

/* Lines begin with the entry's tag from now on. Called and returns with the
 * lock held. */
static void take_tag(struct dtx_show *s, const struct entry *e)
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

static void free_entry(struct entry *e)
{
    free(e->live);
    free(e->tag);
    free(e);
}

/* The output is no longer needed. With the lock held. */
static void let_pass(struct dtx_show *s, uint32_t rank, uint64_t off)
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
static void retire(struct dtx_show *s, struct entry *e)
{
    if (!e->live || !e->live->lines) {
        free_entry(e);
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
    struct entry *e = s->first;

    if (s->ask == e)
        s->ask = e->next;
    if (s->untagged == e)
        s->untagged = e->next;
    let_pass(s, e->rank, e->off);
    if (e->tag && makes_tags_late(s))
        s->tag_bytes -= strlen(e->tag) + 1;
    s->printer.tag = NULL;
    s->first = e->next;
    if (!s->first)
        s->last = &s->first;
    retire(s, e);
}

/* Go on where what was shown of it before has ended. */
static void take_live(struct dtx_show *s, const struct entry *e)
{
    const struct live *v = e->live;

    memset(s->printer.skip, 0, sizeof(s->printer.skip));
    if (!v)
        return;
    memcpy(s->printer.skip, v->skip, sizeof(s->printer.skip));
    memcpy(s->printer.in_line, v->in_line, sizeof(s->printer.in_line));
}

/* Called and returns with the lock held. */
static void show_first(struct dtx_show *s)
{
    struct entry *e = s->first;

    if (is_wanted(s, e->out_len, e->err_len)) {
        take_tag(s, e);
        take_live(s, e);
        s->holding = true;
        if (e->far) {
            release(s); /* before there is something to wait for */
            show_far(s, e);
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
        free_pull(s, 0);
    }
    drop_first(s);
}

/* Called with the lock held. */
static bool is_idle(const struct dtx_show *s)
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
            write_log(s);
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
        if (s->awaited && is_idle(s)) {
            s->awaited = false;
            s->c.notify(s->c.ctx);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    (void)dtx_printer_flush(&s->printer);
    write_log(s);
    return NULL;
}

/* ---- life ---- */

/* A session that was killed may have left half a line: what has come to its
 * ninth column counts where a joblog is read back and is ended, less is cut
 * off. What cannot be read back, a pipe, is left alone. */
static int mend_joblog(struct dtx_show *s, off_t end)
{
    char tail[TAIL_BYTES];
    size_t n = end < TAIL_BYTES ? (size_t)end : TAIL_BYTES, i, tabs = 0;
    int rc, fd = open(s->c.joblog, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return 0;
    rc = dtx_file_read(fd, tail, n, (uint64_t)(end - (off_t)n)) == (ssize_t)n;
    (void)close(fd);
    if (!rc || tail[n - 1] == '\n')
        return 0;
    for (i = n; i > 0 && tail[i - 1] != '\n'; i--)
        tabs += tail[i - 1] == '\t';
    if (tabs >= 8 || (i == 0 && (off_t)n < end))
        return write_all(s, s->joblog_fd, "\n", 1);
    return ftruncate(s->joblog_fd, end - (off_t)(n - i)) ? errno : 0;
}

static int open_joblog(struct dtx_show *s, struct dtx_error *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, e;
    off_t end;

    s->joblog_fd = -1;
    if (!s->c.joblog)
        return DTX_OK;
    if (!s->c.append)
        flags |= O_TRUNC;
    s->joblog_fd = open(s->c.joblog, flags, 0666);
    if (s->joblog_fd < 0)
        return dtx_error_errno(err, "cannot open joblog %s", s->c.joblog);
    end = lseek(s->joblog_fd, 0, SEEK_END);
    e = end > 0 ? mend_joblog(s, end) : 0;
    if (e == 0 && lseek(s->joblog_fd, 0, SEEK_END) <= 0) {
        dtx_joblog_header(&s->line);
        e = s->line.failed
                ? ENOMEM
                : write_all(s, s->joblog_fd, s->line.data, s->line.len);
        dtx_buf_clear(&s->line);
    }
    errno = e;
    return e ? dtx_error_errno(err, "cannot write joblog %s", s->c.joblog)
             : DTX_OK;
}

static void free_show(struct dtx_show *s)
{
    struct entry *e;

    while (s->pull)
        free_pull(s, s->pull->asked);
    while (s->first) {
        e = s->first;
        s->first = e->next;
        free_entry(e);
    }
    for (e = dtx_order_take(&s->early, UINT64_MAX); e;
         e = dtx_order_take(&s->early, UINT64_MAX))
        free_entry(e);
    dtx_order_free(&s->early);
    while (s->spent) {
        e = s->spent;
        s->spent = e->next;
        free_entry(e);
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

static int start_thread(struct dtx_show *s, struct dtx_error *err)
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
    s->printer.outlet = (struct dtx_outlet){&s->stopping, write_log, s};
    s->printer.run_dir = c->run_dir;
    s->printer.wipe = c->wipe;
    init_sync(s);
    rc = open_joblog(s, err);
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
        rc = start_thread(s, err);
    if (rc) {
        free_show(s);
        return rc;
    }
    *out = s;
    return DTX_OK;
}

/* Of a far output what was shown is not even fetched, as far as it stands at
 * the beginning. */
static void skip_far(struct entry *e)
{
    struct live *v = e->live;

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
static bool skip_shown(struct entry *e, const struct dtx_shown_so_far *f)
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

static struct entry *make_entry(const struct dtx_show *s,
                                const struct dtx_outcome *o,
                                const struct dtx_shown_so_far *f)
{
    struct entry *e = calloc(1, sizeof(*e));

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
    free_entry(e);
    return NULL;
}

/* False when out of memory. */
static bool make_tag(const struct dtx_show *s, struct entry *e)
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
        struct entry *e = s->untagged;

        if (!make_tag(s, e))
            break; /* the thread asks again */
        s->tag_bytes += strlen(e->tag) + 1;
        s->untagged = e->next;
    }
}

/* With the lock. */
static void append(struct dtx_show *s, struct entry *e)
{
    *s->last = e;
    s->last = &e->next;
    if (!s->ask)
        s->ask = e;
    if (!makes_tags_late(s))
        return;
    if (!s->untagged)
        s->untagged = e;
    make_tags(s);
}

/* With the lock. */
static void wake(struct dtx_show *s)
{
    if (s->asleep &&
        (!is_idle(s) || (s->passing && dtx_passing_any(s->passing))))
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
    bool wanted = is_wanted(s, o->out_len - f.bytes[0],
                            o->err_len - f.bytes[1]) &&
                  (final || !s->c.keep_order);
    struct entry *e = wanted ? make_entry(s, o, &f) : NULL;
    int rc;

    if (e && s->c.tag_of && s->c.live && !make_tag(s, e)) {
        free_entry(e);
        e = NULL;
    }
    rc = wanted && !e ? DTX_ENOMEM : DTX_OK;
    if (e && s->c.keep_order) {
        if (!dtx_order_push(&s->early, e->task, e)) {
            rc = DTX_ENOMEM;
            free_entry(e);
        }
        e = NULL;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (s->passing && !dtx_outcome_is_kept(o) &&
        dtx_passing_hold(s->passing, o->rank, o->out_off) &&
        (!wanted || rc != DTX_OK))
        let_pass(s, o->rank, o->out_off);
    if (s->c.joblog && final && add_line(s, o))
        rc = DTX_ENOMEM;
    if (e)
        append(s, e);
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* NULL when out of memory. */
static struct entry *make_lines(const struct dtx_show *s,
                                const struct dtx_lines_piece *p)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->live = calloc(1, sizeof(*e->live) + p->len);
    e->task = p->task;
    *(p->stream ? &e->err_len : &e->out_len) = p->len;
    if (!e->live || (s->c.tag_of && s->c.live && !make_tag(s, e))) {
        free_entry(e);
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
    bool wanted = is_wanted(s, out, err), in_line;
    struct entry *e = wanted ? make_lines(s, p) : NULL;

    if ((wanted && !e) || !dtx_shown_take(s->shown, p, &in_line) || !wanted) {
        if (e)
            free_entry(e);
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
    struct entry *e;

    (void)pthread_mutex_lock(&s->lock);
    e = s->spent;
    if (e)
        s->spent = e->next;
    (void)pthread_mutex_unlock(&s->lock);
    if (!e)
        return false;
    *rank = e->rank;
    *bytes = total_of(e);
    free_entry(e);
    return true;
}

/* Hand on what waits for tasks below 'limit'. */
static void hand_on(struct dtx_show *s, uint64_t limit)
{
    struct entry *e = dtx_order_take(&s->early, limit);

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
    if (!makes_tags_late(s))
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
    idle = is_idle(s);
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

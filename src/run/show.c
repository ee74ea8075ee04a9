/* SPDX-License-Identifier: MIT */
/* The showing thread; see show.h.  It reads and prints; it never decides what
 * may be shown: that was decided when an outcome was pushed. */
#include "run/show.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "store/output.h"

/* Bytes asked of other nodes and not yet shown. */
#define PULL_BYTES (4u << 20)
/* How long a reader that does not read can hold up the end. */
#define STOP_LOOK_MS 200
#define FILE_BYTES (1u << 20) /* written at once to a file */

/* One outcome waiting to be shown. */
struct entry {
    struct entry *next;
    struct dtx_outcome o;
    bool final, far;
    bool lost;      /* the rank that has the bytes is gone */
    uint64_t asked; /* bytes of the output asked for so far */
    uint64_t got;   /* ... that have come */
    struct dtx_buf data; /* come and not yet written */
};

struct dtx_show {
    struct dtx_show_config c;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct entry *first, **last;
    uint64_t open;    /* entries not shown */
    uint64_t far;     /* of those, with output on another node */
    uint64_t pulling; /* bytes asked and not written */
    atomic_bool stopping; /* set with the lock held */
    /* the thread's own */
    struct dtx_output_reader *reader;
    struct dtx_buf line;
    int joblog_fd;
    bool mute[2]; /* stdout, stderr: the reader has gone away */
};

/* ---- writing ---- */

/* Wait until fd takes some bytes without blocking; false when it does not and
 * the thread is to end. */
static bool await_room(struct dtx_show *s, int fd)
{
    for (;;) {
        bool last = atomic_load(&s->stopping);
        struct pollfd pf = {fd, POLLOUT, 0};

        if (poll(&pf, 1, last ? 0 : STOP_LOOK_MS) != 0 && pf.revents != 0)
            return true;
        if (last)
            return false;
    }
}

/* Bytes that can be written without blocking once there is room. */
static size_t room_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? FILE_BYTES : PIPE_BUF;
}

/* Write all to fd; false when the reader is gone, the file cannot take it, or
 * the thread is to end and the reader does not read. */
static bool write_all(struct dtx_show *s, int fd, const char *p, size_t len)
{
    size_t most = room_of(fd);

    while (len > 0) {
        ssize_t n;

        if (!await_room(s, fd))
            return false;
        n = write(fd, p, len < most ? len : most);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if (!(n < 0 && (errno == EINTR || errno == EAGAIN))) {
            return false;
        }
    }
    return true;
}

static int write_piece(void *ctx, enum dtx_stream stream, const void *data,
                       size_t len)
{
    struct dtx_show *s = ctx;
    int i = stream == DTX_STDERR;

    if (!s->mute[i] &&
        !write_all(s, i ? STDERR_FILENO : STDOUT_FILENO, data, len))
        s->mute[i] = true; /* outputs stay in out/ */
    return 0;
}

/* The progress line shares the terminal: it is drawn again by the next tick. */
static void wipe_line(struct dtx_show *s)
{
    static const char wipe[] = "\r\033[K";

    if (s->c.wipe)
        (void)write_all(s, STDERR_FILENO, wipe, sizeof(wipe) - 1);
}

static void write_joblog(struct dtx_show *s, const struct entry *e)
{
    const struct dtx_task *t = &s->c.list->task[e->o.task];

    if (s->joblog_fd < 0 || !e->final)
        return;
    dtx_buf_clear(&s->line);
    dtx_joblog_line(&s->line, &e->o, s->c.host(s->c.ctx, e->o.rank),
                    dtx_tasklist_text(s->c.list, t), t->len);
    if (s->line.failed ||
        !write_all(s, s->joblog_fd, s->line.data, s->line.len)) {
        dtx_log(DTX_LOG_ERROR, "joblog: cannot write %s: %s; no further lines",
                s->c.joblog, strerror(errno));
        (void)close(s->joblog_fd);
        s->joblog_fd = -1;
    }
}

/* ---- outputs of other nodes ---- */

static uint64_t total_of(const struct entry *e)
{
    return e->o.out_len + e->o.err_len;
}

/* Write what has come of a far output; stdout first, then stderr. */
static void write_far(struct dtx_show *s, const struct entry *e, uint64_t at,
                      const char *data, size_t len)
{
    uint64_t split = e->o.out_len > at ? e->o.out_len - at : 0;
    size_t out = split < len ? (size_t)split : len;

    if (out > 0)
        (void)write_piece(s, DTX_STDOUT, data, out);
    if (len > out)
        (void)write_piece(s, DTX_STDERR, data + out, len - out);
}

/* Called and returns with the lock held. */
static void show_far(struct dtx_show *s, struct entry *e)
{
    uint64_t written = 0;

    while (written < total_of(e) && !s->stopping) {
        struct dtx_buf b = e->data;

        if (b.len == 0 && e->lost)
            break;
        if (b.len == 0) {
            s->c.notify(s->c.ctx);
            (void)pthread_cond_wait(&s->cond, &s->lock);
            continue;
        }
        e->data = (struct dtx_buf)DTX_BUF_INIT;
        (void)pthread_mutex_unlock(&s->lock);
        write_far(s, e, written, b.data, b.len);
        (void)pthread_mutex_lock(&s->lock);
        written += b.len;
        s->pulling -= b.len < s->pulling ? b.len : s->pulling;
        dtx_buf_free(&b);
    }
    if (e->asked > e->got) {
        uint64_t open = e->asked - e->got;

        s->pulling -= open < s->pulling ? open : s->pulling;
    }
}

bool dtx_show_want(struct dtx_show *s, struct dtx_show_want *out)
{
    struct entry *e;
    bool found = false;

    (void)pthread_mutex_lock(&s->lock);
    for (e = s->far > 0 ? s->first : NULL;
         e && !found && s->pulling < PULL_BYTES; e = e->next) {
        uint64_t left = total_of(e) - e->asked;

        if (!e->far || e->lost || left == 0)
            continue;
        out->rank = e->o.rank;
        out->off = e->o.out_off + e->asked;
        out->len = left < DTX_SHOW_PIECE ? (uint32_t)left : DTX_SHOW_PIECE;
        e->asked += out->len;
        s->pulling += out->len;
        found = true;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

/* The entry whose next bytes these are. */
static struct entry *awaiting(struct dtx_show *s, uint32_t rank, uint64_t off)
{
    struct entry *e;

    for (e = s->first; e; e = e->next) {
        if (e->far && e->o.rank == rank && e->o.out_off + e->got == off &&
            e->asked > e->got)
            return e;
    }
    return NULL;
}

void dtx_show_feed(struct dtx_show *s, uint32_t rank, uint64_t off,
                   const void *data, size_t len)
{
    struct entry *e;

    (void)pthread_mutex_lock(&s->lock);
    e = awaiting(s, rank, off);
    if (e && len > 0 && len <= e->asked - e->got) {
        dtx_buf_append(&e->data, data, len);
        e->got += len;
        if (e->data.failed)
            e->lost = true;
    } else if (e) {
        e->lost = true; /* the rank could not read it */
    }
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
}

void dtx_show_rank_lost(struct dtx_show *s, uint32_t rank)
{
    struct entry *e;

    (void)pthread_mutex_lock(&s->lock);
    for (e = s->first; e; e = e->next)
        e->lost |= e->far && e->o.rank == rank;
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- the thread ---- */

static void show_near(struct dtx_show *s, const struct entry *e)
{
    struct dtx_error err;

    if (dtx_output_each(s->reader, s->c.epoch, &e->o, write_piece, s, &err))
        dtx_log(DTX_LOG_WARN, "output of task %llu cannot be shown: %s",
                (unsigned long long)dtx_task_id(e->o.task), err.text);
}

static void *thread_main(void *arg)
{
    struct dtx_show *s = arg;

    (void)pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        struct entry *e = s->first;

        if (!e) {
            (void)pthread_cond_wait(&s->cond, &s->lock);
            continue;
        }
        if (s->c.output && total_of(e) > 0)
            wipe_line(s);
        if (e->far) {
            show_far(s, e);
            (void)pthread_mutex_unlock(&s->lock);
        } else {
            (void)pthread_mutex_unlock(&s->lock);
            if (s->c.output && total_of(e) > 0)
                show_near(s, e);
        }
        write_joblog(s, e);
        (void)pthread_mutex_lock(&s->lock);
        s->far -= e->far;
        s->first = e->next;
        if (!s->first)
            s->last = &s->first;
        dtx_buf_free(&e->data);
        free(e);
        if (--s->open == 0)
            s->c.notify(s->c.ctx);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- life ---- */

static int open_joblog(struct dtx_show *s, struct dtx_error *err)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND;
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
    if (end > 0)
        return DTX_OK;
    dtx_joblog_header(&s->line);
    if (s->line.failed ||
        !write_all(s, s->joblog_fd, s->line.data, s->line.len))
        return dtx_error_errno(err, "cannot write joblog %s", s->c.joblog);
    return DTX_OK;
}

static void free_show(struct dtx_show *s)
{
    while (s->first) {
        struct entry *e = s->first;

        s->first = e->next;
        dtx_buf_free(&e->data);
        free(e);
    }
    if (s->joblog_fd >= 0)
        (void)close(s->joblog_fd);
    dtx_output_reader_destroy(s->reader);
    dtx_buf_free(&s->line);
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int dtx_show_start(const struct dtx_show_config *c, struct dtx_show **out,
                   struct dtx_error *err)
{
    struct dtx_show *s = calloc(1, sizeof(*s));
    sigset_t all, old;
    int rc;

    if (!s)
        return dtx_error_set(err, DTX_ENOMEM, "show: out of memory");
    s->c = *c;
    s->last = &s->first;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->cond, NULL);
    rc = open_joblog(s, err);
    if (rc == DTX_OK) {
        s->reader = dtx_output_reader_create(c->run_dir);
        if (!s->reader)
            rc = dtx_error_set(err, DTX_ENOMEM, "show: out of memory");
    }
    if (rc == DTX_OK) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        if (pthread_create(&s->thread, NULL, thread_main, s) != 0)
            rc = dtx_error_set(err, DTX_ESYS, "show: cannot start a thread");
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    if (rc) {
        free_show(s);
        return rc;
    }
    *out = s;
    return DTX_OK;
}

int dtx_show_push(struct dtx_show *s, const struct dtx_outcome *o, bool final)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e)
        return DTX_ENOMEM;
    e->o = *o;
    e->final = final;
    e->far = s->c.output && o->out_len + o->err_len > 0 &&
             !s->c.is_near(s->c.ctx, o->rank);
    (void)pthread_mutex_lock(&s->lock);
    *s->last = e;
    s->last = &e->next;
    s->far += e->far;
    if (s->open++ == 0)
        (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
    return DTX_OK;
}

bool dtx_show_idle(struct dtx_show *s)
{
    bool idle;

    (void)pthread_mutex_lock(&s->lock);
    idle = s->open == 0;
    (void)pthread_mutex_unlock(&s->lock);
    return idle;
}

void dtx_show_stop(struct dtx_show *s)
{
    if (!s)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    free_show(s);
}

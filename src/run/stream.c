/* SPDX-License-Identifier: MIT */
/* A live task list; see stream.h.  It decides when to read on, and nothing
 * about tasks: lines are the parser's, what runs is the engine's. */
#include "run/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/event.h"
#include "engine/master.h"
#include "store/writer.h"
#include "run/needs.h"
#include "task/after.h"
#include "task/outcome.h"
#include "task/task.h"
#include "task/taskfile.h"
#include "wire/replay.h"

#define PIECE 65536u              /* bytes of one read */
#define RAW_BYTES (1u << 20)      /* the thread waits when so many are there */
#define LINE_BYTES (4u << 20)     /* no line is longer: the parser refuses it */
#define BATCH_TASKS 4096u         /* of one event */
#define BATCH_BYTES (256u << 10)
#define BATCH_EDGES 65536u

/* The engine takes edges as pairs of numbers. */
_Static_assert(sizeof(struct dtx_edge) == 2 * sizeof(uint32_t), "an edge");

struct dtx_taskstream {
    struct dtx_taskstream_config c;
    /* between the threads */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t room;
    int stop_fd;
    struct dtx_buf raw;
    bool at_end, stopping, told;
    int error; /* of reading: errno */
    /* the main thread's */
    struct dtx_taskparser *parser;
    struct dtx_buf text; /* lines not parsed yet, from 'at' on */
    size_t at;
    bool bad, ended, closed, stopped;
    size_t from_attr; /* attributes the journal has */
    uint64_t nedges;  /* it has */
    struct dtx_edge *edge; /* of the batch */
    size_t batch_edges, cap_edges;
    uint8_t *prior;     /* of the batch, with a carrier */
    uint16_t *attempts;
    size_t cap_prior, cap_attempts;
    struct dtx_error err;
};

/* ---- the thread ---- */

/* Wait for bytes; false when the stream is to be left. */
static bool await(const struct dtx_taskstream *s)
{
    struct pollfd p[2] = {{s->c.fd, POLLIN, 0}, {s->stop_fd, POLLIN, 0}};

    while (poll(p, 2, -1) < 0) {
        if (errno != EINTR && errno != EAGAIN)
            return false;
    }
    return p[1].revents == 0;
}

/* Hand over what was read, and wait while the main thread has enough. False
 * when the stream is to be left. */
static bool put(struct dtx_taskstream *s, const char *piece, ssize_t n, int e)
{
    bool ring, more;

    (void)pthread_mutex_lock(&s->lock);
    if (n > 0)
        dtx_buf_append(&s->raw, piece, (size_t)n);
    if (s->raw.failed)
        e = ENOMEM;
    s->at_end = n <= 0 || e != 0;
    s->error = e;
    ring = !s->told;
    s->told = true;
    (void)pthread_mutex_unlock(&s->lock);
    if (ring)
        s->c.notify(s->c.ctx);
    (void)pthread_mutex_lock(&s->lock);
    while (s->raw.len >= RAW_BYTES && !s->stopping)
        (void)pthread_cond_wait(&s->room, &s->lock);
    more = !s->at_end && !s->stopping;
    (void)pthread_mutex_unlock(&s->lock);
    return more;
}

/* Only here can the thread be ended: somebody else may have taken the bytes
 * that were announced. */
static ssize_t read_piece(int fd, char *piece)
{
    ssize_t n;
    int old;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    n = read(fd, piece, PIECE);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    return n;
}

static void *read_all(void *ctx)
{
    struct dtx_taskstream *s = ctx;
    char piece[PIECE];
    bool more = true;
    int old;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    while (more && await(s)) {
        ssize_t n = read_piece(s->c.fd, piece);
        int e = n < 0 ? errno : 0;

        if (e == EINTR || e == EAGAIN)
            continue;
        more = put(s, piece, n, e);
    }
    return NULL;
}

/* ---- life ---- */

static int start_thread(struct dtx_taskstream *s)
{
    sigset_t all, old;
    int e;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    e = pthread_create(&s->thread, NULL, read_all, s);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return e;
}

static void free_stream(struct dtx_taskstream *s)
{
    if (s->stop_fd >= 0)
        (void)close(s->stop_fd);
    dtx_taskparser_destroy(s->parser);
    dtx_buf_free(&s->raw);
    dtx_buf_free(&s->text);
    free(s->edge);
    free(s->prior);
    free(s->attempts);
    (void)pthread_cond_destroy(&s->room);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int dtx_taskstream_start(const struct dtx_taskstream_config *c,
                         struct dtx_taskstream **out, struct dtx_error *err)
{
    struct dtx_taskstream *s = calloc(1, sizeof(*s));

    if (!s)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    s->c = *c;
    if (s->c.most_tasks == 0)
        s->c.most_tasks = DTX_STREAM_TASKS;
    if (s->c.most_bytes == 0)
        s->c.most_bytes = DTX_STREAM_BYTES;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->room, NULL);
    s->parser = dtx_taskparser_create(c->name, c->list);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    errno = s->stop_fd < 0 ? errno : s->parser ? 0 : ENOMEM;
    if (errno == 0)
        errno = start_thread(s);
    if (errno != 0) {
        int rc = dtx_error_errno(err, "cannot read %s as it comes", c->name);

        free_stream(s);
        return rc;
    }
    *out = s;
    return DTX_OK;
}

void dtx_taskstream_stop(struct dtx_taskstream *s)
{
    const uint64_t one = 1;

    if (s->stopped)
        return;
    s->stopped = true;
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->room);
    (void)pthread_mutex_unlock(&s->lock);
    if (write(s->stop_fd, &one, sizeof(one)) < 0)
        dtx_log(DTX_LOG_DEBUG, "the reader of %s is cancelled", s->c.name);
    (void)pthread_cancel(s->thread);
    (void)pthread_join(s->thread, NULL);
}

void dtx_taskstream_destroy(struct dtx_taskstream *s)
{
    if (!s)
        return;
    dtx_taskstream_stop(s);
    free_stream(s);
}

bool dtx_taskstream_bad(const struct dtx_taskstream *s)
{
    return s->bad;
}

bool dtx_taskstream_ended(const struct dtx_taskstream *s)
{
    return s->ended;
}

/* ---- taking what has come ---- */

/* Move the thread's bytes behind ours; true when there will be no more. */
static bool take_raw(struct dtx_taskstream *s)
{
    bool last;

    (void)pthread_mutex_lock(&s->lock);
    if (s->raw.len > 0 && s->text.len - s->at < LINE_BYTES) {
        if (s->at > 0)
            dtx_buf_drop(&s->text, s->at);
        s->at = 0;
        dtx_buf_append(&s->text, s->raw.data, s->raw.len);
        dtx_buf_clear(&s->raw);
        (void)pthread_cond_signal(&s->room);
    }
    s->told = s->raw.len > 0;
    last = s->at_end && s->raw.len == 0;
    (void)pthread_mutex_unlock(&s->lock);
    return last;
}

static bool has_room(const struct dtx_taskstream *s)
{
    return s->c.list->open_tasks < s->c.most_tasks &&
           s->c.list->open_bytes < s->c.most_bytes;
}

/* A line is wrong: it is said, and nothing of it or behind it counts. */
static void refuse(struct dtx_taskstream *s, size_t ntasks)
{
    size_t i;

    s->bad = true;
    for (i = ntasks; i < s->c.list->ntasks; i++)
        dtx_tasklist_forget(s->c.list, (uint32_t)i);
    s->c.list->ntasks = ntasks;
    dtx_log(DTX_LOG_ERROR,
            "%s; reading ends here: the %zu task%s before may finish",
            s->err.text, ntasks, ntasks == 1 ? "" : "s");
}

static void begin_batch(struct dtx_taskstream *s)
{
    s->batch_edges = 0;
    if (s->cap_edges > 2 * BATCH_EDGES) { /* a line waited for very many */
        free(s->edge);
        s->edge = NULL;
        s->cap_edges = 0;
    }
}

static int keep_edges(struct dtx_taskstream *s)
{
    size_t n;
    const struct dtx_edge *e = dtx_taskparser_edges(s->parser, &n);
    struct dtx_edge *p;

    if (n == 0)
        return DTX_OK;
    p = dtx_grow(s->edge, &s->cap_edges, s->batch_edges + n, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    s->edge = p;
    memcpy(p + s->batch_edges, e, n * sizeof(*p));
    s->batch_edges += n;
    return DTX_OK;
}

/* Nobody could run what asks for more slots than any rank has. */
static int check_width(struct dtx_taskstream *s, size_t from)
{
    size_t i;

    for (i = from; i < s->c.list->ntasks; i++) {
        uint32_t cpus = dtx_tasklist_attr_of(s->c.list, (uint32_t)i)->cpus;

        if (cpus > s->c.most_cpus)
            return dtx_error_set(
                &s->err, DTX_EPARSE,
                "%s:%u: cpus=%u, but no rank has more than %u slot%s: launch "
                "with fewer ranks that have more cores each",
                s->c.name, s->c.list->task[i].line, cpus, s->c.most_cpus,
                s->c.most_cpus == 1 ? "" : "s");
    }
    if (s->c.needs)
        return dtx_needs_check(s->c.needs, s->c.list, from, s->c.name, &s->err);
    return DTX_OK;
}

static int parse_line(struct dtx_taskstream *s, const char *line, size_t len)
{
    size_t before = s->c.list->ntasks;
    int rc = dtx_taskparser_line(s->parser, line, len, &s->err);

    if (rc == DTX_OK)
        rc = check_width(s, before);
    if (rc == DTX_ENOMEM)
        return rc;
    if (rc) {
        refuse(s, before);
        return DTX_OK;
    }
    return keep_edges(s);
}

/* The last bytes, without a newline: a line all the same. */
static int parse_rest(struct dtx_taskstream *s)
{
    size_t len = s->text.len - s->at;
    int rc = DTX_OK;

    if (s->error) {
        (void)dtx_error_set(&s->err, DTX_EIO, "cannot read %s: %s", s->c.name,
                            strerror(s->error));
        refuse(s, s->c.list->ntasks);
        return s->error == ENOMEM ? DTX_ENOMEM : DTX_OK;
    }
    if (len > 0) {
        dtx_log(DTX_LOG_INFO, "the last line of %s has no newline: taken as "
                "it is", s->c.name);
        rc = parse_line(s, s->text.data + s->at, len);
        s->at = s->text.len;
    }
    if (rc == DTX_OK && !s->bad && dtx_taskparser_end(s->parser, &s->err))
        refuse(s, s->c.list->ntasks);
    s->ended = !s->bad;
    return rc;
}

/* Parse lines as long as there is room for tasks. */
static int parse(struct dtx_taskstream *s, bool last)
{
    size_t from = s->c.list->ntasks, begin = s->at;
    int rc = DTX_OK;

    while (rc == DTX_OK && !s->bad && has_room(s) &&
           s->c.list->ntasks - from < BATCH_TASKS &&
           s->batch_edges < BATCH_EDGES && s->at - begin < BATCH_BYTES) {
        size_t left = s->text.len - s->at;
        const char *line = left ? s->text.data + s->at : "";
        const char *end = left ? memchr(line, '\n', left) : NULL;

        if (!end && left < LINE_BYTES) {
            return last ? parse_rest(s) : DTX_OK;
        }
        left = end ? (size_t)(end - line) : left;
        s->at += left + (end != NULL);
        rc = parse_line(s, line, left);
    }
    return rc;
}

/* ---- what becomes of it ---- */

static int to_journal(void *ctx, const void *payload, size_t len)
{
    struct dtx_taskstream *s = ctx;

    return dtx_writer_record(s->c.writer, 0, payload, len, DTX_NO_TASK, false);
}

static int record(struct dtx_taskstream *s, size_t from)
{
    int rc = DTX_OK;

    if (!s->c.writer)
        return DTX_OK;
    if (s->c.list->ntasks > from) {
        rc = dtx_list_encode_more(s->c.list, s->from_attr, from, s->edge,
                                  s->batch_edges, to_journal, s);
        s->from_attr = s->c.list->nattrs;
        s->nedges += s->batch_edges;
    }
    if (rc == DTX_OK && s->ended)
        rc = dtx_list_encode_closed(s->c.list, s->nedges, to_journal, s);
    return rc;
}

static int carry(struct dtx_taskstream *s, size_t from)
{
    size_t n = s->c.list->ntasks - from, i;
    struct dtx_known k;
    void *p;
    int rc = DTX_OK;

    if (!s->c.carrier || n == 0)
        return DTX_OK;
    p = dtx_grow(s->prior, &s->cap_prior, n, sizeof(*s->prior));
    s->prior = p ? p : s->prior;
    if (p)
        p = dtx_grow(s->attempts, &s->cap_attempts, n, sizeof(*s->attempts));
    if (!p)
        return DTX_ENOMEM;
    s->attempts = p;
    for (i = 0; i < n && rc == DTX_OK; i++) {
        rc = dtx_carrier_task(s->c.carrier, s->c.list, (uint32_t)(from + i),
                              s->c.cwd, &k);
        s->attempts[i] = k.attempts;
        s->prior[i] = DTX_PRIOR_NONE;
        if (k.final && k.status == DTX_STATUS_OK)
            s->prior[i] = DTX_PRIOR_OK;
        else if (k.final && !s->c.again)
            s->prior[i] = DTX_PRIOR_FAILED;
    }
    return rc;
}

static bool close_now(struct dtx_taskstream *s, struct dtx_event *ev)
{
    if (s->closed)
        return false;
    s->closed = true;
    ev->kind = DTX_EV_CLOSED;
    return true;
}

bool dtx_taskstream_next(struct dtx_taskstream *s, struct dtx_event *ev,
                         bool *failed)
{
    size_t from = s->c.list->ntasks, at;
    bool last;
    int rc;

    if (s->bad || s->ended)
        return close_now(s, ev);
    if (s->stopped || !has_room(s))
        return false;
    last = take_raw(s);
    begin_batch(s);
    at = s->at;
    rc = s->text.failed ? DTX_ENOMEM : parse(s, last);
    if (rc == DTX_OK)
        rc = carry(s, from);
    if (rc == DTX_OK)
        rc = record(s, from);
    *failed = rc != DTX_OK;
    if (rc)
        return false;
    if (s->c.list->ntasks == from) {
        if (s->bad || s->ended)
            return close_now(s, ev);
        if (s->at - at >= BATCH_BYTES) /* comments; there may be more behind */
            s->c.notify(s->c.ctx);
        return false;
    }
    ev->kind = DTX_EV_TASKS;
    ev->u.tasks = (struct dtx_arrival){
        (uint32_t)s->c.list->ntasks, s->c.carrier ? s->prior : NULL,
        s->c.carrier ? s->attempts : NULL,
        s->batch_edges ? &s->edge[0].before : NULL, s->batch_edges, NULL, NULL};
    return true;
}

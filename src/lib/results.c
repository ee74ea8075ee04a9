/* SPDX-License-Identifier: MIT */
/* Buffers of results; see results.h.  It decides when a buffer goes and in
 * which order results are delivered; it never looks at their bytes. */
#include "lib/results.h"

#include <pthread.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/spans.h"
#include "lib/diary.h"
#include "lib/session.h"

#define FULL_BYTES 65536u
#define MOST_WAITING (16u << 20)
#define MOST_PENDING 64u /* sends of this rank that are not over */

struct parcel {
    struct parcel *next;
    uint64_t first, count, cap;
    bool failed; /* some of them */
    alignas(max_align_t) char data[]; /* kernels write what they like */
};

struct dtx_results {
    struct dtx_region *g;
    size_t bytes;          /* of one result */
    bool direct;           /* rank 0 gathers: slots write where it belongs */
    struct parcel **open;  /* of each slot */
    pthread_mutex_t lock;  /* the queue's */
    pthread_cond_t room;
    struct parcel *head, **tail;
    size_t waiting;        /* bytes in the queue */
    bool discard;
    uint64_t sent;
    struct dtx_spans seen; /* rank 0, where results are delivered: which were:
                              a lost rank's iterations are run again */
    struct parcel **early; /* ordered: a heap, the lowest 'first' on top */
    size_t nearly, early_cap;
    uint64_t turn;         /* ordered: whose turn it is */
};

struct dtx_results *dtx_results_create(struct dtx_region *g)
{
    struct dtx_results *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->g = g;
    r->bytes = g->work->result_bytes;
    r->direct = g->work->gather && g->session->net.rank == 0 &&
                !g->work->journaled;
    r->tail = &r->head;
    r->turn = g->begin;
    r->open = calloc(g->session->crew.n, sizeof(struct parcel *));
    if (!r->open || pthread_mutex_init(&r->lock, NULL) != 0) {
        free(r->open);
        free(r);
        return NULL;
    }
    (void)pthread_cond_init(&r->room, NULL);
    return r;
}

static void free_list(struct parcel *p)
{
    while (p) {
        struct parcel *next = p->next;

        free(p);
        p = next;
    }
}

void dtx_results_destroy(struct dtx_results *r)
{
    size_t i;

    if (!r)
        return;
    for (i = 0; i < r->g->session->crew.n; i++)
        free(r->open[i]);
    free_list(r->head);
    for (i = 0; i < r->nearly; i++)
        free(r->early[i]);
    free(r->early);
    dtx_spans_free(&r->seen);
    (void)pthread_cond_destroy(&r->room);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->open);
    free(r);
}

void dtx_results_flush(struct dtx_results *r, unsigned slot)
{
    struct parcel *p = r->open[slot];

    if (!p)
        return;
    r->open[slot] = NULL;
    (void)pthread_mutex_lock(&r->lock);
    while (r->waiting > MOST_WAITING && !r->discard &&
           !r->g->session->crew.inlined)
        (void)pthread_cond_wait(&r->room, &r->lock);
    p->next = NULL;
    *r->tail = p;
    r->tail = &p->next;
    r->waiting += p->count * r->bytes;
    (void)pthread_mutex_unlock(&r->lock);
    dtx_net_ring(&r->g->session->net);
}

static struct parcel *open_parcel(struct dtx_results *r, uint64_t first,
                                  uint64_t count)
{
    uint64_t cap = FULL_BYTES / r->bytes > count ? FULL_BYTES / r->bytes
                                                 : count;
    struct parcel *p;

    if (cap > DTX_MAX_FRAME / 2 / r->bytes) /* a batch is cut to fit a frame */
        return NULL;
    p = malloc(sizeof(*p) + cap * r->bytes);
    if (!p)
        return NULL;
    p->first = first;
    p->count = 0;
    p->cap = cap;
    p->failed = false;
    return p;
}

char *dtx_results_place(struct dtx_results *r, unsigned slot, uint64_t first,
                        uint64_t count)
{
    struct parcel *p = r->open[slot];
    char *at;

    if (r->direct)
        return (char *)r->g->work->results + (first - r->g->begin) * r->bytes;
    if (p && (p->first + p->count != first || p->cap - p->count < count)) {
        dtx_results_flush(r, slot);
        p = NULL;
    }
    if (!p)
        p = r->open[slot] = open_parcel(r, first, count);
    if (!p)
        return NULL;
    at = p->data + p->count * r->bytes;
    memset(at, 0, count * r->bytes);
    p->count += count;
    return at;
}

static struct parcel *pop(struct dtx_results *r)
{
    struct parcel *p;

    (void)pthread_mutex_lock(&r->lock);
    p = r->head;
    if (p) {
        r->head = p->next;
        if (!r->head)
            r->tail = &r->head;
        r->waiting -= p->count * r->bytes;
        (void)pthread_cond_broadcast(&r->room);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return p;
}

static int send_parcel(struct dtx_results *r, const struct parcel *p)
{
    struct dtx_msg m = {.kind = DTX_MSG_KRESULT, .epoch = r->g->number};
    struct dtx_buf b = DTX_BUF_INIT;
    int rc = DTX_ENOMEM;

    m.u.kresult.first = p->first;
    m.u.kresult.count = p->count;
    m.u.kresult.failed = p->failed;
    m.u.kresult.bytes = (struct dtx_str){p->data, p->count * r->bytes};
    dtx_msg_encode(&b, &m);
    if (!b.failed)
        rc = dtx_net_send(&r->g->session->net, 0, DTX_CHANNEL_BULK, b.data,
                          b.len);
    dtx_buf_free(&b);
    return rc;
}

int dtx_results_pump(struct dtx_results *r, bool *left)
{
    struct dtx_session *s = r->g->session;
    struct parcel *p;
    int rc = DTX_OK;

    while (rc == DTX_OK &&
           dtx_transport_pending(s->net.transport) < MOST_PENDING &&
           (p = pop(r))) {
        struct dtx_str bytes = {p->data, p->count * r->bytes};

        if (s->net.rank != 0)
            rc = send_parcel(r, p);
        else if (!dtx_results_take(r, p->first, p->count, p->failed, bytes))
            rc = DTX_ENOMEM;
        r->sent += p->count;
        free(p);
    }
    (void)pthread_mutex_lock(&r->lock);
    *left = r->head != NULL;
    (void)pthread_mutex_unlock(&r->lock);
    return rc;
}

void dtx_results_discard(struct dtx_results *r)
{
    if (!r)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->discard = true;
    free_list(r->head);
    r->head = NULL;
    r->tail = &r->head;
    r->waiting = 0;
    (void)pthread_cond_broadcast(&r->room);
    (void)pthread_mutex_unlock(&r->lock);
}

uint64_t dtx_results_sent(const struct dtx_results *r)
{
    return r->sent;
}

static void deliver(struct dtx_results *r, uint64_t first, uint64_t count,
                    const char *data)
{
    struct dtx_work *w = r->g->work;

    w->deliver(w->deliver_ctx, first, count, data);
    r->turn = first + count;
}

/* Keep a copy until its turn comes. */
static bool keep(struct dtx_results *r, uint64_t first, uint64_t count,
                 struct dtx_str bytes)
{
    struct parcel *p = malloc(sizeof(*p) + bytes.len);
    struct parcel **h = dtx_grow(r->early, &r->early_cap, r->nearly + 1,
                                 sizeof(struct parcel *));
    size_t i = r->nearly;

    if (h)
        r->early = h;
    if (!p || !h) {
        free(p);
        return false;
    }
    p->first = first;
    p->count = count;
    memcpy(p->data, bytes.data, bytes.len);
    for (; i > 0 && h[(i - 1) / 2]->first > first; i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = p;
    r->nearly++;
    return true;
}

static struct parcel *pop_early(struct dtx_results *r)
{
    struct parcel **h = r->early, *top = h[0], *last = h[--r->nearly];
    size_t i = 0, k;

    while ((k = 2 * i + 1) < r->nearly) {
        if (k + 1 < r->nearly && h[k + 1]->first < h[k]->first)
            k++;
        if (last->first <= h[k]->first)
            break;
        h[i] = h[k];
        i = k;
    }
    h[i] = last;
    return top;
}

static void deliver_early(struct dtx_results *r, bool gaps)
{
    while (r->nearly > 0 && (gaps || r->early[0]->first == r->turn)) {
        struct parcel *p = pop_early(r);

        deliver(r, p->first, p->count, p->data);
        free(p);
    }
}

/* Deliver results that have not been before, now or when it is their turn. */
static bool take_new(struct dtx_results *r, uint64_t first, uint64_t count,
                     struct dtx_str bytes)
{
    if (r->g->work->ordered && first != r->turn)
        return keep(r, first, count, bytes);
    deliver(r, first, count, bytes.data);
    if (r->g->work->ordered)
        deliver_early(r, false);
    return true;
}

/* Into the journal; what cannot be written ends the loop. */
static void record(struct dtx_results *r, uint64_t first, uint64_t count,
                   struct dtx_str bytes)
{
    struct dtx_error err = {0};

    if (dtx_diary_span(r->g->work->diary, first - r->g->begin, count, bytes,
                       &err) < 0)
        dtx_region_trouble(r->g, &err);
}

bool dtx_results_take(struct dtx_results *r, uint64_t first, uint64_t count,
                      bool failed, struct dtx_str bytes)
{
    if (!dtx_results_known(r, first, count, bytes))
        return false;
    if (r->g->work->diary && !failed)
        record(r, first, count, bytes);
    return true;
}

void dtx_results_taint(struct dtx_results *r, unsigned slot)
{
    if (r->open[slot])
        r->open[slot]->failed = true;
}

bool dtx_results_known(struct dtx_results *r, uint64_t first, uint64_t count,
                       struct dtx_str bytes)
{
    struct dtx_work *w = r->g->work;
    uint64_t at, n, end = first + count;

    if (first < r->g->begin || first > r->g->end ||
        count > r->g->end - first || bytes.len != count * r->bytes)
        return false;
    if (w->gather) {
        memcpy((char *)w->results + (first - r->g->begin) * r->bytes,
               bytes.data, bytes.len);
        return true;
    }
    for (at = first; at < end; at += n) {
        struct dtx_str part = {bytes.data + (at - first) * r->bytes, 0};

        if (dtx_spans_at(&r->seen, at, end, &n))
            continue;
        part.len = n * r->bytes;
        if (!dtx_spans_add(&r->seen, at, n) || !take_new(r, at, n, part))
            return false;
    }
    return true;
}

void dtx_results_finish(struct dtx_results *r)
{
    deliver_early(r, true);
}

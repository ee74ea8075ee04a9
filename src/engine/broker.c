/* SPDX-License-Identifier: MIT */
/* Who is asked for work and who gets it; see broker.h.  It decides which rank a
 * thief's request goes to and when a region is over; how much a rank parts with
 * is the rank's own matter. */
#include "engine/broker.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/heap.h"
#include "wire/wire.h"

#define NOBODY UINT32_MAX
#define FAR_NS (INT64_MAX / 2) /* when a rank ends of which nobody knows */

struct peer {
    uint32_t slots;
    bool entered;
    bool wanting;      /* has asked, and got nothing yet */
    bool idle;         /* nothing runs there, and no grant is under way */
    bool dry;          /* had nothing to part with when asked, and no news */
    uint32_t thief;    /* on whose behalf it is asked, or NOBODY */
    uint32_t next;     /* in the queue of parked thieves, or NOBODY */
    bool parked;
    bool lost;
    uint32_t banked;   /* the last round of which its part has come */
    uint64_t sent;     /* grants */
    uint64_t asked_at; /* number of the last KYIELD sent to it */
    int64_t finish_ns; /* predicted; FAR_NS: unknown */
};

struct dtx_broker {
    uint32_t n;
    struct peer *peer;
    struct dtx_heap victims; /* who may be asked; ends last first */
    uint32_t park_head, park_tail;
    uint32_t alive, idle, asked, complete; /* ranks */
    uint32_t round;    /* KOVERs sent in this region */
    uint64_t asks;
    bool over;
    bool failed;       /* for good: a rank could not go on */
    int code;          /* of the last KOVER */
    int64_t now_ns;
    struct dtx_broker_region g;
    struct dtx_actions *out;
};

/* Ranks of which nothing is known take turns. */
static bool ends_later(const void *ctx, uint32_t a, uint32_t b)
{
    const struct dtx_broker *k = ctx;
    const struct peer *x = &k->peer[a], *y = &k->peer[b];

    if (x->finish_ns != y->finish_ns)
        return x->finish_ns > y->finish_ns;
    if (x->asked_at != y->asked_at)
        return x->asked_at < y->asked_at;
    return a < b;
}

struct dtx_broker *dtx_broker_create(const struct dtx_broker_config *c)
{
    struct dtx_broker *b = calloc(1, sizeof(*b));
    uint32_t r;

    if (!b)
        return NULL;
    b->n = b->alive = c->nranks;
    b->over = true;
    b->peer = calloc(c->nranks, sizeof(*b->peer));
    dtx_heap_init(&b->victims, ends_later, b);
    if (!b->peer) {
        dtx_broker_destroy(b);
        return NULL;
    }
    for (r = 0; r < b->n; r++)
        b->peer[r].slots = c->slots[r];
    return b;
}

void dtx_broker_destroy(struct dtx_broker *b)
{
    if (!b)
        return;
    dtx_heap_fini(&b->victims);
    free(b->peer);
    free(b);
}

void dtx_broker_begin(struct dtx_broker *b, const struct dtx_broker_region *g)
{
    uint32_t r;

    while (dtx_heap_pop(&b->victims) != DTX_HEAP_NONE)
        ;
    for (r = 0; r < b->n; r++) {
        struct peer fresh = {.slots = b->peer[r].slots,
                             .lost = b->peer[r].lost,
                             .thief = NOBODY,
                             .next = NOBODY,
                             .finish_ns = FAR_NS};

        b->peer[r] = fresh;
    }
    b->park_head = b->park_tail = NOBODY;
    b->idle = b->asked = b->complete = b->round = 0;
    b->over = false;
    b->g = *g;
}

bool dtx_broker_over(const struct dtx_broker *b)
{
    return b->over;
}

void dtx_broker_bank(struct dtx_broker *b, uint32_t rank, uint32_t round)
{
    struct peer *p = &b->peer[rank];

    if (p->banked == round || p->lost)
        return;
    p->banked = round;
    b->complete += round == b->round;
}

bool dtx_broker_complete(const struct dtx_broker *b)
{
    return b->over && !b->failed && b->complete == b->alive;
}

uint32_t dtx_broker_round(const struct dtx_broker *b)
{
    return b->round;
}

bool dtx_broker_is_lost(const struct dtx_broker *b, uint32_t rank)
{
    return b->peer[rank].lost;
}

bool dtx_broker_has_entered(const struct dtx_broker *b, uint32_t rank)
{
    return b->peer[rank].entered;
}

static void send(struct dtx_broker *b, uint32_t to, struct dtx_msg *m)
{
    struct dtx_action *a = dtx_actions_add(b->out, DTX_ACT_SEND);

    if (!a)
        return;
    a->u.to = to;
    m->epoch = b->g.number;
    dtx_msg_encode(&b->out->bytes, m);
    dtx_actions_close(b->out);
}

static void end_region(struct dtx_broker *b, int code, const char *text)
{
    struct dtx_msg m = {.kind = DTX_MSG_KOVER};
    uint32_t r;

    if (b->over)
        return;
    b->over = true;
    b->code = code;
    b->round++;
    b->complete = 0;
    m.u.kover.code = code;
    m.u.kover.text = dtx_str_of(text);
    for (r = 0; r < b->n; r++) {
        if (!b->peer[r].lost)
            send(b, r, &m);
    }
    (void)dtx_actions_add(b->out, DTX_ACT_FINISH);
}

static bool may_be_asked(const struct peer *p)
{
    return p->entered && !p->lost && !p->wanting && !p->idle && !p->dry &&
           p->thief == NOBODY;
}

/* Something of the rank has changed: it belongs into the heap or out of it. */
static bool place(struct dtx_broker *b, uint32_t r)
{
    if (!may_be_asked(&b->peer[r])) {
        dtx_heap_remove(&b->victims, r);
        return true;
    }
    if (dtx_heap_has(&b->victims, r)) {
        dtx_heap_fix(&b->victims, r);
        return true;
    }
    return dtx_heap_push(&b->victims, r);
}

static void park(struct dtx_broker *b, uint32_t r)
{
    struct peer *p = &b->peer[r];

    if (p->parked)
        return;
    p->parked = true;
    p->next = NOBODY;
    if (b->park_tail == NOBODY)
        b->park_head = r;
    else
        b->peer[b->park_tail].next = r;
    b->park_tail = r;
}

static uint32_t unpark(struct dtx_broker *b)
{
    uint32_t r = b->park_head;

    if (r == NOBODY)
        return r;
    b->park_head = b->peer[r].next;
    if (b->park_head == NOBODY)
        b->park_tail = NOBODY;
    b->peer[r].parked = false;
    return r;
}

/* Match those who wait for work with those who may be asked. */
static void serve(struct dtx_broker *b)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELD};

    while (!b->over && b->park_head != NOBODY &&
           dtx_heap_top(&b->victims) != DTX_HEAP_NONE) {
        uint32_t thief = unpark(b), v;

        if (!b->peer[thief].wanting)
            continue;
        v = dtx_heap_pop(&b->victims);
        b->peer[v].thief = thief;
        b->peer[v].asked_at = ++b->asks;
        b->asked++;
        m.u.kyield.slots = b->peer[thief].slots;
        m.u.kyield.thief = thief;
        m.u.kyield.ask = b->asks;
        send(b, v, &m);
    }
}

static void set_idle(struct dtx_broker *b, uint32_t r, bool idle)
{
    struct peer *p = &b->peer[r];

    b->idle += (uint32_t)(idle && !p->idle) - (uint32_t)(!idle && p->idle);
    p->idle = idle;
}

/* 'work' goes from one's hands ('from': a rank or the source) to 'to', where
 * 'straight' bytes more have been sent by 'from'. */
static bool grant(struct dtx_broker *b, uint32_t from, uint32_t to,
                  struct dtx_str work, uint64_t straight)
{
    struct dtx_msg m = {.kind = DTX_MSG_KGRANT};
    struct peer *p = &b->peer[to];
    struct dtx_buf full = DTX_BUF_INIT;
    bool ok;

    p->sent++;
    p->wanting = false;
    p->dry = false;
    p->finish_ns = FAR_NS; /* it will say */
    set_idle(b, to, false);
    b->over = false;
    ok = !b->g.moved || b->g.moved(b->g.ctx, from, to, work, straight, &full);
    m.u.kgrant.ask = straight ? b->peer[from].asked_at : 0;
    m.u.kgrant.work =
        full.len ? (struct dtx_str){full.data, full.len} : work;
    if (ok)
        send(b, to, &m);
    dtx_buf_free(&full);
    return ok && place(b, to);
}

/* The next line of a list; empty behind the last. */
static struct dtx_str next_line(struct dtx_str *list)
{
    const char *end = list->len ? memchr(list->data, '\n', list->len) : NULL;
    size_t n = end ? (size_t)(end - list->data) : list->len;
    struct dtx_str line = {list->data, n};

    n += end != NULL;
    list->data += n;
    list->len -= n;
    return line;
}

/* Where the lists of kernels begin to differ. */
static void tell_kernels(struct dtx_buf *text, const char *ours, uint32_t from,
                         struct dtx_str theirs)
{
    struct dtx_str mine = dtx_str_of(ours), a, b;
    unsigned k = 0;

    do {
        a = next_line(&mine);
        b = next_line(&theirs);
        k++;
    } while (a.len > 0 && a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
    dtx_buf_printf(text, "as kernel %u rank 0 has registered %.*s, rank %u "
                         "%.*s",
                   k, a.len ? (int)a.len : 4, a.len ? a.data : "none", from,
                   b.len ? (int)b.len : 4, b.len ? b.data : "none");
}

static int on_enter(struct dtx_broker *b, uint32_t from,
                    const struct dtx_msg *m)
{
    struct dtx_buf text = DTX_BUF_INIT;
    int code = m->u.enter.code; /* why it cannot make the call */
    bool kernels, same;

    if (b->peer[from].entered)
        return DTX_EPROTO;
    b->peer[from].entered = true;
    kernels = m->u.enter.kernels.len == strlen(b->g.kernels) &&
              memcmp(m->u.enter.kernels.data, b->g.kernels,
                     m->u.enter.kernels.len) == 0;
    same = kernels && m->u.enter.digest == b->g.digest &&
           m->u.enter.protocol == DTX_PROTOCOL;
    if (same && code >= 0)
        return DTX_OK;
    if (code < 0)
        dtx_buf_printf(&text, "rank %u: %.*s", from,
                       (int)m->u.enter.call.len, m->u.enter.call.data);
    else if (!kernels)
        tell_kernels(&text, b->g.kernels, from, m->u.enter.kernels);
    else
        dtx_buf_printf(&text, "rank 0 calls %s, rank %u calls %.*s",
                       b->g.call, from, (int)m->u.enter.call.len,
                       m->u.enter.call.data);
    end_region(b, code < 0 ? code : DTX_EMISMATCH,
               text.failed ? "" : text.data);
    dtx_buf_free(&text);
    return DTX_OK;
}

/* From the source, when there is one. */
static bool draw(struct dtx_broker *b, uint32_t r, uint32_t count,
                 const struct dtx_broker_news *news)
{
    struct dtx_buf work = DTX_BUF_INIT;
    bool ok;

    b->g.source(b->g.ctx, r, count ? count : 1, news, &work);
    ok = !work.failed &&
         (work.len == 0 || grant(b, DTX_BROKER_SOURCE, r,
                                 (struct dtx_str){work.data, work.len}, 0));
    dtx_buf_free(&work);
    return ok;
}

static int on_want(struct dtx_broker *b, uint32_t from, const struct dtx_msg *m)
{
    struct peer *p = &b->peer[from];
    struct dtx_broker_news news = {m->u.kwant.done, m->u.kwant.busy_ns};

    if (m->u.kwant.received > p->sent)
        return DTX_EPROTO;
    if (m->u.kwant.received < p->sent)
        return DTX_OK; /* a grant has crossed it: the rank will ask again */
    if (m->u.kwant.idle)
        set_idle(b, from, true);
    p->wanting = true;
    p->finish_ns = b->now_ns;
    if (b->g.source)
        return draw(b, from, m->u.kwant.count, &news) ? DTX_OK : DTX_ENOMEM;
    park(b, from);
    return DTX_OK;
}

static int on_load(struct dtx_broker *b, uint32_t from, const struct dtx_msg *m)
{
    struct peer *p = &b->peer[from];
    int64_t left = m->u.kload.left_ns;

    if (m->u.kload.received != p->sent)
        return DTX_OK;
    p->dry = left == 0;
    if (left != 0 && p->wanting) { /* it has found more by itself */
        p->wanting = false;
        set_idle(b, from, false);
    }
    p->finish_ns = left < 0 || left > FAR_NS - b->now_ns ? FAR_NS
                                                         : b->now_ns + left;
    return DTX_OK;
}

/* What 'rank' had, or was sent, is gone for good. */
static void give_up(struct dtx_broker *b, uint32_t rank)
{
    struct dtx_buf t = DTX_BUF_INIT;

    dtx_buf_printf(&t, "rank %u is gone, and nobody knows what it had: a tree, "
                       "or tasks that spawn others, cannot be resumed", rank);
    b->over = false; /* once more, with a code */
    end_region(b, DTX_ELOST, t.failed ? "" : t.data);
    dtx_buf_free(&t);
}

static int on_yielded(struct dtx_broker *b, uint32_t from,
                      const struct dtx_msg *m)
{
    struct peer *p = &b->peer[from];
    uint32_t thief = p->thief;
    int64_t left = m->u.kyielded.left_ns;
    uint64_t straight = m->u.kyielded.straight;

    if (thief == NOBODY || (straight > 0 && (from == 0 || thief == 0)))
        return DTX_EPROTO;
    p->thief = NOBODY;
    b->asked--;
    p->finish_ns = left < 0 || left > FAR_NS - b->now_ns ? FAR_NS
                                                         : b->now_ns + left;
    p->dry = left == 0 || (m->u.kyielded.work.len == 0 && straight == 0);
    if (straight > 0 && b->peer[thief].lost) {
        give_up(b, thief);
        return DTX_OK;
    }
    if (m->u.kyielded.work.len > 0 || straight > 0)
        return grant(b, from, b->peer[thief].lost ? 0 : thief,
                     m->u.kyielded.work, straight)
                   ? DTX_OK
                   : DTX_ENOMEM;
    if (b->peer[thief].wanting)
        park(b, thief);
    return DTX_OK;
}

/* --- losses --------------------------------------------------------------- */

/* It takes part no more. */
static void bury(struct dtx_broker *b, uint32_t r)
{
    struct peer *p = &b->peer[r];

    if (!p->lost) {
        p->lost = true;
        b->alive--;
        b->complete -= b->over && p->banked == b->round;
    }
    set_idle(b, r, false);
    p->wanting = false;
    dtx_heap_remove(&b->victims, r);
    if (p->thief == NOBODY)
        return;
    b->asked--;
    if (b->peer[p->thief].wanting)
        park(b, p->thief);
    p->thief = NOBODY;
}

/* What it had goes to rank 0, or back to the source. */
static int regain(struct dtx_broker *b, uint32_t r)
{
    static const struct dtx_broker_news none = {0, 0};
    struct dtx_buf work = DTX_BUF_INIT;
    int rc = b->g.lost ? b->g.lost(b->g.ctx, r, &work) : DTX_ELOST;
    uint32_t i;

    if (rc == DTX_OK && work.failed)
        rc = DTX_ENOMEM;
    if (rc == DTX_OK && work.len > 0 &&
        !grant(b, r, 0, (struct dtx_str){work.data, work.len}, 0))
        rc = DTX_ENOMEM;
    dtx_buf_free(&work);
    for (i = 0; b->g.source && i < b->n && rc == DTX_OK; i++) {
        if (b->peer[i].wanting && !draw(b, i, 1, &none))
            rc = DTX_ENOMEM;
    }
    return rc;
}

static int on_lost(struct dtx_broker *b, uint32_t r)
{
    bool settled = b->over && (b->failed || b->code != DTX_OK ||
                               b->peer[r].banked == b->round);
    int rc;

    bury(b, r);
    if (settled)
        return DTX_OK;
    rc = regain(b, r);
    if (rc != DTX_ELOST) {
        serve(b);
        return rc;
    }
    give_up(b, r);
    return DTX_OK;
}

static int on_cancel(struct dtx_broker *b, const struct dtx_msg *m)
{
    struct dtx_buf text = DTX_BUF_INIT;

    dtx_buf_append(&text, m->u.kcancel.text.data, m->u.kcancel.text.len);
    end_region(b, m->u.kcancel.code < 0 ? m->u.kcancel.code : DTX_ECANCEL,
               text.len ? text.data : "");
    dtx_buf_free(&text);
    return DTX_OK;
}

/* 'from' has left: all others are to leave, and to know why. */
static int on_fail(struct dtx_broker *b, uint32_t from, const struct dtx_msg *m)
{
    struct dtx_msg tell = {.kind = DTX_MSG_KFAIL};
    struct dtx_buf text = DTX_BUF_INIT;
    uint32_t r;

    if (b->failed)
        return DTX_OK;
    b->over = b->failed = true;
    dtx_buf_printf(&text, "rank %u: %.*s", from, (int)m->u.kfail.text.len,
                   m->u.kfail.text.data);
    tell.u.kfail.code = m->u.kfail.code;
    tell.u.kfail.text = text.failed ? m->u.kfail.text
                                    : (struct dtx_str){text.data, text.len};
    for (r = 0; r < b->n; r++) {
        if (r != from && !b->peer[r].lost)
            send(b, r, &tell);
    }
    (void)dtx_actions_add(b->out, DTX_ACT_FINISH);
    dtx_buf_free(&text);
    return DTX_OK;
}

static int on_message(struct dtx_broker *b, uint32_t from,
                      const struct dtx_msg *m)
{
    if (!b->peer[from].entered && m->kind != DTX_MSG_ENTER)
        return DTX_EPROTO;
    switch (m->kind) {
    case DTX_MSG_ENTER:
        return on_enter(b, from, m);
    case DTX_MSG_KWANT:
        return on_want(b, from, m);
    case DTX_MSG_KLOAD:
        return on_load(b, from, m);
    case DTX_MSG_KYIELDED:
        return on_yielded(b, from, m);
    case DTX_MSG_KCANCEL:
        return on_cancel(b, m);
    default:
        return DTX_EPROTO;
    }
}

static int on_frame(struct dtx_broker *b, const struct dtx_event *ev)
{
    uint32_t from = ev->u.frame.from;
    struct dtx_msg m;
    int rc;

    if (from >= b->n || dtx_msg_decode(ev->u.frame.data, ev->u.frame.len, &m))
        return DTX_EPROTO;
    if (m.kind == DTX_MSG_KFAIL && !b->peer[from].lost)
        return on_fail(b, from, &m);
    if (b->over || m.epoch != b->g.number || b->peer[from].lost)
        return DTX_OK;
    rc = on_message(b, from, &m);
    if (rc == DTX_OK && !place(b, from))
        rc = DTX_ENOMEM;
    serve(b);
    return rc;
}

int dtx_broker_step(struct dtx_broker *b, const struct dtx_event *ev,
                    struct dtx_actions *out)
{
    int rc = DTX_OK;

    dtx_actions_clear(out);
    b->out = out;
    b->now_ns = ev->now_ns;
    if (ev->kind == DTX_EV_FRAME) {
        rc = on_frame(b, ev);
    } else if (ev->kind == DTX_EV_RANK_LOST) {
        rc = on_lost(b, ev->u.lost.rank);
    }
    if (!b->over && b->idle == b->alive && b->asked == 0)
        end_region(b, DTX_OK, "");
    if (out->failed)
        rc = DTX_ENOMEM;
    b->out = NULL;
    return rc;
}

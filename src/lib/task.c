/* SPDX-License-Identifier: MIT */
/* How slots work on tasks.  A rank has a queue of tasks that were submitted and
 * have come here, behind a lock from which slots take several at once, and a
 * deque for each slot of what its tasks have spawned (lane/deque.h), from which
 * the others steal.  Rank 0's queue is filled from the ledger; a share for
 * another rank is taken from the queue, then from the deques.  What a task
 * gives back goes to rank 0 in batches; until all that was submitted has ended
 * there, rank 0 does not count as idle. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ledger.h"
#include "lane/deque.h"
#include "lib/diary.h"
#include "lib/session.h"
#include "node/clock.h"
#include "predict/foresee.h"

#define BATCH_NS 30000
#define MOST_AT_ONCE 64u        /* taken from the queue */
#define SHARE_BYTES ((1u << 20) - 4096) /* of tasks in one share: with one
                                           more of the largest it is a frame */
#define KNOWN_BYTES (16u << 20) /* outcomes of an earlier run, told at once */
#define LOOK_AT 16u             /* tasks that are foreseen before others wait */
#define ENDED_BYTES (32u << 10) /* of outcomes that are passed on together */
#define LONG_S 1e6              /* costs above are not made nanoseconds */
#define HELD_MOST 32u           /* tasks that are held back from slots */

enum ended {
    ENDED_SUBMITTED,
    ENDED_SPAWNED,
    ENDED_PARENT, /* submitted, and has spawned some */
    ENDED_TIMED = 0x80 /* a flag: what it took follows */
};

struct own {
    struct dtx_deque deque;
    struct dtx_task_item *taken; /* from the queue */
    const struct dtx_task_item *now;
    struct dtx_buf ended, output;
    int64_t read_ns; /* the clock just now, or 0: it was not read */
    struct dtx_kernel *kernel; /* of the last */
    bool parent;     /* 'now' has spawned some */
    unsigned at_once;
    unsigned victim; /* whose deque is looked at first */
};

struct tasks {
    struct dtx_task_queue queue; /* under the crew's lock */
    _Atomic size_t queued;
    _Atomic bool low;            /* the communicating thread was told */
    struct dtx_buf ended;        /* outcomes; under the crew's lock */
    struct dtx_buf passing;      /* those that are passed on now */
    _Atomic bool dry;            /* others were told that nothing is here */
    _Atomic bool fresh;          /* there is more than others were told */
};

static struct tasks *tasks_of(const struct dtx_region *g)
{
    return g->own;
}

static unsigned slots_of(const struct dtx_region *g)
{
    return g->session->crew.n;
}

/* --- a slot's ------------------------------------------------------------- */

static void pass_on(struct dtx_region *g, struct own *o)
{
    struct tasks *t = tasks_of(g);
    struct dtx_crew *c = &g->session->crew;

    if (o->ended.len == 0 && !o->ended.failed)
        return;
    (void)pthread_mutex_lock(&c->lock);
    dtx_buf_append(&t->ended, o->ended.data, o->ended.len);
    t->ended.failed |= o->ended.failed; /* some are missing */
    (void)pthread_mutex_unlock(&c->lock);
    dtx_buf_clear(&o->ended);
    dtx_net_ring(&g->session->net);
}

/* 'ns' 0: what it took is not known. */
static void put_ended(struct dtx_buf *b, const struct dtx_task_item *t,
                      bool parent, int code, uint64_t ns,
                      const struct dtx_buf *out)
{
    uint8_t kind = t->spawned ? ENDED_SPAWNED
                   : parent   ? ENDED_PARENT
                              : ENDED_SUBMITTED;

    if (t->spawned || code != 0)
        ns = 0; /* says nothing of others */
    dtx_put_u64(b, t->id);
    dtx_put_u8(b, (uint8_t)(kind | (ns > 0 ? ENDED_TIMED : 0)));
    if (ns > 0)
        dtx_put_u64(b, ns);
    dtx_put_i32(b, code);
    dtx_put_str(b, (struct dtx_str){out ? out->data : NULL,
                                    out ? out->len : 0});
}

/* What the task just run took, when the clock was read before it, and is read
 * anyway behind it: not among several that were taken at once. */
static uint64_t measure(struct own *o)
{
    int64_t before = o->read_ns;

    o->read_ns = o->taken ? 0 : dtx_clock_mono_ns();
    return before > 0 && o->read_ns > before ? (uint64_t)(o->read_ns - before)
                                             : 0;
}

/* What it takes, as is thought. */
static int64_t expected(const struct dtx_session *s,
                        const struct dtx_task_item *t)
{
    if (!s->options.predict) /* the program's guess, in its own unit */
        return 0;
    return t->cost < LONG_S ? (int64_t)(t->cost * 1e9) : INT64_MAX;
}

/* Its kernel's calls have been short: it does not keep others waiting. */
static bool is_short(const struct dtx_session *s, const struct dtx_task_item *t)
{
    return dtx_trust_has(&s->kernel[t->kernel]->trust, expected(s, t));
}

static void run_task(struct dtx_region *g, struct dtx_call *c,
                     struct dtx_task_item *t)
{
    struct own *o = c->own;
    struct dtx_kernel *k = g->session->kernel[t->kernel];
    uint64_t ns;
    int code;

    if (o->ended.len > 0 && !is_short(g->session, t))
        pass_on(g, o); /* what has ended is not to wait for it */
    o->now = t;
    o->kernel = k;
    o->parent = false;
    o->output.len = 0;
    code = k->task(c, t->data, t->bytes);
    ns = measure(o);
    o->now = NULL;
    c->done++;
    if (code == 0 && o->output.failed)
        code = DTX_ENOMEM;
    if (code != 0)
        dtx_failures_add(&c->failures, t->id, 1, code);
    if (o->ended.len + o->output.len > ENDED_BYTES)
        pass_on(g, o);
    if (!t->spawned || code != 0 || o->output.len)
        put_ended(&o->ended, t, o->parent, code, ns, &o->output);
    free(t);
}

/* Take some from the queue: about as many as fill a batch, but a fair part; and
 * one that may be long by itself, since others could not have what is behind
 * it. */
static struct dtx_task_item *take_queued(struct dtx_region *g, struct own *o)
{
    struct tasks *t = tasks_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_task_item *first = NULL, **tail = &first;
    double cost = 0; /* of those that are taken */
    size_t n;

    if (atomic_load_explicit(&t->queued, memory_order_relaxed) == 0)
        return NULL;
    (void)pthread_mutex_lock(&c->lock);
    n = t->queue.count / (2 * slots_of(g));
    n = n < o->at_once ? n : o->at_once;
    for (n = n < 1 ? 1 : n; n > 0 && cost < BATCH_NS * 1e-9; n--) {
        const struct dtx_task_item *top = dtx_task_queue_top(&t->queue);
        struct dtx_task_item *i;

        if (!top || (first && !is_short(g->session, top)))
            break;
        if (!is_short(g->session, top))
            n = 1;
        i = dtx_task_queue_pop(&t->queue);
        cost += i->cost;
        *tail = i;
        tail = &i->next;
    }
    *tail = NULL;
    atomic_store_explicit(&t->queued, t->queue.count, memory_order_relaxed);
    (void)pthread_mutex_unlock(&c->lock);
    return first;
}

static struct dtx_task_item *steal(struct dtx_region *g, unsigned slot)
{
    struct own *o = g->call[slot].own;
    unsigned n = slots_of(g), i;

    for (i = 1; i < n; i++) {
        unsigned v = (slot + o->victim + i) % n;
        struct own *other = g->call[v].own;
        struct dtx_task_item *t;
        bool lost;

        if (v == slot)
            continue;
        do {
            t = dtx_deque_steal(&other->deque, &lost);
        } while (!t && lost);
        if (t) {
            o->victim = i + o->victim - 1; /* it may have more */
            return t;
        }
    }
    o->victim++;
    return NULL;
}

static struct dtx_task_item *next_task(struct dtx_region *g, unsigned slot)
{
    struct own *o = g->call[slot].own;
    struct dtx_task_item *t = dtx_deque_pop(&o->deque);

    if (t)
        return t;
    if (!o->taken)
        o->taken = take_queued(g, o);
    t = o->taken;
    if (t) {
        o->taken = t->next;
        return t;
    }
    return steal(g, slot);
}

/* Tell the communicating thread, once, that nothing is in the queue. */
static void watch_level(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);

    if (g->session->net.size > 1 &&
        atomic_load_explicit(&t->queued, memory_order_relaxed) == 0 &&
        !atomic_load_explicit(&t->low, memory_order_relaxed) &&
        !atomic_exchange(&t->low, true))
        dtx_net_ring(&g->session->net);
}

static bool step(void *region, unsigned slot)
{
    struct dtx_region *g = region;
    struct dtx_call *c = &g->call[slot];
    struct own *o = c->own;
    int64_t start = dtx_clock_mono_ns(), ns = 0;
    uint64_t before = c->done;
    struct dtx_task_item *t;

    o->read_ns = start;
    while (ns < BATCH_NS && c->done - before < MOST_AT_ONCE &&
           !atomic_load_explicit(&g->dropped, memory_order_relaxed)) {
        t = next_task(g, slot);
        if (!t)
            break;
        run_task(g, c, t);
        if (o->read_ns > 0)
            ns = o->read_ns - start;
    }
    if (o->read_ns == 0)
        ns = dtx_clock_mono_ns() - start;
    if (c->done > before) {
        c->busy_ns += ns;
        dtx_trust_saw(&o->kernel->trust, c->done - before, ns);
        o->at_once = ns / (int64_t)(c->done - before) > BATCH_NS / 4
                         ? 1
                         : MOST_AT_ONCE;
    }
    pass_on(g, o);
    watch_level(g);
    return c->done > before;
}

/* --- as the communicating thread does while a slot sleeps ----------------- */

/* What waits is for slots, here and elsewhere. */
static void release(struct dtx_region *g)
{
    struct dtx_crew *c = &g->session->crew;

    dtx_crew_let_go(c);
    if (g->session->net.rank == 0) /* of others it is known what they have */
        atomic_store(&tasks_of(g)->fresh, true);
    dtx_crew_publish(c);
}

/* New tasks wait. A few, while a slot sleeps, may be done here at once: nobody
 * is woken, nothing is sent. */
static void offer(struct dtx_region *g)
{
    if (!g->session->options.assist ||
        atomic_load(&tasks_of(g)->queued) > HELD_MOST ||
        !dtx_crew_hold(&g->session->crew))
        release(g);
}

/* The next one, if it is of those that are short. */
static struct dtx_task_item *take_short(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);
    const struct dtx_session *s = g->session;
    struct dtx_crew *c = &g->session->crew;
    const struct dtx_task_item *top;
    struct dtx_task_item *i = NULL;

    (void)pthread_mutex_lock(&c->lock);
    top = dtx_task_queue_top(&t->queue);
    if (top && is_short(s, top)) {
        i = dtx_task_queue_pop(&t->queue);
        atomic_store_explicit(&t->queued, t->queue.count,
                              memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return i;
}

/* Short tasks, as a slot whose thread sleeps, but no longer in all than one of
 * them may take. False: there was none. */
static bool run_short(struct dtx_region *g, struct dtx_call *c)
{
    struct own *o = c->own;
    uint64_t before = c->done;
    int64_t start = dtx_clock_mono_ns(), at = start;
    bool go_on = true;
    struct dtx_task_item *t;

    while (go_on && at - start < DTX_TRUST_SHORT_NS &&
           !atomic_load_explicit(&g->dropped, memory_order_relaxed) &&
           (t = take_short(g))) {
        o->read_ns = at;
        run_task(g, c, t);
        go_on = dtx_trust_try(&o->kernel->trust, o->read_ns - at);
        at = o->read_ns;
    }
    c->busy_ns += at - start;
    pass_on(g, o);
    return c->done > before;
}

static bool assist(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);
    struct dtx_crew *c = &g->session->crew;
    bool any = false;
    int slot;

    if (!dtx_crew_holds(c))
        return false;
    slot = dtx_crew_borrow(c);
    if (slot >= 0) {
        any = run_short(g, &g->call[slot]);
        dtx_crew_return(c);
    }
    dtx_crew_let_go(c);
    if (atomic_load(&t->queued) > 0)
        release(g);
    else
        watch_level(g);
    return any;
}

/* Others believe that nothing is here, and that is no longer so. */
static void say_fresh(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);

    if (!atomic_load_explicit(&t->dry, memory_order_relaxed) ||
        !atomic_exchange(&t->dry, false))
        return;
    atomic_store(&t->fresh, true);
    dtx_net_ring(&g->session->net);
}

int dtx_task_spawn(struct dtx_call *c, uint32_t kernel, const void *in,
                   size_t bytes)
{
    struct own *o = c->own;
    struct dtx_crew *crew = &c->session->crew;
    struct dtx_task_item *t = dtx_task_item_create(kernel, in, bytes);

    if (!t)
        return DTX_ENOMEM;
    t->id = o->now->id;
    t->spawned = true;
    if (!dtx_deque_push(&o->deque, t)) {
        free(t);
        return DTX_ENOMEM;
    }
    o->parent = true;
    if (dtx_crew_hungry(crew))
        dtx_crew_publish(crew);
    say_fresh(c->region);
    return DTX_OK;
}

int dtx_task_output(struct dtx_call *c, const void *out, size_t bytes)
{
    struct own *o = c->own;

    if (bytes > DTX_MAX_TASK - o->output.len)
        return DTX_ELIMIT;
    dtx_buf_append(&o->output, out, bytes);
    return o->output.failed ? DTX_ENOMEM : DTX_OK;
}

/* --- the communicating thread's ------------------------------------------- */

/* A task that an earlier run has done has ended. */
static void tell_known(struct dtx_region *g, struct tasks *t,
                       struct dtx_task_item *i)
{
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err = {0};

    if (dtx_diary_output(g->work->diary, i->known, &out, &err) < 0)
        dtx_region_trouble(g, &err);
    else
        put_ended(&t->ended, i, false, DTX_OK, 0, &out);
    dtx_buf_free(&out);
    free(i);
}

/* What is known of it by now. */
static void set_cost(void *foresight, struct dtx_task_item *i)
{
    double cost = foresight ? dtx_foresee_cost(foresight, i->id) : 0;

    if (cost > 0)
        i->cost = cost;
}

/* Costs may have become known of those that wait here: then their order is
 * another. True when there is more to look at. */
static bool foresee(struct dtx_region *g)
{
    struct dtx_foresight *f = g->work->foresight;
    struct dtx_crew *c = &g->session->crew;
    bool busy = false;

    if (!f || atomic_load_explicit(&g->dropped, memory_order_relaxed) ||
        !dtx_foresee_turn(f, g->session->slots_all, LOOK_AT, &busy))
        return busy;
    (void)pthread_mutex_lock(&c->lock);
    (void)dtx_task_queue_say(&tasks_of(g)->queue, set_cost, f);
    (void)pthread_mutex_unlock(&c->lock);
    return false;
}

/* What the ledger says may run goes into rank 0's queue; what never will is
 * told, and what an earlier run has done. */
static int fill(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);
    struct dtx_ledger *l = g->work->ledger;
    struct dtx_crew *c = &g->session->crew;
    struct dtx_task_item *i;
    int rc = DTX_OK;
    bool any = false;

    (void)pthread_mutex_lock(&c->lock);
    while (rc == DTX_OK && t->ended.len < KNOWN_BYTES &&
           (i = dtx_ledger_ready(l))) {
        if (i->known) {
            tell_known(g, t, i);
            continue;
        }
        any = true;
        set_cost(g->work->foresight, i);
        if (!dtx_task_queue_push(&t->queue, i)) {
            free(i);
            rc = DTX_ENOMEM;
        }
    }
    atomic_store(&t->queued, t->queue.count);
    while ((i = dtx_ledger_skipped(l))) {
        put_ended(&t->ended, i, false, DTX_ECANCEL, 0, NULL);
        free(i);
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (any) {
        atomic_store(&t->low, false);
        offer(g);
    }
    return rc;
}

static int begin(struct dtx_region *g)
{
    struct tasks *t = calloc(1, sizeof(*t));
    unsigned i;

    if (!t)
        return DTX_ENOMEM;
    g->own = t;
    dtx_task_queue_init(&t->queue);
    for (i = 0; i < slots_of(g); i++) {
        struct own *o = aligned_alloc(_Alignof(struct own), sizeof(*o));

        if (!o)
            return DTX_ENOMEM;
        memset(o, 0, sizeof(*o));
        g->call[i].own = o;
        o->at_once = 1;
        if (!dtx_deque_init(&o->deque))
            return DTX_ENOMEM;
    }
    if (g->session->net.rank != 0)
        return DTX_OK;
    dtx_ledger_keep(g->work->ledger, g->work->nred > 0);
    return fill(g);
}

static void free_own(struct own *o)
{
    struct dtx_task_item *t;

    while (o->taken) {
        t = o->taken;
        o->taken = t->next;
        free(t);
    }
    while (atomic_load(&o->deque.ring) && (t = dtx_deque_pop(&o->deque)))
        free(t);
    dtx_deque_fini(&o->deque);
    dtx_buf_free(&o->ended);
    dtx_buf_free(&o->output);
    free(o);
}

static void end(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);
    unsigned i;

    for (i = 0; g->call && i < slots_of(g); i++) {
        if (g->call[i].own)
            free_own(g->call[i].own);
    }
    if (!t)
        return;
    dtx_task_queue_fini(&t->queue);
    dtx_buf_free(&t->ended);
    dtx_buf_free(&t->passing);
    free(t);
}

static int take(struct dtx_region *g, struct dtx_cursor *c)
{
    struct dtx_task_item *i = dtx_task_item_decode(c);
    int rc = DTX_OK;

    if (!i || i->kernel >= g->session->nkernels ||
        g->session->kernel[i->kernel]->kind != DTX_KERNEL_TASK)
        rc = i || c->bad ? DTX_EPROTO : DTX_ENOMEM;
    else if (!dtx_task_queue_push(&tasks_of(g)->queue, i))
        rc = DTX_ENOMEM;
    if (rc < 0)
        free(i);
    return rc;
}

static void taken(struct dtx_region *g)
{
    struct tasks *t = tasks_of(g);

    atomic_store(&t->queued, t->queue.count);
    atomic_store(&t->low, false);
}

/* It goes to another rank: from rank 0 as bytes, which rank 0 keeps, in case
 * that is lost; and so from others as a number, unless it was spawned: that may
 * go there straight. */
static void hand_over(struct dtx_region *g, struct dtx_task_item *t,
                      struct dtx_parted *out)
{
    if (g->session->net.rank == 0)
        dtx_task_item_encode(&out->work, t);
    else if (t->spawned)
        dtx_task_item_encode(&out->straight, t);
    else
        dtx_task_item_encode_lent(&out->work, t);
    if (g->session->net.rank == 0)
        dtx_ledger_lend(g->work->ledger, t);
    else
        free(t);
}

static size_t bytes_of(const struct dtx_parted *p)
{
    return p->work.len + p->straight.len;
}

static size_t share_of(size_t count, uint32_t slots, unsigned own)
{
    size_t n = (count * slots + (slots + own) / 2) / (slots + own);

    return n < 1 && count > 0 ? 1 : n;
}

/* The oldest that a slot's tasks have spawned: the largest, as a rule. */
static void give_spawned(struct dtx_region *g, struct own *o, size_t n,
                         struct dtx_parted *out)
{
    while (n-- > 0 && bytes_of(out) < SHARE_BYTES) {
        bool lost;
        struct dtx_task_item *t = dtx_deque_steal(&o->deque, &lost);

        if (!t && !lost)
            return;
        if (t)
            hand_over(g, t, out);
    }
}

static bool give(struct dtx_region *g, uint32_t slots, struct dtx_parted *out)
{
    struct tasks *t = tasks_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_task_item *part;
    unsigned i;

    (void)pthread_mutex_lock(&c->lock);
    part = dtx_task_queue_part(&t->queue, slots, c->n, SHARE_BYTES);
    while (part) {
        struct dtx_task_item *item = part;

        part = part->next;
        hand_over(g, item, out);
    }
    out->left_ns = t->queue.count > 0 ? -1 : 0;
    atomic_store(&t->queued, t->queue.count);
    (void)pthread_mutex_unlock(&c->lock);
    for (i = 0; i < c->n && bytes_of(out) == 0; i++) {
        struct own *o = g->call[i].own;

        give_spawned(g, o, share_of(dtx_deque_size(&o->deque), slots, c->n),
                     out);
    }
    if (bytes_of(out) > 0)
        out->left_ns = -1; /* it may well have more */
    else
        atomic_store(&t->dry, true); /* and says so when it has */
    return true;
}

static uint32_t wants(struct dtx_region *g)
{
    return atomic_load(&tasks_of(g)->low);
}

static int64_t left_ns(struct dtx_region *g)
{
    (void)g;
    return -1;
}

static void drop(struct dtx_region *g)
{
    (void)g; /* slots look at 'dropped' */
}

static bool holds(struct dtx_region *g)
{
    return g->session->net.rank == 0 &&
           dtx_ledger_open(g->work->ledger) > 0;
}

/* Is there more than others were told? Says so once. */
static bool fresh(struct dtx_region *g)
{
    return atomic_exchange(&tasks_of(g)->fresh, false);
}

/* Into the journal; what cannot be written ends the run. A task that has
 * spawned others is not done when it ends, and never comes here. */
static void record(struct dtx_region *g, uint64_t id, struct dtx_str out)
{
    struct dtx_error err = {0};

    if (dtx_diary_task(g->work->diary, id, out, &err) < 0)
        dtx_region_trouble(g, &err);
}

struct heard {
    uint64_t id, ns;
    uint8_t kind;
    int code;
    struct dtx_str out;
};

/* One outcome. False when it is of no task that runs. */
static int hear_one(struct dtx_region *g, uint32_t from,
                    const struct heard *h)
{
    struct dtx_work *w = g->work;

    if (h->kind != ENDED_SUBMITTED && from != 0)
        dtx_ledger_spawned(w->ledger);
    if (h->kind != ENDED_SPAWNED) {
        switch (dtx_ledger_end(w->ledger, h->id, h->code)) {
        case DTX_LEDGER_FIRST:
            break;
        case DTX_LEDGER_AGAIN:
            return DTX_OK; /* the program has heard of it before */
        case DTX_LEDGER_NOMEM:
            return DTX_ENOMEM;
        case DTX_LEDGER_UNKNOWN:
            return DTX_EPROTO;
        }
    }
    if (w->foresight && h->kind != ENDED_SPAWNED)
        dtx_foresee_ended(w->foresight, h->id, h->ns);
    if (w->diary && h->kind == ENDED_SUBMITTED && h->code == 0)
        record(g, h->id, h->out);
    if (w->ended)
        w->ended(w->ended_ctx, h->id, h->code, h->out.data, h->out.len);
    return DTX_OK;
}

/* Outcomes that have come to rank 0. */
static int hear(struct dtx_region *g, uint32_t from, struct dtx_str ended)
{
    struct dtx_cursor c = dtx_cursor_over(ended.data, ended.len);

    while (!dtx_cursor_done(&c)) {
        struct heard h = {.id = dtx_get_u64(&c)};
        int rc;

        h.kind = dtx_get_u8(&c);
        h.ns = h.kind & ENDED_TIMED ? dtx_get_u64(&c) : 0;
        h.kind &= ENDED_TIMED - 1;
        h.code = dtx_get_i32(&c);
        h.out = dtx_get_str(&c);
        if (c.bad)
            return DTX_EPROTO;
        rc = hear_one(g, from, &h);
        if (rc < 0)
            return rc;
    }
    return fill(g);
}

static int pump(struct dtx_region *g, bool *left)
{
    struct tasks *t = tasks_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_msg m = {.kind = DTX_MSG_KENDED, .epoch = g->number};
    struct dtx_buf swap, b = DTX_BUF_INIT;
    int rc;

    *left = foresee(g);
    dtx_buf_clear(&t->passing);
    (void)pthread_mutex_lock(&c->lock);
    swap = t->ended;
    t->ended = t->passing;
    t->passing = swap;
    (void)pthread_mutex_unlock(&c->lock);
    if (t->passing.failed)
        return DTX_ENOMEM;
    if (t->passing.len == 0)
        return DTX_OK;
    if (g->session->net.rank == 0) {
        rc = hear(g, 0, (struct dtx_str){t->passing.data, t->passing.len});
        (void)pthread_mutex_lock(&c->lock);
        *left |= t->ended.len > 0; /* of tasks that did not run */
        (void)pthread_mutex_unlock(&c->lock);
        return rc;
    }
    m.u.kended.ended = (struct dtx_str){t->passing.data, t->passing.len};
    dtx_msg_encode(&b, &m);
    rc = b.failed ? DTX_ENOMEM
                  : dtx_net_send(&g->session->net, 0, DTX_CHANNEL_FRAMES,
                                 b.data, b.len);
    dtx_buf_free(&b);
    return rc;
}

/* --- rank 0's books ------------------------------------------------------- */

static bool moved(struct dtx_region *g, uint32_t from, uint32_t to,
                  struct dtx_str work, struct dtx_buf *full)
{
    (void)from;
    return dtx_ledger_moved(g->work->ledger, to, work, full);
}

/* What goes straight was spawned. */
static void passed(struct dtx_region *g)
{
    dtx_ledger_spawned(g->work->ledger);
}

static bool bank(struct dtx_region *g, uint32_t rank, uint32_t round)
{
    (void)round; /* what it ended in a later one it tells after its part */
    return rank == 0 || dtx_ledger_bank(g->work->ledger, rank);
}

static int lost(struct dtx_region *g, uint32_t rank, struct dtx_buf *work)
{
    struct dtx_ledger_gone gone;

    if (!dtx_ledger_lost(g->work->ledger, rank, work, &gone))
        return work->failed ? DTX_ENOMEM : DTX_ELOST;
    g->gone_done += gone.done;
    dtx_failures_add(&g->gone, gone.first, gone.failed, gone.code);
    return DTX_OK;
}

const struct dtx_style dtx_style_task = {
    .begin = begin,
    .step = step,
    .take = take,
    .taken = taken,
    .give = give,
    .wants = wants,
    .left_ns = left_ns,
    .drop = drop,
    .end = end,
    .offer = offer,
    .assist = assist,
    .holds = holds,
    .fresh = fresh,
    .hear = hear,
    .pump = pump,
    .moved = moved,
    .passed = passed,
    .bank = bank,
    .lost = lost,
};

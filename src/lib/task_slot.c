/* SPDX-License-Identifier: MIT */
/* How slots run tasks; see task.h.  They take several at once from the queue,
 * which is behind a lock, and steal from each other's deques, which are not
 * (lane/deque.h).  While a slot sleeps the communicating thread runs short
 * tasks in its place. */
#include <pthread.h>
#include <stdlib.h>

#include "lib/task.h"
#include "node/clock.h"

#define BATCH_NS 30000
#define MOST_AT_ONCE 64u        /* taken from the queue */
#define ENDED_BYTES (32u << 10) /* of outcomes that are passed on together */
#define LONG_S 1e6              /* costs above are not made nanoseconds */
#define HELD_MOST 32u           /* tasks that are held back from slots */

static void pass_on(struct dtx_region *g, struct dtx_task_own *o)
{
    struct dtx_tasks *t = dtx_tasks_of(g);
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
void dtx_task_put_ended(struct dtx_buf *b, const struct dtx_task_item *t,
                      bool parent, int code, uint64_t ns,
                      const struct dtx_buf *out)
{
    uint8_t kind = t->spawned ? DTX_ENDED_SPAWNED
                   : parent   ? DTX_ENDED_PARENT
                              : DTX_ENDED_SUBMITTED;

    if (t->spawned || code != 0)
        ns = 0; /* says nothing of others */
    dtx_put_u64(b, t->id);
    dtx_put_u8(b, (uint8_t)(kind | (ns > 0 ? DTX_ENDED_TIMED : 0)));
    if (ns > 0)
        dtx_put_u64(b, ns);
    dtx_put_i32(b, code);
    dtx_put_str(b, (struct dtx_str){out ? out->data : NULL,
                                    out ? out->len : 0});
}

/* What the task just run took, when the clock was read before it, and is read
 * anyway behind it: not among several that were taken at once. */
static uint64_t measure(struct dtx_task_own *o)
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
    struct dtx_task_own *o = c->own;
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
        dtx_task_put_ended(&o->ended, t, o->parent, code, ns, &o->output);
    free(t);
}

/* Take some from the queue: about as many as fill a batch, but a fair part; and
 * one that may be long by itself, since others could not have what is behind
 * it. */
static struct dtx_task_item *take_queued(struct dtx_region *g,
                                         struct dtx_task_own *o)
{
    struct dtx_tasks *t = dtx_tasks_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_task_item *first = NULL, **tail = &first;
    double cost = 0; /* of those that are taken */
    size_t n;

    if (atomic_load_explicit(&t->queued, memory_order_relaxed) == 0)
        return NULL;
    (void)pthread_mutex_lock(&c->lock);
    n = t->queue.count / (2 * g->session->crew.n);
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
    struct dtx_task_own *o = g->call[slot].own;
    unsigned n = g->session->crew.n, i;

    for (i = 1; i < n; i++) {
        unsigned v = (slot + o->victim + i) % n;
        struct dtx_task_own *other = g->call[v].own;
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
    struct dtx_task_own *o = g->call[slot].own;
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
    struct dtx_tasks *t = dtx_tasks_of(g);

    if (g->session->net.size > 1 &&
        atomic_load_explicit(&t->queued, memory_order_relaxed) == 0 &&
        !atomic_load_explicit(&t->low, memory_order_relaxed) &&
        !atomic_exchange(&t->low, true))
        dtx_net_ring(&g->session->net);
}

bool dtx_task_step(void *region, unsigned slot)
{
    struct dtx_region *g = region;
    struct dtx_call *c = &g->call[slot];
    struct dtx_task_own *o = c->own;
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
        atomic_store(&dtx_tasks_of(g)->fresh, true);
    dtx_crew_publish(c);
}

/* New tasks wait. A few, while a slot sleeps, may be done here at once: nobody
 * is woken, nothing is sent. */
void dtx_task_offer(struct dtx_region *g)
{
    if (!g->session->options.assist ||
        atomic_load(&dtx_tasks_of(g)->queued) > HELD_MOST ||
        !dtx_crew_hold(&g->session->crew))
        release(g);
}

/* The next one, if it is of those that are short. */
static struct dtx_task_item *take_short(struct dtx_region *g)
{
    struct dtx_tasks *t = dtx_tasks_of(g);
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
    struct dtx_task_own *o = c->own;
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

bool dtx_task_assist(struct dtx_region *g)
{
    struct dtx_tasks *t = dtx_tasks_of(g);
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
    struct dtx_tasks *t = dtx_tasks_of(g);

    if (!atomic_load_explicit(&t->dry, memory_order_relaxed) ||
        !atomic_exchange(&t->dry, false))
        return;
    atomic_store(&t->fresh, true);
    dtx_net_ring(&g->session->net);
}

int dtx_task_spawn(struct dtx_call *c, uint32_t kernel, const void *in,
                   size_t bytes)
{
    struct dtx_task_own *o = c->own;
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
    struct dtx_task_own *o = c->own;

    if (bytes > DTX_MAX_TASK - o->output.len)
        return DTX_ELIMIT;
    dtx_buf_append(&o->output, out, bytes);
    return o->output.failed ? DTX_ENOMEM : DTX_OK;
}

/* SPDX-License-Identifier: MIT */
/* What the communicating thread does with tasks; see task.h.  A share for
 * another rank is taken from the queue, then from the deques.  What a task
 * gives back goes to rank 0 in batches; until all that was submitted has ended
 * there, rank 0 does not count as idle. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ledger.h"
#include "lib/task.h"

#define SHARE_BYTES ((1u << 20) - 4096) /* of tasks in one share: with one
                                           more of the largest it is a frame */

static int begin(struct dtx_region *g)
{
    struct dtx_tasks *t = calloc(1, sizeof(*t));
    unsigned i;

    if (!t)
        return DTX_ENOMEM;
    g->own = t;
    dtx_task_queue_init(&t->queue);
    for (i = 0; i < g->session->crew.n; i++) {
        struct dtx_task_own *o =
            aligned_alloc(_Alignof(struct dtx_task_own), sizeof(*o));

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
    return dtx_task_fill(g);
}

static void free_own(struct dtx_task_own *o)
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
    struct dtx_tasks *t = dtx_tasks_of(g);
    unsigned i;

    for (i = 0; g->call && i < g->session->crew.n; i++) {
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
    else if (!dtx_task_queue_push(&dtx_tasks_of(g)->queue, i))
        rc = DTX_ENOMEM;
    if (rc < 0)
        free(i);
    return rc;
}

static void taken(struct dtx_region *g)
{
    struct dtx_tasks *t = dtx_tasks_of(g);

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
static void give_spawned(struct dtx_region *g, struct dtx_task_own *o, size_t n,
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
    struct dtx_tasks *t = dtx_tasks_of(g);
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
        struct dtx_task_own *o = g->call[i].own;

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
    return atomic_load(&dtx_tasks_of(g)->low);
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
    return atomic_exchange(&dtx_tasks_of(g)->fresh, false);
}

static int pump(struct dtx_region *g, bool *left)
{
    struct dtx_tasks *t = dtx_tasks_of(g);
    struct dtx_crew *c = &g->session->crew;
    struct dtx_msg m = {.kind = DTX_MSG_KENDED, .epoch = g->number};
    struct dtx_buf swap, b = DTX_BUF_INIT;
    int rc;

    *left = dtx_task_foresee(g);
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
        rc = dtx_task_hear(g, 0,
                           (struct dtx_str){t->passing.data, t->passing.len});
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

const struct dtx_style dtx_style_task = {
    .begin = begin,
    .step = dtx_task_step,
    .take = take,
    .taken = taken,
    .give = give,
    .wants = wants,
    .left_ns = left_ns,
    .drop = drop,
    .end = end,
    .offer = dtx_task_offer,
    .assist = dtx_task_assist,
    .holds = holds,
    .fresh = fresh,
    .hear = dtx_task_hear,
    .pump = pump,
    .moved = dtx_task_moved,
    .passed = dtx_task_passed,
    .bank = dtx_task_bank,
    .lost = dtx_task_lost,
};

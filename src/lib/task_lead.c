/* SPDX-License-Identifier: MIT */
/* Rank 0's office with tasks; see task.h.  Its queue is filled from the ledger,
 * outcomes are written down, told to the program, and release what waited for
 * them; what lost ranks had the ledger knows. */
#include <pthread.h>
#include <stdlib.h>

#include "engine/ledger.h"
#include "lib/diary.h"
#include "lib/task.h"
#include "predict/foresee.h"

#define KNOWN_BYTES (16u << 20) /* outcomes of an earlier run, told at once */
#define LOOK_AT 16u             /* tasks that are foreseen before others wait */

/* A task that an earlier run has done has ended. */
static void tell_known(struct dtx_region *g, struct dtx_tasks *t,
                       struct dtx_task_item *i)
{
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err = {0};

    if (dtx_diary_output(g->work->diary, i->known, &out, &err) < 0)
        dtx_region_trouble(g, &err);
    else
        dtx_task_put_ended(&t->ended, i, false, DTX_OK, 0, &out);
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
bool dtx_task_foresee(struct dtx_region *g)
{
    struct dtx_foresight *f = g->work->foresight;
    struct dtx_crew *c = &g->session->crew;
    bool busy = false;

    if (!f || atomic_load_explicit(&g->dropped, memory_order_relaxed) ||
        !dtx_foresee_turn(f, g->session->slots_all, LOOK_AT, &busy))
        return busy;
    (void)pthread_mutex_lock(&c->lock);
    (void)dtx_task_queue_say(&dtx_tasks_of(g)->queue, set_cost, f);
    (void)pthread_mutex_unlock(&c->lock);
    return false;
}

/* What the ledger says may run goes into rank 0's queue; what never will is
 * told, and what an earlier run has done. */
int dtx_task_fill(struct dtx_region *g)
{
    struct dtx_tasks *t = dtx_tasks_of(g);
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
        dtx_task_put_ended(&t->ended, i, false, DTX_ECANCEL, 0, NULL);
        free(i);
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (any) {
        atomic_store(&t->low, false);
        dtx_task_offer(g);
    }
    return rc;
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

    if (h->kind != DTX_ENDED_SUBMITTED && from != 0)
        dtx_ledger_spawned(w->ledger);
    if (h->kind != DTX_ENDED_SPAWNED) {
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
    if (w->foresight && h->kind != DTX_ENDED_SPAWNED)
        dtx_foresee_ended(w->foresight, h->id, h->ns);
    if (w->diary && h->kind == DTX_ENDED_SUBMITTED && h->code == 0)
        record(g, h->id, h->out);
    if (w->ended)
        w->ended(w->ended_ctx, h->id, h->code, h->out.data, h->out.len);
    return DTX_OK;
}

/* Outcomes that have come to rank 0. */
int dtx_task_hear(struct dtx_region *g, uint32_t from, struct dtx_str ended)
{
    struct dtx_cursor c = dtx_cursor_over(ended.data, ended.len);

    while (!dtx_cursor_done(&c)) {
        struct heard h = {.id = dtx_get_u64(&c)};
        int rc;

        h.kind = dtx_get_u8(&c);
        h.ns = h.kind & DTX_ENDED_TIMED ? dtx_get_u64(&c) : 0;
        h.kind &= DTX_ENDED_TIMED - 1;
        h.code = dtx_get_i32(&c);
        h.out = dtx_get_str(&c);
        if (c.bad)
            return DTX_EPROTO;
        rc = hear_one(g, from, &h);
        if (rc < 0)
            return rc;
    }
    return dtx_task_fill(g);
}

/* --- rank 0's books ------------------------------------------------------- */

bool dtx_task_moved(struct dtx_region *g, uint32_t from, uint32_t to,
                  struct dtx_str work, struct dtx_buf *full)
{
    (void)from;
    return dtx_ledger_moved(g->work->ledger, to, work, full);
}

/* What goes straight was spawned. */
void dtx_task_passed(struct dtx_region *g)
{
    dtx_ledger_spawned(g->work->ledger);
}

bool dtx_task_bank(struct dtx_region *g, uint32_t rank, uint32_t round)
{
    (void)round; /* what it ended in a later one it tells after its part */
    return rank == 0 || dtx_ledger_bank(g->work->ledger, rank);
}

int dtx_task_lost(struct dtx_region *g, uint32_t rank, struct dtx_buf *work)
{
    struct dtx_ledger_gone gone;

    if (!dtx_ledger_lost(g->work->ledger, rank, work, &gone))
        return work->failed ? DTX_ENOMEM : DTX_ELOST;
    g->gone_done += gone.done;
    dtx_failures_add(&g->gone, gone.first, gone.failed, gone.code);
    return DTX_OK;
}

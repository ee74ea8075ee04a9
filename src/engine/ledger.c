/* SPDX-License-Identifier: MIT */
/* The ledger of submitted tasks; see ledger.h.  It decides what may run, never
 * where. */
#include "engine/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

#define NONE UINT32_MAX

/* --- the ledger ----------------------------------------------------------- */

struct entry {
    struct dtx_task_item *task; /* while it waits, or is lent */
    uint32_t waits;             /* for so many */
    uint32_t edge;              /* the first of those that wait for it */
    uint32_t where;             /* lent: the rank */
    int code;                   /* ended: 0, or how it failed */
    bool ended, doomed;
    bool lent;
    bool again;                 /* has ended, and is done once more */
    uint64_t end;               /* its end was the n-th */
};

struct edge {
    uint32_t to, next;
};

struct dtx_ledger {
    uint64_t base; /* numbers up to this are of earlier runs */
    struct entry *entry;
    size_t n, cap;
    struct edge *edge;
    size_t nedges, edges_cap;
    uint64_t open, ends;
    bool spawned, keep;
    uint64_t *banked;   /* by rank: how many ends there were then */
    size_t nbanked, banked_cap;
    struct dtx_task_queue ready;
    struct dtx_task_item *skipped;
};

struct dtx_ledger *dtx_ledger_create(void)
{
    struct dtx_ledger *l = calloc(1, sizeof(*l));

    if (l)
        dtx_task_queue_init(&l->ready);
    return l;
}

void dtx_ledger_destroy(struct dtx_ledger *l)
{
    size_t i;

    if (!l)
        return;
    for (i = 0; i < l->n; i++)
        free(l->entry[i].task);
    dtx_task_queue_fini(&l->ready);
    dtx_task_item_free_all(l->skipped);
    free(l->entry);
    free(l->edge);
    free(l->banked);
    free(l);
}

uint64_t dtx_ledger_open(const struct dtx_ledger *l)
{
    return l->open;
}

/* May it be named? */
static bool is_known(const struct dtx_ledger *l, uint64_t id)
{
    return id > l->base && id - l->base <= l->n;
}

static bool make_room(struct dtx_ledger *l, size_t edges)
{
    struct entry *e;
    struct edge *g;

    if (l->n >= NONE - 1 || edges >= NONE - 1 - l->nedges)
        return false;
    e = dtx_grow(l->entry, &l->cap, l->n + 1, sizeof(*e));
    if (!e)
        return false;
    l->entry = e;
    if (edges == 0)
        return true;
    g = dtx_grow(l->edge, &l->edges_cap, l->nedges + edges, sizeof(*g));
    if (!g)
        return false;
    l->edge = g;
    return true;
}

static void skip(struct dtx_ledger *l, struct entry *e)
{
    e->task->next = l->skipped;
    l->skipped = e->task;
    e->task = NULL;
}

/* It waits for nothing more. */
static bool release(struct dtx_ledger *l, struct entry *e)
{
    if (e->doomed) {
        skip(l, e);
        return true;
    }
    if (!dtx_task_queue_push(&l->ready, e->task))
        return false;
    e->task = NULL;
    return true;
}

int64_t dtx_ledger_add(struct dtx_ledger *l, struct dtx_task_item *t,
                       const uint64_t *after, size_t nafter)
{
    struct entry *e;
    size_t i;

    for (i = 0; i < nafter; i++) {
        if (!is_known(l, after[i]))
            return DTX_ENOENT;
    }
    if (!make_room(l, nafter))
        return DTX_ENOMEM;
    e = &l->entry[l->n];
    *e = (struct entry){.task = t, .edge = NONE};
    t->id = l->base + l->n + 1;
    for (i = 0; i < nafter; i++) {
        struct entry *p = &l->entry[after[i] - l->base - 1];

        if (p->ended) {
            e->doomed |= p->code != 0;
            continue;
        }
        l->edge[l->nedges] = (struct edge){(uint32_t)l->n, p->edge};
        p->edge = (uint32_t)l->nedges++;
        e->waits++;
    }
    if (e->waits == 0 && !release(l, e))
        return DTX_ENOMEM;
    l->n++;
    l->open++;
    return (int64_t)(l->base + l->n);
}

struct dtx_task_item *dtx_ledger_ready(struct dtx_ledger *l)
{
    return dtx_task_queue_pop(&l->ready);
}

struct dtx_task_item *dtx_ledger_skipped(struct dtx_ledger *l)
{
    struct dtx_task_item *t = l->skipped;

    if (t)
        l->skipped = t->next;
    return t;
}

/* The bytes of a lent one are not needed any more. */
static void forget_bytes(struct entry *e)
{
    free(e->task);
    e->task = NULL;
    e->lent = false;
}

enum dtx_ledger_ended dtx_ledger_end(struct dtx_ledger *l, uint64_t id,
                                     int code)
{
    struct entry *e;
    uint32_t i;

    if (!is_known(l, id))
        return DTX_LEDGER_UNKNOWN;
    e = &l->entry[id - l->base - 1];
    if ((e->ended && !e->again) || (e->task && !e->lent))
        return DTX_LEDGER_UNKNOWN;
    l->open--;
    e->end = ++l->ends;
    if (e->lent && !l->keep)
        forget_bytes(e);
    if (e->again) {
        e->again = false;
        return DTX_LEDGER_AGAIN;
    }
    e->ended = true;
    e->code = code;
    for (i = e->edge; i != NONE; i = l->edge[i].next) {
        struct entry *s = &l->entry[l->edge[i].to];

        s->doomed |= code != 0;
        if (--s->waits == 0 && !release(l, s))
            return DTX_LEDGER_NOMEM;
    }
    return DTX_LEDGER_FIRST;
}

/* --- losses --------------------------------------------------------------- */

void dtx_ledger_lend(struct dtx_ledger *l, struct dtx_task_item *t)
{
    struct entry *e;

    if (t->spawned || !is_known(l, t->id)) {
        l->spawned = true;
        free(t);
        return;
    }
    e = &l->entry[t->id - l->base - 1];
    free(e->task); /* NULL, but for bytes that went to and fro */
    e->task = t;
    e->lent = true;
    e->where = NONE;
}

/* One task has gone to rank 'to'. False when it is said to be lent and is
 * not. */
static bool move_one(struct dtx_ledger *l, uint32_t to, uint64_t id,
                     enum dtx_task_form form, struct dtx_buf *full)
{
    struct entry *e;

    l->spawned |= form == DTX_TASK_SPAWNED;
    if (form == DTX_TASK_SPAWNED || !is_known(l, id))
        return form != DTX_TASK_LENT;
    e = &l->entry[id - l->base - 1];
    if (form == DTX_TASK_LENT && !e->lent)
        return false;
    if (form == DTX_TASK_LENT)
        dtx_task_item_encode(full, e->task);
    e->where = to;
    if (to == 0 && e->lent)
        forget_bytes(e);
    return true;
}

bool dtx_ledger_moved(struct dtx_ledger *l, uint32_t to, struct dtx_str work,
                      struct dtx_buf *full)
{
    struct dtx_cursor c = dtx_cursor_over(work.data, work.len);
    bool any = false; /* is lent */

    while (!dtx_cursor_done(&c) && !c.bad) {
        const unsigned char *at = c.p;
        enum dtx_task_form form;
        uint64_t id = dtx_task_item_peek(&c, &form);

        if (c.bad)
            return false;
        if (form == DTX_TASK_LENT && !any) /* those before it go as they are */
            dtx_buf_append(full, work.data,
                           work.len - (size_t)(c.end - at));
        any |= form == DTX_TASK_LENT;
        if (!move_one(l, to, id, form, full))
            return false;
        if (any && form != DTX_TASK_LENT)
            dtx_buf_append(full, at, (size_t)(c.p - at));
    }
    return !c.bad && !full->failed;
}

void dtx_ledger_spawned(struct dtx_ledger *l)
{
    l->spawned = true;
}

void dtx_ledger_keep(struct dtx_ledger *l, bool keep)
{
    l->keep = keep;
}

bool dtx_ledger_bank(struct dtx_ledger *l, uint32_t rank)
{
    uint64_t *b = dtx_grow(l->banked, &l->banked_cap, (size_t)rank + 1,
                           sizeof(*b));

    if (!b)
        return false;
    l->banked = b;
    while (l->nbanked <= rank)
        b[l->nbanked++] = 0;
    b[rank] = l->ends;
    return true;
}

static void count_gone(struct dtx_ledger_gone *g, const struct entry *e,
                       uint64_t id)
{
    g->done++;
    if (e->code == 0)
        return;
    if (g->failed++ == 0) {
        g->first = id;
        g->code = e->code;
    }
}

bool dtx_ledger_lost(struct dtx_ledger *l, uint32_t rank, struct dtx_buf *work,
                     struct dtx_ledger_gone *gone)
{
    uint64_t banked = rank < l->nbanked ? l->banked[rank] : 0;
    size_t i;

    memset(gone, 0, sizeof(*gone));
    if (l->spawned)
        return false;
    for (i = 0; i < l->n; i++) {
        struct entry *e = &l->entry[i];
        bool done = e->ended && !e->again;

        if (e->where != rank || (done && e->end <= banked))
            continue;
        if (!e->lent) {
            if (done)
                count_gone(gone, e, l->base + i + 1);
            e->where = 0; /* counted */
            continue;
        }
        dtx_task_item_encode(work, e->task);
        forget_bytes(e);
        e->where = 0;
        e->again = e->ended;
        l->open += done;
    }
    return !work->failed;
}

uint64_t dtx_ledger_next_open(const struct dtx_ledger *l, uint64_t id)
{
    size_t i = id > l->base ? (size_t)(id - l->base) : 0;

    while (i < l->n && l->entry[i].ended)
        i++;
    return i < l->n ? l->base + i + 1 : 0;
}

void dtx_ledger_forget(struct dtx_ledger *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        free(l->entry[i].task);
    dtx_task_queue_fini(&l->ready);
    dtx_task_queue_init(&l->ready);
    dtx_task_item_free_all(l->skipped);
    l->skipped = NULL;
    l->open = 0;
    l->base += l->n;
    l->n = 0;
    l->nedges = 0;
    l->nbanked = 0;
    l->ends = 0;
    l->spawned = false;
}

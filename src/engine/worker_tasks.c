/* SPDX-License-Identifier: MIT */
/* The tasks a worker has: those that are queued here, and those that it has
 * handed to the executor; with these it begins and ends.  What is done with
 * them worker.c decides. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker_state.h"

/* So many tasks are looked through one by one, the oldest first. */
#define FEW 16

struct dtx_worker *dtx_worker_create(const struct dtx_worker_config *c)
{
    struct dtx_worker *w = calloc(1, sizeof(*w));
    size_t i;

    if (!w)
        return NULL;
    w->c = *c;
    (void)snprintf(w->host, sizeof(w->host), "%s", c->host ? c->host : "");
    w->free_entry = w->newest = w->oldest = NONE;
    if ((size_t)c->slots + c->ahead <= FEW)
        return w;
    w->nbuckets = 64;
    while (w->nbuckets < 4 * ((size_t)c->slots + c->ahead))
        w->nbuckets *= 2;
    w->bucket = malloc(w->nbuckets * sizeof(*w->bucket));
    if (!w->bucket) {
        free(w);
        return NULL;
    }
    for (i = 0; i < w->nbuckets; i++)
        w->bucket[i] = NONE;
    return w;
}

void dtx_worker_destroy(struct dtx_worker *w)
{
    size_t i;

    if (!w)
        return;
    for (i = 0; i < w->q_len; i++)
        free(w->queue[(w->q_at + i) % w->q_cap]);
    free(w->queue);
    free(w->entry);
    free(w->bucket);
    dtx_buf_free(&w->given);
    dtx_buf_free(&w->ended);
    free(w);
}

/* ---- what has been handed over ---- */

static uint32_t *bucket_of(struct dtx_worker *w, uint32_t task)
{
    return &w->bucket[(task * 2654435761u) & (w->nbuckets - 1)];
}

struct dtx_handed *dtx_worker_find(struct dtx_worker *w, uint32_t task,
                                   uint32_t attempt)
{
    uint32_t i;

    if (!w->bucket) {
        i = w->oldest;
        while (i != NONE &&
               (w->entry[i].task != task || w->entry[i].attempt != attempt))
            i = w->entry[i].newer;
        return i == NONE ? NULL : &w->entry[i];
    }
    i = *bucket_of(w, task);
    while (i != NONE &&
           (w->entry[i].task != task || w->entry[i].attempt != attempt))
        i = w->entry[i].chain;
    return i == NONE ? NULL : &w->entry[i];
}

bool dtx_worker_remember(struct dtx_worker *w, const struct dtx_queued *q)
{
    struct dtx_handed *p;
    uint32_t i = w->free_entry, *b = w->bucket ? bucket_of(w, q->task) : NULL;

    if (i == NONE) {
        p = dtx_grow(w->entry, &w->cap_entries, w->nentries + 1, sizeof(*p));
        if (!p)
            return false;
        w->entry = p;
        i = (uint32_t)w->nentries++;
    } else {
        w->free_entry = w->entry[i].chain;
    }
    w->entry[i] = (struct dtx_handed){q->task, q->attempt, q->cpus,
                                  w->newest, NONE, b ? *b : NONE, false,
                                  false};
    if (b)
        *b = i;
    if (w->newest != NONE)
        w->entry[w->newest].newer = i;
    else
        w->oldest = i;
    w->newest = i;
    w->count++;
    w->used += q->cpus;
    w->fresh++;
    w->wide += q->cpus > 1;
    return true;
}

void dtx_worker_forget(struct dtx_worker *w, struct dtx_handed *h)
{
    uint32_t i = (uint32_t)(h - w->entry), *b;

    if (w->bucket) {
        for (b = bucket_of(w, h->task); *b != i;)
            b = &w->entry[*b].chain;
        *b = h->chain;
    }
    if (h->older != NONE)
        w->entry[h->older].newer = h->newer;
    else
        w->oldest = h->newer;
    if (h->newer != NONE)
        w->entry[h->newer].older = h->older;
    else
        w->newest = h->older;
    w->count--;
    w->used -= h->cpus;
    w->fresh -= !h->started;
    w->wide -= h->cpus > 1;
    h->chain = w->free_entry;
    w->free_entry = i;
}

/* ---- the queue ---- */

bool dtx_worker_enqueue(struct dtx_worker *w, const struct dtx_item_work *item,
                        const void *data, size_t len)
{
    struct dtx_queued *q, **p;
    size_t cap = w->q_cap ? w->q_cap * 2 : 64, i;

    if (w->q_len == w->q_cap) {
        p = malloc(cap * sizeof(struct dtx_queued *));
        if (!p)
            return false;
        for (i = 0; i < w->q_len; i++)
            p[i] = w->queue[(w->q_at + i) % w->q_cap];
        free(w->queue);
        w->queue = p;
        w->q_cap = cap;
        w->q_at = 0;
    }
    q = malloc(sizeof(*q) + len);
    if (q) {
        *q = (struct dtx_queued){item->task, item->attempt, item->cpus, len};
        memcpy(q + 1, data, len);
        w->queue[(w->q_at + w->q_len++) % w->q_cap] = q;
    }
    return q != NULL;
}

struct dtx_queued *dtx_worker_dequeue(struct dtx_worker *w, bool from_end)
{
    struct dtx_queued *q;

    if (w->q_len == 0)
        return NULL;
    w->q_len--;
    if (from_end)
        return w->queue[(w->q_at + w->q_len) % w->q_cap];
    q = w->queue[w->q_at];
    w->q_at = (w->q_at + 1) % w->q_cap;
    return q;
}

/* SPDX-License-Identifier: MIT */
/* engine/taskqueue.h - tasks that may run, in the order in which they should
 *
 * Each rank has a queue of those that have come to it, which its owner guards.
 */
#ifndef DTX_ENGINE_TASKQUEUE_H
#define DTX_ENGINE_TASKQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/codec.h"

struct dtx_task_item {
    struct dtx_task_item *next;
    uint64_t id;     /* of the submitted task it is, or descends from */
    bool spawned;    /* by another */
    uint32_t kernel; /* number in the session's list */
    int32_t priority;
    double cost;     /* seconds, as predicted or hinted; 0: nobody knows */
    uint64_t known;  /* 0, or where an earlier run has left its output */
    size_t bytes;
    _Alignas(16) char data[];
};

/* How a task is made bytes. */
enum dtx_task_form {
    DTX_TASK_SUBMITTED,
    DTX_TASK_SPAWNED,
    DTX_TASK_LENT /* the number is all */
};

/* A copy of the bytes; NULL when out of memory. Freed with free(). */
struct dtx_task_item *dtx_task_item_create(uint32_t kernel, const void *in,
                                           size_t bytes);
void dtx_task_item_encode(struct dtx_buf *b, const struct dtx_task_item *t);
/* The number alone, where the ledger has lent it: it knows the rest. */
void dtx_task_item_encode_lent(struct dtx_buf *b,
                               const struct dtx_task_item *t);
/* NULL when the bytes are wrong or memory is short ('c->bad' tells). */
struct dtx_task_item *dtx_task_item_decode(struct dtx_cursor *c);
/* A list of them, by 'next'. */
void dtx_task_item_free_all(struct dtx_task_item *t);
/* Pass over one: whose it is. */
uint64_t dtx_task_item_peek(struct dtx_cursor *c, enum dtx_task_form *form);

/* First what has the highest priority, of those the dearest, of those the
 * oldest. */
struct dtx_task_queue {
    struct dtx_task_item *head, **tail; /* priority 0, no cost: in order */
    struct dtx_task_item **heap;        /* the others */
    size_t nheap, cap, count;
    size_t known; /* of them, those with a cost ... */
    double cost;  /* ... and their costs together */
};

void dtx_task_queue_init(struct dtx_task_queue *q);
void dtx_task_queue_fini(struct dtx_task_queue *q); /* frees what is in it */
bool dtx_task_queue_push(struct dtx_task_queue *q, struct dtx_task_item *t);
struct dtx_task_item *dtx_task_queue_pop(struct dtx_task_queue *q);
/* What would come next; it stays there. */
const struct dtx_task_item *dtx_task_queue_top(const struct dtx_task_queue *q);
/* Take out a fair part for others with 'theirs' slots, where 'ours' stay, as a
 * list in the order in which it is to run; at least one if there is any, at
 * most about 'bytes' when encoded. By costs where those of all are known: the
 * dearest are dealt out one by one to the side that has less for its slots
 * (Graham, SIAM J. Appl. Math. 17(2), 1969), so that both have short ones left
 * for their end; otherwise by their number. NULL: there is none. */
struct dtx_task_item *dtx_task_queue_part(struct dtx_task_queue *q,
                                          uint32_t theirs, uint32_t ours,
                                          size_t bytes);
/* Costs have become known: say(ctx, t) sets t->cost of each, and the order is
 * that of the new ones. False when out of memory: nothing has changed. */
typedef void (*dtx_task_say_f)(void *ctx, struct dtx_task_item *t);
bool dtx_task_queue_say(struct dtx_task_queue *q, dtx_task_say_f say,
                        void *ctx);

#endif

/* SPDX-License-Identifier: MIT */
/* lib/task.h - what the parts of the style of tasks share
 *
 * A rank has a queue of tasks that were submitted and have come here, and each
 * slot a deque of what its tasks have spawned.  task_slot.c runs them, task.c
 * is what the communicating thread does with them, and task_lead.c what rank 0
 * does beside that: its ledger, outcomes, and losses.
 */
#ifndef DTX_LIB_TASK_H
#define DTX_LIB_TASK_H

#include "engine/taskqueue.h"
#include "lane/deque.h"
#include "lib/session.h"

/* What has ended, in a KENDED. */
enum dtx_task_ended {
    DTX_ENDED_SUBMITTED,
    DTX_ENDED_SPAWNED,
    DTX_ENDED_PARENT, /* submitted, and has spawned some */
    DTX_ENDED_TIMED = 0x80 /* a flag: what it took follows */
};

/* A slot's. */
struct dtx_task_own {
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

/* The rank's. */
struct dtx_tasks {
    struct dtx_task_queue queue; /* under the crew's lock */
    _Atomic size_t queued;
    _Atomic bool low;            /* the communicating thread was told */
    struct dtx_buf ended;        /* outcomes; under the crew's lock */
    struct dtx_buf passing;      /* those that are passed on now */
    _Atomic bool dry;            /* others were told that nothing is here */
    _Atomic bool fresh;          /* there is more than others were told */
};

static inline struct dtx_tasks *dtx_tasks_of(const struct dtx_region *g)
{
    return g->own;
}

/* lib/task_slot.c: as in struct dtx_style, ... */
bool dtx_task_step(void *region, unsigned slot);
bool dtx_task_assist(struct dtx_region *g);
/* ... new tasks wait in the queue, and an outcome, appended to 'b'; 'ns' 0:
 * what it took is not known. */
void dtx_task_offer(struct dtx_region *g);
void dtx_task_put_ended(struct dtx_buf *b, const struct dtx_task_item *t,
                        bool parent, int code, uint64_t ns,
                        const struct dtx_buf *out);

/* lib/task_lead.c, rank 0: what the ledger says may run goes into the queue (0
 * or negative); costs may be known anew of what waits (true: there is more to
 * look at); the others as in struct dtx_style. */
int dtx_task_fill(struct dtx_region *g);
bool dtx_task_foresee(struct dtx_region *g);
int dtx_task_hear(struct dtx_region *g, uint32_t from, struct dtx_str ended);
bool dtx_task_moved(struct dtx_region *g, uint32_t from, uint32_t to,
                    struct dtx_str work, struct dtx_buf *full);
void dtx_task_passed(struct dtx_region *g);
bool dtx_task_bank(struct dtx_region *g, uint32_t rank, uint32_t round);
int dtx_task_lost(struct dtx_region *g, uint32_t rank, struct dtx_buf *work);

#endif

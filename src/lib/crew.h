/* SPDX-License-Identifier: MIT */
/* lib/crew.h - the slots of a rank: threads that compute, and sleep when there
 *              is nothing to do
 *
 * A slot calls step(slot) again and again; when that says there is nothing, it
 * rests until somebody publishes work.  Whoever makes work available to slots
 * first makes it visible and then calls dtx_crew_publish.  'idle' counts slots
 * that have found nothing since the last publication: when it equals the
 * number of slots, no slot is at work, and what they wrote can be read.
 *
 * While a slot sleeps, the communicating thread may work as that one: what
 * takes less than to wake a thread is sooner done so.  It holds such work back
 * from publication (dtx_crew_hold), borrows a slot whose thread sleeps, works
 * as that one, and returns it; what it has not done then it publishes.  A
 * thread that is woken meanwhile waits for its slot, so that two never work as
 * one.  The calling thread's binding stays what it is.
 *
 * The lock also guards what the styles of work share in a rank (dtx_pool).
 */
#ifndef DTX_LIB_CREW_H
#define DTX_LIB_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/counters.h"

struct dtx_error;
struct dtx_net;

/* Do a bounded piece of work; false when there is none now. */
typedef bool (*dtx_step_f)(void *ctx, unsigned slot);

struct dtx_crew {
    struct dtx_net *net;  /* rung when the last slot goes idle */
    unsigned n;
    bool inlined;         /* no threads: the communicating thread is the slot */
    pthread_t *thread;
    unsigned started;
    enum dtx_thread_counting counting;
    struct dtx_thread_counter *counter; /* of each slot; NULL: none */
    pthread_mutex_t lock;
    pthread_cond_t go;
    _Atomic uint64_t seq; /* publications */
    unsigned idle;
    unsigned orders;      /* from other ranks: somebody waits for a share */
    unsigned stock;       /* shares that are ready to be taken */
    _Atomic int appetite; /* idle + orders - stock */
    uint64_t *rests;      /* of each slot: its thread sleeps since this
                             publication; UINT64_MAX: it does not */
    unsigned borrowed;    /* the slot that is lent; n: none is */
    bool held;            /* the communicating thread's: see dtx_crew_hold */
    bool quit;
    dtx_step_f step;      /* NULL between regions */
    void *ctx;
};

/* 'pu' (one for each slot) may be NULL. With 'inlined' n is 1. Slots count
 * what they do as 'counting' says. */
int dtx_crew_start(struct dtx_crew *c, struct dtx_net *net, unsigned n,
                   const uint32_t *pu, bool inlined,
                   enum dtx_thread_counting counting, struct dtx_error *err);
/* When all are idle: add what slots have counted since the last time to 'sum'
 * (dtx_counters_sum). */
void dtx_crew_count(struct dtx_crew *c, struct dtx_counters *sum);
void dtx_crew_stop(struct dtx_crew *c);
/* Slots now work at this, with so many shares in stock; NULL: at nothing (when
 * all are idle). */
void dtx_crew_assign(struct dtx_crew *c, dtx_step_f step, void *ctx,
                     unsigned stock);
void dtx_crew_publish(struct dtx_crew *c);
/* The communicating thread has new work that slots can see, and one of them
 * sleeps: leave it, and let dtx_crew_all_idle be false until the thread has
 * seen to the work (dtx_crew_let_go). False: it is to be published. */
bool dtx_crew_hold(struct dtx_crew *c);
static inline bool dtx_crew_holds(const struct dtx_crew *c)
{
    return c->held;
}
static inline void dtx_crew_let_go(struct dtx_crew *c)
{
    c->held = false;
}
/* Work as a slot whose thread sleeps and has not been told to wake, until it is
 * returned: its number, or -1 when there is none. */
int dtx_crew_borrow(struct dtx_crew *c);
void dtx_crew_return(struct dtx_crew *c);
/* With the lock held: a share has come into stock. */
void dtx_crew_stocked(struct dtx_crew *c);
/* Every slot has found nothing, and nothing is in stock. */
bool dtx_crew_all_idle(struct dtx_crew *c);
/* Inlined: one step by the calling thread; false when there was nothing. */
bool dtx_crew_work(struct dtx_crew *c);
/* With the lock held, after a change of orders or stock. */
void dtx_crew_weigh(struct dtx_crew *c);
/* More slots, or other ranks, wait for work than there is in stock: a hint that
 * costs one plain load. */
static inline bool dtx_crew_hungry(const struct dtx_crew *c)
{
    return atomic_load_explicit(&c->appetite, memory_order_relaxed) > 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Threads that work and rest; see crew.h.  It decides when a slot sleeps and
 * who wakes it; what a step is belongs to the styles. */
#include "lib/crew.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lib/net.h"

#define AWAKE UINT64_MAX

struct start {
    struct dtx_crew *crew;
    unsigned slot;
    int64_t pu; /* -1: anywhere */
};

void dtx_crew_weigh(struct dtx_crew *c)
{
    atomic_store_explicit(&c->appetite,
                          (int)(c->idle + c->orders) - (int)c->stock,
                          memory_order_relaxed);
}

static void count_idle(struct dtx_crew *c)
{
    c->idle++;
    dtx_crew_weigh(c);
    if (c->idle == c->n)
        dtx_net_ring(c->net);
}

/* Nothing was found since publication 'seen': sleep until the next, and longer
 * while another thread works as this slot. False when the crew is dissolved. */
static bool rest(struct dtx_crew *c, unsigned slot, uint64_t seen)
{
    bool quit;

    if (c->counter && atomic_load(&c->seq) == seen)
        dtx_thread_counter_note(&c->counter[slot]);
    (void)pthread_mutex_lock(&c->lock);
    if (atomic_load(&c->seq) == seen && !c->quit) {
        count_idle(c);
        c->rests[slot] = seen;
        while ((atomic_load(&c->seq) == seen && !c->quit) ||
               c->borrowed == slot)
            (void)pthread_cond_wait(&c->go, &c->lock);
        c->rests[slot] = AWAKE;
    }
    quit = c->quit;
    (void)pthread_mutex_unlock(&c->lock);
    return !quit;
}

static void bind(int64_t pu)
{
    size_t size;
    cpu_set_t *set;

    if (pu < 0)
        return;
    size = CPU_ALLOC_SIZE((size_t)pu + 1);
    set = CPU_ALLOC((size_t)pu + 1);
    if (!set)
        return;
    CPU_ZERO_S(size, set);
    CPU_SET_S((size_t)pu, size, set);
    (void)pthread_setaffinity_np(pthread_self(), size, set);
    CPU_FREE(set);
}

static void *slot_main(void *arg)
{
    struct start s = *(struct start *)arg;
    struct dtx_crew *c = s.crew;
    uint64_t seen;

    free(arg);
    bind(s.pu);
    if (c->counter)
        dtx_thread_counter_open(&c->counter[s.slot], c->counting);
    do {
        dtx_step_f step;
        void *ctx;

        (void)pthread_mutex_lock(&c->lock);
        seen = atomic_load(&c->seq);
        step = c->step;
        ctx = c->ctx;
        (void)pthread_mutex_unlock(&c->lock);
        while (step && step(ctx, s.slot))
            ;
    } while (rest(c, s.slot, seen));
    if (c->counter)
        dtx_thread_counter_close(&c->counter[s.slot]);
    return NULL;
}

static int start_one(struct dtx_crew *c, unsigned slot, int64_t pu)
{
    struct start *s = malloc(sizeof(*s));
    int rc;

    if (!s)
        return DTX_ENOMEM;
    *s = (struct start){c, slot, pu};
    rc = pthread_create(&c->thread[slot], NULL, slot_main, s);
    if (rc != 0)
        free(s);
    return rc == 0 ? DTX_OK : DTX_ESYS;
}

/* Signals are the program's: slots take none. */
static int start_all(struct dtx_crew *c, const uint32_t *pu)
{
    sigset_t all, old;
    int rc = DTX_OK;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    for (; c->started < c->n && rc == DTX_OK; c->started += rc == DTX_OK)
        rc = start_one(c, c->started, pu ? (int64_t)pu[c->started] : -1);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

int dtx_crew_start(struct dtx_crew *c, struct dtx_net *net, unsigned n,
                   const uint32_t *pu, bool inlined,
                   enum dtx_thread_counting counting, struct dtx_error *err)
{
    unsigned i;
    int rc;

    memset(c, 0, sizeof(*c));
    c->net = net;
    c->n = n;
    c->borrowed = n;
    c->inlined = inlined;
    c->counting = counting;
    if (pthread_mutex_init(&c->lock, NULL) != 0 ||
        pthread_cond_init(&c->go, NULL) != 0)
        return dtx_error_set(err, DTX_ESYS, "cannot make a lock");
    if (counting != DTX_THREAD_COUNTING_OFF) /* without memory it does not */
        c->counter = calloc(n, sizeof(*c->counter));
    if (inlined) {
        if (c->counter)
            dtx_thread_counter_open(c->counter, c->counting);
        c->idle = n;
        return DTX_OK;
    }
    c->thread = calloc(n, sizeof(*c->thread));
    c->rests = calloc(n, sizeof(*c->rests));
    for (i = 0; c->rests && i < n; i++)
        c->rests[i] = AWAKE;
    rc = c->thread && c->rests ? start_all(c, pu) : DTX_ENOMEM;
    if (rc < 0) {
        dtx_crew_stop(c);
        return dtx_error_set(err, rc, "cannot start %u threads: %s", n,
                             dtx_strerror(rc));
    }
    return DTX_OK;
}

static void stop_counting(struct dtx_crew *c)
{
    if (c->counter && c->inlined)
        dtx_thread_counter_close(c->counter);
    free(c->counter);
    c->counter = NULL;
}

void dtx_crew_stop(struct dtx_crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->quit = true;
    (void)pthread_cond_broadcast(&c->go);
    (void)pthread_mutex_unlock(&c->lock);
    while (c->started > 0)
        (void)pthread_join(c->thread[--c->started], NULL);
    (void)pthread_cond_destroy(&c->go);
    (void)pthread_mutex_destroy(&c->lock);
    stop_counting(c);
    free(c->thread);
    free(c->rests);
    c->thread = NULL;
    c->rests = NULL;
}

static void publish(struct dtx_crew *c)
{
    (void)atomic_fetch_add(&c->seq, 1);
    c->idle = 0;
    dtx_crew_weigh(c);
    (void)pthread_cond_broadcast(&c->go);
}

void dtx_crew_stocked(struct dtx_crew *c)
{
    c->stock++;
    publish(c);
    if (c->orders)
        dtx_net_ring(c->net);
}

void dtx_crew_publish(struct dtx_crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    publish(c);
    (void)pthread_mutex_unlock(&c->lock);
}

void dtx_crew_assign(struct dtx_crew *c, dtx_step_f step, void *ctx,
                     unsigned stock)
{
    (void)pthread_mutex_lock(&c->lock);
    c->step = step;
    c->ctx = ctx;
    c->orders = 0;
    c->stock = stock;
    c->held = false;
    if (step)
        publish(c);
    dtx_crew_weigh(c);
    (void)pthread_mutex_unlock(&c->lock);
}

void dtx_crew_count(struct dtx_crew *c, struct dtx_counters *sum)
{
    struct dtx_counters one;
    unsigned i;

    for (i = 0; c->counter && i < c->n; i++) {
        if (c->inlined)
            dtx_thread_counter_note(&c->counter[i]);
        dtx_thread_counter_read(&c->counter[i], &one);
        dtx_counters_sum(sum, &one);
    }
}

bool dtx_crew_all_idle(struct dtx_crew *c)
{
    bool idle;

    (void)pthread_mutex_lock(&c->lock);
    idle = c->idle == c->n && c->stock == 0 && !c->held;
    (void)pthread_mutex_unlock(&c->lock);
    return idle;
}

bool dtx_crew_hold(struct dtx_crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->held = !c->inlined && c->step && c->idle > 0;
    (void)pthread_mutex_unlock(&c->lock);
    return c->held;
}

int dtx_crew_borrow(struct dtx_crew *c)
{
    unsigned i = 0;

    (void)pthread_mutex_lock(&c->lock);
    while (i < c->n && !(c->rests && c->rests[i] == atomic_load(&c->seq)))
        i++;
    c->borrowed = i;
    (void)pthread_mutex_unlock(&c->lock);
    return i < c->n ? (int)i : -1;
}

void dtx_crew_return(struct dtx_crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    if (c->borrowed < c->n && c->rests[c->borrowed] != atomic_load(&c->seq))
        (void)pthread_cond_broadcast(&c->go); /* its thread waits for it */
    c->borrowed = c->n;
    (void)pthread_mutex_unlock(&c->lock);
}

bool dtx_crew_work(struct dtx_crew *c)
{
    if (c->idle == c->n)
        return false;
    if (c->step(c->ctx, 0))
        return true;
    (void)pthread_mutex_lock(&c->lock);
    count_idle(c);
    (void)pthread_mutex_unlock(&c->lock);
    return false;
}

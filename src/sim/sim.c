/* SPDX-License-Identifier: MIT */
/* The simulator's clock: takes the next event and tells the master or a worker
 * of it.  It decides nothing that the engine decides, and what it draws at
 * random comes from its seed. */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "sim/sim_state.h"

#define DEFAULT_END_NS (INT64_C(1000000) * DTX_SEC_NS)
/* More events at one time than this, and so many for each task and rank, are
 * an engine that talks without end. */
#define SAME_TIME 100000u
#define SAME_TIME_EACH 64u
/* Lines of cache that a worker is at least. */
#define WORKER_LINES 5

void dtx_sim_break(struct dtx_sim *s, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    if (s->broken.code)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)dtx_error_set(&s->broken, DTX_EINVAL, "sim: at %lld ns: %s",
                        (long long)s->now_ns, text);
}

void dtx_sim_say(struct dtx_sim *s, const char *fmt, ...)
{
    char line[400];
    va_list ap;
    int n;

    if (!s->c.trace)
        return;
    n = snprintf(line, sizeof(line), "%8lld us  ",
                 (long long)(s->now_ns / 1000));
    if (n < 0)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    s->c.trace(s->c.trace_ctx, line);
}

static void master_says(void *ctx, const char *line)
{
    dtx_sim_say(ctx, "  %s", line);
}

void dtx_sim_mix(struct dtx_sim *s, const void *data, size_t len)
{
    if (!s->c.unchecked)
        s->res.hash = dtx_hash128(data, len, s->res.hash).lo;
}

int64_t dtx_sim_spread(struct dtx_sim *s, int64_t least, int64_t spread)
{
    if (spread <= 0)
        return least;
    return least + (int64_t)dtx_rng_below(&s->rng, (uint64_t)spread + 1);
}

struct dtx_sim_rank *dtx_sim_rank_of(struct dtx_sim *s, uint32_t target)
{
    return &s->rank[target - 1];
}

/* ---- what is heard ---- */

static bool hangs(const struct dtx_sim *s, const struct dtx_sim_rank *r)
{
    return r->hung && s->now_ns < r->wake_ns;
}

/* Is this an event that the master or a worker will hear? */
static bool heard(struct dtx_sim *s, const struct dtx_sim_event *e)
{
    struct dtx_sim_rank *r;

    if (e->target == DTX_SIM_MASTER)
        return e->kind == DTX_SIM_STORED || e->kind == DTX_SIM_FRAME ||
               e->kind == DTX_SIM_TIMER || e->kind == DTX_SIM_STOPPING ||
               e->kind == DTX_SIM_ARRIVE || e->kind == DTX_SIM_CLOSE ||
               e->kind == DTX_SIM_DEADLINE;
    r = dtx_sim_rank_of(s, e->target);
    return r->up && r->life == e->life && !hangs(s, r) &&
           (e->kind == DTX_SIM_NOTICE || e->kind == DTX_SIM_ANSWER ||
            e->kind == DTX_SIM_FRAME || e->kind == DTX_SIM_TIMER ||
            e->kind == DTX_SIM_STOPPING || e->kind == DTX_SIM_OTHERS);
}

/* Do further events for this target wait at this time? A timer may be moved
 * by the step. */
bool dtx_sim_more_waits(struct dtx_sim *s, uint32_t target)
{
    uint32_t i;

    if (s->timed)
        return dtx_sim_cpu_more(s, target);
    i = dtx_sim_first(s);
    return i != DTX_SIM_NONE && s->event[i].at_ns <= s->now_ns &&
           s->event[i].target == target &&
           s->event[i].kind != DTX_SIM_TIMER && heard(s, &s->event[i]);
}

/* ---- one event ---- */

static void tell_master(struct dtx_sim *s, struct dtx_sim_event *e)
{
    struct dtx_event ev = {.kind = DTX_EV_START};

    switch (e->kind) {
    case DTX_SIM_STORED:
        ev.kind = DTX_EV_RECORDED;
        ev.u.recorded = dtx_sim_store_done(s, e->a);
        dtx_sim_say(s, "%llu records are written",
                    (unsigned long long)ev.u.recorded);
        break;
    case DTX_SIM_FRAME:
        ev.kind = DTX_EV_FRAME;
        ev.u.frame.from = e->a;
        ev.u.frame.data = e->data;
        ev.u.frame.len = e->len;
        dtx_sim_say_frame(s, e);
        dtx_sim_check_heard(s, e->a, e->data, e->len);
        break;
    case DTX_SIM_TIMER:
        ev.kind = DTX_EV_TIMER;
        s->timer = DTX_SIM_NONE;
        dtx_sim_say(s, "timer");
        break;
    case DTX_SIM_STOPPING:
        ev.kind = DTX_EV_STOP;
        ev.u.stop = (enum dtx_stop)e->a;
        s->stopping = true;
        break;
    case DTX_SIM_DEADLINE:
        ev.kind = DTX_EV_DEADLINE;
        ev.u.deadline_ns = s->c.deadline_ns;
        s->has_deadline = true;
        break;
    case DTX_SIM_ARRIVE:
        dtx_sim_stream_arrive(s, &ev);
        break;
    case DTX_SIM_CLOSE:
        dtx_sim_stream_close(s, &ev);
        break;
    case DTX_SIM_LOST:
        dtx_sim_lose(s, e);
        return;
    case DTX_SIM_CRASH:
        dtx_sim_crash(s);
        return;
    default:
        break;
    }
    dtx_sim_step_master(s, &ev);
    if (e->kind == DTX_SIM_FRAME)
        dtx_sim_lose_again(s, e->a);
}

/* An event of an attempt, as its worker hears it. */
static void tell_of_run(struct dtx_sim_rank *r, const struct dtx_sim_event *e)
{
    const struct dtx_sim_run *run = &r->sim->run[e->a];
    struct dtx_event ev = {.kind = DTX_EV_RECALLED};
    struct dtx_outcome o;

    if (e->kind == DTX_SIM_NOTICE) {
        dtx_sim_outcome(run, &o);
        ev.kind = DTX_EV_TASK_ENDED;
        ev.u.ended = &o;
    } else {
        ev.u.recalled.task = run->task;
        ev.u.recalled.attempt = run->attempt;
        ev.u.recalled.taken_back = e->flag;
    }
    dtx_sim_step_worker(r, &ev);
}

static void tell_worker(struct dtx_sim_rank *r, const struct dtx_sim_event *e)
{
    struct dtx_event ev = {.kind = DTX_EV_TIMER};

    if (e->kind == DTX_SIM_NOTICE || e->kind == DTX_SIM_ANSWER) {
        tell_of_run(r, e);
        return;
    }
    if (e->kind == DTX_SIM_FRAME) {
        ev.kind = DTX_EV_FRAME;
        ev.u.frame.from = e->a;
        ev.u.frame.data = e->data;
        ev.u.frame.len = e->len;
        dtx_sim_say_frame(r->sim, e);
        r->told_ns = r->sim->now_ns;
        dtx_sim_idle_frame(r, e->data, e->len);
    } else if (e->kind == DTX_SIM_STOPPING) {
        ev.kind = DTX_EV_STOP;
        ev.u.stop = (enum dtx_stop)e->a;
    } else if (e->kind == DTX_SIM_OTHERS) {
        ev.kind = DTX_EV_OTHERS;
        ev.u.others = e->a;
        dtx_sim_say(r->sim, "rank %u measures others", r->number);
    } else {
        r->timer = DTX_SIM_NONE;
    }
    dtx_sim_step_worker(r, &ev);
}

/* False when the event is to be kept for later. */
static bool deliver(struct dtx_sim *s, uint32_t i)
{
    struct dtx_sim_event e = s->event[i];
    struct dtx_sim_rank *r;

    if (e.target == DTX_SIM_MASTER) {
        tell_master(s, &e);
        return true;
    }
    r = dtx_sim_rank_of(s, e.target);
    if (e.kind == DTX_SIM_FAIL) {
        dtx_sim_fail(s, &s->c.faults[e.a]);
    } else if (e.kind == DTX_SIM_ALONE) {
        dtx_sim_crowd(r, 0);
    } else if (e.life != r->life) {
        return true;
    } else if (e.kind == DTX_SIM_COME) {
        dtx_sim_come(r);
    } else if (e.kind == DTX_SIM_END) {
        dtx_sim_exec_end(s, e.a);
    } else if (e.kind == DTX_SIM_WAKE) {
        dtx_sim_say(s, "rank %u goes on", r->number);
        r->hung = false;
    } else if (heard(s, &e)) {
        tell_worker(r, &e);
    } else if (r->up && hangs(s, r)) {
        s->event[i].at_ns = r->wake_ns;
        return false;
    }
    return true;
}

void dtx_sim_hear(struct dtx_sim *s, uint32_t i)
{
    if (deliver(s, i))
        dtx_sim_give_event(s, i);
    else
        dtx_sim_post_again(s, i);
}

/* Lines of cache of something that will be wanted. */
static void fetch(const void *p, size_t lines)
{
    size_t i;

    for (i = 0; i < lines; i++)
        __builtin_prefetch((const char *)p + 64 * i);
}

/* With many ranks each event finds its own cold, and waiting for memory is most
 * of what it costs. The next one is known, and the one after it is one of its
 * children in the heap: the event and the rank of these are fetched, and what
 * those of the next one point to. */
static void look_ahead(const struct dtx_sim *s)
{
    const struct dtx_sim_key *key = s->queue.key;
    const struct dtx_sim_event *e;
    uint32_t target;
    size_t i;

    if (s->queue.len == 0)
        return;
    e = &s->event[key[0].event];
    target = (uint32_t)key[0].order;
    if (e->kind == DTX_SIM_END || e->kind == DTX_SIM_NOTICE)
        fetch(&s->run[e->a], sizeof(*s->run) / 64 + 1);
    else if (e->kind == DTX_SIM_FRAME)
        fetch(e->data, 1);
    if (target != DTX_SIM_MASTER)
        fetch(s->rank[target - 1].worker, WORKER_LINES);
    else if (e->kind == DTX_SIM_FRAME)
        dtx_master_expect(s->master, e->a);
    for (i = 1; i < s->queue.len && i <= 4; i++) {
        fetch(&s->event[key[i].event], 2);
        target = (uint32_t)key[i].order;
        if (target != DTX_SIM_MASTER)
            fetch(&s->rank[target - 1], sizeof(*s->rank) / 64 + 1);
    }
}

static void next_event(struct dtx_sim *s)
{
    uint32_t i = dtx_sim_take(s);
    const struct dtx_sim_event *e = &s->event[i];
    int64_t what[4] = {e->at_ns, (int64_t)e->kind, e->target, e->a};
    int64_t end = s->c.end_ns ? s->c.end_ns : DEFAULT_END_NS;

    look_ahead(s);
    s->same_time = e->at_ns == s->now_ns ? s->same_time + 1 : 0;
    s->now_ns = e->at_ns;
    s->res.events += e->kind != DTX_SIM_LOOK;
    dtx_sim_mix(s, what, sizeof(what));
    if (s->now_ns > end)
        dtx_sim_break(s, "time is over and FINISH has not come");
    if (s->same_time >
        SAME_TIME + SAME_TIME_EACH * ((uint64_t)s->ntasks + s->nranks))
        dtx_sim_break(s, "events without end at one time");
    if (!dtx_sim_cpu_keeps(s, i))
        dtx_sim_hear(s, i);
}

/* ---- life ---- */

static int check_config(const struct dtx_sim_config *c, struct dtx_error *err)
{
    uint32_t r;
    size_t i;

    for (r = 0; r < c->master.nranks; r++) {
        if (c->slots[r] == 0 || c->slots[r] > DTX_MAX_CPUS)
            return dtx_error_set(err, DTX_EINVAL, "sim: rank %u has %u slots",
                                 r, c->slots[r]);
    }
    for (i = 0; i < c->nfaults; i++) {
        const struct dtx_sim_fault *f = &c->faults[i];
        bool crowd = f->kind == DTX_SIM_CROWD;

        if (f->rank >= c->master.nranks ||
            (f->rank == 0 && !crowd && f->kind != DTX_SIM_STOPREQ))
            return dtx_error_set(err, DTX_EINVAL, "sim: a fault of rank %u",
                                 f->rank);
        if (crowd && (!(f->share >= 0 && f->share < 1) ||
                      (c->memory.bound && c->memory.domains > 0)))
            return dtx_error_set(err, DTX_EINVAL,
                                 "sim: others cannot take %g of rank %u",
                                 f->share, f->rank);
    }
    if (c->never >= c->master.nranks)
        return dtx_error_set(err, DTX_EINVAL, "sim: no rank %u", c->never);
    return DTX_OK;
}

static void post_first(struct dtx_sim *s)
{
    const struct dtx_sim_config *c = &s->c;
    uint32_t r;
    size_t i;

    (void)dtx_sim_post(s, 0, DTX_SIM_COME, DTX_SIM_MASTER, 0);
    for (r = 0; r < s->nranks; r++) {
        if (r > 0 && r == c->never)
            dtx_sim_count_as_lost(s, &s->rank[r]);
        else
            (void)dtx_sim_post(
                s, r ? dtx_sim_spread(s, 0, c->start_spread_ns) : 0,
                DTX_SIM_COME, s->rank[r].target, 0);
    }
    for (i = 0; i < c->nfaults; i++)
        (void)dtx_sim_post(s, c->faults[i].at_ns, DTX_SIM_FAIL,
                           s->rank[c->faults[i].rank].target, (uint32_t)i);
    if (c->stop_at_ns > 0)
        (void)dtx_sim_post(s, c->stop_at_ns, DTX_SIM_STOPPING, DTX_SIM_MASTER,
                           (uint32_t)c->stop);
    if (c->deadline_ns > 0)
        (void)dtx_sim_post(s, c->deadline_told_ns, DTX_SIM_DEADLINE,
                           DTX_SIM_MASTER, 0);
    if (c->arrive_ns)
        (void)dtx_sim_post(s, s->ntasks ? c->arrive_ns[0] : c->close_ns,
                           s->ntasks ? DTX_SIM_ARRIVE : DTX_SIM_CLOSE,
                           DTX_SIM_MASTER, 0);
    if (c->crash_at_ns > 0)
        (void)dtx_sim_post(s, c->crash_at_ns, DTX_SIM_CRASH, DTX_SIM_MASTER,
                           0);
}

static int init(struct dtx_sim *s, struct dtx_error *err)
{
    uint32_t r;

    s->nranks = s->c.master.nranks;
    s->ntasks = (uint32_t)s->c.master.list->ntasks;
    s->c.master.trace = s->c.trace ? master_says : NULL;
    s->c.master.trace_ctx = s;
    s->timer = DTX_SIM_NONE;
    s->out = s->worker_out = (struct dtx_actions)DTX_ACTIONS_INIT;
    s->res.idle.excess_ns = INT64_MIN / 2;
    dtx_rng_seed(&s->rng, s->c.seed);
    dtx_sim_queue_init(s);
    dtx_sim_cpu_init(s);
    s->rank = calloc(s->nranks, sizeof(*s->rank));
    if (!s->rank || dtx_sim_stream_init(s) || dtx_sim_check_init(s) ||
        dtx_sim_memory_init(s))
        return dtx_error_set(err, DTX_ENOMEM, "sim: no memory");
    for (r = 0; r < s->nranks; r++) {
        s->rank[r].sim = s;
        s->rank[r].number = r;
        s->rank[r].target = r + 1;
        s->rank[r].life = 1;
        s->rank[r].timer = DTX_SIM_NONE;
        dtx_sim_cpu_reset(&s->rank[r]);
    }
    s->master = dtx_master_create(&s->c.master, err);
    if (!s->master)
        return DTX_EINVAL;
    post_first(s);
    return s->nomem ? dtx_error_set(err, DTX_ENOMEM, "sim: no memory")
                    : DTX_OK;
}

struct dtx_sim *dtx_sim_create(const struct dtx_sim_config *c,
                               struct dtx_error *err)
{
    struct dtx_sim *s;

    if (check_config(c, err))
        return NULL;
    s = calloc(1, sizeof(*s));
    if (!s) {
        (void)dtx_error_set(err, DTX_ENOMEM, "sim: no memory");
        return NULL;
    }
    s->c = *c;
    if (init(s, err)) {
        dtx_sim_destroy(s);
        return NULL;
    }
    return s;
}

void dtx_sim_destroy(struct dtx_sim *s)
{
    size_t i;

    if (!s)
        return;
    for (i = 0; s->rank && i < s->nranks; i++) {
        dtx_worker_destroy(s->rank[i].worker);
        free(s->rank[i].slot_of);
        free(s->rank[i].freed);
    }
    dtx_sim_stream_fini(s);
    dtx_sim_memory_fini(s);
    dtx_sim_queue_fini(s);
    dtx_master_destroy(s->master);
    dtx_actions_free(&s->out);
    dtx_actions_free(&s->worker_out);
    free(s->rank);
    free(s->run);
    free(s->journal);
    free(s->task);
    free(s->blockers);
    free(s->skipped);
    free(s->stack);
    free(s);
}

/* ---- the run ---- */

int dtx_sim_run(struct dtx_sim *s, struct dtx_sim_result *out,
                struct dtx_error *err)
{
    while (!s->over && !s->broken.code && !s->nomem &&
           dtx_sim_first(s) != DTX_SIM_NONE)
        next_event(s);
    if (!s->over && !s->broken.code && !s->nomem)
        dtx_sim_check_quiet(s);
    dtx_sim_sum_up(s);
    *out = s->res;
    if (s->nomem)
        return dtx_error_set(err, DTX_ENOMEM, "sim: no memory");
    if (s->broken.code)
        return dtx_error_set(err, s->broken.code, "%s", s->broken.text);
    return DTX_OK;
}

const struct dtx_sim_record *dtx_sim_journal(const struct dtx_sim *s,
                                             size_t *count)
{
    *count = s->c.unchecked ? 0 : s->njournal;
    return s->journal;
}

const struct dtx_master *dtx_sim_master(const struct dtx_sim *s)
{
    return s->master;
}

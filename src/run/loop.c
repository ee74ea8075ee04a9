/* SPDX-License-Identifier: MIT */
/* One rank's main loop; see loop.h.  It moves things between the engine and
 * the world and decides nothing about tasks. */
#include "run/loop_state.h"

#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "engine/master.h"
#include "engine/worker.h"
#include "mpi/transport.h"
#include "node/bell.h"
#include "node/clock.h"
#include "node/others.h"
#include "node/spawner.h"
#include "run/exec.h"
#include "run/inbox.h"
#include "run/lines.h"
#include "run/live.h"
#include "run/noderun.h"
#include "run/place.h"
#include "run/show.h"
#include "run/signals.h"
#include "run/status.h"
#include "run/stream.h"
#include "run/watch.h"
#include "store/writer.h"
#include "task/task.h"
#include "wire/wire.h"

#define TICK_NS (500 * DTX_MSEC_NS)
#define NAP_NEAR_NS (100 * DTX_MSEC_NS) /* everybody can ring us */
#define NAP_FAR_MAX_NS (1 * DTX_MSEC_NS)
#define NAP_BUSY_NS (50 * INT64_C(1000)) /* a send or receive is under way */
#define MAX_AT_ONCE 256
#define KILLED_SHOW_NS (300 * DTX_MSEC_NS) /* to show what has gathered */

/* ---- life ---- */

static int open_peers(struct dtx_loop *l)
{
    uint32_t r;

    l->peer = calloc(l->c.size, sizeof(struct dtx_bell *));
    l->unsent = calloc(l->c.size, sizeof(*l->unsent));
    l->gone = calloc(l->c.size, sizeof(*l->gone));
    l->done = calloc(l->c.size, sizeof(*l->done));
    l->here_ns = calloc(l->c.size, sizeof(*l->here_ns));
    if (!l->peer || !l->unsent || !l->gone || !l->done || !l->here_ns)
        return DTX_ENOMEM;
    l->all_near = true;
    for (r = 0; r < l->c.size; r++) {
        if (r == l->c.rank || (l->c.rank != 0 && r != 0))
            continue;
        if (dtx_card_same_node(&l->c.cards[r], &l->c.cards[l->c.rank]))
            l->peer[r] = dtx_bell_open(&l->c.cards[r].bell);
        l->all_near &= l->peer[r] != NULL;
    }
    return DTX_OK;
}

struct dtx_loop *dtx_loop_create(const struct dtx_loop_config *c)
{
    struct dtx_loop *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->c = *c;
    l->master_done = c->master == NULL;
    dtx_live_begin(&l->live, c->rank, c->lines, c->show, dtx_loop_lines, l);
    if (open_peers(l)) {
        dtx_loop_destroy(l);
        return NULL;
    }
    return l;
}

void dtx_loop_destroy(struct dtx_loop *l)
{
    uint32_t r;

    if (!l)
        return;
    for (r = 0; l->peer && r < l->c.size; r++)
        dtx_bell_destroy(l->peer[r]);
    free(l->peer);
    free(l->unsent);
    free(l->gone);
    free(l->done);
    free(l->here_ns);
    free(l->pulled);
    dtx_inbox_free(&l->to_master);
    dtx_inbox_free(&l->to_worker);
    dtx_inbox_free(&l->current);
    dtx_actions_free(&l->actions);
    dtx_buf_free(&l->frame);
    free(l);
}

void dtx_loop_fail(struct dtx_loop *l, int status, const char *text)
{
    if (l->status)
        return;
    l->status = status;
    (void)dtx_error_set(l->err, DTX_ESTATE, "%s", text);
}

/* ---- carrying out actions ---- */

static void act_run(struct dtx_loop *l, const struct dtx_action *a)
{
    struct dtx_cursor c =
        dtx_cursor_over(dtx_action_bytes(&l->actions, a), a->len);
    struct dtx_item_work w;

    if (dtx_item_work_next(&c, &w) != 1 || dtx_exec_run(l->c.exec, &w))
        dtx_loop_fail(l, DTX_EXIT_INTERNAL,
                      "cannot start a task: out of memory");
}

static void act_recall(struct dtx_loop *l, const struct dtx_action *a)
{
    struct dtx_event *ev = dtx_inbox_add(&l->to_worker, DTX_EV_RECALLED);

    ev->u.recalled.task = a->u.ref.task;
    ev->u.recalled.attempt = a->u.ref.attempt;
    ev->u.recalled.taken_back =
        dtx_exec_recall(l->c.exec, a->u.ref.task, a->u.ref.attempt);
}

static void act_record(struct dtx_loop *l, const struct dtx_action *a)
{
    l->number = a->u.record.number;
    if (dtx_writer_record(l->c.writer, a->u.record.number,
                          dtx_action_bytes(&l->actions, a), a->len,
                          a->u.record.task, a->u.record.urgent))
        dtx_loop_fail(l, DTX_EXIT_INTERNAL,
                      "cannot record an outcome: out of memory");
}

static void act_show(struct dtx_loop *l, const struct dtx_action *a)
{
    l->c.ended(l->c.ctx, &a->u.show.outcome, a->u.show.final);
    if (dtx_show_push(l->c.show, &a->u.show.outcome, a->u.show.final))
        dtx_log(DTX_LOG_WARN, "out of memory: an output is not shown");
}

static void carry_out(struct dtx_loop *l, bool master)
{
    size_t i;

    for (i = 0; i < l->actions.count; i++) {
        const struct dtx_action *a = &l->actions.list[i];

        switch (a->kind) {
        case DTX_ACT_SEND:
            if (!master && l->c.rank == 0)
                dtx_inbox_frame(&l->to_master, 0,
                                dtx_action_bytes(&l->actions, a), a->len);
            else
                dtx_loop_frame(l, a->u.to, dtx_action_bytes(&l->actions, a),
                               a->len);
            break;
        case DTX_ACT_RUN:
            act_run(l, a);
            break;
        case DTX_ACT_RECALL:
            act_recall(l, a);
            break;
        case DTX_ACT_KILL:
            dtx_exec_kill(l->c.exec, a->u.ref.task, a->u.ref.attempt);
            break;
        case DTX_ACT_LIMIT:
            dtx_spawner_limit(l->c.spawner, a->u.limit_ns);
            break;
        case DTX_ACT_DEADLINE: /* the spawner goes by the wall clock */
            dtx_spawner_deadline(l->c.spawner, dtx_clock_wall_ns() +
                                                   a->u.deadline_ns -
                                                   dtx_clock_mono_ns());
            break;
        case DTX_ACT_RECORD:
            act_record(l, a);
            break;
        case DTX_ACT_SHOW:
            act_show(l, a);
            break;
        case DTX_ACT_WAKE_AT:
            *(master ? &l->master_wake_ns : &l->worker_wake_ns) =
                a->u.wake_at_ns;
            break;
        case DTX_ACT_FORGET:
            dtx_tasklist_forget(l->c.list, a->u.over);
            break;
        case DTX_ACT_LOST:
            dtx_loop_expel(l, a);
            break;
        case DTX_ACT_FINISH:
            *(master ? &l->master_done : &l->worker_done) = true;
            break;
        }
    }
}

/* Step one machine through all that waits for it. */
static bool deliver(struct dtx_loop *l, bool master)
{
    struct dtx_inbox *box = master ? &l->to_master : &l->to_worker;
    struct dtx_inbox taken = *box;
    int64_t now = dtx_clock_mono_ns();
    size_t i;

    if (taken.count == 0 ||
        (!master && l->c.node && !dtx_noderun_ready(l->c.node)))
        return false;
    if (taken.failed)
        dtx_loop_fail(l, DTX_EXIT_INTERNAL, "out of memory");
    *box = l->current; /* what the actions bring comes next time */
    l->current = taken;
    for (i = 0; i < l->current.count && !l->status; i++) {
        const struct dtx_event *ev = dtx_inbox_event(&l->current, i, now);
        int rc = master ? dtx_master_step(l->c.master, ev, &l->actions)
                        : dtx_worker_step(l->c.worker, ev, &l->actions);

        if (rc)
            dtx_loop_fail(l, DTX_EXIT_INTERNAL,
                          rc == DTX_EPROTO
                              ? "a frame that is not the protocol's"
                              : "the engine is out of memory");
        else
            carry_out(l, master);
        if (master)
            dtx_show_settle(l->c.show);
    }
    dtx_inbox_clear(&l->current);
    if (master)
        dtx_loop_tell_lost(l);
    else if (dtx_worker_deserted(l->c.worker))
        dtx_loop_fail(l, DTX_EXIT_LOST,
                      "rank 0 is silent: it hangs, or the way to it is cut");
    return true;
}

/* ---- what comes in ---- */

static void ask_to_stop(struct dtx_loop *l, enum dtx_stop how)
{
    struct dtx_inbox *b = l->c.master ? &l->to_master : &l->to_worker;

    dtx_inbox_add(b, DTX_EV_STOP)->u.stop = how;
}

/* The disk is full: run no more. */
static void tell_trouble(struct dtx_loop *l)
{
    l->told_trouble = true;
    if (l->c.master)
        l->trouble = DTX_EXIT_STORAGE;
    else
        dtx_loop_bulk(l, 0, DTX_BULK_TROUBLE, 0, NULL, DTX_EXIT_STORAGE);
    ask_to_stop(l, DTX_STOP_DRAIN);
}

/* What was killed when the spawner died has not failed. */
static void judge_signal(struct dtx_loop *l, struct dtx_outcome *o)
{
    if (o->status == DTX_STATUS_SIGNALED && o->signal == SIGKILL &&
        !dtx_spawner_alive(l->c.spawner))
        o->status = DTX_STATUS_KILLED;
}

static bool poll_exec(struct dtx_loop *l)
{
    struct dtx_outcome o;
    bool moved;

    if (l->c.node && dtx_noderun_busy(l->c.node))
        return dtx_noderun_pump(l->c.node);
    moved = dtx_exec_pump(l->c.exec);

    while (dtx_exec_next(l->c.exec, &o)) {
        judge_signal(l, &o);
        if (!l->c.lines || !dtx_lines_hold(l->c.lines, &o))
            dtx_inbox_ended(&l->to_worker, &o);
        moved = true;
    }
    if (dtx_exec_error(l->c.exec) && !l->told_trouble)
        tell_trouble(l);
    return moved;
}

static bool poll_writer(struct dtx_loop *l)
{
    struct dtx_writer_result r;
    bool moved = false;
    int i;

    for (i = 0; l->c.writer && i < MAX_AT_ONCE &&
                dtx_writer_poll(l->c.writer, &r); i++) {
        moved = true;
        if (r.kind == DTX_WRITER_RECORDED)
            dtx_inbox_add(&l->to_master, DTX_EV_RECORDED)->u.recorded =
                r.recorded;
        else
            dtx_loop_fail(l, r.error == DTX_ENOSPC ? DTX_EXIT_STORAGE
                          : DTX_EXIT_RUNDIR,
                          r.text);
    }
    return moved;
}

static bool poll_signals(struct dtx_loop *l)
{
    unsigned n = dtx_signals_count();

    if (n == l->signals)
        return false;
    l->signals = n;
    if (l->c.node)
        dtx_noderun_kill(l->c.node);
    ask_to_stop(l, dtx_signals_asked());
    return true;
}

/* Set-ups that still run when all is over are in vain. */
static void stop_set_ups(struct dtx_loop *l)
{
    struct dtx_master_stats s;

    if (!l->c.node || !l->c.master)
        return;
    dtx_master_stats(l->c.master, &s);
    if (s.stopping || s.finished)
        dtx_noderun_stop(l->c.node);
}

/* What --memfree does is told: once that tasks wait, and each task it ends;
 * the worker hears of it, so that others may have what waits. */
static void look_at_memory(struct dtx_loop *l)
{
    struct dtx_spawner_memory m;
    long long mib;

    dtx_spawner_memory(l->c.spawner, &m);
    mib = m.free_bytes / (1 << 20);
    if (m.held && !l->told_held)
        dtx_log(DTX_LOG_WARN,
                "rank %u on %s starts no task for now: %lld MiB of memory are "
                "free, less than --memfree asks for",
                (unsigned)l->c.rank, l->c.cards[l->c.rank].host, mib);
    l->told_held |= m.held;
    if (m.held != l->held)
        dtx_inbox_add(&l->to_worker, DTX_EV_HELD)->u.held = m.held;
    l->held = m.held;
    if (m.relieved != l->relieved)
        dtx_log(DTX_LOG_WARN,
                "rank %u on %s has ended the task that started last, since "
                "only %lld MiB of memory were free; it will run again",
                (unsigned)l->c.rank, l->c.cards[l->c.rank].host, mib);
    l->relieved = m.relieved;
}

static void look_at_others(struct dtx_loop *l)
{
    uint32_t now = l->c.others ? dtx_others_told(l->c.others) : 0;

    if (now != l->others)
        dtx_inbox_add(&l->to_worker, DTX_EV_OTHERS)->u.others = now;
    l->others = now;
}

static bool tick(struct dtx_loop *l)
{
    enum dtx_stop how = l->c.tick ? l->c.tick(l->c.ctx) : (enum dtx_stop)0;

    if (how)
        ask_to_stop(l, how);
    stop_set_ups(l);
    look_at_memory(l);
    look_at_others(l);
    return how != 0;
}

static bool poll_timers(struct dtx_loop *l, int64_t now)
{
    bool moved = false;

    if (l->master_wake_ns && l->master_wake_ns <= now) {
        l->master_wake_ns = 0;
        (void)dtx_inbox_add(&l->to_master, DTX_EV_TIMER);
        moved = true;
    }
    if (l->worker_wake_ns && l->worker_wake_ns <= now) {
        l->worker_wake_ns = 0;
        (void)dtx_inbox_add(&l->to_worker, DTX_EV_TIMER);
        moved = true;
    }
    if (now >= l->alive_ns) {
        l->alive_ns = now + DTX_LOOP_ALIVE_NS;
        dtx_loop_spawner(l);
        moved |= dtx_loop_watch(l, now);
    }
    if (now >= l->tick_ns) {
        l->tick_ns = now + TICK_NS;
        moved |= tick(l);
    }
    return moved;
}

/* Tasks of a live list. A job that stops reads no more of them. */
static bool poll_stream(struct dtx_loop *l)
{
    struct dtx_event ev = {.kind = DTX_EV_CLOSED};
    struct dtx_master_stats st;
    bool failed = false;

    if (!l->c.stream)
        return false;
    dtx_master_stats(l->c.master, &st);
    if (st.stopping || st.finished)
        dtx_taskstream_stop(l->c.stream);
    if (dtx_taskstream_next(l->c.stream, &ev, &failed)) {
        if (ev.kind == DTX_EV_TASKS && l->c.arrive)
            l->c.arrive(l->c.ctx, &ev.u.tasks);
        *dtx_inbox_add(&l->to_master, ev.kind) = ev;
        return true;
    }
    if (failed)
        dtx_loop_fail(l, DTX_EXIT_INTERNAL,
                      "out of memory for the tasks that come");
    return false;
}

/* ---- sleeping ---- */

static int64_t nap_of(struct dtx_loop *l, int64_t now)
{
    int64_t nap = l->all_near ? NAP_NEAR_NS : l->nap_ns;
    int64_t due = l->tick_ns;

    if (l->master_wake_ns && l->master_wake_ns < due)
        due = l->master_wake_ns;
    if (l->worker_wake_ns && l->worker_wake_ns < due)
        due = l->worker_wake_ns;
    if (l->c.lines && l->live.next_ns < due)
        due = l->live.next_ns;
    if (l->c.transport && !dtx_transport_quiet(l->c.transport) &&
        nap > NAP_BUSY_NS)
        nap = NAP_BUSY_NS;
    if (l->c.watch && dtx_watch_is_near(l->c.watch) && l->alive_ns < due)
        due = l->alive_ns;
    if (due - now < nap)
        nap = due - now;
    return nap > 0 ? nap : 0;
}

static bool pump(struct dtx_loop *l)
{
    bool moved = poll_signals(l);

    dtx_spawner_beat(l->c.spawner);
    moved |= poll_exec(l);
    moved |= poll_writer(l);
    moved |= dtx_loop_hear(l);
    moved |= dtx_loop_show(l);
    moved |= poll_stream(l);
    moved |= poll_timers(l, dtx_clock_mono_ns());
    moved |= dtx_live_poll(&l->live, dtx_clock_mono_ns(), &l->to_worker);
    moved |= deliver(l, false);
    if (l->c.master)
        moved |= deliver(l, true);
    return moved;
}

/* Sleep unless something is due. */
void dtx_loop_rest(struct dtx_loop *l, uint32_t seen)
{
    dtx_bell_wait(l->c.bell, seen, nap_of(l, dtx_clock_mono_ns()));
    if (l->nap_ns < NAP_FAR_MAX_NS)
        l->nap_ns *= 2;
}

/* ---- the end ---- */

/* The engine has finished. On rank 0: and all ranks have said BYE, those that
 * came when all was over included, and all has been shown. */
static bool is_over(struct dtx_loop *l)
{
    if (l->c.node && dtx_noderun_out(l->c.node))
        l->worker_done = true; /* it never began */
    if (!l->master_done || !l->worker_done)
        return false;
    if (!l->c.master)
        return true;
    if (!dtx_master_all_gone(l->c.master))
        return false;
    if (l->over_ns == 0)
        l->over_ns = dtx_clock_mono_ns();
    dtx_show_end(l->c.show);
    if (dtx_show_idle(l->c.show))
        return true;
    return dtx_signals_asked() == DTX_STOP_KILL &&
           dtx_clock_mono_ns() - l->over_ns > KILLED_SHOW_NS;
}

/* ---- the node's commands ---- */

static void send_word(void *ctx, uint32_t to, uint8_t word, const char *text,
                      size_t len)
{
    dtx_loop_bulk(ctx, to, DTX_BULK_NODE, word, text, len);
}

static void node_is_out(void *ctx, uint32_t rank)
{
    struct dtx_loop *l = ctx;

    dtx_inbox_lost(&l->to_master, &(struct dtx_loss){.rank = rank});
}

static void node_was_stopped(void *ctx)
{
    ask_to_stop(ctx, DTX_STOP_DRAIN);
}

static void begin_node(struct dtx_loop *l)
{
    const struct dtx_noderun_hooks h = {send_word, node_is_out,
                                        node_was_stopped, l};

    if (l->c.node)
        dtx_noderun_begin(l->c.node, &h);
}

void dtx_loop_deadline(struct dtx_loop *l, int64_t mono_ns)
{
    if (l->c.master)
        dtx_inbox_add(&l->to_master, DTX_EV_DEADLINE)->u.deadline_ns = mono_ns;
}

void dtx_loop_costs(struct dtx_loop *l, const struct dtx_costs *c)
{
    if (l->c.master)
        dtx_inbox_add(&l->to_master, DTX_EV_COSTS)->u.costs = *c;
}

int dtx_loop_run(struct dtx_loop *l, struct dtx_error *err)
{
    l->err = err;
    l->nap_ns = DTX_LOOP_NAP_NS;
    l->tick_ns = dtx_clock_mono_ns() + TICK_NS;
    (void)dtx_inbox_add(&l->to_worker, DTX_EV_START);
    if (l->c.master)
        (void)dtx_inbox_add(&l->to_master, DTX_EV_START);
    begin_node(l);
    dtx_spawner_busy(l->c.spawner, false);
    while (!l->status && !is_over(l)) {
        uint32_t seen = dtx_bell_seen(l->c.bell);

        if (pump(l))
            l->nap_ns = DTX_LOOP_NAP_NS;
        else if (!is_over(l))
            dtx_loop_rest(l, seen);
    }
    return l->status;
}


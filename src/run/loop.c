/* SPDX-License-Identifier: MIT */
/* One rank's main loop; see loop.h.  It moves things between the engine and
 * the world and decides nothing about tasks.
 *
 * Bulk messages beside the engine's frames: PULL asks a rank for bytes of its
 * output file, DATA brings them; TROUBLE tells rank 0 of a rank that cannot go
 * on in good order; PACKED, that its outputs are on disk after the engine has
 * finished; LEAVE, from rank 0, ends the duty to answer PULLs and says whether
 * ranks were lost; NODE carries the words of run/noderun.h; HERE is said and
 * answered by those that wait for LEAVE; LINES brings lines of a task that runs
 * to rank 0, and BACK, from there, tells how many of them have come and been
 * written. */
#include "run/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/master.h"
#include "engine/worker.h"
#include "mpi/transport.h"
#include "node/bell.h"
#include "node/clock.h"
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
#include "store/output.h"
#include "store/writer.h"
#include "task/task.h"
#include "wire/wire.h"

#define TICK_NS (500 * DTX_MSEC_NS)
#define ALIVE_NS (50 * DTX_MSEC_NS) /* how often the spawner is looked at */
#define NAP_NEAR_NS (100 * DTX_MSEC_NS) /* everybody can ring us */
#define NAP_FAR_MIN_NS (100 * INT64_C(1000))
#define NAP_FAR_MAX_NS (1 * DTX_MSEC_NS)
#define NAP_BUSY_NS (50 * INT64_C(1000)) /* a send or receive is under way */
#define MAX_AT_ONCE 256
#define KILLED_SHOW_NS (300 * DTX_MSEC_NS) /* to show what has gathered */
#define HERE_NS (5 * DTX_SEC_NS)
#define PART_NS (60 * DTX_SEC_NS) /* silence at the end, disks may be slow */

enum bulk {
    BULK_PULL = 1,
    BULK_DATA,
    BULK_TROUBLE,
    BULK_PACKED,
    BULK_LEAVE,
    BULK_NODE,
    BULK_HERE,
    BULK_LINES,
    BULK_BACK
};

/* A PULL that has not been answered. */
struct pulled {
    uint32_t rank, len;
    uint64_t off;
};

struct dtx_loop {
    struct dtx_loop_config c;
    struct dtx_bell **peer; /* per rank, NULL when it cannot be rung */
    bool *unsent;           /* per rank: to be rung again when all is sent */
    bool *gone;             /* per rank: it is lost */
    bool *done;             /* per rank: outputs are on disk, or it is lost */
    int64_t *here_ns;       /* per rank: its last word, once all is over */
    struct pulled *pulled;
    size_t npulled, cap_pulled;
    uint32_t ngone, nsaid;  /* ranks lost; of them told of */
    bool lossy;             /* rank 0 says so */
    bool any_unsent;
    bool all_near;          /* whoever sends to us can ring us */
    struct dtx_inbox to_master, to_worker, current;
    struct dtx_actions actions;
    struct dtx_buf frame;
    int64_t master_wake_ns, worker_wake_ns; /* 0 = none */
    int64_t tick_ns, alive_ns, nap_ns;
    struct dtx_live live; /* lines of running tasks */
    int64_t over_ns; /* when only showing was left to do, 0 = not yet */
    unsigned signals;
    bool master_done, worker_done, leave;
    bool bereft; /* the spawner was found dead */
    bool told_trouble;
    int trouble;     /* rank 0: exit status some rank asks for, 0 = none */
    uint32_t packed; /* rank 0: ranks whose outputs are on disk */
    uint64_t number; /* last record handed to the store */
    int status;      /* exit status of a failure, 0 = none */
    struct dtx_error *err;
};

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

static void send_live(void *ctx, uint32_t to, bool back, uint64_t off,
                      const void *data, size_t len);

struct dtx_loop *dtx_loop_create(const struct dtx_loop_config *c)
{
    struct dtx_loop *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->c = *c;
    l->master_done = c->master == NULL;
    dtx_live_begin(&l->live, c->rank, c->lines, c->show, send_live, l);
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

static void fail(struct dtx_loop *l, int status, const char *text)
{
    if (l->status)
        return;
    l->status = status;
    (void)dtx_error_set(l->err, DTX_ESTATE, "%s", text);
}

/* ---- sending ---- */

static void send_to(struct dtx_loop *l, enum dtx_channel ch, uint32_t to,
                    const void *data, size_t len)
{
    if (dtx_transport_send(l->c.transport, ch, (int)to, data, len)) {
        fail(l, DTX_EXIT_INTERNAL, "cannot send a frame");
        return;
    }
    if (!l->peer[to])
        return;
    dtx_bell_ring(l->peer[to]);
    l->unsent[to] = l->any_unsent = true;
}

/* A frame that MPI had to hold back may have gone out since its receiver was
 * rung. */
static void ring_again(struct dtx_loop *l)
{
    uint32_t r;

    if (!l->any_unsent || !dtx_transport_quiet(l->c.transport))
        return;
    for (r = 0; r < l->c.size; r++) {
        if (l->unsent[r])
            dtx_bell_ring(l->peer[r]);
        l->unsent[r] = false;
    }
    l->any_unsent = false;
}

static void send_frame(struct dtx_loop *l, uint32_t to, const void *data,
                       size_t len)
{
    if (to != l->c.rank)
        send_to(l, DTX_CHANNEL_FRAMES, to, data, len);
    else
        dtx_inbox_frame(&l->to_worker, 0, data, len);
}

static void send_bulk(struct dtx_loop *l, uint32_t to, enum bulk kind,
                      uint64_t off, const void *data, size_t len)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_put_u8(&b, (uint8_t)kind);
    dtx_put_u64(&b, off);
    dtx_put_str(&b, (struct dtx_str){data ? data : "", data ? len : 0});
    dtx_put_u32(&b, (uint32_t)len);
    if (b.failed)
        fail(l, DTX_EXIT_INTERNAL, "out of memory");
    else
        send_to(l, DTX_CHANNEL_BULK, to, b.data, b.len);
    dtx_buf_free(&b);
}

/* ---- losing ranks ---- */

static void note_packed(struct dtx_loop *l, uint32_t rank)
{
    if (l->done[rank])
        return;
    l->done[rank] = true;
    l->packed++;
    if (l->c.node)
        dtx_noderun_done(l->c.node, rank);
}

/* What a lost rank was asked for is read from its file instead. */
static void read_instead(struct dtx_loop *l, const struct pulled *p)
{
    struct dtx_error err;
    char *piece = malloc(p->len + 1u);
    size_t len = p->len;

    if (!piece || dtx_output_read(l->c.reader, l->c.epoch, p->rank, p->off,
                                  piece, len, &err))
        len = 0;
    dtx_show_feed(l->c.show, p->rank, p->off, piece ? piece : "", len);
    free(piece);
}

/* The PULLs of a rank, or of this place alone, are answered. */
static void drop_pulled(struct dtx_loop *l, uint32_t rank, bool all,
                        uint64_t off)
{
    size_t i, n = 0;

    for (i = 0; i < l->npulled; i++) {
        struct pulled p = l->pulled[i];

        if (p.rank != rank || (!all && p.off != off))
            l->pulled[n++] = p;
        else if (all)
            read_instead(l, &p);
    }
    l->npulled = n;
}

/* Rank 0: no word goes to that rank any more, and none is waited for. */
static void lose_rank(struct dtx_loop *l, uint32_t rank)
{
    if (l->gone[rank])
        return;
    l->gone[rank] = true;
    l->ngone++;
    dtx_transport_lose(l->c.transport, (int)rank);
    dtx_bell_destroy(l->peer[rank]);
    l->peer[rank] = NULL;
    drop_pulled(l, rank, true, 0);
    if (l->c.node)
        dtx_noderun_lost(l->c.node, rank);
    note_packed(l, rank);
}

/* Ranks that the kernel or a spawner knows to be dead. */
static bool poll_watch(struct dtx_loop *l, int64_t now)
{
    struct dtx_loss loss;
    bool moved = false;
    int dead = l->c.watch ? dtx_transport_died(l->c.transport) : -1;

    if (dead >= 0 && (l->c.master || dead == 0))
        dtx_watch_died(l->c.watch, (uint32_t)dead, now);
    while (l->c.watch && !l->status &&
           dtx_watch_next(l->c.watch, now, &loss)) {
        moved = true;
        if (!l->c.master) {
            fail(l, DTX_EXIT_LOST, "rank 0 has died");
            break;
        }
        lose_rank(l, loss.rank);
        dtx_inbox_lost(&l->to_master, &loss);
    }
    return moved;
}

/* The master has found one by itself. */
static void act_lost(struct dtx_loop *l, const struct dtx_action *a)
{
    uint32_t rank = a->u.lost.rank;
    char gone[32], cause[64] = "it sent what is no message";

    if (a->u.lost.silent)
        (void)snprintf(cause, sizeof(cause), "silent for %s",
                       dtx_format_duration(gone, sizeof(gone),
                                           l->c.lost_after_ns));
    if (rank == l->c.rank || !l->c.watch) {
        fail(l, DTX_EXIT_INTERNAL, "the engine does not understand itself");
        return;
    }
    dtx_watch_expel(l->c.watch, rank, cause);
    lose_rank(l, rank);
}

/* Tell of those that the master has heard of by now. */
static void say_lost(struct dtx_loop *l)
{
    uint32_t r;

    if (l->nsaid == l->ngone)
        return;
    l->nsaid = l->ngone;
    for (r = 0; r < l->c.size; r++) {
        if (l->gone[r])
            l->c.lost(l->c.ctx, r);
    }
}

static void send_live(void *ctx, uint32_t to, bool back, uint64_t off,
                      const void *data, size_t len)
{
    struct dtx_loop *l = ctx;

    if (l->gone[to])
        return;
    send_bulk(ctx, to, back ? BULK_BACK : BULK_LINES, off, data, len);
}

/* ---- carrying out actions ---- */

static void act_run(struct dtx_loop *l, const struct dtx_action *a)
{
    struct dtx_cursor c =
        dtx_cursor_over(dtx_action_bytes(&l->actions, a), a->len);
    struct dtx_item_work w;

    if (dtx_item_work_next(&c, &w) != 1 || dtx_exec_run(l->c.exec, &w))
        fail(l, DTX_EXIT_INTERNAL, "cannot start a task: out of memory");
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
        fail(l, DTX_EXIT_INTERNAL, "cannot record an outcome: out of memory");
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
                send_frame(l, a->u.to, dtx_action_bytes(&l->actions, a),
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
            act_lost(l, a);
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
        fail(l, DTX_EXIT_INTERNAL, "out of memory");
    *box = l->current; /* what the actions bring comes next time */
    l->current = taken;
    for (i = 0; i < l->current.count && !l->status; i++) {
        const struct dtx_event *ev = dtx_inbox_event(&l->current, i, now);
        int rc = master ? dtx_master_step(l->c.master, ev, &l->actions)
                        : dtx_worker_step(l->c.worker, ev, &l->actions);

        if (rc)
            fail(l, DTX_EXIT_INTERNAL,
                 rc == DTX_EPROTO ? "a frame that is not the protocol's"
                                  : "the engine is out of memory");
        else
            carry_out(l, master);
        if (master)
            dtx_show_settle(l->c.show);
    }
    dtx_inbox_clear(&l->current);
    if (master)
        say_lost(l);
    else if (dtx_worker_deserted(l->c.worker))
        fail(l, DTX_EXIT_LOST, "rank 0 is silent: it hangs, or the way to it "
                               "is cut");
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
        send_bulk(l, 0, BULK_TROUBLE, 0, NULL, DTX_EXIT_STORAGE);
    ask_to_stop(l, DTX_STOP_DRAIN);
}

/* A batch system that ends a job sends TERM, then KILL, to ranks and tasks
 * alike: a task that ended so while we were asked to stop has not failed.  Nor
 * has one that was killed when the spawner died. */
static void judge_signal(struct dtx_loop *l, struct dtx_outcome *o)
{
    if (o->status != DTX_STATUS_SIGNALED)
        return;
    if (dtx_signals_asked() && (o->signal == SIGTERM || o->signal == SIGKILL))
        o->status = DTX_STATUS_KILLED;
    if (o->signal == SIGKILL && !dtx_spawner_alive(l->c.spawner))
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
            fail(l, r.error == DTX_ENOSPC ? DTX_EXIT_STORAGE
                                          : DTX_EXIT_RUNDIR,
                 r.text);
    }
    return moved;
}

/* Answer a PULL; an empty answer means the bytes cannot be had. */
static void serve_pull(struct dtx_loop *l, uint32_t from, uint64_t off,
                       uint32_t len)
{
    struct dtx_error err;
    char *piece = len <= DTX_SHOW_PIECE ? malloc(len) : NULL;

    if (!piece || dtx_output_read(l->c.reader, l->c.epoch, l->c.rank, off,
                                  piece, len, &err))
        len = 0;
    send_bulk(l, from, BULK_DATA, off, piece ? piece : "", len);
    free(piece);
}

static void on_bulk(struct dtx_loop *l, uint32_t from)
{
    struct dtx_cursor c = dtx_cursor_over(l->frame.data, l->frame.len);
    uint8_t kind = dtx_get_u8(&c);
    uint64_t off = dtx_get_u64(&c);
    struct dtx_str data = dtx_get_str(&c);
    uint32_t len = dtx_get_u32(&c);

    if (!dtx_cursor_done(&c) || l->gone[from])
        return;
    l->here_ns[from] = dtx_clock_mono_ns();
    if (kind == BULK_PULL && from == 0)
        serve_pull(l, from, off, len);
    else if (kind == BULK_DATA && l->c.show) {
        drop_pulled(l, from, false, off);
        dtx_show_feed(l->c.show, from, off, data.data, data.len);
    }
    else if (kind == BULK_TROUBLE && l->c.master)
        l->trouble = len < 256 ? (int)len : DTX_EXIT_INTERNAL;
    else if (kind == BULK_PACKED && l->c.master)
        note_packed(l, from);
    else if (kind == BULK_NODE && l->c.node)
        dtx_noderun_hear(l->c.node, from, off, data.data, data.len);
    else if (kind == BULK_HERE && l->c.master)
        send_bulk(l, from, BULK_HERE, 0, NULL, 0);
    else if (kind == BULK_LINES && l->c.show)
        dtx_live_hear(&l->live, from, off, data);
    else if (kind == BULK_BACK && from == 0)
        dtx_live_back(&l->live, len, off);
    else if (kind == BULK_LEAVE && from == 0) {
        l->leave = true;
        l->lossy = off != 0;
    }
}

static bool poll_transport(struct dtx_loop *l)
{
    enum dtx_channel ch;
    int from, rc = 0, i;

    if (!l->c.transport)
        return false;
    for (i = 0; i < MAX_AT_ONCE; i++) {
        dtx_buf_clear(&l->frame);
        rc = dtx_transport_recv(l->c.transport, &ch, &from, &l->frame);
        if (rc <= 0)
            break;
        if (ch == DTX_CHANNEL_BULK)
            on_bulk(l, (uint32_t)from);
        else
            dtx_inbox_frame(l->c.master ? &l->to_master : &l->to_worker,
                            (uint32_t)from, l->frame.data, l->frame.len);
    }
    if (rc == DTX_ENOMEM)
        fail(l, DTX_EXIT_INTERNAL, "out of memory");
    else if (rc < 0)
        fail(l, DTX_EXIT_LOST, "MPI cannot receive");
    ring_again(l);
    return i > 0;
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

static bool tick(struct dtx_loop *l)
{
    enum dtx_stop how = l->c.tick ? l->c.tick(l->c.ctx) : (enum dtx_stop)0;

    if (how)
        ask_to_stop(l, how);
    stop_set_ups(l);
    return how != 0;
}

/* When it has died, what ended before may still be on its way to the journal:
 * give up at the second look. */
static void look_at_spawner(struct dtx_loop *l)
{
    if (dtx_spawner_alive(l->c.spawner))
        return;
    if (l->bereft)
        fail(l, DTX_EXIT_LOST, "the process that runs the tasks has died");
    l->bereft = true;
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
        l->alive_ns = now + ALIVE_NS;
        look_at_spawner(l);
        moved |= poll_watch(l, now);
    }
    if (now >= l->tick_ns) {
        l->tick_ns = now + TICK_NS;
        moved |= tick(l);
    }
    return moved;
}

static void pull(struct dtx_loop *l, const struct pulled *want)
{
    struct pulled *p;

    if (l->gone[want->rank]) {
        read_instead(l, want);
        return;
    }
    p = dtx_grow(l->pulled, &l->cap_pulled, l->npulled + 1, sizeof(*p));
    if (!p) {
        fail(l, DTX_EXIT_INTERNAL, "out of memory");
        return;
    }
    l->pulled = p;
    l->pulled[l->npulled++] = *want;
    send_bulk(l, want->rank, BULK_PULL, want->off, NULL, want->len);
}

static bool poll_show(struct dtx_loop *l)
{
    struct dtx_show_want w;
    bool moved = false;

    if (l->c.show)
        dtx_show_tend(l->c.show);
    while (l->c.show && l->c.transport && dtx_show_want(l->c.show, &w)) {
        pull(l, &(struct pulled){w.rank, w.len, w.off});
        moved = true;
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
        *dtx_inbox_add(&l->to_master, ev.kind) = ev;
        return true;
    }
    if (failed)
        fail(l, DTX_EXIT_INTERNAL, "out of memory for the tasks that come");
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
    moved |= poll_transport(l);
    moved |= poll_show(l);
    moved |= poll_stream(l);
    moved |= poll_timers(l, dtx_clock_mono_ns());
    moved |= dtx_live_poll(&l->live, dtx_clock_mono_ns(), &l->to_worker);
    moved |= deliver(l, false);
    if (l->c.master)
        moved |= deliver(l, true);
    return moved;
}

/* Sleep unless something is due. */
static void rest(struct dtx_loop *l, uint32_t seen)
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
    send_bulk(ctx, to, BULK_NODE, word, text, len);
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

int dtx_loop_run(struct dtx_loop *l, struct dtx_error *err)
{
    l->err = err;
    l->nap_ns = NAP_FAR_MIN_NS;
    l->tick_ns = dtx_clock_mono_ns() + TICK_NS;
    (void)dtx_inbox_add(&l->to_worker, DTX_EV_START);
    if (l->c.master)
        (void)dtx_inbox_add(&l->to_master, DTX_EV_START);
    begin_node(l);
    while (!l->status && !is_over(l)) {
        uint32_t seen = dtx_bell_seen(l->c.bell);

        if (pump(l))
            l->nap_ns = NAP_FAR_MIN_NS;
        else if (!is_over(l))
            rest(l, seen);
    }
    return l->status;
}

/* Ctrl-C while a tear-down runs ends it. */
static bool poll_node(struct dtx_loop *l)
{
    if (!l->c.node)
        return false;
    if (dtx_signals_count() != l->signals) {
        l->signals = dtx_signals_count();
        if (dtx_signals_asked() == DTX_STOP_KILL)
            dtx_noderun_kill(l->c.node);
    }
    return dtx_noderun_pump(l->c.node);
}

/* After the run: only the transport is listened to. */
static bool may_part(const struct dtx_loop *l)
{
    if (!l->c.master)
        return l->leave;
    return l->packed >= l->c.size &&
           (!l->c.node || dtx_noderun_over(l->c.node));
}

/* Who waits for the end hears and says now and then that the others live: the
 * engine does not listen any more. */
static void watch_parting(struct dtx_loop *l, int64_t now)
{
    uint32_t r;

    if (now < l->alive_ns)
        return;
    l->alive_ns = now + ALIVE_NS;
    if (l->c.node && !dtx_noderun_over(l->c.node))
        look_at_spawner(l); /* whose death would leave a tear-down undone */
    (void)poll_watch(l, now);
    if (l->c.master) {
        for (r = 1; r < l->c.size; r++) {
            if (!l->done[r] && now - l->here_ns[r] > PART_NS) {
                dtx_watch_expel(l->c.watch, r, "it did not come to its end");
                lose_rank(l, r);
            }
        }
        say_lost(l);
        return;
    }
    if (now - l->here_ns[0] > PART_NS)
        fail(l, DTX_EXIT_LOST, "rank 0 is silent");
    if (now - l->here_ns[l->c.rank] > HERE_NS) {
        l->here_ns[l->c.rank] = now;
        send_bulk(l, 0, BULK_HERE, 0, NULL, 0);
    }
}

int dtx_loop_part(struct dtx_loop *l, struct dtx_error *err)
{
    uint32_t r;

    l->err = err;
    l->tick_ns = l->live.next_ns = INT64_MAX;
    for (r = 0; r < l->c.size; r++)
        l->here_ns[r] = dtx_clock_mono_ns();
    if (!l->c.master)
        send_bulk(l, 0, BULK_PACKED, 0, NULL, 0);
    else
        note_packed(l, 0);
    while (!l->status && !may_part(l)) {
        uint32_t seen = dtx_bell_seen(l->c.bell);
        bool moved = poll_node(l);

        moved |= poll_transport(l);
        watch_parting(l, dtx_clock_mono_ns());
        if (moved)
            l->nap_ns = NAP_FAR_MIN_NS;
        else if (!l->status && !may_part(l))
            rest(l, seen);
    }
    return l->status;
}

void dtx_loop_dismiss(struct dtx_loop *l)
{
    uint32_t r;

    for (r = 1; l->c.master && r < l->c.size; r++)
        send_bulk(l, r, BULK_LEAVE, l->ngone, NULL, 0);
}

bool dtx_loop_lossy(const struct dtx_loop *l)
{
    return l->lossy || l->ngone > 0;
}

int dtx_loop_trouble(const struct dtx_loop *l)
{
    if (l->c.node && l->c.master && dtx_noderun_failed(l->c.node))
        return DTX_EXIT_SETUP;
    return l->trouble;
}

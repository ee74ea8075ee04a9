/* SPDX-License-Identifier: MIT */
/* tests/bench/service.c - what rank 0 spends on a message and on a task
 *
 *     mpirun -n RANKS service DIRECTORY [TASKS]
 *
 * Rank 0 is the real master behind the real transport, with a real journal in
 * DIRECTORY (which must be empty).  The others are the real worker with an
 * executor in which every task ends at once, so that rank 0 is never without
 * something to do.  What is counted at rank 0 is the time from taking a frame
 * to having carried out what follows: the receiving, the step, the records
 * handed to the store thread, the sending.  Looking in vain does not count.
 *
 * With one slot a rank every task takes a message each way, with 64 slots a
 * 64th of one: two equations for the cost of a message and of a task.  These
 * are the defaults of "distributex simulate" (sim/scenario.c).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "engine/master.h"
#include "engine/worker.h"
#include "mpi/transport.h"
#include "store/journal.h"
#include "store/writer.h"
#include "task/graph.h"
#include "task/task.h"
#include "wire/wire.h"

#define WIDE_SLOTS 64u

struct bench {
    struct dtx_transport *transport;
    uint32_t rank, size;
    struct dtx_actions out;
    struct dtx_buf frame;
};

/* Rank 0's side. */
struct chief {
    struct bench *b;
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_master *master;
    struct dtx_journal *journal;
    struct dtx_writer *writer;
    bool finished;
    int64_t spent_ns, receive_ns, send_ns;
    uint64_t in, out;
};

/* Another rank's. */
struct hand {
    struct bench *b;
    struct dtx_worker *worker;
    struct dtx_outcome *ended; /* and not told yet */
    size_t nended, cap;
    bool finished;
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "service: %s\n", what);
    dtx_transport_abort(1);
}

static int64_t clock_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * DTX_SEC_NS + t.tv_nsec;
}

/* ---- rank 0 ---- */

static void act(struct chief *c, const struct dtx_action *a)
{
    const void *data = dtx_action_bytes(&c->b->out, a);
    int64_t begin;

    if (a->kind == DTX_ACT_FINISH) {
        c->finished = true;
    } else if (a->kind == DTX_ACT_RECORD) {
        need(dtx_writer_record(c->writer, a->u.record.number, data, a->len,
                               a->u.record.task, a->u.record.urgent) == 0,
             "no memory");
    } else if (a->kind == DTX_ACT_SEND) {
        begin = clock_ns();
        need(dtx_transport_send(c->b->transport, DTX_CHANNEL_FRAMES,
                                (int)a->u.to, data, a->len) == 0,
             "cannot send");
        c->send_ns += clock_ns() - begin;
        c->out++;
    }
}

static void step(struct chief *c, struct dtx_event *ev)
{
    size_t i;

    ev->now_ns = clock_ns();
    need(dtx_master_step(c->master, ev, &c->b->out) == 0, "no memory");
    for (i = 0; i < c->b->out.count; i++)
        act(c, &c->b->out.list[i]);
}

static bool hear_store(struct chief *c)
{
    struct dtx_event ev = {.kind = DTX_EV_RECORDED};
    struct dtx_writer_result r;

    if (!dtx_writer_poll(c->writer, &r))
        return false;
    need(r.kind == DTX_WRITER_RECORDED, "the store has failed");
    ev.u.recorded = r.recorded;
    step(c, &ev);
    return true;
}

static bool hear_frame(struct chief *c)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    int64_t begin = clock_ns();
    enum dtx_channel channel;
    int from, rc;

    dtx_buf_clear(&c->b->frame);
    rc = dtx_transport_recv(c->b->transport, &channel, &from, &c->b->frame);
    need(rc >= 0, "cannot receive");
    if (rc == 0)
        return false;
    c->receive_ns += clock_ns() - begin;
    c->in++;
    ev.u.frame.from = (uint32_t)from;
    ev.u.frame.data = c->b->frame.data;
    ev.u.frame.len = c->b->frame.len;
    step(c, &ev);
    return true;
}

static void nobody(void *ctx)
{
    (void)ctx;
}

static void make_tasks(struct chief *c, uint32_t n)
{
    uint32_t i, cycle, next;

    need(dtx_tasklist_init(&c->list) == 0, "no memory");
    for (i = 0; i < n; i++)
        need(dtx_tasklist_add(&c->list, "./simulate --case 123456", 24, 0,
                              i + 1, DTX_NO_TEXT) == 0,
             "no memory");
    dtx_graph_init(&c->graph, n);
    need(dtx_graph_seal(&c->graph, &cycle, &next) == 0, "no memory");
}

static void begin_chief(struct chief *c, const char *journal, uint32_t n)
{
    struct dtx_writer_config w = {.sync_ns = DTX_SEC_NS, .notify = nobody};
    struct dtx_master_config m = {.epoch = 1, .nranks = c->b->size,
                                  .policy = "self", .retries = 1};
    struct dtx_event ev = {.kind = DTX_EV_START};
    struct dtx_error err = {0, ""};

    make_tasks(c, n);
    m.list = &c->list;
    m.graph = &c->graph;
    c->master = dtx_master_create(&m, &err);
    need(c->master != NULL, err.text);
    need(dtx_journal_create(journal, &c->journal, &err) == 0, err.text);
    w.journal = c->journal;
    need(dtx_writer_start(&w, &c->writer, &err) == 0, err.text);
    step(c, &ev);
    ev.kind = DTX_EV_RANK_LOST; /* no tasks for this rank itself */
    ev.u.lost = (struct dtx_loss){.rank = 0};
    step(c, &ev);
}

static void end_chief(struct chief *c)
{
    struct dtx_error err = {0, ""};

    need(dtx_writer_stop(c->writer, &err) == 0, err.text);
    dtx_journal_close(c->journal);
    dtx_master_destroy(c->master);
    dtx_graph_fini(&c->graph);
    dtx_tasklist_fini(&c->list);
}

/* Let the others begin; before that their HELLO would reach the master of the
 * round before. */
static void call_all(struct bench *b)
{
    uint32_t r;

    for (r = 1; r < b->size; r++)
        need(dtx_transport_send(b->transport, DTX_CHANNEL_BULK, (int)r, "x",
                                1) == 0,
             "cannot send");
}

/* Nanoseconds for each task; those of a frame in the transport are added. */
static double lead(struct bench *b, const char *journal, uint32_t n,
                   double frame[2])
{
    struct chief c = {.b = b};

    begin_chief(&c, journal, n);
    call_all(b);
    while (!c.finished || !dtx_master_all_gone(c.master)) {
        int64_t begin = clock_ns();
        bool moved = hear_store(&c);

        moved |= hear_frame(&c);
        if (moved)
            c.spent_ns += clock_ns() - begin;
    }
    frame[0] = (double)c.receive_ns / (double)(c.in ? c.in : 1);
    frame[1] = (double)c.send_ns / (double)(c.out ? c.out : 1);
    end_chief(&c);
    return (double)c.spent_ns / n;
}

/* ---- the others ---- */

static void note_ended(struct hand *h, const struct dtx_action *a)
{
    struct dtx_cursor c =
        dtx_cursor_over(dtx_action_bytes(&h->b->out, a), a->len);
    struct dtx_outcome *p =
        dtx_grow(h->ended, &h->cap, h->nended + 1, sizeof(*p));
    struct dtx_item_work w;

    need(p && dtx_item_work_next(&c, &w) == 1, "no memory");
    h->ended = p;
    memset(&p[h->nended], 0, sizeof(*p));
    p[h->nended].task = w.task;
    p[h->nended].attempt = w.attempt;
    p[h->nended].rank = h->b->rank;
    p[h->nended].slot = 1;
    p[h->nended].status = DTX_STATUS_OK;
    p[h->nended].source = DTX_SOURCE_RUSAGE;
    p[h->nended++].wall_ns = 1000;
}

static void step_hand(struct hand *h, struct dtx_event *ev)
{
    size_t i;

    ev->now_ns = clock_ns();
    need(dtx_worker_step(h->worker, ev, &h->b->out) == 0, "a bad frame");
    for (i = 0; i < h->b->out.count; i++) {
        const struct dtx_action *a = &h->b->out.list[i];

        if (a->kind == DTX_ACT_RUN)
            note_ended(h, a);
        else if (a->kind == DTX_ACT_FINISH)
            h->finished = true;
        else if (a->kind == DTX_ACT_SEND)
            need(dtx_transport_send(h->b->transport, DTX_CHANNEL_FRAMES, 0,
                                    dtx_action_bytes(&h->b->out, a),
                                    a->len) == 0,
                 "cannot send");
    }
}

/* All that has been handed over ends in one go. */
static void end_all(struct hand *h)
{
    struct dtx_event ev = {.kind = DTX_EV_TASK_ENDED};
    size_t i;

    for (i = 0; i < h->nended; i++) {
        struct dtx_outcome o = h->ended[i];

        ev.u.ended = &o;
        ev.more = i + 1 < h->nended;
        step_hand(h, &ev);
    }
    h->nended = 0;
}

static void follow(struct bench *b, uint32_t slots)
{
    struct dtx_worker_config c = {.rank = b->rank, .incarnation = 1,
                                  .epoch = 1, .slots = slots, .host = "node"};
    struct hand h = {.b = b, .worker = dtx_worker_create(&c)};
    struct dtx_event ev = {.kind = DTX_EV_START};
    enum dtx_channel channel;
    int from, rc;

    need(h.worker != NULL, "no memory");
    while (!h.finished) {
        dtx_buf_clear(&b->frame);
        rc = dtx_transport_recv(b->transport, &channel, &from, &b->frame);
        need(rc >= 0, "cannot receive");
        if (rc > 0 && channel == DTX_CHANNEL_BULK)
            step_hand(&h, &ev); /* START */
        if (rc == 0 || channel == DTX_CHANNEL_BULK)
            continue;
        ev = (struct dtx_event){.kind = DTX_EV_FRAME};
        ev.u.frame.data = b->frame.data;
        ev.u.frame.len = b->frame.len;
        step_hand(&h, &ev);
        end_all(&h);
    }
    dtx_worker_destroy(h.worker);
    free(h.ended);
}

/* ---- whole ---- */

int main(int argc, char **argv)
{
    struct bench b = {.out = DTX_ACTIONS_INIT};
    struct dtx_error err = {0, ""};
    int64_t n = 200000;
    double narrow = 0, wide = 0, frame[2] = {0, 0}, ignored[2], per_frame;

    if (argc < 2 || argc > 3 ||
        (argc > 2 && dtx_parse_int(argv[2], 1000, 10000000, &n) != 0) ||
        chdir(argv[1]) != 0) {
        (void)fprintf(stderr, "usage: service DIRECTORY [TASKS]\n");
        return 2;
    }
    if (dtx_transport_open(&b.transport, &err) != 0) {
        (void)fprintf(stderr, "service: %s\n", err.text);
        return 1;
    }
    b.rank = (uint32_t)dtx_transport_rank(b.transport);
    b.size = (uint32_t)dtx_transport_size(b.transport);
    need(b.size > 1, "two ranks at least");
    if (b.rank == 0) {
        narrow = lead(&b, "journal1", (uint32_t)n, frame);
        wide = lead(&b, "journal2", (uint32_t)n, ignored);
        per_frame = (narrow - wide) / (2 - 2.0 / WIDE_SLOTS);
        (void)printf("rank 0, for each task: %.0f ns with a message each way "
                     "for each, %.0f ns in chunks of %u\n", narrow, wide,
                     WIDE_SLOTS);
        (void)printf("hence for each message %.0f ns (receiving %.0f, sending "
                     "%.0f), for each task %.0f ns\n", per_frame, frame[0],
                     frame[1], wide - 2 * per_frame / WIDE_SLOTS);
    } else {
        follow(&b, 1);
        follow(&b, WIDE_SLOTS);
    }
    dtx_actions_free(&b.out);
    dtx_buf_free(&b.frame);
    (void)dtx_transport_close(b.transport, true, 5 * DTX_SEC_NS);
    return fflush(stdout) == 0 ? 0 : 1;
}

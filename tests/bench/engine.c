/* SPDX-License-Identifier: MIT */
/* tests/bench/engine.c - what the master costs, without any I/O
 *
 *     engine [-c] [-p POLICY] [-t TASKS] RANKS...
 *
 * For each number of ranks: one master, as many workers (the real ones) with
 * one slot each, an executor that is a virtual clock, frames and records that
 * take no time.  With -c costs are predicted.  Only the time inside dtx_master_step is counted.  Prints, per
 * task: nanoseconds, items and comparisons (dtx_master_stats.work), frames in
 * and out; and the most work that one step did for each frame it was given or
 * sent.
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
#include "base/heap.h"
#include "base/rng.h"
#include "base/units.h"
#include "engine/master.h"
#include "engine/worker.h"
#include "sched/policy.h"
#include "task/graph.h"
#include "task/task.h"
#include "wire/wire.h"

#define AHEAD 1u
#define HANDED (1u + AHEAD)
#define MEAN_NS (20.0 * (double)DTX_MSEC_NS)

struct ref {
    uint32_t task, attempt;
};

struct place {
    struct dtx_worker *worker;
    struct ref handed[HANDED]; /* the first one runs */
    uint32_t nhanded;
    int64_t end_ns;
};

/* Before each frame in the queue. */
struct header {
    uint32_t from, to;
    bool to_master;
    size_t len;
};

struct queue {
    struct dtx_buf bytes;
    size_t at;
};

struct world {
    uint32_t nranks, ntasks;
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_master *master;
    struct place *place;
    struct dtx_heap running; /* ranks by the end of what they run */
    struct queue frames;
    struct dtx_actions out;
    struct dtx_rng rng;
    int64_t now_ns, wake_ns;
    uint64_t recorded, asked; /* records */
    int64_t spent_ns;
    uint64_t steps;
    double worst; /* work of one step for each frame it concerns */
};

static void die(const char *what)
{
    (void)fprintf(stderr, "engine: %s\n", what);
    exit(1);
}

static void need(bool good, const char *what)
{
    if (!good)
        die(what);
}

static int64_t clock_ns(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * DTX_SEC_NS + t.tv_nsec;
}

static bool ends_before(const void *ctx, uint32_t a, uint32_t b)
{
    const struct world *w = ctx;
    int64_t x = w->place[a].end_ns, y = w->place[b].end_ns;

    return x != y ? x < y : a < b;
}

/* ---- frames ---- */

static void push(struct queue *q, const struct header *h, const void *data)
{
    if (q->at > (1u << 20) && q->at > q->bytes.len / 2) {
        dtx_buf_drop(&q->bytes, q->at);
        q->at = 0;
    }
    dtx_buf_append(&q->bytes, h, sizeof(*h));
    dtx_buf_append(&q->bytes, data, h->len);
    need(!q->bytes.failed, "no memory");
}

static bool peek(const struct queue *q, struct header *h)
{
    if (q->at == q->bytes.len)
        return false;
    memcpy(h, q->bytes.data + q->at, sizeof(*h));
    return true;
}

/* ---- the executor ---- */

static void start_first(struct world *w, uint32_t r)
{
    struct place *p = &w->place[r];

    p->end_ns = w->now_ns + 1 + (int64_t)dtx_rng_exp(&w->rng, MEAN_NS);
    need(dtx_heap_push(&w->running, r), "no memory");
}

static void hand(struct world *w, uint32_t r, const struct dtx_action *a)
{
    struct place *p = &w->place[r];
    struct dtx_cursor c = dtx_cursor_over(dtx_action_bytes(&w->out, a), a->len);
    struct dtx_item_work work;

    need(dtx_item_work_next(&c, &work) == 1 && p->nhanded < HANDED,
         "a worker hands over more than it has slots");
    p->handed[p->nhanded++] = (struct ref){work.task, work.attempt};
    if (p->nhanded == 1)
        start_first(w, r);
}

static void step_worker(struct world *w, uint32_t r, struct dtx_event *ev);

static void recall(struct world *w, uint32_t r, struct ref ref)
{
    struct place *p = &w->place[r];
    struct dtx_event ev = {.kind = DTX_EV_RECALLED, .now_ns = w->now_ns};

    ev.u.recalled.task = ref.task;
    ev.u.recalled.attempt = ref.attempt;
    if (p->nhanded == HANDED && p->handed[1].task == ref.task) {
        p->nhanded--;
        ev.u.recalled.taken_back = true;
    }
    step_worker(w, r, &ev);
}

static void step_worker(struct world *w, uint32_t r, struct dtx_event *ev)
{
    struct ref back[HANDED];
    uint32_t nback = 0, i;
    size_t k;

    need(dtx_worker_step(w->place[r].worker, ev, &w->out) == 0,
         "a worker gave up");
    for (k = 0; k < w->out.count; k++) {
        const struct dtx_action *a = &w->out.list[k];
        struct header h = {r, 0, true, a->len};

        if (a->kind == DTX_ACT_SEND)
            push(&w->frames, &h, dtx_action_bytes(&w->out, a));
        else if (a->kind == DTX_ACT_RUN)
            hand(w, r, a);
        else if (a->kind == DTX_ACT_RECALL && nback < HANDED)
            back[nback++] = (struct ref){a->u.ref.task, a->u.ref.attempt};
    }
    for (i = 0; i < nback; i++)
        recall(w, r, back[i]);
}

static void end_first(struct world *w)
{
    uint32_t r = dtx_heap_pop(&w->running);
    struct place *p = &w->place[r];
    struct dtx_outcome o = {.task = p->handed[0].task,
                            .attempt = p->handed[0].attempt,
                            .rank = r,
                            .slot = 1,
                            .status = DTX_STATUS_OK,
                            .wall_ns = (int64_t)MEAN_NS};
    struct dtx_event ev = {.kind = DTX_EV_TASK_ENDED};

    w->now_ns = ev.now_ns = p->end_ns;
    ev.u.ended = &o;
    p->handed[0] = p->handed[1];
    if (--p->nhanded > 0)
        start_first(w, r);
    step_worker(w, r, &ev);
}

/* ---- the master ---- */

static uint64_t master_work(const struct world *w)
{
    struct dtx_master_stats s;

    dtx_master_stats(w->master, &s);
    return s.work;
}

static void step_master(struct world *w, struct dtx_event *ev)
{
    uint64_t before = master_work(w);
    int64_t begin = clock_ns();
    double work;
    size_t k;

    need(dtx_master_step(w->master, ev, &w->out) == 0, "the master gave up");
    w->spent_ns += clock_ns() - begin;
    w->steps++;
    work = (double)(master_work(w) - before) / (double)(1 + w->out.count);
    if (work > w->worst && ev->kind != DTX_EV_START)
        w->worst = work;
    for (k = 0; k < w->out.count; k++) {
        const struct dtx_action *a = &w->out.list[k];
        struct header h = {0, a->u.to, false, a->len};

        if (a->kind == DTX_ACT_SEND)
            push(&w->frames, &h, dtx_action_bytes(&w->out, a));
        else if (a->kind == DTX_ACT_RECORD)
            w->asked = a->u.record.number;
        else if (a->kind == DTX_ACT_WAKE_AT)
            w->wake_ns = a->u.wake_at_ns;
    }
}

static void deliver(struct world *w, const struct header *h, struct dtx_buf *b)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME, .now_ns = w->now_ns};
    struct header next;

    dtx_buf_clear(b);
    dtx_buf_append(b, w->frames.bytes.data + w->frames.at + sizeof(*h), h->len);
    need(!b->failed, "no memory");
    w->frames.at += sizeof(*h) + h->len;
    ev.u.frame.from = h->from;
    ev.u.frame.data = b->data;
    ev.u.frame.len = b->len;
    if (h->to_master) {
        ev.more = peek(&w->frames, &next) && next.to_master;
        step_master(w, &ev);
    } else {
        step_worker(w, h->to, &ev);
    }
}

/* The next thing that happens; false when nothing can. */
static bool advance(struct world *w, struct dtx_buf *b)
{
    struct dtx_event ev = {.now_ns = w->now_ns};
    struct header h;
    uint32_t top = dtx_heap_top(&w->running);

    if (peek(&w->frames, &h)) {
        deliver(w, &h, b);
    } else if (w->recorded < w->asked) {
        ev.kind = DTX_EV_RECORDED;
        ev.u.recorded = w->recorded = w->asked;
        step_master(w, &ev);
    } else if (w->wake_ns > 0 &&
               (top == DTX_HEAP_NONE || w->wake_ns <= w->place[top].end_ns)) {
        ev.kind = DTX_EV_TIMER;
        if (w->wake_ns > w->now_ns)
            w->now_ns = w->wake_ns;
        ev.now_ns = w->now_ns;
        w->wake_ns = 0;
        step_master(w, &ev);
    } else if (top != DTX_HEAP_NONE) {
        end_first(w);
    } else {
        return false;
    }
    return true;
}

/* ---- whole ---- */

static void make_tasks(struct world *w)
{
    char text[64];
    uint32_t i, cycle, next;
    int n;

    need(dtx_tasklist_init(&w->list) == 0, "no memory");
    for (i = 0; i < w->ntasks; i++) {
        n = snprintf(text, sizeof(text), "./simulate --case %" PRIu32, i + 1);
        need(n > 0 && dtx_tasklist_add(&w->list, text, (size_t)n, 0, i + 1,
                                       DTX_NO_TEXT) == 0,
             "no memory");
    }
    dtx_graph_init(&w->graph, w->ntasks);
    need(dtx_graph_seal(&w->graph, &cycle, &next) == 0, "no memory");
}

/* What they are predicted to cost; the caller frees it. */
static float *make_costs(struct world *w)
{
    float *cost = malloc((w->ntasks + 1u) * sizeof(*cost));
    uint32_t i;

    need(cost != NULL, "no memory");
    for (i = 0; i < w->ntasks; i++)
        cost[i] = (float)(dtx_rng_exp(&w->rng, MEAN_NS) / 1e9);
    return cost;
}

static void make_world(struct world *w, const char *policy, bool costs)
{
    struct dtx_master_config c = {.epoch = 1,
                                  .nranks = w->nranks,
                                  .policy = policy,
                                  .retries = 1};
    struct dtx_worker_config k = {
        .epoch = 1, .slots = 1, .ahead = AHEAD, .host = "node"};
    struct dtx_error err;
    float *cost;

    make_tasks(w);
    dtx_rng_seed(&w->rng, 2);
    cost = costs ? make_costs(w) : NULL;
    c.list = &w->list;
    c.graph = &w->graph;
    c.cost_s = cost;
    c.longest_first = costs;
    w->master = dtx_master_create(&c, &err);
    free(cost);
    need(w->master != NULL, w->master ? "" : err.text);
    w->place = calloc(w->nranks, sizeof(*w->place));
    need(w->place != NULL, "no memory");
    for (k.rank = 0; k.rank < w->nranks; k.rank++) {
        w->place[k.rank].worker = dtx_worker_create(&k);
        need(w->place[k.rank].worker != NULL, "no memory");
    }
    dtx_heap_init(&w->running, ends_before, w);
    dtx_rng_seed(&w->rng, 1);
}

static void free_world(struct world *w)
{
    uint32_t r;

    for (r = 0; r < w->nranks; r++)
        dtx_worker_destroy(w->place[r].worker);
    free(w->place);
    dtx_heap_fini(&w->running);
    dtx_buf_free(&w->frames.bytes);
    dtx_actions_free(&w->out);
    dtx_master_destroy(w->master);
    dtx_graph_fini(&w->graph);
    dtx_tasklist_fini(&w->list);
}

static void measure(uint32_t nranks, uint32_t ntasks, const char *policy,
                    bool costs)
{
    struct world w = {.nranks = nranks,
                      .ntasks = ntasks ? ntasks : 10 * nranks,
                      .out = DTX_ACTIONS_INIT};
    struct dtx_event ev = {.kind = DTX_EV_START};
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_master_stats s;
    double n;
    uint32_t r;

    if (!ntasks && w.ntasks < 200000)
        w.ntasks = 200000;
    n = w.ntasks;
    make_world(&w, policy, costs);
    step_master(&w, &ev);
    for (r = 0; r < nranks; r++)
        step_worker(&w, r, &ev);
    while (advance(&w, &b))
        ;
    dtx_master_stats(w.master, &s);
    need(s.finished && s.ok == w.ntasks, "the job did not end");
    (void)printf("%-9s %7" PRIu32 " %8" PRIu32 " %8.0f %8.1f %8.2f %8.2f "
                 "%8" PRIu64 " %10.1f\n",
                 dtx_policy_find(policy, NULL)->name, nranks, w.ntasks,
                 (double)w.spent_ns / n, (double)s.work / n,
                 (double)s.frames_in / n, (double)s.frames_out / n, s.steals,
                 w.worst);
    free_world(&w);
    dtx_buf_free(&b);
}

static uint32_t count(const char *text)
{
    int64_t n = 0;

    need(dtx_parse_int(text, 1, 100000000, &n) == 0,
         "a number from 1 to 100000000 is needed");
    return (uint32_t)n;
}

int main(int argc, char **argv)
{
    const char *policy = NULL;
    uint32_t tasks = 0;
    bool costs = false;
    int c, i;

    while ((c = getopt(argc, argv, "cp:t:")) != -1) {
        if (c == 'c')
            costs = true;
        else if (c == 'p')
            policy = optarg;
        else if (c == 't')
            tasks = count(optarg);
        else
            return 2;
    }
    (void)printf("%-9s %7s %8s %8s %8s %8s %8s %8s %10s\n", "policy", "ranks",
                 "tasks", "ns/task", "work", "in", "out", "steals",
                 "step work");
    for (i = optind; i < argc; i++)
        measure(count(argv[i]), tasks, policy, costs);
    return fflush(stdout) == 0 ? 0 : 1;
}

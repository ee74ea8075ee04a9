/* SPDX-License-Identifier: MIT */
/* tests/unit/master_fixture.h - a master for a test, one event at a time
 *
 * The test plays the ranks and the store: add() tasks, begin(), then hello(),
 * done(), recorded(), lost(); expect_...() look at the actions of the last
 * step, in order.
 */
#ifndef DTX_TESTS_UNIT_MASTER_FIXTURE_H
#define DTX_TESTS_UNIT_MASTER_FIXTURE_H

#include "engine/master.h"

#include <string.h>

#include "base/error.h"
#include "check_main.h"
#include "task/graph.h"
#include "task/task.h"
#include "wire/wire.h"

enum { EPOCH = 4, RANKS = 4 };

static struct dtx_tasklist list;
static struct dtx_graph graph;
static struct dtx_master_config config;
static struct dtx_master *m;
static struct dtx_actions out;
static size_t seen; /* actions looked at since the last step */
static int64_t now_ns;
static uint32_t edge[64][2];
static size_t nedges;

/* ---- the job ---- */

static inline void set_up(void)
{
    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    out = (struct dtx_actions)DTX_ACTIONS_INIT;
    config = (struct dtx_master_config){
        .epoch = EPOCH, .nranks = RANKS, .policy = "self",
        .list = &list, .graph = &graph};
    m = NULL;
    now_ns = 0;
    nedges = 0;
    seen = 0;
}

static inline void tear_down(void)
{
    dtx_master_destroy(m);
    dtx_actions_free(&out);
    dtx_graph_fini(&graph);
    dtx_tasklist_fini(&list);
}

static inline void add(uint32_t n, uint32_t cpus, int32_t prio)
{
    struct dtx_task_attr a = {.cpus = cpus, .prio = prio,
                              .cwd = DTX_NO_TEXT, .env = DTX_NO_TEXT};
    uint32_t index;

    ck_assert_int_eq(dtx_tasklist_attr(&list, &a, &index), 0);
    while (n-- > 0)
        ck_assert_int_eq(
            dtx_tasklist_add(&list, "work", 4, index, 0, DTX_NO_TEXT), 0);
}

static inline void after(uint32_t before, uint32_t task)
{
    edge[nedges][0] = before;
    edge[nedges++][1] = task;
}

static inline void step(struct dtx_event ev)
{
    ev.now_ns = now_ns;
    seen = 0;
    ck_assert_int_eq(dtx_master_step(m, &ev, &out), 0);
}

static inline void begin(void)
{
    struct dtx_error err = {0};
    uint32_t a, b;
    size_t i;

    dtx_graph_init(&graph, (uint32_t)list.ntasks);
    for (i = 0; i < nedges; i++)
        ck_assert_int_eq(dtx_graph_edge(&graph, edge[i][0], edge[i][1]), 0);
    ck_assert_int_eq(dtx_graph_seal(&graph, &a, &b), 0);
    m = dtx_master_create(&config, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    step((struct dtx_event){.kind = DTX_EV_START});
}

/* ---- what the master hears ---- */

static inline void hear_from(uint32_t from, struct dtx_msg msg,
                      const struct dtx_buf *items)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    struct dtx_buf b = DTX_BUF_INIT;

    if (msg.epoch == 0)
        msg.epoch = EPOCH;
    if (msg.incarnation == 0)
        msg.incarnation = 1;
    dtx_msg_encode(&b, &msg);
    if (items)
        dtx_buf_append(&b, items->data, items->len);
    ev.u.frame.from = from;
    ev.u.frame.data = b.data;
    ev.u.frame.len = b.len;
    step(ev);
    dtx_buf_free(&b);
}

static inline void hello(uint32_t from, uint32_t slots, uint32_t life)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO, .incarnation = life};

    msg.u.hello.protocol = DTX_PROTOCOL;
    msg.u.hello.slots = slots;
    msg.u.hello.host = dtx_str_of("node");
    hear_from(from, msg, NULL);
}

static inline void done_as(uint32_t from, uint32_t task, uint32_t attempt,
                    enum dtx_status status)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DONE};
    struct dtx_item_outcome o = {.task = task, .attempt = attempt};
    struct dtx_buf b = DTX_BUF_INIT;

    o.status = (uint8_t)status;
    o.wall_ns = 1000000;
    msg.u.done.received = UINT64_MAX;
    dtx_item_outcome_encode(&b, &o);
    hear_from(from, msg, &b);
    dtx_buf_free(&b);
}

static inline void done(uint32_t from, uint32_t task)
{
    done_as(from, task, 1, DTX_STATUS_OK);
}

static inline void recorded(uint64_t n)
{
    struct dtx_event ev = {.kind = DTX_EV_RECORDED};

    ev.u.recorded = n;
    step(ev);
}

static inline void lost(uint32_t rank)
{
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};

    ev.u.lost.rank = rank;
    step(ev);
}

/* ---- what it does ---- */

static inline const struct dtx_action *next(enum dtx_action_kind kind)
{
    const struct dtx_action *a;

    ck_assert_msg(seen < out.count, "no action left, %d wanted", (int)kind);
    a = &out.list[seen++];
    ck_assert_int_eq(a->kind, kind);
    return a;
}

static inline void expect_none(void)
{
    ck_assert_msg(seen == out.count, "%zu actions left, first kind %d",
                  out.count - seen,
                  seen < out.count ? (int)out.list[seen].kind : -1);
}

static inline struct dtx_msg expect_send(uint32_t to, enum dtx_msg_kind kind)
{
    const struct dtx_action *a = next(DTX_ACT_SEND);
    struct dtx_msg msg;

    ck_assert_int_eq(
        dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &msg), 0);
    ck_assert_str_eq(dtx_msg_name(msg.kind), dtx_msg_name(kind));
    ck_assert_uint_eq(a->u.to, to);
    ck_assert_uint_eq(msg.epoch, EPOCH);
    return msg;
}

/* One GRANT of exactly these tasks. */
static inline void expect_grant(uint32_t to, uint32_t first, uint32_t n,
                         uint32_t attempt)
{
    struct dtx_msg msg = expect_send(to, DTX_MSG_GRANT);
    struct dtx_item_work w;

    for (; n > 0; n--) {
        ck_assert_int_eq(dtx_item_work_next(&msg.items, &w), 1);
        ck_assert_uint_eq(w.task, first++);
        ck_assert_uint_eq(w.attempt, attempt);
    }
    ck_assert(dtx_cursor_done(&msg.items));
}

static inline void expect_record(uint64_t number, uint32_t task, bool final,
                          bool urgent)
{
    const struct dtx_action *a = next(DTX_ACT_RECORD);
    struct dtx_rec rec;

    ck_assert_uint_eq(a->u.record.number, number);
    ck_assert_uint_eq(a->u.record.task, task);
    ck_assert(a->u.record.urgent == urgent);
    ck_assert_int_eq(
        dtx_rec_decode(dtx_action_bytes(&out, a), a->len, &rec), 0);
    ck_assert_int_eq(rec.kind, DTX_REC_OUTCOME);
    ck_assert_uint_eq(rec.u.outcome.epoch, EPOCH);
    ck_assert(rec.u.outcome.final == final);
}

static inline void expect_show(uint32_t task, bool final)
{
    const struct dtx_action *a = next(DTX_ACT_SHOW);

    ck_assert_uint_eq(a->u.show.outcome.task, task);
    ck_assert(a->u.show.final == final);
}

static inline struct dtx_master_stats stats(void)
{
    struct dtx_master_stats s;

    dtx_master_stats(m, &s);
    return s;
}

static inline enum dtx_task_state state(uint32_t task)
{
    return dtx_master_task_state(m, task);
}

#endif

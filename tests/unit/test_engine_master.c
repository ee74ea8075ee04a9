/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_master.c - the master, one event at a time
 *
 * The test plays the ranks and the store.  Whole jobs are in tests/trace and
 * tests/property.
 */
#include "engine/master.h"

#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "base/rng.h"
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

static void set_up(void)
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

static void tear_down(void)
{
    dtx_master_destroy(m);
    dtx_actions_free(&out);
    dtx_graph_fini(&graph);
    dtx_tasklist_fini(&list);
}

static void add(uint32_t n, uint32_t cpus, int32_t prio)
{
    struct dtx_task_attr a = {.cpus = cpus, .prio = prio,
                              .cwd = DTX_NO_TEXT, .env = DTX_NO_TEXT};
    uint32_t index;

    ck_assert_int_eq(dtx_tasklist_attr(&list, &a, &index), 0);
    while (n-- > 0)
        ck_assert_int_eq(
            dtx_tasklist_add(&list, "work", 4, index, 0, DTX_NO_TEXT), 0);
}

static void after(uint32_t before, uint32_t task)
{
    edge[nedges][0] = before;
    edge[nedges++][1] = task;
}

static void step(struct dtx_event ev)
{
    ev.now_ns = now_ns;
    seen = 0;
    ck_assert_int_eq(dtx_master_step(m, &ev, &out), 0);
}

static void begin(void)
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

static void hear_from(uint32_t from, struct dtx_msg msg,
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

static void hello(uint32_t from, uint32_t slots, uint32_t life)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO, .incarnation = life};

    msg.u.hello.protocol = DTX_PROTOCOL;
    msg.u.hello.slots = slots;
    msg.u.hello.host = dtx_str_of("node");
    hear_from(from, msg, NULL);
}

static void done_as(uint32_t from, uint32_t task, uint32_t attempt,
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

static void done(uint32_t from, uint32_t task)
{
    done_as(from, task, 1, DTX_STATUS_OK);
}

static void recorded(uint64_t n)
{
    struct dtx_event ev = {.kind = DTX_EV_RECORDED};

    ev.u.recorded = n;
    step(ev);
}

static void lost(uint32_t rank)
{
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};

    ev.u.lost.rank = rank;
    step(ev);
}

/* ---- what it does ---- */

static const struct dtx_action *next(enum dtx_action_kind kind)
{
    const struct dtx_action *a;

    ck_assert_msg(seen < out.count, "no action left, %d wanted", (int)kind);
    a = &out.list[seen++];
    ck_assert_int_eq(a->kind, kind);
    return a;
}

static void expect_none(void)
{
    ck_assert_msg(seen == out.count, "%zu actions left, first kind %d",
                  out.count - seen,
                  seen < out.count ? (int)out.list[seen].kind : -1);
}

static struct dtx_msg expect_send(uint32_t to, enum dtx_msg_kind kind)
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
static void expect_grant(uint32_t to, uint32_t first, uint32_t n,
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

static void expect_record(uint64_t number, uint32_t task, bool final,
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

static void expect_show(uint32_t task, bool final)
{
    const struct dtx_action *a = next(DTX_ACT_SHOW);

    ck_assert_uint_eq(a->u.show.outcome.task, task);
    ck_assert(a->u.show.final == final);
}

static struct dtx_master_stats stats(void)
{
    struct dtx_master_stats s;

    dtx_master_stats(m, &s);
    return s;
}

static enum dtx_task_state state(uint32_t task)
{
    return dtx_master_task_state(m, task);
}

/* ---- the way of a task ---- */

START_TEST(records_before_it_shows)
{
    add(3, 1, 0);
    config.nranks = 1;
    begin();
    expect_none();
    hello(0, 2, 1);
    expect_grant(0, 0, 2, 1);
    expect_none();
    done(0, 0);
    expect_record(1, 0, true, false);
    expect_grant(0, 2, 1, 1); /* a grant waits for no record */
    expect_none();
    done(0, 1);
    expect_record(2, 1, true, false);
    done(0, 2);
    expect_record(3, 2, true, true); /* nothing else is left to do */
    expect_none();
    ck_assert_int_eq(state(0), DTX_TASK_RECORDING);
    recorded(1);
    expect_show(0, true);
    expect_none();
    ck_assert_int_eq(state(0), DTX_TASK_OK);
    recorded(3);
    expect_show(1, true);
    expect_show(2, true);
    (void)expect_send(0, DTX_MSG_BYE);
    (void)next(DTX_ACT_FINISH);
    expect_none();
    ck_assert_uint_eq(stats().ok, 3);
    ck_assert(stats().finished && !dtx_master_all_gone(m));
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_BYE}, NULL);
    expect_none();
    ck_assert(dtx_master_all_gone(m));
}
END_TEST

START_TEST(successors_wait_for_the_record)
{
    add(4, 1, 0);
    after(0, 1);
    after(0, 2);
    after(1, 3);
    config.nranks = 1;
    begin();
    hello(0, 4, 1);
    expect_grant(0, 0, 1, 1);
    done(0, 0);
    expect_record(1, 0, true, true); /* somebody waits for it */
    expect_none();
    ck_assert_int_eq(state(1), DTX_TASK_BLOCKED);
    recorded(1);
    expect_show(0, true);
    expect_grant(0, 1, 2, 1);
    done_as(0, 1, 1, DTX_STATUS_SIGNALED);
    expect_record(2, 1, true, true);
    recorded(2);
    expect_show(1, true);
    ck_assert_int_eq(state(3), DTX_TASK_SKIPPED);
    ck_assert_uint_eq(dtx_master_skip_cause(m, 3), 1);
    ck_assert_uint_eq(dtx_master_skip_cause(m, 1), DTX_NO_TASK);
    ck_assert_uint_eq(stats().skipped, 1);
}
END_TEST

START_TEST(retries_after_a_pause)
{
    add(1, 1, 0);
    config.nranks = 1;
    config.retries = 2;
    config.retry_pause_ns = 500;
    begin();
    hello(0, 1, 1);
    expect_grant(0, 0, 1, 1);
    now_ns = 1000;
    done_as(0, 0, 1, DTX_STATUS_FAILED);
    expect_record(1, 0, false, true);
    ck_assert_int_eq(next(DTX_ACT_WAKE_AT)->u.wake_at_ns, 1500);
    expect_none();
    recorded(1);
    expect_show(0, false);
    expect_none();
    ck_assert_uint_eq(stats().paused, 1);
    now_ns = 1500;
    step((struct dtx_event){.kind = DTX_EV_TIMER});
    expect_grant(0, 0, 1, 2);
    done_as(0, 0, 2, DTX_STATUS_TIMEOUT);
    expect_record(2, 0, true, true);
    recorded(2);
    ck_assert_int_eq(state(0), DTX_TASK_FAILED);
    ck_assert_uint_eq(stats().retried, 1);
    ck_assert(stats().finished);
}
END_TEST

/* An attempt that was ended by us is no outcome. */
START_TEST(killed_is_not_an_end)
{
    add(1, 1, 0);
    config.nranks = 1;
    begin();
    hello(0, 1, 1);
    expect_grant(0, 0, 1, 1);
    done_as(0, 0, 1, DTX_STATUS_KILLED);
    expect_grant(0, 0, 1, 2);
    expect_none();
}
END_TEST

START_TEST(earlier_sessions_count)
{
    static const uint8_t prior[] = {DTX_PRIOR_OK, DTX_PRIOR_FAILED,
                                    DTX_PRIOR_LEFT, DTX_PRIOR_NONE,
                                    DTX_PRIOR_NONE, DTX_PRIOR_NONE,
                                    DTX_PRIOR_NONE};
    static const uint16_t attempts[] = {1, 2, 0, 0, 7, 0, UINT16_MAX};

    add(7, 1, 0);
    after(0, 4); /* goes on after a success */
    after(1, 3); /* stays skipped after a failure */
    after(2, 5); /* waits for ever for what is left alone */
    config.nranks = 1;
    config.prior = prior;
    config.attempts = attempts;
    begin();
    hello(0, 9, 1);
    {
        struct dtx_msg msg = expect_send(0, DTX_MSG_GRANT);
        struct dtx_item_work w;

        ck_assert_int_eq(dtx_item_work_next(&msg.items, &w), 1);
        ck_assert(w.task == 4 && w.attempt == 8);
        ck_assert_int_eq(dtx_item_work_next(&msg.items, &w), 1);
        ck_assert(w.task == 6 && w.attempt == UINT16_MAX + 1u);
    }
    done_as(0, 4, 8, DTX_STATUS_OK);
    done_as(0, 6, UINT16_MAX + 1u, DTX_STATUS_OK);
    recorded(2);
    ck_assert(stats().finished);
    ck_assert_uint_eq(stats().ok, 3);
    ck_assert_uint_eq(stats().prior_ok, 1);
    ck_assert_uint_eq(stats().prior_failed, 1);
    ck_assert_uint_eq(stats().skipped, 1);
    ck_assert_uint_eq(stats().left, 2);
    ck_assert_int_eq(state(2), DTX_TASK_LEFT);
    ck_assert_int_eq(state(5), DTX_TASK_BLOCKED);
}
END_TEST

START_TEST(priorities_and_costs)
{
    static const float cost[] = {1.0f, 5.0f, -1.0f, 2.0f, 0.5f};
    static const uint32_t order[] = {4, 2, 1, 3, 0};
    size_t i;

    add(4, 1, 0);
    add(1, 1, 3);
    config.nranks = 1;
    config.cost_s = cost;
    config.longest_first = true;
    begin();
    hello(0, 1, 1);
    for (i = 0; i < 5; i++) {
        expect_grant(0, order[i], 1, 1);
        done(0, order[i]);
        (void)next(DTX_ACT_RECORD);
    }
}
END_TEST

/* ---- ranks that come and go ---- */

START_TEST(nothing_to_do)
{
    config.nranks = 2;
    begin();
    (void)next(DTX_ACT_FINISH);
    ck_assert(!dtx_master_all_gone(m));
    hello(0, 1, 1);
    (void)expect_send(0, DTX_MSG_BYE);
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_BYE}, NULL);
    ck_assert(!dtx_master_all_gone(m)); /* rank 1 has not come yet */
    lost(1);
    ck_assert(dtx_master_all_gone(m));
    hello(1, 1, 1);
    (void)expect_send(1, DTX_MSG_BYE);
    expect_none();
}
END_TEST

START_TEST(tasks_of_a_lost_rank_come_back)
{
    add(2, 1, 0);
    config.nranks = 2;
    begin();
    hello(1, 2, 1);
    expect_grant(1, 0, 2, 1);
    hello(0, 1, 1);
    lost(1);
    expect_record(1, 0, false, true); /* both may have been running */
    expect_record(2, 1, false, true);
    expect_grant(0, 0, 1, 2);
    done(1, 1); /* it was not dead; it is told once */
    (void)expect_send(1, DTX_MSG_BYE);
    expect_none();
    done(1, 0);
    expect_none();
    done_as(0, 0, 2, DTX_STATUS_OK);
    expect_record(3, 0, true, false);
    expect_grant(0, 1, 1, 2);
    ck_assert_uint_eq(stats().lost, 2);
    ck_assert_uint_eq(stats().refused, 2);
    lost(0);
    recorded(4);
    ck_assert(stats().finished); /* nobody is left */
    ck_assert_uint_eq(stats().left, 1);
}
END_TEST

static void timer(int64_t at_ms)
{
    now_ns = at_ms * DTX_MSEC_NS;
    step((struct dtx_event){.kind = DTX_EV_TIMER});
}

static void expect_wake(int64_t at_ms)
{
    ck_assert_int_eq(next(DTX_ACT_WAKE_AT)->u.wake_at_ns / DTX_MSEC_NS, at_ms);
}

/* Silence is a loss; any word counts, and rank 0 is not listened to. */
START_TEST(silence)
{
    add(3, 1, 0);
    config.nranks = 3;
    config.lost_after_ns = 800 * DTX_MSEC_NS; /* it looks each 100 */
    begin();
    hello(0, 1, 1);
    expect_grant(0, 0, 1, 1);
    expect_none();
    hello(1, 1, 1);
    expect_grant(1, 1, 1, 1);
    expect_wake(100);
    hello(2, 1, 1);
    expect_grant(2, 2, 1, 1);
    expect_none();
    for (int64_t ms = 101; ms < 800; ms += 101) {
        timer(ms);
        expect_wake(ms + 100);
        expect_none();
    }
    hear_from(2, (struct dtx_msg){.kind = DTX_MSG_PING}, NULL);
    (void)expect_send(2, DTX_MSG_PING);
    expect_none();
    timer(809);
    ck_assert_uint_eq(next(DTX_ACT_LOST)->u.lost.rank, 1);
    expect_record(1, 1, false, true);
    expect_wake(909);
    expect_none();
    ck_assert_uint_eq(stats().lost_ranks, 1);
    done(1, 1); /* it lives: it is told to end */
    (void)expect_send(1, DTX_MSG_BYE);
    expect_none();
    ck_assert_uint_eq(stats().refused, 1);
}
END_TEST

/* A master that was stopped for a minute has not listened meanwhile. */
START_TEST(own_sleep_is_no_silence)
{
    add(1, 1, 0);
    config.nranks = 2;
    config.lost_after_ns = 800 * DTX_MSEC_NS;
    begin();
    hello(1, 1, 1);
    for (int64_t ms = 60000; ms <= 60400; ms += 100)
        timer(ms);
    ck_assert_uint_eq(stats().lost_ranks, 0);
    for (int64_t ms = 60500; ms <= 61000; ms += 100)
        timer(ms);
    ck_assert_uint_eq(stats().lost_ranks, 1);
}
END_TEST

/* After the end, too: nobody waits for the good bye of the dead. */
START_TEST(silence_at_the_end)
{
    config.nranks = 2;
    config.lost_after_ns = 800 * DTX_MSEC_NS;
    begin();
    (void)next(DTX_ACT_FINISH);
    hello(0, 1, 1);
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_BYE}, NULL);
    hello(1, 1, 1);
    (void)expect_send(1, DTX_MSG_BYE);
    expect_wake(100);
    for (int64_t ms = 100; ms <= 1000; ms += 100)
        timer(ms);
    ck_assert(dtx_master_all_gone(m));
}
END_TEST

static void lost_with(uint32_t rank, uint32_t task, uint32_t attempt)
{
    struct dtx_item_taskref ran = {task, attempt};
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};

    ev.u.lost = (struct dtx_loss){
        .rank = rank, .told = true, .ran = &ran, .nran = 1};
    step(ev);
}

/* Of two tasks a rank, the one that kills it is set aside; what only waited
 * there is not counted. */
START_TEST(set_aside)
{
    add(2, 1, 0);
    config.nranks = 4;
    config.crash_limit = 2;
    begin();
    hello(1, 2, 1);
    expect_grant(1, 0, 2, 1);
    lost_with(1, 1, 1);
    expect_record(1, 1, false, true);
    expect_none();
    hello(2, 2, 1);
    (void)expect_send(2, DTX_MSG_GRANT);
    lost_with(2, 1, 2);
    expect_record(2, 1, true, true);
    expect_none();
    ck_assert_int_eq(state(1), DTX_TASK_RECORDING);
    hello(3, 2, 1);
    expect_grant(3, 0, 1, 3);
    recorded(2);
    expect_show(1, false);
    expect_show(1, true);
    ck_assert_int_eq(state(1), DTX_TASK_FAILED);
    ck_assert_uint_eq(stats().aside, 1);
    ck_assert_uint_eq(stats().failed, 1);
    ck_assert_uint_eq(stats().lost, 4);
}
END_TEST

/* Losses of earlier sessions count as well. */
START_TEST(set_aside_at_once)
{
    const uint8_t losses[] = {4, 0};

    add(2, 1, 0);
    config.nranks = 2;
    config.crash_limit = 5;
    config.losses = losses;
    begin();
    hello(1, 2, 1);
    lost(1); /* nobody tells what ran: both may have */
    expect_record(1, 0, true, true);
    expect_record(2, 1, false, true);
    expect_none();
}
END_TEST

/* A new incarnation takes the place of one that nobody has missed. */
START_TEST(incarnations)
{
    add(1, 1, 0);
    config.nranks = 2;
    begin();
    hello(1, 1, 5);
    expect_grant(1, 0, 1, 1);
    hello(1, 1, 5); /* said twice */
    expect_none();
    hello(1, 1, 4); /* from the grave */
    expect_none();
    hello(1, 3, 6);
    expect_record(1, 0, false, true);
    expect_grant(1, 0, 1, 2);
    {
        struct dtx_msg msg = {.kind = DTX_MSG_YIELDED, .incarnation = 5};

        hear_from(1, msg, NULL);
        msg = expect_send(1, DTX_MSG_BYE);
        ck_assert_uint_eq(msg.incarnation, 5);
    }
    ck_assert_uint_eq(stats().granted, 1);
}
END_TEST

/* Lost before it came: its greeting is not believed when it comes after all,
 * since nobody would say a second time that it is dead. */
START_TEST(greeting_of_the_dead)
{
    add(2, 1, 0);
    config.nranks = 2;
    config.policy = "static";
    begin();
    hello(0, 1, 1);
    expect_none(); /* rank 1 has not come */
    lost(1);
    expect_grant(0, 0, 2, 1);
    hello(1, 1, 1);
    (void)expect_send(1, DTX_MSG_BYE);
    expect_none();
    hello(1, 1, 2);
    expect_none();
    ck_assert_uint_eq(stats().refused, 1);
}
END_TEST

/* A rank of another version must not be waited for. */
START_TEST(bad_greetings)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO};

    add(1, 1, 0);
    config.nranks = 2;
    config.policy = "static";
    begin();
    hello(0, 1, 1);
    msg.u.hello.protocol = DTX_PROTOCOL + 1;
    msg.u.hello.slots = 1;
    hear_from(1, msg, NULL);
    (void)expect_send(1, DTX_MSG_BYE);
    expect_grant(0, 0, 1, 1);
    hello(1, 0, 2);
    hello(1, DTX_MAX_CPUS + 1, 3);
    expect_none();
    ck_assert_uint_eq(stats().refused, 3);
}
END_TEST

/* ---- wide tasks ---- */

START_TEST(wide_does_not_starve)
{
    uint32_t i, running = 4;

    add(4, 1, 0);
    add(1, 3, 0);
    add(100, 1, 0);
    config.nranks = 1;
    config.policy = "steal";
    begin();
    hello(0, 4, 1);
    expect_grant(0, 0, 4, 1);
    expect_none(); /* reserved: nothing is queued ahead */
    for (i = 0; i < 3; i++) {
        done(0, i);
        running--;
        (void)next(DTX_ACT_RECORD);
        if (i < 2)
            expect_none();
    }
    expect_grant(0, 4, 1, 1);
    ck_assert_uint_eq(running, 1);
    (void)expect_send(0, DTX_MSG_GRANT); /* behind it */
}
END_TEST

/* Give back every granted task but two; those of others are refused. */
static void yielded(uint32_t from, uint32_t keep, uint32_t keep_too)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELDED};
    struct dtx_item_taskref ref = {0, 1};
    struct dtx_buf b = DTX_BUF_INIT;

    msg.u.yielded.received = UINT64_MAX;
    for (; ref.task < list.ntasks; ref.task++) {
        if (state(ref.task) == DTX_TASK_GRANTED && ref.task != keep &&
            ref.task != keep_too)
            dtx_item_taskref_encode(&b, &ref);
    }
    hear_from(from, msg, &b);
    dtx_buf_free(&b);
}

/* What a reserved rank has queued ahead is taken back. */
START_TEST(reserved_gives_back)
{
    struct dtx_msg msg;

    add(20, 1, 0);
    add(1, 2, 9);
    after(0, 20);
    config.nranks = 2;
    config.policy = "steal";
    begin();
    hello(0, 2, 1);
    expect_grant(0, 0, 2, 1);
    expect_grant(0, 2, 2, 1);
    hello(1, 1, 1);
    (void)expect_send(1, DTX_MSG_GRANT);
    done(0, 0);
    recorded(1);
    expect_show(0, true);
    msg = expect_send(0, DTX_MSG_YIELD);
    ck_assert_uint_eq(msg.u.yield.count, UINT32_MAX);
    yielded(0, 1, 2); /* all but these two, which run */
    ck_assert_int_eq(state(20), DTX_TASK_READY);
    ck_assert_int_eq(state(1), DTX_TASK_GRANTED);
    done(0, 1);
    (void)next(DTX_ACT_RECORD);
    ck_assert_int_eq(state(20), DTX_TASK_READY);
    done(0, 2);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 20, 1, 1);
}
END_TEST

/* The YIELD for a thief was under way: one for all follows its answer. */
START_TEST(reserved_takes_the_rest)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELDED};

    add(5, 1, 0);
    add(1, 2, 9);
    after(0, 5);
    config.nranks = 2;
    config.policy = "steal";
    begin();
    hello(0, 2, 1);
    done(0, 0);
    hello(1, 1, 1);
    ck_assert_uint_lt(expect_send(0, DTX_MSG_YIELD).u.yield.count, 5);
    recorded(1);
    expect_show(0, true);
    expect_none();
    msg.u.yielded.received = UINT64_MAX;
    msg.u.yielded.waiting = 2;
    hear_from(0, msg, NULL);
    ck_assert_uint_eq(expect_send(0, DTX_MSG_YIELD).u.yield.count,
                      UINT32_MAX);
    yielded(0, 1, 2);
    (void)expect_send(1, DTX_MSG_GRANT);
    done(0, 1);
    (void)next(DTX_ACT_RECORD);
    done(0, 2);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 5, 1, 1);
}
END_TEST

/* It does not wait for the rank that was reserved when another has room. */
START_TEST(wide_takes_whoever_has_room)
{
    add(4, 1, 9);
    add(1, 2, 0);
    config.nranks = 2;
    config.policy = "self";
    begin();
    hello(0, 2, 1);
    expect_grant(0, 0, 2, 1);
    hello(1, 2, 1);
    expect_grant(1, 2, 2, 1); /* and rank 0 is reserved for the wide one */
    done(1, 2);
    (void)next(DTX_ACT_RECORD);
    expect_none();
    done(1, 3);
    (void)next(DTX_ACT_RECORD);
    expect_grant(1, 4, 1, 1);
    done(1, 4);
    (void)next(DTX_ACT_RECORD);
    done(0, 0);
    (void)next(DTX_ACT_RECORD);
    done(0, 1);
    (void)next(DTX_ACT_RECORD);
    recorded(5);
    ck_assert(stats().finished);
}
END_TEST

/* A long answer to a YIELD comes in parts: the thief waits for the last. */
START_TEST(yields_in_parts)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELDED};
    struct dtx_item_taskref ref = {5, 1};
    struct dtx_buf b = DTX_BUF_INIT;

    add(6, 1, 0);
    config.nranks = 2;
    config.policy = "steal";
    begin();
    hello(0, 6, 1);
    hello(1, 1, 1);
    dtx_item_taskref_encode(&b, &ref);
    msg.u.yielded.received = UINT64_MAX;
    msg.u.yielded.more = 1;
    hear_from(0, msg, &b);
    ck_assert_uint_eq(stats().granted, 6);
    expect_grant(1, 5, 1, 1);
    dtx_buf_free(&b);
}
END_TEST

/* One that fits nowhere stands in nobody's way, and runs when it fits. */
START_TEST(too_wide_for_all)
{
    add(1, 8, 5);
    add(1, 2, 0);
    add(1, 1, 0);
    config.nranks = 3;
    begin();
    hello(0, 2, 1);
    expect_grant(0, 1, 1, 1);
    done(0, 1);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 2, 1, 1);
    hello(1, 1, 1);
    expect_none();
    done(0, 2);
    recorded(2);
    ck_assert(!stats().finished); /* rank 2 may be larger */
    hello(2, 8, 1);
    expect_grant(2, 0, 1, 1);
    lost(2);
    recorded(3);
    ck_assert(stats().finished); /* nobody has the slots any more */
    ck_assert_uint_eq(stats().left, 1);
    ck_assert_uint_eq(stats().ready, 1);
}
END_TEST

/* ---- stopping ---- */

START_TEST(drain_then_kill)
{
    struct dtx_event ev = {.kind = DTX_EV_STOP};

    add(4, 1, 0);
    config.nranks = 2;
    begin();
    hello(0, 1, 1);
    hello(1, 1, 1);
    ev.u.stop = DTX_STOP_DRAIN;
    step(ev);
    (void)expect_send(0, DTX_MSG_STOP);
    (void)expect_send(1, DTX_MSG_STOP);
    step(ev);
    expect_none();
    done(0, 0);
    expect_record(1, 0, true, true);
    expect_none();
    ev.u.stop = DTX_STOP_KILL;
    step(ev);
    (void)expect_send(0, DTX_MSG_STOP);
    (void)expect_send(1, DTX_MSG_STOP);
    done_as(1, 1, 1, DTX_STATUS_KILLED);
    expect_none(); /* the record */
    recorded(1);
    ck_assert(stats().finished);
    ck_assert_uint_eq(stats().left, 3);
}
END_TEST

START_TEST(halts_on_failures)
{
    uint32_t i;

    add(10, 1, 0);
    config.nranks = 1;
    config.halt.how = DTX_STOP_DRAIN;
    if (_i == 0)
        config.halt.failures = 3;
    else
        config.halt.percent = 100.0; /* counts from the third on */
    begin();
    hello(0, 1, 1);
    for (i = 0; i < 3; i++) {
        ck_assert(!stats().halted);
        done_as(0, i, 1, DTX_STATUS_FAILED);
        recorded(i + 1);
    }
    ck_assert(stats().halted);
    ck_assert_int_eq(stats().stopping, DTX_STOP_DRAIN);
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_YIELDED}, NULL);
    done_as(0, 3, 1, DTX_STATUS_KILLED);
    ck_assert(stats().finished);
    ck_assert_uint_eq(stats().failed, 3);
}
END_TEST

START_TEST(a_rank_asks_to_stop)
{
    struct dtx_msg msg = {.kind = DTX_MSG_STOPREQ};

    add(2, 1, 0);
    config.nranks = 2;
    begin();
    hello(1, 1, 1);
    msg.u.stopreq.mode = DTX_STOP_DRAIN;
    hear_from(1, msg, NULL);
    (void)expect_send(1, DTX_MSG_STOP);
    hello(0, 1, 1); /* comes late, is told */
    (void)expect_send(0, DTX_MSG_STOP);
    expect_none();
}
END_TEST

/* ---- what is not believed ---- */

START_TEST(what_it_refuses)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};

    add(3, 1, 0);
    config.nranks = 3;
    begin();
    hello(0, 1, 1);
    hello(1, 1, 1);
    expect_grant(1, 1, 1, 1);
    done(0, 1);                              /* of another rank */
    done_as(0, 0, 2, DTX_STATUS_OK);         /* another attempt */
    done(0, 2);                              /* not granted */
    done(0, 4000000000u);                    /* no task */
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_DONE, .epoch = EPOCH - 1},
              NULL);
    expect_none();
    ck_assert_uint_eq(stats().refused, 5);
    ck_assert_uint_eq(stats().granted, 2);
    ev.u.frame.from = 3; /* no rank */
    ev.u.frame.data = "x";
    ev.u.frame.len = 1;
    step(ev);
    expect_none();
    ev.u.frame.from = 1; /* no message: its sender is given up */
    step(ev);
    ck_assert_uint_eq(stats().lost, 1);
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_GRANT}, NULL);
    ck_assert_uint_eq(stats().lost, 2);
    done_as(0, 0, 1, DTX_STATUS_NONE);
    ck_assert_uint_eq(stats().granted, 0);
}
END_TEST

/* Frames with the right header and random content: whatever they say, the
 * count of tasks stays right. */
START_TEST(random_frames)
{
    struct dtx_rng rng;
    uint32_t round, i;

    dtx_rng_seed(&rng, (uint64_t)_i);
    add(30, 1, 0);
    add(5, 2, 1);
    config.policy = "steal";
    begin();
    for (round = 1; round < 3000; round++) {
        struct dtx_msg msg = {.epoch = EPOCH, .incarnation = round / 50 + 1};
        struct dtx_buf b = DTX_BUF_INIT;
        uint32_t from = (uint32_t)dtx_rng_below(&rng, RANKS);
        struct dtx_master_stats s;

        if (round % 50 == 1)
            for (i = 0; i < RANKS; i++)
                hello(i, 1 + i, msg.incarnation);
        msg.kind = dtx_rng_below(&rng, 2) ? DTX_MSG_DONE : DTX_MSG_YIELDED;
        msg.u.done.received = dtx_rng_u64(&rng) >> dtx_rng_below(&rng, 64);
        msg.u.done.waiting = (uint32_t)dtx_rng_u64(&rng);
        for (i = (uint32_t)dtx_rng_below(&rng, 60); i > 0; i--)
            dtx_put_i64(&b, (int64_t)dtx_rng_u64(&rng) >>
                                dtx_rng_below(&rng, 64));
        hear_from(from, msg, &b);
        dtx_buf_free(&b);
        recorded(round);
        s = stats();
        ck_assert_uint_le(s.granted + s.ok + s.failed, 35);
    }
}
END_TEST

START_TEST(bad_configurations)
{
    struct dtx_error err = {0};

    add(1, 1, 0);
    dtx_graph_init(&graph, 1);
    config.policy = "best";
    ck_assert_ptr_null(dtx_master_create(&config, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "unknown policy"));
    config.policy = NULL;
    config.nranks = 0;
    ck_assert_ptr_null(dtx_master_create(&config, &err));
    config.nranks = 1;
    graph.ntasks = 2;
    ck_assert_ptr_null(dtx_master_create(&config, &err));
    ck_assert_int_eq(err.code, DTX_EINVAL);
    dtx_master_destroy(NULL);
}
END_TEST

START_TEST(looks_at_ranks)
{
    struct dtx_rank_stats r;

    add(2, 2, 0);
    config.nranks = 2;
    begin();
    dtx_master_rank_stats(m, 1, &r);
    ck_assert(!r.came && !r.alive);
    hello(1, 2, 1);
    done(1, 0);
    dtx_master_rank_stats(m, 1, &r);
    ck_assert(r.came && r.alive);
    ck_assert_str_eq(r.host, "node");
    ck_assert_uint_eq(r.slots, 2);
    ck_assert_uint_eq(r.ended, 1);
    ck_assert_uint_eq(r.given, 2);
    ck_assert_uint_eq(r.granted, 1);
    ck_assert_int_eq(r.busy_ns, 2000000);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("engine_master");
    TCase *tc = tcase_create("master");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, records_before_it_shows);
    tcase_add_test(tc, successors_wait_for_the_record);
    tcase_add_test(tc, retries_after_a_pause);
    tcase_add_test(tc, killed_is_not_an_end);
    tcase_add_test(tc, earlier_sessions_count);
    tcase_add_test(tc, priorities_and_costs);
    tcase_add_test(tc, nothing_to_do);
    tcase_add_test(tc, tasks_of_a_lost_rank_come_back);
    tcase_add_test(tc, silence);
    tcase_add_test(tc, own_sleep_is_no_silence);
    tcase_add_test(tc, silence_at_the_end);
    tcase_add_test(tc, set_aside);
    tcase_add_test(tc, set_aside_at_once);
    tcase_add_test(tc, incarnations);
    tcase_add_test(tc, greeting_of_the_dead);
    tcase_add_test(tc, bad_greetings);
    tcase_add_test(tc, wide_does_not_starve);
    tcase_add_test(tc, reserved_gives_back);
    tcase_add_test(tc, reserved_takes_the_rest);
    tcase_add_test(tc, wide_takes_whoever_has_room);
    tcase_add_test(tc, yields_in_parts);
    tcase_add_test(tc, too_wide_for_all);
    tcase_add_test(tc, drain_then_kill);
    tcase_add_loop_test(tc, halts_on_failures, 0, 2);
    tcase_add_test(tc, a_rank_asks_to_stop);
    tcase_add_test(tc, what_it_refuses);
    tcase_add_loop_test(tc, random_frames, 0, 5);
    tcase_add_test(tc, bad_configurations);
    tcase_add_test(tc, looks_at_ranks);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

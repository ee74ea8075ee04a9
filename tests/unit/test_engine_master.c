/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_master.c - the master, one event at a time
 *
 * The test plays the ranks and the store.  Whole jobs are in tests/trace and
 * tests/property.
 */
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include <math.h>

#include "master_fixture.h"
#include "task/layout.h"

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

/* Predictions that come while the job runs: those that wait change places. */
START_TEST(costs_come_later)
{
    static const uint32_t task[] = {1, 3, 4, 0, 99};
    static const float first[] = {2.0f, 7.0f, NAN, 9.0f, 1.0f};
    static const float then[] = {8.0f, 1.0f, 3.0f, -1.0f, 1.0f};
    struct dtx_event ev = {.kind = DTX_EV_COSTS};

    add(6, 1, 0);
    config.nranks = 1;
    config.longest_first = true;
    config.policy = "self";
    begin();
    hello(0, 1, 1);
    expect_grant(0, 0, 1, 1);
    ev.u.costs = (struct dtx_costs){
        .task = task, .seconds = first, .n = 5};
    step(ev);
    expect_none();
    done(0, 0);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 2, 1, 1); /* nothing is known of 2, 4 and 5 */
    done(0, 2);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 4, 1, 1);
    done(0, 4);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 5, 1, 1);
    ev.u.costs.seconds = then;
    step(ev);
    done(0, 5);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 1, 1, 1); /* 8 s, then 1 s */
    done(0, 1);
    (void)next(DTX_ACT_RECORD);
    expect_grant(0, 3, 1, 1);
}
END_TEST

/* Six tasks of 4 s are dealt to two ranks; then there are 10 s: two of each
 * rank's three end in them. What is called back is not granted again. */
START_TEST(deadline_after_the_grants)
{
    static const float cost[] = {4, 4, 4, 4, 4, 4};
    struct dtx_event ev = {.kind = DTX_EV_DEADLINE};
    struct dtx_msg msg = {.kind = DTX_MSG_YIELDED};
    struct dtx_item_taskref ref = {4, 1};
    struct dtx_buf b = DTX_BUF_INIT;

    add(6, 1, 0);
    config.nranks = 2;
    config.policy = "static";
    config.cost_s = cost;
    config.longest_first = true;
    begin();
    hello(0, 1, 1);
    hello(1, 1, 1);
    (void)expect_send(0, DTX_MSG_GRANT);
    (void)expect_send(1, DTX_MSG_GRANT);
    ck_assert_uint_eq(stats().granted, 6);
    ev.u.deadline_ns = 10 * (int64_t)1000000000;
    step(ev);
    (void)expect_send(0, DTX_MSG_DEADLINE);
    (void)expect_send(1, DTX_MSG_DEADLINE);
    ck_assert_uint_eq(expect_send(0, DTX_MSG_YIELD).u.yield.count, UINT32_MAX);
    ck_assert_uint_eq(expect_send(1, DTX_MSG_YIELD).u.yield.count, UINT32_MAX);
    msg.u.yielded.received = 3;
    msg.u.yielded.waiting = 1; /* this one had been handed over */
    dtx_item_taskref_encode(&b, &ref);
    hear_from(0, msg, &b);
    dtx_buf_free(&b);
    expect_none(); /* the other two take 8 s */
    ck_assert_uint_eq(stats().granted, 5);
    ck_assert_uint_eq(stats().ready, 1);
    now_ns = 4 * (int64_t)1000000000;
    done(0, 0);
    ck_assert_uint_eq(stats().granted, 4);
    now_ns = 8 * (int64_t)1000000000;
    done(0, 2);
    ck_assert_uint_eq(stats().late, 1);
}
END_TEST

/* Which tasks are started 10 s before the end: by the median, by what is sure,
 * by what is possible, or any. */
START_TEST(deadline_policies)
{
    static const float cost[] = {9, 11, 11, 30};
    static const float safe[] = {12, 13, 14, 50};
    static const float hopeful[] = {4, 5, 6, 20};
    static const uint64_t late[] = {3, 4, 1, 0};
    struct dtx_event ev = {.kind = DTX_EV_DEADLINE};

    add(4, 1, 0);
    config.nranks = 1;
    config.cost_s = cost;
    config.late = (enum dtx_late)_i;
    config.need_s = _i == DTX_LATE_SAFE      ? safe
                    : _i == DTX_LATE_HOPEFUL ? hopeful
                                             : NULL;
    begin();
    ev.u.deadline_ns = 10 * (int64_t)1000000000;
    step(ev);
    hello(0, 4, 1);
    ck_assert_uint_eq(stats().late, late[_i]);
    ck_assert_uint_eq(stats().granted, 4 - late[_i]);
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
        config.halt.count = 3;
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

/* Each work item says where its results go, when there are any. */
START_TEST(work_tells_the_place_of_results)
{
    static const struct dtx_layout_limits limits = {255, 4096};
    static const char *const want[] = {"r/1/a/2/b/", "r/2/"};
    struct dtx_layout *l;
    struct dtx_item_work w;
    struct dtx_msg msg;
    uint32_t i;

    add(1, 1, 0);
    ck_assert_int_eq(dtx_tasklist_set_args(&list, "a\0b", 4), 0);
    add(1, 1, 0);
    for (i = 0; i < 2; i++) {
        l = dtx_layout_create(i ? "x{#}_{%}" : "r", &list, &limits, NULL);
        ck_assert_ptr_nonnull(l);
        config.layout = l;
        begin();
        hello(1, 9, 1);
        msg = expect_send(1, DTX_MSG_GRANT);
        ck_assert_int_eq(dtx_item_work_next(&msg.items, &w), 1);
        ck_assert_int_eq(w.flags, i ? DTX_WORK_RESULTS_SLOT : 0);
        ck_assert_uint_eq(w.results.len, i ? 4 : strlen(want[0]));
        ck_assert_int_eq(memcmp(w.results.data, i ? "x1_\001" : want[0],
                                w.results.len),
                         0);
        ck_assert_int_eq(dtx_item_work_next(&msg.items, &w), 1);
        ck_assert_int_eq(memcmp(w.results.data, i ? "x2_\001" : want[1],
                                w.results.len),
                         0);
        dtx_master_destroy(m);
        dtx_graph_fini(&graph);
        dtx_layout_destroy(l);
    }
    m = NULL;
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("engine_master");
    TCase *tc = tcase_create("master");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, records_before_it_shows);
    tcase_add_test(tc, work_tells_the_place_of_results);
    tcase_add_test(tc, successors_wait_for_the_record);
    tcase_add_test(tc, retries_after_a_pause);
    tcase_add_test(tc, killed_is_not_an_end);
    tcase_add_test(tc, earlier_sessions_count);
    tcase_add_test(tc, priorities_and_costs);
    tcase_add_test(tc, costs_come_later);
    tcase_add_test(tc, deadline_after_the_grants);
    tcase_add_loop_test(tc, deadline_policies, 0, 4);
    tcase_add_test(tc, nothing_to_do);
    tcase_add_test(tc, tasks_of_a_lost_rank_come_back);
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

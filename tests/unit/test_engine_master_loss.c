/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_master_loss.c - ranks that are lost, and tasks that
 * are set aside because of it */
#include "base/units.h"
#include "check_main.h"
#include "master_fixture.h"

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
    struct dtx_msg ping = {.kind = DTX_MSG_PING};

    add(3, 1, 0);
    config.nranks = 3;
    config.lost_after_ns = 2000 * DTX_MSEC_NS; /* it looks each 100 */
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
    for (int64_t ms = 101; ms < 1800; ms += 101) {
        timer(ms);
        expect_wake(ms + 100);
        expect_none();
    }
    ping.u.ping.sent_ns = 77;
    hear_from(2, ping, NULL);
    ck_assert_int_eq(expect_send(2, DTX_MSG_PING).u.ping.sent_ns, 77);
    expect_none();
    timer(1818);
    ck_assert_uint_eq(next(DTX_ACT_LOST)->u.lost.rank, 1);
    expect_record(1, 1, false, true);
    expect_wake(1918);
    expect_none();
    ck_assert_uint_eq(stats().lost_ranks, 1);
    done(1, 1); /* it lives: it is told to end */
    (void)expect_send(1, DTX_MSG_BYE);
    expect_none();
    ck_assert_uint_eq(stats().refused, 1);
}
END_TEST

START_TEST(when_it_was)
{
    struct dtx_rank_stats k;

    add(1, 1, 0);
    now_ns = 5 * DTX_MSEC_NS;
    begin();
    hello(1, 1, 1);
    now_ns = 12 * DTX_MSEC_NS;
    lost(1);
    dtx_master_rank_stats(m, 1, &k);
    ck_assert_int_eq(k.lost_ns, 7 * DTX_MSEC_NS);
}
END_TEST

/* A master that was stopped for a minute has not listened meanwhile. */
START_TEST(own_sleep_is_no_silence)
{
    add(1, 1, 0);
    config.nranks = 2;
    config.lost_after_ns = 2000 * DTX_MSEC_NS;
    begin();
    hello(1, 1, 1);
    for (int64_t ms = 60000; ms <= 61500; ms += 100)
        timer(ms);
    ck_assert_uint_eq(stats().lost_ranks, 0);
    for (int64_t ms = 61600; ms <= 62200; ms += 100)
        timer(ms);
    ck_assert_uint_eq(stats().lost_ranks, 1);
}
END_TEST

/* After the end, too: nobody waits for the good bye of the dead. */
START_TEST(silence_at_the_end)
{
    config.nranks = 2;
    config.lost_after_ns = 2000 * DTX_MSEC_NS;
    begin();
    (void)next(DTX_ACT_FINISH);
    hello(0, 1, 1);
    hear_from(0, (struct dtx_msg){.kind = DTX_MSG_BYE}, NULL);
    hello(1, 1, 1);
    (void)expect_send(1, DTX_MSG_BYE);
    expect_wake(100);
    for (int64_t ms = 100; ms <= 2000; ms += 100)
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

/* When it was lost is told from the start, whatever the clock said then. */
START_TEST(when_it_was_lost)
{
    struct dtx_rank_stats k;

    add(1, 1, 0);
    config.nranks = 2;
    now_ns = 5000 * DTX_SEC_NS;
    begin();
    hello(1, 1, 1);
    expect_grant(1, 0, 1, 1);
    now_ns += 3 * DTX_SEC_NS;
    lost_with(1, 0, 1);
    dtx_master_rank_stats(m, 1, &k);
    ck_assert_int_eq(k.lost_ns, 3 * DTX_SEC_NS);
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

static Suite *build_suite(void)
{
    Suite *suite = suite_create("engine_master_loss");
    TCase *tc = tcase_create("loss");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, silence);
    tcase_add_test(tc, when_it_was);
    tcase_add_test(tc, own_sleep_is_no_silence);
    tcase_add_test(tc, silence_at_the_end);
    tcase_add_test(tc, set_aside);
    tcase_add_test(tc, when_it_was_lost);
    tcase_add_test(tc, set_aside_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

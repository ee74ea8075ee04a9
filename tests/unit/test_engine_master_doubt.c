/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_master_doubt.c - tasks that are ended by a signal,
 * with the job or alone */
#include <stdlib.h>

#include "base/rng.h"
#include "base/units.h"
#include "check_main.h"
#include "master_fixture.h"

enum { TERM = 15, KILL = 9, DOUBT_MS = 1000 };

static void set_up_doubt(void)
{
    set_up();
    config.nranks = 2;
    config.doubt_ns = DOUBT_MS * DTX_MSEC_NS;
}

static void at(int64_t ms)
{
    now_ns = ms * DTX_MSEC_NS;
}

static void timer(int64_t ms)
{
    at(ms);
    step((struct dtx_event){.kind = DTX_EV_TIMER});
}

static void told(uint32_t from, uint32_t task, enum dtx_status status,
                 int32_t code, int32_t sig)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DONE};
    struct dtx_item_outcome o = {.task = task, .attempt = 1};
    struct dtx_buf b = DTX_BUF_INIT;

    o.status = (uint8_t)status;
    o.exit_code = code;
    o.signal = sig;
    msg.u.done.received = UINT64_MAX;
    dtx_item_outcome_encode(&b, &o);
    hear_from(from, msg, &b);
    dtx_buf_free(&b);
}

static void signaled(uint32_t from, uint32_t task, int32_t sig)
{
    told(from, task, DTX_STATUS_SIGNALED, 0, sig);
}

static void stop_asked_of(uint32_t rank)
{
    struct dtx_msg msg = {.kind = DTX_MSG_STOPREQ};

    msg.u.stopreq.mode = DTX_STOP_DRAIN;
    hear_from(rank, msg, NULL);
}

static uint32_t count(enum dtx_action_kind kind)
{
    uint32_t n = 0;

    for (size_t i = 0; i < out.count; i++)
        n += out.list[i].kind == kind;
    return n;
}

static void two_ranks(uint32_t tasks)
{
    add(tasks, 1, 0);
    begin();
    hello(0, 1, 1);
    hello(1, 1, 1);
}

/* The kernel wanted its memory: a failure, a little later; the slot is free at
 * once. */
START_TEST(alone_it_has_failed)
{
    two_ranks(3);
    at(100);
    signaled(1, 1, KILL);
    expect_grant(1, 2, 1, 1);
    ck_assert_int_eq(next(DTX_ACT_WAKE_AT)->u.wake_at_ns,
                     1100 * DTX_MSEC_NS);
    expect_none();
    done(1, 2);
    done(0, 0);
    recorded(2);
    ck_assert(!stats().finished);
    timer(1099);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
    timer(1100);
    expect_record(3, 1, true, true);
    recorded(3);
    ck_assert_int_eq(state(1), DTX_TASK_FAILED);
    ck_assert(stats().finished);
}
END_TEST

START_TEST(alone_it_is_tried_again)
{
    config.retries = 2;
    two_ranks(2);
    signaled(1, 1, TERM);
    timer(DOUBT_MS);
    expect_record(1, 1, false, true);
    recorded(1);
    ck_assert_uint_eq(stats().retried, 1);
}
END_TEST

/* Whatever cannot be the job's end is believed at once. */
START_TEST(others_do_not_wait)
{
    static const struct {
        enum dtx_status status;
        int32_t code, sig;
        uint32_t records;
    } row[] = {
        {DTX_STATUS_SIGNALED, 0, 11, 1},   {DTX_STATUS_SIGNALED, 0, TERM, 0},
        {DTX_STATUS_FAILED, 1, 0, 1},      {DTX_STATUS_FAILED, 137, 0, 0},
        {DTX_STATUS_FAILED, 143, 0, 0},    {DTX_STATUS_FAILED, 15, 0, 1},
        {DTX_STATUS_TIMEOUT, 0, TERM, 1},  {DTX_STATUS_OK, 0, 0, 1},
        {DTX_STATUS_SIGNALED, 0, KILL, 0}, {DTX_STATUS_SIGNALED, 0, 10, 0},
        {DTX_STATUS_FAILED, 138, 0, 0},
    };

    two_ranks(2);
    told(1, 1, row[_i].status, row[_i].code, row[_i].sig);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), row[_i].records);
}
END_TEST

/* Of another rank the word comes first, or last: no outcome, either way. */
START_TEST(ended_with_the_job)
{
    two_ranks(2);
    at(100);
    signaled(1, 1, TERM);
    at(100 + DOUBT_MS - 1);
    stop_asked_of(0);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    told(0, 0, DTX_STATUS_FAILED, 143, 0);
    ck_assert_int_eq(state(0), DTX_TASK_READY);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
    ck_assert(stats().finished);
    ck_assert_uint_eq(stats().left, 2);
}
END_TEST

/* Draining already for another reason: the signal still tells. */
START_TEST(asked_while_it_drains)
{
    config.halt = (struct dtx_halt){.how = DTX_STOP_DRAIN,
                                    .on = DTX_HALT_FAIL, .count = 1};
    two_ranks(3);
    told(0, 0, DTX_STATUS_FAILED, 1, 0);
    recorded(1);
    ck_assert(stats().halted);
    signaled(1, 1, TERM);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
    stop_asked_of(1);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    ck_assert_uint_eq(stats().failed, 1);
}
END_TEST

START_TEST(halted_alone_it_has_failed)
{
    config.halt = (struct dtx_halt){.how = DTX_STOP_DRAIN,
                                    .on = DTX_HALT_FAIL, .count = 1};
    two_ranks(2);
    told(0, 0, DTX_STATUS_FAILED, 1, 0);
    recorded(1);
    at(50);
    signaled(1, 1, KILL);
    ck_assert(!stats().finished);
    timer(50 + DOUBT_MS);
    expect_record(2, 1, true, true);
    recorded(2);
    ck_assert_uint_eq(stats().failed, 2);
    ck_assert(stats().finished);
}
END_TEST

/* A job drains for long: who is killed then has failed, but a task that cleans
 * up on a rank that was signaled as well has not. */
START_TEST(killed_while_it_drains)
{
    config.nranks = 3;
    add(3, 1, 0);
    begin();
    for (uint32_t r = 0; r < 3; r++)
        hello(r, 1, 1);
    at(100);
    stop_asked_of(1);
    at(100 + 5 * DOUBT_MS);
    signaled(2, 2, KILL);
    ck_assert_int_eq(state(2), DTX_TASK_RECORDING);
    signaled(1, 1, TERM);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    timer(100 + 6 * DOUBT_MS);
    expect_record(1, 2, true, true);
    recorded(1);
    ck_assert_uint_eq(stats().failed, 1);
    ck_assert_int_eq(state(2), DTX_TASK_FAILED);
    ck_assert_int_eq(state(0), DTX_TASK_GRANTED);
}
END_TEST

/* It drains, and later the job is ended: the second word counts. */
START_TEST(ended_while_it_drains)
{
    two_ranks(2);
    stop_asked_of(0);
    at(5 * DOUBT_MS);
    signaled(1, 1, KILL);
    ck_assert_int_eq(state(1), DTX_TASK_RECORDING);
    at(5 * DOUBT_MS + 500);
    stop_asked_of(0);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
}
END_TEST

/* KILL to a whole node: the task's end may just be told before its rank dies.
 * That counts as a loss, so that a task that takes its rank along is set aside
 * some time. */
START_TEST(lost_with_its_rank)
{
    config.crash_limit = 2;
    two_ranks(2);
    signaled(1, 1, KILL);
    at(300);
    lost(1);
    ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
    timer(DOUBT_MS);
    expect_record(1, 1, false, true);
    ck_assert_uint_eq(stats().lost, 1);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    done(0, 0);
    expect_record(2, 0, true, false);
    expect_grant(0, 1, 1, 2);
}
END_TEST

/* A job is ended on all nodes, each process somewhere within the time of
 * doubt, ends told and stops asked in any order: nobody's task has failed but
 * those that were killed long before. */
enum { NODES = 24, PER = 4, SPREAD_MS = DOUBT_MS - 1, END_MS = 5000 };

struct news {
    int64_t ms;
    uint32_t rank, task;
    bool asks; /* else the task has ended */
};

static int by_time(const void *a, const void *b)
{
    const struct news *x = a, *y = b;

    return x->ms != y->ms ? (x->ms > y->ms) - (x->ms < y->ms)
                          : (x->task > y->task) - (x->task < y->task);
}

static size_t draw_end(struct dtx_rng *rng, struct news *n)
{
    size_t count = 0;

    for (uint32_t r = 0; r < NODES; r++) {
        for (uint32_t i = 0; i < PER; i++) {
            bool before = dtx_rng_below(rng, 8) == 0;

            n[count++] = (struct news){
                (before ? 1000 : END_MS) +
                    (int64_t)dtx_rng_below(rng, SPREAD_MS),
                r, r * PER + i, false};
        }
        if (r == 0 || dtx_rng_below(rng, 4) > 0) /* some die without a word */
            n[count++] = (struct news){
                END_MS + (int64_t)dtx_rng_below(rng, SPREAD_MS), r,
                UINT32_MAX, true};
    }
    qsort(n, count, sizeof(*n), by_time);
    return count;
}

START_TEST(a_job_ends_in_any_order)
{
    struct dtx_rng rng;
    struct news n[NODES * (PER + 1)];
    size_t total;
    uint64_t records = 0, early = 0;
    bool over = false;

    dtx_rng_seed(&rng, (uint64_t)_i);
    config.nranks = NODES;
    total = draw_end(&rng, n);
    add(NODES * PER, 1, 0);
    begin();
    for (uint32_t r = 0; r < NODES; r++)
        hello(r, PER, 1);
    for (size_t i = 0; i < total; i++) {
        if (!over && n[i].ms >= END_MS) {
            timer(END_MS - 1); /* by then the early ones are judged */
            for (size_t a = 0; a < out.count; a++)
                records += out.list[a].kind == DTX_ACT_RECORD;
            recorded(records);
            over = true;
        }
        early += n[i].ms < END_MS;
        at(n[i].ms);
        if (n[i].asks)
            stop_asked_of(n[i].rank);
        else
            signaled(n[i].rank, n[i].task,
                     dtx_rng_below(&rng, 2) ? TERM : KILL);
        if (n[i].ms >= END_MS)
            ck_assert_uint_eq(count(DTX_ACT_RECORD), 0);
        records += count(DTX_ACT_RECORD);
    }
    ck_assert(stats().finished);
    ck_assert_uint_eq(stats().failed, early);
    ck_assert_uint_eq(stats().left, NODES * PER - early);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("engine/master_doubt");
    TCase *t = tcase_create("doubt");

    tcase_add_checked_fixture(t, set_up_doubt, tear_down);
    tcase_add_test(t, alone_it_has_failed);
    tcase_add_test(t, alone_it_is_tried_again);
    tcase_add_loop_test(t, others_do_not_wait, 0, 11);
    tcase_add_test(t, ended_with_the_job);
    tcase_add_test(t, asked_while_it_drains);
    tcase_add_test(t, halted_alone_it_has_failed);
    tcase_add_test(t, killed_while_it_drains);
    tcase_add_test(t, ended_while_it_drains);
    tcase_add_test(t, lost_with_its_rank);
    tcase_add_loop_test(t, a_job_ends_in_any_order, 0, 40);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

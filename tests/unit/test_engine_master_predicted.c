/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_master_predicted.c - predicted costs in the master's
 * books: deadlines, tasks put off, ranks lost, queues behind hung tasks */
#include <math.h>

#include "base/units.h"
#include "check_main.h"
#include "master_fixture.h"

static void at(double s)
{
    now_ns = (int64_t)(s * 1e9);
}

static void timer(double s)
{
    at(s);
    step((struct dtx_event){.kind = DTX_EV_TIMER});
}

static void deadline(double s)
{
    struct dtx_event ev = {.kind = DTX_EV_DEADLINE};

    ev.u.deadline_ns = (int64_t)(s * 1e9);
    step(ev);
}

static void costs(uint32_t task, float seconds, float need)
{
    struct dtx_event ev = {.kind = DTX_EV_COSTS};

    ev.u.costs = (struct dtx_costs){
        .task = &task, .seconds = &seconds, .need = &need, .n = 1};
    step(ev);
}

/* How many messages of a kind the last step sent, and items granted. */
static uint32_t sent(enum dtx_msg_kind kind, uint32_t *granted)
{
    uint32_t n = 0;
    size_t i;

    for (i = 0; i < out.count; i++) {
        const struct dtx_action *a = &out.list[i];
        struct dtx_item_work w;
        struct dtx_msg msg;

        if (a->kind != DTX_ACT_SEND)
            continue;
        ck_assert_int_eq(
            dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &msg), 0);
        n += msg.kind == kind;
        while (granted && msg.kind == DTX_MSG_GRANT &&
               dtx_item_work_next(&msg.items, &w) > 0)
            ++*granted;
    }
    return n;
}

/* Tasks of which nothing is known, behind known ones that take most of the
 * time there is: no more wait there than would end in time. */
START_TEST(unknown_ones_are_not_called_back)
{
    float cost[64];
    uint32_t granted = 0;

    for (uint32_t i = 0; i < 64; i++)
        cost[i] = i < 4 || i >= 44 ? 600.0f : -1.0f;
    add(64, 1, 0);
    config.nranks = 1;
    config.policy = "steal";
    config.cost_s = cost;
    begin();
    deadline(1000);
    hello(0, 4, 1);
    ck_assert_uint_eq(sent(DTX_MSG_YIELD, &granted), 0);
    ck_assert_uint_eq(granted, 6); /* 6 x 600 s / 4 slots end in time */
    timer(1);
    ck_assert_uint_eq(sent(DTX_MSG_YIELD, NULL), 0);
}
END_TEST

/* ---- a live list ---- */

static void arrive(uint32_t n, const float *cost)
{
    struct dtx_event ev = {.kind = DTX_EV_TASKS};

    add(n, 1, 0);
    ev.u.tasks = (struct dtx_arrival){.upto = (uint32_t)list.ntasks,
                                      .cost_s = cost};
    step(ev);
}

/* What comes without costs at first, then with some; the longest first, those
 * of which nothing is known before them. */
START_TEST(arrivals_are_ordered)
{
    static const float some[] = {1, 5, 3}, more[] = {-1, 4, -1};
    static const uint32_t order[] = {0, 2, 3, 4, 6, 5, 1};

    list.live = config.live = config.longest_first = true;
    config.nranks = 1;
    begin();
    hello(0, 1, 1);
    arrive(1, NULL);
    for (uint32_t i = 0; i < 7; i++) {
        if (i == 0)
            arrive(3, some);
        else if (i == 2)
            arrive(3, more);
        ck_assert_int_eq(state(order[i]), DTX_TASK_GRANTED);
        ck_assert_uint_eq(stats().granted, 1);
        done(0, order[i]);
        if (i == 1)
            ck_assert_double_gt(dtx_master_elapsed_s(m, order[2]), -0.5);
    }
    ck_assert_uint_eq(stats().ready, 0);
}
END_TEST

/* ---- what was put off ---- */

/* A task of which only a timeout is known is put off; it is started when it
 * turns out to be short. */
START_TEST(predicted_to_fit_after_all)
{
    static const float cost[] = {1, -1};

    add(2, 1, 0);
    config.nranks = 1;
    config.cost_s = cost;
    config.timeout_ns = 9500 * DTX_MSEC_NS;
    begin();
    deadline(10);
    hello(0, 1, 1);
    at(1);
    done(0, 0);
    ck_assert_uint_eq(stats().late, 1);
    costs(1, 2, 2);
    timer(1.1);
    ck_assert_uint_eq(stats().late, 0);
    ck_assert_int_eq(state(1), DTX_TASK_GRANTED);
}
END_TEST

/* Ever shorter, but not short enough: nobody is looked at for that. */
START_TEST(others_stay_put_off)
{
    enum { MANY = 1000 };
    float cost[MANY + 1];
    uint64_t work;

    for (uint32_t i = 0; i <= MANY; i++)
        cost[i] = i == 0 ? 1.0f : 100.0f;
    add(MANY + 1, 1, 0);
    config.nranks = 1;
    config.cost_s = cost;
    begin();
    deadline(10);
    hello(0, 2, 1);
    ck_assert_uint_eq(stats().late, MANY);
    work = stats().work;
    for (uint32_t i = 0; i < 50; i++)
        costs(7, 90.0f - (float)i, 90.0f - (float)i);
    ck_assert_uint_eq(stats().late, MANY);
    ck_assert_uint_lt(stats().work - work, MANY);
}
END_TEST

/* Between two attempts, too, a task's prediction is heard. */
START_TEST(predicted_in_a_pause)
{
    static const float cost[] = {8};

    add(1, 1, 0);
    config.nranks = 1;
    config.retries = 2;
    config.retry_pause_ns = DTX_SEC_NS;
    config.cost_s = cost;
    begin();
    deadline(10);
    hello(0, 1, 1);
    at(3);
    done_as(0, 0, 1, DTX_STATUS_FAILED);
    recorded(1);
    ck_assert_int_eq(state(0), DTX_TASK_PAUSED);
    costs(0, 2, 2);
    timer(4);
    ck_assert_int_eq(state(0), DTX_TASK_GRANTED);
}
END_TEST

/* Nor is anybody for one that waits for a larger rank, however short it is. */
START_TEST(not_for_one_without_a_rank)
{
    enum { MANY = 1000 };
    float cost[MANY + 2];
    uint64_t work;

    for (uint32_t i = 0; i <= MANY; i++)
        cost[i] = i == 0 ? 1.0f : 100.0f;
    cost[MANY + 1] = 5;
    add(MANY + 1, 1, 0);
    add(1, 4, 0);
    config.nranks = 1;
    config.cost_s = cost;
    begin();
    deadline(10);
    hello(0, 2, 1);
    ck_assert_uint_eq(stats().late, MANY);
    ck_assert_int_eq(state(MANY + 1), DTX_TASK_READY);
    work = stats().work;
    for (uint32_t i = 0; i < 50; i++)
        costs(MANY + 1, 4, 4);
    ck_assert_uint_eq(stats().late, MANY);
    ck_assert_uint_lt(stats().work - work, MANY);
}
END_TEST

/* So is that of one for which a rank is reserved: it would end too late. */
START_TEST(predicted_when_reserved)
{
    static const float cost[] = {1, 2};

    add(1, 1, 0);
    add(1, 2, 0);
    config.nranks = 1;
    config.cost_s = cost;
    begin();
    deadline(10);
    hello(0, 2, 1);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    costs(1, 20, 20);
    done(0, 0);
    ck_assert_int_eq(state(1), DTX_TASK_READY);
    ck_assert_uint_eq(stats().late, 1);
}
END_TEST

/* What is predicted beyond all bounds does not fit either. */
START_TEST(far_too_long)
{
    static const float need[] = {1e10f, INFINITY, 3e38f, 1};
    static const float cost[] = {1, 1, 1, 1};

    add(4, 1, 0);
    config.nranks = 1;
    config.late = DTX_LATE_SAFE;
    config.cost_s = cost;
    config.need_s = need;
    begin();
    deadline(1000);
    hello(0, 4, 1);
    ck_assert_uint_eq(stats().late, 3);
    ck_assert_int_eq(state(3), DTX_TASK_GRANTED);
}
END_TEST

/* ---- ranks that are lost ---- */

/* What a lost rank had does not run, and what gets it next counts it anew. */
START_TEST(lost_is_not_started)
{
    static const float cost[] = {5, 5, 5};

    add(3, 1, 0);
    config.nranks = 2;
    config.policy = "static";
    config.cost_s = cost;
    config.crash_limit = 0;
    begin();
    hello(0, 1, 1);
    hello(1, 1, 1);
    ck_assert_double_ge(dtx_master_elapsed_s(m, 1), 0);
    at(2);
    lost(1);
    ck_assert_int_eq(state(1), DTX_TASK_GRANTED); /* behind what rank 0 has */
    ck_assert_double_lt(dtx_master_elapsed_s(m, 1), 0);
}
END_TEST

/* ---- ranks that are slow ---- */

static uint32_t taken[4]; /* by others, of a rank, as DONE has it */

static void took(uint32_t from, uint32_t task, double seconds)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DONE};
    struct dtx_item_outcome o = {.task = task, .attempt = 1};
    struct dtx_buf b = DTX_BUF_INIT;

    o.status = DTX_STATUS_OK;
    o.wall_ns = (int64_t)(seconds * 1e9);
    msg.u.done.received = UINT64_MAX;
    msg.u.done.others = taken[from];
    dtx_item_outcome_encode(&b, &o);
    hear_from(from, msg, &b);
    dtx_buf_free(&b);
}

/* The task that the last step granted to the rank, if any. */
static void look(uint32_t rank, uint32_t *task)
{
    for (size_t i = 0; i < out.count; i++) {
        const struct dtx_action *a = &out.list[i];
        struct dtx_item_work w;
        struct dtx_msg msg;

        if (a->kind == DTX_ACT_SEND && a->u.to == rank &&
            dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &msg) == 0 &&
            msg.kind == DTX_MSG_GRANT && dtx_item_work_next(&msg.items, &w) > 0)
            *task = w.task;
    }
}

/* The slow rank leaves the last task to the fast one, which would be done with
 * it earlier; but that hangs, and so it is taken after all. */
START_TEST(nobody_stands_back_for_ever)
{
    enum { MANY = 82 };
    static float cost[MANY];
    uint32_t has[2] = {0, 0}, r;

    for (uint32_t i = 0; i < MANY; i++)
        cost[i] = 1;
    add(MANY, 1, 0);
    config.nranks = 2;
    config.policy = "self";
    config.speeds = true;
    config.cost_s = cost;
    begin();
    for (r = 0; r < 2; r++) {
        hello(r, 1, 1);
        look(r, &has[r]);
    }
    /* rank 1 takes six times as long */
    for (uint32_t s = 1; stats().ready > 1; s++) {
        at(s);
        r = s % 7 == 6;
        took(r, has[r], r ? 6 : 1);
        look(r, &has[r]);
    }
    now_ns += DTX_SEC_NS / 2;
    took(1, has[1], 6);
    ck_assert_int_eq(state(MANY - 1), DTX_TASK_READY); /* it stands back */
    now_ns += 2 * DTX_SEC_NS;
    step((struct dtx_event){.kind = DTX_EV_TIMER});
    ck_assert_int_eq(state(MANY - 1), DTX_TASK_READY);
    now_ns += 8 * DTX_SEC_NS;
    step((struct dtx_event){.kind = DTX_EV_TIMER});
    ck_assert_int_eq(state(MANY - 1), DTX_TASK_GRANTED);
    ck_assert_int_eq(state(has[0]), DTX_TASK_GRANTED);
}
END_TEST

static void others(uint32_t from, uint32_t thousandths)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DONE};

    msg.u.done.received = UINT64_MAX;
    msg.u.done.others = taken[from] = 1 + thousandths;
    hear_from(from, msg, NULL);
}

/* Two ranks of a slot, and tasks of a second. */
static void begin_two(uint32_t n, float *cost, uint32_t *has)
{
    for (uint32_t i = 0; i < n; i++)
        cost[i] = 1;
    memset(taken, 0, sizeof(taken));
    add(n, 1, 0);
    config.nranks = 2;
    config.policy = "self";
    config.speeds = true;
    config.cost_s = cost;
    begin();
    for (uint32_t r = 0; r < 2; r++) {
        hello(r, 1, 1);
        look(r, &has[r]);
    }
}

/* As soon as others take much of rank 1 it leaves the last task to rank 0,
 * though no outcome has told that it is slow; when they have gone, it takes it.
 * With equal_speeds it does so at once. */
START_TEST(stands_back_for_others)
{
    static float cost[4];
    uint32_t has[2] = {0, 0};
    struct dtx_rank_stats k;

    config.equal_speeds = _i == 1;
    begin_two(4, cost, has);
    others(1, 750);
    at(1);
    took(0, has[0], 1);
    look(0, &has[0]);
    ck_assert_int_eq(state(3), DTX_TASK_READY);
    at(1.2);
    took(1, has[1], 1.2);
    dtx_master_rank_stats(m, 1, &k);
    ck_assert_double_eq_tol(k.others, 0.75, 1e-9);
    ck_assert_double_eq_tol(k.others_most, 0.75, 1e-9);
    ck_assert_double_eq_tol(k.others_mean, 0.75, 1e-9);
    if (_i == 1) {
        ck_assert_int_eq(state(3), DTX_TASK_GRANTED);
        return;
    }
    ck_assert_int_eq(state(3), DTX_TASK_READY);
    others(1, 740); /* nothing new */
    ck_assert_int_eq(state(3), DTX_TASK_READY);
    others(1, 0);
    ck_assert_int_eq(state(3), DTX_TASK_GRANTED);
    at(2.4);
    step((struct dtx_event){.kind = DTX_EV_TIMER});
    dtx_master_rank_stats(m, 1, &k);
    ck_assert_double_eq_tol(k.others, 0, 1e-9);
    ck_assert_double_eq_tol(k.others_mean, 0.375, 1e-3);
}
END_TEST

/* Which rank the task was granted to in the last step; 9: none. */
static uint32_t granted_to(uint32_t task)
{
    uint32_t has, r;

    for (r = 0; r < 3; r++) {
        has = UINT32_MAX;
        look(r, &has);
        if (has == task)
            return r;
    }
    return 9;
}

/* A task that ends in time on rank 0 and not on ranks 1 and 2, of whose
 * processors others take three quarters: these are free, and asked first, and
 * do not get it, but a short one. Also one at a time. */
START_TEST(too_slow_for_the_deadline)
{
    static float cost[] = {100, 100, 10, 2};
    static const uint32_t has[] = {0, 1};

    memset(taken, 0, sizeof(taken));
    add(4, 1, 0);
    after(0, 2);
    after(0, 3);
    config.nranks = 3;
    config.policy = "self";
    config.cost_s = cost;
    config.delay_ns = _i == 1 ? 1 : 0;
    config.equal_speeds = _i == 2;
    config.slice = _i == 3 ? 1 : 0;
    begin();
    hello(0, 2, 1);
    for (uint32_t i = 0; _i == 3 && i < 20; i++)
        step((struct dtx_event){.kind = DTX_EV_TIMER});
    if (_i == 1) {
        at(0.5);
        step((struct dtx_event){.kind = DTX_EV_TIMER});
    }
    ck_assert_int_eq(state(has[1]), DTX_TASK_GRANTED);
    hello(1, 1, 1);
    hello(2, 1, 1);
    others(1, 750);
    others(2, 750);
    at(100);
    deadline(120);
    done(0, has[0]);
    at(101);
    recorded(1);
    if (_i == 3) { /* in very small steps */
        for (uint32_t i = 0; i < 20; i++)
            step((struct dtx_event){.kind = DTX_EV_TIMER});
        ck_assert_int_eq(state(2), DTX_TASK_GRANTED);
        ck_assert_int_eq(state(3), DTX_TASK_GRANTED);
        return;
    }
    if (_i == 2) { /* all alike */
        ck_assert_uint_eq(granted_to(2), 1);
        ck_assert_uint_eq(granted_to(3), 2);
        return;
    }
    ck_assert_uint_eq(granted_to(2), 0);
    if (_i == 1) {
        at(102);
        step((struct dtx_event){.kind = DTX_EV_TIMER});
    }
    ck_assert_uint_eq(granted_to(3), 1);
    ck_assert_uint_eq(stats().late, 0);
}
END_TEST

/* The same of a task of two cpus, for which the slow rank would be the first;
 * when both are it waits. */
START_TEST(too_slow_for_a_wide_one)
{
    static float cost[] = {100, 10};

    memset(taken, 0, sizeof(taken));
    add(1, 1, 0);
    add(1, 2, 0);
    after(0, 1);
    config.nranks = 2;
    config.cost_s = cost;
    config.equal_speeds = _i == 1;
    begin();
    hello(0, 4, 1);
    hello(1, 4, 1);
    ck_assert_int_eq(state(0), DTX_TASK_GRANTED);
    at(100);
    done(0, 0);
    at(101);
    deadline(120);
    others(0, 750);
    others(1, _i == 2 ? 750 : 0);
    recorded(1);
    ck_assert_uint_eq(granted_to(1), _i == 0 ? 1 : _i == 1 ? 0 : 9);
    if (_i < 2)
        return;
    others(1, 0);
    ck_assert_uint_eq(granted_to(1), 1);
}
END_TEST

/* What tasks took longer because of others is not the rank's own. */
START_TEST(others_are_not_learned)
{
    enum { MANY = 82 };
    static float cost[MANY];
    uint32_t has[2] = {0, 0}, r;
    struct dtx_rank_stats k;

    begin_two(MANY, cost, has);
    at(0.01);
    if (_i == 0)
        others(1, 500);
    for (uint32_t s = 1; stats().ready > 10; s++) {
        at(s);
        for (r = 0; r < 2; r++) {
            if (r == 1 && s % 2)
                continue;
            took(r, has[r], r + 1);
            look(r, &has[r]);
        }
    }
    dtx_master_rank_stats(m, 1, &k);
    if (_i == 0)
        ck_assert_double_eq_tol(
            dtx_speed_slowness(dtx_master_speeds(m), &k.speed), 1, 0.01);
    else
        ck_assert_double_gt(
            dtx_speed_slowness(dtx_master_speeds(m), &k.speed), 1.2);
}
END_TEST

/* ---- queues ---- */

enum { N = 4000, R = 4, S = 2 };

/* What was granted in the last step. */
static void deal(uint32_t (*has)[N], uint32_t *n)
{
    for (size_t i = 0; i < out.count; i++) {
        const struct dtx_action *a = &out.list[i];
        struct dtx_item_work w;
        struct dtx_msg msg;

        if (a->kind != DTX_ACT_SEND ||
            dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &msg) != 0 ||
            msg.kind != DTX_MSG_GRANT)
            continue;
        while (dtx_item_work_next(&msg.items, &w) > 0)
            has[a->u.to][n[a->u.to]++] = w.task;
    }
}

/* Out of what a rank has, the first. */
static uint32_t oldest(uint32_t has[], uint32_t *n)
{
    uint32_t task = has[0];

    memmove(has, has + 1, --*n * sizeof(*has));
    return task;
}

/* All tasks of rank 0 hang: by what was predicted it is always the first to be
 * done. The others still have tasks queued ahead, many in each grant. */
START_TEST(one_that_hangs_hides_nobody)
{
    static float cost[N];
    static uint32_t has[R][N], n[R];
    uint32_t ends = 0, dry = 0;

    memset(n, 0, sizeof(n));
    for (uint32_t i = 0; i < N; i++)
        cost[i] = 0.001f;
    add(N, 1, 0);
    config.nranks = R;
    config.policy = "steal";
    config.depth_ns = 10 * DTX_MSEC_NS;
    config.cost_s = cost;
    begin();
    for (uint32_t r = 0; r < R; r++) {
        hello(r, S, 1);
        deal(has, n);
    }
    while (stats().ready > N / 4) {
        uint32_t r = ends++ % R;

        now_ns += DTX_MSEC_NS / (R * S);
        if (n[r] == 0 || r == 0)
            continue; /* nothing is heard of rank 0 */
        dry += n[r] <= S;
        done(r, oldest(has[r], &n[r]));
        deal(has, n);
    }
    ck_assert_uint_lt(dry, N / 20);
    ck_assert_uint_lt(stats().grants, N / 4);
}
END_TEST

/* How many tasks the YIELD of the last step asks for; 0: there is none. */
static uint32_t asked_for(void)
{
    for (size_t i = 0; i < out.count; i++) {
        struct dtx_msg msg;

        if (out.list[i].kind == DTX_ACT_SEND &&
            dtx_msg_decode(dtx_action_bytes(&out, &out.list[i]),
                           out.list[i].len, &msg) == 0 &&
            msg.kind == DTX_MSG_YIELD)
            return msg.u.yield.count;
    }
    return 0;
}

/* What runs takes far longer than was predicted: of what waits behind it a
 * thief gets its half, not one task at a time. The same after ten years, in
 * seconds that a float could not tell apart. */
START_TEST(overrun_takes_nothing_off)
{
    static float cost[40];
    static uint32_t has[R][N], n[R];
    double t = _i ? 3e8 : 20;
    uint32_t count = 0;

    memset(n, 0, sizeof(n));
    for (uint32_t i = 0; i < 40; i++)
        cost[i] = 1;
    add(40, 1, 0);
    config.nranks = 2;
    config.policy = "steal";
    config.depth_ns = 100 * DTX_SEC_NS;
    config.cost_s = cost;
    begin();
    at(t - 20);
    hello(0, 1, 1);
    deal(has, n);
    ck_assert_uint_ge(n[0], 5);
    at(t);
    ck_assert_double_eq_tol(dtx_master_elapsed_s(m, has[0][0]), 0, 1e-6);
    hello(1, 1, 1);
    deal(has, n);
    ck_assert_double_eq_tol(dtx_master_elapsed_s(m, has[0][0]), 20, 1e-6);
    while (count == 0) {
        ck_assert_uint_gt(n[1], 0);
        at(t += 0.001);
        done(1, oldest(has[1], &n[1]));
        deal(has, n);
        count = asked_for();
    }
    ck_assert_uint_ge(count, (n[0] - 1) / 2);
    ck_assert_uint_gt(count, 1);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("engine/master_predicted");
    TCase *t = tcase_create("predicted");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, unknown_ones_are_not_called_back);
    tcase_add_test(t, arrivals_are_ordered);
    tcase_add_loop_test(t, overrun_takes_nothing_off, 0, 2);
    tcase_add_test(t, predicted_to_fit_after_all);
    tcase_add_test(t, others_stay_put_off);
    tcase_add_test(t, not_for_one_without_a_rank);
    tcase_add_test(t, predicted_in_a_pause);
    tcase_add_test(t, predicted_when_reserved);
    tcase_add_test(t, far_too_long);
    tcase_add_test(t, lost_is_not_started);
    tcase_add_test(t, nobody_stands_back_for_ever);
    tcase_add_loop_test(t, stands_back_for_others, 0, 2);
    tcase_add_loop_test(t, others_are_not_learned, 0, 2);
    tcase_add_loop_test(t, too_slow_for_the_deadline, 0, 4);
    tcase_add_loop_test(t, too_slow_for_a_wide_one, 0, 3);
    tcase_add_test(t, one_that_hangs_hides_nobody);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* Tasks that are bound by memory bandwidth, which the master is told while the
 * job runs: one for each NUMA node while others wait, and those that are not
 * bound by it are treated as ever. */
#include "base/buf.h"
#include "check_main.h"
#include "master_fixture.h"
#include "sched/traffic.h"

/* Two NUMA nodes of two slots. */
enum { SLOTS = 4, NUMAS = 2 };

static struct dtx_traffic *traffic;

static void make_traffic(void)
{
    struct dtx_traffic_reach reach = {0, 0, NUMAS - 1, SLOTS};

    traffic = dtx_traffic_create(1);
    ck_assert_ptr_nonnull(traffic);
    ck_assert_int_eq(dtx_traffic_lay_out(traffic, &reach, 1), 0);
    config.traffic = traffic;
}

static void begin_with(uint32_t tasks)
{
    add(tasks, 1, 0);
    config.nranks = 1;
    config.policy = "self";
    config.depth_ns = 1000; /* a task of a millisecond lasts */
    begin();
}

/* Tasks from 'first' on are told to use this share, or to cost so much. */
static void tell(uint32_t first, uint32_t n, float share, float seconds)
{
    struct dtx_event ev = {.kind = DTX_EV_COSTS};
    float shares[16], costs[16];
    uint32_t task[16], i;

    for (i = 0; i < n; i++) {
        task[i] = first + i;
        shares[i] = share;
        costs[i] = seconds;
    }
    ev.u.costs = (struct dtx_costs){.task = task, .n = n};
    if (share >= 0)
        ev.u.costs.share = shares;
    if (seconds >= 0)
        ev.u.costs.seconds = costs;
    step(ev);
}

/* The next grant is of this task, and says so. */
static void expect_work(uint32_t task, bool heavy, bool looked_after)
{
    struct dtx_msg msg = expect_send(0, DTX_MSG_GRANT);
    struct dtx_item_work w;

    ck_assert_int_eq(dtx_item_work_next(&msg.items, &w), 1);
    ck_assert_uint_eq(w.task, task);
    ck_assert(((w.flags & DTX_WORK_HEAVY) != 0) == heavy);
    ck_assert((w.traffic > 0) == looked_after);
    ck_assert(dtx_cursor_done(&msg.items));
}

static void ends(uint32_t task)
{
    done(0, task);
    (void)next(DTX_ACT_RECORD);
}

/* Tasks 4 to 8 are bound, of 12. */
START_TEST(one_for_each_numa_node)
{
    struct dtx_master_stats st;

    make_traffic();
    begin_with(12);
    hello(0, SLOTS, 1);
    expect_grant(0, 0, SLOTS, 1);
    tell(4, 5, 0.75f, -1);
    expect_none();
    ends(0);
    expect_work(4, true, true);
    ends(1);
    expect_work(5, true, true);
    ends(2); /* both NUMA nodes are taken: others pass */
    expect_work(9, false, true);
    ends(3);
    expect_work(10, false, true);
    ends(9);
    expect_work(11, false, true);
    ends(4);
    expect_work(6, true, true);
    ends(10); /* nothing else is ready: crowded, but not idle */
    expect_work(7, true, true);
    ends(5);
    expect_work(8, true, true);
    dtx_master_stats(m, &st);
    ck_assert_uint_eq(st.spread + st.crowded, 5);
    ck_assert_uint_ge(st.spread, 3);
}
END_TEST

/* Shares leave what is predicted as it was, and the other way round. */
START_TEST(shares_and_costs_apart)
{
    make_traffic();
    config.longest_first = true;
    begin_with(9);
    hello(0, SLOTS, 1);
    expect_grant(0, 0, SLOTS, 1);
    tell(6, 1, -1, 5);
    tell(7, 1, -1, 9);
    tell(6, 2, 0.75f, -1);
    tell(8, 1, 0.75f, 2);
    ends(0);
    expect_work(7, true, true); /* 9 s, 5 s, 2 s */
    ends(1);
    expect_work(6, true, true);
    ends(2);
    expect_work(4, false, true);
    tell(8, 1, -1, 3); /* is as bound as it was */
    ends(7);
    expect_work(8, true, true);
}
END_TEST

/* What is no longer bound waits among the others again. */
START_TEST(bound_no_more)
{
    make_traffic();
    begin_with(8);
    hello(0, SLOTS, 1);
    expect_grant(0, 0, SLOTS, 1);
    tell(4, 4, 0.75f, -1);
    tell(5, 3, 0.1f, -1);
    ends(0);
    expect_work(4, true, true);
    ends(1);
    expect_work(5, false, true);
    ends(2);
    expect_work(6, false, true);
}
END_TEST

/* ---- queues of short tasks ---- */

enum { SHORT = 200, HEAVY = SHORT };

static uint32_t queue[SHORT + 1], begin_of, end_of;

/* Add what has been granted in the last step to the queue: is the heavy one
 * among it? */
static bool take_grants(void)
{
    struct dtx_item_work w;
    bool heavy = false;
    struct dtx_msg msg;
    size_t i;

    for (i = 0; i < out.count; i++) {
        if (out.list[i].kind != DTX_ACT_SEND ||
            dtx_msg_decode(dtx_action_bytes(&out, &out.list[i]),
                           out.list[i].len, &msg) ||
            msg.kind != DTX_MSG_GRANT)
            continue;
        while (dtx_item_work_next(&msg.items, &w) > 0) {
            queue[end_of++] = w.task;
            heavy |= w.task == HEAVY;
        }
    }
    return heavy;
}

/* The memory is there, but all slots have short tasks before them: none is
 * added to these until it has got one. */
START_TEST(short_ones_do_not_keep_it_out)
{
    static float cost[SHORT + 1];
    uint32_t n;

    for (n = 0; n < SHORT; n++)
        cost[n] = 0.001f;
    cost[HEAVY] = 0.0005f; /* at first */
    begin_of = end_of = 0;
    make_traffic();
    add(SHORT + 1, 1, 0);
    config.nranks = 1;
    config.policy = "steal";
    config.longest_first = true;
    config.cost_s = cost;
    begin();
    hello(0, SLOTS, 1);
    ck_assert(!take_grants());
    for (n = 0; n < 40; n++) {
        done(0, queue[begin_of++]);
        ck_assert(!take_grants());
    }
    ck_assert_uint_gt(end_of - begin_of, 2 * SLOTS);
    tell(HEAVY, 1, -1, 5);
    tell(HEAVY, 1, 0.75f, -1);
    ck_assert(!take_grants());
    for (n = end_of - begin_of; n > SLOTS; n--) {
        done(0, queue[begin_of++]);
        ck_assert(!take_grants());
        ck_assert_uint_eq(end_of - begin_of, n - 1);
    }
    done(0, queue[begin_of++]);
    ck_assert(take_grants());
    ck_assert_uint_eq(queue[begin_of + SLOTS - 1], HEAVY);
    done(0, queue[begin_of++]);
    ck_assert(!take_grants());
    ck_assert_uint_ge(end_of - begin_of, SLOTS); /* and they go on */
}
END_TEST

/* All the actions of a job in which nobody is bound. */
static void record_job(struct dtx_buf *all, bool looked_after)
{
    uint32_t i;

    set_up();
    if (looked_after)
        make_traffic();
    begin_with(10);
    for (i = 0; i < 11; i++) {
        if (i == 0)
            hello(0, SLOTS, 1);
        else
            done(0, i - 1);
        if (looked_after && i == 3)
            tell(5, 5, 0.2f, -1); /* they move, but there is enough */
        else if (i == 3)
            step((struct dtx_event){.kind = DTX_EV_TIMER});
        dtx_buf_append(all, out.bytes.data, out.bytes.len);
    }
    ck_assert(!all->failed);
    tear_down();
    dtx_traffic_destroy(traffic);
    traffic = NULL;
}

START_TEST(nobody_bound_nothing_changes)
{
    struct dtx_buf a = DTX_BUF_INIT, b = DTX_BUF_INIT;

    tear_down(); /* each job has its own */
    record_job(&a, true);
    record_job(&b, false);
    ck_assert_uint_gt(a.len, 200);
    ck_assert_uint_eq(a.len, b.len);
    ck_assert_int_eq(memcmp(a.data, b.data, a.len), 0);
    dtx_buf_free(&a);
    dtx_buf_free(&b);
    set_up();
}
END_TEST

static void end(void)
{
    tear_down();
    dtx_traffic_destroy(traffic);
    traffic = NULL;
}

int main(void)
{
    Suite *s = suite_create("engine/master_traffic");
    TCase *t = tcase_create("traffic");

    tcase_add_checked_fixture(t, set_up, end);
    tcase_add_test(t, one_for_each_numa_node);
    tcase_add_test(t, shares_and_costs_apart);
    tcase_add_test(t, bound_no_more);
    tcase_add_test(t, short_ones_do_not_keep_it_out);
    tcase_add_test(t, nobody_bound_nothing_changes);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

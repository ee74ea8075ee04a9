/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sim_scenario.c - small jobs on small machines, whose makespan
 * can be told by hand; and what is refused */
#include "sim/scenario.h"
#include "check_main.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "sim/workload.h"

#define MS DTX_MSEC_NS
#define SEC DTX_SEC_NS

static struct dtx_scenario_job job;
static struct dtx_scenario c;
static struct dtx_sim_result r;
static struct dtx_error err;

static void draw(const char *spec, uint64_t seed)
{
    struct dtx_workload w;

    ck_assert_msg(dtx_workload_parse(spec, &w, &err) == 0, "%s", err.text);
    dtx_scenario_job_fini(&job);
    ck_assert_int_eq(dtx_scenario_job_init(&job), 0);
    ck_assert_int_eq(dtx_scenario_draw(&job, &w, seed, &err), 0);
}

/* Two nodes of one slot, on which nothing costs anything. */
static void begin(void)
{
    memset(&c, 0, sizeof(c));
    dtx_cluster_preset(&c.machine);
    memset(&c.machine.cost, 0, sizeof(c.machine.cost));
    c.machine.nodes = 2;
    c.machine.near_ns = c.machine.far_ns = 0;
    c.machine.spawn_ns = c.machine.store_ns = 0;
    c.job = &job;
    c.seed = 1;
    ck_assert_int_eq(dtx_scenario_job_init(&job), 0);
}

static void end(void)
{
    dtx_scenario_job_fini(&job);
}

static int64_t makespan(void)
{
    ck_assert_msg(dtx_scenario_run(&c, &r, &err) == 0, "%s", err.text);
    ck_assert(r.finished);
    return r.makespan_ns;
}

START_TEST(nothing_costs_nothing)
{
    draw("constant:mean=1s,tasks=20", 1);
    ck_assert_int_eq(makespan(), 10 * SEC);
    ck_assert_int_eq(r.lower_bound_ns, 10 * SEC);
    ck_assert_int_eq(r.master_ns, 0);
    c.machine.spawn_ns = 3 * MS;
    ck_assert_int_eq(makespan(), 10 * (SEC + 3 * MS));
}
END_TEST

/* The second task: HELLO, GRANT and DONE are on their way between the nodes. */
START_TEST(a_message_takes_its_way)
{
    draw("constant:mean=1s,tasks=2", 1);
    c.machine.far_ns = 5 * MS;
    ck_assert_int_eq(makespan(), SEC + 3 * 5 * MS);
    c.machine.store_ns = 7 * MS;
    ck_assert_int_eq(makespan(), SEC + 3 * 5 * MS + 7 * MS);
    c.machine.store_ns = 1 * MS;
    c.machine.ranks_per_node = 2;
    c.machine.nodes = 1;
    c.machine.slots = 2;
    c.machine.near_ns = 2 * MS;
    ck_assert_int_eq(makespan(), SEC + 3 * 2 * MS + 1 * MS);
    c.ideal = true;
    ck_assert_int_eq(makespan(), SEC);
}
END_TEST

START_TEST(another_switch_is_farther)
{
    draw("constant:mean=1s,tasks=3", 1);
    c.policy = "self";
    c.machine.nodes = 3;
    c.machine.far_ns = 5 * MS;
    c.machine.hop_ns = 3 * MS;
    ck_assert_int_eq(makespan(), SEC + 3 * 5 * MS);
    c.machine.nodes_per_switch = 2;
    ck_assert_int_eq(makespan(), SEC + 3 * 8 * MS);
    c.machine.nodes_per_switch = 3;
    ck_assert_int_eq(makespan(), SEC + 3 * 5 * MS);
}
END_TEST

/* Two slots that share what one task can use up. */
START_TEST(memory_is_shared)
{
    draw("constant:mean=1s,tasks=2", 1);
    c.machine.nodes = 1;
    c.machine.slots = 2;
    c.machine.domains = 1;
    c.machine.streams = 1;
    c.bound = c.bound_share = 1;
    ck_assert_int_eq(makespan(), 2 * SEC);
    c.machine.domains = 2;
    ck_assert_int_eq(makespan(), SEC);
    c.machine.domains = 1;
    c.bound = 0.75; /* 0.25 + 0.75 * 1.5 */
    ck_assert_int_eq(makespan(), 1375 * MS);
    /* the second is alone once the first has ended: 1 s and 3 s take 2 s
     * together, and 2 s are left of the second */
    c.bound = 1;
    job.duration_ns[1] = 3 * SEC;
    ck_assert_int_eq(makespan(), 4 * SEC);
    /* ranks of a node share it; nodes do not */
    c.machine.ranks_per_node = 2;
    ck_assert_int_eq(makespan(), 4 * SEC);
    c.machine.ranks_per_node = 1;
    c.machine.nodes = 2;
    c.machine.slots = 1;
    ck_assert_int_eq(makespan(), 3 * SEC);
}
END_TEST

/* Nobody's work is lost or doubled when ranks die in between. */
START_TEST(memory_and_deaths)
{
    draw("exponential:mean=10s,tasks=300", 3);
    c.machine.nodes = 6;
    c.machine.ranks_per_node = 2;
    c.machine.slots = 8;
    c.machine.domains = 2;
    c.machine.streams = 1.5;
    c.machine.rank_mtbf_ns = 200 * SEC;
    c.machine.detect_ns = SEC;
    c.bound = 0.9;
    c.bound_share = 0.6;
    (void)makespan();
    ck_assert_uint_eq(r.stats.ok, 300);
    ck_assert_uint_gt(r.stats.lost, 0);
}
END_TEST

START_TEST(processors_are_busy)
{
    struct dtx_sim_costs *k = &c.machine.cost;
    int64_t way = 5 * MS, send = 1 * MS, recv = 2 * MS, frame = 10 * MS,
            task = 40 * MS, granted, answered;

    draw("constant:mean=1s,tasks=2", 1);
    c.policy = "self";
    c.machine.far_ns = way;
    k->send_ns = send;
    k->recv_ns = recv;
    k->frame_ns = frame;
    k->task_ns = task;
    /* while the master hears its own worker and grants to it, the HELLO of the
     * other comes, and is heard and answered next; only then is the process
     * free to start the task here. Both end while it hears of this one's end,
     * or before: that of the other is heard last. */
    granted = frame + (frame + task / 2);
    answered = granted + (recv + frame) + (frame + task / 2 + send);
    ck_assert_int_gt(granted, send + way);
    ck_assert_int_lt(way + send + way, frame + task / 2);
    ck_assert_int_eq(makespan(), answered + SEC + (frame + task / 2) +
                                     (recv + frame + task / 2));
    ck_assert_int_eq(r.master_ns % MS, 0);
    ck_assert_int_ge(r.master_ns, 2 * task + 6 * frame);
    ck_assert_int_le(r.master_ns, r.makespan_ns);
}
END_TEST

START_TEST(bytes_take_the_links)
{
    int64_t free_ns, bytes;

    draw("constant:mean=1s,tasks=2", 1);
    c.machine.cost.nap_min_ns = c.machine.cost.nap_max_ns = 1; /* timed */
    free_ns = makespan();
    c.machine.cost.byte_ns = 1000;
    bytes = (makespan() - free_ns) / 1000;
    /* a HELLO, a GRANT and a DONE of one task */
    ck_assert_int_gt(bytes, 50);
    ck_assert_int_lt(bytes, 500);
}
END_TEST

START_TEST(who_sleeps_hears_at_the_next_look)
{
    draw("constant:mean=1s,tasks=2", 1);
    c.machine.far_ns = 1 * MS;
    c.machine.cost.nap_min_ns = c.machine.cost.nap_max_ns = 10 * MS;
    /* HELLO is heard at 10 ms, GRANT at 20; DONE, sent at 1.020 s, 10 ms after
     * the third look since the own task ended at 1 s */
    ck_assert_int_eq(makespan(), SEC + 30 * MS);
    c.machine.cost.nap_min_ns = 1 * MS;
    c.machine.cost.nap_max_ns = 4 * MS;
    /* looks at 1, 3, 7, 11 ...: HELLO at 1, GRANT (sent at 1) at 3, DONE (sent
     * at 1.003) at 1.007 */
    ck_assert_int_eq(makespan(), SEC + 7 * MS);
}
END_TEST

START_TEST(the_master_is_the_limit)
{
    draw("constant:mean=1ms,tasks=10000", 1);
    c.machine.nodes = 10;
    c.machine.slots = 10;
    c.machine.cost.task_ns = 1 * MS;
    ck_assert_int_ge(makespan(), 10000 * MS);
    ck_assert_int_lt(r.makespan_ns, 10100 * MS);
    ck_assert_int_gt(r.master_ns, 9900 * MS);
}
END_TEST

START_TEST(streams_do_not_touch_each_other)
{
    int64_t bound;

    draw("lognormal:mean=1s,tasks=1000", 5);
    (void)makespan();
    bound = r.lower_bound_ns;
    c.policy = "self";
    c.machine.far_ns = 3 * MS;
    c.machine.spread_ns = 3 * MS;
    (void)makespan();
    ck_assert_int_eq(r.lower_bound_ns, bound);
    c.machine.noise_sigma = 0.5;
    (void)makespan();
    ck_assert_int_ne(r.lower_bound_ns, bound);
}
END_TEST

START_TEST(order_is_kept_and_predictions_err)
{
    int64_t by_file, known, guessed;

    draw("increasing:mean=1s,tasks=31", 1);
    c.machine.nodes = 8;
    by_file = makespan();
    c.order = DTX_ORDER_LPT;
    known = makespan();
    c.order = DTX_ORDER_PREDICTED;
    c.error_sigma = 0;
    ck_assert_int_eq(makespan(), known);
    c.error_sigma = 3;
    guessed = makespan();
    ck_assert_int_lt(known, by_file);
    ck_assert_int_ge(guessed, known);
}
END_TEST

START_TEST(slots_are_divided_among_ranks)
{
    draw("constant:mean=1s,tasks=1,cpus=3", 1);
    c.machine.slots = 5; /* 3 and 2 */
    c.machine.ranks_per_node = 2;
    ck_assert_int_eq(makespan(), SEC);
    c.machine.ranks_per_node = 3; /* 2, 2 and 1 */
    ck_assert_int_eq(dtx_scenario_run(&c, &r, &err), DTX_EINVAL);
    ck_assert(strstr(err.text, "tasks of 3 cpus, and no rank has more than 2"));
}
END_TEST

START_TEST(layers_run_one_after_the_other)
{
    draw("constant:mean=1s,tasks=10,layers=3", 1);
    c.machine.slots = 100;
    ck_assert_int_eq(makespan(), 3 * SEC);
    ck_assert_int_eq(r.lower_bound_ns, 3 * SEC);
}
END_TEST

START_TEST(failures_are_tried_again)
{
    draw("constant:mean=1s,tasks=1000", 1);
    c.fail_share = 0.5;
    (void)makespan();
    ck_assert_uint_gt(r.stats.failed, 450);
    ck_assert_uint_lt(r.stats.failed, 550);
    c.retries = 20;
    (void)makespan();
    ck_assert_uint_eq(r.stats.failed, 0);
    ck_assert_uint_gt(r.stats.retried, 900);
    ck_assert_uint_lt(r.stats.retried, 1100);
}
END_TEST

START_TEST(deaths_lose_no_task)
{
    draw("constant:mean=1s,tasks=1000", 1);
    c.machine.nodes = 20;
    c.machine.ranks_per_node = 2;
    c.machine.slots = 4;
    c.machine.detect_ns = 2 * SEC;
    c.machine.node_mtbf_ns = 20 * SEC;
    (void)makespan();
    ck_assert_uint_gt(r.stats.lost, 0);
    ck_assert_uint_eq(r.stats.ok, 1000);
    c.machine.node_mtbf_ns = 0;
    c.machine.rank_mtbf_ns = 20 * SEC;
    (void)makespan();
    ck_assert_uint_gt(r.stats.lost, 0);
    ck_assert_uint_eq(r.stats.ok, 1000);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    draw("constant:mean=100d,tasks=1000", 1);
    ck_assert_int_eq(dtx_scenario_run(&c, &r, &err), DTX_ELIMIT);
    ck_assert(strstr(err.text, "this job takes 137 years"));
    c.machine.nodes = 0;
    ck_assert_int_eq(dtx_scenario_run(&c, &r, &err), DTX_EINVAL);
    c.machine.nodes = 1000001;
    ck_assert_int_eq(dtx_scenario_run(&c, &r, &err), DTX_EINVAL);
    c.machine.nodes = 1;
    c.machine.slots = 65536;
    ck_assert_int_eq(dtx_scenario_run(&c, &r, &err), DTX_EINVAL);
    ck_assert(strstr(err.text, "65535 is the most"));
}
END_TEST

START_TEST(the_master_needs_longer_for_more_ranks)
{
    ck_assert_int_eq(dtx_cluster_task_ns(1), dtx_cluster_task_ns(1000));
    ck_assert_int_lt(dtx_cluster_task_ns(1000), dtx_cluster_task_ns(10000));
    ck_assert_int_lt(dtx_cluster_task_ns(10000), dtx_cluster_task_ns(100000));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim_scenario");
    TCase *t = tcase_create("scenario");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, nothing_costs_nothing);
    tcase_add_test(t, a_message_takes_its_way);
    tcase_add_test(t, another_switch_is_farther);
    tcase_add_test(t, memory_is_shared);
    tcase_add_test(t, memory_and_deaths);
    tcase_add_test(t, processors_are_busy);
    tcase_add_test(t, bytes_take_the_links);
    tcase_add_test(t, who_sleeps_hears_at_the_next_look);
    tcase_add_test(t, the_master_is_the_limit);
    tcase_add_test(t, streams_do_not_touch_each_other);
    tcase_add_test(t, order_is_kept_and_predictions_err);
    tcase_add_test(t, slots_are_divided_among_ranks);
    tcase_add_test(t, layers_run_one_after_the_other);
    tcase_add_test(t, failures_are_tried_again);
    tcase_add_test(t, deaths_lose_no_task);
    tcase_add_test(t, what_cannot_be_is_refused);
    tcase_add_test(t, the_master_needs_longer_for_more_ranks);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sim_plan.c - plans that can be told by hand */
#include "sim/plan.h"
#include "check_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"

#define MOST 400

static struct dtx_scenario_job job;
static struct dtx_plan_task task[MOST];
static struct dtx_plan_group group;
static float error[20];
static struct dtx_plan_config c;
static struct dtx_plan plan;
static struct dtx_error err;

/* Tasks have errors of a normal distribution with this sigma. */
static void off_by(double sigma)
{
    static const double z[] = {-1.96, -1.4395, -1.15, -0.935, -0.755, -0.598,
                               -0.454, -0.3186, -0.1891, -0.0627};
    uint32_t i;

    for (i = 0; i < 10; i++) {
        error[i] = (float)(sigma * z[i]);
        error[19 - i] = -error[i];
    }
    group = (struct dtx_plan_group){error, 20, 0};
}

static void add(double seconds)
{
    uint32_t n = (uint32_t)job.list.ntasks;

    ck_assert_uint_lt(n, MOST);
    ck_assert_int_eq(dtx_tasklist_add(&job.list, "work", 4, 0, n + 1,
                                      DTX_NO_TEXT), 0);
    task[n] = (struct dtx_plan_task){(float)seconds, (float)seconds, 0, 0};
}

static void seal(void)
{
    uint32_t cycle, next;

    dtx_graph_init(&job.graph, (uint32_t)job.list.ntasks);
    ck_assert_int_eq(dtx_graph_seal(&job.graph, &cycle, &next), 0);
}

/* Nodes of two slots, on which nothing costs anything. */
static void begin(void)
{
    memset(&c, 0, sizeof(c));
    ck_assert_int_eq(dtx_scenario_job_init(&job), 0);
    dtx_cluster_preset(&c.scenario.machine);
    c.scenario.machine.spawn_ns = 0;
    c.scenario.machine.slots = 2;
    c.scenario.job = &job;
    c.scenario.seed = 1;
    c.task = task;
    off_by(0);
    c.group = &group;
    c.ngroups = 1;
    c.draws = (uint32_t)dtx_rounds(200);
}

static void end(void)
{
    dtx_scenario_job_fini(&job);
}

static void make(void)
{
    ck_assert_msg(dtx_plan_make(&c, &plan, &err) == 0, "%s", err.text);
}

static const char *reason(void)
{
    static char text[400];
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_plan_reason(&c, &plan, &b);
    dtx_buf_char(&b, '\0');
    (void)snprintf(text, sizeof(text), "%s", b.data);
    dtx_buf_free(&b);
    return text;
}

static void near(double is, double wanted, double share)
{
    ck_assert_msg(fabs(is - wanted) <= share * wanted, "%g is not near %g", is,
                  wanted);
}

START_TEST(what_is_certain_has_no_spread)
{
    const uint32_t nodes[] = {4, 1};
    int i;

    for (i = 0; i < 16; i++)
        add(3600);
    seal();
    c.nodes = nodes;
    c.nnodes = 2;
    make();
    ck_assert_uint_eq(plan.nrows, 2);
    ck_assert_uint_eq(plan.row[0].slots, 8);
    near(plan.row[0].likely_s, 7200, 0.001);
    near(plan.row[0].low_s, plan.row[0].high_s, 0.0001);
    near(plan.row[0].core_hours, 16, 0.001);
    near(plan.row[0].efficiency, 1, 0.001);
    near(plan.row[1].likely_s, 8 * 3600, 0.001);
    ck_assert_int_eq(plan.row[0].limit, DTX_PLAN_WORK);
    /* a job as long as its tasks, twice as long with 1/8 of the nodes */
    ck_assert_uint_eq(plan.row[plan.best].nodes, 4);
    ck_assert_str_eq(reason(), "more than 4 nodes were not looked at, and "
                               "these are used well");
}
END_TEST

START_TEST(the_longest_task_decides)
{
    int i;

    add(6000);
    for (i = 0; i < 60; i++)
        add(600);
    seal();
    make();
    /* 42,000 s of work: 3.5 nodes' worth of the longest task */
    ck_assert(plan.all_seen);
    ck_assert_uint_eq(plan.row[plan.best].nodes, 4);
    near(plan.row[plan.best].likely_s, 6000, 0.01);
    ck_assert_msg(strstr(reason(), "beyond 4 nodes the longest task decides "
                                   "(task 1, 1h40m)"), "%s", reason());
}
END_TEST

START_TEST(a_chain_decides)
{
    const uint32_t nodes[] = {1, 8};
    uint32_t cycle, next;
    int i;

    for (i = 0; i < 30; i++)
        add(600);
    dtx_graph_init(&job.graph, 30);
    for (i = 0; i < 9; i++)
        ck_assert_int_eq(dtx_graph_edge(&job.graph, (uint32_t)i,
                                        (uint32_t)i + 1), 0);
    ck_assert_int_eq(dtx_graph_seal(&job.graph, &cycle, &next), 0);
    c.nodes = nodes;
    c.nnodes = 2;
    make();
    near(plan.row[1].likely_s, 6000, 0.01);
    ck_assert_int_eq(plan.row[1].limit, DTX_PLAN_CHAIN);
    ck_assert_msg(strstr(reason(), "beyond 1 node the longest chain of tasks"),
                  "%s", reason());
}
END_TEST

START_TEST(the_fewest_nodes_within_a_time)
{
    int i;

    for (i = 0; i < 120; i++)
        add(600);
    seal();
    c.within_s = 3.1 * 3600;
    make();
    ck_assert(plan.within);
    ck_assert_uint_eq(plan.row[plan.best].nodes, 4); /* 2.5 h; 3 take 3.33 h */
    c.within_s = 300;
    make();
    ck_assert(!plan.within);
    ck_assert_msg(strstr(reason(), "no number of nodes looked at ends within "
                                   "5m00s"), "%s", reason());
}
END_TEST

/* The spread of the sum of n: as 1/sqrt(n) of one where errors are each task's
 * own, and undiminished where they are common. */
START_TEST(common_errors_do_not_cancel)
{
    const uint32_t one = 1;
    double own, all, about = c.draws < 200 ? 0.6 : 0.2;
    uint32_t i;

    for (i = 0; i < 200; i++)
        add(100);
    seal();
    c.nodes = &one;
    c.nnodes = 1;
    off_by(0.2);
    make();
    own = log(plan.row[0].high_s / plan.row[0].low_s) / (2 * 1.645);
    off_by(0);
    for (i = 0; i < 200; i++)
        task[i].common = 0.2f;
    make();
    all = log(plan.row[0].high_s / plan.row[0].low_s) / (2 * 1.645);
    ck_assert_msg(own < 0.03, "%g", own);
    near(all, 0.2, about);
    ck_assert(plan.row[0].sure90_s < plan.row[0].high_s);
    ck_assert(plan.row[0].high_s < plan.row[0].sure99_s);
    for (i = 0; i < 200; i++)
        task[i].common = 0;
    c.job_sigma = 0.2;
    make();
    near(log(plan.row[0].high_s / plan.row[0].low_s) / (2 * 1.645), 0.2,
         about);
}
END_TEST

START_TEST(the_same_seed_the_same_plan)
{
    struct dtx_plan first;
    int i;

    for (i = 0; i < 50; i++)
        add(100 + i);
    seal();
    off_by(0.5);
    make();
    first = plan;
    make();
    ck_assert_mem_eq(&first, &plan, sizeof(plan));
    c.scenario.seed = 2;
    make();
    ck_assert(memcmp(&first, &plan, sizeof(plan)) != 0);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    struct dtx_task_attr a;
    uint32_t index;

    seal();
    ck_assert_int_eq(dtx_plan_make(&c, &plan, &err), DTX_EINVAL);
    a = job.list.attr[0];
    a.cpus = 3;
    ck_assert_int_eq(dtx_tasklist_attr(&job.list, &a, &index), 0);
    ck_assert_int_eq(dtx_tasklist_add(&job.list, "w", 1, index, 1,
                                      DTX_NO_TEXT), 0);
    task[0] = (struct dtx_plan_task){1, 1, 0, 0};
    dtx_graph_init(&job.graph, 1);
    ck_assert_int_eq(dtx_plan_make(&c, &plan, &err), DTX_EINVAL);
    ck_assert_msg(strstr(err.text, "tasks of 3 cpus"), "%s", err.text);
}
END_TEST

START_TEST(time_to_ask_for)
{
    ck_assert_int_eq(dtx_plan_walltime_ns(1), 60 * DTX_SEC_NS);
    ck_assert_int_eq(dtx_plan_walltime_ns(30), 60 * DTX_SEC_NS);
    ck_assert_int_eq(dtx_plan_walltime_ns(31), 120 * DTX_SEC_NS);
    ck_assert_int_eq(dtx_plan_walltime_ns(3600), 61 * 60 * DTX_SEC_NS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim_plan");
    TCase *t = tcase_create("plan");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, what_is_certain_has_no_spread);
    tcase_add_test(t, the_longest_task_decides);
    tcase_add_test(t, a_chain_decides);
    tcase_add_test(t, the_fewest_nodes_within_a_time);
    tcase_add_test(t, common_errors_do_not_cancel);
    tcase_add_test(t, the_same_seed_the_same_plan);
    tcase_add_test(t, what_cannot_be_is_refused);
    tcase_add_test(t, time_to_ask_for);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

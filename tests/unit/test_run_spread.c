/* SPDX-License-Identifier: MIT */
/* tests/unit/test_run_spread.c - from counted attempts to what the master is
 * told of memory bandwidth
 *
 * One machine of two NUMA nodes of four cores; tasks of two classes, whose
 * attempts are scripted.
 */
#include "run/spread.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "engine/event.h"
#include "engine/master.h"
#include "predict/usage.h"
#include "run/place.h"
#include "sched/traffic.h"
#include "task/counters.h"
#include "task/graph.h"
#include "task/machine.h"
#include "task/outcome.h"
#include "task/task.h"

enum { CORES = 8, TASKS = 3000 }; /* more than are looked at in one tick */

static struct dtx_tasklist list;
static struct dtx_graph graph;
static struct dtx_card card;
static struct dtx_usages usage;
static struct dtx_master *master;
static struct dtx_spread *spread;
static struct dtx_jobs jobs;

static void make_card(void)
{
    struct dtx_machine m;
    uint32_t i;

    dtx_machine_init(&m);
    m.cores = CORES;
    for (i = 0; i < CORES; i++) {
        struct dtx_locus at = {i, i / 4, i / 4, 0};

        ck_assert(dtx_machine_add_core(&m, &at));
    }
    memset(&card, 0, sizeof(card));
    card.ncores = card.machine_cores = CORES;
    dtx_card_place(&card, &m);
    dtx_machine_free(&m);
}

/* Every third task is of class "triad #", the others "sort #". */
static void make_list(void)
{
    struct dtx_task_attr a = {.cpus = 1, .cwd = DTX_NO_TEXT,
                              .env = DTX_NO_TEXT};
    uint32_t index, i, x, y;
    char text[32];

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    ck_assert_int_eq(dtx_tasklist_attr(&list, &a, &index), 0);
    for (i = 0; i < TASKS; i++) {
        int n = snprintf(text, sizeof(text), "%s %u",
                         i % 3 == 0 ? "triad" : "sort", i);

        ck_assert_int_eq(dtx_tasklist_add(&list, text, (uint32_t)n, index, 0,
                                          DTX_NO_TEXT), 0);
    }
    dtx_graph_init(&graph, TASKS);
    ck_assert_int_eq(dtx_graph_seal(&graph, &x, &y), 0);
}

/* The memory of a NUMA node moves so much; 0: nobody says. */
static void begin(int64_t numa_bytes)
{
    struct dtx_master_config c = {.epoch = 1, .nranks = 1, .policy = "steal",
                                  .list = &list, .graph = &graph};
    struct dtx_actions out = DTX_ACTIONS_INIT;
    struct dtx_event start = {.kind = DTX_EV_START};
    struct dtx_error err = {0};
    struct dtx_spread_config s = {.cards = &card, .ncards = 1, .jobs = &jobs,
                                  .numa_bytes = numa_bytes, .usage = &usage,
                                  .list = &list};

    make_card();
    make_list();
    memset(&usage, 0, sizeof(usage));
    spread = dtx_spread_create(&s);
    ck_assert_ptr_nonnull(spread);
    c.traffic = dtx_spread_traffic(spread);
    master = dtx_master_create(&c, &err);
    ck_assert_msg(master != NULL, "%s", err.text);
    ck_assert_int_eq(dtx_master_step(master, &start, &out), 0);
    dtx_actions_free(&out);
}

static void tear_down(void)
{
    dtx_master_destroy(master);
    dtx_spread_destroy(spread);
    dtx_usages_free(&usage);
    dtx_graph_fini(&graph);
    dtx_tasklist_fini(&list);
}

/* Attempts of a second at this task: so many GB moved, instructions per
 * cycle; below 0: not counted. */
static void attempts(uint32_t task, int n, double gb, double ipc,
                     int64_t start_ns)
{
    const struct dtx_task *t = &list.task[task];
    struct dtx_outcome o = {.task = task, .status = DTX_STATUS_OK,
                            .source = DTX_SOURCE_RUSAGE,
                            .start_ns = start_ns, .wall_ns = DTX_SEC_NS,
                            .utime_ns = DTX_SEC_NS};
    const struct dtx_usage *class;
    struct dtx_features f;

    if (gb >= 0) {
        dtx_counters_set(&o.counters, DTX_COUNTED_MISSES,
                         (uint64_t)(gb * 1e9 / DTX_USAGE_LINE));
        dtx_counters_set(&o.counters, DTX_COUNTED_CYCLES, 3000000000u);
        dtx_counters_set(&o.counters, DTX_COUNTED_INSTRUCTIONS,
                         (uint64_t)(ipc * 3e9));
    }
    dtx_features_of(dtx_tasklist_text(&list, t), t->len, NULL, NULL, NULL, &f);
    for (; n > 0; n--) {
        ck_assert(dtx_usages_add(&usage, &f, &o, 1, 0));
        class = dtx_usages_find(&usage, f.class_key);
        ck_assert_ptr_nonnull(class);
        dtx_spread_ended(spread, class, &o);
    }
}

/* What is told now: tasks of the first class alone, with this share; as many
 * as it has, in two parts. */
static void told(double share, int64_t now_ns)
{
    struct dtx_costs c;
    uint32_t n = 0;
    size_t i;

    while (dtx_spread_tick(spread, master, now_ns, &c)) {
        ck_assert_ptr_null(c.seconds);
        for (i = 0; i < c.n; i++) {
            ck_assert_uint_eq(c.task[i] % 3, 0);
            ck_assert_double_eq_tol((double)c.share[i], share, 0.03 * share);
        }
        ck_assert_uint_lt(c.n, TASKS / 3);
        n += (uint32_t)c.n;
    }
    ck_assert_uint_eq(n, TASKS / 3);
}

static void nothing_told(void)
{
    struct dtx_costs c;

    ck_assert(!dtx_spread_tick(spread, master, 1, &c));
}

START_TEST(only_what_is_bound)
{
    begin(16000000000);
    nothing_told();
    attempts(1, 10, 1, 2, 0);
    attempts(0, 4, 8, 0.4, 0);
    nothing_told(); /* too few yet */
    attempts(0, 1, 8, 0.4, 0);
    told(0.5, 5);
    nothing_told();
    attempts(0, 5, 8.3, 0.4, 0);
    nothing_told(); /* not much more */
}
END_TEST

/* Spreading is what lets it compute, so it does not end that. */
START_TEST(once_bound_it_stays_so)
{
    begin(16000000000);
    attempts(0, 6, 8, 0.4, 0);
    told(0.5, 5);
    attempts(0, 60, 12, 2.5, 6);
    told(0.75, 7);
}
END_TEST

START_TEST(without_counters_nobody_is)
{
    begin(_i ? 16000000000 : 0);
    attempts(0, 50, -1, 0, 0);
    attempts(1, 50, -1, 0, 0);
    nothing_told();
}
END_TEST

/* Each NUMA node of the two moves 20 GB/s at most, and an attempt takes 8 when
 * alone: it is told that there are 20 and room for one more. */
START_TEST(what_memory_moves_is_learned)
{
    begin(0);
    attempts(0, 5, 8, 0.4, 0); /* 40 GB in the first second */
    attempts(1, 10, 0, 2, 0);
    nothing_told(); /* not each of the eight slots has had two */
    attempts(1, 1, 0, 2, 0);
    told(8 / 28.0, 5);
    attempts(0, 5, 8, 0.4, DTX_SEC_NS);
    nothing_told(); /* no more than that */
    attempts(0, 3, 8, 0.4, DTX_SEC_NS);
    told(8 / 40.0, 6); /* 32 at once */
}
END_TEST

/* Of little, one task more than was seen is tried. */
START_TEST(one_more_is_tried)
{
    begin(0);
    attempts(1, 16, 0, 2, 0);
    attempts(0, 2, 8, 0.4, 0);
    attempts(0, 2, 8, 0.4, DTX_SEC_NS);
    attempts(0, 2, 8, 0.4, 2 * DTX_SEC_NS);
    told(8 / 16.0, 5);
}
END_TEST

static void summary(uint64_t roomy, uint64_t crowded, const char *expected)
{
    struct dtx_master_stats st = {.spread = roomy, .crowded = crowded};
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_spread_tell(spread, &st, &b);
    ck_assert_str_eq(b.data ? b.data : "", expected);
    dtx_buf_free(&b);
}

START_TEST(what_came_of_it)
{
    begin(16000000000);
    summary(0, 0, "");
    attempts(1, 10, 1, 2, 0);
    attempts(0, 6, 8, 0.4, 0);
    told(0.5, 100);
    attempts(0, 2, 12, 0.4, 200);
    summary(2, 0, "memory     2 memory-bound tasks started where there was "
            "bandwidth, 0 where there was none\n");
    attempts(0, 2, 12, 0.4, 200);
    summary(3, 1, "memory     3 memory-bound tasks started where there was "
            "bandwidth, 1 where there was none; before they were known a core "
            "moved 8.0 GB/s, since then 12.0\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/spread");
    TCase *t = tcase_create("spread");

    tcase_add_checked_fixture(t, NULL, tear_down);
    tcase_add_test(t, only_what_is_bound);
    tcase_add_test(t, once_bound_it_stays_so);
    tcase_add_loop_test(t, without_counters_nobody_is, 0, 2);
    tcase_add_test(t, what_memory_moves_is_learned);
    tcase_add_test(t, one_more_is_tried);
    tcase_add_test(t, what_came_of_it);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

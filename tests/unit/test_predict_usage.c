/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_usage.c - profiles from scripted outcomes */
#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "check_main.h"
#include "predict/usage.h"
#include "task/outcome.h"

static struct dtx_usages u, v;
static uint64_t asked; /* for those that are added */
static struct dtx_usage_node node;

static void setup(void)
{
    memset(&u, 0, sizeof(u));
    memset(&v, 0, sizeof(v));
    memset(&node, 0, sizeof(node));
    asked = 0;
}

static void teardown(void)
{
    dtx_usages_free(&u);
    dtx_usages_free(&v);
}

/* One that went well, with the kernel's accounting alone. */
static struct dtx_outcome outcome(int64_t wall_ms, int64_t cpu_ms)
{
    struct dtx_outcome o;

    memset(&o, 0, sizeof(o));
    o.status = DTX_STATUS_OK;
    o.source = DTX_SOURCE_RUSAGE;
    o.wall_ns = wall_ms * DTX_MSEC_NS;
    o.utime_ns = cpu_ms * DTX_MSEC_NS;
    o.nvcsw = 1;
    return o;
}

static void add(struct dtx_usages *to, const char *command,
                struct dtx_outcome o, uint32_t cpus, int times)
{
    struct dtx_features f;

    dtx_features_of(command, strlen(command), NULL, NULL, NULL, &f);
    while (times-- > 0)
        ck_assert(dtx_usages_add(to, &f, &o, cpus, asked));
}

static void told(const struct dtx_usages *of, const char *expected)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_usages_tell(of, &node, &b);
    ck_assert_str_eq(b.data ? b.data : "", expected);
    dtx_buf_free(&b);
}

static void is(enum dtx_usage_trait what, double expected)
{
    double value = -1;

    ck_assert(dtx_usage_get(&u.of[0], what, &value));
    ck_assert_double_eq_tol(value, expected, expected * 0.02);
}

START_TEST(absent_is_not_zero)
{
    double value = 7;
    int i;

    add(&u, "prog 1", outcome(1000, 250), 1, 1);
    is(DTX_USAGE_CPU, 0.25);
    for (i = DTX_USAGE_IO; i <= DTX_USAGE_PEAK; i++)
        ck_assert(!dtx_usage_get(&u.of[0], (enum dtx_usage_trait)i, &value));
    ck_assert(value == 7);
}
END_TEST

START_TEST(each_trait)
{
    struct dtx_outcome o = outcome(1000, 900);

    o.maxrss_kib = 2048;
    dtx_counters_set(&o.counters, DTX_COUNTED_INSTRUCTIONS, 2000000000);
    dtx_counters_set(&o.counters, DTX_COUNTED_CYCLES, 4000000000);
    dtx_counters_set(&o.counters, DTX_COUNTED_MISSES, 50000000);
    dtx_counters_set(&o.counters, DTX_COUNTED_IOWAIT_NS, 100000000);
    add(&u, "prog 1", o, 1, 5);
    /* one without counters changes none of their ratios */
    add(&u, "prog 2", outcome(1000, 900), 1, 1);
    ck_assert_uint_eq(u.n, 1);
    is(DTX_USAGE_IO, 0.1);
    is(DTX_USAGE_IPC, 0.5);
    is(DTX_USAGE_MISSES, 0.025);
    is(DTX_USAGE_BYTES, 3.2e9);
    is(DTX_USAGE_PEAK, 2048.0 * 1024);
    told(&u, "usage      class \"prog #\" is bound by memory: 3.2 GB/s a core, "
         "0.50 instructions per cycle, 25.0 misses per 1000\n");
}
END_TEST

START_TEST(high_quantile_of_bandwidth)
{
    struct dtx_outcome o = outcome(1000, 900);

    dtx_counters_set(&o.counters, DTX_COUNTED_MISSES, 10000000);
    add(&u, "prog 1", o, 1, 80);
    dtx_counters_set(&o.counters, DTX_COUNTED_MISSES, 100000000);
    add(&u, "prog 1", o, 1, 20);
    is(DTX_USAGE_BYTES, 6.4e9);
}
END_TEST

START_TEST(waits)
{
    struct dtx_outcome o = outcome(1000, 300);

    add(&u, "get 1", o, 1, 4);
    told(&u, ""); /* too few */
    dtx_counters_set(&o.counters, DTX_COUNTED_IOWAIT_NS, 600000000);
    add(&v, "get 1", o, 1, 5);
    told(&v, "usage      class \"get #\" uses 30 % of its core: it waits (I/O "
         "60 %); more slots than cores may help (-j)\n");
    dtx_usages_free(&v);
    add(&v, "get 1", outcome(1000, 900), 4, 5);
    told(&v, "usage      class \"get #\" uses 22 % of its cores: it waits; "
         "fewer cpus for each may do (cpus=)\n");
}
END_TEST

/* Of 'gib' a task. */
static void add_large(const char *command, int gib, uint32_t cpus)
{
    struct dtx_outcome o = outcome(1000, 900);

    o.maxrss_kib = (int64_t)gib << 20;
    add(&u, command, o, cpus, 1);
}

START_TEST(fills_a_node)
{
    node.slots = 4;
    add_large("asm 1", 3, 1);
    told(&u, ""); /* the node's memory is not known */
    node.bytes = UINT64_C(13) << 30;
    told(&u, "usage      class \"asm #\" held up to 3.0 GiB; 4 at once, as a "
         "node may run, fill its 13.0 GiB: --mem 3380M, or mem= before the "
         "tasks, starts no more than there is room for\n");
    node.bytes = UINT64_C(14) << 30;
    told(&u, "");
    node.bytes = UINT64_C(64) << 30;
    add_large("asm 2", 20, 1);
    told(&u, "usage      class \"asm #\" held up to 20.0 GiB; 4 at once, as a "
         "node may run, fill its 64.0 GiB: --mem 22G, or mem= before the "
         "tasks, starts no more than there is room for\n");
    dtx_usages_free(&u);
    add_large("wide 2", 20, 2); /* two of them */
    told(&u, "");
    node.bytes = UINT64_C(21) << 30;
    node.slots = 1;
    told(&u, "usage      class \"wide #\" held up to 20.0 GiB of a node's 21.0 "
         "GiB: larger ones need nodes with more memory\n");
}
END_TEST

START_TEST(what_was_asked_keeps_it)
{
    node.slots = 8;
    node.bytes = UINT64_C(16) << 30;
    asked = UINT64_C(4) << 30;
    add_large("asm 1", 4, 1);
    told(&u, ""); /* four at once, as planned */
    asked = UINT64_C(2) << 30;
    add_large("asm 2", 3, 1);
    told(&u, "usage      class \"asm #\" held up to 4.0 GiB and asked for 2.0 "
         "GiB; 8 at once, as a node may run, fill its 16.0 GiB: --mem 4506M, "
         "or mem= before the tasks, starts no more than there is room for\n");
    asked = 0;
    add_large("asm 2", 1, 1);
    ck_assert_uint_eq(u.of[0].asked, 0);
    ck_assert_uint_eq(u.of[0].cpus, 1);
}
END_TEST

START_TEST(nothing_to_tell)
{
    struct dtx_outcome kept = outcome(1000, 300), failed = outcome(1000, 0);
    struct dtx_outcome log = outcome(1000, 0);

    add(&u, "work 1", outcome(1000, 500), 1, 50); /* half: busy enough */
    add(&u, "tiny", outcome(99, 0), 1, 60);       /* starting is no work */
    add(&u, "small", outcome(900, 0), 1, 5);      /* under a tenth of all */
    kept.nivcsw = 50;
    add(&u, "starved", kept, 1, 20);
    failed.status = DTX_STATUS_FAILED;
    add(&u, "false", failed, 1, 50);
    log.source = DTX_SOURCE_JOBLOG;
    add(&u, "old", log, 1, 50);
    ck_assert_uint_eq(u.n, 4);
    told(&u, "");
}
END_TEST

START_TEST(bounded)
{
    char command[32];
    int i;

    for (i = 0; i < 100; i++) {
        (void)snprintf(command, sizeof(command), "p%c%c", 'a' + i / 26,
                       'a' + i % 26);
        add(&u, command, outcome(1000, 0), 1, 2);
    }
    ck_assert_uint_eq(u.n, DTX_USAGE_CLASSES);
    ck_assert_uint_eq(u.beyond, 2 * (100 - DTX_USAGE_CLASSES));
    ck_assert_double_eq_tol(u.slot_s, 200, 1e-9);
}
END_TEST

START_TEST(classes_add_up)
{
    struct dtx_outcome o = outcome(2000, 500);

    dtx_counters_set(&o.counters, DTX_COUNTED_MISSES, 1000);
    add(&u, "a 1", o, 1, 3);
    add(&u, "b", outcome(1000, 900), 1, 5);
    o.maxrss_kib = 512;
    add(&u, "a 1", o, 1, 3);
    ck_assert_uint_eq(u.n, 2);
    ck_assert_uint_eq(u.of[0].n, 6);
    ck_assert_uint_eq(u.of[0].bandwidth.n, 6);
    is(DTX_USAGE_CPU, 0.25);
    is(DTX_USAGE_PEAK, 512.0 * 1024);
    told(&u, "usage      class \"a #\" uses 25 % of its core: it waits; more "
         "slots than cores may help (-j)\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/usage");
    TCase *t = tcase_create("usage");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, absent_is_not_zero);
    tcase_add_test(t, each_trait);
    tcase_add_test(t, high_quantile_of_bandwidth);
    tcase_add_test(t, waits);
    tcase_add_test(t, fills_a_node);
    tcase_add_test(t, what_was_asked_keeps_it);
    tcase_add_test(t, nothing_to_tell);
    tcase_add_test(t, bounded);
    tcase_add_test(t, classes_add_up);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

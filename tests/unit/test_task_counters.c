/* SPDX-License-Identifier: MIT */
/* tests/unit/test_task_counters.c - absent counters, names, scaling of those
 * that shared the processor's */
#include "task/counters.h"

#include <string.h>

#include "check_main.h"

START_TEST(absent_is_not_zero)
{
    struct dtx_counters c = {0, 0, {0}};
    uint64_t v = 7;
    int i;

    for (i = 0; i < DTX_COUNTED; i++)
        ck_assert(!dtx_counters_get(&c, (enum dtx_counted)i, &v));
    ck_assert_uint_eq(v, 7);
    dtx_counters_set(&c, DTX_COUNTED_MISSES, 0);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_MISSES, &v));
    ck_assert_uint_eq(v, 0);
    ck_assert(!dtx_counters_get(&c, DTX_COUNTED_CYCLES, &v));
}
END_TEST

START_TEST(names)
{
    int i, k;

    for (i = 0; i < DTX_COUNTED; i++)
        for (k = 0; k < i; k++)
            ck_assert_str_ne(dtx_counted_name((enum dtx_counted)i),
                             dtx_counted_name((enum dtx_counted)k));
    for (i = 0; i < DTX_COUNTERS; i++)
        for (k = 0; k < i; k++)
            ck_assert_str_ne(dtx_counter_name((enum dtx_counter)i),
                             dtx_counter_name((enum dtx_counter)k));
    ck_assert_str_eq(dtx_counter_name(DTX_COUNTERS), "?");
    ck_assert_str_eq(dtx_counted_name(DTX_COUNTED), "?");
}
END_TEST

START_TEST(sums)
{
    struct dtx_counters sum = {0}, x = {0};
    uint64_t v = 0;

    x.provider = DTX_COUNTER_PERF_HARDWARE;
    dtx_counters_set(&x, DTX_COUNTED_CYCLES, 40);
    dtx_counters_set(&x, DTX_COUNTED_CLOCK_NS, UINT64_MAX - 5);
    dtx_counters_sum(&sum, &x);
    ck_assert_int_eq(sum.provider, DTX_COUNTER_PERF_HARDWARE);
    ck_assert(dtx_counters_get(&sum, DTX_COUNTED_CYCLES, &v) && v == 40);
    dtx_counters_sum(&sum, &x); /* at its limit */
    ck_assert(dtx_counters_get(&sum, DTX_COUNTED_CYCLES, &v) && v == 80);
    ck_assert(dtx_counters_get(&sum, DTX_COUNTED_CLOCK_NS, &v) &&
              v == UINT64_MAX);
    x.provider = DTX_COUNTER_RUSAGE; /* one that lacks cycles */
    x.counted = 1u << DTX_COUNTED_CLOCK_NS;
    dtx_counters_sum(&sum, &x);
    ck_assert_int_eq(sum.provider, DTX_COUNTER_RUSAGE);
    ck_assert(!dtx_counters_get(&sum, DTX_COUNTED_CYCLES, &v));
    ck_assert(dtx_counters_get(&sum, DTX_COUNTED_CLOCK_NS, &v));
}
END_TEST

static const struct {
    uint64_t count, enabled, running, want;
    bool known;
} scaled[] = {
    {100, 10, 10, 100, true},
    {100, 10, 5, 200, true},
    {100, 10, 11, 100, true}, /* clocks read one after the other */
    {1, 3, 2, 2, true},       /* rounded */
    {0, 10, 1, 0, true},
    {0, 10, 0, 99, false},
    {5, 0, 0, 99, false}, /* never enabled: nothing is known */
    {UINT64_MAX, 2, 1, UINT64_MAX, true},
    {UINT64_MAX / 4, UINT64_C(1) << 40, UINT64_C(1) << 39,
     UINT64_MAX / 4 * 2, true},
};

START_TEST(scaling)
{
    uint64_t v = 99;

    ck_assert(dtx_counters_scale(scaled[_i].count, scaled[_i].enabled,
                                 scaled[_i].running, &v) == scaled[_i].known);
    ck_assert_uint_eq(v, scaled[_i].want);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("task_counters");
    TCase *t = tcase_create("counters");

    tcase_add_test(t, absent_is_not_zero);
    tcase_add_test(t, names);
    tcase_add_test(t, sums);
    tcase_add_loop_test(t, scaling, 0, DTX_COUNT(scaled));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

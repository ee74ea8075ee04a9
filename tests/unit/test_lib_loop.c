/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lib_loop.c - a rank's list of segments: their order, what is
 * left, and costs that make no sense */
#include "lib/loop.h"

#include <stdlib.h>

#include "check_main.h"

static struct dtx_loop l;

static void begin(void)
{
    l = (struct dtx_loop){.grain = 1, .total = UINT32_MAX};
}

static void end(void)
{
    free(l.seg);
}

START_TEST(segments_come_in_order_and_count)
{
    uint32_t first;

    ck_assert(dtx_loop_add(&l, 10, 5, 500));
    ck_assert(dtx_loop_add(&l, 90, 3, 0));
    ck_assert_uint_eq(dtx_loop_left(&l), 8);
    ck_assert(dtx_loop_refill(&l));
    ck_assert_uint_eq(l.guess_ps, 100000);
    ck_assert(dtx_loop_refill(&l)); /* there is some in the word */
    ck_assert_uint_eq(dtx_loop_left(&l), 8);
    ck_assert_uint_eq(dtx_range_take(&l.cur, 9, &first), 5);
    ck_assert_uint_eq(first, 10);
    ck_assert(dtx_loop_refill(&l));
    ck_assert_uint_eq(dtx_range_take(&l.cur, 9, &first), 3);
    ck_assert_uint_eq(first, 90);
    ck_assert(!dtx_loop_refill(&l));
    ck_assert_uint_eq(dtx_loop_left(&l), 0);
}
END_TEST

/* As from a profile that was damaged: they stay in order of size. */
START_TEST(costs_beyond_all_sense_do_not_wrap)
{
    static const uint64_t ns[] = {UINT64_MAX, UINT64_MAX / 1000 + 1,
                                  UINT64_C(1) << 54, UINT64_C(1) << 50};
    uint32_t first;
    size_t i;

    for (i = 0; i < sizeof(ns) / sizeof(*ns); i++) {
        ck_assert(dtx_loop_add(&l, 7 * (uint32_t)i, 1, ns[i]));
        ck_assert(dtx_loop_refill(&l));
        ck_assert_uint_eq(l.guess_ps, (UINT64_C(1) << 50) * 1000);
        ck_assert_uint_eq(dtx_range_take(&l.cur, 1, &first), 1);
    }
    ck_assert(dtx_loop_add(&l, 0, 1, 86400 * UINT64_C(1000000000)));
    ck_assert(dtx_loop_refill(&l)); /* a day makes sense */
    ck_assert_uint_eq(l.guess_ps, 86400 * UINT64_C(1000000000000));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lib/loop");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, segments_come_in_order_and_count);
    tcase_add_test(t, costs_beyond_all_sense_do_not_wrap);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

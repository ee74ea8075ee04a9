/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lane_range.c - taking, cutting, and many threads at once */
#include "lane/range.h"

#include <pthread.h>
#include <string.h>

#include "check_main.h"

static struct dtx_range r;

START_TEST(takes_from_the_front_until_it_is_empty)
{
    uint32_t first = 0;

    dtx_range_set(&r, 10, 20);
    ck_assert_uint_eq(dtx_range_left(&r), 10);
    ck_assert_uint_eq(dtx_range_take(&r, 4, &first), 4);
    ck_assert_uint_eq(first, 10);
    ck_assert_uint_eq(dtx_range_take(&r, UINT32_MAX, &first), 6);
    ck_assert_uint_eq(first, 14);
    ck_assert_uint_eq(dtx_range_take(&r, 1, &first), 0);
}
END_TEST

START_TEST(cuts_off_the_back)
{
    uint32_t first = 0;

    dtx_range_set(&r, 0, UINT32_MAX);
    ck_assert_uint_eq(dtx_range_cut(&r, 1, 2, 0, &first), UINT32_MAX / 2);
    ck_assert_uint_eq(first, UINT32_MAX - UINT32_MAX / 2);
    dtx_range_take(&r, UINT32_MAX, &first);
    dtx_range_set(&r, 5, 9);
    ck_assert_uint_eq(dtx_range_cut(&r, 1, 1, 3, &first), 1);
    ck_assert_uint_eq(first, 8);
    ck_assert_uint_eq(dtx_range_cut(&r, 1, 1, 3, &first), 0);
    ck_assert_uint_eq(dtx_range_cut(&r, 1, 9, 0, &first), 0);
    ck_assert_uint_eq(dtx_range_left(&r), 3);
}
END_TEST

START_TEST(grains_fit_32_bits)
{
    static const uint64_t totals[] = {0, 1, UINT32_MAX,
                                      (uint64_t)UINT32_MAX + 1, UINT64_MAX};

    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        uint64_t t = totals[i], g = dtx_range_grain(t);

        ck_assert_uint_eq(t == 0, g == 0);
        if (g)
            ck_assert_uint_le(t / g + (t % g != 0), UINT32_MAX);
    }
    ck_assert_uint_eq(dtx_range_grain(UINT32_MAX), 1);
}
END_TEST

/* --- threads ------------------------------------------------------------------ */

#define TOTAL 400000u
#define TAKERS 3

static unsigned char hits[TOTAL];

static void mark(uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        __atomic_add_fetch(&hits[first + i], 1, __ATOMIC_RELAXED);
}

static void *taker(void *arg)
{
    uint32_t first, n, want = 1;

    (void)arg;
    while ((n = dtx_range_take(&r, want, &first)) > 0) {
        mark(first, n);
        want = want % 17 + 1;
    }
    return NULL;
}

static void *cutter(void *arg)
{
    uint32_t first, n;

    (void)arg;
    while ((n = dtx_range_cut(&r, 1, 50, 0, &first)) > 0)
        mark(first, n);
    return NULL;
}

START_TEST(each_is_taken_once_by_many_threads)
{
    pthread_t t[TAKERS + 1];
    uint32_t wrong = 0;

    memset(hits, 0, sizeof(hits));
    dtx_range_set(&r, 0, TOTAL);
    for (int i = 0; i <= TAKERS; i++)
        ck_assert_int_eq(
            pthread_create(&t[i], NULL, i ? taker : cutter, NULL), 0);
    for (int i = 0; i <= TAKERS; i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    for (uint32_t i = 0; i < TOTAL; i++)
        wrong += hits[i] != 1;
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lane/range");
    TCase *t = tcase_create("all");

    tcase_add_test(t, takes_from_the_front_until_it_is_empty);
    tcase_add_test(t, cuts_off_the_back);
    tcase_add_test(t, grains_fit_32_bits);
    tcase_add_loop_test(t, each_is_taken_once_by_many_threads, 0, 10);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

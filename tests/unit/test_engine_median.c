/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_median.c - the median of a stream against sorting */
#include "engine/median.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check_main.h"

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void expect_near(int64_t got, int64_t want)
{
    int64_t d = got > want ? got - want : want - got;

    ck_assert_msg(d <= want / 60, "%lld, not %lld", (long long)got,
                  (long long)want);
}

START_TEST(of_few)
{
    struct dtx_median *m = dtx_median_create();

    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(dtx_median_value(m), 0);
    dtx_median_add(m, 7);
    ck_assert_int_eq(dtx_median_value(m), 7);
    dtx_median_add(m, 9);
    ck_assert_int_eq(dtx_median_value(m), 7);
    dtx_median_add(m, 1000000000);
    ck_assert_int_eq(dtx_median_value(m), 9);
    dtx_median_add(m, 1000000000);
    dtx_median_add(m, 1000000000);
    expect_near(dtx_median_value(m), 1000000000);
    ck_assert_uint_eq(dtx_median_count(m), 5);
    dtx_median_destroy(m);
}
END_TEST

START_TEST(of_extremes)
{
    struct dtx_median *m = dtx_median_create();

    ck_assert_ptr_nonnull(m);
    dtx_median_add(m, INT64_MIN);
    ck_assert_int_eq(dtx_median_value(m), 0);
    dtx_median_add(m, INT64_MAX);
    dtx_median_add(m, INT64_MAX);
    expect_near(dtx_median_value(m), INT64_MAX);
    dtx_median_destroy(m);
}
END_TEST

/* Any distribution, any size: within the bound of the exact one. */
START_TEST(of_many)
{
    enum { MOST = 3000 };
    static int64_t v[MOST], sorted[MOST];
    struct dtx_rng rng;
    uint32_t n, i;

    dtx_rng_seed(&rng, (uint64_t)_i + 1);
    for (n = 1; n < MOST; n = n * 3 + 1) {
        struct dtx_median *m = dtx_median_create();

        ck_assert_ptr_nonnull(m);
        for (i = 0; i < n; i++) {
            v[i] = (int64_t)(dtx_rng_u64(&rng) >>
                             (1 + dtx_rng_below(&rng, 60)));
            sorted[i] = v[i];
            dtx_median_add(m, v[i]);
        }
        qsort(sorted, n, sizeof(sorted[0]), by_size);
        expect_near(dtx_median_value(m), sorted[(n - 1) / 2]);
        dtx_median_destroy(m);
    }
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("engine_median");
    TCase *tc = tcase_create("median");

    tcase_add_test(tc, of_few);
    tcase_add_test(tc, of_extremes);
    tcase_add_loop_test(tc, of_many, 0, 20);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

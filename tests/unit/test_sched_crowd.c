/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_crowd.c - what others used of a rank's processors */
#include "sched/crowd.h"

#include "base/rng.h"
#include "base/units.h"
#include "check_main.h"

#define S DTX_SEC_NS

static struct dtx_crowd c;

static void near(double is, double is_to_be, double by)
{
    ck_assert_double_le(is, is_to_be + by);
    ck_assert_double_ge(is, is_to_be - by);
}

START_TEST(nobody)
{
    dtx_crowd_begin(&c, 100 * S);
    near(dtx_crowd_mean(&c, 100 * S, 200 * S), 0, 0);
    near(dtx_crowd_mean(&c, 0, 100 * S), 0, 0);
    near(c.share, 0, 0);
}
END_TEST

/* Half of it from 10 to 20, as seen from anywhere. */
START_TEST(come_and_go)
{
    dtx_crowd_begin(&c, 0);
    dtx_crowd_set(&c, 0.5, 10 * S);
    near(dtx_crowd_mean(&c, 5 * S, 15 * S), 0.25, 1e-9);
    dtx_crowd_set(&c, 0, 20 * S);
    near(dtx_crowd_mean(&c, 0, 10 * S), 0, 1e-9);
    near(dtx_crowd_mean(&c, 10 * S, 20 * S), 0.5, 1e-9);
    near(dtx_crowd_mean(&c, 12 * S, 13 * S), 0.5, 1e-9);
    near(dtx_crowd_mean(&c, 15 * S, 25 * S), 0.25, 1e-9);
    near(dtx_crowd_mean(&c, 0, 40 * S), 0.125, 1e-9);
    near(dtx_crowd_mean(&c, 30 * S, 40 * S), 0, 1e-9);
    near(dtx_crowd_mean(&c, 30 * S, 30 * S), 0, 1e-9);
    near(c.most, 0.5, 0);
}
END_TEST

/* Nonsense is cut to what can be. */
START_TEST(is_bounded)
{
    dtx_crowd_begin(&c, 0);
    dtx_crowd_set(&c, 7, 10 * S);
    near(c.share, 1, 0);
    dtx_crowd_set(&c, -7, 10 * S); /* at the same time */
    near(c.share, 0, 0);
    near(dtx_crowd_mean(&c, 0, 20 * S), 0, 1e-9);
    dtx_crowd_set(&c, 1, 5 * S); /* a clock that went back */
    near(dtx_crowd_mean(&c, 10 * S, 20 * S), 1, 1e-9);
}
END_TEST

/* A share that changes each second for long: the mean of all of it stays right,
 * and so does that of the last seconds. */
START_TEST(marks_are_thinned_out)
{
    enum { MANY = 1000 };
    static double share[MANY];
    struct dtx_rng rng;
    double all = 0, last = 0;
    uint32_t i;

    dtx_rng_seed(&rng, 1);
    dtx_crowd_begin(&c, 0);
    for (i = 0; i < MANY; i++) {
        share[i] = dtx_rng_unit(&rng);
        dtx_crowd_set(&c, share[i], i * S);
        ck_assert_uint_le(c.n, DTX_CROWD_MARKS);
        all += share[i] / MANY;
        if (i >= MANY - 3)
            last += share[i] / 3;
    }
    near(dtx_crowd_mean(&c, 0, MANY * S), all, 1e-6);
    near(dtx_crowd_mean(&c, (MANY - 3) * S, MANY * S), last, 0.2);
    near(dtx_crowd_mean(&c, (MANY - 1) * S, MANY * S), share[MANY - 1], 1e-6);
    near(dtx_crowd_mean(&c, 0, MANY / 2 * S), 0.5, 0.05);
}
END_TEST

START_TEST(times)
{
    near(dtx_crowd_times(0), 1, 0);
    near(dtx_crowd_times(0.04), 1, 0);
    near(dtx_crowd_times(0.5), 2, 1e-9);
    near(dtx_crowd_times(1), 4, 1e-9);
    near(dtx_crowd_times(-1), 1, 0);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("sched_crowd");
    TCase *t = tcase_create("crowd");

    tcase_add_test(t, nobody);
    tcase_add_test(t, come_and_go);
    tcase_add_test(t, is_bounded);
    tcase_add_test(t, marks_are_thinned_out);
    tcase_add_test(t, times);
    suite_add_tcase(suite, t);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

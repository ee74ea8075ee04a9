/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_speed.c - how much longer one rank takes */
#include "sched/speed.h"

#include <math.h>

#include "base/rng.h"
#include "check_main.h"

enum { RANKS = 3 };

static struct dtx_speeds all;
static struct dtx_speed speed[RANKS];
static struct dtx_rng rng;

static void set_up(void)
{
    uint32_t r;

    all = (struct dtx_speeds){.n = 0};
    for (r = 0; r < RANKS; r++)
        speed[r] = (struct dtx_speed){0, 0, 0};
    dtx_rng_seed(&rng, 1);
}

/* 'n' tasks on each rank, of any length, predicted with an error; the last rank
 * takes 'times' as long, and all 'common' times what is predicted. */
static void work(uint32_t n, double times, double sigma, double common)
{
    uint32_t i, r;

    for (i = 0; i < n; i++) {
        for (r = 0; r < RANKS; r++) {
            double s = exp(dtx_rng_normal(&rng)) * common;
            double said = s / common * exp(sigma * dtx_rng_normal(&rng));

            dtx_speed_put(&all, &speed[r],
                          r == RANKS - 1 ? s * times : s, said);
        }
    }
}

static double slow(uint32_t r)
{
    return dtx_speed_slowness(&all, &speed[r]);
}

static void near(double is, double is_to_be, double part)
{
    ck_assert_msg(fabs(log(is / is_to_be)) < part, "%f, not %f", is, is_to_be);
}

/* What counts is one beside the other; how long all take is not theirs. */
START_TEST(half_as_fast)
{
    work(100, 2, 0.3, _i ? 5.0 : 1.0);
    near(slow(2) / slow(0), 2, 0.12);
    near(slow(0), slow(1), 0.12);
    ck_assert(slow(0) < 1 && slow(2) > 1);
}
END_TEST

START_TEST(noise_is_no_difference)
{
    int seed, told = 0;

    for (seed = 1; seed <= 200; seed++) {
        set_up();
        dtx_rng_seed(&rng, (uint64_t)seed);
        work(1 + (uint32_t)seed % 60, 1, 0.5, 1);
        told += slow(0) < 1 || slow(0) > 1;
        ck_assert(slow(0) > 0.6 && slow(0) < 1.6);
    }
    ck_assert_int_le(told, 200 / 10);
}
END_TEST

/* Load that others put on a node comes and goes. */
START_TEST(comes_and_goes)
{
    work(100, 1, 0.2, 1);
    near(slow(2), 1, 0.15);
    work(100, 3, 0.2, 1);
    near(slow(2) / slow(0), 3, 0.35);
    work(150, 1, 0.2, 1);
    near(slow(2) / slow(0), 1, 0.15);
}
END_TEST

START_TEST(too_little_to_tell)
{
    struct dtx_speed_claim c;

    near(slow(0), 1, 1e-9);
    ck_assert(!dtx_speed_claim(&all, &speed[0], 1, &c));
    dtx_speed_put(&all, &speed[0], 1, 1);
    dtx_speed_put(&all, &speed[2], 2, 1);
    near(slow(2), 1, 1e-9);
    dtx_speed_put(&all, &speed[1], 0.001, 0.001); /* too short, and nonsense */
    dtx_speed_put(&all, &speed[1], 0, 1);
    dtx_speed_put(&all, &speed[1], 1, -1);
    dtx_speed_put(&all, &speed[1], (double)NAN, 1);
    dtx_speed_put(&all, &speed[1], (double)INFINITY, 1);
    ck_assert(!(speed[1].n > 0));
}
END_TEST

START_TEST(outliers_do_not_decide)
{
    work(40, 1, 0.2, 1);
    dtx_speed_put(&all, &speed[0], 1e6, 1);
    ck_assert(slow(0) < 1.2);
}
END_TEST

START_TEST(named_beside_its_peers)
{
    struct dtx_speed node = {0, 0, 0};
    struct dtx_speed_claim c;

    work(60, 1.8, 0.3, 1);
    ck_assert(dtx_speed_claim(&all, &speed[2], 1, &c));
    ck_assert(c.low < 1.8 && 1.8 < c.high && c.low > 1.2 && c.high < 2.4);
    dtx_speed_add(&node, &speed[0]);
    dtx_speed_add(&node, &speed[1]);
    ck_assert(dtx_speed_claim(&all, &node, 2, &c));
    near(c.times, 1 / 1.8, 0.2);
    dtx_speed_add(&node, &speed[2]); /* all there are: no peers */
    ck_assert(!dtx_speed_claim(&all, &node, 3, &c));
    ck_assert(node.n > speed[0].n);
}
END_TEST

START_TEST(gone)
{
    uint32_t r;

    work(50, 2, 0.2, 1);
    dtx_speed_drop(&all, &speed[2]);
    near(slow(0), 1, 0.15);
    for (r = 0; r < RANKS; r++)
        dtx_speed_drop(&all, &speed[r]);
    ck_assert(!(fabs(all.sum) > 0) && all.told == 0);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("sched_speed");
    TCase *t = tcase_create("speed");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_loop_test(t, half_as_fast, 0, 2);
    tcase_add_test(t, noise_is_no_difference);
    tcase_add_test(t, comes_and_goes);
    tcase_add_test(t, too_little_to_tell);
    tcase_add_test(t, outliers_do_not_decide);
    tcase_add_test(t, named_beside_its_peers);
    tcase_add_test(t, gone);
    suite_add_tcase(suite, t);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

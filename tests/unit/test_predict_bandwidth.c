/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_bandwidth.c - what memory was seen to move, from
 * attempts that shared it
 */
#include "predict/bandwidth.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/units.h"
#include "check_main.h"

static struct dtx_bandwidth b;

static void set_up(void)
{
    memset(&b, 0, sizeof(b));
}

START_TEST(those_at_once_add_up)
{
    dtx_bandwidth_add(&b, 0, 4 * DTX_SEC_NS, 8e9);
    ck_assert_double_eq_tol(b.best, 2e9, 1e-3);
    dtx_bandwidth_add(&b, 2 * DTX_SEC_NS, 2 * DTX_SEC_NS, 6e9);
    ck_assert_double_eq_tol(b.best, 5e9, 1e-3);
    dtx_bandwidth_add(&b, 4 * DTX_SEC_NS, 2 * DTX_SEC_NS, 9e9); /* later */
    ck_assert_double_eq_tol(b.best, 5e9, 1e-3);
    dtx_bandwidth_add(&b, 1000 * DTX_SEC_NS, DTX_SEC_NS, 1e9); /* much later */
    ck_assert_double_eq_tol(b.best, 5e9, 1e-3);
    dtx_bandwidth_add(&b, 0, DTX_SEC_NS, 1e12); /* forgotten by now */
    ck_assert_double_eq_tol(b.best, 5e9, 1e-3);
}
END_TEST

/* A part that is full to a half tells of a half. */
START_TEST(shorter_than_a_part)
{
    dtx_bandwidth_add(&b, 0, 125 * DTX_MSEC_NS, 1e9);
    ck_assert_double_eq_tol(b.best, 4e9, 1e-3);
    dtx_bandwidth_add(&b, 125 * DTX_MSEC_NS, 125 * DTX_MSEC_NS, 1e9);
    ck_assert_double_eq_tol(b.best, 8e9, 1e-3);
}
END_TEST

/* From a quarter of a second to years. */
START_TEST(of_any_length)
{
    int64_t wall = 1 + _i * (int64_t)_i * _i * 200 * DTX_SEC_NS, i;
    double rate = 3e9 * (double)wall / 1e9;

    for (i = 0; i < 40; i++) {
        dtx_bandwidth_add(&b, i * wall, wall, rate);
        dtx_bandwidth_add(&b, i * wall, wall, rate);
    }
    if (_i == 0)
        ck_assert_double_gt(b.best, 0);
    else
        ck_assert_double_eq_tol(b.best, 6e9, 6e9 * 1e-6);
}
END_TEST

START_TEST(nonsense_is_left_out)
{
    dtx_bandwidth_add(&b, -5, DTX_SEC_NS, 1e9);
    dtx_bandwidth_add(&b, 0, 0, 1e9);
    dtx_bandwidth_add(&b, 0, -1, 1e9);
    dtx_bandwidth_add(&b, 0, INT64_MAX, 1e9);
    dtx_bandwidth_add(&b, INT64_MAX, DTX_SEC_NS, 1e9);
    dtx_bandwidth_add(&b, 0, DTX_SEC_NS, NAN);
    dtx_bandwidth_add(&b, 0, DTX_SEC_NS, INFINITY);
    dtx_bandwidth_add(&b, 0, DTX_SEC_NS, -1);
    ck_assert_double_eq(b.best, 0);
    dtx_bandwidth_add(&b, INT64_MAX / 4, INT64_MAX / 4, 1e9);
    ck_assert_double_gt(b.best, 0);
}
END_TEST

/* ---- memory that is shared ---- */

enum { SLOTS = 16, ROUNDS = 400 };

static double left[SLOTS], moved[SLOTS], began[SLOTS];

static double rate_of(double running, double each, double all)
{
    return fmin(each, all / running);
}

/* 'heavy' of the slots run tasks of 5 to 15 s alone, which move 'each' bytes a
 * second alone and share 'all'; between two there is a pause of 'pause' s at
 * most. Time goes in steps of a tenth of a second. */
static void share(struct dtx_rng *rng, uint32_t heavy, double each, double all,
                  double pause)
{
    uint32_t done = 0, i;
    double now;

    for (i = 0; i < heavy; i++)
        left[i] = -10 * pause * dtx_rng_unit(rng);
    for (now = 0; done < ROUNDS; now += 0.1) {
        double running = 0, rate;

        for (i = 0; i < heavy; i++)
            running += left[i] > 0;
        rate = rate_of(fmax(running, 1), each, all);
        for (i = 0; i < heavy; i++) {
            if (left[i] > 0) {
                moved[i] += rate / 10;
                left[i] -= rate / each;
                if (left[i] > 0)
                    continue;
                dtx_bandwidth_add(&b, (int64_t)(began[i] * 1e9),
                                  (int64_t)((now + 0.1 - began[i]) * 1e9),
                                  moved[i]);
                left[i] = -10 * pause * dtx_rng_unit(rng);
                done++;
            } else if ((left[i] += 1) >= 0) {
                left[i] = 50 + 100 * dtx_rng_unit(rng);
                moved[i] = 0;
                began[i] = now + 0.1;
            }
        }
    }
}

static const struct {
    uint32_t heavy;
    double pause; /* s */
} busy[] = {{16, 0}, {16, 30}, {8, 0}, {6, 5}, {4, 0}, {3, 0}, {1, 0}};

/* The memory feeds four: found where it was full, and else what was asked
 * for. */
START_TEST(found_where_it_was_full)
{
    struct dtx_rng rng;
    double most = fmin(busy[_i].heavy, 4) * 10e9;
    uint64_t seed;

    for (seed = 1; seed <= 20; seed++) {
        dtx_rng_seed(&rng, seed);
        memset(&b, 0, sizeof(b));
        share(&rng, busy[_i].heavy, 10e9, 40e9, busy[_i].pause);
        ck_assert_double_ge(b.best, 0.98 * most);
        ck_assert_double_le(b.best, 1.15 * most);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/bandwidth");
    TCase *t = tcase_create("bandwidth");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, those_at_once_add_up);
    tcase_add_test(t, shorter_than_a_part);
    tcase_add_loop_test(t, of_any_length, 0, 20);
    tcase_add_test(t, nonsense_is_left_out);
    tcase_add_loop_test(t, found_where_it_was_full, 0, DTX_COUNT(busy));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

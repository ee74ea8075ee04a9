/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_rng.c - the generator's numbers and their shapes
 *
 * The first numbers are compared with those of the authors' published code
 * (splitmix64 and xoshiro256**), written out again here; the distributions by
 * their means, with fixed seeds.
 */
#include "base/rng.h"
#include "check_main.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t xoshiro(uint64_t *s)
{
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

START_TEST(numbers_are_the_published_ones)
{
    /* splitmix64 from 1234567: the vector of its reference code. */
    uint64_t x = 1234567;
    ck_assert_uint_eq(splitmix(&x), UINT64_C(6457827717110365317));
    ck_assert_uint_eq(splitmix(&x), UINT64_C(3203168211198807973));
    static const uint64_t seeds[] = {0, 1, 42, UINT64_MAX};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        struct dtx_rng r;
        dtx_rng_seed(&r, seeds[i]);
        uint64_t state[4], from = seeds[i];
        for (int k = 0; k < 4; k++)
            state[k] = splitmix(&from);
        for (int k = 0; k < 1000; k++)
            ck_assert_uint_eq(dtx_rng_u64(&r), xoshiro(state));
    }
}
END_TEST

static const uint64_t limits[] = {
    1, 2, 3, 7, 10, 1000, UINT64_C(1) << 32, (UINT64_C(1) << 63) + 1,
    UINT64_MAX,
};

START_TEST(below_stays_below)
{
    struct dtx_rng r;
    dtx_rng_seed(&r, 3);
    for (int i = 0; i < 10000; i++)
        ck_assert_uint_lt(dtx_rng_below(&r, limits[_i]), limits[_i]);
}
END_TEST

START_TEST(below_is_even)
{
    struct dtx_rng r;
    dtx_rng_seed(&r, 4);
    int count[7] = {0};
    for (int i = 0; i < 70000; i++)
        count[dtx_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++) {
        ck_assert_int_gt(count[i], 9500);
        ck_assert_int_lt(count[i], 10500);
    }
}
END_TEST

enum { DRAWS = 200000 };

START_TEST(shapes_have_their_means)
{
    struct dtx_rng r;
    dtx_rng_seed(&r, 5);
    double unit = 0, normal = 0, square = 0, lognormal = 0, expo = 0;
    for (int i = 0; i < DRAWS; i++) {
        double u = dtx_rng_unit(&r);
        ck_assert(u >= 0 && u < 1);
        double z = dtx_rng_normal(&r);
        ck_assert(isfinite(z));
        double e = dtx_rng_exp(&r, 3);
        ck_assert(isfinite(e) && e >= 0);
        unit += u / DRAWS;
        normal += z / DRAWS;
        square += z * z / DRAWS;
        lognormal += dtx_rng_lognormal(&r, 20, 0.5) / DRAWS;
        expo += e / DRAWS;
    }
    ck_assert_double_eq_tol(unit, 0.5, 0.005);
    ck_assert_double_eq_tol(normal, 0, 0.01);
    ck_assert_double_eq_tol(square, 1, 0.02);
    ck_assert_double_eq_tol(lognormal, 20, 0.2);
    ck_assert_double_eq_tol(expo, 3, 0.05);
}
END_TEST

START_TEST(quantiles_are_those_of_the_normal_distribution)
{
    double p, z, off;

    for (p = 1e-12; p < 1; p += p < 1e-3 ? p : 1e-3) {
        z = dtx_normal_quantile(p);
        off = 0.5 * erfc(-z / sqrt(2)) / p - 1;
        ck_assert_msg(fabs(off) < 1e-5, "%g: %g", p, off);
        if (p > 0.001 && p < 0.999)
            ck_assert_double_eq_tol(z, -dtx_normal_quantile(1 - p), 1e-6);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/rng");
    TCase *t = tcase_create("rng");
    tcase_add_test(t, numbers_are_the_published_ones);
    tcase_add_loop_test(t, below_stays_below, 0, DTX_COUNT(limits));
    tcase_add_test(t, below_is_even);
    tcase_add_test(t, shapes_have_their_means);
    tcase_add_test(t, quantiles_are_those_of_the_normal_distribution);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_parts.c - sketch, regression, curve, mix, memory
 *
 * Each part of the predictor by itself: what it promises, what merges, and that
 * senseless rows of a history do nothing but be left out.
 */
#include "check_main.h"
#include "base/rng.h"
#include "predict/curve.h"
#include "predict/linear.h"
#include "predict/memory.h"
#include "predict/mix.h"
#include "predict/predictor.h"
#include "predict/sample.h"
#include "predict/sketch.h"
#include "wire/experience.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(sketch_quantiles_are_near)
{
    struct dtx_sketch a, b;
    int i;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    for (i = 1; i <= 1000; i++)
        dtx_sketch_add(i % 2 ? &a : &b, log(1 + i / 1000.0), 1);
    dtx_sketch_merge(&a, &b);
    ck_assert_uint_eq(a.n, 1000);
    ck_assert_double_eq_tol(dtx_sketch_quantile(&a, 0.5), log(1.5), 0.02);
    ck_assert_double_eq_tol(dtx_sketch_quantile(&a, 0.95), log(1.95), 0.02);
}
END_TEST

/* From microseconds to years: it coarsens, and counts all. */
START_TEST(sketch_takes_any_range)
{
    struct dtx_sketch s;
    int i;

    memset(&s, 0, sizeof(s));
    for (i = -20; i <= 20; i++)
        dtx_sketch_add(&s, i, 1);
    dtx_sketch_add(&s, 1e9, 1);
    dtx_sketch_add(&s, -1e9, 1);
    dtx_sketch_add(&s, (double)NAN, 1);
    ck_assert_uint_eq(s.n, 44);
    ck_assert(isfinite(dtx_sketch_quantile(&s, 0.5)));
}
END_TEST

START_TEST(regression_finds_the_power)
{
    struct dtx_linear l;
    float x[DTX_LINEAR_MAX] = {0};
    struct dtx_rng r;
    int i;

    memset(&l, 0, sizeof(l));
    dtx_rng_seed(&r, 1);
    for (i = 0; i < 200; i++) {
        x[2] = (float)(5 * dtx_rng_unit(&r));
        x[3] = (float)(5 * dtx_rng_unit(&r));
        dtx_linear_solve(&l);
        dtx_linear_learn(&l, x, 1 + 1.5 * (double)x[2] - 0.5 * (double)x[3],
                         1);
        if (i % 20 == 19) /* an outlier moves it little */
            dtx_linear_learn(&l, x, 20, 1);
    }
    dtx_linear_solve(&l);
    ck_assert_double_eq_tol(l.coef[2], 1.5, 0.2);
    ck_assert_double_eq_tol(l.coef[3], -0.5, 0.2);
    x[2] = 20; /* far beyond: bounded */
    ck_assert_double_le(dtx_linear_bounded(&l, x, false), 20.01);
}
END_TEST

START_TEST(curve_finds_constant_and_power)
{
    struct dtx_sample s[40];
    struct dtx_curve c;
    int i;

    memset(s, 0, sizeof(s));
    for (i = 0; i < 40; i++) {
        double n = 100 + 250 * i;

        s[i].x[2] = (float)log1p(n);
        s[i].y = (float)log(3 + 1e-4 * pow(n, 1.3));
    }
    dtx_curve_train(&c, s, 40, 0);
    ck_assert(c.known);
    ck_assert_uint_eq(c.feature, 2);
    s[0].x[2] = (float)log1p(1e6);
    ck_assert_double_eq_tol(dtx_curve_value(&c, &s[0]),
                            log(3 + 1e-4 * pow(1e6, 1.3)), 0.15);
}
END_TEST

static double mixed(struct dtx_mix *m, const double *say)
{
    static const double prior[3] = {1, 1, 1};
    double error[3];

    dtx_mix_errors(m, prior, 0, 3, error);
    return dtx_mix_value(m, say, error, 3);
}

START_TEST(the_mix_follows_who_is_right)
{
    double say[3] = {0, 1, (double)NAN};
    struct dtx_mix m;
    int i;

    memset(&m, 0, sizeof(m));
    for (i = 0; i < 30; i++)
        dtx_mix_learn(&m, say, 3, 1);
    ck_assert_double_eq_tol(mixed(&m, say), 1, 0.01);
    for (i = 0; i < 60; i++)
        dtx_mix_learn(&m, say, 3, 0);
    ck_assert_double_eq_tol(mixed(&m, say), 0, 0.05);
    say[0] = say[1] = (double)NAN;
    ck_assert(isnan(mixed(&m, say)));
}
END_TEST

static struct dtx_predictor *learned(void)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    int i;

    for (i = 1; i <= 100; i++) {
        struct dtx_features f;
        char command[64];
        int n = snprintf(command, sizeof(command), "./a %d in.dat", i);

        dtx_features_of(command, (size_t)n, "h1", NULL, NULL, &f);
        ck_assert_int_eq(dtx_predictor_learn(p, &f, 0.1 * i, false), 0);
    }
    return p;
}

static double say(struct dtx_predictor *p, const char *command)
{
    struct dtx_prediction said;
    struct dtx_features f;

    dtx_features_of(command, strlen(command), "h1", NULL, NULL, &f);
    (void)dtx_predictor_ask(p, &f, &said);
    return said.seconds;
}

START_TEST(memory_comes_back)
{
    struct dtx_predictor *p = learned(), *q = dtx_predictor_create(1 << 22);
    struct dtx_experience e;
    uint64_t bad = 0;

    memset(&e, 0, sizeof(e));
    ck_assert_int_eq(dtx_predictor_save(p, &e), 0);
    ck_assert_uint_eq(e.total, 100);
    ck_assert_uint_eq(e.nclasses, 3);
    ck_assert_uint_eq(e.ncommands, 100);
    ck_assert_int_eq(dtx_predictor_load(q, &e, &bad), 0);
    ck_assert_uint_eq(bad, 0);
    ck_assert_double_eq_tol(say(q, "./a 55 in.dat"), 5.5, 0.3);
    ck_assert_double_eq_tol(say(q, "./a 150 in.dat"), 15, 2);
    dtx_experience_free(&e);
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
}
END_TEST

/* Any bytes in the rows: the answer may be worse, never a crash or no number
 * (run under the sanitizers). */
START_TEST(senseless_rows_are_left_out)
{
    struct dtx_predictor *p = learned();
    struct dtx_rng r;
    int round;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (round = 0; round < 20; round++) {
        struct dtx_predictor *q = dtx_predictor_create(1 << 22);
        struct dtx_experience e;
        uint64_t bad = 0;
        int k;

        memset(&e, 0, sizeof(e));
        ck_assert_int_eq(dtx_predictor_save(p, &e), 0);
        for (k = 0; k < 40; k++) {
            ((unsigned char *)e.class)[dtx_rng_below(
                &r, e.nclasses * sizeof(*e.class))] ^=
                (unsigned char)dtx_rng_below(&r, 256);
            ((unsigned char *)e.sample)[dtx_rng_below(
                &r, e.nsamples * sizeof(*e.sample))] ^=
                (unsigned char)dtx_rng_below(&r, 256);
        }
        ck_assert_int_eq(dtx_predictor_load(q, &e, &bad), 0);
        ck_assert(isfinite(say(q, "./a 55 in.dat")));
        dtx_experience_free(&e);
        dtx_predictor_destroy(q);
    }
    dtx_predictor_destroy(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/parts");
    TCase *t = tcase_create("parts");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, sketch_quantiles_are_near);
    tcase_add_test(t, sketch_takes_any_range);
    tcase_add_test(t, regression_finds_the_power);
    tcase_add_test(t, curve_finds_constant_and_power);
    tcase_add_test(t, the_mix_follows_who_is_right);
    tcase_add_test(t, memory_comes_back);
    tcase_add_loop_test(t, senseless_rows_are_left_out, 0, 5);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

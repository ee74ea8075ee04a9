/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_order.c - does the order of a history matter?
 *
 * Each law is learned in each order, with noise, and then asked for what was
 * seen and for what lies between; once by who learned it, once by who was told
 * (saved and loaded).  How far nine of ten may be off is stated for each law;
 * so is how many must lie in their interval.
 */
#include "check_main.h"
#include "base/rng.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "wire/experience.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 600
#define NOISE 0.05
#define COVERED 0.7

static double constant_and_linear(double n)
{
    return 600 + 10 * n;
}

static double power(double n)
{
    return 0.02 * pow(n, 1.5);
}

static double power_and_constant(double n)
{
    return 5 + 0.002 * n * n;
}

static double logarithm(double n)
{
    return 10 * log1p(n);
}

static double constant(double n)
{
    (void)n;
    return 7;
}

static double cliff(double n)
{
    return n < 100 ? 2 : 20;
}

/* 'half' and 'most': what half of the errors, and nine of ten, may be. Where a
 * cliff is can only be told by what lies close to it, and from both ends the last
 * ones are all close to it. */
static const struct {
    const char *name;
    double (*cost)(double n);
    double half, most;
} laws[] = {
    {"constant and linear", constant_and_linear, 0.06, 0.15},
    {"power", power, 0.06, 0.25},
    {"power and constant", power_and_constant, 0.06, 0.15},
    {"logarithm", logarithm, 0.06, 0.25},
    {"constant", constant, 0.04, 0.08},
    {"cliff", cliff, 0.35, 1.5},
};

/* ---- orders of 0..n-1 ---- */

static uint32_t ascending(uint32_t i, uint32_t n)
{
    (void)n;
    return i;
}

static uint32_t descending(uint32_t i, uint32_t n)
{
    return n - 1 - i;
}

/* From both ends. */
static uint32_t alternating(uint32_t i, uint32_t n)
{
    return i % 2 ? n - 1 - i / 2 : i / 2;
}

/* Four times up. */
static uint32_t sawtooth(uint32_t i, uint32_t n)
{
    return i % (n / 4) * 4 + i / (n / 4);
}

/* Up over one half, and down over the other. */
static uint32_t up_and_down(uint32_t i, uint32_t n)
{
    return i < n / 2 ? 2 * i : 2 * (n - 1 - i) + 1;
}

static uint32_t shuffled(uint32_t i, uint32_t n)
{
    return (uint32_t)((uint64_t)i * 241 % n); /* 241: no divisor of n */
}

static const struct {
    const char *name;
    uint32_t (*at)(uint32_t i, uint32_t n);
} orders[] = {
    {"ascending", ascending},     {"descending", descending},
    {"alternating", alternating}, {"sawtooth", sawtooth},
    {"up and down", up_and_down}, {"shuffled", shuffled},
};

static const uint32_t sizes[] = {40, 200, MOST};

/* ---- learning and asking ---- */

static struct dtx_features of(uint32_t v)
{
    struct dtx_features f;
    char text[64];
    int len = snprintf(text, sizeof(text), "./solve %u", (unsigned)v);

    dtx_features_of(text, (size_t)len, NULL, NULL, NULL, &f);
    return f;
}

/* What 'p' knows, as another one reads it from a history. */
static struct dtx_predictor *told(const struct dtx_predictor *p)
{
    struct dtx_predictor *q = dtx_predictor_create(1 << 22);
    struct dtx_experience e;

    memset(&e, 0, sizeof(e));
    ck_assert_int_eq(dtx_predictor_save(p, &e), 0);
    ck_assert_int_eq(dtx_predictor_load(q, &e, NULL), 0);
    dtx_experience_free(&e);
    return q;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Even arguments have been learned, odd ones lie between. */
static void judge(struct dtx_predictor *p, int law, uint32_t n, bool seen,
                  const char *what)
{
    double error[MOST], scale = 100.0 / n;
    struct dtx_rng r;
    uint32_t i, inside = 0;

    dtx_rng_seed(&r, 77);
    for (i = 0; i < n; i++) {
        uint32_t v = 2 * (i + 1) + !seen;
        double t = laws[law].cost(v * scale);
        struct dtx_features f = of(v);
        struct dtx_prediction said;

        ck_assert(dtx_predictor_ask(p, &f, &said));
        error[i] = fabs(said.seconds / t - 1);
        t *= exp(NOISE * dtx_rng_normal(&r));
        inside += t >= said.low && t <= said.high;
    }
    qsort(error, n, sizeof(*error), by_size);
    ck_assert_msg(error[n / 2] <= laws[law].half &&
                  error[n * 9 / 10] <= laws[law].most &&
                  inside >= COVERED * n,
                  "%s, %u %s, %s: half are off by %.3f, nine of ten by %.3f; "
                  "%.2f in their interval", laws[law].name, (unsigned)n, what,
                  seen ? "seen" : "between", error[n / 2], error[n * 9 / 10],
                  (double)inside / n);
}

static struct dtx_predictor *teach(int law, int order, uint32_t n)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_rng r;
    uint32_t i;

    dtx_rng_seed(&r, (uint64_t)(1 + law + 10 * order));
    for (i = 0; i < n; i++) {
        uint32_t v = 2 * (orders[order].at(i, n) + 1);
        struct dtx_features f = of(v);

        ck_assert_int_eq(dtx_predictor_replay(
            p, &f, laws[law].cost(v * 100.0 / n) *
            exp(NOISE * dtx_rng_normal(&r)), false, NULL), 0);
    }
    return p;
}

START_TEST(no_order_spoils_a_law)
{
    int law = _i / DTX_COUNT(orders), order = _i % DTX_COUNT(orders), k;

    for (k = 0; k < DTX_COUNT(sizes); k++) {
        struct dtx_predictor *p = teach(law, order, sizes[k]), *q = told(p);

        judge(p, law, sizes[k], true, orders[order].name);
        judge(p, law, sizes[k], false, orders[order].name);
        judge(q, law, sizes[k], true, orders[order].name);
        judge(q, law, sizes[k], false, orders[order].name);
        dtx_predictor_destroy(p);
        dtx_predictor_destroy(q);
    }
}
END_TEST

/* Without noise, from few: what was seen takes what it took. */
START_TEST(a_sorted_list_predicts_its_own_beginning)
{
    int n = 6 + 3 * _i, i;
    struct dtx_predictor *p = dtx_predictor_create(1 << 22), *q;

    for (i = 1; i <= n; i++) {
        struct dtx_features f = of((uint32_t)i);

        ck_assert_int_eq(dtx_predictor_learn(p, &f, 600 + 10 * i, false), 0);
    }
    q = told(p);
    for (i = 1; i <= n; i++) {
        struct dtx_features f = of((uint32_t)i);
        struct dtx_prediction said;

        ck_assert(dtx_predictor_ask(q, &f, &said));
        ck_assert_msg(fabs(said.seconds / (600 + 10 * i) - 1) < 0.05,
                      "%d of %d: %.4g s in place of %d", i, n, said.seconds,
                      600 + 10 * i);
    }
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
}
END_TEST

static const char *const modes[] = {"coarse", "medium", "fine", "exact"};

static struct dtx_features mode_of(int mode, int seed)
{
    struct dtx_features f;
    char text[64];
    int len = snprintf(text, sizeof(text), "./sim --mode %s --seed %d",
                       modes[mode], seed);

    dtx_features_of(text, (size_t)len, NULL, NULL, NULL, &f);
    return f;
}

/* One kind of task after the other: words tell them apart, not the time. */
START_TEST(no_order_of_kinds_spoils_them)
{
    static const double cost[] = {1, 60, 5, 20};
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_rng r;
    int i;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (i = 0; i < 4 * 50; i++) {
        struct dtx_features f = mode_of(i / 50, 7919 * i % 1000);

        ck_assert_int_eq(dtx_predictor_replay(
            p, &f, cost[i / 50] * exp(NOISE * dtx_rng_normal(&r)), false,
            NULL), 0);
    }
    for (i = 0; i < 4; i++) {
        struct dtx_features f = mode_of(i, 500);
        struct dtx_prediction said;

        ck_assert(dtx_predictor_ask(p, &f, &said));
        ck_assert_msg(fabs(said.seconds / cost[i] - 1) < 0.15,
                      "%s: %.3g s in place of %g", modes[i], said.seconds,
                      cost[i]);
    }
    dtx_predictor_destroy(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/order");
    TCase *t = tcase_create("order");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, no_order_spoils_a_law, 0,
                        dtx_rounds(DTX_COUNT(laws) * DTX_COUNT(orders)));
    tcase_add_loop_test(t, a_sorted_list_predicts_its_own_beginning, 0, 20);
    tcase_add_loop_test(t, no_order_of_kinds_spoils_them, 0, 5);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

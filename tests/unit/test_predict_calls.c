/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_calls.c - kernel calls: hints are believed until
 * outcomes tell otherwise, features are learned, and what is kept adds up */
#include "predict/calls.h"
#include "predict/foresee.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "check_main.h"

static double ask(struct dtx_calls *c, const char *kernel, double hint,
                  double x)
{
    struct dtx_kernel_call call = {kernel, 64, hint, &x, 1};
    double s = -1;

    return dtx_calls_ask(c, &call, &s) ? s : -1;
}

static void learn(struct dtx_calls *c, const char *kernel, double hint,
                  double x, double seconds)
{
    struct dtx_kernel_call call = {kernel, 64, hint, &x, 1};

    ck_assert_int_eq(dtx_calls_learn(c, &call, seconds), 0);
}

START_TEST(nothing_is_claimed_without_outcomes)
{
    struct dtx_calls *c = dtx_calls_create();
    double mean;

    ck_assert(ask(c, "a", 0, 1) < 0);
    ck_assert_double_eq(ask(c, "a", 7, 1), 7);
    ck_assert_uint_eq(dtx_calls_known(c, "a", &mean), 0);
    learn(c, "b", 0, 1, 2);
    ck_assert(ask(c, "a", 0, 1) < 0); /* another kernel's says nothing */
    ck_assert_double_eq(ask(c, "b", 3, 1), 3); /* nor calls without a hint */
    learn(c, "a", 5, 1, 2);
    ck_assert(ask(c, "a", 0, 1) < 0);
    dtx_calls_destroy(c);
}
END_TEST

/* One outcome is enough for the unit; the order of the hints stands. */
START_TEST(a_hint_is_a_prior)
{
    static const double unit[] = {1, 1e-9, 1e9, 1e-3};
    struct dtx_calls *c = dtx_calls_create();
    double h;

    learn(c, "a", 2 / unit[_i], 0, 2);
    for (h = 0.001; h < 1000; h *= 1.7)
        ck_assert_double_eq_tol(ask(c, "a", h / unit[_i], 0) / h, 1, 1e-2);
    dtx_calls_destroy(c);
}
END_TEST

/* Hints that say nothing are seen through, right ones stay right. */
START_TEST(hints_are_put_right)
{
    struct dtx_calls *good = dtx_calls_create(), *bad = dtx_calls_create();
    struct dtx_rng rng;
    double off_good = 0, off_bad = 0;
    int i;

    dtx_rng_seed(&rng, (uint64_t)_i);
    for (i = 0; i < 220; i++) {
        double t = exp(dtx_rng_unit(&rng) * 5) * 1e-4;
        double h = exp(dtx_rng_unit(&rng) * 5), near = t * 1e6 *
                   (0.9 + 0.2 * dtx_rng_unit(&rng));

        if (i >= 200) {
            off_good += fabs(log(ask(good, "k", near, 0) / t));
            off_bad += fabs(log(ask(bad, "k", h, 0) / 1e-3));
        } else {
            learn(good, "k", near, 0, t);
            learn(bad, "k", h, 0, 1e-3);
        }
    }
    ck_assert(off_good / 20 < 0.15);
    ck_assert(off_bad / 20 < 0.15); /* hints were off by up to e^5 */
    dtx_calls_destroy(good);
    dtx_calls_destroy(bad);
}
END_TEST

/* A kernel that is forgotten and comes again goes by the unit it was learned in,
 * though its first outcome then is a hundred times what it was. */
START_TEST(comes_again)
{
    struct dtx_calls *c = dtx_calls_create();
    char name[16];
    uint32_t i;

    for (i = 0; i < 50; i++)
        learn(c, "a", 1 + i % 5, 0, 2 * (1 + i % 5));
    ck_assert_double_eq_tol(ask(c, "a", 3, 0), 6, 0.1);
    for (i = 0; i < DTX_CALLS_KERNELS + 5; i++) {
        (void)snprintf(name, sizeof(name), "k%u", (unsigned)i);
        learn(c, name, 1, 0, 1000);
    }
    ck_assert_double_eq_tol(ask(c, "a", 3, 0), 3, 1e-9); /* forgotten */
    learn(c, "a", 1, 0, 200);
    ck_assert_double_eq_tol(dtx_calls_ratio(c, "a"), 2, 1e-9);
    ck_assert_double_lt(ask(c, "a", 3, 0), 30);
    dtx_calls_destroy(c);
}
END_TEST

START_TEST(features_are_learned)
{
    struct dtx_calls *c = dtx_calls_create();
    struct dtx_rng rng;
    double off = 0, scale = _i == 0 ? 1e-6 : _i == 1 ? 1e-3 : 10;
    int i;

    dtx_rng_seed(&rng, 11);
    for (i = 0; i < 120; i++) {
        double x = 1 + 1000 * dtx_rng_unit(&rng), t = scale * pow(x, 1.5);

        if (i < 100)
            learn(c, "k", 0, x, t * (0.98 + 0.04 * dtx_rng_unit(&rng)));
        else
            off += fabs(log(ask(c, "k", 0, x) / t));
    }
    ck_assert(off / 20 < 0.1);
    dtx_calls_destroy(c);
}
END_TEST

struct copy {
    struct dtx_calls *to;
    uint64_t n;
};

static int copy(void *ctx, const struct dtx_kernel_call *call, double seconds)
{
    struct copy *c = ctx;

    c->n++;
    return dtx_calls_learn(c->to, call, seconds);
}

START_TEST(what_is_kept_is_enough)
{
    struct dtx_calls *c = dtx_calls_create();
    struct copy to = {dtx_calls_create(), 0};
    char name[32];
    double mean;
    int i;

    for (i = 0; i < 1000; i++)
        learn(c, "k", 0, 1 + i % 50, 1e-4 * (1 + i % 50));
    ck_assert_int_eq(dtx_calls_each(c, copy, &to), 0);
    ck_assert_uint_eq(to.n, DTX_CALLS_WINDOW);
    for (i = 1; i < 50; i++)
        ck_assert(fabs(log(ask(to.to, "k", 0, i) / ask(c, "k", 0, i))) < 0.1);
    for (i = 0; i < 200; i++) { /* the oldest kernels are forgotten */
        (void)snprintf(name, sizeof(name), "k%d", i);
        learn(c, name, 0, 1, 1);
    }
    ck_assert_uint_eq(dtx_calls_known(c, "k", &mean), 0);
    ck_assert_uint_eq(dtx_calls_known(c, "k199", &mean), 1);
    ck_assert_double_eq(mean, 1);
    dtx_calls_destroy(c);
    dtx_calls_destroy(to.to);
}
END_TEST

/* Tasks come in runs; what one run took orders the next, and hints the first.
 * While a run goes on, what waits is looked at anew. */
START_TEST(tasks_are_foreseen)
{
    struct dtx_calls *c = dtx_calls_create();
    struct dtx_foresight *f = dtx_foresee_create(c);
    double x, said[100];
    bool busy, done = false;
    uint64_t id;

    for (id = 1; id <= 100; id++) {
        struct dtx_kernel_call call = {"k", 8, 0, &x, 1};

        x = (double)id;
        ck_assert_double_eq(dtx_foresee_submit(f, &call, 2), 0);
    }
    ck_assert(!dtx_foresee_turn(f, 2, 10, &busy) && !busy);
    for (id = 1; id <= 60; id++)
        dtx_foresee_ended(f, id, id * 1000000);
    while (!done) {
        done = dtx_foresee_turn(f, 2, 7, &busy);
        ck_assert(done || busy);
    }
    for (id = 62; id <= 100; id++) {
        ck_assert(dtx_foresee_cost(f, id) >= dtx_foresee_cost(f, id - 1));
        dtx_foresee_ended(f, id, 0);
        dtx_foresee_ended(f, id, 5); /* told twice: of no account */
    }
    ck_assert(dtx_foresee_cost(f, 100) > 0.05);
    dtx_foresee_ended(f, 61, 0);
    dtx_foresee_forget(f);
    ck_assert_double_eq(dtx_foresee_cost(f, 7), 0);
    for (id = 0; id < 50; id++) {
        struct dtx_kernel_call call = {"k", 8, 0, &x, 1};

        x = (double)id + 1;
        said[id] = dtx_foresee_submit(f, &call, 2);
        dtx_foresee_withdraw(f);
        said[id] = dtx_foresee_submit(f, &call, 2);
        ck_assert(said[id] > 0.5e-3 * x && said[id] < 2e-3 * x);
    }
    ck_assert_double_eq(dtx_foresee_cost(f, 101), (double)(float)said[0]);
    dtx_foresee_destroy(f);
    dtx_calls_destroy(c);
}
END_TEST

/* A million tasks of a microsecond: hardly any is asked or learned. */
START_TEST(short_tasks_cost_nothing)
{
    struct dtx_calls *c = dtx_calls_create();
    struct dtx_foresight *f = dtx_foresee_create(c);
    struct dtx_kernel_call call = {"k", 8, 0, NULL, 0};
    double mean;
    uint64_t id;
    bool busy, unasked = true; /* an assertion each would be most of the work */

    for (id = 1; id <= 1000000; id++) {
        unasked = unasked && dtx_foresee_submit(f, &call, 2) <= 0;
        dtx_foresee_ended(f, id, 1000);
        (void)dtx_foresee_turn(f, 2, 7, &busy);
    }
    ck_assert(unasked);
    ck_assert_uint_le(dtx_calls_known(c, "k", &mean), 2000);
    dtx_foresee_destroy(f);
    dtx_calls_destroy(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/calls");
    TCase *t = tcase_create("all");

    tcase_add_test(t, nothing_is_claimed_without_outcomes);
    tcase_add_loop_test(t, a_hint_is_a_prior, 0, 4);
    tcase_add_loop_test(t, hints_are_put_right, 0, 5);
    tcase_add_test(t, comes_again);
    tcase_add_loop_test(t, features_are_learned, 0, 3);
    tcase_add_test(t, what_is_kept_is_enough);
    tcase_add_test(t, tasks_are_foreseen);
    tcase_add_test(t, short_tasks_cost_nothing);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

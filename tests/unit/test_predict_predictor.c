/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_predictor.c - does it learn what there is to learn?
 *
 * Five laws from a hundred noisy samples, judged on sizes it has not seen, also
 * beyond their range; backing off; what was cut short; honest intervals; a
 * bound on memory; the same calls, the same answers.
 */
#include "check_main.h"
#include "base/rng.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/model.h"
#include "predict/predictor.h"
#include "predict/review.h"
#include "wire/experience.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE 0.05
#define SAMPLES 100
#define ASKED 200

static struct dtx_features of(const char *command)
{
    struct dtx_features f;

    dtx_features_of(command, strlen(command), NULL, NULL, NULL, &f);
    return f;
}

static double power(double n, double m)
{
    (void)m;
    return 2e-5 * pow(n, 1.5);
}

static double power_and_constant(double n, double m)
{
    return 5 + power(n, m);
}

static double two_arguments(double n, double m)
{
    return 1e-5 * n * m;
}

static double cliff(double n, double m)
{
    (void)m;
    return n < 3000 ? 2 : 20;
}

static double constant(double n, double m)
{
    (void)n;
    (void)m;
    return 7;
}

static const struct {
    const char *name;
    double (*cost)(double n, double m);
    double beyond; /* the error allowed at up to twice the largest size */
} laws[] = {
    {"power", power, 0.05},
    {"power and constant", power_and_constant, 0.10},
    {"two arguments", two_arguments, 0.05},
    {"cliff", cliff, 0.25},
    {"constant", constant, 0.05},
};

static void draw(struct dtx_rng *r, uint64_t lo, uint64_t hi, char *command,
                 size_t size, double *n, double *m)
{
    *n = (double)(lo + dtx_rng_below(r, hi - lo));
    *m = (double)(1 + dtx_rng_below(r, 100));
    (void)snprintf(command, size, "./sim --size %.0f -m %.0f", *n, *m);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The median error on sizes from lo to hi. */
static double error_on(struct dtx_predictor *p, struct dtx_rng *r, int law,
                       uint64_t lo, uint64_t hi)
{
    double error[ASKED], n, m;
    char command[100];
    int i;

    for (i = 0; i < ASKED; i++) {
        struct dtx_prediction said;
        struct dtx_features f;

        draw(r, lo, hi, command, sizeof(command), &n, &m);
        f = of(command);
        ck_assert(dtx_predictor_ask(p, &f, &said));
        ck_assert_double_le(said.low, said.seconds);
        ck_assert_double_ge(said.high, said.seconds);
        error[i] = fabs(said.seconds / laws[law].cost(n, m) - 1);
    }
    qsort(error, ASKED, sizeof(*error), by_size);
    return error[ASKED / 2];
}

START_TEST(law_row)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    double inside, beyond, n, m;
    struct dtx_rng r;
    char command[100];
    int i;

    ck_assert_ptr_nonnull(p);
    dtx_rng_seed(&r, 1);
    for (i = 0; i < SAMPLES; i++) {
        struct dtx_features f;

        draw(&r, 100, 10000, command, sizeof(command), &n, &m);
        f = of(command);
        ck_assert_int_eq(dtx_predictor_learn(
            p, &f, laws[_i].cost(n, m) * exp(NOISE * dtx_rng_normal(&r)),
            false), 0);
    }
    inside = error_on(p, &r, _i, 100, 10000);
    beyond = error_on(p, &r, _i, 10000, 20000);
    ck_assert_msg(inside <= 0.05 && beyond <= laws[_i].beyond,
                  "%s: median error %.3f, beyond %.3f", laws[_i].name, inside,
                  beyond);
    dtx_predictor_destroy(p);
}
END_TEST

static void learn(struct dtx_predictor *p, const char *command, double seconds,
                  bool cut)
{
    struct dtx_features f = of(command);

    ck_assert_int_eq(dtx_predictor_learn(p, &f, seconds, cut), 0);
}

static struct dtx_prediction ask(struct dtx_predictor *p, const char *command)
{
    struct dtx_features f = of(command);
    struct dtx_prediction said;

    (void)dtx_predictor_ask(p, &f, &said);
    return said;
}

START_TEST(it_backs_off)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);

    ck_assert_int_eq(ask(p, "a -x 1").basis, DTX_BASIS_NONE);
    learn(p, "a -x 1", 10, false);
    ck_assert_int_eq(ask(p, "a -x 1").basis, DTX_BASIS_EXACT);
    ck_assert_int_eq(ask(p, "a -x 2").basis, DTX_BASIS_CLASS);
    ck_assert_int_eq(ask(p, "a -y 2").basis, DTX_BASIS_PROGRAM);
    ck_assert_int_eq(ask(p, "b").basis, DTX_BASIS_ALL);
    ck_assert_double_eq_tol(ask(p, "b").seconds, 10, 0.2);
    dtx_predictor_destroy(p);
}
END_TEST

/* What the same command took before is believed from the first time on, also
 * where a law fits all the others well and says something else. */
START_TEST(the_same_command_takes_as_long)
{
    struct dtx_predictor *p = dtx_predictor_create(0);
    struct dtx_prediction said;
    struct dtx_rng r;
    int i;

    dtx_rng_seed(&r, 5);
    for (i = 0; i < 200; i++) {
        double n = 1000 + 40 * i, t = 2e-5 * pow(n, 1.5);
        struct dtx_features f;
        char text[64];

        (void)snprintf(text, sizeof(text), "work %d", (int)n);
        f = of(text);
        t *= exp(0.02 * dtx_rng_normal(&r)) * (i == 100 ? 3 : 1);
        ck_assert_int_eq(dtx_predictor_replay(p, &f, t, false, &said), 0);
        if (i != 100)
            continue;
        ck_assert(dtx_predictor_ask(p, &f, &said));
        ck_assert_double_eq_tol(said.seconds / t, 1, 0.15);
    }
    dtx_predictor_destroy(p);
}
END_TEST

START_TEST(few_outcomes_make_a_wide_interval)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_prediction early, late;
    int i;

    learn(p, "a 1", 10, false);
    early = ask(p, "a 2");
    for (i = 0; i < 60; i++)
        learn(p, i % 2 ? "a 1" : "a 2", i % 3 ? 10 : 10.5, false);
    late = ask(p, "a 2");
    ck_assert_double_ge(early.high / early.low, 4);
    ck_assert_double_le(late.high / late.low, 1.5);
    dtx_predictor_destroy(p);
}
END_TEST

/* A task that was ended after 100 s when 10 s were expected tells something;
 * one that was ended after 1 s tells nothing. */
START_TEST(what_was_cut_is_at_least_that_long)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    double before, same, more;
    int i;

    for (i = 0; i < 10; i++)
        learn(p, "a", 10, false);
    before = ask(p, "a").seconds;
    for (i = 0; i < 10; i++)
        learn(p, "a", 1, true);
    same = ask(p, "a").seconds;
    for (i = 0; i < 10; i++)
        learn(p, "a", 100, true);
    more = ask(p, "a").seconds;
    ck_assert_double_eq_tol(before, same, 1e-9);
    ck_assert_double_ge(more, 50);
    dtx_predictor_destroy(p);
}
END_TEST

static void running(struct dtx_predictor *p, uint64_t id, const char *command,
                    double seconds)
{
    struct dtx_features f = of(command);

    ck_assert_int_eq(dtx_predictor_running(p, id, &f, seconds), 0);
}

/* Twenty took a second, ten have been running for a hundred: who waits is not
 * a second's. When they end, what they took counts, and once. */
START_TEST(what_still_runs_is_at_least_that_long)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_prediction said;
    struct dtx_rng r;
    char text[32];
    double before;
    uint64_t i;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text), "./a %d", (int)i);
        learn(p, text, exp(0.1 * dtx_rng_normal(&r)), false);
    }
    before = ask(p, "./a 99").seconds;
    ck_assert_double_eq_tol(before, 1, 0.2);
    for (i = 0; i < 20; i++) { /* each twice: how long is what counts */
        (void)snprintf(text, sizeof(text), "./a %d", 30 + (int)(i % 10));
        running(p, i % 10, text, i < 10 ? 50 : 100);
    }
    said = ask(p, "./a 99");
    ck_assert_double_ge(said.seconds, 20);
    ck_assert_double_le(said.seconds, 100);
    ck_assert_double_ge(said.high, 90);
    ck_assert_double_le(said.low, 1.1);
    for (i = 0; i < 10; i++)
        dtx_predictor_stopped(p, i);
    ck_assert_double_eq_tol(ask(p, "./a 99").seconds, before, 1e-9);
    running(p, 3, "./a 33", 0.5); /* it may well be */
    ck_assert_double_eq_tol(ask(p, "./a 99").seconds, before, 1e-9);
    dtx_predictor_stopped(p, 3);
    dtx_predictor_stopped(p, 77);
    dtx_predictor_destroy(p);
}
END_TEST

/* Any calls in any order: how many run late comes out even, and their bounded
 * table never gives a number that is none. */
START_TEST(late_tasks_come_and_go)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 20);
    struct dtx_rng r;
    char text[32];
    double before;
    int i;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (i = 0; i < 50; i++)
        learn(p, "./a 5", 2, false);
    before = ask(p, "./a 5").seconds;
    for (i = 0; i < 20000; i++) {
        uint64_t id = dtx_rng_below(&r, 6000);

        (void)snprintf(text, sizeof(text), "./a%d 5",
                       (int)dtx_rng_below(&r, 3) ? 0 : (int)(id % 40));
        if (dtx_rng_below(&r, 2))
            running(p, id, id % 7 ? "./a 5" : text,
                    exp(8 * dtx_rng_unit(&r)));
        else
            dtx_predictor_stopped(p, id);
        if (i % 100 == 0)
            ck_assert(isfinite(ask(p, "./a 5").high));
    }
    for (i = 0; i < 6000; i++)
        dtx_predictor_stopped(p, (uint64_t)i);
    ck_assert_double_eq_tol(ask(p, "./a 5").seconds, before, 1e-9);
    dtx_predictor_destroy(p);
}
END_TEST

/* The limit of its time ended it: the same command is not thought to take less,
 * here and where it was told, until it has come to its end. */
START_TEST(what_was_killed_takes_no_less)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22), *q;
    struct dtx_experience e;
    struct dtx_rng r;
    char text[32];
    int i;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (i = 0; i < 60; i++) {
        (void)snprintf(text, sizeof(text), "./a %d", i);
        learn(p, text, 10 * exp(0.5 * dtx_rng_normal(&r)), false);
    }
    learn(p, "./a 3", 60, true);
    learn(p, "./a 3", 20, true);
    learn(p, "./a 4", 5, true);
    ck_assert_double_ge(ask(p, "./a 3").seconds, 60);
    ck_assert_double_ge(ask(p, "./a 3").low, 60 * 0.999);
    ck_assert_double_ge(ask(p, "./a 4").seconds, 5 * 0.999);
    q = dtx_predictor_create(1 << 22);
    memset(&e, 0, sizeof(e));
    ck_assert_int_eq(dtx_predictor_save(p, &e), 0);
    ck_assert_int_eq(dtx_predictor_load(q, &e, NULL), 0);
    ck_assert_double_ge(ask(q, "./a 3").seconds, 60 * 0.999);
    for (i = 0; i < 10; i++)
        learn(q, "./a 3", 12, false);
    ck_assert_double_le(ask(q, "./a 3").seconds, 30);
    dtx_experience_free(&e);
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
}
END_TEST

static void is_plain(void *ctx, const struct dtx_class_review *r)
{
    ++*(int *)ctx;
    ck_assert_str_eq(r->name, "?]0;a #");
}

/* Names come from files of others, and are shown. */
START_TEST(loaded_names_are_fit_for_a_terminal)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_predictor *q = dtx_predictor_create(1 << 22);
    struct dtx_experience e = {0};
    size_t i;
    int shown = 0;

    learn(p, "./abcde 3", 1, false);
    ck_assert_int_eq(dtx_predictor_save(p, &e), 0);
    for (i = 0; i < e.nclasses; i++) {
        if (e.class[i].grain == DTX_GRAIN_CLASS)
            memcpy(e.class[i].name, "\033]0;a", 5);
    }
    ck_assert_int_eq(dtx_predictor_load(q, &e, NULL), 0);
    dtx_predictor_review(q, is_plain, &shown);
    ck_assert_int_eq(shown, 1);
    dtx_experience_free(&e);
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
}
END_TEST

START_TEST(intervals_cover_what_they_say)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_rng r;
    int i, in = 0, n = 1500;

    dtx_rng_seed(&r, 3);
    for (i = 0; i < n; i++) {
        double drift = i < n / 2 ? 1 : 3; /* the machine slows down */
        struct dtx_prediction said;
        struct dtx_features f;
        char command[64];
        double t;

        (void)snprintf(command, sizeof(command), "./a %d",
                       (int)dtx_rng_below(&r, 50));
        f = of(command);
        t = drift * exp(0.5 * dtx_rng_normal(&r));
        ck_assert_int_eq(dtx_predictor_replay(p, &f, t, false, &said), 0);
        in += t >= said.low && t <= said.high;
    }
    ck_assert_int_ge(in, n * 85 / 100);
    ck_assert_int_le(in, n * 95 / 100);
    dtx_predictor_destroy(p);
}
END_TEST

/* Each command a class of its own. */
START_TEST(memory_is_bounded)
{
    size_t limit = 1 << 20;
    struct dtx_predictor *p = dtx_predictor_create(limit);
    struct dtx_predictor_stats s;
    char command[64];
    int i;

    for (i = 0; i < 5000; i++) {
        (void)snprintf(command, sizeof(command), "./prog%d -f%d", i, i);
        learn(p, command, 1 + i % 7, false);
    }
    dtx_predictor_stats(p, &s);
    ck_assert_uint_le(s.bytes, limit);
    ck_assert_uint_gt(s.forgotten, 0);
    ck_assert_int_eq(ask(p, command).basis, DTX_BASIS_EXACT);
    dtx_predictor_destroy(p);
}
END_TEST

/* Whatever a command says and however long it took: an answer is a number,
 * above nothing, and within its interval. */
START_TEST(answers_are_numbers)
{
    static const double took[] = {1e300, 0, -5, (double)NAN,
                                  (double)INFINITY, 1e-300, 3, 1e12};
    struct dtx_predictor *p = dtx_predictor_create(_i % 2 ? 1 << 20 : 1);
    struct dtx_rng r;
    char text[400];
    int i;

    dtx_rng_seed(&r, (uint64_t)_i + 1);
    for (i = 0; i < 400; i++) {
        int digits = 1 + (int)dtx_rng_below(&r, _i % 3 ? 6 : 290);
        struct dtx_prediction said;
        struct dtx_features f;
        double t;

        (void)snprintf(text, sizeof(text), "./a %s%0*d 1e%d",
                       dtx_rng_below(&r, 2) ? "-" : "", digits, 7,
                       (int)dtx_rng_below(&r, 300));
        f = of(text);
        f.mark = (uint32_t)dtx_rng_below(&r, 3);
        if (dtx_predictor_ask(p, &f, &said)) {
            ck_assert(isfinite(said.seconds) && isfinite(said.high));
            ck_assert_double_gt(said.seconds, 0);
            ck_assert(said.low <= said.seconds && said.seconds <= said.high);
        }
        t = dtx_rng_below(&r, 4) ? exp(20 * dtx_rng_unit(&r) - 8)
                                 : took[dtx_rng_below(&r, 8)];
        ck_assert_int_eq(dtx_predictor_learn(p, &f, t,
                                             dtx_rng_below(&r, 5) == 0), 0);
        ck_assert_int_eq(dtx_predictor_running(p, (uint64_t)i % 9, &f, t), 0);
    }
    dtx_predictor_destroy(p);
}
END_TEST

static double after_some(uint64_t seed)
{
    struct dtx_predictor *p = dtx_predictor_create(1 << 22);
    struct dtx_rng r;
    double n, m, sum = 0;
    char command[100];
    int i;

    dtx_rng_seed(&r, seed);
    for (i = 0; i < 200; i++) {
        draw(&r, 1, 1000, command, sizeof(command), &n, &m);
        learn(p, command, n * m * 1e-4, false);
        sum += ask(p, command).seconds;
    }
    dtx_predictor_destroy(p);
    return sum;
}

START_TEST(the_same_calls_give_the_same_answers)
{
    double a = after_some(5), b = after_some(5);

    ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
}
END_TEST

/* What two have learned, merged, is about what one would know; a twin knows
 * what its other has learned since. */
START_TEST(experience_adds_up)
{
    struct dtx_predictor *all = dtx_predictor_create(1 << 22);
    struct dtx_predictor *half[2] = {dtx_predictor_create(1 << 22),
                                     dtx_predictor_create(1 << 22)};
    struct dtx_predictor *twin = dtx_predictor_create(1 << 22);
    struct dtx_predictor_stats s;
    struct dtx_rng r;
    char command[100];
    double n, m;
    int i;

    dtx_predictor_twin(all, twin);
    dtx_rng_seed(&r, 9);
    for (i = 0; i < 300; i++) {
        double t;

        draw(&r, 1, 10000, command, sizeof(command), &n, &m);
        t = n * m * 1e-4;
        learn(all, command, t, false);
        learn(half[i < 150 ? 0 : 1], command, t, false);
    }
    ck_assert_int_eq(dtx_predictor_merge(half[0], half[1]), 0);
    dtx_predictor_stats(half[0], &s);
    ck_assert_uint_eq(s.outcomes, 300);
    ck_assert_double_eq_tol(ask(half[0], "./sim --size 500 -m 50").seconds,
                            2.5, 0.25);
    ck_assert_double_eq_tol(ask(twin, "./sim --size 500 -m 50").seconds, 2.5,
                            0.25);
    dtx_predictor_destroy(all);
    dtx_predictor_destroy(twin);
    dtx_predictor_destroy(half[0]);
    dtx_predictor_destroy(half[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/predictor");
    TCase *t = tcase_create("predictor");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, law_row, 0, DTX_COUNT(laws));
    tcase_add_test(t, it_backs_off);
    tcase_add_test(t, the_same_command_takes_as_long);
    tcase_add_test(t, few_outcomes_make_a_wide_interval);
    tcase_add_test(t, what_was_cut_is_at_least_that_long);
    tcase_add_loop_test(t, what_still_runs_is_at_least_that_long, 0, 5);
    tcase_add_loop_test(t, late_tasks_come_and_go, 0, dtx_rounds(10));
    tcase_add_loop_test(t, what_was_killed_takes_no_less, 0, 5);
    tcase_add_test(t, loaded_names_are_fit_for_a_terminal);
    tcase_add_test(t, intervals_cover_what_they_say);
    tcase_add_loop_test(t, answers_are_numbers, 0, dtx_rounds(10));
    tcase_add_test(t, memory_is_bounded);
    tcase_add_test(t, the_same_calls_give_the_same_answers);
    tcase_add_test(t, experience_adds_up);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

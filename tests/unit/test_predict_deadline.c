/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_deadline.c - is it done in time?
 *
 * Narrow predictions against hand arithmetic; wide ones against how often a
 * simulated truth misses; what runs already; what is not known.
 */
#include "check_main.h"
#include "base/rng.h"
#include "predict/deadline.h"

#include <math.h>

#define N 100

static void fill(struct dtx_due_task *t, size_t n, float seconds, float factor)
{
    size_t i;

    for (i = 0; i < n; i++)
        t[i] = (struct dtx_due_task){seconds, seconds / factor,
                                     seconds * factor, -1};
}

static struct dtx_verdict judge(const struct dtx_due_task *t, size_t n,
                                uint32_t slots, double left)
{
    struct dtx_due d = {t, n, slots, left, 0.3, 1, 0};
    struct dtx_verdict v;

    ck_assert(dtx_deadline_judge(&d, &v));
    return v;
}

START_TEST(certain_tasks_are_arithmetic)
{
    struct dtx_due_task t[N];
    struct dtx_verdict v;

    fill(t, N, 10, 1.0001f);
    v = judge(t, N, 10, 99);
    ck_assert_double_eq_tol(v.likely, 100, 0.1);
    ck_assert_double_eq_tol(v.risk, 1, 1e-9);
    ck_assert_uint_eq(v.at_risk, 10); /* the last of each slot */
    v = judge(t, N, 10, 101);
    ck_assert_double_eq_tol(v.risk, 0, 1e-9);
    ck_assert_uint_eq(v.at_risk, 0);
}
END_TEST

START_TEST(more_time_is_less_risk)
{
    struct dtx_due_task t[N];
    double before = 1;
    int left;

    fill(t, N, 10, 2);
    for (left = 80; left <= 200; left += 10) {
        struct dtx_verdict v = judge(t, N, 10, left);

        ck_assert_double_le(v.risk, before + 1e-9);
        ck_assert_double_lt(v.early, v.likely);
        ck_assert_double_lt(v.likely, v.late);
        before = v.risk;
    }
    ck_assert_double_lt(before, 0.05);
}
END_TEST

/* Where the truth is as uncertain as it was said, nine of ten makespans lie
 * between early and late. */
START_TEST(nine_of_ten_lie_between)
{
    struct dtx_due_task t[N];
    struct dtx_verdict v;
    struct dtx_rng r;
    int round, in = 0;

    fill(t, N, 10, 2);
    v = judge(t, N, 1, -1);
    dtx_rng_seed(&r, 77);
    for (round = 0; round < 400; round++) {
        double sigma = log(4) / (2 * 1.6449), sum = 0;
        double all = dtx_rng_normal(&r);
        int i;

        for (i = 0; i < N; i++)
            sum += 10 * exp(sigma * (sqrt(0.3) * all +
                                     sqrt(0.7) * dtx_rng_normal(&r)));
        in += sum >= v.early && sum <= v.late;
    }
    ck_assert_int_ge(in, 400 * 83 / 100);
    ck_assert_int_le(in, 400 * 96 / 100);
}
END_TEST

START_TEST(what_runs_has_less_to_go)
{
    struct dtx_due_task t[2];
    struct dtx_verdict v;

    fill(t, 2, 100, 1.001f);
    t[0].elapsed = 90;
    v = judge(t, 2, 2, -1);
    ck_assert_double_eq_tol(v.likely, 100, 1);
    t[1].elapsed = 95;
    v = judge(t, 2, 2, -1);
    ck_assert_double_eq_tol(v.likely, 10, 1);
    t[1].elapsed = 200; /* longer than was thought possible */
    v = judge(t, 2, 2, -1);
    ck_assert_double_ge(v.likely, 10);
}
END_TEST

START_TEST(nothing_known_no_claim)
{
    struct dtx_due_task t[2];
    struct dtx_verdict v;

    fill(t, 2, 100, 2);
    t[1].seconds = -1;
    v = judge(t, 2, 2, 10);
    ck_assert(!v.known);
    ck_assert_uint_eq(v.unknown, 1);
}
END_TEST

/* What is not drawn one by one spreads as the rest does, and is at risk too. */
START_TEST(few_draws_say_the_same)
{
    static struct dtx_due_task t[4000];
    struct dtx_due d = {t, 4000, 8, 600, 0.3, 1, 0};
    struct dtx_verdict all, few;

    fill(t, 4000, 1, 2);
    ck_assert(dtx_deadline_judge(&d, &all));
    d.most = 200;
    ck_assert(dtx_deadline_judge(&d, &few));
    ck_assert_double_eq_tol(few.early / all.early, 1, 0.1);
    ck_assert_double_eq_tol(few.late / all.late, 1, 0.1);
    ck_assert_double_eq_tol(few.risk, all.risk, 0.12);
    ck_assert_double_eq_tol((double)few.at_risk / (double)all.at_risk, 1, 0.2);
}
END_TEST

/* A hundred thousand: answered, and the bulk counts. */
START_TEST(many_tasks)
{
    static struct dtx_due_task t[100000];
    struct dtx_verdict v;

    fill(t, 100000, 1, 1.5f);
    v = judge(t, 100000, 100, -1);
    ck_assert_double_ge(v.likely, 900);
    ck_assert_double_le(v.likely, 1200);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/deadline");
    TCase *t = tcase_create("deadline");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, certain_tasks_are_arithmetic);
    tcase_add_test(t, more_time_is_less_risk);
    tcase_add_test(t, nine_of_ten_lie_between);
    tcase_add_test(t, what_runs_has_less_to_go);
    tcase_add_test(t, nothing_known_no_claim);
    tcase_add_test(t, many_tasks);
    tcase_add_test(t, few_draws_say_the_same);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

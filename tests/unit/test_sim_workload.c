/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sim_workload.c - imagined durations: their moments, and what
 * is said of a workload that cannot be read */
#include "sim/workload.h"
#include "check_main.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"

#define DRAWS 100000

static int64_t ns[DRAWS];

struct moments {
    double mean, deviation, least, most;
};

static struct moments draw(const char *spec, uint64_t seed)
{
    struct moments m = {0, 0, INFINITY, 0};
    struct dtx_workload w;
    struct dtx_error err;
    double sum = 0, squares = 0;
    uint32_t i;

    ck_assert_msg(dtx_workload_parse(spec, &w, &err) == 0, "%s", err.text);
    ck_assert_uint_le(w.tasks, DRAWS);
    dtx_workload_draw(&w, seed, ns);
    for (i = 0; i < w.tasks; i++) {
        double s = (double)ns[i] / (double)DTX_SEC_NS;

        sum += s;
        squares += s * s;
        m.least = s < m.least ? s : m.least;
        m.most = s > m.most ? s : m.most;
    }
    m.mean = sum / w.tasks;
    m.deviation = sqrt(fmax(0, squares / w.tasks - m.mean * m.mean));
    return m;
}

/* Mean and standard deviation by each distribution's textbook formula. */
static const struct {
    const char *spec;
    double mean, deviation, least, most;
} shapes[] = {
    {"constant:mean=2,tasks=100000", 2, 0, 2, 2},
    {"uniform:mean=3,tasks=100000", 3, 1.7320, 0, 6},
    {"uniform:min=1,max=3,tasks=100000", 2, 0.57735, 1, 3},
    {"normal:mean=10,sigma=2,tasks=100000", 10, 2, 0, 25},
    {"normal:mean=10,tasks=100000", 10, 2.5, 0, 25},
    {"exponential:mean=5,tasks=100000", 5, 5, 0, 200},
    {"gamma:mean=4,shape=2,tasks=100000", 4, 2.8284, 0, 100},
    {"gamma:mean=4,shape=0.5,tasks=100000", 4, 5.6569, 0, 400},
    /* deviation = mean * sqrt(exp(sigma^2) - 1) */
    {"lognormal:mean=10,sigma=0.5,tasks=100000", 10, 5.3294, 0, 200},
    /* 9 of 10 take 1 s, one 10 s */
    {"bimodal:mean=1.9,tasks=100000", 1.9, 2.7, 1, 10},
    /* deviation = least / (alpha - 1) * sqrt(alpha / (alpha - 2)) */
    {"pareto:mean=4,alpha=5,tasks=100000", 4, 1.0328, 3.2, 1000},
    {"increasing:mean=2,tasks=100000", 2, 1.1547, 0, 4},
    {"decreasing:min=1,max=2,tasks=100000", 1.5, 0.288675, 1, 2},
};

START_TEST(moments_are_the_textbook_s)
{
    struct moments m = draw(shapes[_i].spec, 7);

    ck_assert_msg(fabs(m.mean - shapes[_i].mean) < 0.02 * shapes[_i].mean,
                  "%s: mean %g", shapes[_i].spec, m.mean);
    ck_assert_msg(fabs(m.deviation - shapes[_i].deviation) <=
                      0.05 * shapes[_i].deviation + 1e-6,
                  "%s: deviation %g", shapes[_i].spec, m.deviation);
    ck_assert_msg(m.least >= shapes[_i].least - 1e-4 &&
                      m.most <= shapes[_i].most + 1e-4,
                  "%s: %g to %g", shapes[_i].spec, m.least, m.most);
}
END_TEST

START_TEST(a_seed_is_a_workload)
{
    static int64_t first[1000];
    struct moments a = draw("lognormal:tasks=1000", 1);

    memcpy(first, ns, sizeof(first));
    (void)draw("lognormal:tasks=1000", 1);
    ck_assert_mem_eq(first, ns, sizeof(first));
    (void)draw("lognormal:tasks=1000", 2);
    ck_assert_mem_ne(first, ns, sizeof(first));
    ck_assert(a.mean > 0);
}
END_TEST

START_TEST(ramps_rise_and_fall)
{
    uint32_t i;

    (void)draw("increasing:tasks=100", 1);
    for (i = 1; i < 100; i++)
        ck_assert_int_gt(ns[i], ns[i - 1]);
    (void)draw("decreasing:tasks=100", 1);
    for (i = 1; i < 100; i++)
        ck_assert_int_lt(ns[i], ns[i - 1]);
}
END_TEST

START_TEST(no_duration_is_nothing)
{
    struct moments m = draw("gamma:mean=1us,shape=0.01,tasks=1000", 3);

    ck_assert(m.least >= 0.99e-6);
}
END_TEST

START_TEST(defaults_and_common_keys)
{
    struct dtx_workload w;
    size_t n, i;
    const struct dtx_workload_row *row = dtx_workload_table(&n);

    for (i = 0; i < n; i++) {
        ck_assert_int_eq(dtx_workload_parse(row[i].name, &w, NULL), 0);
        ck_assert_uint_eq(w.kind, i);
        ck_assert_uint_eq(w.tasks, 1000);
        ck_assert_uint_eq(w.cpus, 1);
        ck_assert_uint_eq(w.layers, 1);
        ck_assert(fabs(w.mean_s - 1) < 1e-9);
    }
    ck_assert_int_eq(
        dtx_workload_parse("constant:mean=1h30m,cpus=4,layers=3,tasks=7", &w,
                           NULL),
        0);
    ck_assert(fabs(w.mean_s - 5400) < 1e-9);
    ck_assert_uint_eq(w.cpus, 4);
    ck_assert_uint_eq(w.layers, 3);
    ck_assert_uint_eq(w.tasks, 7);
}
END_TEST

static const struct {
    const char *spec, *said;
} wrong[] = {
    {"", "there is no ''; there are: constant"},
    {"lognornal", "did you mean lognormal?"},
    {"lognormal:", "'' is not KEY=VALUE"},
    {"lognormal:mean", "'mean' is not KEY=VALUE"},
    {"lognormal:mean=10,", "'' is not KEY=VALUE"},
    {"lognormal:meam=10", "knows no 'meam='; did you mean mean=?"},
    {"constant:sigma=1", "constant knows no 'sigma='; it takes: tasks="},
    {"lognormal:sigma=5s", "sigma='5s' must be a number from 0 to 10"},
    {"lognormal:sigma=11", "sigma='11' must be a number from 0 to 10"},
    {"lognormal:mean=-1", "mean='-1' must be a time from 1us"},
    {"lognormal:mean=0", "mean='0' must be"},
    {"lognormal:mean=99y", "mean='99y' must be a time"},
    {"lognormal:tasks=0", "tasks='0' must be a number from 1 to 100000000"},
    {"lognormal:tasks=1e6", "tasks='1e6' must be a number"},
    {"lognormal:tasks=", "tasks='' must be a number"},
    {"pareto:alpha=1", "alpha='1' must be a number above 1"},
    {"bimodal:share=1.5", "share='1.5' must be a number from 0 to 1"},
    {"uniform:min=5,max=2", "min=5s is above max=2s"},
    {"uniform:min=5", "min=5s is above max=-3s; give max= as well"},
    {"constant:tasks=3,layers=4", "layers=4 are more than tasks=3"},
    {"constant:mean=11111111111111111111111111111111111111111111111111",
     "must be a time"},
};

START_TEST(what_is_wrong_is_named)
{
    struct dtx_workload w;
    struct dtx_error err = {0};

    ck_assert_int_eq(dtx_workload_parse(wrong[_i].spec, &w, &err), DTX_EINVAL);
    ck_assert_msg(strstr(err.text, wrong[_i].said) != NULL, "'%s': %s",
                  wrong[_i].spec, err.text);
    ck_assert_int_eq(strncmp(err.text, "workload: ", 10), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim_workload");
    TCase *t = tcase_create("workload");

    tcase_add_loop_test(t, moments_are_the_textbook_s, 0, DTX_COUNT(shapes));
    tcase_add_test(t, a_seed_is_a_workload);
    tcase_add_test(t, ramps_rise_and_fall);
    tcase_add_test(t, no_duration_is_nothing);
    tcase_add_test(t, defaults_and_common_keys);
    tcase_add_loop_test(t, what_is_wrong_is_named, 0, DTX_COUNT(wrong));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

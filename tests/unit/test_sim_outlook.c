/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sim_outlook.c - what is drawn from, told by hand; and how
 * often the interval of a plan holds what comes: jobs of several kinds run, the
 * predictor learns from them as from a history, and the next job is simulated */
#include "sim/outlook.h"
#include "check_main.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "wire/experience.h"

#define TASKS 60
#define RUNS 3

static struct dtx_error err;

static int64_t no_size(void *ctx, const char *name, size_t len)
{
    (void)ctx;
    (void)name;
    (void)len;
    return -1;
}

static void features(int x, struct dtx_features *f)
{
    char text[40];

    (void)snprintf(text, sizeof(text), "./solve --size %d", x);
    dtx_features_of(text, strlen(text), NULL, no_size, NULL, f);
}

/* ---- by hand ---- */

static void learn(struct dtx_predictor *p, int x, double seconds)
{
    struct dtx_features f;

    features(x, &f);
    ck_assert_int_eq(dtx_predictor_learn(p, &f, seconds, false), 0);
}

static void add(struct dtx_outlook *o, struct dtx_predictor *p, int x)
{
    struct dtx_prediction said;
    struct dtx_features f;

    features(x, &f);
    (void)dtx_predictor_ask(p, &f, &said);
    ck_assert_int_eq(dtx_outlook_add(o, p, &f, &said), 0);
}

/* What a group's tasks take on average, in units of their levels. */
static double mean_of(const struct dtx_plan_group *g)
{
    double sum = 0;
    uint32_t i;

    for (i = 0; i < g->nerrors; i++)
        sum += exp((double)g->error[i]);
    return sum / g->nerrors;
}

/* After one run, the sum is what it was, however noisy the class. */
START_TEST(the_sum_of_what_ran_once_is_what_it_was)
{
    struct dtx_predictor *p = dtx_predictor_create((size_t)4 << 20);
    struct dtx_outlook o = {0};
    double took = 0, will = 0;
    struct dtx_rng rng;
    int i;

    dtx_rng_seed(&rng, 5);
    for (i = 0; i < 100; i++) {
        double s = dtx_rng_lognormal(&rng, 10, 0.8);

        took += s;
        learn(p, i, s);
    }
    for (i = 0; i < 100; i++)
        add(&o, p, i);
    ck_assert_int_eq(dtx_outlook_seal(&o), 0);
    ck_assert_uint_eq(o.ntasks, 100);
    ck_assert_uint_eq(o.ngroups, 1);
    for (i = 0; i < 100; i++)
        will += (double)o.task[i].level * mean_of(&o.group[0]);
    ck_assert_msg(fabs(will / took - 1) < 0.001, "%g, not %g", will, took);
    dtx_outlook_free(&o);
    dtx_predictor_destroy(p);
}
END_TEST

/* A class that takes 1 s, and one time in ten 11 s: 2 s on average, though the
 * median says 1. */
START_TEST(tasks_like_them_take_the_mean_not_the_median)
{
    struct dtx_predictor *p = dtx_predictor_create((size_t)4 << 20);
    struct dtx_outlook o = {0};
    double will;
    int i;

    for (i = 0; i < 200; i++)
        learn(p, 7 * i % 200, i % 10 == 3 ? 11 : 1);
    add(&o, p, 1000);
    ck_assert_int_eq(dtx_outlook_seal(&o), 0);
    will = (double)o.task[0].level * mean_of(&o.group[0]);
    ck_assert_msg(will > 1.6 && will < 2.6, "%g", will);
    dtx_outlook_free(&o);
    dtx_predictor_destroy(p);
}
END_TEST

START_TEST(strangers_have_their_doubt_in_common)
{
    struct dtx_predictor *p = dtx_predictor_create((size_t)4 << 20);
    struct dtx_prediction said;
    struct dtx_outlook o = {0};
    struct dtx_features f;
    int i;

    for (i = 0; i < 50; i++)
        learn(p, i, 10 + i % 3);
    add(&o, p, 3);
    for (i = 0; i < 2; i++) {
        const char *text = i ? "./two" : "./one";

        dtx_features_of(text, 5, NULL, no_size, NULL, &f);
        ck_assert(dtx_predictor_ask(p, &f, &said));
        ck_assert_int_eq(said.basis, DTX_BASIS_ALL);
        ck_assert_int_eq(dtx_outlook_add(&o, p, &f, &said), 0);
    }
    ck_assert_int_eq(dtx_outlook_seal(&o), 0);
    ck_assert_uint_eq(o.ngroups, 3);
    ck_assert_ptr_eq(o.group[1].error, o.group[2].error);
    ck_assert_msg(o.task[1].common > 2 * o.task[0].common, "%g, %g",
                  (double)o.task[0].common, (double)o.task[1].common);
    dtx_outlook_free(&o);
    dtx_predictor_destroy(p);
}
END_TEST

/* ---- how often it holds ---- */

/* Kinds of noise: what a task takes, times what it should. */
enum noise {
    LOGNORMAL,
    TAIL,  /* at least so long, and one in five has an exponential tail */
    SPIKES, /* one in twenty takes four times as long */
    OWN    /* of the command, the same each time: nothing in its line tells */
};

struct kind {
    const char *name;
    enum noise noise;
    double sigma;
    bool law;     /* the argument matters */
    bool fresh;   /* the next job has other arguments */
    bool sorted;  /* arguments rise */
    uint32_t runs; /* before */
    uint32_t slots;
};

static const struct kind kinds[] = {
    {"steady, other arguments", LOGNORMAL, 0.02, true, true, false, 1, 2},
    {"steady, again", LOGNORMAL, 0.02, true, false, false, 2, 2},
    {"some noise, other arguments", LOGNORMAL, 0.2, true, true, false, 1, 2},
    {"some noise, again", LOGNORMAL, 0.2, true, false, false, 1, 2},
    {"much noise, other arguments", LOGNORMAL, 0.6, true, true, false, 1, 2},
    {"much noise, again", LOGNORMAL, 0.6, true, false, false, 1, 2},
    {"much noise, third time", LOGNORMAL, 0.6, true, false, false, 2, 2},
    {"much noise, fourth time", LOGNORMAL, 0.6, true, false, false, 3, 2},
    {"no law, again", LOGNORMAL, 0.6, false, false, false, 1, 2},
    {"no law, many slots", LOGNORMAL, 0.6, false, false, false, 1, 8},
    {"long tail, other arguments", TAIL, 1, true, true, false, 1, 2},
    {"long tail, again", TAIL, 1, true, false, false, 1, 2},
    {"long tail, third time", TAIL, 1, true, false, false, 2, 2},
    {"long tail, no law", TAIL, 1, false, false, false, 1, 2},
    {"spikes, other arguments", SPIKES, 0.05, true, true, false, 1, 2},
    {"spikes, again", SPIKES, 0.05, true, false, false, 1, 2},
    {"spikes, third time", SPIKES, 0.05, true, false, false, 2, 2},
    {"sorted, other arguments", LOGNORMAL, 0.2, true, true, true, 1, 2},
    {"sorted, again", LOGNORMAL, 0.2, true, false, true, 1, 2},
    {"long tail, sorted, again", TAIL, 1, false, false, true, 1, 2},
    {"long tail, sorted, third time", TAIL, 1, false, false, true, 2, 2},
    {"its own, third time", OWN, 0.5, true, false, false, 2, 2},
};

static double noise(const struct kind *k, int x, struct dtx_rng *rng)
{
    struct dtx_rng own;

    switch (k->noise) {
    case LOGNORMAL:
        return exp(k->sigma * dtx_rng_normal(rng));
    case TAIL:
        return dtx_rng_unit(rng) < 0.2 ? 1 + dtx_rng_exp(rng, 3)
                                       : 1 + 0.05 * dtx_rng_unit(rng);
    case SPIKES:
        return (dtx_rng_unit(rng) < 0.05 ? 4 : 1) *
               exp(k->sigma * dtx_rng_normal(rng));
    case OWN:
        dtx_rng_seed(&own, (uint64_t)x);
        return exp(k->sigma * dtx_rng_normal(&own) +
                   0.02 * dtx_rng_normal(rng));
    }
    return 1;
}

static double takes(const struct kind *k, int x, struct dtx_rng *rng)
{
    return (k->law ? 20 + 3.0 * x : 100) * noise(k, x, rng);
}

static void arguments(const struct kind *k, int *x, struct dtx_rng *rng)
{
    int i, at = 1;

    for (i = 0; i < TASKS; i++) {
        at += 1 + (int)dtx_rng_below(rng, 30);
        x[i] = k->sorted ? at : 1 + (int)dtx_rng_below(rng, 1000);
    }
}

/* As from a history. */
static void add_up(struct dtx_predictor *into, const struct dtx_predictor *from)
{
    struct dtx_experience e = {0};
    uint64_t senseless = 0;

    ck_assert_int_eq(dtx_predictor_save(from, &e), 0);
    ck_assert_int_eq(dtx_predictor_load(into, &e, &senseless), 0);
    ck_assert_uint_eq(senseless, 0);
    dtx_experience_free(&e);
}

/* A job with what is known so far; what it learns alone is kept, as in a
 * history. */
static struct dtx_predictor *run(const struct kind *k, const int *x,
                                 struct dtx_predictor *const *known, uint32_t n,
                                 struct dtx_rng *rng)
{
    struct dtx_predictor *p = dtx_predictor_create((size_t)4 << 20);
    struct dtx_predictor *own = dtx_predictor_create((size_t)4 << 20);
    uint32_t i;

    ck_assert(p && own);
    for (i = 0; i < n; i++)
        add_up(p, known[i]);
    dtx_predictor_twin(p, own);
    for (i = 0; i < TASKS; i++)
        learn(p, x[i], takes(k, x[i], rng));
    dtx_predictor_destroy(p);
    return own;
}

struct world {
    struct dtx_scenario_job job;
    struct dtx_plan_config c;
    struct dtx_plan plan;
};

static void set_up(struct world *w, const struct kind *k)
{
    static const uint32_t one = 1;
    uint32_t cycle, next, i;

    memset(w, 0, sizeof(*w));
    ck_assert_int_eq(dtx_scenario_job_init(&w->job), 0);
    for (i = 0; i < TASKS; i++)
        ck_assert_int_eq(dtx_tasklist_add(&w->job.list, "work", 4, 0, i + 1,
                                          DTX_NO_TEXT), 0);
    dtx_graph_init(&w->job.graph, TASKS);
    ck_assert_int_eq(dtx_graph_seal(&w->job.graph, &cycle, &next), 0);
    dtx_cluster_preset(&w->c.scenario.machine);
    w->c.scenario.machine.spawn_ns = 0;
    w->c.scenario.machine.slots = k->slots;
    w->c.scenario.job = &w->job;
    w->c.scenario.seed = 1;
    w->c.nodes = &one;
    w->c.nnodes = 1;
    w->c.draws = (uint32_t)dtx_rounds(60);
    w->c.job_sigma = DTX_PLAN_JOB_SIGMA;
}

/* The job as it comes: -1 it is shorter than the interval, 1 longer. */
static int comes(struct world *w, const struct kind *k, const int *x,
                 struct dtx_rng *rng)
{
    struct dtx_scenario s = w->c.scenario;
    double job = exp(DTX_PLAN_JOB_SIGMA * dtx_rng_normal(rng)), span;
    struct dtx_sim_result r;
    int64_t took[TASKS];
    float known[TASKS];
    int i;

    for (i = 0; i < TASKS; i++) {
        took[i] = llround(takes(k, x[i], rng) * job * 1e9);
        known[i] = w->c.task[i].seconds;
    }
    s.order = DTX_ORDER_PREDICTED;
    s.predicted_s = known;
    w->job.duration_ns = took;
    ck_assert_msg(dtx_scenario_run(&s, &r, &err) == 0, "%s", err.text);
    w->job.duration_ns = NULL;
    span = (double)r.makespan_ns / 1e9;
    return span < w->plan.row[0].low_s ? -1 : span > w->plan.row[0].high_s;
}

static int holds(const struct kind *k, uint64_t seed, double *width)
{
    struct dtx_predictor *known[RUNS] = {NULL}, *p;
    struct dtx_outlook o = {0};
    struct dtx_rng rng;
    struct world w;
    int x[TASKS], side, i;
    uint32_t n;

    dtx_rng_seed(&rng, seed);
    arguments(k, x, &rng);
    for (n = 0; n < k->runs; n++)
        known[n] = run(k, x, known, n, &rng);
    if (k->fresh)
        arguments(k, x, &rng);
    p = dtx_predictor_create((size_t)4 << 20);
    for (n = 0; n < k->runs; n++)
        add_up(p, known[n]);
    for (i = 0; i < TASKS; i++)
        add(&o, p, x[i]);
    ck_assert_int_eq(dtx_outlook_seal(&o), 0);
    set_up(&w, k);
    w.c.task = o.task;
    w.c.group = o.group;
    w.c.ngroups = o.ngroups;
    ck_assert_msg(dtx_plan_make(&w.c, &w.plan, &err) == 0, "%s", err.text);
    side = comes(&w, k, x, &rng);
    *width += log(w.plan.row[0].high_s / w.plan.row[0].low_s);
    dtx_scenario_job_fini(&w.job);
    dtx_outlook_free(&o);
    dtx_predictor_destroy(p);
    for (n = 0; n < k->runs; n++)
        dtx_predictor_destroy(known[n]);
    return side;
}

/* Rounds of a kind; a long test looks at each kind for itself. */
#define ROUNDS 20
#define MANY_ROUNDS 200

START_TEST(nine_times_of_ten)
{
    bool whole = getenv("TEST_LONG") != NULL;
    int n = dtx_rounds(whole ? MANY_ROUNDS : ROUNDS), inside = 0, i, k;

    for (k = 0; k < DTX_COUNT(kinds); k++) {
        int below = 0, above = 0, in;
        double width = 0;

        for (i = 0; i < n; i++) {
            int side = holds(&kinds[k], 1000 + (uint64_t)i, &width);

            below += side < 0;
            above += side > 0;
        }
        in = n - below - above;
        printf("%-29s %3d of %3d inside, %2d shorter, %2d longer; a factor of "
               "%.3f\n", kinds[k].name, in, n, below, above, exp(width / n));
        if (n >= 10) /* fewer say nothing of one kind */
            ck_assert_int_ge(in * 100, n * (whole ? 80 : 50));
        inside += in;
    }
    printf("%d of %d inside\n", inside, n * DTX_COUNT(kinds));
    if (n < ROUNDS)
        return;
    ck_assert_int_ge(inside * 100, n * DTX_COUNT(kinds) * (whole ? 85 : 82));
    ck_assert_int_le(inside * 100, n * DTX_COUNT(kinds) * (whole ? 95 : 97));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim_outlook");
    TCase *t = tcase_create("outlook");

    tcase_set_timeout(t, 900);
    tcase_add_test(t, the_sum_of_what_ran_once_is_what_it_was);
    tcase_add_test(t, tasks_like_them_take_the_mean_not_the_median);
    tcase_add_test(t, strangers_have_their_doubt_in_common);
    tcase_add_test(t, nine_times_of_ten);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/property/prop_predicted.c - what predicted costs do to the makespan
 *
 * Random bags on random machines, under every policy: as the tasks come,
 * without predictions; with exact ones; with good ones (sigma of their log
 * error 0.3); and with ones that say nothing (sigma 3).  Makespans are held
 * to what the longest first, with the true times, gives (LPT: Graham 1969), and
 * to the same policy without predictions:
 *
 *     exact   at most 1.05 x LPT (static: 1.1)
 *     good    at most 1.4 x LPT (1.6), and 1.12 x the policy without (1.2)
 *     bad     at most 2 x LPT under those that hand out work as it ends,
 *             Graham's bound for any order; static deals all out at once by
 *             what is said and never mends it: 6
 *
 *     prop_predicted [worlds [first seed]]
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "predict/gain.h"
#include "sched/policy.h"
#include "sim/scenario.h"
#include "sim/workload.h"

#define WORLDS 150

struct limits {
    const char *policy;
    double exact, good, worse; /* as above */
    double bad, worse_bad;     /* of the policy without */
};

static const struct limits limits[] = {
    {"steal", 1.05, 1.4, 1.12, 2.0, 1.6},
    {"self", 1.05, 1.4, 1.12, 2.0, 1.6},
    {"guided", 1.05, 1.4, 1.12, 2.0, 1.6},
    {"factoring", 1.05, 1.4, 1.12, 2.2, 1.7},
    {"static", 1.1, 1.6, 1.2, 6.0, 5.0},
};

static const char *const shapes[] = {
    "exponential:mean=10s",  "lognormal:mean=10s,sigma=1.5",
    "pareto:mean=10s",       "bimodal:mean=10s",
    "increasing:mean=10s",   "uniform:mean=10s",
    "gamma:mean=10s,shape=1", "constant:mean=10s",
};

#define NPOLICIES (sizeof(limits) / sizeof(limits[0]))
#define NSHAPES (sizeof(shapes) / sizeof(shapes[0]))

enum kind { PLAIN, EXACTLY, GOOD, BAD, KINDS };

/* The worst that was seen of a policy. */
struct worst {
    double exact, good, worse, bad, worse_bad;
};

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "prop_predicted: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static double lpt(const struct dtx_scenario_job *job, uint32_t slots)
{
    size_t n = job->list.ntasks, i;
    float *s = calloc(n + 1, sizeof(*s));
    double out = 0;

    need(s != NULL, "no memory");
    for (i = 0; i < n; i++)
        s[i] = (float)((double)job->duration_ns[i] / 1e9);
    need(dtx_gain_makespan(s, s, n, slots, &out), "no memory");
    free(s);
    return out;
}

static double play(const struct dtx_scenario *base, const char *policy,
                   enum kind kind)
{
    struct dtx_scenario c = *base;
    struct dtx_sim_result r;
    struct dtx_error err = {0};
    int rc;

    c.policy = policy;
    c.order = kind == PLAIN     ? DTX_ORDER_FILE
              : kind == EXACTLY ? DTX_ORDER_LPT
                                : DTX_ORDER_PREDICTED;
    c.error_sigma = kind == BAD ? 3.0 : 0.3;
    rc = dtx_scenario_run(&c, &r, &err);
    need(rc == 0 && r.finished, rc ? err.text : "not finished");
    return (double)r.makespan_ns / 1e9;
}

static void most(double *worst, double v)
{
    if (v > *worst)
        *worst = v;
}

static bool check(uint64_t seed, const struct limits *l, const double *s,
                  double best, struct worst *w)
{
    bool good = s[EXACTLY] <= l->exact * best && s[GOOD] <= l->good * best &&
                s[GOOD] <= l->worse * s[PLAIN] && s[BAD] <= l->bad * best &&
                s[BAD] <= l->worse_bad * s[PLAIN];

    most(&w->exact, s[EXACTLY] / best);
    most(&w->good, s[GOOD] / best);
    most(&w->worse, s[GOOD] / s[PLAIN]);
    most(&w->bad, s[BAD] / best);
    most(&w->worse_bad, s[BAD] / s[PLAIN]);
    if (!good)
        printf("# seed %" PRIu64 ", %s: LPT %.2f s; plain %.2f, exact %.2f, "
               "good %.2f, bad %.2f\n", seed, l->policy, best, s[PLAIN],
               s[EXACTLY], s[GOOD], s[BAD]);
    return good;
}

static bool world(uint64_t seed, struct worst *worst)
{
    struct dtx_scenario c = {.seed = seed};
    struct dtx_scenario_job job;
    struct dtx_workload w;
    struct dtx_error err = {0};
    struct dtx_rng rng;
    char spec[96];
    double best;
    bool good = true;
    size_t i;
    int kind;

    dtx_rng_seed(&rng, seed);
    dtx_cluster_preset(&c.machine);
    c.machine.nodes = 1 + (uint32_t)dtx_rng_below(&rng, 12);
    c.machine.slots = 1 + (uint32_t)dtx_rng_below(&rng, 4);
    (void)snprintf(spec, sizeof(spec), "%s,tasks=%u",
                   shapes[dtx_rng_below(&rng, NSHAPES)],
                   1 + (unsigned)dtx_rng_below(&rng, 400));
    need(dtx_scenario_job_init(&job) == 0 &&
             dtx_workload_parse(spec, &w, &err) == 0 &&
             dtx_scenario_draw(&job, &w, seed, &err) == 0,
         err.text);
    c.job = &job;
    best = lpt(&job, c.machine.nodes * c.machine.slots);
    for (i = 0; i < NPOLICIES; i++) {
        double s[KINDS];

        for (kind = PLAIN; kind < KINDS; kind++)
            s[kind] = play(&c, limits[i].policy, (enum kind)kind);
        good = check(seed, &limits[i], s, best, &worst[i]) && good;
    }
    if (!good)
        printf("#   %s on %u x %u slots\n", spec, c.machine.nodes,
               c.machine.slots);
    dtx_scenario_job_fini(&job);
    return good;
}

int main(int argc, char **argv)
{
    struct worst worst[NPOLICIES];
    int64_t n = getenv("TEST_LONG") ? 20 * WORLDS : WORLDS, first = 1, i;
    size_t bad = 0, k;

    if ((argc > 1 && dtx_parse_int(argv[1], 1, 100000000, &n)) ||
        (argc > 2 && dtx_parse_int(argv[2], 0, INT64_MAX / 2, &first))) {
        (void)fprintf(stderr, "usage: %s [worlds [first seed]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    memset(worst, 0, sizeof(worst));
    for (i = first; i < first + n; i++)
        bad += !world((uint64_t)i, worst);
    for (k = 0; k < NPOLICIES; k++)
        printf("# %-9s worst: exact %.3f, good %.3f, bad %.3f of LPT; good "
               "%.3f, bad %.3f of the same without\n", limits[k].policy,
               worst[k].exact, worst[k].good, worst[k].bad, worst[k].worse,
               worst[k].worse_bad);
    printf("%s 1 - predicted costs in %" PRId64 " bags\n",
           bad ? "not ok" : "ok", n);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/* tests/property/prop_speeds.c - ranks that take longer than others
 *
 * Random bags, predicted with an error (sigma of its logarithm 0.3), under each
 * policy that hands out work as it ends, with the speeds of ranks learned and without:
 *
 *     halves  three nodes, the last takes twice as long, and 3 to 40 tasks for
 *             each slot: learned, the makespan is on average over the worlds at
 *             most 1.05 to 1.1 times the ideal (all work by the sum of speeds,
 *             or the longest task), and below what it is without; in the worst
 *             world at most 1.15 of that, where a slow thief takes the last task
 *     equal   the same nodes, all alike, tasks that differ from what they
 *             should take (sigma 0.3): on average at most 1.01 of without, and
 *             in the worst world at most 1.1
 *
 *     prop_speeds [worlds [first seed]]
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "sched/policy.h"
#include "sim/scenario.h"
#include "sim/workload.h"

#define WORLDS 60

struct limits {
    const char *policy;
    double mean;  /* of the ideal, halves */
    double gain;  /* learned over without, on average, at most */
    double harm;  /* the same in the worst world */
};

static const struct limits limits[] = {
    {"steal", 1.06, 0.997, 1.15},
    {"self", 1.05, 0.998, 1.05},
    {"guided", 1.1, 0.997, 1.15},
    {"factoring", 1.1, 0.999, 1.15},
};

static const char *const shapes[] = {
    "exponential:mean=10s", "lognormal:mean=10s,sigma=1", "bimodal:mean=10s",
    "uniform:mean=10s", "constant:mean=10s",
};

#define NPOLICIES (sizeof(limits) / sizeof(limits[0]))
#define NSHAPES (sizeof(shapes) / sizeof(shapes[0]))

struct sums {
    double ideal, gain, harm; /* learned: over ideal, over without, worst */
    double without;           /* over ideal */
    double even, worst_even;  /* equal nodes */
    int n;
};

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "prop_speeds: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static double play(const struct dtx_scenario *base, const char *policy,
                   bool learn)
{
    struct dtx_scenario c = *base;
    struct dtx_sim_result r;
    struct dtx_error err = {0};
    int rc;

    c.policy = policy;
    c.order = DTX_ORDER_PREDICTED;
    c.error_sigma = 0.3;
    c.equal_speeds = !learn;
    rc = dtx_scenario_run(&c, &r, &err);
    need(rc == 0 && r.finished, rc ? err.text : "not finished");
    return (double)r.makespan_ns / 1e9;
}

/* All work by all speeds, or the longest task on the fastest. */
static double ideal(const struct dtx_scenario_job *job, uint32_t slots)
{
    double sum = 0, longest = 0;
    size_t i;

    for (i = 0; i < job->list.ntasks; i++) {
        sum += (double)job->duration_ns[i] / 1e9;
        longest = fmax(longest, (double)job->duration_ns[i] / 1e9);
    }
    return fmax(sum / (2.5 * slots), longest);
}

static void count(struct sums *s, const double v[4], double best)
{
    s->ideal += v[0] / best;
    s->without += v[1] / best;
    s->gain += v[0] / v[1];
    s->harm = fmax(s->harm, v[0] / v[1]);
    s->even += v[2] / v[3];
    s->worst_even = fmax(s->worst_even, v[2] / v[3]);
    s->n++;
}

static void world(uint64_t seed, struct sums *sums)
{
    struct dtx_scenario c = {.seed = seed};
    struct dtx_scenario_job job;
    struct dtx_workload w;
    struct dtx_error err = {0};
    struct dtx_rng rng;
    char spec[96];
    size_t i;

    dtx_rng_seed(&rng, seed);
    dtx_cluster_preset(&c.machine);
    c.machine.nodes = 3;
    c.machine.slots = 1 + (uint32_t)dtx_rng_below(&rng, 4);
    c.machine.slow_factor = 2;
    (void)snprintf(spec, sizeof(spec), "%s,tasks=%u",
                   shapes[dtx_rng_below(&rng, NSHAPES)],
                   40 + (unsigned)dtx_rng_below(&rng, 80));
    need(dtx_scenario_job_init(&job) == 0 &&
             dtx_workload_parse(spec, &w, &err) == 0 &&
             dtx_scenario_draw(&job, &w, seed, &err) == 0,
         err.text);
    c.job = &job;
    for (i = 0; i < NPOLICIES; i++) {
        double v[4];

        c.machine.slow_nodes = 1;
        c.machine.noise_sigma = 0;
        v[0] = play(&c, limits[i].policy, true);
        v[1] = play(&c, limits[i].policy, false);
        c.machine.slow_nodes = 0;
        c.machine.noise_sigma = 0.3;
        v[2] = play(&c, limits[i].policy, true);
        v[3] = play(&c, limits[i].policy, false);
        count(&sums[i], v, ideal(&job, c.machine.slots));
        if (getenv("VERBOSE"))
            printf("# %" PRIu64 " %s x %u %s: %.3f %.3f of ideal; equal %.3f\n",
                   seed, spec, c.machine.slots, limits[i].policy,
                   v[0] / ideal(&job, c.machine.slots),
                   v[1] / ideal(&job, c.machine.slots), v[2] / v[3]);
    }
    dtx_scenario_job_fini(&job);
}

static bool judge(const struct limits *l, const struct sums *s)
{
    bool good = s->ideal / s->n <= l->mean && s->gain / s->n <= l->gain &&
                s->harm <= l->harm && s->even / s->n <= 1.01 &&
                s->worst_even <= 1.1;

    printf("# %-9s halves: %.3f of the ideal (without %.3f), %.3f of without, "
           "worst %.3f; equal: %.3f of without, worst %.3f%s\n", l->policy,
           s->ideal / s->n, s->without / s->n, s->gain / s->n, s->harm,
           s->even / s->n, s->worst_even, good ? "" : " NOT GOOD");
    return good;
}

int main(int argc, char **argv)
{
    struct sums sums[NPOLICIES];
    int64_t n = getenv("TEST_LONG") ? 10 * WORLDS : WORLDS, first = 1, i;
    bool good = true;
    size_t k;

    if ((argc > 1 && dtx_parse_int(argv[1], 1, 1000000, &n)) ||
        (argc > 2 && dtx_parse_int(argv[2], 0, INT64_MAX / 2, &first))) {
        (void)fprintf(stderr, "usage: %s [worlds [first seed]]\n", argv[0]);
        return EXIT_FAILURE;
    }
    memset(sums, 0, sizeof(sums));
    for (i = first; i < first + n; i++)
        world((uint64_t)i, sums);
    for (k = 0; k < NPOLICIES; k++)
        good = judge(&limits[k], &sums[k]) && good;
    printf("%s 1 - speeds of ranks in %" PRId64 " bags\n",
           good ? "ok" : "not ok", n);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

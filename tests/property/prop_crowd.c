/* SPDX-License-Identifier: MIT */
/* tests/property/prop_crowd.c - others use a node's processors for a while
 *
 * Random bags on three nodes, predicted with an error (sigma of its logarithm
 * 0.3), under each policy that hands out work as it ends.  Somewhere in the
 * middle others take 0.5 to 0.75 of the last node's processors, to the end or
 * for a while; the node measures it two seconds later, where tasks take ten:
 *
 *     gain   the makespan on average over the worlds is at most so much of what
 *            it is when the node's slowness is only learned from its outcomes,
 *            and at most so much of that when neither is heeded; in the worst
 *            world at most so much of the former
 *     even   others take as much of all nodes: then on average at most 1.01 of
 *            what is without measuring
 *
 * and all tasks end, as in every world of prop_engine, where others come and go
 * among the faults.
 *
 *     prop_crowd [worlds [first seed]]
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bags.h"
#include "base/rng.h"

#define WORLDS 60

struct limits {
    const char *policy;
    double learned; /* of when it is learned alone, at most, on average ... */
    double worst;   /* ... and in the worst world */
    double blind;   /* of when nothing is heeded, on average */
};

static const struct limits limits[] = {
    {"steal", 0.993, 1.2, 0.993},
    {"self", 0.993, 1.2, 0.993},
    {"guided", 0.993, 1.2, 0.993},
    {"factoring", 0.993, 1.2, 0.993},
};

static const char *const shapes[] = {
    "exponential:mean=10s", "lognormal:mean=10s,sigma=1", "bimodal:mean=10s",
    "uniform:mean=10s", "constant:mean=10s",
};

#define NPOLICIES (sizeof(limits) / sizeof(limits[0]))
#define NSHAPES (sizeof(shapes) / sizeof(shapes[0]))

struct sums {
    double ideal, learned, worst, blind, even;
    int n;
};

static double play(const struct dtx_scenario *base, const char *policy,
                   bool measured, bool heeded)
{
    struct dtx_scenario c = *base;
    struct dtx_sim_result r;

    c.policy = policy;
    c.order = DTX_ORDER_PREDICTED;
    c.error_sigma = 0.3;
    c.equal_speeds = !heeded;
    c.machine.others_ns = measured ? 2 * DTX_SEC_NS : -1;
    return bags_makespan(&c, &r);
}

/* The job, and when others come and go. */
static void draw(uint64_t seed, struct dtx_scenario *c,
                 struct dtx_scenario_job *job)
{
    struct dtx_rng rng;
    char spec[96];
    double all_s;
    unsigned n;

    dtx_rng_seed(&rng, seed);
    dtx_cluster_preset(&c->machine);
    c->machine.nodes = 3;
    c->machine.slots = 1 + (uint32_t)dtx_rng_below(&rng, 4);
    n = c->machine.slots * (10 + (unsigned)dtx_rng_below(&rng, 40));
    (void)snprintf(spec, sizeof(spec), "%s,tasks=%u",
                   shapes[dtx_rng_below(&rng, NSHAPES)], n);
    bags_draw(job, spec, seed);
    c->job = job;
    all_s = 10.0 * n / (3 * c->machine.slots);
    c->machine.crowd_nodes = 1;
    c->machine.crowd_share = 0.5 + 0.25 * dtx_rng_unit(&rng);
    c->machine.crowd_ns = (int64_t)(all_s * (0.2 + 0.6 * dtx_rng_unit(&rng)) *
                                    1e9);
    if (dtx_rng_below(&rng, 2))
        c->machine.crowd_for_ns = (int64_t)(all_s * 0.5e9);
}

/* When all work is done if no slot is ever idle, or the longest task is. */
static double ideal(const struct dtx_scenario *c)
{
    const struct dtx_cluster *m = &c->machine;
    double work = 0, longest = 0, from = (double)m->crowd_ns / 1e9, length;
    double slots = 3.0 * m->slots, fewer = slots - m->slots * m->crowd_share;
    size_t i;

    for (i = 0; i < c->job->list.ntasks; i++) {
        work += (double)c->job->duration_ns[i] / 1e9;
        longest = fmax(longest, (double)c->job->duration_ns[i] / 1e9);
    }
    if (work <= from * slots)
        return fmax(work / slots, longest);
    work -= from * slots;
    length = m->crowd_for_ns ? (double)m->crowd_for_ns / 1e9 : 1e9;
    if (work <= length * fewer)
        return fmax(from + work / fewer, longest);
    return fmax(from + length + (work - length * fewer) / slots, longest);
}

static void world(uint64_t seed, struct sums *sums)
{
    struct dtx_scenario c = {.seed = seed};
    struct dtx_scenario_job job;
    double best;
    size_t i;

    draw(seed, &c, &job);
    best = ideal(&c);
    for (i = 0; i < NPOLICIES; i++) {
        const char *policy = limits[i].policy;
        struct sums *s = &sums[i];
        double measured, learned, blind, even;

        c.machine.crowd_nodes = 1;
        measured = play(&c, policy, true, true);
        learned = play(&c, policy, false, true);
        blind = play(&c, policy, true, false);
        c.machine.crowd_nodes = 3;
        even = play(&c, policy, true, true) / play(&c, policy, false, true);
        s->ideal += measured / best;
        s->learned += measured / learned;
        s->worst = fmax(s->worst, measured / learned);
        s->blind += measured / blind;
        s->even += even;
        s->n++;
        if (getenv("VERBOSE"))
            printf("# %" PRIu64 " %s x %u: %.1f s of %.1f, learned %.1f, blind "
                   "%.1f, even %.3f\n", seed, policy, c.machine.slots,
                   measured, best, learned, blind, even);
    }
    dtx_scenario_job_fini(&job);
}

static bool judge(const struct limits *l, const struct sums *s)
{
    bool good = s->learned / s->n <= l->learned && s->worst <= l->worst &&
                s->blind / s->n <= l->blind && s->even / s->n <= 1.01;

    printf("# %-9s %.3f of the ideal, %.3f of learned alone (worst %.3f), %.3f "
           "of not heeded; even: %.3f%s\n", l->policy, s->ideal / s->n,
           s->learned / s->n, s->worst, s->blind / s->n, s->even / s->n,
           good ? "" : " NOT GOOD");
    return good;
}

int main(int argc, char **argv)
{
    struct sums sums[NPOLICIES];
    int64_t n = getenv("TEST_LONG") ? 10 * WORLDS : WORLDS, first = 1, i;
    bool good = true;
    size_t k;

    bags_asked(argc, argv, "worlds", 1000000, &n, &first);
    memset(sums, 0, sizeof(sums));
    for (i = first; i < first + n; i++)
        world((uint64_t)i, sums);
    for (k = 0; k < NPOLICIES; k++)
        good = judge(&limits[k], &sums[k]) && good;
    printf("%s 1 - others come and go in %" PRId64 " bags\n",
           good ? "ok" : "not ok", n);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

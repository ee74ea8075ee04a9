/* SPDX-License-Identifier: MIT */
/* tests/property/bags.h - what tests of bags in the simulator share
 *
 * Bags are drawn from a workload's words and a seed, run on a virtual cluster,
 * and their makespans compared.  Whatever fails ends the program with a text.
 */
#ifndef DTX_TESTS_PROPERTY_BAGS_H
#define DTX_TESTS_PROPERTY_BAGS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/units.h"
#include "sim/scenario.h"
#include "sim/workload.h"

static inline void bags_need(int rc, const struct dtx_error *err)
{
    if (rc == DTX_OK)
        return;
    (void)fprintf(stderr, "%s\n", err->text);
    exit(EXIT_FAILURE);
}

static inline void bags_draw(struct dtx_scenario_job *job, const char *workload,
                             uint64_t seed)
{
    struct dtx_error err = {0};
    struct dtx_workload w;

    bags_need(dtx_workload_parse(workload, &w, &err), &err);
    bags_need(dtx_scenario_job_init(job), &err);
    bags_need(dtx_scenario_draw(job, &w, seed, &err), &err);
}

/* Every task must have come to its end. In seconds. */
static inline double bags_makespan(const struct dtx_scenario *c,
                                   struct dtx_sim_result *out)
{
    struct dtx_error err = {0};

    bags_need(dtx_scenario_run(c, out, &err), &err);
    if (out->finished && out->stats.left == 0)
        return (double)out->makespan_ns / (double)DTX_SEC_NS;
    (void)fprintf(stderr, "seed %" PRIu64 ": %" PRIu64 " tasks are left\n",
                  c->seed, out->stats.left);
    exit(EXIT_FAILURE);
}

/* For qsort. */
static inline int bags_rises(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* How many 'what' the command line asks for ('n' as it is), and from which seed
 * on ('first' NULL: that is not to be said). */
static inline void bags_asked(int argc, char **argv, const char *what,
                              int64_t most, int64_t *n, int64_t *first)
{
    if ((argc <= 1 || dtx_parse_int(argv[1], 1, most, n) == DTX_OK) &&
        (argc <= 2 ||
         (first && dtx_parse_int(argv[2], 0, INT64_MAX / 2, first) == DTX_OK)))
        return;
    (void)fprintf(stderr, "usage: %s [%s, at most %" PRId64 "%s]\n", argv[0],
                  what, most, first ? " [first seed]" : "");
    exit(EXIT_FAILURE);
}

#endif

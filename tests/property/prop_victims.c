/* SPDX-License-Identifier: MIT */
/* tests/property/prop_victims.c - what it brings to rob one's neighbours
 *
 * Jobs of short tasks in layers, so that ranks run dry again and again, on
 * networks of nodes and switches.  Each seed runs twice: victims chosen by
 * gain and distance, and blindly (the slowest, however far).  The median of the
 * makespans must be so much smaller as each row says; on a flat network it must
 * not be larger.
 *
 *     prop_victims [seeds]
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/units.h"
#include "sim/scenario.h"
#include "sim/workload.h"

#define MOST_SEEDS 101
#define KIB (INT64_C(1) << 10)

struct row {
    const char *name, *workload;
    uint32_t nodes, per_switch, ranks_per_node, slots;
    int64_t task_bytes, hop_ns;
    double most; /* of near / blind */
};

#define BAG "gamma:mean=5ms,tasks=6000,layers=6"

/* 1 GB/s below a switch, a tenth of it between two. */
static const struct row rows[] = {
    {"two levels, 4 MiB a task", BAG, 16, 4, 4, 16, 4096 * KIB, 0, 0.75},
    {"two levels, 1 MiB a task", BAG, 16, 4, 4, 16, 1024 * KIB, 0, 0.97},
    {"two levels, 4 MiB, 5 ms away", BAG, 16, 4, 4, 16, 4096 * KIB,
     5 * DTX_MSEC_NS, 0.95},
    {"two levels, no data", BAG, 16, 4, 4, 16, 0, 0, 1.02},
    {"two levels, predicted",
     "lognormal:mean=5ms,sigma=1,tasks=6000,layers=6", 16, 4, 4, 16,
     4096 * KIB, 0, 1.01},
    {"flat", BAG, 16, 0, 1, 16, 0, 0, 1.0},
    {"flat, 4 MiB a task", BAG, 16, 0, 1, 16, 4096 * KIB, 0, 1.0},
    {"flat, one slot a rank", "gamma:mean=5ms,tasks=2000,layers=6", 64, 0, 1, 1,
     0, 0, 1.0},
};

static void need(int rc, const struct dtx_error *err)
{
    if (rc == DTX_OK)
        return;
    (void)fprintf(stderr, "%s\n", err->text);
    exit(EXIT_FAILURE);
}

static double makespan_s(const struct row *r, struct dtx_scenario_job *job,
                         uint64_t seed, bool blind)
{
    struct dtx_scenario c = {.job = job, .seed = seed, .blind = blind};
    struct dtx_sim_result out;
    struct dtx_error err = {0};

    dtx_cluster_preset(&c.machine);
    c.machine.nodes = r->nodes;
    c.machine.nodes_per_switch = r->per_switch;
    c.machine.ranks_per_node = r->ranks_per_node;
    c.machine.slots = r->slots;
    c.machine.hop_ns += r->hop_ns;
    c.machine.task_bytes = r->task_bytes;
    c.machine.cost.byte_ns = 1;
    c.machine.taper = 10;
    if (r->workload[0] == 'l') {
        c.order = DTX_ORDER_PREDICTED;
        c.error_sigma = 0.5;
    }
    need(dtx_scenario_run(&c, &out, &err), &err);
    return (double)out.makespan_ns / (double)DTX_SEC_NS;
}

static int rises(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), rises);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static bool run(const struct row *r, size_t seeds)
{
    static double with[MOST_SEEDS], without[MOST_SEEDS];
    struct dtx_error err = {0};
    struct dtx_workload w;
    double a, b;
    size_t i;
    bool good;

    need(dtx_workload_parse(r->workload, &w, &err), &err);
    for (i = 0; i < seeds; i++) {
        struct dtx_scenario_job job;

        need(dtx_scenario_job_init(&job), &err);
        need(dtx_scenario_draw(&job, &w, i + 1, &err), &err);
        with[i] = makespan_s(r, &job, i + 1, false);
        without[i] = makespan_s(r, &job, i + 1, true);
        dtx_scenario_job_fini(&job);
    }
    a = median(with, seeds);
    b = median(without, seeds);
    good = a <= r->most * b;
    printf("# %-28s near %.3f s, blind %.3f s: %.3f of it%s\n", r->name, a, b,
           a / b, good ? "" : "  TOO MUCH");
    (void)fflush(stdout);
    return good;
}

int main(int argc, char **argv)
{
    const char *tool = getenv("TEST_WRAPPER"); /* that slows everything down */
    int64_t seeds = getenv("TEST_LONG") ? 41 : tool && *tool ? 3 : 11;
    size_t i, bad = 0;

    if (argc > 1 && dtx_parse_int(argv[1], 1, MOST_SEEDS, &seeds)) {
        (void)fprintf(stderr, "usage: %s [seeds, at most %d]\n", argv[0],
                      MOST_SEEDS);
        return EXIT_FAILURE;
    }
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        bad += !run(&rows[i], (size_t)seeds);
    printf("%s 1 - near victims against blind ones, median of %" PRId64
           " seeds\n", bad ? "not ok" : "ok", seeds);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/* tests/property/prop_engine_cost.c - no step of the master costs more than the
 * logarithm of ranks and tasks for each item it concerns
 *
 * Runs bags of 10^3 to 10^6 tasks on 2 to 4096 ranks (also with dependencies,
 * wide tasks, deaths, skipped subtrees and distances) and counts what the master did:
 * items it handled and comparisons of its heaps (dtx_master_stats.work).  The
 * items that a job concerns are its attempts, edges, frames, grants, steals
 * and records; each may cost C * log2(ranks + tasks).  Beside the sum, the
 * dearest single step (after START, which reads the list) is held to a slice.
 *
 *     prop_engine_cost [largest number of tasks]
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "sched/zones.h"
#include "sim/sim.h"
#include "task/distance.h"
#include "task/graph.h"
#include "task/task.h"

/* An item moves a task or a rank in a heap or two, at two comparisons for each
 * level on the way down; in a step of grants alone every item does so twice. */
#define PER_ITEM 2.0
#define PER_ITEM_OF_STEP 4.0

enum shape { BAG, PRIOS, LAYERS, WIDE, DEATHS, SKIPS, COSTS, ZONES };

struct job {
    const char *name;
    enum shape shape;
    const char *policy;
    uint32_t ntasks, nranks;
};

static const struct job jobs[] = {
    {"bag", BAG, "steal", 1000, 2},
    {"bag", BAG, "steal", 10000, 64},
    {"bag", BAG, "steal", 100000, 1024},
    {"bag", BAG, "steal", 1000000, 4096},
    {"bag", BAG, "steal", 1000000, 2},
    {"bag", BAG, "steal", 1000, 4096},
    {"bag", BAG, "self", 100000, 1024},
    {"bag", BAG, "guided", 100000, 1024},
    {"bag", BAG, "factoring", 100000, 1024},
    {"bag", BAG, "static", 100000, 1024},
    {"priorities", PRIOS, "steal", 100000, 64},
    {"layers", LAYERS, "steal", 10000, 64},
    {"layers", LAYERS, "steal", 100000, 1024},
    {"wide", WIDE, "steal", 10000, 64},
    {"wide", WIDE, "steal", 100000, 1024},
    {"wide", WIDE, "self", 100000, 1024},
    {"deaths", DEATHS, "steal", 10000, 64},
    {"deaths", DEATHS, "steal", 100000, 1024},
    {"deaths", DEATHS, "static", 100000, 64},
    {"skips", SKIPS, "steal", 10000, 64},
    {"skips", SKIPS, "steal", 1000000, 64},
    {"costs", COSTS, "steal", 100000, 64},
    {"costs", COSTS, "static", 100000, 1024},
    {"costs", COSTS, "guided", 1000000, 64},
    {"zones", ZONES, "steal", 10000, 64},
    {"zones", ZONES, "steal", 100000, 1024},
    {"zones", ZONES, "steal", 10000, 4096},
};

struct work {
    struct dtx_tasklist list;
    struct dtx_graph graph;
    int64_t *duration_ns;
    uint8_t *failures;
    float *cost_s;
    uint32_t *slots;
    struct dtx_sim_fault *fault;
    size_t nfaults;
    struct dtx_zones zones;
};

static void need(bool good)
{
    if (!good) {
        (void)fprintf(stderr, "no memory\n");
        exit(EXIT_FAILURE);
    }
}

static uint32_t attr_of(struct work *w, const struct job *j, uint32_t i)
{
    struct dtx_task_attr a = {
        .cpus = 1, .cwd = DTX_NO_TEXT, .env = DTX_NO_TEXT};
    uint32_t index;

    if (j->shape == WIDE && i % 7 == 0)
        a.cpus = 2 + i % 3;
    if (j->shape == PRIOS)
        a.prio = (int32_t)(i * 2654435761u % 101);
    need(dtx_tasklist_attr(&w->list, &a, &index) == 0);
    return index;
}

static void make_graph(struct work *w, const struct job *j)
{
    uint32_t layer = j->shape == SKIPS ? 1 : 1000, i, gate = 0, a, b;

    dtx_graph_init(&w->graph, j->ntasks);
    if (j->shape == LAYERS || j->shape == SKIPS || j->shape == ZONES) {
        for (i = 0; i < j->ntasks; i++) {
            if (i > 0 && i % layer == 0 && j->shape != SKIPS) {
                need(dtx_graph_gate(&w->graph, &gate) == 0);
                for (a = i - layer; a < i; a++)
                    need(dtx_graph_edge(&w->graph, a, gate) == 0);
            }
            if (j->shape == SKIPS && i > 0) /* a tree below task 0 */
                need(dtx_graph_edge(&w->graph, (i - 1) / 3, i) == 0);
            else if (gate > 0)
                need(dtx_graph_edge(&w->graph, gate, i) == 0);
        }
    }
    need(dtx_graph_seal(&w->graph, &a, &b) == 0);
}

/* Nodes of 8 ranks, two packages each, switches of 8 nodes. */
static void make_zones(struct work *w, uint32_t n)
{
    uint32_t i, zone;

    need(dtx_zones_init(&w->zones, n, DTX_NEAR_SWITCH + 1) == 0);
    for (i = 0; i < n; i++) {
        need(dtx_zones_child(&w->zones, 0, DTX_NEAR_SWITCH, i / 64, &zone) ==
                 0 &&
             dtx_zones_child(&w->zones, zone, DTX_NEAR_NODE, i / 8, &zone) ==
                 0 &&
             dtx_zones_child(&w->zones, zone, DTX_NEAR_PACKAGE, i / 4, &zone) ==
                 0);
        dtx_zones_set(&w->zones, i, zone);
    }
    need(dtx_zones_seal(&w->zones) == 0);
}

static void set_ways(struct dtx_ways *w)
{
    uint32_t i;

    for (i = DTX_NEAR_SWITCH; i < DTX_WAYS; i++) {
        w->ask_ns[i] = DTX_MSEC_NS;
        w->move_ns[i] = i > DTX_NEAR_SWITCH ? 50 * DTX_MSEC_NS
                                            : 5 * DTX_MSEC_NS;
    }
}

static void make(struct work *w, const struct job *j)
{
    struct dtx_rng rng;
    uint32_t i;

    memset(w, 0, sizeof(*w));
    dtx_rng_seed(&rng, j->ntasks + j->nranks);
    need(dtx_tasklist_init(&w->list) == 0);
    w->duration_ns = calloc(j->ntasks, sizeof(*w->duration_ns));
    w->failures = calloc(j->ntasks, 1);
    w->slots = calloc(j->nranks, sizeof(*w->slots));
    w->fault = calloc(j->nranks, sizeof(*w->fault));
    w->cost_s = calloc(j->ntasks, sizeof(*w->cost_s));
    need(w->duration_ns && w->failures && w->slots && w->fault && w->cost_s);
    for (i = 0; i < j->ntasks; i++) {
        w->duration_ns[i] =
            (int64_t)(dtx_rng_lognormal(&rng, 2e7, 1.0));
        w->cost_s[i] = (float)((double)w->duration_ns[i] / 1e9 *
                               dtx_rng_lognormal(&rng, 1.0, 0.3));
        need(dtx_tasklist_add(&w->list, "true", 4, attr_of(w, j, i), i,
                              DTX_NO_TEXT) == 0);
    }
    if (j->shape == SKIPS)
        w->failures[0] = 255;
    for (i = 0; i < j->nranks; i++) {
        w->slots[i] = 1 + i % 4;
        if (j->shape == DEATHS && i % 3 == 1)
            w->fault[w->nfaults++] = (struct dtx_sim_fault){
                .kind = DTX_SIM_DIE, .rank = i,
                .at_ns = DTX_MSEC_NS * (10 + (int64_t)i)};
    }
    make_graph(w, j);
    if (j->shape == ZONES)
        make_zones(w, j->nranks);
}

static void unmake(struct work *w)
{
    dtx_tasklist_fini(&w->list);
    dtx_graph_fini(&w->graph);
    free(w->duration_ns);
    free(w->failures);
    free(w->cost_s);
    free(w->slots);
    free(w->fault);
    dtx_zones_fini(&w->zones);
}

static bool judge(const struct job *j, const struct work *w,
                  const struct dtx_sim_result *r)
{
    const struct dtx_master_stats *s = &r->stats;
    uint64_t items = s->tasks + s->lost + s->retried + 2 * s->stolen +
                     w->graph.nedges + s->frames_in + s->frames_out +
                     s->yields + s->ok + s->failed;
    double log = log2((double)j->ntasks + (double)j->nranks);
    double per_item = (double)s->work / (double)items;
    /* a step handles what its frame or record group names, here never more
     * than a slice, and at most a slice beside it */
    double per_step = PER_ITEM_OF_STEP * log * DTX_MASTER_SLICE;
    bool good = per_item <= PER_ITEM * log &&
                (double)r->max_step_work <= per_step;

    printf("# %-10s %-9s %7" PRIu32 " tasks %4" PRIu32 " ranks: %9" PRIu64
           " items, %5.1f each = %.2f log2, dearest step %" PRIu64
           "%s\n",
           j->name, j->policy, j->ntasks, j->nranks, items, per_item,
           per_item / log, r->max_step_work, good ? "" : "  TOO MUCH");
    return good;
}

static bool run(const struct job *j)
{
    struct dtx_sim_config c = {.seed = 1, .unchecked = j->ntasks > 20000};
    struct dtx_sim_result r;
    struct dtx_error err = {0};
    struct dtx_sim *sim;
    struct work w;
    bool good;

    make(&w, j);
    c.master.epoch = 1;
    c.master.nranks = j->nranks;
    c.master.policy = j->policy;
    c.master.list = &w.list;
    c.master.graph = &w.graph;
    c.master.cost_s = j->shape == COSTS ? w.cost_s : NULL;
    c.master.longest_first = j->shape == COSTS;
    c.master.zones = j->shape == ZONES ? &w.zones : NULL;
    set_ways(&c.master.ways);
    c.duration_ns = w.duration_ns;
    c.failures = w.failures;
    c.slots = w.slots;
    c.ahead = 1;
    c.delay_ns = 50000;
    c.delay_spread_ns = 50000;
    c.store_delay_ns = DTX_MSEC_NS;
    c.detect_ns = 5 * DTX_MSEC_NS;
    c.faults = w.fault;
    c.nfaults = w.nfaults;
    sim = dtx_sim_create(&c, &err);
    good = sim && dtx_sim_run(sim, &r, &err) == 0;
    if (!good)
        printf("# %s\n", err.text);
    else
        good = judge(j, &w, &r);
    dtx_sim_destroy(sim);
    unmake(&w);
    return good;
}

int main(int argc, char **argv)
{
    int64_t most = getenv("TEST_LONG") ? 1000000 : 100000;
    size_t i, bad = 0, ran = 0;

    if (argc > 1 && dtx_parse_int(argv[1], 1, 100000000, &most)) {
        (void)fprintf(stderr, "usage: %s [largest number of tasks]\n",
                      argv[0]);
        return EXIT_FAILURE;
    }
    for (i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        if (jobs[i].ntasks > most)
            continue;
        bad += !run(&jobs[i]);
        ran++;
        (void)fflush(stdout);
    }
    printf("%s 1 - work of the master in %zu jobs\n", bad ? "not ok" : "ok",
           ran);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

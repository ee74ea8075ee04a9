/* SPDX-License-Identifier: MIT */
/* tests/property/prop_memory.c - what it brings to spread memory-bound tasks
 *
 * Two things, over seeds.  Rows: jobs on a machine of two sockets and four NUMA
 * nodes of 16 slots, each of which feeds four memory-bound tasks; each seed
 * runs spread and blindly, and the median of the makespans must be so much
 * smaller as each row says, not larger where nobody is crowded.  Worlds: random
 * machines, bags and misfortunes; every task must end, and a job must not take
 * longer than chance explains (a list schedule that changes at one place
 * changes everywhere: Graham, SIAM J. Appl. Math. 17(2), 1969).
 *
 *     prop_memory [seeds]
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#include "bags.h"
#include "base/rng.h"

#define MOST_SEEDS 401
#define WORLD_MOST 1.1  /* of one world: spread / blind */
#define WORLDS_MOST 1.0 /* of all, the geometric mean */

struct row {
    const char *name, *workload;
    double bound, bound_share, streams;
    uint32_t nodes, ranks_per_node;
    enum dtx_scenario_order order;
    double most; /* of spread / blind */
    double misjudged; /* the master believes so many times what is moved */
};

#define BAG "lognormal:mean=10s,sigma=0.5,tasks=2000"

static const struct row rows[] = {
    {"mixed, longest first", BAG, 1, 0.25, 4, 1, 1, DTX_ORDER_LPT, 0.93, 1},
    {"mixed, as they come", BAG, 1, 0.25, 4, 1, 1, DTX_ORDER_FILE, 0.93, 1},
    {"mixed, predicted", BAG, 1, 0.25, 4, 1, 1, DTX_ORDER_PREDICTED, 0.94, 1},
    {"mixed, a rank a NUMA node", BAG, 1, 0.25, 4, 1, 4, DTX_ORDER_LPT, 0.94,
     1},
    {"mixed, a rank a slot", BAG, 1, 0.25, 4, 1, 64, DTX_ORDER_LPT, 0.94, 1},
    {"mixed, 4 nodes", "lognormal:mean=10s,sigma=0.5,tasks=8000", 1, 0.25, 4,
     4, 1, DTX_ORDER_LPT, 0.94, 1},
    {"half bound", BAG, 0.7, 0.3, 4, 1, 1, DTX_ORDER_LPT, 0.99, 1},
    {"fewer tasks than slots", "lognormal:mean=10s,sigma=0.5,tasks=32", 1, 0.5,
     4, 1, 1, DTX_ORDER_LPT, 0.85, 1},
    {"nothing but memory-bound", BAG, 1, 1, 4, 1, 1, DTX_ORDER_LPT, 1.01, 1},
    {"nobody crowded", BAG, 1, 0.25, 16, 1, 1, DTX_ORDER_LPT, 1.0, 1},
    {"nobody bound", BAG, 0, 0, 4, 1, 1, DTX_ORDER_LPT, 1.0, 1},
    {"few bound", BAG, 1, 0.02, 4, 1, 1, DTX_ORDER_LPT, 1.01, 1},
    {"long ones among short", "bimodal:mean=500ms,share=0.05,ratio=200,"
     "tasks=8000", 1, 0.25, 4, 1, 1, DTX_ORDER_LPT, 1.0, 1},
    {"long ones, four nodes", "bimodal:mean=500ms,share=0.05,ratio=200,"
     "tasks=32000", 1, 0.25, 4, 4, 1, DTX_ORDER_LPT, 1.0, 1},
    /* as when what memory moves is learned */
    {"mixed, taken for 4/5", BAG, 1, 0.25, 4, 1, 1, DTX_ORDER_LPT, 0.97, 0.8},
    {"mixed, taken for half", BAG, 1, 0.25, 4, 1, 1, DTX_ORDER_LPT, 1.0, 0.5},
    /* only to show that this is what must not be */
    {"mixed, taken for twice", BAG, 1, 0.25, 4, 1, 1, DTX_ORDER_LPT, 1.35, 2},
    {"enough, taken for too little", BAG, 1, 0.25, 16, 1, 1, DTX_ORDER_LPT,
     1.01, 2},
    {"all bound, taken for twice", BAG, 1, 1, 4, 1, 1, DTX_ORDER_LPT, 1.01,
     2},
    {"short", "lognormal:mean=50ms,sigma=0.5,tasks=8000", 1, 0.25, 4, 1, 1,
     DTX_ORDER_LPT, 1.0, 1},
};

static double makespan_s(struct dtx_scenario *c, bool spread,
                         struct dtx_sim_result *out)
{
    c->spread = spread;
    return bags_makespan(c, out);
}

static bool run_row(const struct row *r, size_t seeds)
{
    static double ratio[MOST_SEEDS];
    struct dtx_sim_result spread, blind;
    struct dtx_scenario_job job;
    size_t i;
    bool good, same = true;

    for (i = 0; i < seeds; i++) {
        struct dtx_scenario c = {.job = &job, .seed = i + 1,
                                 .order = r->order, .error_sigma = 0.3,
                                 .bound = r->bound,
                                 .bound_share = r->bound_share,
                                 .misjudged = r->misjudged};

        bags_draw(&job, r->workload, i + 1);
        dtx_cluster_preset(&c.machine);
        c.machine.nodes = r->nodes;
        c.machine.ranks_per_node = r->ranks_per_node;
        c.machine.slots = 64;
        c.machine.domains = 4;
        c.machine.streams = r->streams;
        ratio[i] = makespan_s(&c, true, &spread) /
                   makespan_s(&c, false, &blind);
        same = same && spread.events == blind.events &&
               spread.makespan_ns == blind.makespan_ns;
        dtx_scenario_job_fini(&job);
    }
    qsort(ratio, seeds, sizeof(*ratio), bags_rises);
    good = ratio[seeds / 2] <= r->most;
    if ((r->streams >= 16 && r->misjudged <= 1) || !(r->bound > 0))
        good = good && same;
    printf("# %-26s spread %.3f of blind (%.3f to %.3f)%s\n", r->name,
           ratio[seeds / 2], ratio[0], ratio[seeds - 1],
           good ? "" : "  TOO MUCH");
    (void)fflush(stdout);
    return good;
}

/* ---- random worlds ---- */

static const char *const bags[] = {
    "lognormal:mean=2s,sigma=1,tasks=300", "constant:mean=1s,tasks=200",
    "bimodal:mean=3s,tasks=150", "exponential:mean=1s,tasks=300,layers=5",
    "uniform:mean=4s,tasks=60", "lognormal:mean=300ms,sigma=1,tasks=500",
    "exponential:mean=2s,tasks=100,cpus=2"};

static const char *const policies[] = {"steal", "self", "steal", "guided",
                                       "static"};

static uint32_t below(struct dtx_rng *rng, uint32_t n)
{
    return (uint32_t)dtx_rng_below(rng, n);
}

static void draw_world(struct dtx_scenario *c, struct dtx_rng *rng)
{
    struct dtx_cluster *m = &c->machine;

    dtx_cluster_preset(m);
    m->nodes = 1 + below(rng, 5);
    m->ranks_per_node = 1 + below(rng, 5);
    m->slots = m->ranks_per_node * 2 + below(rng, 40);
    m->domains = 1 + below(rng, 9);
    m->streams = 0.2 + 8 * dtx_rng_unit(rng);
    m->noise_sigma = below(rng, 2) ? 0 : 0.3;
    if (below(rng, 3) == 0)
        m->rank_mtbf_ns = 60 * DTX_SEC_NS;
    c->bound = dtx_rng_unit(rng);
    c->bound_share = dtx_rng_unit(rng);
    c->order = (enum dtx_scenario_order)below(rng, 3);
    c->error_sigma = 0.3;
    c->policy = policies[below(rng, 5)];
    c->fail_share = below(rng, 3) ? 0 : 0.1;
    c->retries = 1 + below(rng, 3);
}

static bool run_worlds(size_t seeds)
{
    double sum = 0, worst = 0;
    struct dtx_sim_result out;
    size_t i, n = 0;

    for (i = 0; i < seeds; i++) {
        struct dtx_scenario_job job;
        struct dtx_scenario c = {.job = &job, .seed = 1000 + i};
        struct dtx_rng rng;
        double ratio;

        dtx_rng_seed(&rng, c.seed);
        draw_world(&c, &rng);
        bags_draw(&job, bags[below(&rng, sizeof(bags) / sizeof(bags[0]))], c.seed);
        ratio = makespan_s(&c, true, &out) / makespan_s(&c, false, &out);
        dtx_scenario_job_fini(&job);
        if (c.machine.rank_mtbf_ns > 0)
            continue; /* another schedule meets other deaths */
        sum += log(ratio);
        n++;
        worst = ratio > worst ? ratio : worst;
        if (ratio > 1.15)
            printf("# seed %" PRIu64 ": spread %.3f of blind\n", c.seed, ratio);
    }
    printf("# %zu worlds: spread %.3f of blind in the mean, %.3f at worst\n",
           seeds, n ? exp(sum / (double)n) : 1, worst);
    return worst <= WORLD_MOST && (n == 0 || exp(sum / (double)n) <=
                                                 WORLDS_MOST);
}

int main(int argc, char **argv)
{
    const char *tool = getenv("TEST_WRAPPER"); /* that slows everything down */
    int64_t seeds = getenv("TEST_LONG") ? 41 : tool && *tool ? 1 : 9;
    size_t i, bad = 0;

    bags_asked(argc, argv, "seeds", MOST_SEEDS, &seeds, NULL);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        bad += !run_row(&rows[i], (size_t)seeds);
    bad += !run_worlds((size_t)seeds * 20);
    printf("%s 1 - memory-bound tasks spread or not, median of %" PRId64
           " seeds\n", bad ? "not ok" : "ok", seeds);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/* From a job and a machine to the simulator's configuration; see scenario.h.
 * It decides nothing about scheduling. */
#include "sim/scenario.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "sched/stock.h"
#include "sched/traffic.h"
#include "sched/zones.h"
#include "sim/stock.h"
#include "sim/workload.h"
#include "task/distance.h"

#define US INT64_C(1000)

/* Slots' worth that a worker hands to its executor beyond its slots, as
 * run/rank_parts.c has it. */
#define AHEAD 24
#define MAX_RANKS 1000000u
#define MAX_SPAN_S (100.0 * 365 * 86400)

/* Streams of random numbers, beside that of the durations, which is the
 * seed's. */
enum stream { SPEEDS = 1, NOISE, PREDICTIONS, FAILURES, DEATHS, NETWORK,
              MEMORY };

static uint64_t stream(uint64_t seed, enum stream s)
{
    return seed ^ (UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)s);
}

/* ---- the job ---- */

int dtx_scenario_job_init(struct dtx_scenario_job *j)
{
    memset(j, 0, sizeof(*j));
    return dtx_tasklist_init(&j->list);
}

void dtx_scenario_job_fini(struct dtx_scenario_job *j)
{
    dtx_tasklist_fini(&j->list);
    dtx_graph_fini(&j->graph);
    free(j->duration_ns);
    free(j->failures);
}

static int add_tasks(struct dtx_scenario_job *j, const struct dtx_workload *w)
{
    struct dtx_task_attr a = j->list.attr[0];
    uint32_t index, i;
    int rc;

    a.cpus = w->cpus;
    a.mem_bytes = (int64_t)w->mem_bytes;
    a.gpus = w->gpus;
    rc = dtx_tasklist_attr(&j->list, &a, &index);
    for (i = 0; i < w->tasks && rc == DTX_OK; i++)
        rc = dtx_tasklist_add(&j->list, "./imagined --case 4711", 22, index,
                              i + 1, DTX_NO_TEXT);
    return rc;
}

/* Every task of a layer waits for all of the layer before it. */
static int add_layers(struct dtx_scenario_job *j, const struct dtx_workload *w)
{
    uint64_t n = w->tasks;
    uint32_t layer, i, gate = 0;
    int rc = DTX_OK;

    for (layer = 0; layer < w->layers && rc == DTX_OK; layer++) {
        uint32_t begin = (uint32_t)(n * layer / w->layers);
        uint32_t end = (uint32_t)(n * (layer + 1u) / w->layers);

        for (i = begin; i < end && layer > 0 && rc == DTX_OK; i++)
            rc = dtx_graph_edge(&j->graph, gate, i);
        if (layer + 1 < w->layers && rc == DTX_OK)
            rc = dtx_graph_gate(&j->graph, &gate);
        for (i = begin; i < end && layer + 1 < w->layers && rc == DTX_OK; i++)
            rc = dtx_graph_edge(&j->graph, i, gate);
    }
    return rc;
}

int dtx_scenario_draw(struct dtx_scenario_job *j, const struct dtx_workload *w,
                      uint64_t seed, struct dtx_error *err)
{
    uint32_t cycle, next;
    int rc = add_tasks(j, w);

    if (rc == DTX_OK) {
        dtx_graph_init(&j->graph, w->tasks);
        j->duration_ns = malloc(w->tasks * sizeof(*j->duration_ns));
        rc = j->duration_ns ? add_layers(j, w) : DTX_ENOMEM;
    }
    if (rc == DTX_OK)
        rc = dtx_graph_seal(&j->graph, &cycle, &next);
    if (rc != DTX_OK)
        return dtx_error_set(err, rc, "no memory for %u tasks", w->tasks);
    dtx_workload_draw(w, seed, j->duration_ns);
    return DTX_OK;
}

/* ---- the machine ---- */

/* Measured on two cores of a virtual machine (AMD Zen 5), Open MPI 4.1:
 *
 * - by tests/bench/service, bound: 0.45 us for each message of rank 0, of which
 *   0.36 in the transport to receive one and 0.10 to send one, and 0.8 us for
 *   each task, its record handed to the store included;
 * - by tests/bench/engine: what the step of the master takes for a task grows
 *   from 1.05 us at 1,000 ranks to 1.33 at 10,000 and 2.48 at 100,000, messages
 *   included, since its heaps leave the caches;
 * - by tests/bench/run.sh: about 0.7 ms to start and end a process;
 * - a futex of another process is heard after 19 us (median).
 *
 * The way between nodes is that of a fabric such as InfiniBand, 2 us and 10
 * GB/s: not measured here. */
void dtx_cluster_preset(struct dtx_cluster *m)
{
    memset(m, 0, sizeof(*m));
    m->nodes = m->ranks_per_node = m->slots = 1;
    m->near_ns = 20 * US;
    m->far_ns = 2 * US;
    m->hop_ns = 1 * US;
    m->cost.send_ns = 100;
    m->cost.recv_ns = 360;
    m->cost.byte_ns = 0.1;
    m->cost.frame_ns = 220;
    m->cost.task_ns = -1;
    m->cost.nap_min_ns = 100 * US; /* as run/loop.c has them */
    m->cost.nap_max_ns = 1000 * US;
    m->spawn_ns = 700 * US;
    m->store_ns = 200 * US;
    m->detect_ns = 5 * DTX_SEC_NS;
    m->slow_factor = m->taper = 1;
    m->others_ns = 2 * DTX_SEC_NS; /* looks and a tick */
    m->streams = 4; /* cores that fill the memory channels of a NUMA node */
}

int64_t dtx_cluster_task_ns(uint64_t nranks)
{
    double decade = log10((double)(nranks > 1000 ? nranks : 1000)) - 3;

    if (decade < 1)
        return 800 + (int64_t)(300 * decade);
    return 1100 + (int64_t)(1100 * (decade - 1));
}

/* ---- a run ---- */

struct setting {
    const struct dtx_scenario *c;
    uint32_t ntasks, nranks;
    struct dtx_sim_config sim;
    uint32_t *slots;
    double *speed;
    int64_t *duration_ns; /* with noise */
    float *cost_s;
    uint8_t *failures;
    float *bound; /* share of its time that a task waits for memory */
    float *share; /* of a NUMA node's bandwidth that it uses */
    struct dtx_traffic *traffic;
    struct dtx_stock *stock;
    struct dtx_zones zones;
    struct dtx_sim_fault *fault;
    size_t nfaults;
};

static int check(const struct dtx_scenario *c, struct dtx_error *err)
{
    const struct dtx_cluster *m = &c->machine;
    uint32_t least = m->slots / (m->ranks_per_node ? m->ranks_per_node : 1);

    if (m->nodes == 0 || m->ranks_per_node == 0 ||
        (uint64_t)m->nodes * m->ranks_per_node > MAX_RANKS)
        return dtx_error_set(err, DTX_EINVAL, "%u nodes of %u ranks: there "
                             "must be 1 to %u ranks in all", m->nodes,
                             m->ranks_per_node, MAX_RANKS);
    if (least == 0)
        return dtx_error_set(err, DTX_EINVAL,
                             "each of a node's %u ranks needs a slot, and it "
                             "has %u", m->ranks_per_node, m->slots);
    least += m->slots % m->ranks_per_node != 0;
    if (least > DTX_MAX_CPUS)
        return dtx_error_set(err, DTX_EINVAL, "a rank of %u slots: %u is the "
                             "most", least, DTX_MAX_CPUS);
    if (m->crowd_nodes > 0 && (m->domains > 0 || !(m->crowd_share >= 0) ||
                               !(m->crowd_share < 1)))
        return dtx_error_set(err, DTX_EINVAL, "others cannot take %g of a "
                             "node's processors%s", m->crowd_share,
                             m->domains > 0 ? " where tasks share memory" : "");
    if (m->gpus > DTX_MACHINE_GPUS)
        return dtx_error_set(err, DTX_EINVAL, "%u devices of a node: %d are "
                             "the most", m->gpus, DTX_MACHINE_GPUS);
    return dtx_scenario_check(c, least, err);
}

static void set_ranks(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    struct dtx_rng rng;
    double speed = 1;
    uint32_t r;

    dtx_rng_seed(&rng, stream(t->c->seed, SPEEDS));
    for (r = 0; r < t->nranks; r++) {
        uint32_t node = r / m->ranks_per_node, k = r % m->ranks_per_node;

        if (k == 0) {
            speed = exp(m->speed_sigma * dtx_rng_normal(&rng));
            if (node >= m->nodes - m->slow_nodes)
                speed /= m->slow_factor;
        }
        t->speed[r] = speed;
        t->slots[r] = m->slots / m->ranks_per_node +
                      (k < m->slots % m->ranks_per_node);
    }
}

static void set_tasks(struct setting *t)
{
    const struct dtx_scenario *c = t->c;
    bool given = c->order == DTX_ORDER_PREDICTED && c->predicted_s != NULL;
    double sigma = c->order == DTX_ORDER_PREDICTED && !given ? c->error_sigma
                                                             : 0;
    struct dtx_rng noise, error;
    uint32_t i;

    dtx_rng_seed(&noise, stream(c->seed, NOISE));
    dtx_rng_seed(&error, stream(c->seed, PREDICTIONS));
    for (i = 0; i < t->ntasks; i++) {
        double ns = (double)c->job->duration_ns[i];
        double s = ns / (double)DTX_SEC_NS;

        if (c->machine.noise_sigma > 0)
            ns *= dtx_rng_lognormal(&noise, 1, c->machine.noise_sigma);
        t->duration_ns[i] = llround(ns);
        if (sigma > 0)
            s *= exp(sigma * dtx_rng_normal(&error));
        if (t->cost_s)
            t->cost_s[i] = given ? c->predicted_s[i] : (float)s;
    }
}

static void set_bounds(struct setting *t)
{
    struct dtx_rng rng;
    uint32_t i;

    dtx_rng_seed(&rng, stream(t->c->seed, MEMORY));
    for (i = 0; i < t->ntasks; i++)
        t->bound[i] = dtx_rng_unit(&rng) < t->c->bound_share
                          ? (float)t->c->bound
                          : 0;
}

/* Each rank's slots are side by side on its node, and those of a NUMA node, too
 * (sim/sim_memory). */
static int lay_out_memory(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    struct dtx_traffic_reach *reach = calloc(t->nranks, sizeof(*reach));
    uint64_t before = 0, end;
    uint32_t r;
    int rc;

    if (!reach)
        return DTX_ENOMEM;
    for (r = 0; r < t->nranks; r++, before = end) {
        if (r % m->ranks_per_node == 0)
            before = 0;
        end = before + t->slots[r];
        reach[r].node = r / m->ranks_per_node;
        reach[r].slots = t->slots[r];
        reach[r].first = (uint32_t)(before * m->domains / m->slots);
        reach[r].last = (uint32_t)((end - 1) * m->domains / m->slots);
    }
    rc = dtx_traffic_lay_out(t->traffic, reach, t->nranks);
    free(reach);
    return rc;
}

/* What counters would have told the master. */
static int set_traffic(struct setting *t)
{
    double times = t->c->misjudged > 0 ? t->c->misjudged : 1;
    uint32_t i;

    t->traffic = dtx_traffic_create(t->nranks);
    t->share = calloc((size_t)t->ntasks + 1, sizeof(*t->share));
    if (!t->traffic || !t->share)
        return DTX_ENOMEM;
    for (i = 0; i < t->ntasks; i++)
        t->share[i] =
            (float)(times * (double)t->bound[i] / t->c->machine.streams);
    return lay_out_memory(t);
}

static bool is_bound(const struct dtx_scenario *c)
{
    return c->machine.domains > 0 && c->bound > 0 && c->bound_share > 0;
}

/* How many attempts of each task fail. */
static void set_failures(struct setting *t)
{
    const struct dtx_scenario *c = t->c;
    struct dtx_rng rng;
    uint32_t i;

    dtx_rng_seed(&rng, stream(c->seed, FAILURES));
    for (i = 0; i < t->ntasks; i++) {
        uint32_t n = c->job->failures ? c->job->failures[i] : 0;

        while (n < 254 && dtx_rng_unit(&rng) < c->fail_share)
            n++;
        t->failures[i] = (uint8_t)n;
    }
}

static void add_death(struct setting *t, uint32_t rank, double at_ns)
{
    if (at_ns < 9e18)
        t->fault[t->nfaults++] = (struct dtx_sim_fault){
            .kind = DTX_SIM_DIE, .rank = rank, .at_ns = (int64_t)at_ns};
}

/* The first death of each rank and node: exponential, hence without memory. A
 * rank that is dead already does not die again. */
static void set_deaths(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    double node_at = INFINITY;
    struct dtx_rng rng;
    uint32_t r;

    dtx_rng_seed(&rng, stream(t->c->seed, DEATHS));
    for (r = 0; r < t->nranks; r++) {
        double at = INFINITY;

        if (m->node_mtbf_ns > 0 && r % m->ranks_per_node == 0)
            node_at = dtx_rng_exp(&rng, (double)m->node_mtbf_ns);
        if (m->rank_mtbf_ns > 0)
            at = dtx_rng_exp(&rng, (double)m->rank_mtbf_ns);
        if (m->node_mtbf_ns > 0 && r >= m->ranks_per_node && node_at < at)
            at = node_at;
        if (r > 0)
            add_death(t, r, at);
    }
}

/* Whoever dies meanwhile is none the less crowded. */
static void set_crowds(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    uint32_t n = m->crowd_nodes < m->nodes ? m->crowd_nodes : m->nodes;
    uint32_t r = (m->nodes - n) * m->ranks_per_node;

    for (; r < t->nranks; r++)
        t->fault[t->nfaults++] = (struct dtx_sim_fault){
            .kind = DTX_SIM_CROWD, .rank = r, .at_ns = m->crowd_ns,
            .for_ns = m->crowd_for_ns,
            .share = m->crowd_share};
}

static int allocate(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    bool deaths = m->rank_mtbf_ns > 0 || m->node_mtbf_ns > 0 ||
                  m->crowd_nodes > 0;
    size_t n = (size_t)t->ntasks + 1;

    t->slots = calloc(t->nranks, sizeof(*t->slots));
    t->speed = calloc(t->nranks, sizeof(*t->speed));
    t->duration_ns = calloc(n, sizeof(*t->duration_ns));
    if (t->c->order != DTX_ORDER_FILE)
        t->cost_s = calloc(n, sizeof(*t->cost_s));
    if (t->c->fail_share > 0)
        t->failures = calloc(n, 1);
    if (is_bound(t->c))
        t->bound = calloc(n, sizeof(*t->bound));
    if (deaths)
        t->fault = calloc(2 * (size_t)t->nranks, sizeof(*t->fault));
    return t->slots && t->speed && t->duration_ns &&
                   (t->cost_s || t->c->order == DTX_ORDER_FILE) &&
                   (t->failures || !(t->c->fail_share > 0)) &&
                   (t->bound || !is_bound(t->c)) && (t->fault || !deaths)
               ? DTX_OK
               : DTX_ENOMEM;
}

static void configure_master(struct setting *t)
{
    const struct dtx_scenario *c = t->c;
    struct dtx_master_config *m = &t->sim.master;

    m->epoch = 1;
    m->nranks = t->nranks;
    m->policy = c->policy;
    m->retries = c->retries;
    m->list = &c->job->list;
    m->graph = &c->job->graph;
    m->cost_s = t->cost_s;
    m->longest_first = t->cost_s != NULL;
    m->speeds = true;
    m->equal_speeds = c->equal_speeds;
    m->traffic = t->traffic;
    m->stock = t->stock;
    m->mem_bytes = c->mem_bytes;
    m->gpus = c->gpus;
    m->share = t->share;
}

/* ---- where ranks are ---- */

/* Several nodes are zones, and so are their switches. */
static int set_zones(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    bool switches = m->nodes_per_switch && m->nodes_per_switch < m->nodes;
    uint32_t r, zone;
    int rc = dtx_zones_init(&t->zones, t->nranks,
                            DTX_NEAR_SWITCH + (switches ? 1 : 0));

    for (r = 0; r < t->nranks && rc == DTX_OK; r++) {
        uint32_t node = r / m->ranks_per_node;

        zone = 0;
        if (switches)
            rc = dtx_zones_child(&t->zones, zone, DTX_NEAR_SWITCH,
                                 node / m->nodes_per_switch, &zone);
        if (rc == DTX_OK && m->ranks_per_node > 1)
            rc = dtx_zones_child(&t->zones, zone, DTX_NEAR_NODE, node, &zone);
        dtx_zones_set(&t->zones, r, zone);
    }
    return rc == DTX_OK ? dtx_zones_seal(&t->zones) : rc;
}

/* What ways cost: frames are found by naps on the average half as long as the
 * longest, there and back; data moves at the bandwidth there is. */
static void set_ways(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    struct dtx_ways *w = &t->sim.master.ways;
    double wire = (double)m->task_bytes * m->cost.byte_ns;
    uint32_t i;

    for (i = 1; i < DTX_WAYS; i++) {
        int64_t hops = i > DTX_NEAR_SWITCH ? m->hop_ns : 0;

        if (i < DTX_NEAR_SWITCH) {
            w->ask_ns[i] = 2 * m->near_ns;
            continue;
        }
        w->ask_ns[i] = 2 * (m->far_ns + hops) + m->cost.nap_max_ns;
        if (m->task_bytes > 0)
            w->move_ns[i] = 2 * (m->far_ns + hops) +
                            llround(i > DTX_NEAR_SWITCH ? wire * m->taper
                                                        : wire);
    }
    memcpy(t->sim.moves.ns, w->move_ns, sizeof(w->move_ns));
    if (m->task_bytes > 0)
        t->sim.moves.zones = &t->zones;
    if (!t->c->blind)
        t->sim.master.zones = &t->zones;
}

/* What there is of memory and devices, at the speeds of their nodes. */
static void set_totals(struct setting *t)
{
    const struct dtx_cluster *m = &t->c->machine;
    uint32_t r;

    for (r = 0; r < t->nranks; r += m->ranks_per_node) {
        t->sim.mem_total += (double)m->mem_bytes * t->speed[r];
        t->sim.gpus_total += m->gpus * t->speed[r];
    }
}

static void configure(struct setting *t)
{
    const struct dtx_scenario *c = t->c;
    const struct dtx_cluster *m = &c->machine;
    struct dtx_sim_config *s = &t->sim;

    configure_master(t);
    s->seed = stream(c->seed, NETWORK);
    s->duration_ns = t->duration_ns;
    s->failures = t->failures ? t->failures : c->job->failures;
    s->slots = t->slots;
    s->speed = t->speed;
    s->ranks_per_node = m->ranks_per_node;
    s->ahead = AHEAD;
    s->ahead_per_slot = true;
    s->spawn_ns = m->spawn_ns;
    s->detect_ns = m->detect_ns;
    s->memory = (struct dtx_sim_memory){.domains = m->domains,
                                        .streams = m->streams,
                                        .bound = t->bound};
    s->others_ns = m->others_ns;
    set_totals(t);
    s->faults = t->fault;
    s->nfaults = t->nfaults;
    s->stop_at_ns = c->deadline_ns;
    s->stop = DTX_STOP_DRAIN;
    s->end_ns = INT64_MAX / 2;
    s->unchecked = true;
    s->trace = c->trace;
    s->trace_ctx = c->trace_ctx;
    if (c->ideal)
        return;
    s->cost = m->cost;
    if (s->cost.task_ns < 0)
        s->cost.task_ns = dtx_cluster_task_ns(t->nranks);
    s->near_ns = m->near_ns;
    s->delay_ns = m->far_ns;
    s->delay_spread_ns = m->spread_ns;
    if (m->nodes_per_switch < m->nodes)
        s->ranks_per_switch = m->nodes_per_switch * m->ranks_per_node;
    s->hop_ns = m->hop_ns;
    s->store_delay_ns = m->store_ns;
    set_ways(t);
}

/* How many times as long tasks take at most, since others share memory. */
static double crowded(const struct setting *t)
{
    return t->bound ? fmax(1, t->c->machine.slots / t->c->machine.streams) : 1;
}

/* A job that outlasts the clock of 64 bits is refused. */
static int check_span(const struct setting *t, struct dtx_error *err)
{
    double work = 0, longest = 0, slots = 0, slowest = 1, s;
    uint32_t i, tries = t->c->retries ? t->c->retries : 1;

    for (i = 0; i < t->ntasks; i++) {
        double ns = (double)t->duration_ns[i];

        work += ns * dtx_tasklist_attr_of(&t->c->job->list, i)->cpus;
        longest = ns > longest ? ns : longest;
    }
    for (i = 0; i < t->nranks; i++) {
        slots += t->slots[i];
        slowest = t->speed[i] < slowest ? t->speed[i] : slowest;
    }
    if (t->c->job->graph.start)
        slots = 1; /* all may have to wait for one another */
    if (t->c->machine.crowd_nodes > 0)
        slowest *= 1 - t->c->machine.crowd_share;
    s = (work / slots + longest) * tries * crowded(t) / slowest /
        (double)DTX_SEC_NS;
    if (s < MAX_SPAN_S)
        return DTX_OK;
    return dtx_error_set(err, DTX_ELIMIT,
                         "this job takes %.0f years: fewer or shorter tasks, "
                         "or more slots", s / (365 * 86400.0));
}

static int run(struct setting *t, struct dtx_sim_result *out,
               struct dtx_error *err)
{
    struct dtx_sim *sim = dtx_sim_create(&t->sim, err);
    int rc;

    if (!sim)
        return DTX_EINVAL;
    rc = dtx_sim_run(sim, out, err);
    dtx_sim_destroy(sim);
    return rc;
}

int dtx_scenario_run(const struct dtx_scenario *c, struct dtx_sim_result *out,
                     struct dtx_error *err)
{
    struct setting t = {.c = c,
                        .ntasks = (uint32_t)c->job->list.ntasks,
                        .nranks = c->machine.nodes *
                                  c->machine.ranks_per_node};
    int rc = check(c, err);

    if (rc == DTX_OK && (rc = allocate(&t)) == DTX_OK) {
        set_ranks(&t);
        set_tasks(&t);
        if (t.failures)
            set_failures(&t);
        if (t.bound)
            set_bounds(&t);
        if (t.bound && c->spread)
            rc = set_traffic(&t);
        if (t.fault)
            set_deaths(&t);
        if (c->machine.crowd_nodes > 0)
            set_crowds(&t);
        rc = rc == DTX_OK ? set_zones(&t) : rc;
        rc = rc == DTX_OK ? dtx_scenario_stock(c, &t.stock) : rc;
    }
    if (rc == DTX_ENOMEM)
        (void)dtx_error_set(err, rc, "no memory for %u ranks and %u tasks",
                            t.nranks, t.ntasks);
    if (rc == DTX_OK) {
        configure(&t);
        rc = check_span(&t, err);
    }
    if (rc == DTX_OK)
        rc = run(&t, out, err);
    dtx_zones_fini(&t.zones);
    free(t.slots);
    free(t.speed);
    free(t.duration_ns);
    free(t.cost_s);
    free(t.failures);
    free(t.bound);
    free(t.share);
    dtx_traffic_destroy(t.traffic);
    dtx_stock_destroy(t.stock);
    free(t.fault);
    return rc;
}

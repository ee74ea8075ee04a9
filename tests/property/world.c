/* SPDX-License-Identifier: MIT */
/* Draws a random job and a random machine from a seed; see world.h.  It runs
 * nothing. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "sched/policy.h"

#define US INT64_C(1000)

static void need(bool good)
{
    if (!good) {
        (void)fprintf(stderr, "no memory\n");
        exit(EXIT_FAILURE);
    }
}

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)dtx_rng_below(&w->rng, n);
}

/* True once in n. */
static bool once_in(struct world *w, uint32_t n)
{
    return below(w, n) == 0;
}

static int64_t time_below(struct world *w, int64_t n)
{
    return (int64_t)dtx_rng_below(&w->rng, (uint64_t)n + 1);
}

/* ---- the machine ---- */

static void draw_machine(struct world *w)
{
    struct dtx_sim_config *c = &w->sim;
    uint32_t n = once_in(w, 20) ? WORLD_RANKS : 1 + below(w, 8), i;
    bool uneven = once_in(w, 3);

    c->master.nranks = n;
    for (i = 0; i < n; i++) {
        w->slots[i] = 1 + below(w, 4);
        w->speed[i] = uneven ? 0.25 + dtx_rng_unit(&w->rng) : 1.0;
        if (w->slots[i] > w->widest)
            w->widest = w->slots[i];
    }
    c->slots = w->slots;
    c->speed = w->speed;
    c->ahead = below(w, 4);
    c->start_spread_ns = once_in(w, 2) ? 0 : time_below(w, 20 * DTX_MSEC_NS);
    c->spawn_ns = once_in(w, 2) ? 0 : 500 * US;
    c->notice_ns = once_in(w, 2) ? 0 : time_below(w, 200 * US);
    c->recall_ns = once_in(w, 2) ? 0 : time_below(w, 50 * US);
    if (!once_in(w, 4)) {
        c->delay_ns = time_below(w, 200 * US);
        if (once_in(w, 2))
            c->delay_spread_ns = time_below(w, once_in(w, 4)
                                                   ? 20 * DTX_MSEC_NS
                                                   : 500 * US);
    }
    if (!once_in(w, 4)) {
        c->store_delay_ns = time_below(w, once_in(w, 4) ? 50 * DTX_MSEC_NS
                                                        : DTX_MSEC_NS);
        c->store_spread_ns = time_below(w, c->store_delay_ns);
    }
    c->detect_ns = time_below(w, 30 * DTX_MSEC_NS);
}

/* ---- the tasks ---- */

static int64_t draw_duration(struct world *w, uint32_t shape)
{
    double ms = 5.0;

    if (shape == 1)
        ms = 10.0 * dtx_rng_unit(&w->rng);
    else if (shape == 2)
        ms = dtx_rng_lognormal(&w->rng, 5.0, 2.0);
    else if (shape == 3)
        ms = once_in(w, 10) ? 50.0 : 0.5;
    else if (shape == 4)
        ms = 0.0;
    return (int64_t)((ms < 1000.0 ? ms : 1000.0) * 1e6);
}

static uint32_t draw_attr(struct world *w, bool wide, bool prios, bool retries)
{
    struct dtx_task_attr a = {
        .cpus = 1, .cwd = DTX_NO_TEXT, .env = DTX_NO_TEXT};
    uint32_t index;

    if (wide && once_in(w, 5))
        a.cpus = 1 + below(w, w->widest);
    if (prios && once_in(w, 2))
        a.prio = (int32_t)below(w, 5) - 2;
    if (retries && once_in(w, 3))
        a.retries = 1 + below(w, 4);
    if (once_in(w, 50))
        a.timeout_ns = once_in(w, 2) ? -1 : 2 * DTX_MSEC_NS;
    w->wide |= a.cpus > 1;
    need(dtx_tasklist_attr(&w->list, &a, &index) == 0);
    return index;
}

static void draw_tasks(struct world *w)
{
    uint32_t shape = below(w, 5), i, sick = below(w, 3), cured = below(w, 5);
    bool wide = once_in(w, 4), prios = once_in(w, 3), retries = once_in(w, 3);
    bool costs = once_in(w, 3);
    char text[32];

    w->ntasks = once_in(w, 4) ? below(w, 10) : below(w, 401);
    w->duration_ns = calloc(w->ntasks + 1u, sizeof(*w->duration_ns));
    w->failures = calloc(w->ntasks + 1u, 1);
    w->cost_s = calloc(w->ntasks + 1u, sizeof(*w->cost_s));
    need(w->duration_ns && w->failures && w->cost_s);
    need(dtx_tasklist_init(&w->list) == 0);
    for (i = 0; i < w->ntasks; i++) {
        int n = snprintf(text, sizeof(text), "task %" PRIu32, i + 1);

        w->duration_ns[i] = draw_duration(w, shape);
        if (sick > 0 && once_in(w, sick == 1 ? 50 : 8))
            w->failures[i] =
                once_in(w, 2) ? 255 : (uint8_t)(1 + below(w, cured + 1));
        w->cost_s[i] = once_in(w, 4)
                           ? -1.0f
                           : (float)((double)w->duration_ns[i] / 1e9);
        need(n > 0 && dtx_tasklist_add(&w->list, text, (size_t)n,
                                       draw_attr(w, wide, prios, retries), i,
                                       DTX_NO_TEXT) == 0);
    }
    if (costs) {
        w->sim.master.cost_s = w->cost_s;
        w->sim.master.longest_first = once_in(w, 2);
        w->sim.master.speeds = w->ntasks % 2 == 1; /* draws nothing */
    }
    w->sim.duration_ns = w->duration_ns;
    w->sim.failures = w->failures;
}

/* ---- the graph ---- */

static void edge(struct world *w, uint32_t before, uint32_t after)
{
    need(dtx_graph_edge(&w->graph, before, after) == 0);
}

/* A range of tasks, a gate behind it, and a range behind the gate. */
static void draw_fan(struct world *w)
{
    uint32_t a = below(w, w->ntasks), b = a + below(w, w->ntasks - a), gate, i;
    uint32_t c = b + 1 + below(w, 10);
    bool empty = once_in(w, 8); /* a gate that waits for nothing */

    need(dtx_graph_gate(&w->graph, &gate) == 0);
    for (i = a; i <= b && !empty; i++)
        edge(w, i, gate);
    for (i = c; i < w->ntasks && i < c + 20; i++)
        edge(w, gate, i);
}

/* A barrier after the task before which all must have ended; at times a second
 * one behind it. */
static void draw_barriers(struct world *w)
{
    uint32_t from = 0, at = below(w, w->ntasks), node, before = 0, i, k;

    for (k = 0; k < 2 && at < w->ntasks; k++) {
        need(dtx_graph_barrier(&w->graph, &node) == 0);
        if (k > 0)
            edge(w, before, node);
        for (i = from; i < at; i++)
            edge(w, i, node);
        for (i = at; i < w->ntasks && i < at + 50; i++)
            edge(w, node, i);
        before = node;
        from = at;
        at += 1 + below(w, 30);
    }
}

static void draw_graph(struct world *w)
{
    uint32_t shape = below(w, 6), n = w->ntasks, i, k, cycle, next;
    uint32_t width = 1 + below(w, 8);

    dtx_graph_init(&w->graph, n);
    for (i = 1; shape == 1 && i < n; i++) { /* anything later after earlier */
        for (k = below(w, 3); k > 0; k--)
            edge(w, below(w, i), i);
    }
    for (i = width; shape == 2 && i < n; i++) /* chains */
        edge(w, i - width, i);
    for (i = 0; shape == 3 && n > 0 && i < 1 + width / 2; i++)
        draw_fan(w);
    if (n > 0 && once_in(w, 3))
        draw_barriers(w);
    need(dtx_graph_seal(&w->graph, &cycle, &next) == 0);
}

/* ---- what happens ---- */

static void draw_faults(struct world *w)
{
    uint32_t n = below(w, WORLD_FAULTS + 1), i;

    if (w->sim.master.nranks < 2 || once_in(w, 2))
        return;
    for (i = 0; i < n; i++) {
        struct dtx_sim_fault *f = &w->fault[w->sim.nfaults++];

        f->kind = (enum dtx_sim_fault_kind)below(w, 3);
        f->rank = 1 + below(w, w->sim.master.nranks - 1);
        f->at_ns = time_below(w, w->span_ns + 1000);
        f->for_ns = time_below(w, 3 * w->sim.detect_ns);
    }
    if (once_in(w, 8))
        w->sim.never = 1 + below(w, w->sim.master.nranks - 1);
}

static void draw_stops(struct world *w)
{
    struct dtx_sim_config *c = &w->sim;
    uint32_t i;

    if (once_in(w, 8)) {
        c->stop_at_ns = 1 + time_below(w, w->span_ns);
        c->stop = once_in(w, 2) ? DTX_STOP_DRAIN : DTX_STOP_KILL;
    }
    for (i = once_in(w, 10) ? 1 + below(w, 2) : 0;
         i > 0 && c->nfaults < WORLD_FAULTS; i--)
        w->fault[c->nfaults++] = (struct dtx_sim_fault){
            .kind = DTX_SIM_STOPREQ,
            .rank = below(w, c->master.nranks),
            .at_ns = time_below(w, w->span_ns),
            .stop = once_in(w, 2) ? DTX_STOP_DRAIN : DTX_STOP_KILL,
        };
    if (once_in(w, 6)) {
        c->master.halt.how = once_in(w, 2) ? DTX_STOP_DRAIN : DTX_STOP_KILL;
        c->master.halt.on = (enum dtx_halt_on)below(w, 3);
        if (once_in(w, 2))
            c->master.halt.count = 1 + below(w, 4);
        else
            c->master.halt.percent = 5.0 + (double)below(w, 40);
    }
    if (once_in(w, 3))
        w->crashes = 1 + below(w, WORLD_CRASHES);
    for (i = 0; i < w->crashes; i++)
        w->crash_ns[i] = 1 + time_below(w, w->span_ns);
}

static void guess_span(struct world *w)
{
    double work = 0, slots = 0;
    uint32_t i;

    for (i = 0; i < w->ntasks; i++)
        work += (double)w->duration_ns[i] + (double)w->sim.spawn_ns;
    for (i = 0; i < w->sim.master.nranks; i++)
        slots += w->slots[i] * w->speed[i];
    w->span_ns = (int64_t)(work / slots) + w->sim.start_spread_ns +
                 4 * w->sim.delay_ns + 1000;
}

static void draw_master(struct world *w)
{
    struct dtx_master_config *m = &w->sim.master;
    size_t npolicies;
    const struct dtx_policy *policies = dtx_policy_table(&npolicies);

    m->epoch = 1 + below(w, 3);
    m->policy = once_in(w, 2)
                    ? NULL
                    : policies[below(w, (uint32_t)npolicies)].name;
    m->retries = below(w, 4);
    m->retry_pause_ns = once_in(w, 2) ? 0 : time_below(w, 10 * DTX_MSEC_NS);
    m->timeout_ns = once_in(w, 10) ? 20 * DTX_MSEC_NS : 0;
    m->timeout_percent = once_in(w, 6) ? 101 + below(w, 200) : 0;
    m->delay_ns = once_in(w, 8) ? 1 + time_below(w, 3 * DTX_MSEC_NS) : 0;
    m->depth_ns = once_in(w, 2) ? 0 : time_below(w, 40 * DTX_MSEC_NS);
    if (once_in(w, 3)) /* else no cascade would be cut */
        m->slice = 1 + below(w, 20);
    m->list = &w->list;
    m->graph = &w->graph;
}

/* Every third world without barriers has a live list: bursts of tasks, some of
 * them long after all before have ended. Drawn last, so that the other worlds
 * of a seed stay what they were. */
static void draw_stream(struct world *w)
{
    uint32_t burst = 1 + below(w, 60), left = 0, i;
    int64_t now = time_below(w, 5 * DTX_MSEC_NS), gap;

    if (!once_in(w, 3) || w->graph.nbarriers > 0)
        return;
    gap = time_below(w, w->span_ns) / (1 + w->ntasks / burst) *
          (int64_t)(1 + below(w, 3));
    w->arrive_ns = calloc(w->ntasks + 1u, sizeof(*w->arrive_ns));
    need(w->arrive_ns != NULL);
    for (i = 0; i < w->ntasks; i++) {
        if (left == 0) {
            left = 1 + below(w, burst);
            now += once_in(w, 4) ? 0 : time_below(w, 2 * gap);
        }
        left--;
        w->arrive_ns[i] = now;
    }
    w->sim.arrive_ns = w->arrive_ns;
    w->sim.close_ns = once_in(w, 2) ? 0 : time_below(w, 20 * DTX_MSEC_NS);
}

/* Every fifth world has a deadline, mostly one that cuts the job, and known
 * before it begins or late. Drawn behind the rest, as streams are. */
static void draw_deadline(struct world *w)
{
    struct dtx_sim_config *c = &w->sim;

    if (!once_in(w, 5))
        return;
    c->deadline_ns = 1 + time_below(w, 2 * w->span_ns);
    c->master.grace_ns = time_below(w, c->deadline_ns / 4);
    c->master.leave_ns = time_below(w, c->deadline_ns / 4);
    if (once_in(w, 2))
        c->deadline_told_ns = time_below(w, c->deadline_ns);
}

/* A quarter of the machines has processors that are busy, links that are slow
 * and ranks that sleep. Drawn last, so that the other worlds stay as they
 * are. */
static void draw_costs(struct world *w)
{
    struct dtx_sim_costs *c = &w->sim.cost;

    if (!once_in(w, 4) || w->sim.master.lost_after_ns > 0)
        return; /* who is busy may be silent for long */
    w->sim.ranks_per_node = (uint32_t)dtx_rng_below(&w->rng, 5);
    w->sim.near_ns = time_below(w, 100 * US);
    c->send_ns = time_below(w, 20 * US);
    c->recv_ns = time_below(w, 20 * US);
    c->frame_ns = time_below(w, 100 * US);
    c->task_ns = time_below(w, 100 * US);
    c->byte_ns = once_in(w, 2) ? 0 : 50;
    if (once_in(w, 2)) {
        c->nap_min_ns = 1 + time_below(w, 500 * US);
        c->nap_max_ns = c->nap_min_ns * 8;
    }
    w->costly = true;
}

/* In half the worlds ranks are listened to, and in half of those silence is
 * all that tells. Ranks that are well are never silent for so long. */
static void draw_heartbeats(struct world *w)
{
    struct dtx_sim_config *c = &w->sim;
    int64_t way = c->delay_ns + c->delay_spread_ns;
    uint32_t i;

    c->told = once_in(w, 2);
    c->master.crash_limit = once_in(w, 3) ? 1 + below(w, 3) : 0;
    if (once_in(w, 2))
        return;
    c->master.lost_after_ns =
        4 * way + DTX_MSEC_NS + time_below(w, 30 * DTX_MSEC_NS);
    c->unnoticed = once_in(w, 2);
    for (i = 0; i < c->nfaults; i++) {
        struct dtx_sim_fault *f = &w->fault[i];

        if (f->kind == DTX_SIM_HANG && once_in(w, 2))
            f->kind = DTX_SIM_CUT;
        if (f->kind == DTX_SIM_HANG || f->kind == DTX_SIM_CUT)
            f->for_ns = time_below(w, 3 * c->master.lost_after_ns);
    }
}

/* In every third world some tasks use much of the memory bandwidth of pools
 * that are ranks side by side; they need not last to be placed. */
static void draw_traffic(struct world *w)
{
    struct dtx_master_config *m = &w->sim.master;
    uint32_t pool = DTX_TRAFFIC_NONE, i;

    if (!once_in(w, 3))
        return;
    w->traffic = dtx_traffic_create(m->nranks);
    w->share = calloc(w->ntasks + 1u, sizeof(*w->share));
    need(w->traffic && w->share);
    for (i = 0; i < m->nranks; i++) {
        if (pool == DTX_TRAFFIC_NONE || once_in(w, 2))
            pool = dtx_traffic_add_pool(w->traffic, 1 + below(w, 3),
                                        1 + below(w, 6));
        need(pool != DTX_TRAFFIC_NONE);
        dtx_traffic_set_rank(w->traffic, i, pool);
    }
    for (i = 0; i < w->ntasks; i++)
        w->share[i] = once_in(w, 2) ? 0 : (float)(2 * dtx_rng_unit(&w->rng));
    m->traffic = w->traffic;
    m->share = w->share;
    m->depth_ns = 1 + time_below(w, DTX_MSEC_NS);
}

/* In half the worlds ranks are of nodes and switches, and ways cost. */
static void draw_zones(struct world *w)
{
    struct dtx_sim_config *c = &w->sim;
    uint32_t n = c->master.nranks, i, zone;

    if (once_in(w, 2))
        return;
    need(dtx_zones_init(&w->zones, n, 6) == 0);
    for (i = 0; i < n; i++) {
        need(dtx_zones_child(&w->zones, 0, 5, below(w, 3), &zone) == 0);
        if (!once_in(w, 3))
            need(dtx_zones_child(&w->zones, zone, 4, below(w, 4), &zone) == 0);
        dtx_zones_set(&w->zones, i, zone);
    }
    need(dtx_zones_seal(&w->zones) == 0);
    for (i = 0; i < DTX_WAYS; i++) {
        c->master.ways.ask_ns[i] = time_below(w, 10 * DTX_MSEC_NS);
        c->master.ways.move_ns[i] = time_below(w, 100 * DTX_MSEC_NS);
    }
    c->master.zones = &w->zones;
    w->zoned = true;
}

/* In every third world nodes, ranks side by side, have memory and devices for
 * which tasks ask; at times for more than any has. */
static void draw_needs(struct world *w)
{
    uint32_t n = 0, index, i;

    if (!once_in(w, 3))
        return;
    for (i = 0; i < w->sim.master.nranks; i++) {
        if (i == 0 || once_in(w, 2)) {
            w->mem_bytes[n] = 1 + (int64_t)below(w, 100);
            w->gpus[n++] = below(w, WORLD_GPUS + 1);
        }
        w->node[i] = n - 1;
    }
    for (i = 0; i < w->ntasks; i++) {
        struct dtx_task_attr a = *dtx_tasklist_attr_of(&w->list, i);

        a.mem_bytes = once_in(w, 3) ? 1 + (int64_t)below(w, 60) : 0;
        a.gpus = once_in(w, 6) ? 1 + below(w, WORLD_GPUS) : 0;
        need(dtx_tasklist_attr(&w->list, &a, &index) == 0);
        w->list.task[i].attr = index;
    }
    w->sim.needs = (struct dtx_sim_needs){w->node, w->mem_bytes, w->gpus};
}

struct dtx_stock *world_stock(const struct world *w)
{
    struct dtx_locus at = {DTX_MACHINE_NONE, DTX_MACHINE_NONE,
                           DTX_MACHINE_NONE, DTX_MACHINE_NONE};
    struct dtx_gpu gpu[WORLD_GPUS];
    struct dtx_stock *l;
    uint32_t i, node = 0, pool = 0;

    if (!w->sim.needs.node)
        return NULL;
    memset(gpu, 0, sizeof(gpu));
    l = dtx_stock_create(w->sim.master.nranks);
    need(l != NULL);
    for (i = 0; i < w->sim.master.nranks; i++) {
        if (i == 0 || w->node[i] != w->node[i - 1]) {
            node = dtx_stock_add_node(l, w->mem_bytes[w->node[i]]);
            pool = dtx_stock_add_pool(l, gpu, w->gpus[w->node[i]]);
            need(node != DTX_STOCK_NONE && pool != DTX_STOCK_NONE);
        }
        dtx_stock_set_rank(l, i, node, pool, &at);
    }
    return l;
}

/* In every third world others use the processors of some ranks for a while,
 * which may measure it. */
static void draw_crowds(struct world *w)
{
    struct dtx_sim_config *c = &w->sim;
    uint32_t n = once_in(w, 3) ? 1 + below(w, 3) : 0, i, k;

    c->others_ns = once_in(w, 4) ? -1 : time_below(w, 5 * DTX_MSEC_NS);
    for (i = 0; i < n && c->nfaults < WORLD_FAULTS; i++) {
        struct dtx_sim_fault f = {
            .kind = DTX_SIM_CROWD, .rank = below(w, c->master.nranks),
            .at_ns = time_below(w, w->span_ns),
            .for_ns = time_below(w, w->span_ns),
            .share = 0.9 * dtx_rng_unit(&w->rng)};

        for (k = 0; k < c->nfaults; k++) {
            if (w->fault[k].kind == DTX_SIM_CROWD &&
                w->fault[k].rank == f.rank)
                break;
        }
        if (k == c->nfaults)
            w->fault[c->nfaults++] = f;
    }
}

void world_make(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    dtx_rng_seed(&w->rng, seed);
    draw_machine(w);
    draw_tasks(w);
    draw_graph(w);
    draw_master(w);
    guess_span(w);
    draw_faults(w);
    draw_stops(w);
    w->sim.seed = dtx_rng_u64(&w->rng);
    draw_stream(w);
    draw_deadline(w);
    draw_heartbeats(w);
    w->sim.faults = w->fault;
    draw_costs(w);
    draw_zones(w);
    draw_traffic(w);
    draw_needs(w);
    draw_crowds(w);
    w->sim.measure_idle = !w->costly;
}

void world_free(struct world *w)
{
    free(w->duration_ns);
    free(w->arrive_ns);
    free(w->failures);
    free(w->cost_s);
    free(w->share);
    dtx_traffic_destroy(w->traffic);
    dtx_graph_fini(&w->graph);
    dtx_tasklist_fini(&w->list);
    dtx_zones_fini(&w->zones);
}

void world_show(const struct world *w)
{
    const struct dtx_sim_config *c = &w->sim;

    printf("# %u ranks, %u tasks, %zu edges, policy %s, way %lld+%lld us, "
           "store %lld us, %zu faults, stop %d, crashes %u, lost after %lld "
           "us%s%s%s%s%s%s%s%s\n",
           c->master.nranks, w->ntasks, w->graph.nedges,
           c->master.policy ? c->master.policy : "default",
           (long long)(c->delay_ns / US), (long long)(c->delay_spread_ns / US),
           (long long)(c->store_delay_ns / US), c->nfaults,
           c->stop_at_ns > 0 ? (int)c->stop : 0, w->crashes,
           (long long)(c->master.lost_after_ns / US),
           c->unnoticed ? ", unnoticed" : "",
           w->wide ? ", wide tasks" : "", w->arrive_ns ? ", live" : "",
           c->deadline_ns > 0 ? ", deadline" : "",
           w->costly ? ", costly" : "", w->zoned ? ", zones" : "",
           w->traffic ? ", traffic" : "",
           c->needs.node ? ", needs" : "");
}

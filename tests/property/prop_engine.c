/* SPDX-License-Identifier: MIT */
/* tests/property/prop_engine.c - the engine in random worlds
 *
 *     prop_engine [--seeds A-B] [--seed N] [--trace]
 *
 * Each seed draws a job, a machine and its misfortunes (world.h) and runs the
 * real engine on the simulator, which checks every action against its own
 * model (sim/sim_check.c).  A world with crashes goes on from its journal in
 * further sessions, as a resume does.  Here the things are checked that need
 * the whole: the same seed gives the same run, sessions together give every
 * task one outcome, and no slot stays free longer than dtx_sim_idle_bound
 * while another rank holds work.  A seed that fails prints the command which
 * replays it.
 *
 * DTX_PROP_SEEDS=N runs the first N; TEST_LONG=1 runs 20,000.  Without a choice
 * the seeds that found something once are run as well.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "world.h"

enum { SEEDS = 2000, LONG_SEEDS = 20000 };

/* What failed once, beyond those. */
static const uint64_t found[] = {
    28643,  /* granted near the deadline, called back, and granted again */
    78207,  /* frames to a rank that hung overtook each other */
    81125,  /* a timer for now came before the event it waited for, for ever */
    9679,   /* what a task asked for had only nodes that were not looked at */
    178125, /* the job was over while a rank was reserved for a task */
};

struct totals {
    uint64_t events, worlds, sessions, steals, refused, lost;
    uint64_t ok, failed, skipped, left;
    int64_t idle_ns, excess_ns;
};

/* What the sessions of a world leave behind. */
struct memory {
    uint8_t *prior;
    uint16_t *attempts;
    uint8_t *losses;
    uint64_t hash;
};

static bool tracing;

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
}

static bool complain(const char *what)
{
    printf("# %s\n", what);
    return false;
}

/* Learn from the journal as a resume does. False when it contradicts what was
 * there. */
static bool remember(struct memory *m, const struct dtx_sim *sim)
{
    size_t n, i;
    const struct dtx_sim_record *r = dtx_sim_journal(sim, &n);

    for (i = 0; i < n; i++) {
        const struct dtx_outcome *o = &r[i].outcome;

        if (m->prior[o->task] != DTX_PRIOR_NONE)
            return complain("a task has two final outcomes");
        if (o->attempt <= m->attempts[o->task])
            return complain("an attempt number is recorded twice");
        m->attempts[o->task] = (uint16_t)o->attempt;
        if (o->status == DTX_STATUS_LOST)
            m->losses[o->task]++;
        if (r[i].final)
            m->prior[o->task] = o->status == DTX_STATUS_OK
                                    ? DTX_PRIOR_OK
                                    : DTX_PRIOR_FAILED;
    }
    return true;
}

/* Is the idle time of this world to be judged? Reserved slots of wide tasks,
 * those beside tasks that wait for memory, and those of a rank that stands back
 * since it is slow, are free on purpose. */
static bool judges_idle(const struct world *w)
{
    const char *policy = w->sim.master.policy;

    return w->sim.master.delay_ns == 0 &&
           !w->wide && !w->sim.needs.node &&
           !(w->sim.master.speeds && w->sim.master.cost_s) &&
           (!policy || strcmp(policy, "steal") == 0);
}

static bool check_idle(const struct world *w, const struct dtx_sim_result *r,
                       struct totals *t)
{
    int64_t excess = r->idle.excess_ns;
    uint32_t i;

    if (!judges_idle(w))
        return true;
    /* whoever asked a rank in vain learns it when the rank counts as lost, or
     * goes on */
    for (i = 0; i < w->sim.nfaults; i++) {
        if (w->fault[i].kind != DTX_SIM_STOPREQ &&
            w->fault[i].kind != DTX_SIM_CROWD)
            excess -= w->sim.detect_ns + 2 * w->sim.master.lost_after_ns +
                      w->sim.delay_ns + w->sim.delay_spread_ns;
    }
    if (excess > t->excess_ns)
        t->excess_ns = excess;
    if (w->sim.nfaults == 0 && r->idle.ns > t->idle_ns)
        t->idle_ns = r->idle.ns;
    if (excess <= 0)
        return true;
    printf("# a slot was free for %lld ns beside work (%" PRIu64
           " yields), %lld ns too long\n",
           (long long)r->idle.ns, r->idle.yields, (long long)excess);
    return false;
}

static void count(struct totals *t, const struct dtx_sim_result *r)
{
    t->events += r->events;
    t->sessions++;
    t->steals += r->stats.steals;
    t->refused += r->refused;
    t->lost += r->stats.lost;
    t->ok += r->stats.ok - r->stats.prior_ok;
    t->failed += r->stats.failed - r->stats.prior_failed;
    t->skipped += r->stats.skipped;
    t->left += r->stats.left;
}

/* One session; 'last' has no crash. */
static bool run_session(struct world *w, uint32_t session, struct memory *m,
                        struct totals *t)
{
    struct dtx_sim_config c = w->sim;
    struct dtx_sim_result r;
    struct dtx_error err = {0};
    struct dtx_sim *sim;
    bool good;

    c.seed += session;
    c.master.epoch += session;
    c.master.prior = m->prior;
    c.master.attempts = m->attempts;
    c.master.losses = m->losses;
    c.crash_at_ns = session < w->crashes ? w->crash_ns[session] : 0;
    c.trace = tracing ? print_line : NULL;
    c.master.stock = world_stock(w);
    if (tracing)
        printf("# session %u\n", session + 1);
    sim = dtx_sim_create(&c, &err);
    good = sim && dtx_sim_run(sim, &r, &err) == 0;
    if (!good)
        printf("# %s\n", err.text);
    if (good) {
        good = remember(m, sim) && check_idle(w, &r, t);
        m->hash = dtx_hash128(&r.hash, sizeof(r.hash), m->hash).lo;
        count(t, &r);
    }
    dtx_sim_destroy(sim);
    dtx_stock_destroy(c.master.stock);
    return good;
}

static bool run_sessions(struct world *w, struct totals *t, uint64_t *hash)
{
    struct memory m = {calloc(w->ntasks + 1u, 1),
                       calloc(w->ntasks + 1u, sizeof(uint16_t)),
                       calloc(w->ntasks + 1u, 1), 0};
    bool good = m.prior && m.attempts && m.losses;
    uint32_t i;

    for (i = 0; good && i <= w->crashes; i++)
        good = run_session(w, i, &m, t);
    *hash = m.hash;
    free(m.prior);
    free(m.attempts);
    free(m.losses);
    return good;
}

static bool run_seed(uint64_t seed, struct totals *t)
{
    struct totals scratch = *t;
    struct world w;
    uint64_t hash = 0, again = 0;
    bool good;

    world_make(&w, seed);
    if (tracing)
        world_show(&w);
    good = run_sessions(&w, t, &hash);
    t->worlds++;
    if (good && !tracing && seed % 4 == 0) {
        world_free(&w);
        world_make(&w, seed);
        good = run_sessions(&w, &scratch, &again);
        if (good && hash != again)
            good = complain("the same seed gave another run");
    }
    if (!good)
        world_show(&w);
    world_free(&w);
    return good;
}

/* False after saying how to see it again. */
static bool try_seed(uint64_t seed, struct totals *t, const char *self)
{
    if (run_seed(seed, t))
        return true;
    printf("not ok - replay with: %s --seed %" PRIu64 " --trace\n", self,
           seed);
    (void)fflush(stdout);
    return false;
}

static bool read_number(const char *s, uint64_t *n)
{
    int64_t v;

    if (!s || dtx_parse_int(s, 0, INT64_MAX, &v))
        return false;
    *n = (uint64_t)v;
    return true;
}

static bool read_range(const char *s, uint64_t *from, uint64_t *to)
{
    const char *dash = s ? strchr(s, '-') : NULL;
    char first[24];

    if (!dash || (size_t)(dash - s) >= sizeof(first))
        return false;
    memcpy(first, s, (size_t)(dash - s));
    first[dash - s] = '\0';
    return read_number(first, from) && read_number(dash + 1, to);
}

static bool read_arguments(int argc, char **argv, uint64_t *from, uint64_t *to)
{
    bool good = true;
    int i;

    *from = 1;
    *to = getenv("TEST_LONG") ? LONG_SEEDS : SEEDS;
    if (getenv("DTX_PROP_SEEDS"))
        good = read_number(getenv("DTX_PROP_SEEDS"), to);
    for (i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            tracing = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            good = read_number(argv[++i], from);
            *to = *from;
        } else {
            good = strcmp(argv[i], "--seeds") == 0 &&
                   read_range(argv[++i], from, to);
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    struct totals t = {.excess_ns = INT64_MIN / 2};
    uint64_t from, to, seed, bad = 0;
    clock_t begin = clock();
    double seconds;
    size_t i;

    if (!read_arguments(argc, argv, &from, &to)) {
        (void)fprintf(stderr, "usage: %s [--seeds A-B | --seed N] [--trace]\n",
                      argv[0]);
        return EXIT_FAILURE;
    }
    for (i = 0; argc == 1 && i < sizeof(found) / sizeof(found[0]); i++)
        bad += !try_seed(found[i], &t, argv[0]);
    for (seed = from; seed <= to && bad < 10; seed++)
        bad += !try_seed(seed, &t, argv[0]);
    seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    printf("# %" PRIu64 " worlds, %" PRIu64 " sessions, %" PRIu64
           " events, %.1f s, %.0f events per second\n",
           t.worlds, t.sessions, t.events, seconds,
           seconds > 0 ? (double)t.events / seconds : 0.0);
    printf("# tasks: %" PRIu64 " ok, %" PRIu64 " failed, %" PRIu64
           " skipped, %" PRIu64 " left; %" PRIu64 " attempts lost, %" PRIu64
           " outcomes refused, %" PRIu64 " steals\n",
           t.ok, t.failed, t.skipped, t.left, t.lost, t.refused, t.steals);
    printf("# longest idle slot beside work, in worlds without faults: %lld "
           "us\n",
           (long long)(t.idle_ns / 1000));
    printf("%s 1 - engine in %" PRIu64 " random worlds\n",
           bad ? "not ok" : "ok", t.worlds);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

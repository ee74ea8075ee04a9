/* SPDX-License-Identifier: MIT */
/* Steals: who gives back what it has not started, and for whom.
 *
 * A thief looks at the slowest rank of each zone that it is in itself (its
 * NUMA node, its node, its switch, ...), and weighs by how much that one would
 * be done earlier against the way: what comes from far comes late, and more of
 * it is taken.  Where two bring about the same, the nearer one is robbed:
 * predictions are no better than that.  After Min, Iancu and Yelick,
 * "Hierarchical work stealing on manycore clusters", PGAS 2011; that a way is a
 * time for which the thief stands idle: Gast, Khatiri, Trystram and Wagner, "A
 * new analysis of work stealing with latency", JPDC 153, 2021.
 *
 * A theft whose way takes longer than what is left is put off, as what is left
 * may be done by then; but no longer than the way takes, since predictions can
 * be wrong (the rule of the ski rental: Karlin, Manasse, Rudolph and Sleator,
 * "Competitive snoopy caching", Algorithmica 3, 1988).
 *
 * Every choice costs the logarithm of ranks for each zone in one another;
 * nothing here looks at all ranks. */
#include <math.h>

#include "engine/master_state.h"
#include "task/distance.h"

/* Zones in one another that a thief looks at. */
#define MOST_RINGS 12
/* Gains that differ by less than this part are alike. */
#define ALIKE 0.1
/* While the way takes longer than what is left, a thief looks again so many
 * times on the way's time, but not more often than this. */
#define LOOKS 8
#define LOOK_NS INT64_C(100000)

uint64_t dtx_master_spare(const struct dtx_rank *k)
{
    uint64_t queued = k->used > k->slots ? k->used - k->slots : 0;

    return k->waiting < queued ? k->waiting : queued;
}

void dtx_master_yield(struct dtx_master *m, uint32_t victim, uint32_t count,
                      uint32_t thief)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELD};

    msg.u.yield.count = count;
    m->rank[victim].yield_pending = true;
    m->rank[victim].thief = thief;
    m->st.yields++;
    if (count == UINT32_MAX)
        dtx_master_trace(m, "rank %u to yield all", victim);
    else
        dtx_master_trace(m, "rank %u to yield %u", victim, count);
    dtx_master_send(m, victim, msg);
    dtx_master_rank_changed(m, victim);
}

/* ---- victims ---- */

/* A victim, and what robbing it would bring the thief in hand. */
struct prey {
    uint32_t rank;
    uint32_t distance; /* of the thief */
    double way_s, gain_s;
};

/* How long it will take with what it has, its slots together. */
static double left_s(const struct dtx_master *m, const struct dtx_rank *v)
{
    if (m->cost_s)
        return dtx_master_wait_s(m, v);
    /* as those take that ended lately, not as was thought at the grants */
    return (double)v->used * dtx_master_cost_s(m, v->head) * v->slow /
           v->slots;
}

static struct prey prey_of(const struct dtx_master *m, uint32_t thief,
                           uint32_t victim)
{
    const struct dtx_zones *z = m->c.zones;
    const struct dtx_rank *v = &m->rank[victim];
    struct prey p = {.rank = victim};

    p.distance = dtx_zones_distance(z, thief, victim);
    p.way_s = (double)(dtx_way_ns(m->c.ways.ask_ns,
                                  dtx_zones_distance(z, 0, victim)) +
                       dtx_way_ns(m->c.ways.move_ns, p.distance)) / 1e9;
    p.gain_s = dtx_policy_gain_s(left_s(m, v), p.way_s, v->slots,
                                 m->rank[thief].slots);
    return p;
}

/* The slowest rank of each zone that the thief is in, from the smallest zone
 * on, where it is not that of a smaller one. Returns how many. */
static size_t look_around(struct dtx_master *m, uint32_t thief,
                          struct prey *prey)
{
    const struct dtx_zones *z = m->c.zones;
    uint32_t i = z->of[thief], last = NO_RANK;
    size_t n = 0;

    for (;;) {
        uint32_t v = dtx_tourney_first_of(&m->rich, z->zone[i].first,
                                          z->zone[i].end);

        m->items++;
        if (v != DTX_HEAP_NONE && v != last)
            prey[n++] = prey_of(m, thief, v);
        last = v;
        if (i == 0)
            return n;
        /* of very many zones in one another the largest still counts */
        i = n + 1 < MOST_RINGS ? z->zone[i].parent : 0;
    }
}

/* '+' is so much earlier, '-' longer for the way than there is to gain. */
static void trace_prey(struct dtx_master *m, const char *what, uint32_t thief,
                       const struct prey *p)
{
    if (m->c.trace && m->c.zones)
        dtx_master_trace(m, "rank %u %s rank %u, %s: %+.4f s", thief, what,
                         p->rank, dtx_distance_name(p->distance), p->gain_s);
}

/* The nearest of those that bring about as much as the best does. */
static struct prey choose(struct dtx_master *m, uint32_t thief)
{
    struct prey prey[MOST_RINGS];
    size_t n, i, best = 0;
    double least;

    if (!m->c.zones)
        return (struct prey){.rank = dtx_tourney_first(&m->rich)};
    n = look_around(m, thief, prey);
    for (i = 1; i < n; i++) {
        if (prey[i].gain_s > prey[best].gain_s)
            best = i;
    }
    least = prey[best].gain_s - ALIKE * fabs(prey[best].gain_s);
    for (i = 0; i < best && prey[i].gain_s < least;)
        i++;
    for (best = 0; best < n; best++) {
        if (best != i)
            trace_prey(m, "could rob", thief, &prey[best]);
    }
    return prey[i];
}

/* ---- thieves ---- */

/* Is the way longer than what is left there, and has the thief not waited yet
 * for as long as the way takes? */
static bool better_not(const struct dtx_master *m, uint32_t thief,
                       const struct prey *p)
{
    double waited = (double)(m->now_ns - m->rank[thief].hungry_ns) / 1e9;

    return p->gain_s <= 0 && waited < p->way_s;
}

static void put_off(struct dtx_master *m, uint32_t thief, const struct prey *p)
{
    struct dtx_rank *k = &m->rank[thief];
    int64_t pause = (int64_t)(p->way_s / LOOKS * 1e9);

    k->patient_ns = m->now_ns + (pause > LOOK_NS ? pause : LOOK_NS);
    trace_prey(m, "does not rob", thief, p);
    dtx_master_rank_changed(m, thief);
}

static void look_again(struct dtx_master *m)
{
    uint32_t r;

    while ((r = dtx_keyheap_top(&m->patient)) != DTX_HEAP_NONE &&
           m->rank[r].patient_ns <= m->now_ns && dtx_master_spend(m)) {
        m->rank[r].patient_ns = 0;
        dtx_master_rank_changed(m, r);
    }
}

void dtx_master_steal(struct dtx_master *m)
{
    look_again(m);
    while (m->policy->steals && m->hungry.len > 0 &&
           dtx_tourney_first(&m->rich) != DTX_HEAP_NONE &&
           dtx_master_spend(m)) {
        uint32_t thief = dtx_keyheap_top(&m->hungry), n;
        struct prey p = choose(m, thief);

        if (better_not(m, thief, &p)) {
            put_off(m, thief, &p);
            continue;
        }
        trace_prey(m, "robs", thief, &p);
        n = dtx_master_loot(m, p.rank, thief,
                            dtx_master_spare(&m->rank[p.rank]), p.way_s);
        m->rank[thief].asking = true;
        dtx_master_rank_changed(m, thief);
        dtx_master_yield(m, p.rank, n, thief);
    }
}

int64_t dtx_master_steal_due(const struct dtx_master *m)
{
    uint32_t r = dtx_keyheap_top(&m->patient);

    if (r == DTX_HEAP_NONE || dtx_tourney_first(&m->rich) == DTX_HEAP_NONE ||
        m->ready.len > 0)
        return NEVER;
    return m->rank[r].patient_ns;
}

/* ---- what is called back ---- */

void dtx_master_call_back(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->alive && !m->stopping && !k->yield_pending &&
        dtx_master_spare(k) > 0)
        dtx_master_yield(m, r, UINT32_MAX, NO_RANK);
}

void dtx_master_reclaim(struct dtx_master *m, uint32_t r)
{
    const struct dtx_rank *k = &m->rank[r];

    if (k->reserved != DTX_NO_TASK && !m->stopping && dtx_master_spare(k) > 0)
        dtx_master_yield(m, r, UINT32_MAX, NO_RANK);
}

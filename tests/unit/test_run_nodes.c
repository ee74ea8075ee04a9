/* SPDX-License-Identifier: MIT */
/* tests/unit/test_run_nodes.c - zones from cards
 *
 * Ranks that are bound to one core each, anywhere: how far two are apart by the
 * zones must be what their cards say.  Ranks that share all cores of a node
 * divide them.
 */
#include "run/nodes.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "run/place.h"
#include "sched/traffic.h"
#include "sched/zones.h"
#include "task/machine.h"

enum { RANKS = 24, CORES = 16 };

static struct dtx_card card[RANKS];

/* Two packages of two NUMA nodes of two caches of two cores. */
static struct dtx_locus locus_of(uint32_t core)
{
    return (struct dtx_locus){core, core / 2, core / 4, core / 8};
}

static void deal(uint32_t r, uint32_t node, uint32_t from, uint32_t n,
                 const char *path)
{
    struct dtx_machine m;

    dtx_machine_init(&m);
    m.cores = CORES;
    for (; n > 0; n--, from++) {
        struct dtx_locus at = locus_of(from);

        ck_assert(dtx_machine_add_core(&m, &at));
    }
    (void)snprintf(m.path, sizeof(m.path), "%s", path);
    memset(&card[r], 0, sizeof(card[r]));
    (void)snprintf(card[r].host, sizeof(card[r].host), "n%u", node);
    dtx_card_place(&card[r], &m);
    dtx_machine_free(&m);
}

/* Paths of node k: two levels of switches, unless somebody does not know. */
static const char *path_of(uint32_t node, bool known)
{
    static char path[32];

    (void)snprintf(path, sizeof(path), "s%u.leaf%u", node / 4, node / 2);
    return known || node != 3 ? path : "";
}

START_TEST(zones_say_what_cards_say)
{
    struct dtx_zones z;
    struct dtx_nodes t;
    struct dtx_rng rng;
    uint32_t i, j;
    bool known = _i % 2 == 0;

    dtx_rng_seed(&rng, (uint64_t)_i);
    for (i = 0; i < RANKS; i++) {
        uint32_t node = i < 8 ? i : (uint32_t)dtx_rng_below(&rng, 8);

        deal(i, node, (uint32_t)dtx_rng_below(&rng, CORES), 1,
             path_of(node, known));
    }
    ck_assert_int_eq(dtx_nodes_init(&t, card, RANKS), DTX_OK);
    ck_assert_uint_eq(t.n, 8);
    ck_assert_int_eq(dtx_nodes_zones(&t, card, RANKS, &z), DTX_OK);
    for (i = 0; i < RANKS; i++) {
        for (j = 0; j < RANKS; j++) {
            uint32_t d = dtx_card_distance(&card[i], 0, &card[j], 0);

            if (i == j)
                d = DTX_NEAR_CORE;
            else if (d == DTX_NEAR_CORE)
                d = DTX_NEAR_CACHE; /* two ranks are not one */
            if (!known && d > DTX_NEAR_SWITCH)
                d = DTX_NEAR_SWITCH; /* not all know where they are */
            ck_assert_uint_eq(dtx_zones_distance(&z, i, j), d);
        }
    }
    dtx_zones_fini(&z);
    dtx_nodes_fini(&t);
}
END_TEST

/* How far the first rank of a node is from the others, when so many share all
 * its cores. */
static const struct {
    uint32_t ranks;
    uint32_t far[8];
} shared[] = {
    {2, {DTX_NEAR_NODE}},
    {4, {DTX_NEAR_PACKAGE, DTX_NEAR_NODE, DTX_NEAR_NODE}},
    {8,
     {DTX_NEAR_NUMA, DTX_NEAR_PACKAGE, DTX_NEAR_PACKAGE, DTX_NEAR_NODE,
      DTX_NEAR_NODE, DTX_NEAR_NODE, DTX_NEAR_NODE}},
    /* of five the second has cores of two NUMA nodes, the third of two
     * packages */
    {5,
     {DTX_NEAR_PACKAGE, DTX_NEAR_NODE, DTX_NEAR_NODE, DTX_NEAR_NODE}},
};

START_TEST(ranks_divide_a_node)
{
    struct dtx_zones z;
    struct dtx_nodes t;
    uint32_t n = shared[_i].ranks, i;

    for (i = 0; i < n; i++)
        deal(i, 0, 0, CORES, "");
    ck_assert_int_eq(dtx_nodes_init(&t, card, n), DTX_OK);
    ck_assert_int_eq(dtx_nodes_zones(&t, card, n, &z), DTX_OK);
    for (i = 1; i < n; i++)
        ck_assert_uint_eq(dtx_zones_distance(&z, 0, i),
                          shared[_i].far[i - 1]);
    dtx_zones_fini(&z);
    dtx_nodes_fini(&t);
}
END_TEST

START_TEST(cards_that_know_nothing)
{
    struct dtx_zones z;
    struct dtx_nodes t;

    memset(card, 0, sizeof(card));
    (void)snprintf(card[1].host, sizeof(card[1].host), "other");
    ck_assert_int_eq(dtx_nodes_init(&t, card, 3), DTX_OK);
    ck_assert_int_eq(dtx_nodes_zones(&t, card, 3, &z), DTX_OK);
    ck_assert_uint_eq(dtx_zones_distance(&z, 0, 1), DTX_NEAR_SWITCH);
    ck_assert_uint_eq(dtx_zones_distance(&z, 0, 2), DTX_NEAR_NODE);
    dtx_zones_fini(&z);
    dtx_nodes_fini(&t);
}
END_TEST

START_TEST(ways_do_not_shorten_with_distance)
{
    struct dtx_ways w;
    uint32_t i;

    dtx_nodes_ways(&w);
    ck_assert_int_eq(w.ask_ns[DTX_NEAR_CORE], 0);
    for (i = 1; i < DTX_WAYS; i++) {
        ck_assert_int_ge(w.ask_ns[i], w.ask_ns[i - 1]);
        ck_assert_int_ge(w.move_ns[i], w.move_ns[i - 1]);
    }
}
END_TEST

/* ---- memory ---- */

static const struct memory_case {
    uint32_t ranks;
    int32_t jobs; /* slots of the node; 0: one for each core */
    struct {
        uint32_t from, n; /* cores it may use */
    } of[3];
    struct dtx_traffic_reach want[3];
} memory[] = {
    {1, 0, {{0, 16}}, {{0, 0, 3, 16}}},
    {1, 0, {{5, 2}}, {{0, 0, 0, 2}}}, /* the second of four is the only */
    {1, 0, {{2, 4}}, {{0, 0, 1, 4}}},
    {1, 40, {{0, 16}}, {{0, 0, 3, 40}}},
    {2, 0, {{0, 16}, {0, 16}}, {{0, 0, 1, 8}, {0, 2, 3, 8}}},
    {3, 0, {{0, 16}, {0, 16}, {0, 16}},
     {{0, 0, 1, 6}, {0, 1, 2, 5}, {0, 2, 3, 5}}},
    /* each its own: the first and the last NUMA node, side by side here */
    {2, 0, {{0, 4}, {12, 4}}, {{0, 0, 0, 4}, {0, 1, 1, 4}}},
    {2, 0, {{0, 0}, {0, 0}}, {{0, 0, 0, 1}, {0, 0, 0, 1}}}, /* not known */
};

START_TEST(memory_of_ranks)
{
    const struct memory_case *c = &memory[_i];
    struct dtx_jobs jobs = {.how = DTX_JOBS_CORES};
    struct dtx_traffic_reach reach[3];
    struct dtx_share each[3];
    struct dtx_nodes t;
    uint32_t i, k;

    for (i = 0; i < c->ranks; i++) {
        deal(i, 0, c->of[i].from, c->of[i].n, "");
        card[i].ncores = c->of[i].n;
        for (k = c->of[i].from; k < c->of[i].from + c->of[i].n; k++)
            card[i].pus[k / 8] |= (uint8_t)(1u << k % 8);
    }
    if (c->jobs)
        jobs = (struct dtx_jobs){.how = DTX_JOBS_COUNT, .n = c->jobs};
    ck_assert_int_eq(dtx_nodes_init(&t, card, c->ranks), DTX_OK);
    ck_assert_int_eq(dtx_shares_of(card, c->ranks, &jobs, each), DTX_OK);
    ck_assert_int_eq(dtx_nodes_memory(&t, card, c->ranks, each, reach),
                     DTX_OK);
    for (i = 0; i < c->ranks; i++) {
        ck_assert_uint_eq(reach[i].node, c->want[i].node);
        ck_assert_uint_eq(reach[i].first, c->want[i].first);
        ck_assert_uint_eq(reach[i].last, c->want[i].last);
        ck_assert_uint_eq(reach[i].slots, c->want[i].slots);
    }
    dtx_nodes_fini(&t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/nodes");
    TCase *c = tcase_create("nodes");

    tcase_add_loop_test(c, zones_say_what_cards_say, 0, 20);
    tcase_add_loop_test(c, ranks_divide_a_node, 0, DTX_COUNT(shared));
    tcase_add_test(c, cards_that_know_nothing);
    tcase_add_loop_test(c, memory_of_ranks, 0, DTX_COUNT(memory));
    tcase_add_test(c, ways_do_not_shorten_with_distance);
    suite_add_tcase(s, c);
    return dtx_check_main(s);
}

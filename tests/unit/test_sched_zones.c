/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_zones.c - the tree of zones against plain numbers
 *
 * Ranks with random addresses (switch, node, package); how far two are apart
 * and which ranks stand side by side is told by the addresses alone.
 */
#include "base/rng.h"
#include "check_main.h"
#include "sched/zones.h"
#include "task/distance.h"

#include <string.h>

enum { RANKS = 120, DEEP = 3 };

static const uint32_t level[DEEP] = {DTX_NEAR_SWITCH, DTX_NEAR_NODE,
                                     DTX_NEAR_PACKAGE};

static uint32_t expected(uint32_t (*at)[DEEP], uint32_t a, uint32_t b)
{
    uint32_t k = 0;

    if (a == b)
        return DTX_NEAR_CORE;
    while (k < DEEP && at[a][k] == at[b][k])
        k++;
    return k == 0 ? DTX_NEAR_SWITCH + 1 : level[k - 1];
}

static void fill(struct dtx_zones *z, uint32_t (*at)[DEEP], uint32_t n)
{
    uint32_t i, k, zone;

    ck_assert_int_eq(dtx_zones_init(z, n, DTX_NEAR_SWITCH + 1), 0);
    for (i = 0; i < n; i++) {
        for (k = zone = 0; k < DEEP; k++)
            ck_assert_int_eq(
                dtx_zones_child(z, zone, level[k], at[i][k], &zone), 0);
        dtx_zones_set(z, i, zone);
    }
    ck_assert_int_eq(dtx_zones_seal(z), 0);
}

/* Each zone is the stretch of those that are in it, and no others. */
static void check_stretches(const struct dtx_zones *z)
{
    uint32_t i, k, r;

    for (i = 0; i < z->n; i++) {
        uint32_t size = 0;

        for (r = 0; r < z->nranks; r++) {
            bool in = z->of[r] == i || i == 0;

            for (k = z->of[r]; k != 0 && !in; k = z->zone[k].parent)
                in = k == i;
            size += in;
            ck_assert(in == (z->place[r] >= z->zone[i].first &&
                             z->place[r] < z->zone[i].end));
        }
        ck_assert_uint_eq(size, z->zone[i].end - z->zone[i].first);
    }
}

START_TEST(distances_are_those_of_the_addresses)
{
    static uint32_t at[RANKS][DEEP];
    struct dtx_zones z;
    struct dtx_rng rng;
    uint32_t n, i, j, k;
    bool seen[RANKS] = {false};

    dtx_rng_seed(&rng, (uint64_t)_i);
    n = 1 + (uint32_t)dtx_rng_below(&rng, RANKS);
    for (i = 0; i < n; i++)
        for (k = 0; k < DEEP; k++)
            at[i][k] = (uint32_t)dtx_rng_below(&rng, 3);
    fill(&z, at, n);
    check_stretches(&z);
    for (i = 0; i < n; i++) {
        ck_assert(!seen[z.place[i]]);
        seen[z.place[i]] = true;
        for (j = 0; j < n; j++)
            ck_assert_uint_eq(dtx_zones_distance(&z, i, j),
                              expected(at, i, j));
    }
    dtx_zones_fini(&z);
}
END_TEST

START_TEST(one_zone_has_all)
{
    struct dtx_zones z;

    ck_assert_int_eq(dtx_zones_init(&z, 3, DTX_NEAR_NODE), 0);
    ck_assert_int_eq(dtx_zones_seal(&z), 0);
    ck_assert_uint_eq(dtx_zones_distance(&z, 0, 2), DTX_NEAR_NODE);
    ck_assert_uint_eq(z.zone[0].end, 3);
    dtx_zones_fini(&z);
    dtx_zones_fini(&z);
}
END_TEST

START_TEST(ways_beyond_the_last_cost_as_the_last)
{
    int64_t way[DTX_WAYS] = {1};

    way[DTX_WAYS - 1] = 7;
    ck_assert_int_eq(dtx_way_ns(way, 0), 1);
    ck_assert_int_eq(dtx_way_ns(way, DTX_WAYS - 1), 7);
    ck_assert_int_eq(dtx_way_ns(way, 4000), 7);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched/zones");
    TCase *c = tcase_create("zones");

    tcase_add_loop_test(c, distances_are_those_of_the_addresses, 0, 40);
    tcase_add_test(c, one_zone_has_all);
    tcase_add_test(c, ways_beyond_the_last_cost_as_the_last);
    suite_add_tcase(s, c);
    return dtx_check_main(s);
}

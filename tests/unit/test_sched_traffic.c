/* SPDX-License-Identifier: MIT */
/* Who is heavy, how many fit, and that what is given back leaves nothing. */
#include "sched/traffic.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "check_main.h"

/* Ranks 0 and 1 share four NUMA nodes of 64 slots, rank 2 has one of 8. */
static struct dtx_traffic *make(void)
{
    struct dtx_traffic *t = dtx_traffic_create(3);
    uint32_t big, small;

    ck_assert(t != NULL);
    big = dtx_traffic_add_pool(t, 4, 64);
    small = dtx_traffic_add_pool(t, 1, 8);
    dtx_traffic_set_rank(t, 0, big);
    dtx_traffic_set_rank(t, 1, big);
    dtx_traffic_set_rank(t, 2, small);
    return t;
}

START_TEST(test_parts)
{
    ck_assert_uint_eq(dtx_traffic_parts(0.25), DTX_TRAFFIC_ONE / 4);
    ck_assert_uint_eq(dtx_traffic_parts(0), 0);
    ck_assert_uint_eq(dtx_traffic_parts(-1), 0);
    ck_assert_uint_eq(dtx_traffic_parts(NAN), 0);
    ck_assert_uint_eq(dtx_traffic_parts(INFINITY), 64 * DTX_TRAFFIC_ONE);
}
END_TEST

START_TEST(test_heavy)
{
    struct dtx_traffic *t = make();

    ck_assert_uint_eq(dtx_traffic_nodes(t), 5);
    /* 16 slots share a NUMA node: a sixteenth each is all there is */
    ck_assert(!dtx_traffic_is_heavy(t, dtx_traffic_parts(1.0 / 16)));
    ck_assert(dtx_traffic_is_heavy(t, dtx_traffic_parts(1.0 / 15)));
    ck_assert(!dtx_traffic_is_heavy(t, 0));
    dtx_traffic_destroy(t);
}
END_TEST

/* Share of a NUMA node, how many fit into four of them. */
static const struct {
    double share;
    uint32_t n;
} fit[] = {{1.0, 4}, {0.5, 8}, {0.25, 16}, {0.3, 12}, {0.7, 4}, {2.0, 4}};

START_TEST(test_fits)
{
    struct dtx_traffic *t = make();
    uint32_t parts = dtx_traffic_parts(fit[_i].share), n = 0;

    while (n < 1000 && dtx_traffic_fits(t, n % 2, parts)) {
        dtx_traffic_take(t, n % 2, parts);
        n++;
    }
    ck_assert_uint_eq(n, fit[_i].n);
    ck_assert(dtx_traffic_fits(t, 2, parts)); /* another pool */
    dtx_traffic_give(t, 0, parts);
    ck_assert(dtx_traffic_fits(t, 1, parts)); /* the same */
    dtx_traffic_clear(t);
    ck_assert_int_eq(dtx_traffic_left(t, 0), DTX_TRAFFIC_ONE);
    dtx_traffic_destroy(t);
}
END_TEST

START_TEST(test_sums)
{
    enum { TASKS = 500 };
    struct dtx_traffic *t = make();
    struct dtx_rng rng;
    uint32_t parts[TASKS], rank[TASKS], i;
    int64_t load[2] = {0, 0};

    dtx_rng_seed(&rng, 7);
    for (i = 0; i < TASKS; i++) {
        parts[i] = (uint32_t)dtx_rng_below(&rng, 2 * DTX_TRAFFIC_ONE);
        rank[i] = (uint32_t)dtx_rng_below(&rng, 3);
        load[rank[i] == 2] += parts[i];
        dtx_traffic_take(t, rank[i], parts[i]); /* however crowded it is */
    }
    ck_assert_int_eq(dtx_traffic_left(t, 0), DTX_TRAFFIC_ONE - load[0] / 4);
    ck_assert_int_eq(dtx_traffic_left(t, 2), DTX_TRAFFIC_ONE - load[1]);
    ck_assert(!dtx_traffic_fits(t, 0, 1) && !dtx_traffic_fits(t, 2, 1));
    for (i = 0; i < TASKS; i++)
        dtx_traffic_give(t, rank[i], parts[i]);
    ck_assert_int_eq(dtx_traffic_left(t, 1), DTX_TRAFFIC_ONE);
    ck_assert_int_eq(dtx_traffic_left(t, 2), DTX_TRAFFIC_ONE);
    dtx_traffic_destroy(t);
}
END_TEST

/* Nodes, and the NUMA nodes that ranks reach there; ranks with the same letter
 * share a pool. */
START_TEST(test_lay_out)
{
    static const struct dtx_traffic_reach reach[] = {
        {1, 2, 3, 4}, {0, 0, 3, 8}, {1, 0, 0, 2}, {1, 3, 4, 4},
        {1, 0, 0, 2}, {1, 4, 4, 1}, {2, 0, 0, 9},
    };
    static const char pool[] = "abcacad", *p;
    static const uint32_t nodes[] = {3, 4, 1, 0, 0, 0, 1};
    struct dtx_traffic *t = dtx_traffic_create(7);
    uint32_t r, half = dtx_traffic_parts(0.5), n;

    ck_assert_int_eq(dtx_traffic_lay_out(t, reach, 7), 0);
    ck_assert_uint_eq(dtx_traffic_nodes(t), 9);
    /* nine slots of the last node share one NUMA node */
    ck_assert(dtx_traffic_is_heavy(t, dtx_traffic_parts(1.0 / 8)));
    ck_assert(!dtx_traffic_is_heavy(t, dtx_traffic_parts(1.0 / 10)));
    for (p = pool; *p; p++) {
        if (strchr(pool, *p) != p)
            continue; /* its first rank has filled it */
        for (n = 0; dtx_traffic_fits(t, (uint32_t)(p - pool), half); n++)
            dtx_traffic_take(t, (uint32_t)(p - pool), half);
        ck_assert_uint_eq(n, 2 * nodes[p - pool]);
        for (r = 0; r < 7; r++)
            if (pool[r] == *p)
                ck_assert(!dtx_traffic_fits(t, r, half));
    }
    dtx_traffic_destroy(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched/traffic");
    TCase *t = tcase_create("traffic");

    tcase_add_test(t, test_parts);
    tcase_add_test(t, test_heavy);
    tcase_add_loop_test(t, test_fits, 0, DTX_COUNT(fit));
    tcase_add_test(t, test_sums);
    tcase_add_test(t, test_lay_out);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

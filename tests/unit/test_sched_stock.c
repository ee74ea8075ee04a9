/* SPDX-License-Identifier: MIT */
/* The stock against sums of its own, and where it finds room. */
#include "sched/stock.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "check_main.h"

enum { RANKS = 12, NODES = 4, GPUS = 4, TASKS = 400 };

static const struct dtx_locus nowhere = {DTX_MACHINE_NONE, DTX_MACHINE_NONE,
                                         DTX_MACHINE_NONE, DTX_MACHINE_NONE};

static int64_t any(void *ctx, uint32_t rank)
{
    (void)rank;
    return ctx ? 0 : 1;
}

/* Nodes of 100, 200, 300 and 400 bytes; the odd ones have devices. Two ranks
 * of each share a pool, the third has one of its own. */
static struct dtx_stock *make(void)
{
    struct dtx_stock *l = dtx_stock_create(RANKS);
    struct dtx_gpu gpu[GPUS];
    uint32_t n, r, i;

    memset(gpu, 0, sizeof(gpu));
    for (i = 0; i < GPUS; i++)
        gpu[i].numa = i / 2;
    for (n = 0; n < NODES; n++) {
        uint32_t node = dtx_stock_add_node(l, 100 * (n + 1));
        uint32_t pool = dtx_stock_add_pool(l, gpu, n % 2 ? GPUS : 0);
        uint32_t own = dtx_stock_add_pool(l, gpu, n % 2 ? 1 : 0);

        for (i = 0; i < 3; i++) {
            struct dtx_locus at = nowhere;

            r = n * 3 + i;
            at.numa = i;
            dtx_stock_set_rank(l, r, node, i < 2 ? pool : own, &at);
            ck_assert(dtx_stock_join(l, r));
        }
    }
    return l;
}

START_TEST(test_find)
{
    struct dtx_stock *l = make();
    struct dtx_need need = {350, 0};

    ck_assert_uint_eq(dtx_stock_find(l, 0, &need, any, NULL), 9);
    ck_assert(dtx_stock_take(l, 9, 1, &need));
    ck_assert(!dtx_stock_idle(l));
    ck_assert_uint_eq(dtx_stock_find(l, 0, &need, any, NULL), DTX_STOCK_NONE);
    ck_assert(dtx_stock_could(l, 10, &need));
    ck_assert(!dtx_stock_could(l, 8, &need));
    need = (struct dtx_need){60, 2};
    ck_assert_uint_eq(dtx_stock_find(l, 0, &need, any, NULL), 3);
    ck_assert(dtx_stock_take(l, 4, 2, &need)); /* near NUMA node 1 */
    ck_assert_uint_eq(dtx_stock_devices(l, 4, 2), 12);
    ck_assert(!dtx_stock_could(l, 5, &need)); /* its pool has one */
    dtx_stock_leave(l, 3);
    dtx_stock_leave(l, 4);
    ck_assert_uint_eq(dtx_stock_find(l, 0, &need, any, NULL), DTX_STOCK_NONE);
    dtx_stock_give(l, 9, 1);
    ck_assert_uint_eq(dtx_stock_find(l, 0, &need, any, NULL), 9);
    dtx_stock_give(l, 4, 2);
    dtx_stock_give(l, 4, 2); /* once more: nothing */
    ck_assert(dtx_stock_idle(l));
    dtx_stock_destroy(l);
}
END_TEST

START_TEST(test_sums)
{
    struct dtx_stock *l = make();
    struct dtx_rng rng;
    struct {
        uint32_t rank;
        int64_t mem;
        uint64_t devices;
        bool open;
    } task[TASKS];
    int64_t used[NODES] = {0};
    uint64_t taken[NODES][2] = {{0}};
    uint32_t t, r, n;
    int round;

    memset(task, 0, sizeof(task));
    dtx_rng_seed(&rng, 5);
    for (round = 0; round < 20000; round++) {
        struct dtx_need need;

        t = (uint32_t)dtx_rng_below(&rng, TASKS);
        if (task[t].open) {
            r = task[t].rank;
            dtx_stock_give(l, r, t);
            used[r / 3] -= task[t].mem;
            taken[r / 3][r % 3 / 2] &= ~task[t].devices;
            task[t].open = false;
            continue;
        }
        need.mem_bytes = (int64_t)dtx_rng_below(&rng, 50);
        need.gpus = (uint32_t)dtx_rng_below(&rng, 3);
        r = dtx_stock_find(l, 0, &need, any, NULL);
        if (r == DTX_STOCK_NONE) {
            for (n = 0; n < NODES; n++)
                ck_assert(used[n] + need.mem_bytes > 100 * (n + 1) ||
                          need.gpus > 0);
            continue;
        }
        ck_assert(dtx_stock_take(l, r, t, &need));
        task[t].open = true;
        task[t].rank = r;
        task[t].mem = need.mem_bytes;
        task[t].devices = dtx_stock_devices(l, r, t);
        ck_assert_int_eq(__builtin_popcountll(task[t].devices), need.gpus);
        ck_assert_uint_eq(taken[r / 3][r % 3 / 2] & task[t].devices, 0);
        taken[r / 3][r % 3 / 2] |= task[t].devices;
        used[r / 3] += need.mem_bytes;
        ck_assert_int_le(used[r / 3], 100 * (r / 3 + 1));
    }
    dtx_stock_destroy(l);
}
END_TEST

/* A large node among many: what it has is less than what the others have left,
 * and it is found all the same, kept for who needs it, and given to him. What no
 * node has is said to be so, after all have been looked at. */
START_TEST(test_rare)
{
    enum { SMALL = 50 };
    const struct dtx_need much = {400, 0}, little = {100, 0}, rest = {60, 0};
    const struct dtx_need none = {1000, 0}, both = {400, 1};
    struct dtx_stock *l = dtx_stock_create(SMALL + 1);
    struct dtx_gpu gpu[2];
    enum dtx_stock_answer a;
    uint32_t i, calls = 0;

    memset(gpu, 0, sizeof(gpu));
    for (i = 0; i <= SMALL; i++) {
        dtx_stock_set_rank(l, i, dtx_stock_add_node(l, i < SMALL ? 100 : 450),
                           dtx_stock_add_pool(l, gpu, i < SMALL ? 2 : 1),
                           &nowhere);
        ck_assert(dtx_stock_join(l, i));
    }
    ck_assert(dtx_stock_take(l, SMALL, 1, &much));
    do
        a = dtx_stock_promise(l, 1, 2, &much, any, NULL);
    while (a == DTX_STOCK_SEEKING && ++calls < SMALL);
    ck_assert_int_eq(a, DTX_STOCK_KEPT);
    ck_assert_uint_eq(dtx_stock_promised(l, 2), SMALL);
    ck_assert_uint_eq(dtx_stock_find(l, 3, &little, any, NULL), 0);
    dtx_stock_give(l, SMALL, 1);
    ck_assert(dtx_stock_take(l, 0, 4, &little));
    ck_assert_uint_ne(dtx_stock_find(l, 5, &rest, any, NULL), SMALL);
    ck_assert_uint_eq(dtx_stock_find(l, 2, &much, any, NULL), SMALL);
    /* all others have more devices left */
    ck_assert_uint_eq(dtx_stock_find(l, 2, &both, any, NULL), SMALL);
    for (calls = 0; calls < SMALL; calls++) {
        a = dtx_stock_promise(l, 0, 6, &none, any, NULL);
        if (a != DTX_STOCK_SEEKING)
            break;
    }
    ck_assert_int_eq(a, DTX_STOCK_NEVER);
    dtx_stock_leave(l, 3);
    ck_assert_int_eq(dtx_stock_promise(l, 0, 6, &none, any, NULL),
                     DTX_STOCK_SEEKING);
    dtx_stock_destroy(l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched/stock");
    TCase *t = tcase_create("stock");

    tcase_add_test(t, test_find);
    tcase_add_test(t, test_sums);
    tcase_add_test(t, test_rare);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_tourney.c - the tournament against a scan
 *
 * Random changes; after each the first of all and of random stretches must be
 * what a scan finds.  The comparisons are counted.
 */
#include "base/rng.h"
#include "base/tourney.h"
#include "check_main.h"

#include <string.h>

enum { MOST = 200 };

static bool smaller(const void *ctx, uint32_t a, uint32_t b)
{
    const uint64_t *key = ctx;

    return key[a] != key[b] ? key[a] < key[b] : a < b;
}

static uint32_t scan(const uint64_t *key, const bool *in, uint32_t lo,
                     uint32_t hi)
{
    uint32_t i, best = DTX_HEAP_NONE;

    for (i = lo; i < hi; i++)
        if (in[i] && (best == DTX_HEAP_NONE || smaller(key, i, best)))
            best = i;
    return best;
}

START_TEST(agrees_with_a_scan)
{
    static uint64_t key[MOST];
    static bool in[MOST];
    struct dtx_tourney t;
    struct dtx_rng r;
    uint32_t n = (uint32_t)_i, step;
    bool same = true; /* an assertion each would be most of the work */

    dtx_rng_seed(&r, n);
    memset(in, 0, sizeof(in));
    ck_assert(dtx_tourney_init(&t, n, smaller, key));
    ck_assert_uint_eq(dtx_tourney_first(&t), DTX_HEAP_NONE);
    for (step = 0; step < 2000; step++) {
        uint32_t i = (uint32_t)dtx_rng_below(&r, n);
        uint32_t lo = (uint32_t)dtx_rng_below(&r, n + 1);
        uint32_t hi = lo + (uint32_t)dtx_rng_below(&r, n - lo + 1);

        in[i] = dtx_rng_below(&r, 3) > 0;
        key[i] = dtx_rng_below(&r, 20);
        dtx_tourney_set(&t, i, in[i] ? i : DTX_HEAP_NONE);
        same = same && dtx_tourney_first(&t) == scan(key, in, 0, n) &&
               dtx_tourney_first_of(&t, lo, hi) == scan(key, in, lo, hi);
    }
    ck_assert(same);
    dtx_tourney_fini(&t);
}
END_TEST

START_TEST(costs_the_logarithm)
{
    enum { N = 1 << 16, LOG = 16 };
    static uint64_t key[N];
    struct dtx_tourney t;
    struct dtx_rng r;
    uint32_t i, step;

    dtx_rng_seed(&r, 1);
    ck_assert(dtx_tourney_init(&t, N, smaller, key));
    for (i = 0; i < N; i++) {
        key[i] = dtx_rng_below(&r, 1u << 30);
        dtx_tourney_set(&t, i, i);
    }
    for (step = 0; step < 1000; step++) {
        uint64_t before = t.compares;

        i = (uint32_t)dtx_rng_below(&r, N);
        key[i] = dtx_rng_below(&r, 1u << 30);
        dtx_tourney_set(&t, i, i);
        ck_assert_uint_le(t.compares - before, LOG);
        before = t.compares;
        (void)dtx_tourney_first_of(&t, i / 2, i);
        ck_assert_uint_le(t.compares - before, 2 * LOG);
    }
    dtx_tourney_fini(&t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/tourney");
    TCase *c = tcase_create("tourney");

    tcase_add_loop_test(c, agrees_with_a_scan, 1, 70);
    tcase_add_test(c, costs_the_logarithm);
    suite_add_tcase(s, c);
    return dtx_check_main(s);
}

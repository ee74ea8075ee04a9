/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_profile.c - shares are whole, equal, and dearest first */
#include "sched/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "check_main.h"

static struct dtx_profile p, q;

/* What grain g costs, by shape. */
static uint64_t cost(int shape, uint32_t g, uint32_t total)
{
    static struct dtx_rng rng;

    switch (shape) {
    case 0:
        return 10000;
    case 1: /* the last is as long as a twentieth of all */
        return g + 1 == total ? total * 500 : 10000;
    case 2:
        return 100 + g * 7;
    default:
        if (g == 0)
            dtx_rng_seed(&rng, 5);
        return dtx_rng_below(&rng, 1000000);
    }
}

static const uint32_t slots[] = {1, 3, 2, 1, 1};

/* Deal to five ranks; check that each grain is there once; the largest share of
 * the cost, by slots, over the mean. */
static double deal(int shape, uint32_t total, bool use)
{
    unsigned char *seen = calloc(total + 1, 1);
    double most = 0, all = 0;
    uint32_t wrong = 0;
    uint64_t *c = calloc(total + 1, sizeof(*c));

    dtx_profile_init(&p, total);
    for (uint32_t g = 0; g < total; g++) {
        c[g] = cost(shape, g, total);
        dtx_profile_add(&p, g, 1, c[g]);
        all += (double)c[g];
    }
    for (uint32_t r = 0; r < 5; r++) {
        struct dtx_segment *seg = NULL;
        size_t n = 0;
        double mine = 0;

        ck_assert(dtx_profile_deal(use ? &p : NULL, total, 5, slots, r, &seg,
                                   &n));
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_gt(seg[i].count, 0);
            for (uint32_t k = 0; k < seg[i].count; k++) {
                seen[seg[i].first + k]++;
                mine += (double)c[seg[i].first + k];
            }
        }
        mine /= slots[r];
        most = mine > most ? mine : most;
        free(seg);
    }
    for (uint32_t g = 0; g < total; g++)
        wrong += seen[g] != 1;
    ck_assert_uint_eq(wrong, 0);
    free(seen);
    free(c);
    return most / (all / 8);
}

START_TEST(shares_are_whole_and_about_equal)
{
    static const uint32_t totals[] = {1, 2, 7, 100, 1024, 1500, 100000};

    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        double over = deal(_i, totals[i], true);

        /* one dear grain in a bucket of many cannot be seen */
        if (totals[i] == 1024 || (totals[i] > 1024 && _i != 1))
            ck_assert_msg(over < 1.12, "shape %d, %u grains: %.3f", _i,
                          totals[i], over);
        (void)deal(_i, totals[i], false);
    }
}
END_TEST

START_TEST(the_dearest_come_first)
{
    struct dtx_segment *seg = NULL;
    uint32_t one = 1;
    size_t n = 0;

    dtx_profile_init(&p, 400);
    for (uint32_t g = 0; g < 400; g++)
        dtx_profile_add(&p, g, 1, g == 399 ? 400000 : 10000);
    ck_assert(dtx_profile_deal(&p, 400, 1, &one, 0, &seg, &n));
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(seg[0].first, 399);
    ck_assert_uint_eq(seg[1].count, 399);
    free(seg);
}
END_TEST

START_TEST(costs_are_kept_and_travel)
{
    struct dtx_buf b = DTX_BUF_INIT;
    uint64_t sum = 0;

    dtx_profile_init(&p, 5000);
    dtx_profile_add(&p, 0, 5000, 777777);
    dtx_profile_add(&p, 4999, 1, 3);
    dtx_profile_encode(&b, &p);
    dtx_profile_init(&q, 5000);
    ck_assert(dtx_profile_decode(&q, (struct dtx_str){b.data, b.len}));
    ck_assert_mem_eq(&p, &q, sizeof(p));
    dtx_profile_merge(&q, &p);
    for (uint32_t i = 0; i < q.buckets; i++)
        sum += q.ns[i];
    ck_assert_uint_eq(sum, 2 * 777780);
    ck_assert(!dtx_profile_decode(&q, (struct dtx_str){b.data, b.len - 1}));
    dtx_buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched/profile");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, shares_are_whole_and_about_equal, 0, 4);
    tcase_add_test(t, the_dearest_come_first);
    tcase_add_test(t, costs_are_kept_and_travel);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

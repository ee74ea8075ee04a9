/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_recall.c - profiles stretch, and the most similar loop
 * is recalled */
#include "sched/recall.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check_main.h"

static struct dtx_profile p, q;

/* A ramp: grain g of 'total' costs 1000 * (1 + 9 g / total) ns. */
static void ramp(struct dtx_profile *out, uint32_t total)
{
    dtx_profile_init(out, total);
    for (uint32_t g = 0; g < total; g++)
        dtx_profile_add(out, g, 1, 1000 + (uint64_t)9000 * g / total);
}

START_TEST(a_profile_stretches)
{
    static const uint32_t totals[] = {1, 5, 100, 1000, 1024, 5000, 100000};
    uint32_t from = totals[_i / 7], to = totals[_i % 7], b;
    double each;

    ramp(&p, from);
    dtx_profile_stretch(&p, to, 256, &q);
    ck_assert_uint_eq(q.total, to);
    each = (double)dtx_profile_sum(&p) / from;
    ck_assert_double_eq_tol((double)dtx_profile_sum(&q) / to / each, 1, 0.02);
    for (b = 1; b < q.buckets; b++) /* it still rises, rounding apart */
        ck_assert((double)q.ns[b] > 0.5 * (double)q.ns[b - 1]);
    if (from > 100 && to > 100)
        ck_assert(q.ns[q.buckets - 1] > 5 * q.ns[0]);
    if (from == to)
        ck_assert_mem_eq(&p, &q, sizeof(p));
    dtx_profile_stretch(&p, to, 128, &q); /* believed half */
    ck_assert_double_eq_tol((double)dtx_profile_sum(&q) / to / each, 1, 0.02);
    if (from > 100 && to > 100)
        ck_assert(q.ns[q.buckets - 1] < 3 * q.ns[0]);
    dtx_profile_stretch(&p, to, 0, &q); /* not at all */
    for (b = 0; b < q.buckets && to > 1024; b++)
        ck_assert(fabs((double)q.ns[b] / (double)q.ns[0] - 1) < 0.3); /* 4 or 5 grains */
}
END_TEST

/* Whatever the numbers, nothing overflows, and no bucket is out of bounds. */
START_TEST(stretching_is_bounded)
{
    struct dtx_rng rng;

    dtx_rng_seed(&rng, (uint64_t)_i);
    for (int k = 0; k < dtx_rounds(200); k++) {
        uint32_t from = (uint32_t)dtx_rng_below(&rng, UINT32_MAX) + 1;
        uint32_t to = (uint32_t)dtx_rng_below(&rng, UINT32_MAX) + 1;
        double all, each;

        from >>= dtx_rng_below(&rng, 32);
        to >>= dtx_rng_below(&rng, 32);
        from += from == 0;
        dtx_profile_init(&p, from);
        for (uint32_t b = 0; b < p.buckets; b++)
            p.ns[b] = dtx_rng_below(&rng, UINT64_C(1) << 20) *
                      (from / p.buckets + 1);
        dtx_profile_stretch(&p, to, 256, &q);
        all = (double)dtx_profile_sum(&q);
        each = (double)dtx_profile_sum(&p) / from;
        ck_assert(all <= each * to * 1.01 + 1024);
        ck_assert(to < 1024 || from < 1024 || all >= each * to * 0.99 - 4096);
    }
}
END_TEST

static struct dtx_loop_name name(const char *kernel, uint64_t n,
                                 const double *x)
{
    return (struct dtx_loop_name){kernel, 0, n, x, x ? 1 : 0};
}

START_TEST(the_most_similar_is_recalled)
{
    struct dtx_recall *r = dtx_recall_create();
    double x[3] = {1, 10, 9};
    struct dtx_loop_name a = name("k", 1000, &x[0]), b = name("k", 1000, &x[1]);
    struct dtx_loop_name near = name("k", 2000, &x[2]), plain;
    bool exact = true;

    plain = name("k", 1000, NULL);
    ck_assert(!dtx_recall_find(r, &a, 1000, &q, &exact) && !exact);
    ramp(&p, 1000);
    ck_assert(dtx_recall_load(r, &a, &p));
    dtx_profile_init(&p, 1000);
    dtx_profile_add(&p, 999, 1, 1000000);
    ck_assert(dtx_recall_load(r, &b, &p));
    ck_assert(dtx_recall_find(r, &b, 1000, &q, &exact) && exact);
    ck_assert_mem_eq(&p, &q, sizeof(p));
    ck_assert(dtx_recall_find(r, &near, 2000, &q, &exact) && !exact);
    ck_assert(q.ns[1023] > 100 * q.ns[3]); /* it is b's */
    ck_assert(q.ns[3] > 0);                /* but it is not all believed */
    ck_assert(!dtx_recall_find(r, &plain, 1000, &q, NULL));
    b.kernel = "l";
    ck_assert(!dtx_recall_find(r, &b, 1000, &q, NULL));
    dtx_recall_destroy(r);
}
END_TEST

static int look(void *ctx, const struct dtx_loop_name *n,
                const struct dtx_profile *kept)
{
    uint64_t *seen = ctx;

    (void)n;
    seen[0]++;
    seen[1] = kept->ns[0];
    return 0;
}

/* The next run begins where this one began; this one goes on where it is. */
START_TEST(the_first_sweep_is_kept_and_the_last_used)
{
    struct dtx_recall *r = dtx_recall_create();
    struct dtx_loop_name a = name("k", 10, NULL);
    uint64_t seen[2] = {0, 0}, ns;
    char kernel[16];

    for (ns = 1000; ns <= 5000; ns += 1000) {
        dtx_profile_init(&p, 10);
        dtx_profile_add(&p, 0, 1, ns);
        ck_assert(ns == 1000 ? dtx_recall_load(r, &a, &p)
                             : dtx_recall_keep(r, &a, &p));
    }
    ck_assert(dtx_recall_find(r, &a, 10, &q, NULL));
    ck_assert_uint_eq(q.ns[0], 5000);
    ck_assert_int_eq(dtx_recall_each(r, look, seen), 0);
    ck_assert_uint_eq(seen[0], 1);
    ck_assert_uint_eq(seen[1], 2000);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(kernel, sizeof(kernel), "k%d", i);
        a.kernel = kernel;
        ck_assert(dtx_recall_keep(r, &a, &p));
    }
    ck_assert_uint_eq(dtx_recall_loops(r), DTX_RECALL_LOOPS);
    ck_assert(dtx_recall_find(r, &a, 10, &q, NULL));
    a.kernel = "k";
    ck_assert(!dtx_recall_find(r, &a, 10, &q, NULL));
    dtx_recall_destroy(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched/recall");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, a_profile_stretches, 0, 49);
    tcase_add_loop_test(t, stretching_is_bounded, 0, 3);
    tcase_add_test(t, the_most_similar_is_recalled);
    tcase_add_test(t, the_first_sweep_is_kept_and_the_last_used);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_spans.c - a set of spans against an array of flags */
#include "base/spans.h"

#include <string.h>

#include "base/rng.h"
#include "check_main.h"

#define N 200u

static struct dtx_spans s;
static bool flag[N + 1];

static void compare(void)
{
    uint64_t at, n, sum = 0;

    for (at = 0; at < N; at += n) {
        bool in = dtx_spans_at(&s, at, N, &n);

        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(at + n, N);
        for (uint64_t i = at; i < at + n; i++)
            ck_assert_msg(flag[i] == in, "%llu", (unsigned long long)i);
        ck_assert(at + n == N || flag[at + n] != in);
        sum += in ? n : 0;
    }
    ck_assert_uint_eq(dtx_spans_sum(&s), sum);
    for (size_t i = 0; i + 1 < s.n; i++)
        ck_assert_uint_lt(s.list[i].end, s.list[i + 1].first);
}

START_TEST(like_flags)
{
    struct dtx_rng rng;

    dtx_rng_seed(&rng, (uint64_t)_i);
    memset(flag, 0, sizeof(flag));
    for (int step = 0; step < 300; step++) {
        uint64_t first = dtx_rng_below(&rng, N);
        uint64_t count = dtx_rng_below(&rng, (N - first) / (1 + (uint64_t)step % 9) + 1);
        bool in = dtx_rng_below(&rng, 2) != 0;

        ck_assert(in ? dtx_spans_add(&s, first, count)
                     : dtx_spans_cut(&s, first, count));
        for (uint64_t i = first; i < first + count; i++)
            flag[i] = in;
        compare();
    }
    dtx_spans_clear(&s);
    memset(flag, 0, sizeof(flag));
    compare();
    dtx_spans_free(&s);
}
END_TEST

START_TEST(neighbours_are_one)
{
    for (uint64_t i = 0; i < 100; i++)
        ck_assert(dtx_spans_add(&s, i * 7, 7));
    ck_assert_uint_eq(s.n, 1);
    ck_assert_uint_eq(dtx_spans_sum(&s), 700);
    ck_assert(dtx_spans_cut(&s, 0, 700));
    ck_assert_uint_eq(s.n, 0);
    dtx_spans_free(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/spans");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, like_flags, 0, dtx_rounds(20));
    tcase_add_test(t, neighbours_are_one);
    suite_add_tcase(suite, t);
    return dtx_check_main(suite);
}

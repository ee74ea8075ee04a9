/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_loop.c - chunk sizes against those of the papers */
#include "sched/loop.h"

#include <string.h>

#include "base/error.h"
#include "check_main.h"

static const uint32_t slots4[] = {2, 1, 1};

static struct dtx_loop_plan *plan_of(const char *name, uint64_t total,
                                     const double *weight)
{
    struct dtx_loop_case c = {.total = total,
                              .nranks = 3,
                              .slots = slots4,
                              .weight = weight,
                              .overhead_ns = 1000,
                              .sigma_ns = 5000};
    struct dtx_loop_plan *p =
        dtx_loop_plan_create(dtx_loop_schedule_find(name, NULL), &c);

    ck_assert_ptr_nonnull(p);
    return p;
}

/* N = 1000 iterations, P = 4 slots, worked out by hand from the formulas that
 * sched/loop.h cites; TSS with f = 125, l = 1, 16 steps. */
static const struct {
    const char *name;
    uint64_t size[20];
} rows[] = {
    {"static", {250, 250, 250, 250, 0}},
    {"ss", {1, 1, 1, 1, 1, 1}},
    {"gss", {250, 188, 141, 106, 79, 59, 45, 33, 25, 19, 14, 11, 8, 6, 4, 3,
             3, 2, 1, 1}},
    {"tss", {125, 116, 108, 100, 91, 83, 75, 67, 58, 50, 42, 34, 25, 17, 9,
             0}},
    {"fac", {125, 125, 125, 125, 63, 63, 63, 63, 31, 31, 31, 31, 16, 16, 16,
             16, 8, 8, 8, 8}},
    {"wf", {125, 125, 125, 125, 63, 63, 63, 63, 31}},
};

START_TEST(sizes_follow_the_formulas)
{
    struct dtx_loop_plan *p = plan_of(rows[_i].name, 1000, NULL);
    uint64_t at = 0;

    for (int i = 0; i < 20 && (i == 0 || rows[_i].size[i]); i++) {
        uint64_t begin = 0, n = dtx_loop_plan_next(p, (uint32_t)i % 3, &begin);

        ck_assert_msg(n == rows[_i].size[i], "%s, chunk %d: %llu, not %llu",
                      rows[_i].name, i, (unsigned long long)n,
                      (unsigned long long)rows[_i].size[i]);
        ck_assert_uint_eq(begin, at);
        at += n;
    }
    dtx_loop_plan_destroy(p);
}
END_TEST

START_TEST(fsc_is_kruskal_and_weiss)
{
    struct dtx_loop_plan *p = plan_of("fsc", 100000, NULL);
    uint64_t begin;

    /* (sqrt(2) 1e5 1000 / (5000 4 sqrt(ln 4)))^(2/3) = 330.4 */
    ck_assert_uint_eq(dtx_loop_plan_next(p, 0, &begin), 331);
    ck_assert_uint_eq(dtx_loop_plan_next(p, 0, &begin), 331);
    dtx_loop_plan_destroy(p);
}
END_TEST

static const char *const all[] = {"balance", "static", "ss", "fsc", "gss",
                                  "tss", "fac", "wf", "awf-b", "awf-c", "af"};

/* Every schedule, whatever it learns, gives out every iteration once. */
START_TEST(all_is_given_out_once)
{
    const struct dtx_loop_schedule *s = dtx_loop_schedule_find(all[_i], NULL);
    static const uint64_t totals[] = {1, 3, 4, 5, 1000, 99991};

    ck_assert_ptr_nonnull(s);
    if (dtx_loop_schedule_is_own(s))
        return;
    for (size_t t = 0; t < sizeof(totals) / sizeof(totals[0]); t++) {
        struct dtx_loop_plan *p = plan_of(s->name, totals[t], NULL);
        uint64_t at = 0, begin = 0, n;
        uint32_t rank = 0;

        while ((n = dtx_loop_plan_next(p, rank, &begin)) > 0) {
            ck_assert_uint_eq(begin, at);
            at += n;
            dtx_loop_plan_learn(p, rank, n,
                                (double)n * (rank + 1) * (double)(at % 7 + 1));
            rank = (rank + 1) % 3;
        }
        ck_assert_uint_eq(at, totals[t]);
        dtx_loop_plan_destroy(p);
    }
}
END_TEST

START_TEST(the_fast_are_given_more)
{
    static const char *const names[] = {"wf", "awf-b", "awf-c", "af"};
    static const double weight[] = {1, 2, 4};
    struct dtx_loop_plan *p = plan_of(names[_i], 100000, weight);
    uint64_t got[3] = {0, 0, 0}, begin;

    for (int i = 0; i < 24; i++) {
        uint32_t r = (uint32_t)i % 3;
        uint64_t n = dtx_loop_plan_next(p, r, &begin);

        if (i >= 12)
            got[r] += n;
        /* some scatter, so that AF has a variance */
        dtx_loop_plan_learn(p, r, n,
                            (double)n * (i % 2 ? 90 : 110) / weight[r]);
    }
    ck_assert_uint_gt(got[1] * 10, got[0] * 13);
    ck_assert_uint_gt(got[2] * 10, got[1] * 13);
    dtx_loop_plan_destroy(p);
}
END_TEST

START_TEST(names_are_found)
{
    struct dtx_error err = {0, ""};

    ck_assert_ptr_nonnull(dtx_loop_schedule_find("AWF_B", NULL));
    ck_assert_ptr_nonnull(dtx_loop_schedule_find("Gss", NULL));
    ck_assert_ptr_null(dtx_loop_schedule_find("gs", &err));
    ck_assert_int_eq(err.code, DTX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "awf-b"));
    for (int i = 0; i < DTX_COUNT(all); i++) {
        const struct dtx_loop_schedule *s = dtx_loop_schedule_find(all[i],
                                                                   NULL);

        ck_assert_ptr_nonnull(s);
        ck_assert_ptr_nonnull(s->source);
        ck_assert(dtx_loop_schedule_is_own(s) == (i == 0));
        ck_assert_ptr_nonnull(strstr(err.text, all[i]));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched/loop");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, sizes_follow_the_formulas, 0, DTX_COUNT(rows));
    tcase_add_test(t, fsc_is_kruskal_and_weiss);
    tcase_add_loop_test(t, all_is_given_out_once, 0, DTX_COUNT(all));
    tcase_add_loop_test(t, the_fast_are_given_more, 0, 4);
    tcase_add_test(t, names_are_found);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

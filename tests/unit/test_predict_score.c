/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_score.c - errors counted, medians and sizes in time
 *
 * Figures worked out by hand; and sizes that are known only when their writer
 * is done.
 */
#include "check_main.h"
#include "base/error.h"
#include "predict/features.h"
#include "predict/predictor.h"
#include "predict/score.h"
#include "predict/sizes.h"

#include <string.h>

START_TEST(figures_by_hand)
{
    static const double truth[] = {10, 20, 40};
    struct dtx_prediction said = {DTX_BASIS_CLASS, 20, 15, 25, 1, 0};
    struct dtx_score *s = dtx_score_create();
    struct dtx_score_row r;
    struct dtx_features f;
    size_t i;

    dtx_features_of("a 1", 3, NULL, NULL, NULL, &f);
    ck_assert_int_eq(dtx_score_before(s, f.class_key, f.program_key, 10), 0);
    for (i = 0; i < DTX_COUNT(truth); i++)
        ck_assert_int_eq(dtx_score_add(s, &f, &said, truth[i]), 0);
    dtx_score_total(s, &r);
    ck_assert_uint_eq(r.n, 3);
    ck_assert_double_eq_tol(r.wape, 30.0 / 70, 1e-9);
    ck_assert_double_eq_tol(r.mdape, 0.5, 1e-6);
    ck_assert_double_eq_tol(r.coverage, 1.0 / 3, 1e-9);
    /* medians before each: 10, 10, 10 */
    ck_assert_double_eq_tol(r.class_wape, 40.0 / 70, 1e-9);
    ck_assert_double_eq_tol(r.program_wape, 40.0 / 70, 1e-9);
    ck_assert_uint_eq(dtx_score_classes(s), 1);
    dtx_score_class(s, 0, &r);
    ck_assert_str_eq(r.name, "a #");
    ck_assert_uint_eq(r.n, 3);
    dtx_score_destroy(s);
}
END_TEST

/* What nobody could say is not counted, but learned from. */
START_TEST(no_claim_no_count)
{
    struct dtx_prediction none = {DTX_BASIS_NONE, 0, 0, 0, 0, 0};
    struct dtx_score *s = dtx_score_create();
    struct dtx_score_row r;
    struct dtx_features f;

    dtx_features_of("a 1", 3, NULL, NULL, NULL, &f);
    ck_assert_int_eq(dtx_score_add(s, &f, &none, 10), 0);
    dtx_score_total(s, &r);
    ck_assert_uint_eq(r.n, 0);
    dtx_score_destroy(s);
}
END_TEST

START_TEST(sizes_come_in_time)
{
    static const char text[] = "in.dat\t100\t0\nout.dat\t7\t3\n";
    struct dtx_sizes *s = dtx_sizes_read("f", text, strlen(text), NULL);

    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(dtx_sizes_of(s, "in.dat", 6), 100);
    ck_assert_int_eq(dtx_sizes_of(s, "./in.dat", 8), 100);
    ck_assert_int_eq(dtx_sizes_of(s, "none", 4), -1);
    ck_assert_int_eq(dtx_sizes_of(s, "out.dat", 7), -1);
    ck_assert_int_eq(dtx_sizes_done(s, 2), 0);
    ck_assert_int_eq(dtx_sizes_of(s, "out.dat", 7), -1);
    ck_assert_int_eq(dtx_sizes_done(s, 3), 0);
    ck_assert_int_eq(dtx_sizes_of(s, "out.dat", 7), 7);
    dtx_sizes_destroy(s);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"a\t1\t0\nb 2 0\n", "f:2: there are not three columns"},
    {"a\tx\t0\n", "f:1: the second column"},
    {"a\t-1\t0\n", "f:1: the second column"},
    {"a\t1\t\n", "f:1: the third column"},
    {"a\t1\t2\t3\n", "f:1: the third column"},
    {"a\t99999999999999999999\t0\n", "f:1: the second column"},
};

START_TEST(bad_row)
{
    struct dtx_error err = {0, ""};

    ck_assert_ptr_null(dtx_sizes_read("f", bad[_i].text,
                                      strlen(bad[_i].text), &err));
    ck_assert_msg(strncmp(err.text, bad[_i].says, strlen(bad[_i].says)) == 0,
                  "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/score");
    TCase *t = tcase_create("score");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, figures_by_hand);
    tcase_add_test(t, no_claim_no_count);
    tcase_add_test(t, sizes_come_in_time);
    tcase_add_loop_test(t, bad_row, 0, DTX_COUNT(bad));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

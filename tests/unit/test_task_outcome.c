/* SPDX-License-Identifier: MIT */
/* Names and finality of every status, and whose outputs are kept. */
#include "task/outcome.h"

#include "check_main.h"

static const struct {
    enum dtx_status status;
    const char *name;
    bool finished;
} cases[] = {
    {DTX_STATUS_NONE, "none", false},
    {DTX_STATUS_OK, "ok", true},
    {DTX_STATUS_FAILED, "failed", true},
    {DTX_STATUS_SIGNALED, "signaled", true},
    {DTX_STATUS_TIMEOUT, "timeout", true},
    {DTX_STATUS_KILLED, "killed", false},
    {DTX_STATUS_LOST, "lost", false},
    {(enum dtx_status)99, "none", false},
};

START_TEST(status_is_named)
{
    ck_assert_str_eq(dtx_status_name(cases[_i].status), cases[_i].name);
    ck_assert_int_eq(dtx_status_finished(cases[_i].status), cases[_i].finished);
}
END_TEST

START_TEST(kept_by_status)
{
    enum dtx_status s = cases[_i].status;
    struct dtx_outcome o = {.out_off = 7};

    ck_assert(dtx_keep_has(DTX_KEEP_ALL, s));
    ck_assert(!dtx_keep_has(DTX_KEEP_NONE, s));
    ck_assert_int_eq(dtx_keep_has(DTX_KEEP_FAILED, s), s != DTX_STATUS_OK);
    ck_assert(dtx_outcome_is_kept(&o));
    o.out_off |= DTX_OUTPUT_PASSING;
    ck_assert(!dtx_outcome_is_kept(&o));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/outcome");
    TCase *t = tcase_create("status");

    tcase_add_loop_test(t, status_is_named, 0, DTX_COUNT(cases));
    tcase_add_loop_test(t, kept_by_status, 0, DTX_COUNT(cases));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

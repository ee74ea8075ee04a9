/* SPDX-License-Identifier: MIT */
/* Names and finality of every status. */
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
    {(enum dtx_status)99, "none", false},
};

START_TEST(status_is_named)
{
    ck_assert_str_eq(dtx_status_name(cases[_i].status), cases[_i].name);
    ck_assert_int_eq(dtx_status_finished(cases[_i].status), cases[_i].finished);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/outcome");
    TCase *t = tcase_create("status");

    tcase_add_loop_test(t, status_is_named, 0, DTX_COUNT(cases));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

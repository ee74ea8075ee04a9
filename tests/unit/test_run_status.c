/* SPDX-License-Identifier: MIT */
/* The table of exit statuses: in order, without overlap, with a text each. */
#include "run/status.h"

#include <check.h>
#include <string.h>

#include "check_main.h"

static const struct {
    const char *name, *text;
    int first, last;
} rows[] = {
#define ROW(name, first, last, text) {#name, text, first, last},
    DTX_EXIT_MAP(ROW)
#undef ROW
};

START_TEST(test_row)
{
    ck_assert_int_le(rows[_i].first, rows[_i].last);
    ck_assert_int_le(rows[_i].last, 255);
    ck_assert_uint_gt(strlen(rows[_i].text), 10);
    if (_i > 0)
        ck_assert_msg(rows[_i - 1].last < rows[_i].first, "%s", rows[_i].name);
}
END_TEST

static const struct {
    uint64_t failed;
    int status;
} counts[] = {
    {0, 0}, {1, 1}, {100, 100}, {101, 101}, {UINT64_MAX, 101},
};

START_TEST(test_count)
{
    ck_assert_int_eq(dtx_exit_of_failed(counts[_i].failed),
                     counts[_i].status);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/status");
    TCase *tc = tcase_create("status");

    tcase_add_loop_test(tc, test_row, 0, DTX_COUNT(rows));
    tcase_add_loop_test(tc, test_count, 0, DTX_COUNT(counts));
    suite_add_tcase(s, tc);
    return dtx_check_main(s);
}

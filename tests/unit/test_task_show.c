/* SPDX-License-Identifier: MIT */
/* What a message shows of somebody's bytes. */
#include "task/show.h"

#include <string.h>

#include "check_main.h"

static const struct {
    const char *in;
    size_t len;
    const char *out;
} cases[] = {
    {"", 0, ""},
    {"plain text ~", 12, "plain text ~"},
    {"a\tb\n", 4, "a\\x09b\\x0a"},
    {"\x1b[31m\x7f", 6, "\\x1b[31m\\x7f"},
    {"\0\xff", 2, "\\x00\\xff"},
    {"caf\xc3\xa9", 5, "caf\\xc3\\xa9"},
};

START_TEST(bytes_are_printable)
{
    struct dtx_show b;

    ck_assert_str_eq(dtx_show_text(&b, cases[_i].in, cases[_i].len),
                     cases[_i].out);
}
END_TEST

START_TEST(long_text_is_cut)
{
    char in[500];
    struct dtx_show b;

    memset(in, 'x', sizeof(in));
    ck_assert_uint_eq(strlen(dtx_show_text(&b, in, DTX_SHOW_MAX)),
                      DTX_SHOW_MAX);
    (void)dtx_show_text(&b, in, DTX_SHOW_MAX + 1);
    ck_assert_uint_eq(strlen(b.text), DTX_SHOW_MAX + 3);
    ck_assert_str_eq(b.text + DTX_SHOW_MAX, "...");
    memset(in, '\1', sizeof(in));
    (void)dtx_show_text(&b, in, sizeof(in));
    ck_assert_uint_eq(strlen(b.text), sizeof(b.text) - 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/show");
    TCase *t = tcase_create("show");

    tcase_add_loop_test(t, bytes_are_printable, 0, DTX_COUNT(cases));
    tcase_add_test(t, long_text_is_cut);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

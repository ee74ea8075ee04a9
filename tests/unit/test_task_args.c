/* SPDX-License-Identifier: MIT */
/* Arguments of tasks: taken apart, trimmed, and as tags. */
#include "task/args.h"

#include <string.h>

#include "base/buf.h"
#include "check_main.h"
#include "task/task.h"

START_TEST(arguments_come_apart)
{
    static const char text[] = "a\0\0b c";
    const char *p = text, *arg;
    size_t left = sizeof(text), len;

    ck_assert(dtx_args_valid(text, sizeof(text)));
    ck_assert(dtx_args_valid(NULL, 0));
    ck_assert(!dtx_args_valid(text, sizeof(text) - 1));
    ck_assert(dtx_args_next(&p, &left, &arg, &len));
    ck_assert_uint_eq(len, 1);
    ck_assert_str_eq(arg, "a");
    ck_assert(dtx_args_next(&p, &left, &arg, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert(dtx_args_next(&p, &left, &arg, &len));
    ck_assert_str_eq(arg, "b c");
    ck_assert_uint_eq(left, 0);
    ck_assert(!dtx_args_next(&p, &left, &arg, &len));
    p = "ab"; /* what is not ended is none */
    left = 2;
    ck_assert(!dtx_args_next(&p, &left, &arg, &len));
}
END_TEST

static const struct {
    const char *text, *want;
} trims[] = {
    {"a", "a"},    {" a b ", "a b"}, {"\t\n\v\f\r a", "a"}, {"", ""},
    {" \t ", ""},  {"a\t", "a"},     {"\xc2\xa0", "\xc2\xa0"},
};

START_TEST(blanks_around_are_left_out)
{
    const char *s = trims[_i].text;
    size_t len = dtx_args_trim(&s, strlen(s));

    ck_assert_uint_eq(len, strlen(trims[_i].want));
    ck_assert_int_eq(memcmp(s, trims[_i].want, len), 0);
}
END_TEST

static const struct tag_row {
    const char *name, *args;
    size_t len;
    bool trim;
    const char *want;
} tags[] = {
    {NULL, NULL, 0, false, "echo {%} x"},
    {NULL, "a\0b c", 6, false, "a b c"},
    {NULL, "a\0 b ", 6, false, "a  b "},
    {NULL, "a\0 b ", 6, true, "a b"},
    {NULL, "", 1, false, ""},
    {NULL, "\0", 2, false, " "},
    {NULL, "it's\0$x", 8, false, "it's $x"},
    {"prep", "a", 2, false, "prep"},
    {"prep", NULL, 0, false, "prep"},
};

START_TEST(tags_are_name_arguments_or_command)
{
    static const char command[] = "echo \001 x";
    const struct tag_row *r = &tags[_i];
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_tasklist l;
    struct dtx_task_attr a;
    uint32_t attr, name = DTX_NO_TEXT;

    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    a = l.attr[0];
    a.flags = DTX_ATTR_SLOT;
    ck_assert_int_eq(dtx_tasklist_attr(&l, &a, &attr), 0);
    if (r->name)
        name = dtx_tasklist_intern(&l, r->name, strlen(r->name));
    ck_assert_int_eq(
        dtx_tasklist_add(&l, command, sizeof(command) - 1, attr, 0, name), 0);
    if (r->args)
        ck_assert_int_eq(dtx_tasklist_set_args(&l, r->args, r->len), 0);
    l.trim = r->trim;
    dtx_args_tag(&b, &l, 0);
    ck_assert_str_eq(b.data ? b.data : "", r->want);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&l);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("task/args");
    TCase *c = tcase_create("args");

    tcase_add_test(c, arguments_come_apart);
    tcase_add_loop_test(c, blanks_around_are_left_out, 0, DTX_COUNT(trims));
    tcase_add_loop_test(c, tags_are_name_arguments_or_command, 0,
                        DTX_COUNT(tags));
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

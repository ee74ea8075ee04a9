/* SPDX-License-Identifier: MIT */
/* Where --results puts files: trees, names of a header in Perl's order,
 * escapes, paths with replacement strings, and what is refused. */
#include "task/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"
#include "task/task.h"

static const struct dtx_layout_limits limits = {20, 100};

/* "a|b" as "a\0b\0"; returns the bytes. */
static size_t put_args(char *to, const char *from)
{
    size_t i, n = strlen(from) + 1;

    memcpy(to, from, n);
    for (i = 0; i < n; i++)
        to[i] = to[i] == '|' ? '\0' : to[i];
    return n;
}

/* Tasks "echo N", N from 1, with these arguments (NULL: none), separated by
 * '^', and the names of a header. */
static void make_list(struct dtx_tasklist *l, const char *columns,
                      const char *args)
{
    char text[512], bytes[512], *p = text, *next;

    ck_assert_int_eq(dtx_tasklist_init(l), 0);
    if (columns)
        dtx_buf_append(&l->columns, bytes, put_args(bytes, columns));
    (void)snprintf(text, sizeof(text), "%s", args ? args : "");
    do {
        char command[32];
        int n = snprintf(command, sizeof(command), "echo %zu", l->ntasks + 1);

        next = strchr(p, '^');
        if (next)
            *next++ = '\0';
        ck_assert_int_eq(dtx_tasklist_add(l, command, (size_t)n, 0, 0,
                                          DTX_NO_TEXT),
                         0);
        if (args)
            ck_assert_int_eq(
                dtx_tasklist_set_args(l, bytes, put_args(bytes, p)), 0);
        p = next;
    } while (p);
}

static const struct row {
    const char *dir, *columns, *args, *want; /* a line for each task */
    bool trim;
} rows[] = {
    {"r", NULL, NULL, "r/1/\n", false},
    {"r", NULL, "a", "r/1/a/\n", false},
    {"a/b/", NULL, "x|y z^p|q", "a/b//1/x/2/y z/\na/b//1/p/2/q/\n", false},
    {"/", NULL, "a", "//1/a/\n", false},
    {"r", NULL, "a\tb|c\\d|e/f|//", "r/1/a\\tb/2/c\\\\d/3/e\\_f/4/\\_\\_/\n",
     false},
    {"r", NULL, "|x", "r/1/2/x/\n", false},
    {"r", NULL, "", "r/1/\n", false},
    {"r", NULL, " a ", "r/1/ a /\n", true},
    /* what would leave the tree */
    {"r", NULL, ".|..|...|.a|../x", "r/1/\\./2/\\../3/.../4/.a/5/..\\_x/\n",
     false},
    {"r", "..|../.|a/../b", "1|2|3", "r/\\../1/\\../\\./2/a/\\../b/3/\n",
     false},
    /* cut to a file name */
    {"r", NULL, "123456789012345678901", "r/1/12345678901234567890/\n", false},
    {"r", NULL, "1234567890123456789/", "r/1/1234567890123456789\\/\n", false},
    /* names of a header, sorted as numbers, then as bytes */
    {"r", "b|a", "1|2", "r/a/2/b/1/\n", false},
    {"r", "11b|1b|11a|x|2|-1", "a|b|c|d|e|f",
     "r/-1/f/x/d/1b/b/2/e/11a/c/11b/a/\n", false},
    {"r", "0x1f|1e1|.5| 3|inf", "a|b|c|d|e",
     "r/0x1f/a/.5/c/ 3/d/1e1/b/inf/e/\n", false},
    {"r", "|b|", "x|y|z", "r/b/y/1/x/3/z/\n", false},
    {"r", "a|a|a", "1|2|3", "r/a/1/a/2/a/3/\n", false},
    {"r", "n", "1|2^3^4|5", "r/n/1/2/2/\nr/n/3/\nr/n/4/2/5/\n", false},
    {"r", "x/y|/z", "1|2", "r/z/2/x/y/1/\n", false},
    /* replacement strings */
    {"{}", NULL, "a b|c", "a b c\n", false},
    {"r/{1/.}-{2}", NULL, "x/a.b|1^y|2", "r/a-1\nr/y-2\n", false},
    {"{//}/{#}/", NULL, "p/q", "p/1/\n", false},
    {"{b}.{a.}", "a|b", "1.x|2", "2.1\n", false},
    {"r/{1}", NULL, " a ", "r/a\n", true},
    {"r/{1}", NULL, " a ", "r/ a \n", false},
    {"r/{1}", NULL, "a/../../b", "r/a/../../b\n", false},
    {"r/{%}", NULL, "a", "r/\001\n", false},
    {"r/{x}{y}", NULL, "a", "r/{x}{y}/1/a/\n", false},
    {"{}/x{#}", NULL, NULL, "echo 1/x1\n", false},
};

START_TEST(paths_are_those_of_parallel)
{
    const struct row *r = &rows[_i];
    struct dtx_error err = {0, ""};
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_tasklist list;
    struct dtx_layout *l;
    uint32_t i;

    make_list(&list, r->columns, r->args);
    list.trim = r->trim;
    l = dtx_layout_create(r->dir, &list, &limits, &err);
    ck_assert_msg(l != NULL, "%s", err.text);
    for (i = 0; i < list.ntasks; i++) {
        dtx_layout_path(l, i, &b);
        dtx_buf_char(&b, '\n');
    }
    ck_assert_str_eq(b.data, r->want);
    ck_assert_int_eq(dtx_layout_has_slot(l), strstr(r->dir, "{%}") != NULL);
    dtx_layout_destroy(l);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
}
END_TEST

static const struct {
    const char *dir, *columns, *args, *want;
} refused[] = {
    {"{= 1 =}", NULL, "a", "--results: '{= 1 =}': {= =} holds Perl code"},
    {"\001{%}", NULL, "a", "--results: the byte \\x01"},
    {"{%}{}", NULL, "a\001", "--results: argument 'a\\x01': the byte \\x01"},
    {"{}", NULL, "a^", "--results: task 2: the file's name is empty"},
    {"r/{}", NULL, "a^1234567890123456x",
     "--results: task 2: '1234567890123456x' makes a file name of 21 bytes, "
     "more than the 20 there can be: put less"},
    {"r/{}/", NULL, "123456789012345678901", "a file name of 21 bytes"},
    {"r", "123456789012345678901", "a",
     "of 21 bytes, more than the 20 there can be: shorten the header"},
    {"r", NULL, "1234567890|1234567890|1234567890|1234567890|1234567890|"
     "1234567890|1234567890|", "makes a path of 101 bytes, more than the 99"},
};

START_TEST(what_cannot_be_a_path_is_refused)
{
    struct dtx_error err = {0, ""};
    struct dtx_layout_twins t;
    struct dtx_tasklist list;
    struct dtx_layout *l;

    make_list(&list, refused[_i].columns, refused[_i].args);
    l = dtx_layout_create(refused[_i].dir, &list, &limits, &err);
    ck_assert(!l || dtx_layout_check(l, &t, &err) != 0);
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "%s", err.text);
    dtx_layout_destroy(l);
    dtx_tasklist_fini(&list);
}
END_TEST

static const struct {
    const char *dir, *args;
    uint32_t first, second;
} twins[] = {
    {"r", "a^b^c", 0, 0},         {"r", "a^b^a^b", 0, 2},
    {"r/{1}", "a|1^b|1^b|2", 1, 2}, {"r/{1}{#}", "a^a", 0, 0},
    {"r", "a|b^a^a|b|c", 0, 0},   {"r/{%}", "a^b", 0, 1},
    {"r", "12345678901234567890a^12345678901234567890b", 0, 1},
};

START_TEST(tasks_with_the_same_files_are_told)
{
    struct dtx_error err = {0, ""};
    struct dtx_layout_twins t;
    struct dtx_tasklist list;
    struct dtx_layout *l;

    make_list(&list, NULL, twins[_i].args);
    l = dtx_layout_create(twins[_i].dir, &list, &limits, &err);
    ck_assert_ptr_nonnull(l);
    ck_assert_msg(dtx_layout_check(l, &t, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(t.first, twins[_i].first);
    ck_assert_uint_eq(t.second, twins[_i].second);
    dtx_layout_destroy(l);
    dtx_tasklist_fini(&list);
}
END_TEST

/* Of a stream, whose tasks are not there when it is made. */
START_TEST(a_list_may_grow)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_tasklist list;
    struct dtx_layout *l;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    dtx_tasklist_live(&list);
    l = dtx_layout_create("r/{}-{#}", &list, &limits, NULL);
    ck_assert_ptr_nonnull(l);
    ck_assert_int_eq(dtx_tasklist_add(&list, "a", 1, 0, 0, DTX_NO_TEXT), 0);
    ck_assert_int_eq(dtx_tasklist_add(&list, "b", 1, 0, 0, DTX_NO_TEXT), 0);
    dtx_layout_path(l, 1, &b);
    ck_assert_str_eq(b.data, "r/b-2");
    dtx_layout_destroy(l);
    dtx_layout_destroy(NULL);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("task/layout");
    TCase *c = tcase_create("layout");

    tcase_add_loop_test(c, paths_are_those_of_parallel, 0, DTX_COUNT(rows));
    tcase_add_loop_test(c, what_cannot_be_a_path_is_refused, 0,
                        DTX_COUNT(refused));
    tcase_add_loop_test(c, tasks_with_the_same_files_are_told, 0,
                        DTX_COUNT(twins));
    tcase_add_test(c, a_list_may_grow);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

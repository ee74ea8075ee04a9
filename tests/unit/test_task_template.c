/* SPDX-License-Identifier: MIT */
/* Templates: every replacement string, the order of combinations, columns,
 * headers, quoting, and every refusal. */
#include "task/template.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"
#include "task/task.h"

#define MAX_WORDS 16

/* "a|b|c" into words, in 'text'. */
static size_t cut(char *text, char **word)
{
    size_t n = 0;

    while (text && n < MAX_WORDS) {
        char *bar = strchr(text, '|');

        word[n++] = text;
        if (bar)
            *bar++ = '\0';
        text = bar;
    }
    return n;
}

/* Words by '|', sources by "^" (linked ones begin with '+'), results by '\n'.
 * A command of "-" has no words. */
struct row {
    const char *command, *sources, *want;
    const char *colsep;
    bool header, quote;
};

static const struct row rows[] = {
    {"e|{}", "a|b", "e a\ne b\n", NULL, false, false},
    {"e", "a|b c", "e a\ne 'b c'\n", NULL, false, false},
    {"-", "echo a|x 'y'", "echo a\nx 'y'\n", NULL, false, false},
    {"{}|x", "a b", "a b x\n", NULL, false, false},
    {"p{}", "a b", "pa b\n", NULL, false, false},
    {"V={}|e|{}", "a b", "V='a b' e 'a b'\n", NULL, false, false},
    {"e|{.}", "a/b.c.d|x|.|..|a.b/c|.bashrc|x.tar.gz",
     "e a/b.c\ne x\ne ''\ne .\ne a.b/c\ne ''\ne x.tar\n", NULL, false, false},
    {"e|{/}", "a/b.c|x|/|a/|", "e b.c\ne x\ne ''\ne ''\ne ''\n", NULL, false,
     false},
    {"e|{//}", "a/b|x|/|a/|a//b|//||/x|a/.",
     "e a\ne .\ne /\ne .\ne a\ne /\ne .\ne /\ne a\n", NULL, false, false},
    {"e|{/.}", "a/b.c|a/.b", "e b\ne ''\n", NULL, false, false},
    {"e|{#}", "a|b", "e 1\ne 2\n", NULL, false, false},
    {"e|{%}|{}", "a", "e \001 a\n", NULL, false, false},
    {"e|{2}{1}", "a|b^c|d", "e ca\ne da\ne cb\ne db\n", NULL, false, false},
    {"e|{}", "a|b^c|d", "e a c\ne a d\ne b c\ne b d\n", NULL, false, false},
    {"e", "a|b|c^+1|2", "e a 1\ne b 2\n", NULL, false, false},
    {"e", "a|b^+1|2|3^x|y", "e a 1 x\ne a 1 y\ne b 2 x\ne b 2 y\n", NULL,
     false, false},
    {"e|{1.}|{2/}|{1//}|{2/.}|{-1}|{-2.}|{3}|{-0}", "a/b.c^d/e.f",
     "e a/b e.f a e d/e.f a/b  \n", NULL, false, false},
    {"e|{1 .}|{0}|{-3}", "a.b^c", "e a a.b c c\n", NULL, false, false},
    {"e|{x}|{|}|{a,b}|{{}}|{1000000000000}", "a",
     "e {x} { } {a,b} {a} {1000000000000}\n", NULL, false, false},
    {"e|{}", "'|it's|''|~|a=b|#|-n|\xc3\xa9",
     "e \"'\"\ne 'it'\"'\"'s'\ne \"'\"''\"'\"\ne '~'\ne 'a=b'\ne '#'\ne -n\n"
     "e '\xc3\xa9'\n",
     NULL, false, false},
    {"e|{}", "\n|a\nb", "e '\n'\ne 'a\nb'\n", NULL, false, false},
    {"e|", "a", "e  a\n", NULL, false, false},
    {"e f|;||x{}", "a b", "'e f' ';' '' 'xa b'\n", NULL, false, true},
    {"e|x{}y", "a^b", "e xa by\n", NULL, false, true},
    {"e|{1}-{2}-{3}", "a,b|c| d , e ,", "e a-b-\ne c--\ne d-e-''\n", ",", false,
     false},
    {"e|{2}", "a\tb", "e b\n", "\\t", false, false},
    {"e|{1}{2}{3}", "a, b;c", "e abc\n", "[,;] *", false, false},
    {"e|{n}|{n.}|{f/}|{f//}|{f/.}|{q}", "n|1.2^f|a/b.c",
     "e 1.2 1 b.c a b {q}\n", NULL, true, false},
    {"e|{m}|{n}|{k}", "n:m|1:2^k|3", "e 2 1 3\n", ":", true, false},
};

static struct dtx_template *build(const struct row *r, char *text, char *more,
                                  struct dtx_error *err)
{
    struct dtx_template *t = dtx_template_create();
    struct dtx_template_how how = {r->colsep, r->header, r->quote};
    char *word[MAX_WORDS], *command[MAX_WORDS], *next;
    size_t n;

    ck_assert_ptr_nonnull(t);
    for (; more; more = next) {
        bool linked = *more == '+';

        next = strchr(more, '^');
        if (next)
            *next++ = '\0';
        n = cut(more + linked, word);
        ck_assert_int_eq(dtx_template_words(t, word, n, linked, err), 0);
    }
    n = strcmp(text, "-") == 0 ? 0 : cut(text, command);
    if (dtx_template_compile(t, command, n, &how, err) == 0)
        return t;
    dtx_template_destroy(t);
    return NULL;
}

START_TEST(templates_expand)
{
    const struct row *r = &rows[_i];
    char *text = strdup(r->command), *more = strdup(r->sources);
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_template *t = build(r, text, more, &err);
    uint32_t i;

    ck_assert_msg(t != NULL, "%s", err.text);
    for (i = 0; i < dtx_template_count(t); i++) {
        ck_assert_int_eq(dtx_template_put(t, i, i + 1, &b, &err), 0);
        dtx_buf_char(&b, '\n');
    }
    ck_assert_str_eq(b.data, r->want);
    ck_assert_int_eq(dtx_template_has_slot(t), strstr(text, "{%}") ||
                                                   strchr(b.data, '\001'));
    dtx_buf_free(&b);
    dtx_template_destroy(t);
    free(text);
    free(more);
}
END_TEST

static const struct row refused[] = {
    {"e|{= s/a/b/ =}", "a", "{= =} holds Perl code", NULL, false, false},
    {"e", "a", "matches where nothing is", "x*", false, false},
    {"e", "a", "not a POSIX extended regular expression", "(", false, false},
    {"e|\001{%}", "a", "byte \\x01", NULL, false, false},
};

START_TEST(templates_are_refused)
{
    char *text = strdup(refused[_i].command), *more = strdup("a");
    struct dtx_error err = {0, ""};

    ck_assert_ptr_null(build(&refused[_i], text, more, &err));
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "%s", err.text);
    free(text);
    free(more);
}
END_TEST

START_TEST(lines_are_values)
{
    static const struct dtx_template_how how = {NULL, false, false};
    struct dtx_template *t = dtx_template_create();
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    char word[] = "e", *words[] = {word};

    ck_assert_int_eq(dtx_template_lines(t, "f", "a\0b\n", 4, false, &err),
                     DTX_EPARSE);
    ck_assert_int_eq(strncmp(err.text, "f:1: a NUL byte", 15), 0);
    ck_assert_int_eq(dtx_template_lines(t, "f", "a\n\n b", 5, false, &err), 0);
    ck_assert_int_eq(dtx_template_compile(t, words, 1, &how, &err), 0);
    ck_assert_uint_eq(dtx_template_count(t), 3);
    ck_assert_int_eq(dtx_template_put(t, 2, 1, &b, &err), 0);
    ck_assert_int_eq(dtx_template_put(t, 1, 1, &b, &err), 0);
    ck_assert_str_eq(b.data, "e ' b'e ''");
    dtx_buf_free(&b);
    dtx_template_destroy(t);
}
END_TEST

START_TEST(too_many_combinations_are_named)
{
    static const struct dtx_template_how how = {NULL, false, false};
    struct dtx_template *t = dtx_template_create();
    struct dtx_error err = {0, ""};
    char line[20002], word[] = "e", *words[] = {word};

    memset(line, '\n', sizeof(line));
    ck_assert_int_eq(dtx_template_lines(t, "f", line, 20000, false, &err), 0);
    ck_assert_int_eq(dtx_template_lines(t, "f", line, 20001, false, &err), 0);
    ck_assert_int_eq(dtx_template_compile(t, words, 1, &how, &err),
                     DTX_ELIMIT);
    ck_assert_str_eq(err.text, "20000 x 20001 combinations: a job has at most "
                               "100000000 tasks");
    dtx_template_destroy(t);
}
END_TEST

START_TEST(limits_of_a_command)
{
    static const struct dtx_template_how how = {NULL, false, false};
    struct dtx_template *t = dtx_template_create();
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    char *line = malloc(DTX_MAX_COMMAND), slot[] = "e {%}", *words[] = {slot};

    ck_assert_ptr_nonnull(line);
    memset(line, 'a', DTX_MAX_COMMAND);
    ck_assert_int_eq(
        dtx_template_lines(t, "f", line, DTX_MAX_COMMAND, false, &err), 0);
    ck_assert_int_eq(dtx_template_lines(t, "f", "\001", 1, false, &err), 0);
    ck_assert_int_eq(dtx_template_compile(t, words, 1, &how, &err), 0);
    ck_assert_int_eq(dtx_template_put(t, 0, 7, &b, &err), 0);
    dtx_template_destroy(t);

    t = dtx_template_create();
    memcpy(slot, "e {}", 5);
    ck_assert_int_eq(
        dtx_template_lines(t, "f", line, DTX_MAX_COMMAND, false, &err), 0);
    ck_assert_int_eq(dtx_template_compile(t, words, 1, &how, &err), 0);
    ck_assert_int_eq(dtx_template_put(t, 0, 7, &b, &err), DTX_ELIMIT);
    ck_assert_str_eq(err.text,
                     "task 7: a command of more than 1048576 bytes");
    dtx_buf_free(&b);
    dtx_template_destroy(t);
    free(line);
}
END_TEST

START_TEST(values_and_names_are_told)
{
    static const struct dtx_template_how how = {",", true, false};
    struct dtx_template *t = dtx_template_create();
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    char word[] = "e", *words[] = {word}, header[] = "n,m", row[] = " a ,,b/c",
         more[] = "k", last[] = "z", *first[] = {header, row},
         *second[] = {more, last};

    ck_assert_int_eq(dtx_template_words(t, first, 2, false, &err), 0);
    ck_assert_int_eq(dtx_template_words(t, second, 2, false, &err), 0);
    ck_assert_int_eq(dtx_template_compile(t, words, 1, &how, &err), 0);
    dtx_template_columns(t, &b);
    ck_assert_uint_eq(b.len, 6);
    ck_assert_int_eq(memcmp(b.data, "n\0m\0k\0", 6), 0);
    dtx_buf_clear(&b);
    ck_assert_int_eq(dtx_template_put(t, 0, 1, &b, &err), 0);
    dtx_buf_clear(&b);
    dtx_template_args(t, &b);
    ck_assert_uint_eq(b.len, 11);
    ck_assert_int_eq(memcmp(b.data, " a \0\0b/c\0z\0", 11), 0);
    dtx_template_destroy(t);
    dtx_buf_free(&b);
}
END_TEST

static const struct {
    const char *path, *want;
    bool trim;
} paths[] = {
    {"r/{}", "r/ a   b/c.d", false}, {"r/{}", "r/a  b/c.d", true},
    {"{1}{2}{3}", " a b/c.d", false}, {"{n}/{m}", " a /", false},
    {"{-1/.}_{#}{%}", "c_7\001", false}, {"{k}", "{k}", false},
};

START_TEST(paths_are_filled)
{
    static const char args[] = " a \0\0b/c.d", columns[] = "n\0m";
    struct dtx_template *t = dtx_template_create();
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};

    ck_assert_int_eq(dtx_template_compile_path(t, paths[_i].path, columns,
                                               sizeof(columns), paths[_i].trim,
                                               &err),
                     0);
    ck_assert_int_eq(dtx_template_has_replacement(t),
                     strcmp(paths[_i].path, paths[_i].want) != 0);
    ck_assert_int_eq(dtx_template_fill(t, args, sizeof(args), 7, &b, &err), 0);
    ck_assert_str_eq(b.data, paths[_i].want);
    dtx_template_destroy(t);
    dtx_buf_free(&b);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("task/template");
    TCase *c = tcase_create("template");

    tcase_add_loop_test(c, templates_expand, 0, DTX_COUNT(rows));
    tcase_add_loop_test(c, templates_are_refused, 0, DTX_COUNT(refused));
    tcase_add_test(c, lines_are_values);
    tcase_add_test(c, too_many_combinations_are_named);
    tcase_add_test(c, limits_of_a_command);
    tcase_add_test(c, values_and_names_are_told);
    tcase_add_loop_test(c, paths_are_filled, 0, DTX_COUNT(paths));
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* The files of --results: in a directory or by name, parents made, written
 * over, and what cannot be written. */
#include "store/results.h"

#include "base/error.h"
#include "check_main.h"
#include "store/writer.h"
#include "store_dir.h"
#include "task/outcome.h"

/* Does the file hold this? */
static void holds(const char *path, const char *want)
{
    char text[64] = "";
    FILE *f = fopen(path, "re");
    size_t n;

    ck_assert_msg(f != NULL, "no %s", path);
    n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    ck_assert_uint_eq(n, strlen(want));
    ck_assert_str_eq(text, want);
}

/* The results of task 'task' with these outputs, at 'path'. */
static int write_it(const char *path, uint32_t task, const char *out,
                    const char *text, struct dtx_error *err)
{
    struct dtx_pack p;
    int rc;

    memset(&p, 0, sizeof(p));
    ck_assert(dtx_scratch_write("src-out", out, strlen(out)));
    ck_assert(dtx_scratch_write("src-err", text, strlen(text)));
    p.results = path;
    p.outcome.task = task;
    p.outcome.out_len = strlen(out);
    p.outcome.err_len = strlen(text);
    p.out_fd = open("src-out", O_RDONLY | O_CLOEXEC);
    p.err_fd = open("src-err", O_RDONLY | O_CLOEXEC);
    rc = dtx_results_write(&p, err);
    (void)close(p.out_fd);
    (void)close(p.err_fd);
    return rc;
}

START_TEST(a_path_with_a_slash_is_a_directory)
{
    ck_assert_int_eq(write_it("dir/1/a/2/b c/", 11, "out\n", "err", NULL), 0);
    holds("dir/1/a/2/b c/stdout", "out\n");
    holds("dir/1/a/2/b c/stderr", "err");
    holds("dir/1/a/2/b c/seq", "12");
    ck_assert_int_eq(write_it("dir/1/a/2/b c/", 0, "o", "", NULL), 0);
    holds("dir/1/a/2/b c/stdout", "o");
    holds("dir/1/a/2/b c/stderr", "");
    holds("dir/1/a/2/b c/seq", "1");
}
END_TEST

START_TEST(another_is_the_name_of_a_file)
{
    ck_assert_int_eq(write_it("name/x/log", 4, "out", "err", NULL), 0);
    holds("name/x/log", "out");
    holds("name/x/log.err", "err");
    holds("name/x/log.seq", "5");
    ck_assert_int_eq(write_it("bare", 5, "", "", NULL), 0);
    holds("bare", "");
    holds("bare.seq", "6");
}
END_TEST

START_TEST(what_cannot_be_written_is_named)
{
    struct dtx_error err = {0, ""};

    ck_assert(dtx_scratch_write("file", "x", 1));
    ck_assert_int_ne(write_it("file/1/", 0, "", "", &err), 0);
    ck_assert_msg(strstr(err.text, "--results: cannot write file/1/") != NULL,
                  "%s", err.text);
    ck_assert_int_eq(mkdir("taken", 0700), 0);
    ck_assert_int_ne(write_it("taken", 0, "", "", &err), 0);
    ck_assert_msg(strstr(err.text, "cannot write taken: ") != NULL, "%s",
                  err.text);
}
END_TEST

static const struct {
    const char *dir, *made;
} bases[] = {
    {"plain/a/b", "plain/a/b"}, {"pattern/a/{1}/x", "pattern/a"},
    {"{}", "."},                {"half{1}/x", "."},
    {"slash/", "slash"},
};

START_TEST(the_common_directory_is_made)
{
    struct dtx_layout_limits limits = {0, 0};
    struct dtx_error err = {0, ""};
    struct stat st;

    ck_assert_msg(dtx_results_check(bases[_i].dir, &limits, &err) == 0, "%s",
                  err.text);
    ck_assert_int_eq(stat(bases[_i].made, &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
    ck_assert_uint_ge(limits.name, 14);
    ck_assert_uint_gt(limits.path, limits.name);
}
END_TEST

START_TEST(a_common_directory_that_cannot_be_is_told)
{
    struct dtx_layout_limits limits;
    struct dtx_error err = {0, ""};

    ck_assert(dtx_scratch_write("nodir", "x", 1));
    ck_assert_int_ne(dtx_results_check("nodir/x/{}", &limits, &err), 0);
    ck_assert_msg(strstr(err.text, "--results: cannot make nodir/x/") != NULL,
                  "%s", err.text);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("store/results");
    TCase *c = tcase_create("results");

    tcase_add_test(c, a_path_with_a_slash_is_a_directory);
    tcase_add_test(c, another_is_the_name_of_a_file);
    tcase_add_test(c, what_cannot_be_written_is_named);
    tcase_add_loop_test(c, the_common_directory_is_made, 0, DTX_COUNT(bases));
    tcase_add_test(c, a_common_directory_that_cannot_be_is_told);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    dtx_scratch_enter();
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_features.c - commands into classes and numbers
 *
 * A table of commands and their templates; what is the same class and what is
 * not; sizes are asked for files, and bounded.
 */
#include "check_main.h"
#include "predict/features.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *command, *text;
} rows[] = {
    {"sort -n 17 a.txt b.txt c.txt", "sort -n # *.txt+"},
    {"/usr/bin/sort -n 18 x.txt y.txt", "sort -n # *.txt+"},
    {"OMP_NUM_THREADS=4 ./sim --steps=100 mesh.dat", "sim --steps= # *.dat"},
    {"python3 -u train.py --lr 1e-3 data/set1.h5",
     "python3 -u train.py --lr # *.h5"},
    {"bash job.sh 12", "bash job.sh #"},
    {"blastall -i q.fa.7 -o q.fa.7.out 2> q.fa.7.err",
     "blastall -i * -o *.out 2> *.err"},
    {"echo 'two words' -5 +2.5", "echo @ # #"},
    {"", ""},
    {"   ", ""},
    {"'unclosed", "'unclosed"},
    {"a\033b --x\007 'two\nlines.c\033' '-y\nz=' \303\244",
     "a?b --x? *.c? -y?z= @+"},
};

START_TEST(template_row)
{
    struct dtx_features f;

    dtx_features_of(rows[_i].command, strlen(rows[_i].command), NULL, NULL,
                    NULL, &f);
    ck_assert_str_eq(f.text, rows[_i].text);
    ck_assert_uint_ne(f.class_key, 0);
}
END_TEST

static struct dtx_features of(const char *command)
{
    struct dtx_features f;

    dtx_features_of(command, strlen(command), NULL, NULL, NULL, &f);
    return f;
}

START_TEST(classes_tell_flags_not_numbers)
{
    struct dtx_features a = of("prog -a 1 x.dat"), b = of("prog -a 2 y.dat");
    struct dtx_features c = of("prog -b 1 x.dat");

    ck_assert_uint_eq(a.class_key, b.class_key);
    ck_assert_uint_ne(a.class_key, c.class_key);
    ck_assert_uint_eq(a.program_key, c.program_key);
    ck_assert(!dtx_key_equal(a.exact, b.exact));
}
END_TEST

START_TEST(numbers_are_logarithms)
{
    struct dtx_features f = of("prog 1000 -3");

    ck_assert_double_eq_tol((double)f.x[2], log1p(1000), 1e-5);
    ck_assert_double_eq_tol((double)f.x[3], -log1p(3), 1e-5);
}
END_TEST

static int64_t size_of(void *ctx, const char *name, size_t len)
{
    (*(int *)ctx)++;
    if (len == 5 && memcmp(name, "a.dat", 5) == 0)
        return 100;
    return -1;
}

START_TEST(sizes_have_their_place)
{
    const char *command = "prog gone.dat a.dat";
    struct dtx_features f;
    int asked = 0;

    dtx_features_of(command, strlen(command), "host", size_of, &asked, &f);
    ck_assert_int_eq(asked, 2);
    ck_assert_double_eq_tol((double)f.x[0], log1p(100), 1e-5);
    ck_assert_double_eq_tol((double)f.x[2], 0, 1e-9);
    ck_assert_double_eq_tol((double)f.x[3], log1p(100), 1e-5);
    ck_assert_uint_eq(f.host, dtx_features_host("host"));
}
END_TEST

START_TEST(everything_is_bounded)
{
    char command[200000] = "prog";
    struct dtx_features f;
    int asked = 0;
    size_t n = 4;

    while (n + 16 < sizeof(command))
        n += (size_t)snprintf(command + n, 16, " f%zu.x%c 1e308", n % 999,
                              'a' + (char)(n % 26));
    dtx_features_of(command, n, NULL, size_of, &asked, &f);
    ck_assert_int_le(asked, DTX_FEATURE_LOOKUPS);
    ck_assert_uint_lt(strlen(f.text), DTX_FEATURE_TEMPLATE);
    for (n = 0; n < DTX_FEATURE_NUMBERS; n++)
        ck_assert(isfinite(f.x[n]));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/features");
    TCase *t = tcase_create("features");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, template_row, 0, DTX_COUNT(rows));
    tcase_add_test(t, classes_tell_flags_not_numbers);
    tcase_add_test(t, numbers_are_logarithms);
    tcase_add_test(t, sizes_have_their_place);
    tcase_add_test(t, everything_is_bounded);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

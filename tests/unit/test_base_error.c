/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_error.c - codes, texts, prefixes, errno
 *
 * Checks that every code has a text, that nothing runs over the end of the
 * text, and that NULL is taken where the header says so.
 */
#include "base/error.h"
#include "check_main.h"

#include <errno.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
} codes[] = {
#define ROW(name, value, text) {DTX_##name, text},
    DTX_ERR_MAP(ROW)
#undef ROW
};

START_TEST(each_code_has_its_text)
{
    ck_assert_int_lt(codes[_i].code, 0);
    ck_assert_str_eq(dtx_strerror(codes[_i].code), codes[_i].text);
    for (int other = 0; other < _i; other++)
        ck_assert_int_ne(codes[_i].code, codes[other].code);
}
END_TEST

START_TEST(any_number_has_a_text)
{
    static const int odd[] = {0, 1, 4711, -4711};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        ck_assert_ptr_nonnull(dtx_strerror(odd[i]));
        ck_assert_uint_gt(strlen(dtx_strerror(odd[i])), 0);
    }
}
END_TEST

START_TEST(set_fills_and_returns_the_code)
{
    struct dtx_error err = {0, ""};
    ck_assert_int_eq(dtx_error_set(&err, DTX_EPARSE, "%s:%d: no", "f", 3),
                     DTX_EPARSE);
    ck_assert_int_eq(err.code, DTX_EPARSE);
    ck_assert_str_eq(err.text, "f:3: no");
    ck_assert_int_eq(dtx_error_set(NULL, DTX_EIO, "x"), DTX_EIO);
}
END_TEST

START_TEST(long_texts_are_cut)
{
    struct dtx_error err = {0, ""};
    char text[3000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)dtx_error_set(&err, DTX_EIO, "%s", text);
    ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
    ck_assert_uint_gt(strlen(err.text), sizeof(err.text) / 2);
    ck_assert_int_eq(dtx_error_prefix(&err, "%s", text), DTX_EIO);
    ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
    ck_assert_int_eq(err.text[0], 'a');
}
END_TEST

START_TEST(prefix_goes_before)
{
    struct dtx_error err = {0, ""};
    (void)dtx_error_set(&err, DTX_EIO, "inner");
    ck_assert_int_eq(dtx_error_prefix(&err, "outer %d: ", 1), DTX_EIO);
    ck_assert_str_eq(err.text, "outer 1: inner");
    ck_assert_int_eq(dtx_error_prefix(NULL, "outer"), 0);
}
END_TEST

static const struct {
    int number, code;
} numbers[] = {
    {ENOSPC, DTX_ENOSPC}, {EDQUOT, DTX_ENOSPC}, {ENOMEM, DTX_ENOMEM},
    {ENOENT, DTX_ENOENT}, {EEXIST, DTX_EEXIST}, {EBADF, DTX_ESYS},
};

START_TEST(errno_gives_code_and_text)
{
    struct dtx_error err = {0, ""};
    char want[256];
    (void)snprintf(want, sizeof(want), "open x: %s",
                   strerror(numbers[_i].number));
    errno = numbers[_i].number;
    ck_assert_int_eq(dtx_error_errno(&err, "open %s", "x"), numbers[_i].code);
    ck_assert_int_eq(err.code, numbers[_i].code);
    ck_assert_str_eq(err.text, want);
    errno = numbers[_i].number;
    ck_assert_int_eq(dtx_error_errno(NULL, "open"), numbers[_i].code);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/error");
    TCase *t = tcase_create("error");
    tcase_add_loop_test(t, each_code_has_its_text, 0, DTX_COUNT(codes));
    tcase_add_test(t, any_number_has_a_text);
    tcase_add_test(t, set_fills_and_returns_the_code);
    tcase_add_test(t, long_texts_are_cut);
    tcase_add_test(t, prefix_goes_before);
    tcase_add_loop_test(t, errno_gives_code_and_text, 0, DTX_COUNT(numbers));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

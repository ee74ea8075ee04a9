/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_buf.c - growing bytes, sticky failure, shell words
 *
 * Shell words are judged by the shell itself: what was quoted is read back
 * through /bin/sh.
 */
#include "base/buf.h"
#include "base/rng.h"
#include "check_main.h"

#include <stdint.h>
#include <string.h>

START_TEST(appends_stay_terminated)
{
    struct dtx_buf b = DTX_BUF_INIT;
    dtx_buf_str(&b, "one");
    dtx_buf_char(&b, ' ');
    dtx_buf_printf(&b, "%d+%s", 2, "three");
    dtx_buf_append(&b, "\0x", 2);
    ck_assert(!b.failed);
    ck_assert_uint_eq(b.len, 13);
    ck_assert_mem_eq(b.data, "one 2+three\0x", 14);
    dtx_buf_drop(&b, 4);
    ck_assert_uint_eq(b.len, 9);
    ck_assert_str_eq(b.data, "2+three");
    dtx_buf_drop(&b, 9);
    ck_assert_uint_eq(b.len, 0);
    dtx_buf_clear(&b);
    dtx_buf_str(&b, "again");
    ck_assert_str_eq(b.data, "again");
    dtx_buf_free(&b);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(long_printf_is_whole)
{
    struct dtx_buf b = DTX_BUF_INIT;
    char text[5000];
    memset(text, 'z', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    dtx_buf_printf(&b, "<%s>", text);
    ck_assert_uint_eq(b.len, sizeof(text) + 1);
    ck_assert_int_eq(b.data[0], '<');
    ck_assert_int_eq(b.data[b.len - 1], '>');
    ck_assert_int_eq(b.data[b.len], '\0');
    dtx_buf_free(&b);
}
END_TEST

START_TEST(failure_is_sticky)
{
    struct dtx_buf b = DTX_BUF_INIT;
    dtx_buf_str(&b, "kept");
    ck_assert(!dtx_buf_reserve(&b, SIZE_MAX - 2));
    ck_assert(b.failed);
    dtx_buf_str(&b, "lost");
    dtx_buf_char(&b, 'x');
    dtx_buf_printf(&b, "%d", 1);
    ck_assert_uint_eq(b.len, 4);
    ck_assert_str_eq(b.data, "kept");
    dtx_buf_clear(&b);
    ck_assert(!b.failed);
    dtx_buf_str(&b, "fine");
    ck_assert_str_eq(b.data, "fine");
    dtx_buf_free(&b);
}
END_TEST

START_TEST(grow_keeps_the_items)
{
    size_t cap = 0;
    uint32_t *p = NULL;
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t *q = dtx_grow(p, &cap, i + 1, sizeof(*p));
        ck_assert_ptr_nonnull(q);
        ck_assert_uint_gt(cap, i);
        p = q;
        p[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(p[i], i);
    size_t before = cap;
    ck_assert_ptr_null(dtx_grow(p, &cap, SIZE_MAX / 2, sizeof(*p)));
    ck_assert_uint_eq(cap, before);
    free(p);
}
END_TEST

static const char *const words[] = {
    "",        "plain",   "a b",        "it's",   "''",   "$HOME",
    "`id`",    "a\nb",    "a\\b",       "\"q\"",  "*?[x", "~root",
    "#no",     "-n",      "a;b|c&d",    "!x",     "\t",   "\xc3\xa9t\xc3\xa9",
    "x=1",     "{a,b}",   "(sub)",      "<in>o",  "'",    "end\n",
    "\\",      "\x01\x7f", "\xff\xfe",   "%s %d",  "a  b", "=",
};

/* Ask the shell for the length and the bytes of one quoted word. */
static void assert_read_back(const char *word, size_t len)
{
    struct dtx_buf b = DTX_BUF_INIT;
    dtx_buf_str(&b, "show() { printf '%d:%s.' $# \"$1\"; }; show ");
    dtx_buf_shell_quoted(&b, word, len);
    ck_assert(!b.failed);
    FILE *f = popen(b.data, "r");
    ck_assert_ptr_nonnull(f);
    char got[4096];
    size_t n = fread(got, 1, sizeof(got), f);
    ck_assert_int_eq(pclose(f), 0);
    ck_assert_msg(n == len + 3 && memcmp(got, "1:", 2) == 0 &&
                      memcmp(got + 2, word, len) == 0 && got[n - 1] == '.',
                  "the shell read %.*s from %s", (int)n, got, b.data);
    dtx_buf_free(&b);
}

START_TEST(shell_reads_words_back)
{
    assert_read_back(words[_i], strlen(words[_i]));
}
END_TEST

START_TEST(shell_reads_random_bytes_back)
{
    struct dtx_rng rng;
    dtx_rng_seed(&rng, 1);
    for (int round = 0; round < 50; round++) {
        char word[200];
        size_t len = (size_t)dtx_rng_below(&rng, sizeof(word));
        for (size_t i = 0; i < len; i++)
            word[i] = (char)(1 + dtx_rng_below(&rng, 255));
        assert_read_back(word, len);
    }
}
END_TEST

START_TEST(heaps_grow_in_whole_lines)
{
    struct node {
        uint64_t v[2];
    } *p = NULL, *q;
    size_t cap = 0, n;

    for (n = 0; n < 5000; n++) {
        q = dtx_grow_heap(p, &cap, n + 1, sizeof(*p));
        ck_assert_ptr_nonnull(q);
        p = q;
        p[n].v[0] = n;
        p[n].v[1] = ~n;
        ck_assert_uint_gt(cap, n);
        ck_assert_uint_eq((uintptr_t)&p[1] % (4 * sizeof(*p)), 0);
    }
    for (n = 0; n < 5000; n++)
        ck_assert(p[n].v[0] == n && p[n].v[1] == ~n);
    ck_assert_ptr_null(dtx_grow_heap(p, &cap, SIZE_MAX / 4, sizeof(*p)));
    ck_assert_uint_eq(p[4999].v[0], 4999);
    dtx_free_heap(p, sizeof(*p));
    dtx_free_heap(NULL, sizeof(*p));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/buf");
    TCase *t = tcase_create("buf");
    tcase_add_test(t, appends_stay_terminated);
    tcase_add_test(t, long_printf_is_whole);
    tcase_add_test(t, failure_is_sticky);
    tcase_add_test(t, grow_keeps_the_items);
    tcase_add_test(t, heaps_grow_in_whole_lines);
    tcase_add_loop_test(t, shell_reads_words_back, 0, DTX_COUNT(words));
    tcase_add_test(t, shell_reads_random_bytes_back);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

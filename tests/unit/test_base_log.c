/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_log.c - what reaches the sink, and what does not */
#include "base/log.h"
#include "check_main.h"

#include <string.h>

struct heard {
    int count;
    enum dtx_log_level level;
    char text[2048];
};

static void hear(void *ctx, enum dtx_log_level level, const char *text)
{
    struct heard *h = ctx;
    h->count++;
    h->level = level;
    (void)snprintf(h->text, sizeof(h->text), "%s", text);
}

START_TEST(silent_without_a_sink)
{
    dtx_log(DTX_LOG_ERROR, "nobody hears %d", 1);
}
END_TEST

START_TEST(the_level_decides)
{
    struct heard h = {0, DTX_LOG_DEBUG, ""};
    dtx_log_set(hear, &h, DTX_LOG_WARN);
    dtx_log(DTX_LOG_INFO, "not this");
    ck_assert_int_eq(h.count, 0);
    dtx_log(DTX_LOG_WARN, "store: cannot open %s", "x");
    ck_assert_int_eq(h.count, 1);
    ck_assert_int_eq(h.level, DTX_LOG_WARN);
    ck_assert_str_eq(h.text, "store: cannot open x");
    dtx_log(DTX_LOG_ERROR, "worse");
    ck_assert_int_eq(h.count, 2);
    dtx_log_set(NULL, NULL, DTX_LOG_DEBUG);
    dtx_log(DTX_LOG_ERROR, "gone");
    ck_assert_int_eq(h.count, 2);
}
END_TEST

START_TEST(long_messages_are_cut)
{
    struct heard h = {0, DTX_LOG_DEBUG, ""};
    char text[20000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    dtx_log_set(hear, &h, DTX_LOG_DEBUG);
    dtx_log(DTX_LOG_DEBUG, "%s", text);
    ck_assert_int_eq(h.count, 1);
    ck_assert_int_eq(h.text[100], 'a');
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/log");
    TCase *t = tcase_create("log");
    tcase_add_test(t, silent_without_a_sink);
    tcase_add_test(t, the_level_decides);
    tcase_add_test(t, long_messages_are_cut);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

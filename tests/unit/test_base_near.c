/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_near.c - slips of the hand, and what is none */
#include <string.h>

#include "base/near.h"
#include "check_main.h"

static const char *const known[] = {"jobs",    "run-dir", "resume",
                                    "retries", "retry-delay", "timeout"};

static const struct {
    const char *word, *best;
} rows[] = {
    {"job", "jobs"},          {"jbs", "jobs"},
    {"jobz", "jobs"},         {"rundir", "run-dir"},
    {"run_dir", "run-dir"},   {"retires", "retries"},
    {"re", "resume"},         {"timeotu", "timeout"},
    {"retry-delays", "retry-delay"},
    {"", NULL},               {"x", NULL},
    {"JOBZ", "jobs"},         {"RUN-", "run-dir"},
    {"help", NULL},           {"something", NULL},
    {"a-word-that-is-longer-than-any-option-can-be", NULL},
};

START_TEST(row)
{
    struct dtx_near s;
    int i;

    dtx_near_init(&s, rows[_i].word, strlen(rows[_i].word));
    for (i = 0; i < DTX_COUNT(known); i++)
        dtx_near_offer(&s, known[i]);
    if (rows[_i].best)
        ck_assert_msg(s.best && strcmp(s.best, rows[_i].best) == 0,
                      "%s: %s", rows[_i].word, s.best ? s.best : "none");
    else
        ck_assert_msg(!s.best, "%s: %s", rows[_i].word, s.best);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/near");
    TCase *t = tcase_create("near");

    tcase_add_loop_test(t, row, 0, DTX_COUNT(rows));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

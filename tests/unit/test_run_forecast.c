/* SPDX-License-Identifier: MIT */
/* tests/unit/test_run_forecast.c - the words in which the end is foretold */
#include "run/forecast.h"

#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/units.h"
#include "check_main.h"
#include "predict/deadline.h"

#define NOON (INT64_C(1764072000) * DTX_SEC_NS) /* 2025-11-25T12:00Z */

static void expect(const struct dtx_verdict *v, int64_t deadline,
                   const char *text)
{
    struct dtx_buf b = DTX_BUF_INIT;

    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    tzset();
    dtx_forecast_text(v, NOON, deadline, 60 * DTX_SEC_NS, &b);
    ck_assert_str_eq(b.data, text);
    dtx_buf_free(&b);
}

START_TEST(times_of_the_day)
{
    struct dtx_verdict v = {.known = true, .early = 7800, .likely = 9000,
                            .late = 10500, .risk = 0.38, .at_risk = 41};

    expect(&v, INT64_MAX, "finishes 14:10 to 14:55 (90 %)");
    expect(&v, NOON + 9000 * DTX_SEC_NS,
           "finishes 14:10 to 14:55 (90 %); the time ends 14:30, for tasks "
           "14:29: 38 % risk of missing it, 41 tasks at risk");
    v.late = 100000;
    v.at_risk = 1;
    v.risk = 0;
    expect(&v, NOON + 200000 * DTX_SEC_NS,
           "finishes 14:10 to 2025-11-26 15:46 (90 %); the time ends "
           "2025-11-27 19:33, for tasks 2025-11-27 19:32: 0 % risk of missing "
           "it, 1 task at risk");
}
END_TEST

START_TEST(soon_with_seconds)
{
    struct dtx_verdict v = {.known = true, .early = 5, .late = 65};

    expect(&v, INT64_MAX, "finishes 12:00:05 to 12:01:05 (90 %)");
    v.early = v.late = 1e30; /* more than a clock has */
    expect(&v, INT64_MAX,
           "finishes 2057-08-03 13:46 to 2057-08-03 13:46 (90 %)");
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("run_forecast");
    TCase *tc = tcase_create("words");

    tcase_add_test(tc, times_of_the_day);
    tcase_add_test(tc, soon_with_seconds);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

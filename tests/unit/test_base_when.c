/* SPDX-License-Identifier: MIT */
/* A point of time as people write it: one row per form. */
#include "base/when.h"

#include <check.h>

#include "base/error.h"
#include "base/units.h"
#include "check_main.h"

static const struct {
    const char *text;
    int rc;
    struct dtx_when when;
} rows[] = {
    {"none", 0, {.kind = DTX_WHEN_NONE}},
    {"2h30m", 0, {.kind = DTX_WHEN_SPAN, .ns = 9000 * DTX_SEC_NS}},
    {"45:00", 0, {.kind = DTX_WHEN_SPAN, .ns = 2700 * DTX_SEC_NS}},
    {"1-00:00:00", 0, {.kind = DTX_WHEN_SPAN, .ns = 86400 * DTX_SEC_NS}},
    {"0", 0, {.kind = DTX_WHEN_SPAN}},
    {"@1764057600", 0,
     {.kind = DTX_WHEN_EPOCH, .ns = 1764057600 * DTX_SEC_NS}},
    {"2026-03-01T17:30", 0,
     {DTX_WHEN_LOCAL, 0, 2026, 3, 1, 17, 30, 0}},
    {"2024-02-29T23:59:59", 0,
     {DTX_WHEN_LOCAL, 0, 2024, 2, 29, 23, 59, 59}},
    {"2023-02-29T00:00", DTX_ELIMIT, {0}},
    {"2100-02-29T00:00", DTX_ELIMIT, {0}},
    {"2026-13-01T00:00", DTX_ELIMIT, {0}},
    {"2026-00-01T00:00", DTX_ELIMIT, {0}},
    {"2026-04-31T00:00", DTX_ELIMIT, {0}},
    {"2026-04-01T24:00", DTX_ELIMIT, {0}},
    {"1969-12-31T23:59", DTX_ELIMIT, {0}},
    {"2026-04-01", DTX_EPARSE, {0}},
    {"2026-04-01T10", DTX_EPARSE, {0}},
    {"2026-04-01T10:00:0", DTX_EPARSE, {0}},
    {"2026-04-01T10:00:00Z", DTX_EPARSE, {0}},
    {"@", DTX_EPARSE, {0}},
    {"@-5", DTX_ELIMIT, {0}},
    {"@99999999999999", DTX_ELIMIT, {0}},
    {"", DTX_EPARSE, {0}},
    {"soon", DTX_EPARSE, {0}},
};

START_TEST(test_rows)
{
    struct dtx_when w = {.kind = DTX_WHEN_UNSET, .ns = 7};
    const struct dtx_when *e = &rows[_i].when;

    ck_assert_msg(dtx_parse_when(rows[_i].text, &w) == rows[_i].rc, "%s",
                  rows[_i].text);
    if (rows[_i].rc) {
        ck_assert(w.kind == DTX_WHEN_UNSET && w.ns == 7); /* untouched */
        return;
    }
    ck_assert_int_eq(w.kind, e->kind);
    ck_assert_int_eq(w.ns, e->ns);
    ck_assert_int_eq(w.year, e->year);
    ck_assert_int_eq(w.month, e->month);
    ck_assert_int_eq(w.day, e->day);
    ck_assert_int_eq(w.hour, e->hour);
    ck_assert_int_eq(w.minute, e->minute);
    ck_assert_int_eq(w.second, e->second);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/when");
    TCase *tc = tcase_create("when");

    tcase_add_loop_test(tc, test_rows, 0, DTX_COUNT(rows));
    suite_add_tcase(s, tc);
    return dtx_check_main(s);
}

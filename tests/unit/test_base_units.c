/* SPDX-License-Identifier: MIT */
/* tests/unit/test_base_units.c - numbers, durations and sizes
 *
 * Tables of what people write and what it means; what is refused leaves the
 * result as it was.
 */
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"

#include <string.h>

#define S DTX_SEC_NS
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)

struct row {
    const char *text;
    int code;
    int64_t value;
};

static const struct row ints[] = {
    {"0", 0, 0},
    {"-5", 0, -5},
    {"10", 0, 10},
    {"11", DTX_ELIMIT, 0},
    {"-6", DTX_ELIMIT, 0},
    {"99999999999999999999999", DTX_ELIMIT, 0},
    {"", DTX_EPARSE, 0},
    {" 1", DTX_EPARSE, 0},
    {"1 ", DTX_EPARSE, 0},
    {"1x", DTX_EPARSE, 0},
    {"0x1", DTX_EPARSE, 0},
    {"1.0", DTX_EPARSE, 0},
    {"-", DTX_EPARSE, 0},
};

static const struct row durations[] = {
    {"0", 0, 0},
    {"90", 0, 90 * S},
    {"1.5", 0, 3 * S / 2},
    {"250ms", 0, S / 4},
    {"30s", 0, 30 * S},
    {"10m", 0, 10 * MINUTE},
    {"2h", 0, 2 * HOUR},
    {"1d", 0, DAY},
    {"1h30m", 0, HOUR + 30 * MINUTE},
    {"1d2h3m4s", 0, DAY + 2 * HOUR + 3 * MINUTE + 4 * S},
    {"05:30", 0, 5 * MINUTE + 30 * S},
    {"01:00:00", 0, HOUR},
    {"2-00:00:00", 0, 2 * DAY},
    {"1-02:03:04", 0, DAY + 2 * HOUR + 3 * MINUTE + 4 * S},
    {"", DTX_EPARSE, 0},
    {"s", DTX_EPARSE, 0},
    {"-1", DTX_EPARSE, 0},
    {"1x", DTX_EPARSE, 0},
    {"1h ", DTX_EPARSE, 0},
    {"nan", DTX_EPARSE, 0},
    {"inf", DTX_EPARSE, 0},
    {"1:2:3:4", DTX_EPARSE, 0},
    {"200000d", DTX_ELIMIT, 0},
    {"99999999999999999999", DTX_ELIMIT, 0},
};

static const struct row sizes[] = {
    {"0", 0, 0},
    {"4096", 0, 4096},
    {"512K", 0, 512 * KIB},
    {"512KB", 0, 512 * KIB},
    {"2G", 0, 2 * KIB * KIB * KIB},
    {"1.5T", 0, 1536 * KIB * KIB * KIB},
    {"7B", 0, 7},
    {"", DTX_EPARSE, 0},
    {"K", DTX_EPARSE, 0},
    {"1Q", DTX_EPARSE, 0},
    {"-1", DTX_EPARSE, 0},
    {"1 K", DTX_EPARSE, 0},
    {"99999999999T", DTX_ELIMIT, 0},
};

static void assert_row(const struct row *row, int code, int64_t value)
{
    int64_t want = row->code == 0 ? row->value : 4711;
    ck_assert_msg(code == row->code && value == want,
                  "\"%s\": code %d, value %lld; expected %d, %lld", row->text,
                  code, (long long)value, row->code, (long long)want);
}

START_TEST(int_row)
{
    int64_t v = 4711;
    int code = dtx_parse_int(ints[_i].text, -5, 10, &v);
    assert_row(&ints[_i], code, v);
}
END_TEST

START_TEST(duration_row)
{
    int64_t v = 4711;
    int code = dtx_parse_duration(durations[_i].text, &v);
    assert_row(&durations[_i], code, v);
}
END_TEST

START_TEST(size_row)
{
    int64_t v = 4711;
    int code = dtx_parse_size(sizes[_i].text, &v);
    assert_row(&sizes[_i], code, v);
}
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} shown[] = {
    {850 * 1000, "850 us"},
    {12300 * 1000, "12.3 ms"},
    {4570 * DTX_MSEC_NS, "4.57 s"},
    {200 * S, "3m20s"},
    {2 * HOUR + 5 * MINUTE, "2h05m"},
    {3 * DAY + 4 * HOUR, "3d04h"},
};

START_TEST(durations_are_shown_short)
{
    char buf[64], tiny[4];
    ck_assert_str_eq(dtx_format_duration(buf, sizeof(buf), shown[_i].ns),
                     shown[_i].text);
    ck_assert_uint_lt(strlen(dtx_format_duration(tiny, 4, shown[_i].ns)), 4);
}
END_TEST

static const struct {
    int64_t bytes;
    const char *text;
} shown_sizes[] = {
    {0, "0 B"},
    {512, "512 B"},
    {1536, "1.5 KiB"},
    {200 * KIB * KIB, "200 MiB"},
};

START_TEST(sizes_are_shown_short)
{
    char buf[64];
    ck_assert_str_eq(dtx_format_size(buf, sizeof(buf), shown_sizes[_i].bytes),
                     shown_sizes[_i].text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/units");
    TCase *t = tcase_create("units");
    tcase_add_loop_test(t, int_row, 0, DTX_COUNT(ints));
    tcase_add_loop_test(t, duration_row, 0, DTX_COUNT(durations));
    tcase_add_loop_test(t, size_row, 0, DTX_COUNT(sizes));
    tcase_add_loop_test(t, durations_are_shown_short, 0, DTX_COUNT(shown));
    tcase_add_loop_test(t, sizes_are_shown_short, 0, DTX_COUNT(shown_sizes));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_wire_codec.c - numbers and texts as bytes and back: bounds of
 * every type, every truncation, numbers that are longer than they need be */
#include "wire/codec.h"

#include <string.h>

#include "base/rng.h"
#include "check_main.h"

static const uint64_t unsigned_values[] = {
    0, 1, 127, 128, 16383, 16384, UINT32_MAX, (uint64_t)UINT32_MAX + 1,
    INT64_MAX, UINT64_MAX - 1, UINT64_MAX,
};

static const int64_t signed_values[] = {
    0, 1, -1, 63, 64, -64, -65, INT32_MAX, INT32_MIN,
    (int64_t)INT32_MAX + 1, (int64_t)INT32_MIN - 1, INT64_MAX, INT64_MIN,
};

static struct dtx_cursor over(const struct dtx_buf *b, size_t len)
{
    return dtx_cursor_over(b->data, len);
}

START_TEST(u64_round_trip)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_cursor c;
    uint64_t v = unsigned_values[_i];
    size_t n;

    dtx_put_u64(&b, v);
    ck_assert(!b.failed && b.len >= 1 && b.len <= 10);
    c = over(&b, b.len);
    ck_assert(dtx_get_u64(&c) == v);
    ck_assert(dtx_cursor_done(&c));
    for (n = 0; n < b.len; n++) {
        c = over(&b, n);
        ck_assert_uint_eq(dtx_get_u64(&c), 0);
        ck_assert(c.bad && !dtx_cursor_done(&c));
        ck_assert_uint_eq(dtx_get_u8(&c), 0); /* failure is sticky */
    }
    c = over(&b, b.len);
    (void)dtx_get_u32(&c);
    ck_assert(c.bad == (v > UINT32_MAX));
    dtx_buf_free(&b);
}
END_TEST

START_TEST(i64_round_trip)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_cursor c;
    int64_t v = signed_values[_i];

    dtx_put_i64(&b, v);
    c = over(&b, b.len);
    ck_assert(dtx_get_i64(&c) == v);
    ck_assert(dtx_cursor_done(&c));
    c = over(&b, b.len);
    (void)dtx_get_i32(&c);
    ck_assert(c.bad == (v > INT32_MAX || v < INT32_MIN));
    dtx_buf_free(&b);
}
END_TEST

START_TEST(small_types)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_cursor c;

    dtx_put_u8(&b, 255);
    dtx_put_u32(&b, UINT32_MAX);
    dtx_put_i32(&b, INT32_MIN);
    dtx_put_i32(&b, INT32_MAX);
    c = over(&b, b.len);
    ck_assert_uint_eq(dtx_get_u8(&c), 255);
    ck_assert_uint_eq(dtx_get_u32(&c), UINT32_MAX);
    ck_assert_int_eq(dtx_get_i32(&c), INT32_MIN);
    ck_assert_int_eq(dtx_get_i32(&c), INT32_MAX);
    ck_assert(dtx_cursor_done(&c));
    ck_assert_uint_eq(dtx_get_u8(&c), 0);
    ck_assert(c.bad);
    dtx_buf_free(&b);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
} refused[] = {
    {"\x80\x00", 2},                                 /* 0 in two bytes */
    {"\xff\x00", 2},                                 /* 127 in two */
    {"\x80\x80\x00", 3},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* above 2^64 */
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},
    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
};

START_TEST(overlong_is_refused)
{
    struct dtx_cursor c =
        dtx_cursor_over(refused[_i].bytes, refused[_i].len);

    (void)dtx_get_u64(&c);
    ck_assert(c.bad);
}
END_TEST

START_TEST(texts)
{
    static const char *text[] = {"", "a", "zero\0inside", "long enough"};
    static const size_t len[] = {0, 1, 11, 11};
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_cursor c;
    struct dtx_str s;
    size_t i;

    for (i = 0; i < 4; i++)
        dtx_put_str(&b, (struct dtx_str){text[i], len[i]});
    c = over(&b, b.len);
    for (i = 0; i < 4; i++) {
        s = dtx_get_str(&c);
        ck_assert_uint_eq(s.len, len[i]);
        ck_assert(s.data != NULL && memcmp(s.data, text[i], len[i]) == 0);
    }
    ck_assert(dtx_cursor_done(&c));
    ck_assert_uint_eq(dtx_str_of(NULL).len, 0);
    ck_assert_ptr_nonnull(dtx_str_of(NULL).data);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(text_beyond_the_end)
{
    static const uint64_t claim[] = {4, 5, UINT32_MAX, UINT64_MAX};
    struct dtx_cursor c;
    struct dtx_str s;
    size_t i;

    for (i = 0; i < 4; i++) {
        struct dtx_buf b = DTX_BUF_INIT;

        dtx_put_u64(&b, claim[i]);
        dtx_buf_append(&b, "abc", 3);
        c = over(&b, b.len);
        s = dtx_get_str(&c);
        ck_assert(c.bad);
        ck_assert_uint_eq(s.len, 0);
        ck_assert_ptr_nonnull(s.data);
        dtx_buf_free(&b);
    }
}
END_TEST

/* What is read from any bytes is what those bytes are written from. */
START_TEST(random_bytes)
{
    struct dtx_rng rng;
    int round;

    dtx_rng_seed(&rng, 7);
    for (round = 0; round < 20000; round++) {
        unsigned char raw[12];
        struct dtx_buf b = DTX_BUF_INIT;
        struct dtx_cursor c;
        uint64_t v;
        size_t i, used;

        for (i = 0; i < sizeof(raw); i++)
            raw[i] = (unsigned char)(dtx_rng_u64(&rng) |
                                     (dtx_rng_below(&rng, 4) ? 0x80 : 0));
        c = dtx_cursor_over(raw, sizeof(raw));
        v = dtx_get_u64(&c);
        used = (size_t)(c.p - raw);
        if (c.bad)
            continue;
        dtx_put_u64(&b, v);
        ck_assert_uint_eq(b.len, used);
        ck_assert_mem_eq(b.data, raw, used);
        dtx_buf_free(&b);
    }
}
END_TEST

START_TEST(nothing)
{
    struct dtx_cursor c = dtx_cursor_over(NULL, 0);

    ck_assert(dtx_cursor_done(&c));
    ck_assert_uint_eq(dtx_get_str(&c).len, 0);
    ck_assert(!dtx_cursor_done(&c));
}
END_TEST

/* An outcome without counters costs a byte, one with rusage alone two. */
START_TEST(counters)
{
    static const struct {
        struct dtx_counters v;
        size_t len;
        const char *bytes;
    } row[] = {
        {{0, 0, {0}}, 1, "\0"},
        {{DTX_COUNTER_RUSAGE, 0, {0}}, 2, "\5\0"},
        {{DTX_COUNTER_PAPI_HARDWARE, 7, {300, 0, 1}}, 6, "\1\7\254\2\0\1"},
        {{DTX_COUNTER_PERF_SOFTWARE, 0xb0, {0, 0, 0, 0, 5, 6, 0, 7}}, 5,
         "\4\260\5\6\7"},
    };
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_counters got;
    struct dtx_cursor c;
    size_t i;

    for (i = 0; i < DTX_COUNT(row); i++) {
        dtx_buf_clear(&b);
        dtx_put_counters(&b, row[i].v);
        ck_assert_uint_eq(b.len, row[i].len);
        ck_assert_mem_eq(b.data, row[i].bytes, row[i].len);
        c = over(&b, b.len);
        got = dtx_get_counters(&c);
        ck_assert(dtx_cursor_done(&c));
        ck_assert_mem_eq(&got, &row[i].v, sizeof(got));
    }
    dtx_buf_free(&b);
}
END_TEST

START_TEST(counters_of_nobody_known)
{
    static const unsigned char raw[] = {DTX_COUNTERS, 0};
    struct dtx_cursor c = dtx_cursor_over(raw, sizeof(raw));
    struct dtx_counters got = dtx_get_counters(&c);

    ck_assert(c.bad);
    ck_assert_uint_eq(got.provider, DTX_COUNTER_NONE);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("wire_codec");
    TCase *tc = tcase_create("codec");

    tcase_add_loop_test(tc, u64_round_trip, 0, DTX_COUNT(unsigned_values));
    tcase_add_loop_test(tc, i64_round_trip, 0, DTX_COUNT(signed_values));
    tcase_add_test(tc, small_types);
    tcase_add_loop_test(tc, overlong_is_refused, 0, DTX_COUNT(refused));
    tcase_add_test(tc, texts);
    tcase_add_test(tc, text_beyond_the_end);
    tcase_add_test(tc, counters);
    tcase_add_test(tc, counters_of_nobody_known);
    tcase_add_test(tc, random_bytes);
    tcase_add_test(tc, nothing);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

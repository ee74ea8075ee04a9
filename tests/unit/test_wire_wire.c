/* SPDX-License-Identifier: MIT */
/* tests/unit/test_wire_wire.c - every kind of message and record with random
 * values: there and back, every truncation, bytes behind the end
 *
 * The functions that fill and compare are generated from wire/tables.h, so a
 * new kind or field is tested without a line here.
 */
#include "wire/wire.h"

#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "task/outcome.h"

enum { ROUNDS = 200 };

static struct dtx_rng rng;
static char texts[ROUNDS * 64];
static size_t texts_used;

/* ---- random values of each type ---- */

static uint64_t any(void)
{
    return dtx_rng_u64(&rng) >> dtx_rng_below(&rng, 64);
}

static uint8_t any_u8(void)
{
    return (uint8_t)any();
}

static uint32_t any_u32(void)
{
    return (uint32_t)any();
}

static uint64_t any_u64(void)
{
    return any();
}

static int32_t any_i32(void)
{
    return (int32_t)(uint32_t)dtx_rng_u64(&rng);
}

static int64_t any_i64(void)
{
    return (int64_t)dtx_rng_u64(&rng) >> dtx_rng_below(&rng, 64);
}

static struct dtx_str any_str(void)
{
    struct dtx_str s;
    size_t i;

    s.len = dtx_rng_below(&rng, 20);
    if (texts_used + s.len > sizeof(texts))
        texts_used = 0;
    for (i = 0; i < s.len; i++)
        texts[texts_used + i] = (char)any();
    s.data = texts + texts_used;
    texts_used += s.len;
    return s;
}

static struct dtx_counters any_counters(void)
{
    struct dtx_counters v;
    unsigned i;

    memset(&v, 0, sizeof(v));
    v.provider = (uint8_t)dtx_rng_below(&rng, DTX_COUNTERS);
    for (i = 0; v.provider != DTX_COUNTER_NONE && i < DTX_COUNTED; i++)
        if (any() & 1)
            dtx_counters_set(&v, (enum dtx_counted)i, any());
    return v;
}

#define SAME_NUMBER(a, b) ((a) == (b))
#define SAME_u8 SAME_NUMBER
#define SAME_u32 SAME_NUMBER
#define SAME_u64 SAME_NUMBER
#define SAME_i32 SAME_NUMBER
#define SAME_i64 SAME_NUMBER
#define SAME_counters(a, b)                                                    \
    ((a).provider == (b).provider && (a).counted == (b).counted &&             \
     memcmp((a).value, (b).value, sizeof((a).value)) == 0)
#define SAME_str(a, b)                                                         \
    ((a).len == (b).len && memcmp((a).data, (b).data, (a).len) == 0)

#define FILL(type, name) v->name = any_##type();
#define COMPARE(type, name) ck_assert_msg(SAME_##type(v->name, w->name), #name);

/* ---- items ---- */

/* Three items in a row; all of them must come back, cut anywhere they must be
 * refused or end early. */
#define ITEM_TEST(NAME, name_)                                                 \
    static void item_##name_(void)                                             \
    {                                                                          \
        struct dtx_item_##name_ item[3], got, *v, *w = &got;                   \
        struct dtx_buf b = DTX_BUF_INIT;                                       \
        size_t end[3], n;                                                      \
        int i, rc;                                                             \
                                                                               \
        for (i = 0; i < 3; i++) {                                              \
            v = &item[i];                                                      \
            DTX_ITEM_FIELDS_##NAME(FILL)                                       \
            dtx_item_##name_##_encode(&b, v);                                  \
            end[i] = b.len;                                                    \
        }                                                                      \
        for (n = 0; n <= b.len; n++) {                                         \
            struct dtx_cursor c = dtx_cursor_over(b.data, n);                  \
                                                                               \
            for (i = 0; (rc = dtx_item_##name_##_next(&c, w)) > 0; i++) {      \
                v = &item[i];                                                  \
                DTX_ITEM_FIELDS_##NAME(COMPARE)                                \
                ck_assert_uint_le(end[i], n);                                  \
            }                                                                  \
            if (n == 0 || n == end[0] || n == end[1] || n == end[2])           \
                ck_assert_int_eq(rc, 0);                                       \
            else                                                               \
                ck_assert_int_eq(rc, DTX_EPROTO);                              \
            ck_assert(i == 3 || n < end[i]);                                   \
        }                                                                      \
        dtx_buf_free(&b);                                                      \
    }
DTX_ITEM_MAP(ITEM_TEST)

START_TEST(items)
{
    int round;

    for (round = 0; round < dtx_rounds(ROUNDS / 4); round++) {
#define CALL(NAME, name) item_##name();
        DTX_ITEM_MAP(CALL)
#undef CALL
    }
}
END_TEST

/* ---- messages and records ---- */

#define HAS_LIST(item) (strcmp(#item, "NONE") != 0)

/* Cut anywhere the header and fields are refused; a byte behind the end is
 * refused unless a list may begin there. */
#define CHECK_CUTS(decode, list)                                               \
    for (n = 0; n < b.len; n++)                                                \
        ck_assert_int_eq(decode(b.data, n, &got), DTX_EPROTO);                 \
    dtx_buf_char(&b, '\1');                                                    \
    ck_assert_int_eq(decode(b.data, b.len, &got), (list) ? 0 : DTX_EPROTO);

#define MSG_TEST(NAME, name_, number, item)                                    \
    static void msg_##name_(void)                                              \
    {                                                                          \
        struct dtx_msg m = {.kind = DTX_MSG_##NAME}, got;                      \
        __typeof__(m.u.name_) *v = &m.u.name_, *w = &got.u.name_;              \
        struct dtx_buf b = DTX_BUF_INIT;                                       \
        size_t n;                                                              \
                                                                               \
        (void)v;                                                               \
        (void)w;                                                               \
        m.epoch = any_u32();                                                   \
        m.incarnation = any_u32();                                             \
        DTX_MSG_FIELDS_##NAME(FILL) dtx_msg_encode(&b, &m);                    \
        ck_assert_int_eq(dtx_msg_decode(b.data, b.len, &got), 0);              \
        ck_assert_int_eq((int)got.kind, number);                               \
        ck_assert_uint_eq(got.epoch, m.epoch);                                 \
        ck_assert_uint_eq(got.incarnation, m.incarnation);                     \
        ck_assert(dtx_cursor_done(&got.items));                                \
        DTX_MSG_FIELDS_##NAME(COMPARE)                                         \
        CHECK_CUTS(dtx_msg_decode, HAS_LIST(item))                             \
        ck_assert_str_eq(dtx_msg_name(m.kind), #NAME);                         \
        dtx_buf_free(&b);                                                      \
    }
DTX_MSG_MAP(MSG_TEST)

#define REC_TEST(NAME, name_, number, item)                                    \
    static void rec_##name_(void)                                              \
    {                                                                          \
        struct dtx_rec m = {.kind = DTX_REC_##NAME}, got;                      \
        __typeof__(m.u.name_) *v = &m.u.name_, *w = &got.u.name_;              \
        struct dtx_buf b = DTX_BUF_INIT;                                       \
        size_t n;                                                              \
                                                                               \
        (void)v;                                                               \
        (void)w;                                                               \
        DTX_REC_FIELDS_##NAME(FILL) dtx_rec_encode(&b, &m);                    \
        ck_assert_int_eq(dtx_rec_decode(b.data, b.len, &got), 0);              \
        ck_assert_int_eq((int)got.kind, number);                               \
        ck_assert(dtx_cursor_done(&got.items));                                \
        DTX_REC_FIELDS_##NAME(COMPARE)                                         \
        CHECK_CUTS(dtx_rec_decode, HAS_LIST(item))                             \
        dtx_buf_free(&b);                                                      \
    }
DTX_REC_MAP(REC_TEST)

START_TEST(messages)
{
    int round;

    for (round = 0; round < dtx_rounds(ROUNDS); round++) {
#define CALL(NAME, name, number, item) msg_##name();
        DTX_MSG_MAP(CALL)
#undef CALL
    }
}
END_TEST

START_TEST(records)
{
    int round;

    for (round = 0; round < dtx_rounds(ROUNDS); round++) {
#define CALL(NAME, name, number, item) rec_##name();
        DTX_REC_MAP(CALL)
#undef CALL
    }
}
END_TEST

static bool is_record(int kind)
{
    switch (kind) {
#define KNOWN(NAME, name, number, item) case number:
        DTX_REC_MAP(KNOWN)
#undef KNOWN
        return true;
    default:
        return false;
    }
}

START_TEST(unknown_kinds)
{
    struct dtx_msg m;
    struct dtx_rec r;
    char frame[8] = {0};
    int kind;

    for (kind = 0; kind < 256; kind++) {
        frame[0] = (char)kind;
        if (strcmp(dtx_msg_name((enum dtx_msg_kind)kind), "?") == 0)
            ck_assert_int_eq(dtx_msg_decode(frame, 3, &m), DTX_EPROTO);
        if (!is_record(kind))
            ck_assert_int_eq(dtx_rec_decode(frame, 1, &r), DTX_EPROTO);
    }
    ck_assert_int_eq(dtx_msg_decode(NULL, 0, &m), DTX_EPROTO);
    ck_assert_int_eq(dtx_rec_decode(NULL, 0, &r), DTX_EPROTO);
}
END_TEST

START_TEST(messages_with_lists)
{
    struct dtx_msg m = {.kind = DTX_MSG_YIELDED, .epoch = 3}, got;
    struct dtx_item_taskref ref = {7, 2}, back;
    struct dtx_buf b = DTX_BUF_INIT;

    m.u.yielded.received = 5;
    dtx_msg_encode(&b, &m);
    dtx_item_taskref_encode(&b, &ref);
    ref.task = 300;
    dtx_item_taskref_encode(&b, &ref);
    ck_assert_int_eq(dtx_msg_decode(b.data, b.len, &got), 0);
    ck_assert_int_eq(dtx_item_taskref_next(&got.items, &back), 1);
    ck_assert_uint_eq(back.task, 7);
    ck_assert_int_eq(dtx_item_taskref_next(&got.items, &back), 1);
    ck_assert_uint_eq(back.task, 300);
    ck_assert_int_eq(dtx_item_taskref_next(&got.items, &back), 0);
    ck_assert_int_eq(dtx_msg_decode(b.data, b.len - 1, &got), 0);
    (void)dtx_item_taskref_next(&got.items, &back);
    ck_assert_int_eq(dtx_item_taskref_next(&got.items, &back), DTX_EPROTO);
    ck_assert_int_eq(dtx_item_taskref_next(&got.items, &back), DTX_EPROTO);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(outcomes)
{
    struct dtx_item_outcome item, again, *v = &item, *w = &again;
    struct dtx_outcome o;
    int status, source;

    DTX_ITEM_FIELDS_OUTCOME(FILL)
    for (status = 0; status < 256; status++) {
        for (source = 0; source < 5; source++) {
            bool known = status >= DTX_STATUS_OK &&
                         status <= DTX_STATUS_LOST &&
                         source <= DTX_SOURCE_JOBLOG;

            item.status = (uint8_t)status;
            item.source = (uint8_t)source;
            ck_assert_int_eq(dtx_outcome_from_item(&item, &o),
                             known ? 0 : DTX_EPROTO);
            if (!known)
                continue;
            dtx_outcome_to_item(&o, &again);
            DTX_ITEM_FIELDS_OUTCOME(COMPARE)
        }
    }
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("wire_wire");
    TCase *tc = tcase_create("wire");

    dtx_rng_seed(&rng, 11);
    tcase_add_test(tc, items);
    tcase_add_test(tc, messages);
    tcase_add_test(tc, records);
    tcase_add_test(tc, unknown_kinds);
    tcase_add_test(tc, messages_with_lists);
    tcase_add_test(tc, outcomes);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_member.c - grants that come in two halves
 *
 * (The rest of a member's life, with losses: tests/property/prop_lane.c.) */
#include "engine/member.h"

#include <string.h>

#include "base/error.h"
#include "check_main.h"

static struct dtx_member member;

static void begin(void)
{
    dtx_member_begin(&member, 3);
}

static void end(void)
{
    dtx_member_fini(&member);
}

static int grant(uint64_t ask, const char *work)
{
    struct dtx_msg m = {.kind = DTX_MSG_KGRANT, .epoch = 3};

    m.u.kgrant.ask = ask;
    m.u.kgrant.work = dtx_str_of(work);
    return dtx_member_hear(&member, &m, "", 0);
}

static int pass(uint64_t ask, const char *work)
{
    struct dtx_msg m = {.kind = DTX_MSG_KPASS, .epoch = 3};

    m.u.kpass.ask = ask;
    m.u.kpass.work = dtx_str_of(work);
    return dtx_member_hear(&member, &m, "", 0);
}

static int over(int code)
{
    struct dtx_msg m = {.kind = DTX_MSG_KOVER, .epoch = 3};

    m.u.kover.code = code;
    return dtx_member_hear(&member, &m, "", 0);
}

static int yield(uint32_t thief)
{
    struct dtx_msg m = {.kind = DTX_MSG_KYIELD, .epoch = 3};

    m.u.kyield.slots = 2;
    m.u.kyield.thief = thief;
    m.u.kyield.ask = 9;
    return dtx_member_hear(&member, &m, "", 0);
}

static void check_work(const char *want)
{
    ck_assert_uint_eq(member.work.len, strlen(want));
    ck_assert_int_eq(memcmp(member.work.data, want, strlen(want)), 0);
}

START_TEST(halves_come_in_any_order)
{
    ck_assert_int_eq(grant(0, "all"), DTX_MEMBER_TAKE);
    check_work("all");
    ck_assert_int_eq(grant(4, "a"), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(pass(5, "d"), DTX_MEMBER_NOTHING);
    ck_assert_uint_eq(member.received, 1);
    ck_assert_int_eq(grant(5, "c"), DTX_MEMBER_TAKE);
    check_work("cd");
    ck_assert_uint_eq(member.received, 2);
    ck_assert_uint_eq(member.waits, 1);
    ck_assert_int_eq(pass(4, "b"), DTX_MEMBER_TAKE);
    check_work("ab");
    ck_assert_uint_eq(member.received, 3);
    ck_assert_uint_eq(member.waits, 0);
    ck_assert_int_eq(pass(6, "never granted"), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(over(DTX_OK), DTX_MEMBER_STOP);
}
END_TEST

/* Who is asked while a grant is not whole would say that it has nothing. */
START_TEST(nobody_is_answered_meanwhile)
{
    ck_assert_int_eq(grant(4, ""), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(yield(2), DTX_MEMBER_SHARE);
    ck_assert(!dtx_member_asked(&member));
    ck_assert_int_eq(pass(4, "b"), DTX_MEMBER_TAKE);
    ck_assert(dtx_member_asked(&member));
    ck_assert_uint_eq(member.ask, 9);
    ck_assert(dtx_member_passes(&member, 1, 1 << 20));
    ck_assert(!dtx_member_passes(&member, 1, 100));
    ck_assert(!dtx_member_passes(&member, 0, 1 << 20));
    dtx_member_shared(&member);
    ck_assert(!dtx_member_asked(&member));
    ck_assert_int_eq(yield(0), DTX_MEMBER_SHARE);
    ck_assert(!dtx_member_passes(&member, 1, 1 << 20));
}
END_TEST

START_TEST(an_early_end_is_not_waited_for)
{
    ck_assert_int_eq(grant(4, ""), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(over(DTX_ELOST), DTX_MEMBER_STOP);
    ck_assert_uint_eq(member.waits, 0);
    ck_assert_int_eq(pass(4, "b"), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(pass(5, "b"), DTX_MEMBER_NOTHING);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    ck_assert_int_eq(pass(0, "b"), DTX_EPROTO);
    ck_assert_int_eq(pass(4, "b"), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(pass(4, "b"), DTX_EPROTO);
    ck_assert_int_eq(grant(5, "b"), DTX_MEMBER_NOTHING);
    ck_assert_int_eq(grant(5, "b"), DTX_EPROTO);
    ck_assert_int_eq(over(DTX_OK), DTX_EPROTO); /* work was under way */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine/member");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, halves_come_in_any_order);
    tcase_add_test(t, nobody_is_answered_meanwhile);
    tcase_add_test(t, an_early_end_is_not_waited_for);
    tcase_add_test(t, nonsense_is_refused);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

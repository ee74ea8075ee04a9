/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lane_trust.c - trust is earned by short calls, and long ones
 * never cost more than those have saved, and one call */
#include "lane/trust.h"

#include "check_main.h"

#define SHORT (DTX_TRUST_SHORT_NS - 1)
#define MS INT64_C(1000000)
#define EARN (DTX_TRUST_NEEDED_NS / DTX_TRUST_SAVED_NS)
#define ALL (DTX_TRUST_MOST_NS / DTX_TRUST_SAVED_NS)

static struct dtx_trust t;

static void clear(void)
{
    t = (struct dtx_trust){0};
}

/* How many short calls on slots until it is trusted. */
static int earn(void)
{
    int n = 0;

    while (!dtx_trust_has(&t, 0)) {
        dtx_trust_saw(&t, 1, SHORT);
        n++;
    }
    return n;
}

START_TEST(some_short_calls_earn_it)
{
    ck_assert_int_eq(earn(), EARN);
    dtx_trust_saw(&t, 1, DTX_TRUST_SHORT_NS); /* a long one */
    ck_assert_int_eq(earn(), EARN / 2);
}
END_TEST

START_TEST(many_at_once_count_as_many)
{
    dtx_trust_saw(&t, 0, INT64_MAX);
    dtx_trust_saw(&t, EARN, EARN * (int64_t)SHORT);
    ck_assert(dtx_trust_has(&t, 0));
    dtx_trust_saw(&t, 64, 64 * (int64_t)SHORT + 64);
    ck_assert(!dtx_trust_has(&t, 0));
    dtx_trust_saw(&t, UINT64_MAX, INT64_MAX);
    ck_assert(dtx_trust_has(&t, 0));
}
END_TEST

/* However long it has been good, and however long a call: there is an end. */
START_TEST(an_account_has_limits)
{
    int i;

    (void)earn();
    for (i = 0; i < 10 * ALL; i++)
        ck_assert(dtx_trust_try(&t, 0));
    dtx_trust_saw(&t, ALL, SHORT);
    for (i = 0; i < 20; i++) {
        ck_assert(dtx_trust_has(&t, 0));
        ck_assert(!dtx_trust_try(&t, MS));
    }
    ck_assert(!dtx_trust_has(&t, 0));
    for (i = 0; i < 100; i++)
        dtx_trust_saw(&t, 1, INT64_MAX);
    ck_assert_int_eq(earn(), ALL + EARN);
    for (i = 0; i < 100; i++)
        (void)dtx_trust_try(&t, INT64_MAX);
    dtx_trust_saw(&t, UINT64_MAX / 2, 0);
    ck_assert(!dtx_trust_has(&t, 0));
}
END_TEST

START_TEST(what_is_thought_to_be_long_must_be_payable)
{
    (void)earn();
    ck_assert(dtx_trust_has(&t, SHORT));
    ck_assert(!dtx_trust_has(&t, MS));
    ck_assert(!dtx_trust_has(&t, INT64_MAX));
    dtx_trust_saw(&t, 199, 199);
    ck_assert(!dtx_trust_has(&t, MS));
    dtx_trust_saw(&t, 1, 1);
    ck_assert(dtx_trust_has(&t, MS));
    ck_assert(dtx_trust_try(&t, 1)); /* it was not */
    ck_assert(dtx_trust_has(&t, MS));
}
END_TEST

/* Of a kernel with long calls among short ones the thread meets so many that
 * they cost no more than is saved; without them it meets every call. */
static const struct {
    int every;
    int64_t ns;
} mixed[] = {{0, 0}, {1000, 4 * MS}, {100, MS}, {10, MS}, {3, 1000 * MS},
             {2, 30000}, {1, 25000}};

START_TEST(long_calls_cost_no_more_than_is_saved)
{
    int64_t cost = 0, ns;
    int i, met = 0;

    for (i = 0; i < 100000; i++) {
        bool is_long = mixed[_i].every && i % mixed[_i].every == 0;

        ns = is_long ? mixed[_i].ns : SHORT;
        if (!dtx_trust_has(&t, 0)) {
            dtx_trust_saw(&t, 1, ns);
            continue;
        }
        met++;
        cost += is_long ? ns : 0;
        (void)dtx_trust_try(&t, ns);
        ck_assert_int_le(cost, (int64_t)i * DTX_TRUST_SAVED_NS + mixed[_i].ns);
    }
    if (mixed[_i].every == 0)
        ck_assert_int_eq(met, i - EARN);
    if (mixed[_i].every == 1)
        ck_assert_int_eq(met, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lane/trust");
    TCase *c = tcase_create("all");

    tcase_add_checked_fixture(c, clear, NULL);
    tcase_add_test(c, some_short_calls_earn_it);
    tcase_add_test(c, many_at_once_count_as_many);
    tcase_add_test(c, an_account_has_limits);
    tcase_add_test(c, what_is_thought_to_be_long_must_be_payable);
    tcase_add_loop_test(c, long_calls_cost_no_more_than_is_saved, 0,
                        DTX_COUNT(mixed));
    suite_add_tcase(s, c);
    return dtx_check_main(s);
}

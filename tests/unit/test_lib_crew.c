/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lib_crew.c - slots rest and wake, and another thread may work
 * as one of them while it sleeps: never two at once, and no work is left */
#include "lib/crew.h"

#include <sched.h>
#include <string.h>

#include "base/error.h"
#include "check_main.h"
#include "lib/net.h"
#include "node/bell.h"

#define MOST 4u

static struct dtx_net net;
static struct dtx_crew crew;
static struct dtx_error err;
static _Atomic int work;          /* pieces that nobody has taken */
static _Atomic int inside[MOST];  /* threads that work as the slot */
static _Atomic int broken;
static int done[MOST];            /* each its slot's alone */

static bool step(void *ctx, unsigned slot)
{
    int left = atomic_load(&work);

    (void)ctx;
    broken += atomic_fetch_add(&inside[slot], 1) != 0;
    while (left > 0 && !atomic_compare_exchange_weak(&work, &left, left - 1))
        ;
    if (left > 0)
        done[slot]++;
    (void)atomic_fetch_sub(&inside[slot], 1);
    return left > 0;
}

static void wait_for_rest(void)
{
    while (!dtx_crew_all_idle(&crew))
        (void)sched_yield();
}

static void start(unsigned n, bool inlined)
{
    memset(&net, 0, sizeof(net));
    memset(done, 0, sizeof(done));
    work = broken = 0;
    net.bell = dtx_bell_create(&err);
    ck_assert_ptr_nonnull(net.bell);
    ck_assert_int_eq(dtx_crew_start(&crew, &net, n, NULL, inlined, false, &err),
                     DTX_OK);
}

static void stop(void)
{
    dtx_crew_assign(&crew, NULL, NULL, 0);
    dtx_crew_stop(&crew);
    dtx_bell_destroy(net.bell);
}

/* All that was put in was done, once, by one at a time. */
static void check_done(int all)
{
    int sum = 0;
    unsigned i;

    for (i = 0; i < MOST; i++)
        sum += done[i];
    ck_assert_int_eq(sum, all);
    ck_assert_int_eq(broken, 0);
}

START_TEST(work_is_held_while_one_sleeps_and_not_idle)
{
    int slot;

    start(2, false);
    wait_for_rest();
    ck_assert(!dtx_crew_hold(&crew)); /* they work at nothing */
    dtx_crew_assign(&crew, step, NULL, 0);
    wait_for_rest();
    work = 1;
    ck_assert(dtx_crew_hold(&crew));
    ck_assert(!dtx_crew_all_idle(&crew));
    slot = dtx_crew_borrow(&crew);
    ck_assert_int_ge(slot, 0);
    ck_assert(step(NULL, (unsigned)slot));
    dtx_crew_return(&crew);
    dtx_crew_let_go(&crew);
    ck_assert(dtx_crew_all_idle(&crew));
    check_done(1);
    stop();
}
END_TEST

START_TEST(a_woken_thread_waits_for_its_slot)
{
    int slot;

    start(1, false);
    dtx_crew_assign(&crew, step, NULL, 0);
    wait_for_rest();
    slot = dtx_crew_borrow(&crew);
    ck_assert_int_eq(slot, 0);
    ck_assert_int_eq(crew.borrowed, 0);
    work = 1;
    dtx_crew_publish(&crew);
    ck_assert(!dtx_crew_hold(&crew)); /* it is told, and not at rest */
    for (slot = 0; slot < 100; slot++)
        (void)sched_yield();
    ck_assert_int_eq(work, 1);
    dtx_crew_return(&crew);
    wait_for_rest();
    check_done(1);
    stop();
}
END_TEST

/* One that has been told, and is about to wake, is its thread's: were it lent,
 * nobody would tell it again. */
START_TEST(a_slot_that_was_told_to_wake_is_not_lent)
{
    int i, all = 0;

    start(1, false);
    dtx_crew_assign(&crew, step, NULL, 0);
    for (i = 0; i < 1000; i++) {
        wait_for_rest();
        work = 1;
        all++;
        (void)pthread_mutex_lock(&crew.lock);
        ck_assert_uint_eq(crew.idle, 1);
        (void)pthread_mutex_unlock(&crew.lock);
        dtx_crew_publish(&crew);
        if (dtx_crew_borrow(&crew) >= 0) /* it has found nothing again */
            ck_assert_int_eq(work, 0);
        dtx_crew_return(&crew);
    }
    wait_for_rest();
    check_done(all);
    stop();
}
END_TEST

START_TEST(a_slot_without_a_thread_is_not_lent)
{
    start(1, true);
    dtx_crew_assign(&crew, step, NULL, 0);
    ck_assert(!dtx_crew_hold(&crew));
    ck_assert_int_eq(dtx_crew_borrow(&crew), -1);
    while (dtx_crew_work(&crew))
        ;
    stop();
}
END_TEST

/* As the communicating thread does, some thousand times. */
START_TEST(never_two_at_once_and_nothing_is_left)
{
    int round, all = 0, held = 0, slot;

    start(MOST, false);
    dtx_crew_assign(&crew, step, NULL, 0);
    for (round = 0; round < 3000; round++) {
        int n = round % 3 + 1;

        work += n;
        all += n;
        if (round % 7 != 0 && dtx_crew_hold(&crew))
            held++;
        slot = dtx_crew_borrow(&crew);
        if (round % 5 == 0)
            dtx_crew_publish(&crew); /* as a task does that spawns */
        if (slot >= 0)
            (void)step(NULL, (unsigned)slot);
        dtx_crew_return(&crew);
        dtx_crew_let_go(&crew);
        if (work > 0)
            dtx_crew_publish(&crew);
        if (round % 16 == 0)
            wait_for_rest();
    }
    wait_for_rest();
    check_done(all);
    ck_assert_int_gt(held, 0);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lib/crew");
    TCase *t = tcase_create("all");

    tcase_add_test(t, work_is_held_while_one_sleeps_and_not_idle);
    tcase_add_test(t, a_woken_thread_waits_for_its_slot);
    tcase_add_test(t, a_slot_that_was_told_to_wake_is_not_lent);
    tcase_add_test(t, a_slot_without_a_thread_is_not_lent);
    tcase_add_test(t, never_two_at_once_and_nothing_is_left);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

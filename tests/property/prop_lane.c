/* SPDX-License-Identifier: MIT */
/* tests/property/prop_lane.c - the kernel lane under losses, from seeds
 *
 * Loops, chunks, trees and tasks with dependencies run among simulated ranks
 * some of which die at any moment, from before they enter to after the region
 * was over.  Of loops and tasks everything is done and counted once, whatever
 * happens; of trees likewise when nobody dies, and else the region ends, with
 * an error.  When a rank fails all that live are told, by its name. */
#include "base/error.h"
#include "../unit/check_main.h"
#include "lane.h"

#define ROUNDS 400

static struct dtx_lane_result r;
static struct dtx_lane_case c;

static bool fails;

static void simulate(enum dtx_lane_kind kind, int seed, uint32_t deaths)
{
    c = (struct dtx_lane_case){.kind = kind,
                               .nranks = (uint32_t)seed % 7 + 1,
                               .units = (uint32_t)(seed * 37) % 300,
                               .deaths = deaths,
                               .fails = fails,
                               .values = seed % 2 != 0,
                               .seed = (uint64_t)seed};
    ck_assert_int_eq(dtx_lane_simulate(&c, &r), DTX_OK);
    ck_assert_msg(!r.wrong[0], "seed %d: %s", seed, r.wrong);
}

static void check_exact(void)
{
    ck_assert_msg(r.code == DTX_OK, "seed %d: code %d", (int)c.seed, r.code);
    /* without values the outcomes of the dead count, and their sums do not */
    ck_assert_msg(r.done == r.want_done &&
                      (r.sum == r.want_sum ||
                       (c.kind >= DTX_LANE_TASKS && !c.values)),
                  "seed %d: %llu of %llu are done, or the sum is wrong",
                  (int)c.seed, (unsigned long long)r.done,
                  (unsigned long long)r.want_done);
}

START_TEST(nobody_dies)
{
    simulate((enum dtx_lane_kind)(_i % 5), _i, 0);
    check_exact();
    ck_assert_uint_eq(r.rounds, 1);
}
END_TEST

START_TEST(loops_and_tasks_outlive_losses)
{
    static const enum dtx_lane_kind kinds[] = {DTX_LANE_LOOP, DTX_LANE_CHUNKS,
                                               DTX_LANE_TASKS};

    simulate(kinds[_i % 3], _i, 1 + (uint32_t)_i % 4);
    check_exact();
}
END_TEST

START_TEST(trees_end_with_an_error)
{
    simulate(_i % 2 ? DTX_LANE_TREE : DTX_LANE_SPAWN, _i / 2, 2);
    if (r.code == DTX_OK)
        check_exact();
    else
        ck_assert_int_eq(r.code, DTX_ELOST);
    ck_assert(r.dead > 0 || r.code == DTX_OK);
}
END_TEST

START_TEST(a_failure_is_told_to_all)
{
    fails = true;
    simulate((enum dtx_lane_kind)(_i % 5), _i, (uint32_t)_i % 3);
    ck_assert_uint_eq(r.alone, 0);
    ck_assert(r.failed || r.code == DTX_OK || r.code == DTX_ELOST);
    if (r.failed)
        ck_assert_uint_ge(r.told + r.dead + 1, c.nranks);
}
END_TEST

/* The cases above are worth something only if they come to the hard places. */
START_TEST(the_hard_places_are_reached)
{
    unsigned again = 0, errors = 0, dead = 0, failed = 0, lent = 0,
             straight = 0, late = 0;
    int seed;

    for (seed = 0; seed < ROUNDS; seed++) {
        simulate((enum dtx_lane_kind)(seed % 5), seed, 3);
        again += r.rounds > 1;
        errors += r.code == DTX_ELOST;
        dead += r.dead;
        lent += r.lent;
        straight += r.straight;
        late += r.late;
    }
    fails = true;
    for (seed = 0; seed < ROUNDS; seed++) {
        simulate((enum dtx_lane_kind)(seed % 5), seed, 0);
        failed += r.failed;
    }
    ck_assert_uint_gt(failed, ROUNDS / 5);
    ck_assert_uint_gt(dead, ROUNDS / 4);
    ck_assert_uint_gt(again, 5);
    ck_assert_uint_gt(errors, 5);
    ck_assert_uint_gt(lent, ROUNDS);
    ck_assert_uint_gt(straight, ROUNDS / 5);
    ck_assert_uint_gt(late, ROUNDS / 20);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernel lane");
    TCase *t = tcase_create("all");
    int n = dtx_rounds(ROUNDS);

    tcase_add_loop_test(t, nobody_dies, 0, n);
    tcase_add_loop_test(t, loops_and_tasks_outlive_losses, 0, 3 * n);
    tcase_add_loop_test(t, trees_end_with_an_error, 0, n);
    tcase_add_loop_test(t, a_failure_is_told_to_all, 0, n);
    tcase_add_test(t, the_hard_places_are_reached);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

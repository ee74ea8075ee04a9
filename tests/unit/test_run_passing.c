/* SPDX-License-Identifier: MIT */
/* A segment goes once, when nobody needs it and a later one is known; checked
 * against a plain count as well. */
#include "run/passing.h"

#include <string.h>

#include "base/rng.h"
#include "check_main.h"
#include "task/outcome.h"

static uint64_t at(uint32_t segment, uint32_t place)
{
    return DTX_OUTPUT_PASSING | (uint64_t)segment << 40 | place;
}

static void goes(struct dtx_passing *p, uint32_t rank, uint32_t segment)
{
    uint32_t r, s;

    ck_assert(dtx_passing_any(p));
    ck_assert(dtx_passing_next(p, &r, &s));
    ck_assert_uint_eq(r, rank);
    ck_assert_uint_eq(s, segment);
}

static void nothing_goes(struct dtx_passing *p)
{
    uint32_t r, s;

    ck_assert(!dtx_passing_any(p));
    ck_assert(!dtx_passing_next(p, &r, &s));
}

START_TEST(last_one_stays)
{
    struct dtx_passing *p = dtx_passing_create(2);

    ck_assert(dtx_passing_hold(p, 1, at(0, 0)));
    ck_assert(dtx_passing_hold(p, 1, at(0, 9)));
    dtx_passing_release(p, 1, at(0, 9));
    dtx_passing_release(p, 1, at(0, 0));
    nothing_goes(p);
    ck_assert(dtx_passing_hold(p, 1, at(1, 0)));
    goes(p, 1, 0);
    nothing_goes(p);
    ck_assert(dtx_passing_hold(p, 1, at(2, 0)));
    nothing_goes(p);
    dtx_passing_release(p, 1, at(1, 0));
    goes(p, 1, 1);
    nothing_goes(p);
    dtx_passing_destroy(p);
    dtx_passing_destroy(NULL);
}
END_TEST

START_TEST(wrong_ones_are_refused)
{
    struct dtx_passing *p = dtx_passing_create(1);

    ck_assert(!dtx_passing_hold(p, 1, at(0, 0)));
    dtx_passing_release(p, 1, at(0, 0));
    dtx_passing_release(p, 0, at(0, 0));
    ck_assert(dtx_passing_hold(p, 0, at(3, 0)));
    goes(p, 0, 2);
    goes(p, 0, 1);
    goes(p, 0, 0);
    ck_assert(!dtx_passing_hold(p, 0, at(2, 0)));
    dtx_passing_release(p, 0, at(2, 0));
    dtx_passing_release(p, 0, at(4, 0));
    nothing_goes(p);
    dtx_passing_destroy(p);
}
END_TEST

enum { RANKS = 3, SEGMENTS = 400, TURNS = 20000 };

/* Outputs come in order and are done with in any. */
START_TEST(as_a_plain_count_says)
{
    static unsigned needed[RANKS][SEGMENTS];
    static bool gone[RANKS][SEGMENTS];
    uint32_t now[RANKS] = {0}, r, s, i;
    struct dtx_passing *p = dtx_passing_create(RANKS);
    struct dtx_rng rng;

    dtx_rng_seed(&rng, (uint64_t)_i);
    memset(needed, 0, sizeof(needed));
    memset(gone, 0, sizeof(gone));
    for (i = 0; i < TURNS; i++) {
        r = (uint32_t)dtx_rng_below(&rng, RANKS);
        if (dtx_rng_below(&rng, 2) == 0) {
            now[r] += now[r] + 1 < SEGMENTS && dtx_rng_below(&rng, 12) == 0;
            ck_assert(dtx_passing_hold(p, r, at(now[r], i)));
            needed[r][now[r]]++;
        } else {
            s = (uint32_t)dtx_rng_below(&rng, now[r] + 1);
            if (needed[r][s] > 0) {
                needed[r][s]--;
                dtx_passing_release(p, r, at(s, i));
            }
        }
        while (dtx_passing_next(p, &r, &s)) {
            ck_assert(s < now[r] && needed[r][s] == 0 && !gone[r][s]);
            gone[r][s] = true;
        }
    }
    for (r = 0; r < RANKS; r++)
        for (s = 0; s < SEGMENTS; s++)
            ck_assert_int_eq(gone[r][s], s < now[r] && needed[r][s] == 0);
    dtx_passing_destroy(p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/passing");
    TCase *t = tcase_create("passing");

    tcase_add_test(t, last_one_stays);
    tcase_add_test(t, wrong_ones_are_refused);
    tcase_add_loop_test(t, as_a_plain_count_says, 0, 10);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

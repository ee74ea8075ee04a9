/* SPDX-License-Identifier: MIT */
/* tests/unit/test_predict_gain.c - makespans worked out by hand */
#include "check_main.h"
#include "predict/gain.h"

static const struct {
    float seconds[5], cost[5];
    bool ordered;
    uint32_t slots;
    double makespan;
} rows[] = {
    {{1, 1, 1, 1, 4}, {0}, false, 2, 6},
    {{1, 1, 1, 1, 4}, {1, 1, 1, 1, 4}, true, 2, 4},
    {{1, 1, 1, 1, 4}, {9, 9, 9, 9, 1}, true, 2, 6}, /* wrong, and no gain */
    {{1, 1, 1, 1, 4}, {1, 1, 1, 1, -1}, true, 2, 4}, /* unknown: first */
    {{1, 1, 1, 1, 4}, {0}, false, 1, 8},
    {{1, 1, 1, 1, 4}, {0}, false, 100, 4},
};

START_TEST(makespan_row)
{
    double m = 0;

    ck_assert(dtx_gain_makespan(rows[_i].seconds,
                                rows[_i].ordered ? rows[_i].cost : NULL, 5,
                                rows[_i].slots, &m));
    ck_assert_double_eq_tol(m, rows[_i].makespan, 1e-6);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict/gain");
    TCase *t = tcase_create("gain");

    tcase_add_loop_test(t, makespan_row, 0, DTX_COUNT(rows));
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

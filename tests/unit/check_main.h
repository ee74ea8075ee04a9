/* SPDX-License-Identifier: MIT */
/* tests/unit/check_main.h - run a suite and say how it went
 *
 *     int main(void) { return dtx_check_main(build_suite()); }
 *
 * Prints what Check prints in its normal mode; tests/summary.sh reads the line
 * "100%: Checks: 7, Failures: 0, Errors: 0" from the log.  A suite that ran
 * nothing is a failure.
 */
#ifndef DTX_TESTS_UNIT_CHECK_MAIN_H
#define DTX_TESTS_UNIT_CHECK_MAIN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* The length of an array, for tcase_add_loop_test over a table of cases. */
#define DTX_COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* How many rounds of 'all' to make: a tenth in a tool that slows everything
 * down (make check-valgrind); what one round does is the same. */
static inline int dtx_rounds(int all)
{
    const char *tool = getenv("TEST_WRAPPER");

    return tool && tool[0] && all > 10 ? all / 10 : all;
}

/* Run the suite (and free it); returns what main should return. */
static inline int dtx_check_main(Suite *s)
{
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int ran = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (ran == 0)
        (void)fprintf(stderr, "no test ran\n");
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

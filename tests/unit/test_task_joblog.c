/* SPDX-License-Identifier: MIT */
/* tests/unit/test_task_joblog.c - which line tells of which task, and what */
#include "task/joblog.h"

#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "task/task.h"

static struct dtx_tasklist list;
static struct dtx_outcome out[8];
static struct dtx_joblog_counts counts;
static struct dtx_error err;

static void set_up(void)
{
    static const char *const command[] = {"a", "b", "a", "c\td", "e\nf", "x",
                                          "x"};
    size_t i;

    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    for (i = 0; i < 7; i++)
        ck_assert_int_eq(dtx_tasklist_add(&list, command[i],
                                          strlen(command[i]), 0, 0,
                                          DTX_NO_TEXT),
                         0);
    list.task[5].index = 10; /* an array: one command, two tasks */
    list.task[6].index = 11;
}

static void tear_down(void)
{
    dtx_tasklist_fini(&list);
}

#define HEAD                                                                   \
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
#define ROW(seq, code, sig, command)                                           \
    seq "\t:\t1700000000.250\t     0.500\t0\t0\t" code "\t" sig "\t" command "\n"

static int read_bytes(const char *text, size_t len)
{
    return dtx_joblog_read("log", text, len, &list, out, &counts, &err);
}

static int told(uint32_t task)
{
    return out[task].status;
}

START_TEST(by_number_and_command)
{
    static const char text[] = HEAD ROW("1", "0", "0", "a") ROW("2", "3", "0",
        "b") ROW("4", "0", "9", "c\td") ROW("5", "-1", "15", "e\0f")
        ROW("7", "0", "0", "x");

    ck_assert_int_eq(read_bytes(text, sizeof(text) - 1), 0);
    ck_assert_int_eq(told(0), DTX_STATUS_OK);
    ck_assert_int_eq(out[0].start_ns, 1700000000250000000);
    ck_assert_int_eq(out[0].wall_ns, 500000000);
    ck_assert_int_eq(told(1), DTX_STATUS_FAILED);
    ck_assert_int_eq(out[1].exit_code, 3);
    ck_assert_int_eq(told(2), DTX_STATUS_NONE);
    ck_assert_int_eq(told(3), DTX_STATUS_SIGNALED);
    ck_assert_int_eq(out[3].signal, 9);
    ck_assert_int_eq(told(4), DTX_STATUS_TIMEOUT);
    ck_assert_int_eq(told(5), DTX_STATUS_NONE);
    ck_assert_int_eq(told(6), DTX_STATUS_OK);
    ck_assert_uint_eq(counts.lines, 5);
    ck_assert_uint_eq(counts.foreign, 0);
}
END_TEST

/* Numbers of another list; the last line of a task counts; an array's tasks
 * are not guessed. */
START_TEST(by_command)
{
    static const char text[] = ROW("11", "1", "0", "a") ROW("12", "0", "0", "a")
        ROW("11", "0", "0", "a") ROW("13", "0", "0", "a")
        ROW("14", "0", "0", "x") ROW("15", "0", "0", "gone")
        "16\t:\t1700";

    ck_assert_int_eq(read_bytes(text, sizeof(text) - 1), 0);
    ck_assert_int_eq(told(0), DTX_STATUS_OK);
    ck_assert_int_eq(told(2), DTX_STATUS_OK);
    ck_assert_int_eq(told(1), DTX_STATUS_NONE);
    ck_assert_int_eq(told(5), DTX_STATUS_NONE);
    ck_assert_uint_eq(counts.lines, 6);
    ck_assert_uint_eq(counts.foreign, 3);
}
END_TEST

START_TEST(bad_lines)
{
    static const struct {
        const char *text, *error;
    } row[] = {
        {"hello\n", "log:1: there are fewer than nine columns"},
        {HEAD ROW("0", "0", "0", "a"), "log:2: the first column, Seq"},
        {HEAD ROW("1.5", "0", "0", "a"), "log:2: the first column, Seq"},
        {ROW("1", "256", "0", "a"), "log:1: the seventh column, Exitval"},
        {ROW("1", "", "0", "a"), "log:1: the seventh column, Exitval"},
        {ROW("1", "0", "-1", "a"), "log:1: the eighth column, Signal"},
        {"1\t:\tx\t0\t0\t0\t0\t0\ta\n", "log:1: the third column, Starttime"},
        {"1\t:\t0\t-\t0\t0\t0\t0\ta\n", "log:1: the fourth column, JobRuntime"},
    };

    ck_assert_int_eq(read_bytes(row[_i].text, strlen(row[_i].text)),
                     DTX_EPARSE);
    ck_assert_msg(strncmp(err.text, row[_i].error, strlen(row[_i].error)) == 0,
                  "%s", err.text);
}
END_TEST

/* Any bytes: an answer or an error, and only tasks of the list. */
START_TEST(any_bytes)
{
    static const char good[] = HEAD ROW("1", "0", "0", "a") ROW("9", "0", "0",
        "a") ROW("2", "3", "0", "b");
    char text[sizeof(good)];
    struct dtx_rng rng;
    uint32_t i, k;

    dtx_rng_seed(&rng, 7);
    for (i = 0; i < 20000; i++) {
        size_t len = (size_t)dtx_rng_below(&rng, sizeof(good));

        memcpy(text, good, sizeof(good));
        for (k = 0; k < i % 4; k++)
            text[dtx_rng_below(&rng, sizeof(good))] =
                (char)dtx_rng_below(&rng, 256);
        (void)read_bytes(text, len);
        for (k = 0; k < 7; k++)
            ck_assert(told(k) == DTX_STATUS_NONE || out[k].task == k);
    }
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("task/joblog");
    TCase *tc = tcase_create("joblog");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, by_number_and_command);
    tcase_add_test(tc, by_command);
    tcase_add_loop_test(tc, bad_lines, 0, 8);
    tcase_add_test(tc, any_bytes);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

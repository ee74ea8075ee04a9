/* SPDX-License-Identifier: MIT */
/* The word of a dead rank's spawner: written, read, damaged; and that a spawner
 * writes it. */
#include "node/notice.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "check_main.h"
#include "spawner_fixture.h"

#define WORD "word"

static struct dtx_notice got;

static void put(const char *text)
{
    FILE *f = fopen(WORD, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(test_round_trip)
{
    struct dtx_item_taskref ran[] = {{0, 1}, {4000000000u, 7}};
    const struct dtx_notice n = {
        .status = 9, .still = true, .told = true, .ran = ran, .nran = 2};

    ck_assert_int_eq(dtx_notice_read(WORD, &got), DTX_ENOENT);
    ck_assert_int_eq(dtx_notice_write(WORD, &n), DTX_OK);
    ck_assert_int_eq(dtx_notice_read(WORD, &got), DTX_OK);
    ck_assert_int_eq(got.status, 9);
    ck_assert(got.still && got.told);
    ck_assert_uint_eq(got.nran, 2);
    ck_assert_int_eq(memcmp(got.ran, ran, sizeof(ran)), 0);
    free(got.ran);
    ck_assert_int_lt(dtx_notice_write("no/such", &n), 0);
    ck_assert_int_eq(unlink(WORD), 0);
}
END_TEST

static const char *const damaged[] = {
    "", "x", "distributex-notice 1\n", "distributex-notice 2\nend\n",
    "distributex-notice 1\nstatus 9\n", "distributex-notice 1\nstatus\nend\n",
    "distributex-notice 1\nran 1\nend\n", "distributex-notice 1\nran 1 2 3\n",
    "distributex-notice 1\nwhat\nend\n", "distributex-notice 1\ntold\nend",
};

START_TEST(test_damaged)
{
    put(damaged[_i]);
    ck_assert_int_eq(dtx_notice_read(WORD, &got), DTX_ECORRUPT);
    ck_assert_ptr_null(got.ran);
    ck_assert_int_eq(unlink(WORD), 0);
}
END_TEST

static const struct {
    struct dtx_notice n;
    const char *text;
} causes[] = {
    {{.status = 9}, "signal 9"},
    {{.status = 3 << 8}, "exit 3"},
    {{.status = -1}, "no word of how"},
    {{.status = 9, .still = true}, "it stood still"},
};

START_TEST(test_cause)
{
    char buf[64];

    ck_assert_str_eq(dtx_notice_cause(&causes[_i].n, buf, sizeof(buf)),
                     causes[_i].text);
}
END_TEST

/* ---- by a spawner ---- */

enum how { DIES, STANDS_STILL, IS_STOPPED, LEAVES };

/* A rank of its own: runs two tasks, one of which ends, and comes to its end.
 * It never returns. */
static void be_rank(enum how how)
{
    struct dtx_spawn_result r;
    bool ended = false;
    struct stat st;

    start(2);
    if (dtx_spawner_guard(spawner, WORD,
                          how == STANDS_STILL || how == IS_STOPPED
                              ? 1500 * DTX_MSEC_NS
                              : 0,
                          how == IS_STOPPED))
        _exit(9);
    (void)run("true");
    (void)run("touch begun; sleep 63");
    while (!ended || stat("begun", &st) != 0) {
        ended |= dtx_spawner_poll(spawner, &r);
        dtx_spawner_beat(spawner);
        (void)usleep(1000);
    }
    if (how == LEAVES) {
        dtx_spawner_unguard(spawner);
        dtx_spawner_stop(spawner);
        _exit(0);
    }
    if (how == STANDS_STILL)
        (void)sleep(60);
    if (how == IS_STOPPED) {
        (void)usleep(2000000); /* it is busy: that is no crime */
        (void)raise(SIGSTOP);
    }
    _exit(3);
}

static void await_word(void)
{
    int64_t end = dtx_clock_mono_ns() + PATIENCE_NS;

    while (dtx_notice_read(WORD, &got) == DTX_ENOENT &&
           dtx_clock_mono_ns() < end)
        (void)usleep(2000);
}

START_TEST(test_spawner_tells)
{
    pid_t pid = fork();
    int status = 0;

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        be_rank((enum how)_i);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (_i == LEAVES) {
        ck_assert_int_eq(dtx_notice_read(WORD, &got), DTX_ENOENT);
    } else {
        await_word();
        ck_assert_int_eq(got.still, _i != DIES);
        ck_assert(got.status == -2 || got.status == status);
        ck_assert(got.told);
        ck_assert_uint_eq(got.nran, 1);
        ck_assert_uint_eq(got.ran[0].task, 1);
        ck_assert_uint_eq(got.ran[0].attempt, 1);
        free(got.ran);
        ck_assert_int_eq(unlink(WORD), 0);
    }
    if (_i == STANDS_STILL || _i == IS_STOPPED)
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(unlink("begun"), 0);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("node_notice");
    TCase *t = tcase_create("notice");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_round_trip);
    tcase_add_loop_test(t, test_damaged, 0,
                        (int)(sizeof(damaged) / sizeof(damaged[0])));
    tcase_add_loop_test(t, test_cause, 0,
                        (int)(sizeof(causes) / sizeof(causes[0])));
    tcase_add_loop_test(t, test_spawner_tells, 0, 4);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    enter_scratch();
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* Watching another process: by pidfd, and as on a kernel that has none. */
#include "node/peer.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "check_main.h"

#define PATIENCE_TURNS 4000 /* of 5 ms */

static void nap(void)
{
    const struct timespec ts = {0, 5 * DTX_MSEC_NS};

    (void)nanosleep(&ts, NULL);
}

static pid_t make_child(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (;;)
            (void)pause();
    }
    return pid;
}

static void await_death(const struct dtx_peer *p)
{
    int i;

    for (i = 0; i < PATIENCE_TURNS && !dtx_peer_died(p); i++)
        nap();
    ck_assert(dtx_peer_died(p));
}

/* _i: without pidfds. A zombie is dead; how it ended is known, where it is at
 * all, once its parent has waited for it. */
START_TEST(test_death)
{
    pid_t pid = make_child();
    struct dtx_peer p;
    int status = 0, told;

    dtx_peer_watch(&p, pid, _i == 1);
    ck_assert(_i == 0 || p.fd == -1);
    ck_assert(!dtx_peer_died(&p));
    ck_assert_int_eq(kill(pid, SIGSEGV), 0);
    await_death(&p);
    ck_assert_int_lt(dtx_peer_status(&p), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(dtx_peer_died(&p));
    told = dtx_peer_status(&p);
    if (told != -2)
        ck_assert_int_eq(told, status);
    if (_i == 1)
        ck_assert_int_eq(told, -2);
    dtx_peer_kill(&p); /* nobody is hit */
    dtx_peer_forget(&p);
    ck_assert(!dtx_peer_died(&p));
}
END_TEST

START_TEST(test_kill)
{
    pid_t pid = make_child();
    struct dtx_peer p;
    int status = 0;

    dtx_peer_watch(&p, pid, _i == 1);
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert(!dtx_peer_died(&p)); /* it only stands still */
    dtx_peer_kill(&p);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    dtx_peer_forget(&p);
}
END_TEST

START_TEST(test_nobody)
{
    struct dtx_peer p = DTX_PEER_NONE;
    pid_t pid = make_child();
    int status;

    ck_assert(!dtx_peer_died(&p));
    ck_assert_int_eq(dtx_peer_status(&p), -2);
    dtx_peer_kill(&p);
    dtx_peer_forget(&p);
    /* one that is gone before it is watched */
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    dtx_peer_watch(&p, pid, _i == 1);
    ck_assert(dtx_peer_died(&p));
    dtx_peer_forget(&p);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("node_peer");
    TCase *t = tcase_create("peer");

    tcase_add_loop_test(t, test_death, 0, 2);
    tcase_add_loop_test(t, test_kill, 0, 2);
    tcase_add_loop_test(t, test_nobody, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* Who is gone: processes that end in any way, on the loopback. (Nodes that are
 * cut off: tests/cli/lib_hosts.t.) */
#include "node/tether.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "check_main.h"

#define SILENCE (5 * DTX_SEC_NS)
#define PATIENCE_TURNS 4000 /* of 5 ms */

static void nap(void)
{
    const struct timespec ts = {0, 5 * DTX_MSEC_NS};

    (void)nanosleep(&ts, NULL);
}

/* A process that is tethered; it leaves in good order when told by TERM. */
static pid_t make_rank(const struct dtx_tether_call *call, uint32_t rank)
{
    pid_t pid = fork();
    struct dtx_tethers *t;
    sigset_t term;
    int s;

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &term, NULL);
    t = dtx_tethers_connect(call, rank, SILENCE);
    if (!t)
        _exit(1);
    (void)sigwait(&term, &s);
    dtx_tethers_close(t);
    _exit(0);
}

/* Look until 'held' are held, or somebody is gone: who. */
static int look(struct dtx_tethers *t, uint32_t held)
{
    int i, gone = -1;

    for (i = 0; i < PATIENCE_TURNS && gone < 0; i++) {
        gone = dtx_tethers_gone(t);
        if (gone < 0 && dtx_tethers_held(t) == held && i > 4)
            break;
        nap();
    }
    return gone;
}

static void end(pid_t pid, int how)
{
    int status;

    ck_assert_int_eq(kill(pid, how), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

START_TEST(the_dead_are_told_from_those_who_left)
{
    struct dtx_tether_call call;
    struct dtx_tethers *t = dtx_tethers_listen(4, SILENCE, true, &call);
    pid_t pid[4];

    ck_assert_ptr_nonnull(t);
    for (uint32_t r = 1; r < 4; r++)
        pid[r] = make_rank(&call, r);
    ck_assert_int_eq(look(t, 3), -1);
    ck_assert_uint_eq(dtx_tethers_held(t), 3);
    end(pid[2], SIGKILL);
    ck_assert_int_eq(look(t, 0), 2);
    end(pid[1], SIGTERM);
    ck_assert_int_eq(look(t, 1), -1);
    ck_assert_int_eq(kill(pid[3], SIGSTOP), 0); /* lives, for all we know */
    ck_assert_int_eq(look(t, 1), -1);
    end(pid[3], SIGKILL);
    ck_assert_int_eq(look(t, 0), 3);
    ck_assert_int_eq(look(t, 0), -1);
    dtx_tethers_close(t);
}
END_TEST

START_TEST(rank_0_is_watched_too)
{
    struct dtx_tether_call call;
    struct dtx_tethers *t = dtx_tethers_listen(2, SILENCE, true, &call), *mine;
    pid_t pid = fork();

    ck_assert_ptr_nonnull(t);
    if (pid == 0) { /* rank 0: this process has only the listener's copy */
        for (int i = 0; i < 40; i++) {
            (void)dtx_tethers_gone(t);
            nap();
        }
        _exit(0); /* without a word */
    }
    mine = dtx_tethers_connect(&call, 1, SILENCE);
    ck_assert_ptr_nonnull(mine);
    ck_assert_int_eq(look(mine, 0), 0);
    dtx_tethers_close(mine);
    dtx_tethers_close(t);
    (void)waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(strangers_are_sent_away)
{
    struct dtx_tether_call call, wrong;
    struct dtx_tethers *t = dtx_tethers_listen(3, SILENCE, true, &call);
    struct dtx_tethers *bad[3];

    wrong = call;
    wrong.token++;
    bad[0] = dtx_tethers_connect(&wrong, 1, SILENCE);
    bad[1] = dtx_tethers_connect(&call, 3, SILENCE); /* no such rank */
    bad[2] = dtx_tethers_connect(&call, 0, SILENCE);
    ck_assert(bad[0] && bad[1] && bad[2]);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(dtx_tethers_gone(t), -1);
        nap();
    }
    ck_assert_uint_eq(dtx_tethers_held(t), 0);
    for (int i = 0; i < 3; i++)
        dtx_tethers_close(bad[i]);
    dtx_tethers_close(t);
    ck_assert_ptr_null(dtx_tethers_connect(&call, 1, SILENCE));
    call.port = 0;
    ck_assert_ptr_null(dtx_tethers_connect(&call, 1, SILENCE));
}
END_TEST

/* Those who connect and say nothing keep no rank out, however many. */
START_TEST(the_silent_make_room)
{
    enum { MANY = 40 };
    struct dtx_tether_call call;
    struct dtx_tethers *t = dtx_tethers_listen(2, SILENCE, true, &call);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd[MANY], i, status;
    pid_t pid;

    ck_assert_ptr_nonnull(t);
    to.sin_port = htons((uint16_t)call.port);
    for (i = 0; i < MANY; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_ge(fd[i], 0);
        ck_assert_int_eq(connect(fd[i], (struct sockaddr *)&to, sizeof(to)), 0);
    }
    pid = fork();
    if (pid == 0) {
        if (dtx_tethers_connect(&call, 1, SILENCE))
            (void)raise(SIGSTOP);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    end(pid, SIGKILL);
    for (i = 0; i < PATIENCE_TURNS && dtx_tethers_gone(t) != 1; i++)
        nap();
    ck_assert_int_lt(i, PATIENCE_TURNS);
    for (i = 0; i < MANY; i++)
        (void)close(fd[i]);
    dtx_tethers_close(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/tether");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_dead_are_told_from_those_who_left);
    tcase_add_test(t, rank_0_is_watched_too);
    tcase_add_test(t, strangers_are_sent_away);
    tcase_add_test(t, the_silent_make_room);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

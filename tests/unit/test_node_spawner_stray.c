/* SPDX-License-Identifier: MIT */
/* Tests of node/spawner_stray with real processes: what tasks leave behind, and
 * the death of the rank or of the spawner. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "spawner_fixture.h"

/* How many processes have 'mark' in their command line; zombies have none. */
static unsigned count_marked(const char *mark)
{
    DIR *d = opendir("/proc");
    const struct dirent *e;
    unsigned n = 0;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL) {
        char path[300], text[512];
        ssize_t len;
        int fd;

        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        len = read(fd, text, sizeof(text));
        (void)close(fd);
        if (len > 0 && memmem(text, (size_t)len, mark, strlen(mark)))
            n++;
    }
    (void)closedir(d);
    return n;
}

/* Wait until as many processes are marked; false after 'limit_ns'. */
static bool wait_marked(const char *mark, unsigned n, int64_t limit_ns)
{
    int64_t end_ns = dtx_clock_mono_ns() + limit_ns;

    while (count_marked(mark) != n) {
        if (dtx_clock_mono_ns() > end_ns)
            return false;
        (void)usleep(5000);
    }
    return true;
}

/* A duration for sleep that nobody else uses. */
static const char *make_mark(char *buf, size_t size, int k)
{
    (void)snprintf(buf, size, "3%d.%ld%09ld", k, (long)getpid(),
                   (long)(dtx_clock_mono_ns() % DTX_SEC_NS));
    return buf;
}

/* ---- what is left behind ---- */

START_TEST(test_leftover_in_group)
{
    char mark[64], command[256];
    struct ended e;

    start(2);
    (void)make_mark(mark, sizeof(mark), 1);
    (void)snprintf(command, sizeof(command),
                   "sleep %s & (trap '' TERM; sleep %s) & echo done", mark,
                   mark);
    e = run_one(command);
    ck_assert_str_eq(e.out, "done\n");
    ck_assert(wait_marked(mark, 0, 2 * DTX_SEC_NS));
    ck_assert_str_eq(run_one("echo next").out, "next\n");
    stop();
}
END_TEST

/* A daemon that left group and session writes for ever: into no other task's
 * output. It lives on until the spawner goes. */
START_TEST(test_writing_daemon)
{
    char mark[64], command[512];
    struct ended e;
    int i;

    start(2);
    (void)make_mark(mark, sizeof(mark), 2);
    (void)snprintf(command, sizeof(command),
                   "setsid sh -c 'while :; do echo BAD; echo BAD >&2; "
                   "sleep 0.0005; done; : %s' & sleep 0.1",
                   mark);
    /* another task runs beside it and sees the daemon appear first */
    (void)run(command);
    for (i = 0; i < 20; i++)
        (void)run("/bin/echo good");
    for (i = 0; i < 21; i++) {
        e = next_ended();
        if (e.r.outcome.task != 0)
            ck_assert_str_eq(e.out, "good\n");
    }
    for (i = 0; i < 300; i++) {
        e = run_one("/bin/echo good");
        ck_assert_str_eq(e.out, "good\n");
        ck_assert_str_eq(e.err, "");
    }
    ck_assert_uint_ge(count_marked(mark), 1);
    stop();
    ck_assert_uint_eq(count_marked(mark), 0);
}
END_TEST

/* Twice removed: its parent has left before it writes. */
START_TEST(test_double_fork_daemon)
{
    char mark[64], command[512];
    int i;

    start(1);
    (void)make_mark(mark, sizeof(mark), 3);
    (void)snprintf(command, sizeof(command),
                   "(setsid sh -c '(while :; do echo BAD; sleep 0.0005; "
                   "done; : %s) & exit' &) ; sleep 0.05",
                   mark);
    (void)run_one(command);
    for (i = 0; i < 200; i++)
        ck_assert_str_eq(run_one("/bin/echo good").out, "good\n");
    stop();
    ck_assert_uint_eq(count_marked(mark), 0);
}
END_TEST

static unsigned count_children(int pid)
{
    char path[64], text[4096];
    unsigned n = 0;
    ssize_t len, i;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    len = read(fd, text, sizeof(text));
    (void)close(fd);
    for (i = 0; i < len; i++)
        n += text[i] == ' ';
    return n;
}

START_TEST(test_no_zombies)
{
    int i;

    start(2);
    for (i = 0; i < 50; i++)
        (void)run("(true &); setsid true & true");
    for (i = 0; i < 50; i++)
        (void)next_ended();
    for (i = 0; i < 200; i++) {
        if (count_children(dtx_spawner_pid(spawner)) == 0)
            break;
        (void)usleep(10000);
    }
    ck_assert_uint_eq(count_children(dtx_spawner_pid(spawner)), 0);
    ck_assert_str_eq(run_one("echo ok").out, "ok\n");
    stop();
}
END_TEST

/* ---- the death of either side ---- */

static void play_rank(const char *mark)
{
    char command[4][256];
    int i;

    start(4);
    (void)snprintf(command[0], sizeof(command[0]), "sleep %s", mark);
    (void)snprintf(command[1], sizeof(command[1]),
                   "trap '' TERM HUP INT; sleep %s & wait; sleep %s", mark,
                   mark);
    (void)snprintf(command[2], sizeof(command[2]),
                   "setsid sleep %s & setsid setsid sleep %s & sleep %s", mark,
                   mark, mark);
    (void)snprintf(command[3], sizeof(command[3]),
                   "(setsid sh -c '(sleep %s & sleep %s) & exit' &) ; true",
                   mark, mark);
    for (i = 0; i < 4; i++)
        (void)run(command[i]);
    for (;;)
        (void)pause();
}

START_TEST(test_rank_killed)
{
    char mark[64];
    pid_t pid;

    (void)make_mark(mark, sizeof(mark), 4);
    pid = fork();
    if (pid == 0) {
        (void)setpgid(0, 0);
        play_rank(mark);
        _exit(0);
    }
    ck_assert_int_gt(pid, 0);
    (void)setpgid(pid, pid);
    /* sleeps: 1 + 1 + 3 + 2; shells with the mark: 2 and perhaps one more */
    (void)wait_marked(mark, 10, 700 * DTX_MSEC_NS);
    ck_assert_uint_ge(count_marked(mark), 7);
    /* mpirun kills the whole group */
    ck_assert_int_eq(kill(_i ? -pid : pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(wait_marked(mark, 0, 2 * DTX_SEC_NS));
}
END_TEST

/* Signals that reach every process of a step do not end the spawner. */
START_TEST(test_spawner_ignores_signals)
{
    static const int sig[] = {SIGINT,  SIGTERM, SIGHUP, SIGUSR1,
                              SIGUSR2, SIGQUIT, SIGPIPE};
    size_t i;

    start(1);
    ck_assert_str_eq(run_one("echo a").out, "a\n");
    for (i = 0; i < sizeof(sig) / sizeof(sig[0]); i++)
        ck_assert_int_eq(kill(dtx_spawner_pid(spawner), sig[i]), 0);
    ck_assert_str_eq(run_one("echo b").out, "b\n");
    ck_assert(dtx_spawner_alive(spawner));
    stop();
}
END_TEST

START_TEST(test_spawner_killed)
{
    char mark[64], command[256];
    int i;

    start(2);
    ck_assert(dtx_spawner_alive(spawner));
    (void)make_mark(mark, sizeof(mark), 5);
    (void)snprintf(command, sizeof(command), "sleep %s & sleep %s", mark, mark);
    (void)run(command);
    ck_assert(wait_marked(mark, 3, 10 * DTX_SEC_NS));
    ck_assert_int_eq(kill(dtx_spawner_pid(spawner), SIGKILL), 0);
    for (i = 0; i < 200 && dtx_spawner_alive(spawner); i++)
        (void)usleep(10000);
    ck_assert(!dtx_spawner_alive(spawner));
    ck_assert(!dtx_spawner_alive(spawner));
    ck_assert(wait_marked(mark, 0, 2 * DTX_SEC_NS));
    stop();
}
END_TEST

START_TEST(test_stop_kills)
{
    char mark[64], command[256];
    int64_t start_ns;
    int pid;

    start(2);
    (void)make_mark(mark, sizeof(mark), 6);
    (void)snprintf(command, sizeof(command),
                   "trap '' TERM; setsid sleep %s & sleep %s", mark, mark);
    (void)run(command);
    ck_assert(wait_marked(mark, 3, 10 * DTX_SEC_NS));
    pid = dtx_spawner_pid(spawner);
    start_ns = dtx_clock_mono_ns();
    stop();
    ck_assert_int_lt(dtx_clock_mono_ns() - start_ns, 2 * DTX_SEC_NS);
    ck_assert_uint_eq(count_marked(mark), 0);
    ck_assert(kill(pid, 0) != 0 && errno == ESRCH);
}
END_TEST

/* The spawner keeps nothing of the rank's: no descriptor, no session. */
START_TEST(test_spawner_is_apart)
{
    int pipe_fd[2];
    char byte;

    ck_assert_int_eq(pipe(pipe_fd), 0);
    start(1);
    ck_assert_int_eq(close(pipe_fd[1]), 0);
    ck_assert_str_eq(run_one("echo a").out, "a\n");
    ck_assert_int_eq(read(pipe_fd[0], &byte, 1), 0); /* nobody else has it */
    ck_assert_int_ne(getsid(dtx_spawner_pid(spawner)), getsid(0));
    ck_assert_int_ne(getpgid(dtx_spawner_pid(spawner)), getpgid(0));
    ck_assert_int_eq(close(pipe_fd[0]), 0);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/spawner_stray");
    TCase *t = tcase_create("left behind");

    enter_scratch();
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_leftover_in_group);
    tcase_add_test(t, test_writing_daemon);
    tcase_add_test(t, test_double_fork_daemon);
    tcase_add_test(t, test_no_zombies);
    suite_add_tcase(s, t);
    t = tcase_create("death");
    tcase_set_timeout(t, 180);
    tcase_add_loop_test(t, test_rank_killed, 0, 2);
    tcase_add_test(t, test_spawner_ignores_signals);
    tcase_add_test(t, test_spawner_killed);
    tcase_add_test(t, test_stop_kills);
    tcase_add_test(t, test_spawner_is_apart);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* The supervisor against shell scripts that stand in for mpirun: how it is
 * called, what its ending means, who gets which signal, and that nothing
 * hangs or is left behind. */
#include "run/supervise.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "check_main.h"

#define PATIENCE_TURNS 4000 /* of 5 ms */

#define START                                                                  \
    "#!/bin/sh\n"                                                              \
    "cd \"${DTX_MARKER%/*}\" || exit 99\n"
/* mark N: what rank 0 does when the job is over. */
#define HEAD                                                                   \
    START ": >\"$DTX_MARKER.ready\"\n"                                         \
    "mark() { echo \"distributex-exit $1\" >m; mv m \"$DTX_MARKER\"; }\n"

static char dir[64], script[96];

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/dtx-supervise-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(script, sizeof(script), "%s/mpirun", dir);
    ck_assert_int_eq(unsetenv("MPIRUN"), 0);
    ck_assert_int_eq(unsetenv("OMPI_MCA_hwloc_base_binding_policy"), 0);
    ck_assert_int_eq(unsetenv("OMPI_MCA_rmaps_base_oversubscribe"), 0);
}

static int drop(const char *path, const struct stat *st, int flag,
                struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void teardown(void)
{
    ck_assert_int_eq(nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *in_dir(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void write_file(const char *head, const char *body)
{
    FILE *f = fopen(script, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fprintf(f, "%s%s\n", head, body), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(script, 0755), 0);
}

static void write_script(const char *body)
{
    write_file(HEAD, body);
}

/* The content of a file in 'dir', "" when there is none. */
static const char *content(const char *name)
{
    static char text[262144];
    FILE *f = fopen(in_dir(name), "r");
    size_t n = 0;

    if (f) {
        n = fread(text, 1, sizeof(text) - 1, f);
        (void)fclose(f);
    }
    text[n] = '\0';
    return text;
}

static void nap(void)
{
    const struct timespec ts = {0, 5 * DTX_MSEC_NS};

    (void)nanosleep(&ts, NULL);
}

static void await(const char *name, const char *text)
{
    for (int i = 0; i < PATIENCE_TURNS; i++) {
        if (strstr(content(name), text))
            return;
        nap();
    }
    ck_abort_msg("no '%s' in %s: '%s'", text, name, content(name));
}

static int run(int *status, struct dtx_error *err)
{
    char prog[] = "prog", arg[] = "a b", *argv[] = {prog, arg, NULL};
    struct dtx_supervise s = {.ranks = 3,
                              .mpirun = script,
                              .run_dir = dir,
                              .argv = argv,
                              .leave_ns = 200 * DTX_MSEC_NS,
                              .kill_ns = 200 * DTX_MSEC_NS};

    return dtx_supervise_run(&s, status, err);
}

/* --- endings -------------------------------------------------------------- */

static const struct {
    const char *body;
    int rc, status;
    const char *says;
} endings[] = {
    {"exit 0", DTX_EMPI, 108, "mpirun said: exit 0"},
    {"exit 1", DTX_EMPI, 108, "mpirun said: exit 1"},
    {"kill -9 $$", DTX_EMPI, 108, "mpirun said: signal 9"},
    {"mark 0; exit 0", DTX_OK, 0, ""},
    {"mark 3; exit 137", DTX_OK, 3, ""},
    {"mark 105; kill -9 $$", DTX_OK, 105, ""},
    {"mark 255", DTX_OK, 255, ""},
    {"mark 256", DTX_EMPI, 108, "without a completion marker"},
    {"mark -1", DTX_EMPI, 108, "without a completion marker"},
    {"mark '1 2'", DTX_EMPI, 108, "without a completion marker"},
    {": >\"$DTX_MARKER\"", DTX_EMPI, 108, "without a completion marker"},
    {"head -c 100000 /dev/zero >\"$DTX_MARKER\"", DTX_EMPI, 108, "marker"},
    {"mkdir \"$DTX_MARKER\"", DTX_EMPI, 108, "without a completion marker"},
    {"mark 5; exec sleep 1000", DTX_OK, 5, ""},
    {"trap '' TERM; mark 6; exec sleep 1000", DTX_OK, 6, ""},
    {"trap '' TERM; mark 7; sleep 1000; exit 1", DTX_OK, 7, ""},
};

START_TEST(test_ending)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    write_script(endings[_i].body);
    ck_assert_int_eq(run(&status, &err), endings[_i].rc);
    ck_assert_int_eq(status, endings[_i].status);
    ck_assert_msg(strstr(err.text, endings[_i].says), "%s", err.text);
}
END_TEST

/* Nothing says that a rank came up. */
START_TEST(test_ranks_never_met)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    write_script("rm \"$DTX_MARKER.ready\"; exit 1");
    ck_assert_int_eq(run(&status, &err), DTX_EMPI);
    ck_assert_int_eq(status, 110);
    ck_assert_msg(strstr(err.text, "did not come up (mpirun said: exit 1)"),
                  "%s", err.text);
    ck_assert_ptr_null(strstr(err.text, "--resume"));
}
END_TEST

START_TEST(test_not_found)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    ck_assert_int_eq(run(&status, &err), DTX_ENOENT);
    ck_assert_int_eq(status, 110);
    ck_assert_msg(strstr(err.text, "openmpi-bin"), "%s", err.text);
    ck_assert_int_lt(run(&status, NULL), 0);
}
END_TEST

/* --- how mpirun is called ------------------------------------------------- */

#define DUMP                                                                   \
    "for a; do echo \"[$a]\"; done >args\n"                                    \
    "env >env\n"                                                               \
    "readlink /proc/self/fd/0 >stdin\n"                                        \
    "grep -E '^Sig(Blk|Ign)' /proc/self/status >masks\n"                       \
    "mark 0"

static int run_with(const char *hostfile, const char *mpirun, bool pass_stdin)
{
    char prog[] = "/bin/prog", arg[] = "a b", *argv[] = {prog, arg, NULL};
    struct dtx_supervise s = {.ranks = 3,
                              .hostfile = hostfile,
                              .mpirun = mpirun,
                              .run_dir = dir,
                              .argv = argv,
                              .verbose = true,
                              .pass_stdin = pass_stdin};
    struct dtx_error err = {0, ""};
    int status = -1;

    ck_assert_int_eq(dtx_supervise_run(&s, &status, &err), DTX_OK);
    return status;
}

START_TEST(test_command_line)
{
    const char *want = "[-n]\n[3]\n[--hostfile]\n[hosts]\n[--oversubscribe]\n"
                       "[--bind-to]\n[none]\n"
                       "[--mca]\n[orte_enable_recovery]\n[1]\n"
                       "[--mca]\n[oob_tcp_keepalive_time]\n[2]\n"
                       "[--mca]\n[oob_tcp_keepalive_intvl]\n[1]\n"
                       "[--mca]\n[oob_tcp_keepalive_probes]\n[3]\n"
                       "[-x]\n[DTX_MARKER]\n[-x]\n[DTX_GO_ON]\n";

    ck_assert_int_eq(setenv("DTX_OPTION", "x y=z", 1), 0);
    ck_assert_int_eq(setenv("DTX_MARKER", "/stale", 1), 0);
    ck_assert_int_eq(unsetenv("OMPI_MCA_mpi_yield_when_idle"), 0);
    write_script(DUMP);
    ck_assert_int_eq(run_with("hosts", script, false), 0);
    ck_assert_msg(strncmp(content("args"), want, strlen(want)) == 0, "%s",
                  content("args"));
    ck_assert_ptr_nonnull(strstr(content("args"), "[-x]\n[DTX_OPTION]\n"));
    ck_assert_ptr_nonnull(strstr(content("args"), "\n[/bin/prog]\n[a b]\n"));
    ck_assert_ptr_nonnull(
        strstr(content("env"), "OMPI_MCA_mpi_yield_when_idle=1\n"));
    ck_assert_ptr_null(strstr(content("env"), "/stale"));
    ck_assert_int_eq(
        strstr(content("env"), "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1") != NULL,
        geteuid() == 0 || getenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM") != NULL);
    ck_assert_str_eq(content("stdin"), "/dev/null\n");
}
END_TEST

/* Supervise the script with up to 'n' further launches. */
static int run_again(uint32_t n, int *status, struct dtx_error *err)
{
    char prog[] = "prog", *argv[] = {prog, NULL};
    struct dtx_supervise s = {.ranks = 2,
                              .mpirun = script,
                              .run_dir = dir,
                              .argv = argv,
                              .relaunches = n,
                              .leave_ns = 200 * DTX_MSEC_NS,
                              .kill_ns = 200 * DTX_MSEC_NS};

    return dtx_supervise_run(&s, status, err);
}

START_TEST(test_launches_again)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    write_script("echo $DTX_GO_ON >>launches\n"
                 "[ $(wc -l <launches) -eq 2 ] && mark 3\n"
                 "exit 9");
    ck_assert_int_eq(run_again(2, &status, &err), DTX_OK);
    ck_assert_int_eq(status, 3);
    ck_assert_str_eq(content("launches"), "0\n1\n");
}
END_TEST

/* Status 108 in the marker: rank 0 itself says that the rest is left. */
START_TEST(test_gives_up)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    write_script("echo x >>launches; mark 108; exit 0");
    ck_assert_int_eq(run_again(1, &status, &err), DTX_OK);
    ck_assert_int_eq(status, 108);
    ck_assert_str_eq(content("launches"), "x\nx\n");
}
END_TEST

/* The first launch does not come up: the command is wrong. */
START_TEST(test_no_second_try)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    write_script("rm \"$DTX_MARKER.ready\"; echo x >>launches; exit 1");
    ck_assert_int_ne(run_again(3, &status, &err), DTX_OK);
    ck_assert_int_eq(status, 110);
    ck_assert_str_eq(content("launches"), "x\n");
}
END_TEST

/* One rank has ended before MPI knew of it; the others wait, and mpirun. */
START_TEST(test_never_comes_up)
{
    char prog[] = "prog", *argv[] = {prog, NULL};
    struct dtx_supervise s = {.ranks = 2,
                              .mpirun = script,
                              .run_dir = dir,
                              .argv = argv,
                              .relaunches = 3,
                              .start_ns = 300 * DTX_MSEC_NS,
                              .kill_ns = 200 * DTX_MSEC_NS};
    struct dtx_error err = {0, ""};
    int status = -1;

    write_file(START, "echo x >>launches\n"
                      "trap '' TERM; while :; do sleep 0.05; done");
    ck_assert_int_ne(dtx_supervise_run(&s, &status, &err), DTX_OK);
    ck_assert_int_eq(status, 110);
    ck_assert_str_eq(content("launches"), "x\nx\n"); /* once more */
}
END_TEST

/* mpirun hangs after rank 0's death has been told. */
START_TEST(test_rank_0_is_told_dead)
{
    struct dtx_error err = {0, ""};
    int status = -1;

    write_script("echo x >>launches\n"
                 "[ $(wc -l <launches) -eq 2 ] && { mark 0; exit 0; }\n"
                 "printf 'distributex-notice 1\\nstatus 9\\nend\\n' "
                 ">\"$DTX_MARKER.lost\"\n"
                 "trap '' TERM; while :; do sleep 0.05; done");
    ck_assert_int_eq(run_again(1, &status, &err), DTX_OK);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(content("launches"), "x\nx\n");
}
END_TEST

START_TEST(test_user_settings_stay)
{
    ck_assert_int_eq(setenv("MPIRUN", script, 1), 0);
    ck_assert_int_eq(setenv("OMPI_MCA_mpi_yield_when_idle", "0", 1), 0);
    ck_assert_int_eq(setenv("OMPI_MCA_hwloc_base_binding_policy", "core", 1),
                     0);
    ck_assert_int_eq(setenv("OMPI_MCA_rmaps_base_oversubscribe", "0", 1), 0);
    ck_assert_int_eq(setenv("OMPI_MCA_orte_enable_recovery", "0", 1), 0);
    write_script(DUMP);
    ck_assert_int_eq(run_with(NULL, NULL, false), 0);
    ck_assert_ptr_null(strstr(content("args"), "--bind-to"));
    ck_assert_ptr_null(strstr(content("args"), "--oversubscribe"));
    ck_assert_ptr_null(strstr(content("args"), "--hostfile"));
    ck_assert_ptr_null(strstr(content("args"), "recovery"));
    ck_assert_ptr_nonnull(
        strstr(content("env"), "OMPI_MCA_mpi_yield_when_idle=0\n"));
}
END_TEST

START_TEST(test_stdin_and_masks)
{
    int fd;
    FILE *f = fopen(in_dir("input"), "w");
    unsigned long long blocked = 1, ignored = 1;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    fd = open(in_dir("input"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    ck_assert_int_eq(close(fd), 0);
    write_script(DUMP);
    ck_assert_int_eq(run_with(NULL, script, true), 0);
    ck_assert_ptr_nonnull(strstr(content("stdin"), "/input\n"));
    ck_assert_int_eq(sscanf(content("masks"), "SigBlk: %llx SigIgn: %llx",
                            &blocked, &ignored),
                     2);
    ck_assert_uint_eq(blocked, 0);
    ck_assert_uint_eq(ignored & (1ull << (SIGUSR1 - 1)), 0);
    ck_assert_uint_eq(ignored & (1ull << (SIGCHLD - 1)), 0);
}
END_TEST

START_TEST(test_marker_is_unlinked)
{
    DIR *d;
    struct dirent *e;
    int left = 0;

    write_script("mark 0; echo \"$DTX_MARKER\" >where");
    ck_assert_int_eq(run_with(NULL, script, false), 0);
    ck_assert_ptr_nonnull(strstr(content("where"), "/.exit-"));
    d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)))
        left += strncmp(e->d_name, ".exit", 5) == 0;
    ck_assert_int_eq(closedir(d), 0);
    ck_assert_int_eq(left, 0);
}
END_TEST

/* --- signals -------------------------------------------------------------- */

static pid_t supervise_in_child(void)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct dtx_error err = {0, ""};
        int status = 99;

        (void)run(&status, &err);
        _exit(status);
    }
    return pid;
}

static int status_of(pid_t pid)
{
    int st = 0;

    for (int i = 0; i < PATIENCE_TURNS; i++) {
        if (waitpid(pid, &st, WNOHANG) == pid)
            return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
        nap();
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &st, 0);
    return -1000;
}

#define LISTEN                                                                 \
    "trap 'echo drain >>log' USR1\n"                                           \
    "trap 'echo kill >>log' USR2\n"                                            \
    "trap 'echo term >>log; exit 1' TERM\n"                                    \
    "trap 'echo int >>log' INT\n"

#define LOOP                                                                   \
    "echo $$ >ready\n"                                                         \
    "while [ ! -e stop ]; do sleep 0.02; done\n"                               \
    "mark 105\n"

static void touch(const char *name)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
}

START_TEST(test_second_int_kills)
{
    pid_t pid;

    write_script(LISTEN LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    await("log", "drain");
    ck_assert_ptr_null(strstr(content("log"), "kill"));
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    await("log", "kill");
    /* The script goes on: TERM follows by itself. */
    ck_assert_int_eq(status_of(pid), 130);
    ck_assert_ptr_nonnull(strstr(content("log"), "term"));
    ck_assert_ptr_null(strstr(content("log"), "int"));
}
END_TEST

/* Killed, but the ranks still wrote how it ended. */
START_TEST(test_second_int_with_marker)
{
    pid_t pid;

    write_script("trap 'mark 130; exit 7' USR2; trap : USR1\n" LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    nap();
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(status_of(pid), 130);
}
END_TEST

static const int drains[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

START_TEST(test_drain_does_not_escalate)
{
    int sig = drains[_i];
    pid_t pid;

    write_script(LISTEN LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    ck_assert_int_eq(kill(pid, sig), 0);
    await("log", "drain");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(pid, SIGTERM), 0);
        nap();
        ck_assert_int_eq(kill(pid, SIGUSR1), 0);
        nap();
    }
    touch("stop");
    ck_assert_int_eq(status_of(pid), sig == SIGUSR1 ? 106 : 105);
    ck_assert_ptr_null(strstr(content("log"), "kill"));
    ck_assert_ptr_null(strstr(content("log"), "term"));
}
END_TEST

/* Ranks that are not there yet do not hear the first one. */
START_TEST(test_drain_is_repeated)
{
    pid_t pid;

    write_script(LISTEN LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    ck_assert_int_eq(kill(pid, SIGUSR1), 0);
    await("log", "drain\ndrain\n");
    touch("stop");
    ck_assert_int_eq(status_of(pid), 106); /* USR1: the time is over */
}
END_TEST

/* A drain before mpirun listens neither ends it nor is lost. */
START_TEST(test_early_drain_waits)
{
    pid_t pid;

    write_script("echo >early\n"
                 "while [ ! -e go ]; do sleep 0.02; done\n" LISTEN LOOP);
    pid = supervise_in_child();
    await("early", "\n");
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    for (int i = 0; i < 100; i++)
        nap();
    touch("go");
    await("log", "drain");
    touch("stop");
    ck_assert_int_eq(status_of(pid), 105);
}
END_TEST

/* mpirun listens, but the ranks have not met: a signal would end them. */
START_TEST(test_unready_ranks_hear_nothing)
{
    pid_t pid;

    write_script("rm \"$DTX_MARKER.ready\"\n" LISTEN "echo >early\n"
                 "while [ ! -e go ]; do sleep 0.02; done\n"
                 ": >\"$DTX_MARKER.ready\"\n" LOOP);
    pid = supervise_in_child();
    await("early", "\n");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    for (int i = 0; i < 100; i++)
        nap();
    ck_assert_str_eq(content("log"), "");
    touch("go");
    await("log", "drain");
    touch("stop");
    ck_assert_int_eq(status_of(pid), 105);
    ck_assert_str_eq(content("log"), "drain\n");
}
END_TEST

/* Two Ctrl-C before the ranks have met: mpirun is ended. */
START_TEST(test_unready_ranks_are_ended)
{
    pid_t pid;

    write_script("rm \"$DTX_MARKER.ready\"\n" LISTEN LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    for (int i = 0; i < 60; i++)
        nap();
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(status_of(pid), 130);
    ck_assert_str_eq(content("log"), "term\n");
}
END_TEST

/* Two Ctrl-C before mpirun listens: it is ended. */
START_TEST(test_early_kill)
{
    pid_t pid;

    write_script("echo >early; exec sleep 1000");
    pid = supervise_in_child();
    await("early", "\n");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    nap();
    for (int i = 0; i < 60; i++)
        nap();
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(status_of(pid), 130);
}
END_TEST

START_TEST(test_ignored_int_stays_ignored)
{
    struct sigaction ign, old;
    pid_t pid;

    memset(&ign, 0, sizeof(ign));
    ign.sa_handler = SIG_IGN;
    ck_assert_int_eq(sigaction(SIGINT, &ign, &old), 0);
    write_script("trap 'echo drain >>log' USR1\n" LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    for (int i = 0; i < 60; i++)
        nap();
    touch("stop");
    ck_assert_int_eq(status_of(pid), 105);
    ck_assert_str_eq(content("log"), "");
    ck_assert_int_eq(sigaction(SIGINT, &old, NULL), 0);
}
END_TEST

/* kill -9 of the supervisor takes mpirun with it; it is a group of its own. */
START_TEST(test_supervisor_dies)
{
    pid_t pid, mpirun;
    int st;

    write_script(LISTEN LOOP);
    pid = supervise_in_child();
    await("ready", "\n");
    mpirun = (pid_t)strtol(content("ready"), NULL, 10);
    ck_assert_int_gt(mpirun, 1);
    ck_assert_int_eq(getpgid(mpirun), mpirun);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &st, 0), pid);
    await("log", "term");
}
END_TEST

START_TEST(test_signals_are_put_back)
{
    struct dtx_error err = {0, ""};
    sigset_t before, after;
    int status;

    write_script("mark 0");
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    ck_assert_int_eq(run(&status, &err), DTX_OK);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &after), 0);
    for (int i = 1; i < 32; i++)
        ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
}
END_TEST

/* --- the marker ----------------------------------------------------------- */

static const struct {
    int status, rc;
} marks[] = {
    {0, DTX_OK},          {101, DTX_OK},        {255, DTX_OK},
    {256, DTX_EINVAL},    {-1, DTX_EINVAL},
};

START_TEST(test_mark)
{
    char want[64] = "";

    if (marks[_i].rc == DTX_OK)
        (void)snprintf(want, sizeof(want), "distributex-exit %d\n",
                       marks[_i].status);
    ck_assert_int_eq(dtx_marker_write(in_dir("m"), marks[_i].status, false),
                     marks[_i].rc);
    ck_assert_str_eq(content("m"), want);
    ck_assert_int_ne(access(in_dir("m.tmp"), F_OK), 0);
}
END_TEST

START_TEST(test_mark_is_read)
{
    struct dtx_marker m;
    bool lossy = true;

    dtx_marker_name(&m, dir);
    ck_assert_ptr_nonnull(m.path);
    ck_assert_int_eq(dtx_marker_read(&m, &lossy), -1);
    ck_assert_int_eq(dtx_marker_write(m.path, 7, false), DTX_OK);
    ck_assert_int_eq(dtx_marker_read(&m, &lossy), 7);
    ck_assert(!lossy);
    ck_assert_int_eq(dtx_marker_write(m.path, 0, true), DTX_OK);
    ck_assert_int_eq(dtx_marker_read(&m, &lossy), 0);
    ck_assert(lossy);
    dtx_marker_remove(&m);
    ck_assert_str_eq(content("m"), "");
}
END_TEST

START_TEST(test_mark_nowhere)
{
    ck_assert_int_eq(dtx_marker_write(in_dir("no/such"), 0, false), DTX_ENOENT);
    ck_assert_int_eq(mkdir(in_dir("taken"), 0700), 0);
    ck_assert_int_lt(dtx_marker_write(in_dir("taken"), 0, true), 0);
}
END_TEST

static TCase *case_with(Suite *s, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("run/supervise");
    TCase *tc = case_with(s, "endings");

    tcase_add_loop_test(tc, test_ending, 0, DTX_COUNT(endings));
    tcase_add_test(tc, test_ranks_never_met);
    tcase_add_test(tc, test_not_found);
    tc = case_with(s, "call");
    tcase_add_test(tc, test_command_line);
    tcase_add_test(tc, test_user_settings_stay);
    tcase_add_test(tc, test_launches_again);
    tcase_add_test(tc, test_gives_up);
    tcase_add_test(tc, test_no_second_try);
    tcase_add_test(tc, test_rank_0_is_told_dead);
    tcase_add_test(tc, test_never_comes_up);
    tcase_add_test(tc, test_stdin_and_masks);
    tcase_add_test(tc, test_marker_is_unlinked);
    tc = case_with(s, "signals");
    tcase_add_test(tc, test_second_int_kills);
    tcase_add_test(tc, test_second_int_with_marker);
    tcase_add_loop_test(tc, test_drain_does_not_escalate, 0,
                        DTX_COUNT(drains));
    tcase_add_test(tc, test_drain_is_repeated);
    tcase_add_test(tc, test_early_drain_waits);
    tcase_add_test(tc, test_early_kill);
    tcase_add_test(tc, test_unready_ranks_hear_nothing);
    tcase_add_test(tc, test_unready_ranks_are_ended);
    tcase_add_test(tc, test_ignored_int_stays_ignored);
    tcase_add_test(tc, test_supervisor_dies);
    tcase_add_test(tc, test_signals_are_put_back);
    tc = case_with(s, "marker");
    tcase_add_loop_test(tc, test_mark, 0, DTX_COUNT(marks));
    tcase_add_test(tc, test_mark_is_read);
    tcase_add_test(tc, test_mark_nowhere);
    return dtx_check_main(s);
}

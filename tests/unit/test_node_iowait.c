/* SPDX-License-Identifier: MIT */
/* tests/unit/test_node_iowait.c - the wait for devices, on machines of files
 * and, where the kernel accounts it, on this one.
 */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "fake_root.h"
#include "node/iowait.h"

static const char *root_of(const char *name)
{
    static char path[PATH_MAX + 64];

    (void)snprintf(path, sizeof(path), "%s/%s", dtx_scratch_path, name);
    return path;
}

START_TEST(is_it_accounted)
{
    ck_assert_int_eq(dtx_iowait_find(root_of("none")), DTX_IOWAIT_OFF);
    put("on", "proc/sys/kernel/task_delayacct", "1\n");
    ck_assert_int_eq(dtx_iowait_find(root_of("on")), DTX_IOWAIT_ON);
    put("off", "proc/sys/kernel/task_delayacct", "0\n");
    ck_assert_int_eq(dtx_iowait_find(root_of("off")), DTX_IOWAIT_OFF);
    put("old", "proc/cmdline", "root=/dev/sda1 quiet\n");
    ck_assert_int_eq(dtx_iowait_find(root_of("old")), DTX_IOWAIT_PERHAPS);
    put("without", "proc/cmdline", "root=/dev/sda1 nodelayacct\n");
    ck_assert_int_eq(dtx_iowait_find(root_of("without")), DTX_IOWAIT_OFF);
}
END_TEST

#define BEFORE                                                                 \
    " Z 1 7 7 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 21 22 23 24 25 26 27 28 29 "  \
    "30 31 32 33 34 35 36 17 38 39 40 "

static const struct {
    const char *stat, *status;
    bool known;
    uint64_t ms, waits;
} processes[] = {
    {"7 (cat)" BEFORE "12 0 0\n", "Name:\tcat\nvoluntary_ctxt_switches:\t34\n",
     true, 120, 34},
    {"7 (a) b (c))" BEFORE "3\n",
     "Name:\tx\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t9\n",
     true, 30, 0},
    {"7 (cat)" BEFORE, "\nvoluntary_ctxt_switches:\t34\n", false, 0, 0},
    {"7 (cat) Z 1 7\n", "\nvoluntary_ctxt_switches:\t34\n", false, 0, 0},
    {"7 cat", "\nvoluntary_ctxt_switches:\t34\n", false, 0, 0},
    {"7 (cat)" BEFORE "12 0\n", "Name:\tcat\nnonvoluntary_ctxt_switches:\t3\n",
     false, 0, 0},
    {"7 (cat)" BEFORE "12 0\n", "\nvoluntary_ctxt_switches:\t", false, 0, 0},
    {"", "", false, 0, 0},
};

START_TEST(of_a_process)
{
    const char *root = root_of("process");
    struct dtx_iowait_process p = {0, 0};

    put("process", "proc/7/stat", processes[_i].stat);
    put("process", "proc/7/status", processes[_i].status);
    ck_assert_int_eq(dtx_iowait_read(root, 7, &p), processes[_i].known);
    ck_assert(!dtx_iowait_read(root, 8, &p));
    if (!processes[_i].known)
        return;
    ck_assert_uint_eq(p.ns, processes[_i].ms * 1000000);
    ck_assert_uint_eq(p.waits, processes[_i].waits);
}
END_TEST

/* Not of a task whose other processes or threads have waited too. */
START_TEST(of_a_task)
{
    struct dtx_iowait_process p = {.ns = 20000000, .waits = 95}, none = {0, 95};
    enum dtx_iowait on = DTX_IOWAIT_ON, off = DTX_IOWAIT_OFF;
    enum dtx_iowait perhaps = DTX_IOWAIT_PERHAPS;
    uint64_t ns = 7;

    ck_assert(dtx_iowait_of(&on, &p, 100, &ns) && ns == 20000000);
    ck_assert(dtx_iowait_of(&on, &none, 95, &ns) && ns == 0);
    ns = 7;
    ck_assert(!dtx_iowait_of(&on, &p, 200, &ns) && ns == 7);
    ck_assert(!dtx_iowait_of(&off, &p, 95, &ns));
    ck_assert(!dtx_iowait_of(&perhaps, &none, 95, &ns));
    ck_assert(!dtx_iowait_of(&perhaps, &p, 1000, &ns));
    ck_assert(dtx_iowait_of(&perhaps, &none, 95, &ns) && ns == 0);
}
END_TEST

/* A file that is in no cache is read by a process of its own. */
static pid_t start_reader(const char *path)
{
    pid_t pid = fork();
    static char text[1 << 16];
    int fd;

    if (pid != 0)
        return pid;
    fd = open(path, O_RDONLY);
    if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        _exit(1);
    while (read(fd, text, sizeof(text)) > 0)
        continue;
    _exit(0);
}

START_TEST(real)
{
    enum dtx_iowait how = dtx_iowait_find("");
    struct dtx_iowait_process p;
    siginfo_t info;
    struct rusage u;
    uint64_t ns;
    int status;
    pid_t pid = start_reader("/proc/self/exe");

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert(dtx_iowait_read("", pid, &p));
    ck_assert_int_eq(wait4(pid, &status, 0, &u), pid);
    ck_assert_uint_le(p.waits, (uint64_t)u.ru_nvcsw);
    if (how == DTX_IOWAIT_OFF)
        printf("SKIP: the kernel does not account the wait for devices "
               "(kernel.task_delayacct=1)\n");
    else if (how == DTX_IOWAIT_ON)
        ck_assert(dtx_iowait_of(&how, &p, (uint64_t)u.ru_nvcsw, &ns));
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("node_iowait");
    TCase *t = tcase_create("iowait");

    tcase_add_test(t, is_it_accounted);
    tcase_add_loop_test(t, of_a_process, 0, DTX_COUNT(processes));
    tcase_add_test(t, of_a_task);
    tcase_add_test(t, real);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    dtx_scratch_enter();
    return dtx_check_main(build_suite());
}

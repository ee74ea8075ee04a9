/* SPDX-License-Identifier: MIT */
/* Tests of node/others on machines of files, and once on this one. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "check_main.h"
#include "node/clock.h"
#include "node/others.h"
#include "store_dir.h"

#define RANK 100 /* its process */

static const uint32_t pus[] = {1, 3};
static int32_t pid[] = {RANK};
static char dir[64]; /* the machine */
static char child_state = 'R'; /* of the task's child at the start */
static struct dtx_others *o;
static int64_t now_ns;

static void put(const char *path, const char *text)
{
    char whole[512], *p;
    FILE *f;

    (void)snprintf(whole, sizeof(whole), "%s/%s", dir, path);
    for (p = whole + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        ck_assert(mkdir(whole, 0777) == 0 || errno == EEXIST);
        *p = '/';
    }
    f = fopen(whole, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* Our processing units were busy for so many seconds so far; others more. */
static void put_busy(double one, double three)
{
    char text[600];

    (void)snprintf(text, sizeof(text),
                   "cpu  9 9 9 9\n"
                   "cpu0 99999 0 0 7 0 0 0 0 0 0\n"
                   "cpu1 %.0f 1 2 77777 555 0 0 0 0 0\n"
                   "cpu2 99999 0 0 7 0 0 0 0 0 0\n"
                   "cpu3 0 0 0 66666 444 0 0 %.0f 0 0\n"
                   "cpu11 99999 0 0 7 0 0 0 0 0 0\n"
                   "intr 5 4 3\ncpu1 99999 0 0 0 0 0 0 0 0 0\n",
                   one * 100, three * 100);
    put("proc/stat", text);
}

static void put_process(int32_t number, int32_t parent, const char *name,
                        char state, double used, double children)
{
    char path[64], text[300];

    (void)snprintf(path, sizeof(path), "proc/%d/stat", (int)number);
    (void)snprintf(text, sizeof(text),
                   "%d (%s) %c %d 1 1 0 -1 4194304 1 2 3 4 %.0f %d %.0f %d 20 "
                   "0 1 0 999\n",
                   (int)number, name, state, (int)parent, used * 100 - 1, 1,
                   children * 100, 0);
    put(path, text);
}

static void start(uint32_t slots)
{
    struct dtx_others_config c = {.root = dir, .pus = pus, .npus = 2,
                                  .pid = pid, .npids = 1, .slots = slots};

    now_ns = 1000 * DTX_SEC_NS;
    o = dtx_others_create(&c);
    ck_assert_ptr_nonnull(o);
    put("proc/uptime", "1 2\n");
    put("proc/self/stat", "7 (me) R 1\n");
    put_busy(10, 10);
    put_process(1, 0, "init", 'S', 5, 5);
    put_process(RANK, 1, "a rank) R 1 (", 'S', 1, 0);
    put_process(101, RANK, "spawner", 'S', 1, 2);
    put_process(55, 101, "task", 'R', 3, 0);
    put_process(103, 55, "its child", child_state, 1, 0);
    put_process(104, 1, "other", 'R', 50, 0);
    ck_assert_double_lt(dtx_others_look(o, now_ns), 0); /* nothing before */
}

static double look(void)
{
    now_ns += 10 * DTX_SEC_NS;
    return dtx_others_look(o, now_ns);
}

static void near(double is, double is_to_be)
{
    ck_assert_msg(fabs(is - is_to_be) < 1e-3, "%f, not %f", is, is_to_be);
}

static void set_up(void)
{
    o = NULL;
    (void)snprintf(dir, sizeof(dir), "root-%d", (int)getpid());
    ck_assert_int_eq(mkdir(dir, 0777), 0);
}

static void tear_down(void)
{
    dtx_others_destroy(o);
}

/* All that was used is our own: a task, its child, and one that has ended. */
START_TEST(own_processes)
{
    start(2);
    put_busy(20, 20);
    put_process(55, 101, "task", 'R', 10, 0);
    put_process(103, 55, "its child", 'R', 9, 0);
    put_process(101, RANK, "spawner", 'S', 1, 7);
    near(look(), 0);
}
END_TEST

/* A third of both is another's: of three that want a processor he gets as much
 * as each of ours. */
START_TEST(shared_evenly)
{
    start(2);
    put_busy(20, 20);
    put_process(55, 101, "task", 'R', 3 + 20 / 3.0, 0);
    put_process(103, 55, "its child", 'R', 1 + 20 / 3.0, 0);
    near(look(), 1 / 3.0);
    /* he goes; it is believed by and by */
    put_busy(30, 30);
    put_process(55, 101, "task", 'R', 3 + 20 / 3.0 + 10, 0);
    put_process(103, 55, "its child", 'R', 1 + 20 / 3.0 + 10, 0);
    near(look(), 1 / 6.0);
}
END_TEST

/* One slot has a processor to itself though the other one is another's; with
 * two slots half of one is gone once both are used. */
START_TEST(what_no_slot_needs)
{
    child_state = 'S';
    start(_i ? 2 : 1);
    put_busy(20, 20);
    put_process(55, 101, "task", 'R', 13, 0);
    near(look(), _i ? 1 / 3.0 : 0);
}
END_TEST

/* The rank is idle, all is others': they want no more than they use, as far as
 * is known. */
START_TEST(others_alone)
{
    start(2);
    put_busy(20, 20);
    near(look(), 0.5);
}
END_TEST

/* Three others on the processor of one slot. */
START_TEST(crowded)
{
    static const uint32_t one[] = {3};
    struct dtx_others_config c = {.root = dir, .pus = one, .npus = 1,
                                  .pid = pid, .npids = 1, .slots = 1};

    start(2);
    dtx_others_destroy(o);
    o = dtx_others_create(&c);
    put_process(103, 55, "its child", 'S', 1, 0);
    ck_assert_double_lt(dtx_others_look(o, now_ns), 0);
    put_busy(20, 20);
    put_process(55, 101, "task", 'R', 3 + 2.5, 0);
    near(look(), 0.75);
}
END_TEST

/* A process that ends between two files counts not at all or twice: that look
 * says nothing, nor the next one too much. */
START_TEST(an_end_between_files)
{
    start(2);
    put_busy(20, 20);
    put_process(55, 101, "task", 'R', 13, 0);
    put_process(103, 55, "its child", 'R', 11, 0);
    near(look(), 0);
    put_busy(30, 30);
    put_process(101, RANK, "spawner", 'S', 1, 2 + 23);
    put_process(103, 55, "its child", 'R', 21, 0);
    near(look(), 0); /* twice: 10 too many */
    put_busy(40, 40);
    put_process(55, 101, "task", 'Z', 0, 0);
    put_process(103, 55, "its child", 'R', 31, 0);
    near(look(), 0);
}
END_TEST

/* What the kernel does not tell is not known. */
START_TEST(nothing_to_read)
{
    char path[300];

    start(2);
    put_busy(20, 20);
    near(look(), 0.5);
    put("proc/stat", "cpu  1 2 3\ncpu1 1 2 3 4 5\nintr 1\n");
    ck_assert_double_lt(look(), 0);
    (void)snprintf(path, sizeof(path), "%s/proc/stat", dir);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_double_lt(look(), 0);
    put_busy(20, 20);
    ck_assert_double_lt(look(), 0); /* nothing to compare with */
    put_busy(30, 30);
    near(look(), 0.5);
}
END_TEST

/* Looks that follow at once have nothing to tell from ticks. */
START_TEST(too_soon)
{
    start(2);
    put_busy(20, 20);
    ck_assert_double_lt(dtx_others_look(o, now_ns + 1000), 0);
    near(look(), 0.5);
}
END_TEST

static int32_t spin(void)
{
    pid_t child = fork();

    if (child == 0) {
        (void)alarm(20);
        for (;;)
            ;
    }
    ck_assert_int_gt(child, 0);
    return child;
}

static void stop(int32_t child)
{
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* Of two processes on one processor of this machine one is the job's. How much
 * each gets depends on who else is here: it is not all. */
START_TEST(this_machine)
{
    cpu_set_t set;
    uint32_t pu = 0;
    int32_t own[1], other;
    struct dtx_others_config c = {.root = "", .pus = &pu, .npus = 1,
                                  .pid = own, .npids = 1, .slots = 1};
    int64_t end_ns = dtx_clock_mono_ns() + 20 * DTX_SEC_NS;
    uint32_t told = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
    while (pu < CPU_SETSIZE && !CPU_ISSET(pu, &set))
        pu++;
    CPU_ZERO(&set);
    CPU_SET(pu, &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
    own[0] = spin();
    other = spin();
    o = dtx_others_create(&c);
    ck_assert_ptr_nonnull(o);
    ck_assert(dtx_others_watch(o));
    ck_assert(dtx_others_watch(o));
    while (told < 100 && dtx_clock_mono_ns() < end_ns) {
        (void)usleep(50000);
        told = dtx_others_told(o);
    }
    stop(own[0]);
    stop(other);
    ck_assert_uint_ge(told, 100);
    ck_assert_uint_le(told, 1001);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("node_others");
    TCase *t = tcase_create("others");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, own_processes);
    tcase_add_test(t, shared_evenly);
    tcase_add_loop_test(t, what_no_slot_needs, 0, 2);
    tcase_add_test(t, others_alone);
    tcase_add_test(t, crowded);
    tcase_add_test(t, an_end_between_files);
    tcase_add_test(t, nothing_to_read);
    tcase_add_test(t, too_soon);
    tcase_add_test(t, this_machine);
    suite_add_tcase(suite, t);
    return suite;
}

int main(void)
{
    dtx_scratch_enter();
    return dtx_check_main(build_suite());
}

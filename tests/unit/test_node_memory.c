/* SPDX-License-Identifier: MIT */
/* Tests of node/memory on machines of files, and of what the spawner does when
 * memory runs short there. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "check_main.h"
#include "fake_root.h"
#include "node/memory.h"
#include "spawner_fixture.h"

#define MIB (INT64_C(1) << 20)

static void put_free(const char *root, int64_t mib)
{
    char text[160];

    (void)snprintf(text, sizeof(text),
                   "MemTotal:       99999999 kB\nMemFree: 12 kB\n"
                   "MemAvailable:   %lld kB\nBuffers: 1 kB\n",
                   (long long)mib * 1024);
    put(root, "proc/meminfo", text);
}

static int64_t free_mib(const char *root)
{
    char path[PATH_MAX + 64];
    int64_t n;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, root);
    n = dtx_memory_free_at(path);
    return n < 0 ? n : n / MIB;
}

START_TEST(the_kernels_word)
{
    ck_assert_int_eq(free_mib("none"), -1);
    put_free("plain", 1234);
    ck_assert_int_eq(free_mib("plain"), 1234);
    put("old", "proc/meminfo", "MemTotal: 5 kB\nMemFree: 3 kB\n");
    ck_assert_int_eq(free_mib("old"), -1);
    put("odd", "proc/meminfo", "MemAvailable: -3 kB\n");
    ck_assert_int_eq(free_mib("odd"), -1);
    ck_assert_int_gt(dtx_memory_free_at(""), 0);
}
END_TEST

#define V2 "sys/fs/cgroup/job/step"
#define V1 "sys/fs/cgroup/memory/job/step"

START_TEST(groups_of_the_second_version)
{
    put_free("v2", 5000);
    put("v2", "proc/self/cgroup", "0::/job/step\n");
    put("v2", V2 "/memory.max", "max\n");
    put("v2", V2 "/memory.current", "1048576\n");
    ck_assert_int_eq(free_mib("v2"), 5000);
    /* 3000 MiB in the group above, 1000 used, of these 200 can go */
    put("v2", "sys/fs/cgroup/job/memory.max", "3145728000\n");
    put("v2", "sys/fs/cgroup/job/memory.current", "1048576000\n");
    put("v2", "sys/fs/cgroup/job/memory.stat",
        "anon 5\ninactive_anon 7\nactive_file 9\ninactive_file 209715200\n");
    ck_assert_int_eq(free_mib("v2"), 2200);
    put("v2", V2 "/memory.max", "104857600\n");
    ck_assert_int_eq(free_mib("v2"), 99);
    put("v2", V2 "/memory.current", "204857600\n");
    ck_assert_int_eq(free_mib("v2"), 0);
    put_free("v2", 0);
    put("v2", V2 "/memory.current", "0\n");
    ck_assert_int_eq(free_mib("v2"), 0);
}
END_TEST

START_TEST(groups_of_the_first_version)
{
    put_free("v1", 5000);
    put("v1", "proc/self/cgroup",
        "5:cpu,cpuacct:/\n4:memory:/job/step\n1:name=systemd:/x\n");
    put("v1", V1 "/memory.limit_in_bytes", "1073741824\n");
    put("v1", V1 "/memory.usage_in_bytes", "536870912\n");
    put("v1", V1 "/memory.stat", "cache 1\ntotal_inactive_file 104857600\n");
    ck_assert_int_eq(free_mib("v1"), 512 + 100);
    put("v1", V1 "/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert_int_eq(free_mib("v1"), 5000);
}
END_TEST

/* Paths that do not fit, and groups that are not here (another name space). */
START_TEST(odd_groups)
{
    static char line[PATH_MAX + 100];

    put_free("ns", 70);
    put("ns", "proc/self/cgroup", "0::/../../elsewhere\n");
    ck_assert_int_eq(free_mib("ns"), 70);
    (void)snprintf(line, sizeof(line), "0::/%0*d\n", PATH_MAX + 20, 0);
    put("ns", "proc/self/cgroup", line);
    ck_assert_int_eq(free_mib("ns"), 70);
    put("ns", "proc/self/cgroup", "nonsense");
    ck_assert_int_eq(free_mib("ns"), 70);
}
END_TEST

static void start_short_of(const char *root, int64_t mib)
{
    static char path[PATH_MAX + 64];
    struct dtx_spawner_config c = make_config(3);

    (void)snprintf(path, sizeof(path), "%s/%s", dir, root);
    c.memfree = mib * MIB;
    c.memory_root = path;
    start_with(&c);
}

static struct dtx_spawner_memory memory_of(void)
{
    struct dtx_spawner_memory m;

    dtx_spawner_memory(spawner, &m);
    return m;
}

/* What waits for memory starts when there is some, and may be taken back while
 * it waits. */
START_TEST(a_start_waits)
{
    struct dtx_spawn_request q;

    put_free("wait", 99);
    start_short_of("wait", 100);
    q = request("echo later");
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    ck_assert(nothing_comes(300 * DTX_MSEC_NS));
    ck_assert(memory_of().held);
    ck_assert_int_eq(memory_of().free_bytes, 99 * MIB);
    ck_assert(dtx_spawner_recall(spawner, q.task, 1));
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    put_free("wait", 100);
    ck_assert_str_eq(next_ended().out, "later\n");
    ck_assert(!memory_of().held);
    ck_assert_uint_eq(memory_of().relieved, 0);
    stop();
}
END_TEST

/* Where nobody tells how much is free nothing waits. */
START_TEST(an_unknown_machine)
{
    start_short_of("unknown", 100);
    ck_assert_str_eq(run_one("echo now").out, "now\n");
    stop();
}
END_TEST

/* Below half of it the newest of those that run ends, and only one is left at
 * last, however little there is. */
START_TEST(the_newest_ends)
{
    uint32_t first, second, third;
    struct ended e;

    put_free("relief", 100);
    start_short_of("relief", 100);
    first = run("sleep 0.01; exec sleep 100");
    second = run("sleep 0.01; exec sleep 100");
    third = run("exec sleep 0.5");
    ck_assert_uint_eq(next_ended().r.outcome.task, third);
    put_free("relief", 51);
    ck_assert(nothing_comes(500 * DTX_MSEC_NS));
    put_free("relief", 49);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, second);
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
    ck_assert_uint_eq(memory_of().relieved, 1);
    put_free("relief", 0);
    ck_assert(nothing_comes(1500 * DTX_MSEC_NS));
    dtx_spawner_kill(spawner, first, 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, first);
    ck_assert_uint_eq(memory_of().relieved, 1);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/memory");
    TCase *t = tcase_create("free");

    enter_scratch();
    tcase_add_test(t, the_kernels_word);
    tcase_add_test(t, groups_of_the_second_version);
    tcase_add_test(t, groups_of_the_first_version);
    tcase_add_test(t, odd_groups);
    suite_add_tcase(s, t);
    t = tcase_create("short");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, a_start_waits);
    tcase_add_test(t, an_unknown_machine);
    tcase_add_test(t, the_newest_ends);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

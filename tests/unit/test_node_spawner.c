/* SPDX-License-Identifier: MIT */
/* Tests of node/spawner with real processes: what becomes of a command, what
 * limits it, and the order in which commands start. */
#include <check.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "node/counters.h"
#include "base/rng.h"
#include "check_main.h"
#include "spawner_fixture.h"
#include "task/machine.h"

static void write_script(const char *name, const char *text)
{
    char path[PATH_MAX + 64];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0755), 0);
}

/* ---- outcomes ---- */

static const struct {
    const char *command;
    enum dtx_status status;
    int exit_code, signal;
    const char *out, *err; /* the whole; '*' first: what it ends with */
} outcomes[] = {
    {"/bin/true", DTX_STATUS_OK, 0, 0, "", ""},
    {"true", DTX_STATUS_OK, 0, 0, "", ""},
    {"", DTX_STATUS_OK, 0, 0, "", ""},
    {"false", DTX_STATUS_FAILED, 1, 0, "", ""},
    {"exit 7", DTX_STATUS_FAILED, 7, 0, "", ""},
    {"exit 255", DTX_STATUS_FAILED, 255, 0, "", ""},
    {"kill -9 $$", DTX_STATUS_SIGNALED, 0, 9, "", ""},
    {"kill -TERM $$", DTX_STATUS_SIGNALED, 0, 15, "", ""},
    {"kill -PIPE $$", DTX_STATUS_SIGNALED, 0, 13, "", ""},
    {"/bin/echo a 'b  c'", DTX_STATUS_OK, 0, 0, "a b  c\n", ""},
    {"echo out; echo err >&2; exit 3", DTX_STATUS_FAILED, 3, 0, "out\n",
     "err\n"},
    {"cat", DTX_STATUS_OK, 0, 0, "", ""}, /* stdin is empty */
    {"readlink /proc/self/fd/0", DTX_STATUS_OK, 0, 0, "/dev/null\n", ""},
    {"ls /proc/self/fd", DTX_STATUS_OK, 0, 0, "0\n1\n2\n3\n", ""},
    {"no-such-program-x y", DTX_STATUS_FAILED, 127, 0, "",
     "distributex: no-such-program-x: No such file or directory\n"},
    {"/no/such/program", DTX_STATUS_FAILED, 127, 0, "",
     "distributex: /no/such/program: No such file or directory\n"},
    {"/etc/passwd", DTX_STATUS_FAILED, 126, 0, "",
     "distributex: /etc/passwd: Permission denied\n"},
    {"/tmp", DTX_STATUS_FAILED, 126, 0, "",
     "distributex: /tmp: Permission denied\n"},
    {"./plain a 'b c'", DTX_STATUS_OK, 0, 0, "[a] [b c] 2\n", ""},
    {"./interpreter", DTX_STATUS_FAILED, 126, 0, "",
     "distributex: ./interpreter: its interpreter or loader was not found\n"},
    {"-x-is-no-option; echo $?", DTX_STATUS_OK, 0, 0, "127\n",
     "*not found\n"},
    {"echo lost; echo kept > /dev/stdout", DTX_STATUS_OK, 0, 0, "kept\n", ""},
    /* signals 32 and 33 are the C library's: they may come in ignored */
    {"grep -cE '^Sig(Blk|Ign):.0{7}[01][08]0{7}$' /proc/self/status",
     DTX_STATUS_OK, 0, 0, "2\n", ""},
    {"trap '' TERM; kill $$; exit 5", DTX_STATUS_FAILED, 5, 0, "", ""},
};

static bool matches(const char *have, const char *want)
{
    size_t n = strlen(have), k = strlen(want);

    if (want[0] != '*')
        return strcmp(have, want) == 0;
    return n >= k - 1 && strcmp(have + n - (k - 1), want + 1) == 0;
}

/* By whom, always; what of, when its program ran at all. */
static void check_counters(const struct dtx_outcome *o)
{
    uint64_t ns;

    ck_assert(o->counters.provider != DTX_COUNTER_NONE);
    if (o->counters.provider == DTX_COUNTER_RUSAGE) /* the kernel's accounting */
        ck_assert_uint_eq(o->counters.counted & ~(1u << DTX_COUNTED_IOWAIT_NS),
                          0);
    else
        ck_assert_uint_ne(o->counters.counted, 0);
    if (dtx_counters_get(&o->counters, DTX_COUNTED_CLOCK_NS, &ns))
        ck_assert_uint_lt(ns, 64 * (uint64_t)o->wall_ns);
}

START_TEST(test_outcomes)
{
    int64_t now_ns = dtx_clock_wall_ns();
    size_t i;
    int round;

    start(1);
    write_script("plain", "echo \"[$1]\" \"[$2]\" $#\n");
    write_script("interpreter", "#!/no/such/interpreter\n");
    for (round = 0; round < 2; round++) { /* the second finds files used */
        for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
            struct ended e = run_one(outcomes[i].command);
            const struct dtx_outcome *o = &e.r.outcome;

            ck_assert_msg(o->status == outcomes[i].status &&
                              o->exit_code == outcomes[i].exit_code &&
                              o->signal == outcomes[i].signal &&
                              matches(e.out, outcomes[i].out) &&
                              matches(e.err, outcomes[i].err),
                          "%s: %d %d %d '%s' '%s'", outcomes[i].command,
                          o->status, o->exit_code, o->signal, e.out, e.err);
            ck_assert_int_eq(e.r.capture >= 0, o->out_len + o->err_len > 0);
            ck_assert_uint_eq(o->slot, 1);
            ck_assert_uint_eq(o->attempt, 1);
            ck_assert_int_ge(o->start_ns, now_ns);
            ck_assert_int_gt(o->wall_ns, 0);
            ck_assert_int_lt(o->wall_ns, PATIENCE_NS);
            ck_assert_int_eq(o->source, DTX_SOURCE_RUSAGE);
            ck_assert(o->minflt > 0 || o->exit_code >= 126);
            check_counters(o);
        }
    }
    stop();
}
END_TEST

START_TEST(test_usage_of_the_tree)
{
    struct dtx_counter_choice choice;
    struct ended e;
    int i;

    start(1);
    e = run_one("sh -c 'i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done'; "
                "true");
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_OK);
    ck_assert_int_gt(e.r.outcome.utime_ns + e.r.outcome.stime_ns,
                     10 * DTX_MSEC_NS);
    ck_assert_int_ge(e.r.outcome.wall_ns, 10 * DTX_MSEC_NS);
    ck_assert_int_gt(e.r.outcome.maxrss_kib, 100);
    check_counters(&e.r.outcome);
    dtx_counters_probe(true, &choice);
    /* counted, where anything can be, as soon as the watcher knows by whom */
    for (i = 0; i < 100; i++) {
        e = run_one("sleep 0.02");
        if (e.r.outcome.counters.provider == choice.provider)
            break;
    }
    ck_assert_int_eq(e.r.outcome.counters.provider, choice.provider);
    check_counters(&e.r.outcome);
    stop();
}
END_TEST

/* The second would be counted, where anything can be. */
START_TEST(test_counters_off)
{
    struct ended e;
    int i;

    counts = false;
    start(1);
    counts = true;
    for (i = 0; i < 2; i++) {
        e = run_one("sleep 0.05");
        ck_assert_int_eq(e.r.outcome.counters.provider, DTX_COUNTER_RUSAGE);
        ck_assert_uint_eq(e.r.outcome.counters.counted, 0);
    }
    stop();
}
END_TEST

START_TEST(test_directories)
{
    struct dtx_spawn_request q;
    struct ended e;
    char sub[PATH_MAX + 8], want[PATH_MAX + 16];

    start(1);
    (void)snprintf(sub, sizeof(sub), "%s/sub", dir);
    (void)mkdir(sub, 0755);
    e = run_one("/bin/pwd");
    (void)snprintf(want, sizeof(want), "%s\n", dir);
    ck_assert_str_eq(e.out, want);
    (void)snprintf(want, sizeof(want), "%s\n", sub);
    q = request("/bin/pwd");
    q.cwd = "sub";
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    e = next_ended();
    ck_assert_str_eq(e.out, want);
    q = request("/bin/pwd");
    q.cwd = sub;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    e = next_ended();
    ck_assert_str_eq(e.out, want);
    q = request("/bin/pwd");
    q.cwd = "no/such/dir";
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    e = next_ended();
    ck_assert_int_eq(e.r.outcome.exit_code, 126);
    ck_assert_str_eq(e.err,
                     "distributex: the working directory no/such/dir: No such "
                     "file or directory\n");
    stop();
}
END_TEST

START_TEST(test_missing_base_directory)
{
    struct dtx_spawner_config c = make_config(1);
    struct ended e;

    c.cwd = "/no/such/base";
    start_with(&c);
    e = run_one("true");
    ck_assert_int_eq(e.r.outcome.exit_code, 126);
    ck_assert_str_eq(e.err,
                     "distributex: the working directory /no/such/base: No such "
                     "file or directory\n");
    stop();
}
END_TEST

START_TEST(test_environment)
{
    struct dtx_spawner_config c = make_config(2);
    struct dtx_spawn_request q;
    struct ended e;

    ck_assert_int_eq(setenv("OMPI_COMM_WORLD_RANK", "3", 1), 0);
    ck_assert_int_eq(setenv("DTX_TASK_ID", "99", 1), 0);
    ck_assert_int_eq(setenv("DTX_TEST_LEFT", "x", 1), 0);
    c.env = environ;
    c.first_slot = 9;
    c.rank = 4;
    c.deadline_ns = dtx_clock_wall_ns() + 1000 * DTX_SEC_NS;
    start_with(&c);
    q = request("echo $DTX_TASK_ID $DTX_TASK_NAME $DTX_ATTEMPT $DTX_RANK "
                "$DTX_SLOT $PARALLEL_SEQ $PARALLEL_JOBSLOT $OMP_NUM_THREADS; "
                "echo $DTX_RUN_DIR; echo [$OMPI_COMM_WORLD_RANK$DTX_TEST_LEFT];"
                " [ $DTX_REMAINING_SECONDS -gt 900 ] && echo time");
    q.task = 11;
    q.attempt = 2;
    q.name = "prep";
    q.cpus = 2;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.slot, 9);
    ck_assert_uint_eq(e.r.outcome.rank, 4);
    ck_assert_uint_eq(e.r.outcome.attempt, 2);
    ck_assert_int_eq(strncmp(e.out, "12 prep 2 4 9 12 9 2\n", 21), 0);
    ck_assert_ptr_nonnull(strstr(e.out, dir));
    ck_assert_ptr_nonnull(strstr(e.out, "\n[]\ntime\n"));
    stop();
}
END_TEST

/* ---- limits ---- */

START_TEST(test_timeout)
{
    static const struct {
        const char *command;
        int signal, exit_code;
    } row[] = {
        {"sleep 100", SIGTERM, 0},
        {"trap '' TERM; while :; do sleep 100; done", SIGKILL, 0},
        {"trap 'exit 0' TERM; sleep 100 & wait", 0, 0},
        {"trap 'exit 9' TERM; sleep 100 & wait", 0, 9},
        {"kill -STOP $$", SIGTERM, 0},
    };
    struct dtx_spawn_request q = request(row[_i].command);
    struct ended e;

    start(1);
    q.timeout_ns = 100 * DTX_MSEC_NS;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    e = next_ended();
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_TIMEOUT);
    ck_assert_int_eq(e.r.outcome.signal, row[_i].signal);
    ck_assert_int_eq(e.r.outcome.exit_code, row[_i].exit_code);
    ck_assert_int_ge(e.r.outcome.wall_ns, 100 * DTX_MSEC_NS);
    ck_assert_int_lt(e.r.outcome.wall_ns, 30 * DTX_SEC_NS);
    ck_assert_int_eq(run_one("true").r.outcome.status, DTX_STATUS_OK);
    stop();
}
END_TEST

/* The limit that moves holds for what runs already and for what comes; a
 * timeout of one's own wins, and what is not limited is left alone. */
START_TEST(test_limit)
{
    struct dtx_spawn_request q = request("sleep 100");
    uint32_t first = q.task;
    struct ended e;

    start(2);
    q.limited = true;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    dtx_spawner_limit(spawner, 100 * DTX_MSEC_NS);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, first);
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_TIMEOUT);
    q = request("sleep 100");
    q.limited = true;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    ck_assert_int_eq(next_ended().r.outcome.status, DTX_STATUS_TIMEOUT);
    q = request("sleep 0.3");
    q.limited = true;
    q.timeout_ns = 60 * DTX_SEC_NS;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    ck_assert_int_eq(next_ended().r.outcome.status, DTX_STATUS_OK);
    ck_assert_int_eq(run_one("sleep 0.3").r.outcome.status, DTX_STATUS_OK);
    stop();
}
END_TEST

/* Of struct sched_attr, which not every C library knows. */
struct schedule {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice, unused[2];
};

static struct schedule schedule_of(pid_t pid)
{
    struct schedule s = {0};

    ck_assert_int_eq(syscall(SYS_sched_getattr, pid, &s, sizeof(s), 0), 0);
    return s;
}

/* Its only child; a task is there at once. */
static pid_t child_of(pid_t pid)
{
    const struct timespec nap = {0, DTX_MSEC_NS};
    char path[64];
    long child = 0;
    FILE *f;
    int i;

    (void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children",
                   (long)pid, (long)pid);
    for (i = 0; i < 10000 && child == 0; i++) {
        f = fopen(path, "r");
        if (f && fscanf(f, "%ld", &child) != 1)
            child = 0;
        if (f)
            (void)fclose(f);
        if (child == 0)
            (void)nanosleep(&nap, NULL);
    }
    ck_assert_int_gt(child, 0);
    return (pid_t)child;
}

/* The spawner is in a hurry, where the kernel knows slices; tasks are not, and
 * have the nice value they would have had. */
START_TEST(test_schedule)
{
    struct schedule mine, its, task;
    uint32_t id;

    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 3), 0);
    mine = schedule_of(0);
    start(1);
    id = run("exec sleep 100");
    its = schedule_of(dtx_spawner_pid(spawner));
    task = schedule_of(child_of(dtx_spawner_pid(spawner)));
    ck_assert_int_eq(its.nice, mine.nice);
    ck_assert_uint_le(its.slice, mine.slice);
    ck_assert_uint_eq(task.policy, mine.policy);
    ck_assert_uint_eq(task.flags, mine.flags);
    ck_assert_int_eq(task.nice, mine.nice);
    ck_assert_uint_eq(task.slice, mine.slice);
    dtx_spawner_kill(spawner, id, 1);
    ck_assert_int_eq(next_ended().r.outcome.status, DTX_STATUS_KILLED);
    stop();
}
END_TEST

START_TEST(test_kill)
{
    uint32_t first, second;
    struct ended e;

    start(1);
    first = run("sleep 100");
    second = run("true");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    dtx_spawner_kill(spawner, second, 1); /* has not started */
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, second);
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
    dtx_spawner_kill(spawner, first, 2); /* no such attempt */
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    dtx_spawner_kill(spawner, first, 1);
    dtx_spawner_kill(spawner, first, 1);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, first);
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
    ck_assert_int_eq(e.r.outcome.signal, SIGTERM);
    dtx_spawner_kill(spawner, first, 1);
    ck_assert(nothing_comes(20 * DTX_MSEC_NS));
    ck_assert_int_eq(run_one("true").r.outcome.status, DTX_STATUS_OK);
    stop();
}
END_TEST

/* Kills that meet the start: one result each, whatever wins. */
START_TEST(test_kill_at_any_moment)
{
    struct dtx_rng rng;
    int i;

    dtx_rng_seed(&rng, 5);
    start(2);
    for (i = 0; i < 300; i++) {
        uint32_t task = run("sleep 100");
        volatile uint64_t spin = dtx_rng_below(&rng, 1000000);
        struct ended e;

        while (spin > 0)
            spin = spin - 1;
        dtx_spawner_kill(spawner, task, 1);
        e = next_ended();
        ck_assert_uint_eq(e.r.outcome.task, task);
        ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
    }
    ck_assert(nothing_comes(20 * DTX_MSEC_NS));
    stop();
}
END_TEST

/* ---- queue and slots ---- */

START_TEST(test_recall)
{
    uint32_t first, second, third;

    start(1);
    first = run("sleep 100");
    second = run("true");
    third = run("true");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    ck_assert(!dtx_spawner_recall(spawner, first, 1));
    ck_assert(!dtx_spawner_recall(spawner, second, 2));
    ck_assert(dtx_spawner_recall(spawner, second, 1));
    ck_assert(!dtx_spawner_recall(spawner, second, 1));
    dtx_spawner_kill(spawner, first, 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, first);
    ck_assert_uint_eq(next_ended().r.outcome.task, third);
    ck_assert(nothing_comes(20 * DTX_MSEC_NS));
    stop();
}
END_TEST

/* Every request is either recalled or ends, never both. */
START_TEST(test_recall_at_any_moment)
{
    struct dtx_rng rng;
    int i, recalled = 0, ended = 0, want = 0;

    dtx_rng_seed(&rng, 6);
    start(2);
    for (i = 0; i < 1500; i++) {
        uint32_t task = run("true");
        volatile uint64_t spin = dtx_rng_below(&rng, 60000);

        want++;
        while (spin > 0)
            spin = spin - 1;
        if (dtx_spawner_recall(spawner, task, 1))
            recalled++;
        else
            ended += next_ended().r.outcome.task == task;
    }
    ck_assert_int_eq(recalled + ended, want);
    ck_assert(nothing_comes(20 * DTX_MSEC_NS));
    stop();
}
END_TEST

START_TEST(test_wide_tasks)
{
    uint32_t t[4], wide, narrow;
    struct ended e;
    int i;

    start(4);
    for (i = 0; i < 4; i++)
        t[i] = run("sleep 100");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    /* slots 1 and 3 are not side by side, and the best there is */
    dtx_spawner_kill(spawner, t[0], 1);
    ck_assert_uint_eq(next_ended().r.outcome.slot, 1);
    wide = run_wide("true", 2);
    narrow = run("true");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS)); /* narrow waits behind wide */
    dtx_spawner_kill(spawner, t[2], 1);
    ck_assert_uint_eq(next_ended().r.outcome.slot, 3);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, wide);
    ck_assert_uint_eq(e.r.outcome.slot, 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, narrow);
    /* of 1, 2, 3 free the first two; of 1, 3, 4 the last two */
    dtx_spawner_kill(spawner, t[1], 1);
    (void)next_ended();
    (void)run_wide("true", 2);
    ck_assert_uint_eq(next_ended().r.outcome.slot, 1);
    dtx_spawner_kill(spawner, t[3], 1);
    (void)next_ended();
    t[0] = run("sleep 100");
    t[1] = run("sleep 100");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    dtx_spawner_kill(spawner, t[0], 1);
    (void)next_ended();
    (void)run_wide("true", 2);
    ck_assert_uint_eq(next_ended().r.outcome.slot, 3);
    (void)run_wide("true", 4);
    wide = run_wide("true", 2);
    dtx_spawner_kill(spawner, t[1], 1);
    (void)next_ended();
    (void)next_ended();
    ck_assert_uint_eq(next_ended().r.outcome.task, wide);
    stop();
}
END_TEST

/* Taking back a wide task lets those behind it start. */
START_TEST(test_recall_of_wide)
{
    uint32_t first, wide, narrow;

    start(2);
    first = run("sleep 100");
    wide = run_wide("true", 2);
    narrow = run("true");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    ck_assert(dtx_spawner_recall(spawner, wide, 1));
    ck_assert_uint_eq(next_ended().r.outcome.task, narrow);
    dtx_spawner_kill(spawner, first, 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, first);
    stop();
}
END_TEST

/* Two caches of three slots: with slot 1 taken, three are near only behind. */
START_TEST(test_near_slots)
{
    struct dtx_spawner_config c = make_config(6);
    struct dtx_locus at[6];
    uint32_t i, one, two, wide;
    struct ended e;

    for (i = 0; i < 6; i++)
        at[i] = (struct dtx_locus){i, i / 3, 0, 0};
    c.places = at;
    start_with(&c);
    one = run("true; sleep 100");
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    wide = run_wide("true", 3);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, wide);
    ck_assert_uint_eq(e.r.outcome.slot, 4);
    two = run_wide("true", 5);
    e = next_ended();
    ck_assert_uint_eq(e.r.outcome.task, two);
    ck_assert_uint_eq(e.r.outcome.slot, 2);
    dtx_spawner_kill(spawner, one, 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, one);
    stop();
}
END_TEST

/* Two processing units that may be used, and how the kernel lists the first,
 * and both; false when there is only one. */
static bool two_units(uint32_t pu[2], char one[32], char both[32])
{
    cpu_set_t mask;
    uint32_t i, n = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(mask), &mask), 0);
    for (i = 0; i < CPU_SETSIZE && n < 2; i++)
        if (CPU_ISSET((size_t)i, &mask))
            pu[n++] = i;
    if (n < 2)
        return false; /* nothing to see */
    (void)snprintf(one, 32, "%u\n", pu[0]);
    (void)snprintf(both, 32, pu[1] == pu[0] + 1 ? "%u-%u\n" : "%u,%u\n", pu[0],
                   pu[1]);
    return true;
}

/* ---- memory traffic ---- */

#define CPUS "awk '/^Cpus_allowed_list/ {print $2}' /proc/self/status"

/* Hand over a task that moves so much; answers its number. */
static uint32_t run_moving(const char *command, uint32_t traffic, bool heavy)
{
    struct dtx_spawn_request q = request(command);

    q.traffic = traffic;
    q.heavy = heavy;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    return q.task;
}

/* It ends in this slot. */
static void ends_in(uint32_t task, uint32_t slot)
{
    struct ended e = next_ended();

    ck_assert_uint_eq(e.r.outcome.task, task);
    ck_assert_uint_eq(e.r.outcome.slot, slot);
}

/* Two NUMA nodes of three slots, 1 to 3 and 4 to 6: a heavy one goes where least
 * is moved, another where most slots are free; and nothing of it where it is
 * not to be, or a task tells nothing. */
START_TEST(test_spread_slots)
{
    struct dtx_spawner_config c = make_config(6);
    struct dtx_locus at[6];
    uint32_t i, held[4];
    bool on = _i == 0;

    for (i = 0; i < 6; i++)
        at[i] = (struct dtx_locus){i, i / 3, i / 3, 0};
    c.places = at;
    c.spreads = on;
    start_with(&c);
    held[0] = run_moving("sleep 100", 40000, true);   /* 1 */
    ck_assert(nothing_comes(50 * DTX_MSEC_NS));
    ends_in(run_moving("true", 40000, true), on ? 4 : 2);
    held[1] = run_moving("sleep 100", 50000, true);   /* 4, else 2 */
    ends_in(run_moving("true", 30000, true), on ? 2 : 3);
    ends_in(run("true"), on ? 2 : 3); /* the lowest */
    held[2] = run_moving("sleep 100", 1, false); /* 5: two free in each, and
                                                    more is moved there */
    ends_in(run_moving("true", 1, false), on ? 2 : 4);
    held[3] = run_wide("sleep 100", 2);
    for (i = 0; i < 4; i++) {
        dtx_spawner_kill(spawner, held[i], 1);
        ck_assert_uint_eq(next_ended().r.outcome.task, held[i]);
    }
    stop();
}
END_TEST

/* Wait until so many tasks have said in files what they are bound to, and count
 * those bound to 'cpus'. */
static uint32_t bound_to(const char *cpus, uint32_t n)
{
    char path[4200], text[64];
    uint32_t i, count = 0;
    FILE *f;

    for (i = 0; i < n; i++) {
        (void)snprintf(path, sizeof(path), "%s/bound.%u", dir, i);
        while (!(f = fopen(path, "re")))
            (void)usleep(5000);
        ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
        (void)fclose(f);
        count += strcmp(text, cpus) == 0;
    }
    return count;
}

/* Two NUMA nodes of a core each, whatever slots there are: a heavy one goes to
 * that in which least is moved by others of its kind. */
START_TEST(test_heavy_is_bound)
{
    struct dtx_spawner_config c = make_config(5);
    struct dtx_slot_numa numas[2];
    uint32_t pu[2], i, held[4];
    char one[32], both[32], command[160];
    struct ended e;

    if (!two_units(pu, one, both))
        return;
    for (i = 0; i < 2; i++)
        numas[i] = (struct dtx_slot_numa){i, 1, {&pu[i], 1}};
    c.numas = numas;
    c.nnumas = 2;
    start_with(&c);
    for (i = 0; i < 4; i++) {
        (void)snprintf(command, sizeof(command), CPUS
                       " >new.%u; mv new.%u bound.%u; sleep 100", i, i, i);
        held[i] = run_moving(command, i == 0 ? 50000 : 20000, true);
        /* 50 in the first, then 20, 40 and 60 in the second */
        ck_assert_uint_eq(bound_to(one, i + 1), 1);
    }
    (void)run_moving(CPUS, 20000, true);
    ck_assert_str_eq(next_ended().out, one);
    dtx_spawner_kill(spawner, held[0], 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, held[0]);
    (void)run(CPUS); /* those that are not heavy: as the spawner itself */
    e = next_ended();
    (void)run_moving(CPUS, 1, false);
    ck_assert_str_eq(next_ended().out, e.out);
    for (i = 1; i < 4; i++) {
        dtx_spawner_kill(spawner, held[i], 1);
        ck_assert_uint_eq(next_ended().r.outcome.task, held[i]);
    }
    stop();
}
END_TEST

START_TEST(test_binding)
{
    struct dtx_spawner_config c = make_config(2);
    struct dtx_slot_cpus slots[2];
    uint32_t pu[2];
    char one[32], two[32];
    struct ended e;

    if (!two_units(pu, one, two))
        return;
    slots[0] = (struct dtx_slot_cpus){&pu[0], 1};
    slots[1] = (struct dtx_slot_cpus){&pu[1], 1};
    c.slots = slots;
    c.bind_single = _i == 1;
    start_with(&c);
    (void)run_wide(CPUS, 2);
    ck_assert_str_eq(next_ended().out, two);
    (void)run_wide(CPUS "; echo over=$OMPI_MCA_rmaps_base_oversubscribe", 1);
    e = next_ended();
    if (c.bind_single) {
        ck_assert_int_eq(strncmp(e.out, one, strlen(one)), 0);
        ck_assert_ptr_nonnull(strstr(e.out, "over=1"));
    } else {
        ck_assert_ptr_null(strstr(e.out, "over=1"));
    }
    stop();
}
END_TEST

START_TEST(test_refusals)
{
    struct dtx_spawner_config c = make_config(2);
    struct dtx_spawn_request q = request("true");
    struct dtx_error err = {0};
    int fd;
    int64_t at;

    bell = dtx_bell_create(&err);
    ck_assert_int_eq(dtx_spawner_fork(bell, true, &spawner, &err), DTX_OK);
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_ESTATE);
    c.nslots = 0;
    ck_assert_int_eq(dtx_spawner_configure(spawner, &c, &err), DTX_EINVAL);
    c.nslots = 1u << 20;
    ck_assert_int_eq(dtx_spawner_configure(spawner, &c, &err), DTX_ELIMIT);
    c.nslots = 2;
    c.tmp_dir = "/no/such/dir";
    ck_assert_int_ne(dtx_spawner_configure(spawner, &c, &err), DTX_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "/no/such/dir"));
    c.tmp_dir = dir;
    ck_assert_int_eq(dtx_spawner_configure(spawner, &c, &err), DTX_OK);
    ck_assert_int_eq(dtx_spawner_configure(spawner, &c, &err), DTX_ESTATE);
    q.cpus = 3;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_ELIMIT);
    q.cpus = 0;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_ELIMIT);
    ck_assert_int_ne(
        dtx_spawner_capture_fds(spawner, 0, &fd, &at, &fd, &at), DTX_OK);
    ck_assert_int_ne(
        dtx_spawner_capture_fds(spawner, -1, &fd, &at, &fd, &at), DTX_OK);
    dtx_spawner_release(spawner, 0);
    dtx_spawner_release(spawner, -1);
    ck_assert_str_eq(run_one("echo ok").out, "ok\n");
    stop();
    dtx_spawner_stop(NULL);
}
END_TEST

/* By bytes, then by number. */
/* No place for an output: the task has not failed. */
START_TEST(test_no_place_for_outputs)
{
    struct dtx_spawner_config c = make_config(1);
    struct ended e;

    c.tmp_dir = "captures";
    ck_assert_int_eq(mkdir(c.tmp_dir, 0700), 0);
    start_with(&c);
    ck_assert_str_eq(dtx_spawner_dir(spawner), c.tmp_dir);
    ck_assert_int_eq(rmdir(c.tmp_dir), 0);
    (void)run("echo never >never");
    (void)run("echo never >never");
    dtx_spawner_drop_waiting(spawner);
    for (int i = 0; i < 2; i++) {
        e = next_ended();
        ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
        ck_assert_int_eq(e.r.outcome.exit_code, 0);
        ck_assert_int_eq(e.r.error, 0);
    }
    e = run_one("echo never >never");
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
    ck_assert_int_eq(e.r.outcome.exit_code, 0);
    ck_assert_int_eq(e.r.error, DTX_ENOENT);
    ck_assert_int_ne(access("never", F_OK), 0);
    ck_assert_int_eq(mkdir(c.tmp_dir, 0700), 0);
    ck_assert_str_eq(run_one("echo again").out, "again\n");
    stop();
}
END_TEST

START_TEST(test_full_queue)
{
    static char command[200000];
    struct dtx_spawn_request q;
    uint32_t n = 0, first;
    int rc;

    start(1);
    first = run("sleep 100");
    memset(command, 'x', sizeof(command) - 1);
    memcpy(command, "true ", 5);
    do {
        q = request(command);
        if (_i == 1)
            q.len = 6;
        rc = dtx_spawner_run(spawner, &q);
        n += rc == DTX_OK;
    } while (rc == DTX_OK);
    ck_assert_int_eq(rc, DTX_EAGAIN);
    ck_assert_uint_gt(n, 10);
    dtx_spawner_kill(spawner, first, 1);
    ck_assert_uint_eq(next_ended().r.outcome.task, first);
    ck_assert_int_eq(next_ended().r.outcome.exit_code, _i == 1 ? 0 : 126);
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK); /* room again */
    dtx_spawner_drop_waiting(spawner);
    while (n-- > 0)
        (void)next_ended();
    ck_assert(nothing_comes(20 * DTX_MSEC_NS));
    ck_assert_int_eq(run_one("true").r.outcome.status, DTX_STATUS_OK);
    stop();
}
END_TEST

START_TEST(test_long_commands)
{
    size_t len = 1u << 20, i;
    char *command = malloc(len + 1);
    struct ended e;

    ck_assert_ptr_nonnull(command);
    start(1);
    for (i = 0; i < len; i++)
        command[i] = i % 1000 == 999 ? ' ' : 'x';
    memcpy(command, "true ", 5);
    command[len] = '\0';
    e = run_one(command); /* many words: the system takes it */
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_OK);
    command[len - 1] = ';'; /* one word for the shell: it does not */
    e = run_one(command);
    ck_assert_int_eq(e.r.outcome.exit_code, 126);
    ck_assert_str_eq(e.err, "distributex: /bin/sh: Argument list too long\n");
    e = run_one("echo ok");
    ck_assert_str_eq(e.out, "ok\n");
    stop();
    free(command);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/spawner");
    TCase *t = tcase_create("outcomes");

    enter_scratch();
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_outcomes);
    tcase_add_test(t, test_usage_of_the_tree);
    tcase_add_test(t, test_counters_off);
    tcase_add_test(t, test_directories);
    tcase_add_test(t, test_missing_base_directory);
    tcase_add_test(t, test_environment);
    tcase_add_loop_test(t, test_timeout, 0, 5);
    tcase_add_test(t, test_limit);
    tcase_add_test(t, test_schedule);
    tcase_add_test(t, test_kill);
    tcase_add_test(t, test_kill_at_any_moment);
    suite_add_tcase(s, t);
    t = tcase_create("queue");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_recall);
    tcase_add_test(t, test_recall_at_any_moment);
    tcase_add_test(t, test_wide_tasks);
    tcase_add_test(t, test_recall_of_wide);
    tcase_add_loop_test(t, test_binding, 0, 2);
    tcase_add_test(t, test_near_slots);
    tcase_add_loop_test(t, test_spread_slots, 0, 2);
    tcase_add_test(t, test_heavy_is_bound);
    tcase_add_test(t, test_refusals);
    tcase_add_test(t, test_no_place_for_outputs);
    tcase_add_loop_test(t, test_full_queue, 0, 2);
    tcase_add_test(t, test_long_commands);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

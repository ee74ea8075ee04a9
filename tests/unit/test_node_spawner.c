/* SPDX-License-Identifier: MIT */
/* Tests of node/spawner with real processes: outcomes, limits, outputs,
 * what is left behind, and the death of either side. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/units.h"
#include "node/bell.h"
#include "node/clock.h"
#include "node/spawner.h"

#define PATIENCE_NS (60 * DTX_SEC_NS)
#define TEXT_MAX 4096

extern char **environ;

static struct dtx_bell *bell;
static struct dtx_spawner *spawner;
static char dir[] = "/tmp/dtx-test-XXXXXX";
static uint32_t next_task;

/* An ended task with the beginning of its output. */
struct ended {
    struct dtx_spawn_result r;
    char out[TEXT_MAX], err[TEXT_MAX];
};

/* ---- help ---- */

static void start_with(const struct dtx_spawner_config *c)
{
    struct dtx_error err = {0};

    bell = dtx_bell_create(&err);
    ck_assert_msg(bell != NULL, "%s", err.text);
    ck_assert_msg(dtx_spawner_fork(bell, &spawner, &err) == DTX_OK, "%s",
                  err.text);
    ck_assert_msg(dtx_spawner_configure(spawner, c, &err) == DTX_OK, "%s",
                  err.text);
    next_task = 0;
}

static struct dtx_spawner_config make_config(uint32_t nslots)
{
    struct dtx_spawner_config c = {.nslots = nslots,
                                   .first_slot = 1,
                                   .shell = "/bin/sh",
                                   .cwd = dir,
                                   .run_dir = dir,
                                   .capture = true,
                                   .grace_ns = 200 * DTX_MSEC_NS,
                                   .env = environ};
    return c;
}

static void start(uint32_t nslots)
{
    struct dtx_spawner_config c = make_config(nslots);

    start_with(&c);
}

static void stop(void)
{
    dtx_spawner_stop(spawner);
    dtx_bell_destroy(bell);
    spawner = NULL;
    bell = NULL;
}

static struct dtx_spawn_request request(const char *command)
{
    struct dtx_spawn_request q = {.task = next_task++,
                                  .attempt = 1,
                                  .cpus = 1,
                                  .command = command,
                                  .len = strlen(command)};
    return q;
}

static uint32_t run(const char *command)
{
    struct dtx_spawn_request q = request(command);

    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    return q.task;
}

static uint32_t run_wide(const char *command, uint32_t cpus)
{
    struct dtx_spawn_request q = request(command);

    q.cpus = cpus;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    return q.task;
}

static void read_text(int fd, int64_t at, uint64_t len, char *out)
{
    size_t n = len < TEXT_MAX - 1 ? (size_t)len : TEXT_MAX - 1;

    ck_assert_int_eq(pread(fd, out, n, at), (ssize_t)n);
    out[n] = '\0';
}

/* Read and release the output of a result. */
static void read_output(struct ended *e)
{
    int out_fd, err_fd;
    int64_t out_at, err_at;

    e->out[0] = e->err[0] = '\0';
    if (e->r.capture < 0)
        return;
    ck_assert_int_eq(dtx_spawner_capture_fds(spawner, e->r.capture, &out_fd,
                                             &out_at, &err_fd, &err_at),
                     DTX_OK);
    read_text(out_fd, out_at, e->r.outcome.out_len, e->out);
    read_text(err_fd, err_at, e->r.outcome.err_len, e->err);
    dtx_spawner_release(spawner, e->r.capture);
}

/* The next result, its capture still held. */
static struct dtx_spawn_result next_result(void)
{
    int64_t end_ns = dtx_clock_mono_ns() + PATIENCE_NS;
    struct dtx_spawn_result r;

    for (;;) {
        uint32_t seen = dtx_bell_seen(bell);

        if (dtx_spawner_poll(spawner, &r))
            return r;
        ck_assert_msg(dtx_clock_mono_ns() < end_ns, "no result came");
        dtx_bell_wait(bell, seen, DTX_SEC_NS);
    }
}

static struct ended next_ended(void)
{
    struct ended e;

    e.r = next_result();
    read_output(&e);
    return e;
}

static struct ended run_one(const char *command)
{
    uint32_t task = run(command);
    struct ended e = next_ended();

    ck_assert_uint_eq(e.r.outcome.task, task);
    return e;
}

static bool nothing_comes(int64_t wait_ns)
{
    struct dtx_spawn_result r;
    uint32_t seen = dtx_bell_seen(bell);

    if (dtx_spawner_poll(spawner, &r))
        return false;
    dtx_bell_wait(bell, seen, wait_ns);
    return !dtx_spawner_poll(spawner, &r);
}

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

static void write_script(const char *name, const char *text)
{
    char path[256];
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
    {"grep -E '^Sig(Blk|Ign)' /proc/self/status", DTX_STATUS_OK, 0, 0,
     "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
     ""},
    {"trap '' TERM; kill $$; exit 5", DTX_STATUS_FAILED, 5, 0, "", ""},
};

static bool matches(const char *have, const char *want)
{
    size_t n = strlen(have), k = strlen(want);

    if (want[0] != '*')
        return strcmp(have, want) == 0;
    return n >= k - 1 && strcmp(have + n - (k - 1), want + 1) == 0;
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
        }
    }
    stop();
}
END_TEST

START_TEST(test_usage_of_the_tree)
{
    struct ended e;

    start(1);
    e = run_one("sh -c 'i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done'; "
                "true");
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_OK);
    ck_assert_int_gt(e.r.outcome.utime_ns + e.r.outcome.stime_ns,
                     10 * DTX_MSEC_NS);
    ck_assert_int_ge(e.r.outcome.wall_ns, 10 * DTX_MSEC_NS);
    ck_assert_int_gt(e.r.outcome.maxrss_kib, 100);
    stop();
}
END_TEST

START_TEST(test_directories)
{
    struct dtx_spawn_request q;
    struct ended e;
    char sub[256], want[512];

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
                     "distributex: no/such/dir: No such file or directory\n");
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
                     "distributex: /no/such/base: No such file or directory\n");
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

START_TEST(test_kill_all)
{
    bool now = _i == 1;
    int i, terms = 0, kills = 0, none = 0;

    start(3);
    for (i = 0; i < 3; i++)
        (void)run(now ? "trap '' TERM; while :; do sleep 1; done" : "sleep 99");
    for (i = 0; i < 20; i++)
        (void)run("true");
    ck_assert(nothing_comes(100 * DTX_MSEC_NS));
    dtx_spawner_kill_all(spawner, now);
    for (i = 0; i < 23; i++) {
        struct ended e = next_ended();

        ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_KILLED);
        terms += e.r.outcome.signal == SIGTERM;
        kills += e.r.outcome.signal == SIGKILL;
        none += e.r.outcome.signal == 0;
    }
    ck_assert_int_eq(now ? kills : terms, 3);
    ck_assert_int_eq(none, 20);
    ck_assert(nothing_comes(20 * DTX_MSEC_NS));
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

START_TEST(test_binding)
{
    struct dtx_spawner_config c = make_config(2);
    struct dtx_slot_cpus slots[2];
    uint32_t pu[2] = {0, 0};
    char one[32], two[32];
    struct ended e;
    cpu_set_t mask;
    uint32_t i, n = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(mask), &mask), 0);
    for (i = 0; i < CPU_SETSIZE && n < 2; i++)
        if (CPU_ISSET((size_t)i, &mask))
            pu[n++] = i;
    if (n < 2)
        return; /* nothing to see on one processing unit */
    (void)snprintf(one, sizeof(one), "%u\n", pu[0]);
    (void)snprintf(two, sizeof(two), pu[1] == pu[0] + 1 ? "%u-%u\n" : "%u,%u\n",
                   pu[0], pu[1]);
    slots[0] = (struct dtx_slot_cpus){&pu[0], 1};
    slots[1] = (struct dtx_slot_cpus){&pu[1], 1};
    c.slots = slots;
    c.bind_single = _i == 1;
    start_with(&c);
#define SHOW "awk '/^Cpus_allowed_list/ {print $2}' /proc/self/status"
    (void)run_wide(SHOW, 2);
    ck_assert_str_eq(next_ended().out, two);
    (void)run_wide(SHOW "; echo $OMPI_MCA_hwloc_base_binding_policy", 1);
    e = next_ended();
    if (c.bind_single) {
        ck_assert_int_eq(strncmp(e.out, one, strlen(one)), 0);
        ck_assert_ptr_nonnull(strstr(e.out, "none"));
    } else {
        ck_assert_ptr_null(strstr(e.out, "none"));
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
    ck_assert_int_eq(dtx_spawner_fork(bell, &spawner, &err), DTX_OK);
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
    dtx_spawner_kill_all(spawner, true);
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

/* ---- outputs ---- */

/* The output of task 'k' in a mixed bag: nothing, one line, much, on either
 * side, by shell or without, or more than is kept in a file. */
static size_t write_command(char *buf, size_t size, uint32_t k)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%u-%u", k, k * 2654435761u);
    switch (k % 10) {
    case 0:
        (void)snprintf(buf, size, "true %s", text);
        return 0;
    case 1:
        (void)snprintf(buf, size, "echo %s >&2", text);
        return strlen(text) + 1;
    case 2:
        (void)snprintf(buf, size, "printf %%020000d%s 0", text);
        return 20000 + strlen(text);
    case 3:
        if (k % 100 == 3) {
            (void)snprintf(buf, size, "printf %%01500000d%s 0", text);
            return 1500000 + strlen(text);
        }
        (void)snprintf(buf, size, "printf %s > /dev/stdout", text);
        return strlen(text);
    default:
        (void)snprintf(buf, size, "/bin/echo %s", text);
        return strlen(text) + 1;
    }
}

static void check_mixed(struct dtx_spawn_result *r)
{
    uint32_t k = r->outcome.task;
    char command[128], text[64], have[64];
    size_t want = write_command(command, sizeof(command), k), n;
    int fd[2];
    int64_t at[2], end;

    ck_assert_int_eq(r->outcome.status, DTX_STATUS_OK);
    ck_assert_uint_eq(r->outcome.out_len, k % 10 == 1 ? 0 : want);
    ck_assert_uint_eq(r->outcome.err_len, k % 10 == 1 ? want : 0);
    ck_assert_int_eq(r->capture >= 0, want > 0);
    if (want == 0)
        return;
    ck_assert_int_eq(dtx_spawner_capture_fds(spawner, r->capture, &fd[0],
                                             &at[0], &fd[1], &at[1]),
                     DTX_OK);
    n = (size_t)snprintf(text, sizeof(text), "%u-%u%s", k, k * 2654435761u,
                         k % 10 == 2 || k % 10 == 3 ? "" : "\n");
    end = at[k % 10 == 1] + (int64_t)want;
    memset(have, 0, sizeof(have));
    ck_assert_int_eq(
        pread(fd[k % 10 == 1], have, n, end - (int64_t)n), (ssize_t)n);
    ck_assert_str_eq(have, text);
    dtx_spawner_release(spawner, r->capture);
}

START_TEST(test_mixed_outputs)
{
    struct dtx_spawn_result r, kept[3];
    uint32_t sent = 0, done = 0, nkept = 0, n = 2000;
    char command[128];

    start(2);
    while (done < n) {
        while (sent < n && sent < done + 5) {
            (void)write_command(command, sizeof(command), sent);
            (void)run(command);
            sent++;
        }
        r = next_result();
        done++;
        if (nkept == 3) /* released late and out of order */
            while (nkept > 0)
                check_mixed(&kept[--nkept]);
        if (r.capture >= 0 && done % 3 == 0)
            kept[nkept++] = r;
        else
            check_mixed(&r);
    }
    while (nkept > 0)
        check_mixed(&kept[--nkept]);
    stop();
}
END_TEST

/* With all captures held tasks wait, and go on after a release. */
START_TEST(test_held_captures)
{
    struct dtx_spawn_result r[600];
    uint32_t n = 0, i;
    int64_t end_ns;

    start(1);
    for (i = 0; i < 600; i++)
        (void)run("/bin/echo x");
    end_ns = dtx_clock_mono_ns() + PATIENCE_NS;
    while (n < 600 && dtx_clock_mono_ns() < end_ns) {
        uint32_t seen = dtx_bell_seen(bell);

        if (dtx_spawner_poll(spawner, &r[n])) {
            n++;
            continue;
        }
        dtx_bell_wait(bell, seen, 100 * DTX_MSEC_NS);
        if (dtx_bell_seen(bell) == seen)
            break; /* it waits */
    }
    ck_assert_uint_ge(n, 4 + 64);
    ck_assert_uint_lt(n, 600);
    for (i = 0; i < n; i++)
        dtx_spawner_release(spawner, r[i].capture);
    for (; n < 600; n++)
        ck_assert_str_eq(next_ended().out, "x\n");
    stop();
}
END_TEST

START_TEST(test_no_capture)
{
    struct dtx_spawner_config c = make_config(1);
    struct ended e;

    c.capture = false;
    start_with(&c);
    e = run_one("echo a; echo b >&2; readlink /proc/self/fd/1 > seen");
    ck_assert_int_eq(e.r.outcome.status, DTX_STATUS_OK);
    ck_assert_int_eq(e.r.capture, -1);
    stop();
}
END_TEST

static long resident_kib(int pid)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (kib < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    (void)fclose(f);
    return kib;
}

START_TEST(test_large_output)
{
    long mine, theirs;
    struct ended e;
    int i;

    start(1);
    (void)run_one("echo warm");
    mine = resident_kib(getpid());
    theirs = resident_kib(dtx_spawner_pid(spawner));
    for (i = 0; i < 3; i++) {
        e = run_one("head -c 67108864 /dev/zero");
        ck_assert_uint_eq(e.r.outcome.out_len, 67108864);
        ck_assert_uint_eq(e.r.outcome.err_len, 0);
    }
    ck_assert_int_lt(resident_kib(getpid()) - mine, 4096);
    ck_assert_int_lt(resident_kib(dtx_spawner_pid(spawner)) - theirs, 4096);
    stop();
}
END_TEST

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

static void add_tests(Suite *s)
{
    TCase *t = tcase_create("outcomes");

    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_outcomes);
    tcase_add_test(t, test_usage_of_the_tree);
    tcase_add_test(t, test_directories);
    tcase_add_test(t, test_missing_base_directory);
    tcase_add_test(t, test_environment);
    tcase_add_loop_test(t, test_timeout, 0, 5);
    tcase_add_test(t, test_kill);
    tcase_add_loop_test(t, test_kill_all, 0, 2);
    tcase_add_test(t, test_kill_at_any_moment);
    suite_add_tcase(s, t);
    t = tcase_create("queue");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_recall);
    tcase_add_test(t, test_recall_at_any_moment);
    tcase_add_test(t, test_wide_tasks);
    tcase_add_test(t, test_recall_of_wide);
    tcase_add_loop_test(t, test_binding, 0, 2);
    tcase_add_test(t, test_refusals);
    tcase_add_loop_test(t, test_full_queue, 0, 2);
    tcase_add_test(t, test_long_commands);
    suite_add_tcase(s, t);
    t = tcase_create("outputs");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_mixed_outputs);
    tcase_add_test(t, test_held_captures);
    tcase_add_test(t, test_no_capture);
    tcase_add_test(t, test_large_output);
    suite_add_tcase(s, t);
    t = tcase_create("ends");
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_leftover_in_group);
    tcase_add_test(t, test_writing_daemon);
    tcase_add_test(t, test_double_fork_daemon);
    tcase_add_test(t, test_no_zombies);
    tcase_add_loop_test(t, test_rank_killed, 0, 2);
    tcase_add_test(t, test_spawner_ignores_signals);
    tcase_add_test(t, test_spawner_killed);
    tcase_add_test(t, test_stop_kills);
    tcase_add_test(t, test_spawner_is_apart);
    suite_add_tcase(s, t);
}

static void remove_dir(void)
{
    static const char *const name[] = {"plain", "interpreter", "seen"};
    char path[256];
    size_t i;

    for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, name[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/sub", dir);
    (void)rmdir(path);
    (void)rmdir(dir);
}

int main(void)
{
    Suite *s = suite_create("node/spawner");
    SRunner *r;
    int failed;

    (void)unsetenv("OMP_NUM_THREADS");
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    add_tests(s);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    remove_dir();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

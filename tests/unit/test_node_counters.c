/* SPDX-License-Identifier: MIT */
/* tests/unit/test_node_counters.c - who counts
 *
 * Scripted sources for the order and the reasons; each real one where the
 * machine has it, else its name and its reason are in the log.
 */
#include "check_main.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/counters.h"
#include "node/papi.h"

/* ---- scripted ---- */

static struct {
    bool works;
    uint8_t counted;
    const char *why;
    int probed;
} script[DTX_COUNTERS];

static bool scripted(enum dtx_counter provider, uint8_t *counted, char *why)
{
    script[provider].probed++;
    *counted = script[provider].counted;
    if (script[provider].why)
        (void)snprintf(why, DTX_COUNTER_WHY, "%s", script[provider].why);
    return script[provider].works;
}

/* Of programs. */
static struct {
    bool fails;
    uint8_t counted;
    const char *why;
    int probed;
} of_programs[DTX_COUNTERS];

static bool scripted_program(enum dtx_counter provider, uint8_t *counted,
                             char *why)
{
    of_programs[provider].probed++;
    ck_assert_uint_eq(*counted, script[provider].counted);
    ck_assert_str_eq(why, "");
    *counted = of_programs[provider].counted;
    if (of_programs[provider].why)
        (void)snprintf(why, DTX_COUNTER_WHY, "%s", of_programs[provider].why);
    return !of_programs[provider].fails;
}

static const struct dtx_counter_source sources[] = {
    {DTX_COUNTER_PAPI_HARDWARE, scripted, scripted_program},
    {DTX_COUNTER_PERF_HARDWARE, scripted, NULL},
    {DTX_COUNTER_PAPI_SOFTWARE, scripted, scripted_program},
    {DTX_COUNTER_PERF_SOFTWARE, scripted, NULL},
};

static struct dtx_counter_choice choose(bool first)
{
    struct dtx_counter_choice c;

    dtx_counters_choose(sources, DTX_COUNT(sources), first, &c);
    return c;
}

static void set(enum dtx_counter who, bool works, uint8_t counted,
                const char *why)
{
    script[who].works = works;
    script[who].counted = counted;
    script[who].why = why;
}

static void forget(void)
{
    memset(script, 0, sizeof(script));
    memset(of_programs, 0, sizeof(of_programs));
}

START_TEST(the_best_that_works)
{
    struct dtx_counter_choice c;

    set(DTX_COUNTER_PAPI_HARDWARE, true, 7, NULL);
    of_programs[DTX_COUNTER_PAPI_HARDWARE].fails = true;
    of_programs[DTX_COUNTER_PAPI_HARDWARE].why = "it does not attach";
    set(DTX_COUNTER_PERF_HARDWARE, true, 3, "misses: none");
    set(DTX_COUNTER_PERF_SOFTWARE, true, 0x30, NULL);
    set(DTX_COUNTER_PAPI_SOFTWARE, false, 0, "too old");
    c = choose(false);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PERF_HARDWARE);
    ck_assert_uint_eq(c.counted, 3);
    ck_assert_uint_eq(c.n, 4);
    ck_assert(c.row[0].works);
    ck_assert_uint_eq(c.row[0].counted, 7); /* of threads */
    ck_assert_str_eq(c.row[0].why, "it does not attach");
    ck_assert(c.row[1].works);
    ck_assert_str_eq(c.row[1].why, "");
    ck_assert(!c.row[2].works);
    ck_assert_str_eq(c.row[2].why, "too old");
    ck_assert_int_eq(of_programs[DTX_COUNTER_PAPI_SOFTWARE].probed, 0);
    ck_assert(c.row[3].works);
    ck_assert_str_eq(c.row[3].why, "a better one counts");
}
END_TEST

/* The first in the order, when it counts programs; of these perhaps less. */
START_TEST(papi_that_attaches)
{
    struct dtx_counter_choice c;

    set(DTX_COUNTER_PAPI_HARDWARE, true, 7, "its second name is not known");
    of_programs[DTX_COUNTER_PAPI_HARDWARE].counted = 3;
    set(DTX_COUNTER_PERF_HARDWARE, true, 7, NULL);
    c = choose(false);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PAPI_HARDWARE);
    ck_assert_uint_eq(c.counted, 3);
    ck_assert_str_eq(c.row[0].why, "");
    ck_assert_str_eq(c.row[1].why, "a better one counts");
    of_programs[DTX_COUNTER_PAPI_HARDWARE].counted = 0;
    c = choose(false);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PERF_HARDWARE);
    ck_assert_str_eq(c.row[0].why, "it counts no program");
}
END_TEST

START_TEST(nothing_more_is_tried)
{
    struct dtx_counter_choice c;

    set(DTX_COUNTER_PERF_HARDWARE, true, 1, NULL);
    c = choose(true);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PERF_HARDWARE);
    ck_assert_uint_eq(c.n, 2);
    ck_assert_int_eq(script[DTX_COUNTER_PAPI_HARDWARE].probed, 1);
    ck_assert_int_eq(of_programs[DTX_COUNTER_PAPI_HARDWARE].probed, 0);
    ck_assert_int_eq(script[DTX_COUNTER_PERF_HARDWARE].probed, 1);
    ck_assert_int_eq(script[DTX_COUNTER_PAPI_SOFTWARE].probed, 0);
    ck_assert_int_eq(script[DTX_COUNTER_PERF_SOFTWARE].probed, 0);
}
END_TEST

START_TEST(none_that_works)
{
    struct dtx_counter_choice c;

    set(DTX_COUNTER_PERF_HARDWARE, true, 0, NULL); /* says so, counts nothing */
    set(DTX_COUNTER_PERF_SOFTWARE, false, 0x30, "denied");
    c = choose(false);
    ck_assert_int_eq(c.provider, DTX_COUNTER_RUSAGE);
    ck_assert_uint_eq(c.counted, 0);
    ck_assert(!c.row[1].works);
    ck_assert_str_eq(c.row[1].why, "it counts nothing");
    ck_assert(!c.row[3].works);
    ck_assert_uint_eq(c.row[3].counted, 0);
    dtx_counters_choose(sources, 0, false, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_RUSAGE);
}
END_TEST

/* How many of 'n' tasks of 'wall_ns' are counted, one after the other. */
static int count_paced(struct dtx_counter_pace *p, int n, int64_t wall_ns)
{
    int counted = 0;

    for (; n > 0; n--) {
        counted += dtx_counter_pace_start(p);
        dtx_counter_pace_end(p, wall_ns);
    }
    return counted;
}

START_TEST(pace)
{
    const int64_t full = DTX_COUNTER_PERF_NS * DTX_COUNTER_SHARE;
    struct dtx_counter_pace p = {0};
    int i;

    ck_assert_int_eq(count_paced(&p, 10, 10 * full), 0); /* nobody counts */
    dtx_counter_pace_init(&p, dtx_counter_cost_ns(DTX_COUNTER_RUSAGE), 4);
    ck_assert_int_eq(count_paced(&p, 10, 10 * full), 0);
    dtx_counter_pace_init(&p, dtx_counter_cost_ns(DTX_COUNTER_PERF_SOFTWARE),
                          4);
    for (i = 0; i < 4; i++) /* the first of each slot */
        ck_assert(dtx_counter_pace_start(&p));
    ck_assert(!dtx_counter_pace_start(&p));
    dtx_counter_pace_end(&p, 100 * full);
    for (i = 0; i < 4; i++) /* not more at once for one long task */
        ck_assert(dtx_counter_pace_start(&p));
    ck_assert(!dtx_counter_pace_start(&p));
    dtx_counter_pace_end(&p, full);
    ck_assert_int_eq(count_paced(&p, 1000, full), 1000);
    ck_assert_int_eq(count_paced(&p, 1000, full / 10), 25);
    ck_assert_int_eq(count_paced(&p, 1000, 0), 1);
    ck_assert_int_eq(count_paced(&p, 1000, full / 2), 499);
    dtx_counter_pace_init(&p, dtx_counter_cost_ns(DTX_COUNTER_PAPI_HARDWARE),
                          1);
    ck_assert_int_eq(count_paced(&p, 1000, full), 200);
}
END_TEST

/* ---- threads, scripted ---- */

static struct {
    bool opens;
    int opened, closed;
    struct dtx_counters next;
} hand[DTX_COUNTERS];

static void *hand_open(enum dtx_counter provider)
{
    hand[provider].opened++;
    return hand[provider].opens ? &hand[provider] : NULL;
}

static void hand_read(void *handle, struct dtx_counters *out)
{
    size_t i;

    ck_assert_uint_eq(out->counted, 0);
    for (i = 0; i < DTX_COUNTERS; i++)
        if (handle == &hand[i])
            *out = hand[i].next;
}

static void hand_close(void *handle)
{
    size_t i;

    for (i = 0; i < DTX_COUNTERS; i++)
        hand[i].closed += handle == &hand[i];
}

static const struct dtx_thread_source hands[] = {
    {DTX_COUNTER_PERF_HARDWARE, false, hand_open, hand_read, hand_close},
    {DTX_COUNTER_PERF_SOFTWARE, false, hand_open, hand_read, hand_close},
};

/* The first that opens counts; what it does not give is absent, but for the
 * time on a processor, which the thread's clock gives. */
START_TEST(thread_by_the_best)
{
    struct dtx_thread_counter t;
    struct dtx_counters c;
    uint64_t v = 7;

    memset(hand, 0, sizeof(hand));
    hand[DTX_COUNTER_PERF_SOFTWARE].opens = true;
    dtx_thread_counter_choose(&t, hands, DTX_COUNT(hands));
    ck_assert_int_eq(hand[DTX_COUNTER_PERF_HARDWARE].opened, 1);
    dtx_counters_set(&hand[DTX_COUNTER_PERF_SOFTWARE].next,
                     DTX_COUNTED_MIGRATIONS, 0);
    dtx_thread_counter_read(&t, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PERF_SOFTWARE);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_MIGRATIONS, &v) && v == 0);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &v) && v > 0);
    ck_assert(!dtx_counters_get(&c, DTX_COUNTED_CYCLES, &v));
    dtx_counters_set(&hand[DTX_COUNTER_PERF_SOFTWARE].next,
                     DTX_COUNTED_CLOCK_NS, 12345); /* its own goes before */
    dtx_thread_counter_read(&t, &c);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &v) && v == 12345);
    hand[DTX_COUNTER_PERF_SOFTWARE].next.counted = 0; /* it fails to read */
    dtx_thread_counter_read(&t, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_RUSAGE);
    ck_assert_uint_eq(c.counted, 1u << DTX_COUNTED_CLOCK_NS);
    dtx_thread_counter_close(&t);
    dtx_thread_counter_close(&t);
    ck_assert_int_eq(hand[DTX_COUNTER_PERF_SOFTWARE].closed, 1);
    ck_assert_int_eq(hand[DTX_COUNTER_PERF_HARDWARE].closed, 0);
}
END_TEST

START_TEST(thread_first_of_two)
{
    struct dtx_thread_counter t;

    memset(hand, 0, sizeof(hand));
    hand[DTX_COUNTER_PERF_HARDWARE].opens = true;
    hand[DTX_COUNTER_PERF_SOFTWARE].opens = true;
    dtx_thread_counter_choose(&t, hands, DTX_COUNT(hands));
    ck_assert_int_eq(t.source->provider, DTX_COUNTER_PERF_HARDWARE);
    ck_assert_int_eq(hand[DTX_COUNTER_PERF_SOFTWARE].opened, 0);
    dtx_thread_counter_close(&t);
    ck_assert_int_eq(hand[DTX_COUNTER_PERF_HARDWARE].closed, 1);
}
END_TEST

/* What nobody else may read is noted by the thread, and added up. */
START_TEST(thread_that_notes)
{
    static const struct dtx_thread_source own = {
        DTX_COUNTER_PAPI_HARDWARE, true, hand_open, hand_read, hand_close};
    struct dtx_counters *next = &hand[DTX_COUNTER_PAPI_HARDWARE].next, c;
    struct dtx_thread_counter t;
    uint64_t v = 0;

    memset(hand, 0, sizeof(hand));
    hand[DTX_COUNTER_PAPI_HARDWARE].opens = true;
    dtx_thread_counter_choose(&t, &own, 1);
    dtx_counters_set(next, DTX_COUNTED_CYCLES, 5);
    dtx_thread_counter_read(&t, &c); /* nothing has been noted */
    ck_assert_int_eq(c.provider, DTX_COUNTER_RUSAGE);
    ck_assert(!dtx_counters_get(&c, DTX_COUNTED_CYCLES, &v));
    dtx_thread_counter_note(&t);
    dtx_counters_set(next, DTX_COUNTED_CYCLES, 7);
    dtx_thread_counter_note(&t);
    dtx_thread_counter_read(&t, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PAPI_HARDWARE);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CYCLES, &v) && v == 12);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &v));
    dtx_thread_counter_read(&t, &c); /* only once */
    ck_assert(!dtx_counters_get(&c, DTX_COUNTED_CYCLES, &v));
    dtx_thread_counter_close(&t);
}
END_TEST

/* ---- real ---- */

static uint64_t own_clock(void)
{
    struct timespec t;

    ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Each provider of this machine, and the clock alone, see work and rest. */
START_TEST(real_thread)
{
    const struct timespec nap = {0, 30000000};
    const enum dtx_counter who = (enum dtx_counter)_i;
    const struct dtx_thread_source source = {
        who, false, dtx_perf_thread_open, dtx_perf_thread_read, dtx_perf_thread_close};
    struct dtx_thread_counter t;
    struct dtx_counters c;
    uint64_t from, busy = 0, idle = 0, v = 0;

    dtx_thread_counter_choose(&t, &source, 1);
    if (who != DTX_COUNTER_RUSAGE && !t.source) {
        printf("SKIP: %s does not count threads\n", dtx_counter_name(who));
        dtx_thread_counter_close(&t);
        return;
    }
    dtx_thread_counter_read(&t, &c);
    for (from = own_clock(); own_clock() - from < 50000000;)
        ;
    dtx_thread_counter_read(&t, &c);
    ck_assert_int_eq(c.provider, who);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &busy));
    ck_assert_uint_gt(busy, 35000000);
    if (dtx_counters_get(&c, DTX_COUNTED_INSTRUCTIONS, &v))
        ck_assert_uint_gt(v, 100000);
    (void)nanosleep(&nap, NULL);
    dtx_thread_counter_read(&t, &c);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &idle));
    ck_assert_uint_lt(idle, busy / 4);
    dtx_thread_counter_close(&t);
}
END_TEST

static bool is_here(enum dtx_counter provider, struct dtx_perf_set *s)
{
    char why[DTX_COUNTER_WHY] = "";
    uint8_t counted;
    bool papi = provider == DTX_COUNTER_PAPI_HARDWARE ||
                provider == DTX_COUNTER_PAPI_SOFTWARE;

    if (!(papi ? dtx_papi_probe : dtx_perf_probe)(provider, &counted, why)) {
        ck_assert_uint_eq(counted, 0);
        ck_assert_str_ne(why, "");
        printf("SKIP: %s: %s\n", dtx_counter_name(provider), why);
        return false;
    }
    dtx_perf_set_init(s, provider, counted);
    return true;
}

/* Whatever the answer is, it comes with what was counted or with a reason. */
START_TEST(real_papi)
{
    struct dtx_perf_set s;

    (void)is_here((enum dtx_counter)_i, &s);
}
END_TEST

/* A child of vfork has sent what it sends, or is ended, when vfork returns; not
 * so under valgrind, which makes it a fork. */
static void await(int sock)
{
    struct pollfd p = {.fd = sock, .events = POLLIN};

    (void)poll(&p, 1, 5000);
}

/* What a shell and the one it starts do, by its counters and its rusage. */
static struct dtx_counters count_child(const struct dtx_perf_set *s,
                                       struct rusage *u)
{
    int pair[2], fd[DTX_PERF_EVENTS], status;
    struct dtx_counters c;
    pid_t pid;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    pid = vfork();
    if (pid == 0) {
        dtx_perf_give(s, pair[0]);
        (void)execl("/bin/sh", "sh", "-c",
                    "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); "
                    "done'; true", (char *)NULL);
        _exit(127);
    }
    await(pair[1]);
    ck_assert(dtx_perf_take(s, pair[1], fd));
    ck_assert(wait4(pid, &status, 0, u) == pid && status == 0);
    dtx_perf_end(s, fd, &c);
    ck_assert_int_eq(fd[0], -1);
    ck_assert(!dtx_perf_take(s, pair[1], fd)); /* no more came */
    (void)close(pair[0]);
    (void)close(pair[1]);
    return c;
}

START_TEST(real_software)
{
    struct dtx_perf_set s;
    struct dtx_counters c;
    struct rusage u;
    uint64_t clock = 0;
    double used;

    if (!is_here(DTX_COUNTER_PERF_SOFTWARE, &s))
        return;
    c = count_child(&s, &u);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PERF_SOFTWARE);
    ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &clock));
    ck_assert(!dtx_counters_get(&c, DTX_COUNTED_INSTRUCTIONS, &clock));
    used = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
    /* most of it was in the child's child */
    ck_assert_double_gt((double)clock, 0.7 * used);
    ck_assert_double_lt((double)clock, 1.1 * used + 1e6);
}
END_TEST

START_TEST(real_hardware)
{
    struct dtx_perf_set s;
    struct dtx_counters c;
    struct rusage u;
    uint64_t n = 0;

    if (!is_here(DTX_COUNTER_PERF_HARDWARE, &s))
        return;
    c = count_child(&s, &u);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PERF_HARDWARE);
    if (dtx_counters_get(&c, DTX_COUNTED_INSTRUCTIONS, &n))
        ck_assert_uint_gt(n, 1000000);
}
END_TEST

/* As a container does it: the call is forbidden. */
static int forbid(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {DTX_COUNT(code), code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* 0: the kernel's accounting is left, and the reason names the remedy. */
static int look_forbidden(void)
{
    struct dtx_counter_choice c;
    size_t i;

    if (forbid())
        return 77;
    dtx_counters_probe(true, &c);
    if (c.provider != DTX_COUNTER_RUSAGE || c.counted != 0 || c.n != 1)
        return 1;
    for (i = 0; i < c.n; i++)
        if (c.row[i].works || !strstr(c.row[i].why, "perf_event_paranoid"))
            return 2;
    return 0;
}

START_TEST(forbidden)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(look_forbidden());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        printf("SKIP: forbidden: no seccomp filters here\n");
    else
        ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* Nothing is counted of what could not be executed. */
START_TEST(absent)
{
    struct dtx_perf_set s;
    struct dtx_counters c;
    int fd[DTX_PERF_EVENTS], pair[2], status;
    pid_t pid;

    dtx_perf_set_init(&s, DTX_COUNTER_RUSAGE, 0);
    ck_assert_uint_eq(s.n, 0);
    ck_assert(!dtx_perf_take(&s, -1, fd));
    dtx_perf_end(&s, fd, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_RUSAGE);
    ck_assert_uint_eq(c.counted, 0);
    if (!is_here(DTX_COUNTER_PERF_SOFTWARE, &s))
        return;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    pid = vfork();
    if (pid == 0) {
        dtx_perf_give(&s, pair[0]);
        _exit(127);
    }
    await(pair[1]);
    ck_assert(dtx_perf_take(&s, pair[1], fd));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    dtx_perf_end(&s, fd, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_RUSAGE);
    ck_assert_uint_eq(c.counted, 0);
    (void)close(pair[0]);
    (void)close(pair[1]);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("node_counters");
    TCase *t = tcase_create("scripted");

    tcase_add_checked_fixture(t, forget, NULL);
    tcase_add_test(t, the_best_that_works);
    tcase_add_test(t, papi_that_attaches);
    tcase_add_test(t, nothing_more_is_tried);
    tcase_add_test(t, none_that_works);
    tcase_add_test(t, pace);
    tcase_add_test(t, thread_by_the_best);
    tcase_add_test(t, thread_first_of_two);
    tcase_add_test(t, thread_that_notes);
    suite_add_tcase(s, t);
    t = tcase_create("real");
    tcase_add_loop_test(t, real_papi, DTX_COUNTER_PAPI_HARDWARE,
                        DTX_COUNTER_PAPI_HARDWARE + 1);
    tcase_add_loop_test(t, real_papi, DTX_COUNTER_PAPI_SOFTWARE,
                        DTX_COUNTER_PAPI_SOFTWARE + 1);
    tcase_add_loop_test(t, real_thread, DTX_COUNTER_PERF_HARDWARE,
                        DTX_COUNTER_PERF_HARDWARE + 1);
    tcase_add_loop_test(t, real_thread, DTX_COUNTER_PERF_SOFTWARE,
                        DTX_COUNTER_RUSAGE + 1);
    tcase_add_test(t, real_software);
    tcase_add_test(t, real_hardware);
    tcase_add_test(t, forbidden);
    tcase_add_test(t, absent);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_node_papi.c - PAPI counts threads and tasks
 *
 * On a processor that is made up: events of the hardware are opened as the
 * kernel's task clock, so instructions and cycles are nanoseconds in user mode,
 * and everything behind them is real: PAPI, perf_event_open, inheritance. What
 * PAPI takes the processor for is forced, so it works in virtual machines.
 */
#include "spawner_fixture.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#include "check_main.h"
#include "node/counters.h"
#include "node/papi.h"

#ifdef __x86_64__

static long call(long n, const long a[6])
{
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    long r;

    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
                       "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}

/* In the place of the C library's, for PAPI as well. */
__attribute__((visibility("default"))) long syscall(long n, ...)
{
    struct perf_event_attr e;
    long a[6], r;
    va_list v;
    int i;

    va_start(v, n);
    for (i = 0; i < 6; i++)
        a[i] = va_arg(v, long);
    va_end(v);
    if (n == SYS_perf_event_open) {
        memcpy(&e, (const void *)a[0], sizeof(e));
        if (e.type == PERF_TYPE_HARDWARE || e.type == PERF_TYPE_RAW) {
            e.type = PERF_TYPE_SOFTWARE;
            e.config = PERF_COUNT_SW_TASK_CLOCK;
            e.exclude_guest = e.exclude_host = 0;
        }
        a[0] = (long)&e;
    }
    r = call(n, a);
    if (r >= 0 || r < -4095)
        return r;
    errno = (int)-r;
    return -1;
}

#endif

static bool is_here(bool attaches)
{
    uint8_t counted = 0;
    char why[DTX_COUNTER_WHY] = "";

    if (dtx_papi_probe(DTX_COUNTER_PAPI_HARDWARE, &counted, why) &&
        (!attaches ||
         dtx_papi_attaches(DTX_COUNTER_PAPI_HARDWARE, &counted, why)))
        return true;
    printf("SKIP: papi-hardware: %s\n", why);
    return false;
}

START_TEST(chosen)
{
    struct dtx_counter_choice c;

    if (!is_here(true))
        return;
    dtx_counters_probe(false, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PAPI_HARDWARE);
    ck_assert(c.counted >> DTX_COUNTED_INSTRUCTIONS & 1);
    ck_assert(c.counted >> DTX_COUNTED_CYCLES & 1);
    ck_assert_int_eq(c.row[1].provider, DTX_COUNTER_PERF_HARDWARE);
    ck_assert_str_eq(c.row[1].why, "a better one counts");
    dtx_counters_probe(true, &c);
    ck_assert_int_eq(c.provider, DTX_COUNTER_PAPI_HARDWARE);
    ck_assert_uint_eq(c.n, 1);
}
END_TEST

/* ---- threads ---- */

static uint64_t own_ns(void)
{
    struct timespec t;

    ck_assert_int_eq(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void spin(uint64_t ns)
{
    volatile unsigned x = 1;
    uint64_t from = own_ns();
    int i;

    while (own_ns() - from < ns)
        for (i = 0; i < 10000; i++)
            x = x * 3 + 1;
}

struct slot {
    struct dtx_thread_counter t;
    uint64_t spins_ns;
    pthread_barrier_t *done;
};

static void *work(void *arg)
{
    struct slot *s = arg;
    struct dtx_counters c;

    dtx_thread_counter_open(&s->t, DTX_THREAD_COUNTING_AUTO);
    dtx_thread_counter_note(&s->t);
    dtx_thread_counter_read(&s->t, &c);
    spin(s->spins_ns);
    dtx_thread_counter_note(&s->t);
    (void)pthread_barrier_wait(s->done); /* all have something to be read */
    (void)pthread_barrier_wait(s->done); /* it has been read */
    dtx_thread_counter_close(&s->t);
    return NULL;
}

/* Two at a time, each its own, read by a third. */
START_TEST(threads)
{
    struct slot s[2] = {{.spins_ns = 20000000}, {.spins_ns = 60000000}};
    pthread_barrier_t done;
    pthread_t id[2];
    struct dtx_counters c;
    uint64_t n;
    int i;

    if (!is_here(false))
        return;
    ck_assert_int_eq(pthread_barrier_init(&done, NULL, 3), 0);
    for (i = 0; i < 2; i++) {
        s[i].done = &done;
        ck_assert_int_eq(pthread_create(&id[i], NULL, work, &s[i]), 0);
    }
    (void)pthread_barrier_wait(&done);
    for (i = 0; i < 2; i++) {
        dtx_thread_counter_read(&s[i].t, &c);
        ck_assert_int_eq(c.provider, DTX_COUNTER_PAPI_HARDWARE);
        ck_assert(dtx_counters_get(&c, DTX_COUNTED_INSTRUCTIONS, &n));
        ck_assert_uint_gt(n, s[i].spins_ns / 2);
        ck_assert_uint_lt(n, s[i].spins_ns * 3 / 2 + 5000000);
        ck_assert(dtx_counters_get(&c, DTX_COUNTED_CYCLES, &n) && n > 0);
        ck_assert(dtx_counters_get(&c, DTX_COUNTED_CLOCK_NS, &n));
        ck_assert_uint_ge(n, s[i].spins_ns);
    }
    (void)pthread_barrier_wait(&done);
    for (i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(id[i], NULL), 0);
    (void)pthread_barrier_destroy(&done);
}
END_TEST

/* A program that uses PAPI itself keeps it: perf counts. */
START_TEST(left_to_the_program)
{
    static const enum dtx_thread_counting how[] = {
        DTX_THREAD_COUNTING_AUTO, DTX_THREAD_COUNTING_PERF};
    struct dtx_thread_counter t;
    struct dtx_papi_programs *p;
    char why[DTX_COUNTER_WHY];

    if (!is_here(false))
        return;
    p = dtx_papi_open(DTX_COUNTER_PAPI_HARDWARE, 1, why); /* as it would */
    ck_assert_ptr_nonnull(p);
    dtx_thread_counter_open(&t, how[_i]);
    ck_assert_ptr_nonnull(t.source);
    ck_assert_int_eq(t.source->provider, DTX_COUNTER_PERF_HARDWARE);
    dtx_thread_counter_close(&t);
    dtx_papi_close(p);
}
END_TEST

/* ---- tasks ---- */

#define LOOP "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; true"

static void check_task(const struct dtx_outcome *o)
{
    uint64_t n = 0;

    ck_assert_int_eq(o->status, DTX_STATUS_OK);
    ck_assert(dtx_counters_get(&o->counters, DTX_COUNTED_INSTRUCTIONS, &n));
    ck_assert_double_gt((double)n, 0.7 * (double)(o->utime_ns + o->stime_ns));
    ck_assert_double_lt((double)n,
                        1.5 * (double)(o->utime_ns + o->stime_ns) + 5e6);
    ck_assert(dtx_counters_get(&o->counters, DTX_COUNTED_CYCLES, &n));
}

/* The spawner attaches to each before its exec: two side by side, of which a
 * process of theirs does the work; and what cannot be executed is said as
 * ever. */
START_TEST(tasks)
{
    struct ended e;
    int i, counted = 0;

    if (!is_here(true))
        return;
    start(2);
    for (i = 0; i < 100 && counted == 0; i++) {
        e = run_one("sleep 0.07");
        counted += e.r.outcome.counters.provider == DTX_COUNTER_PAPI_HARDWARE;
    }
    ck_assert_int_eq(counted, 1);
    run(LOOP);
    run(LOOP);
    for (i = 0; i < 2; i++) {
        e = next_ended();
        if (e.r.outcome.counters.provider == DTX_COUNTER_PAPI_HARDWARE) {
            check_task(&e.r.outcome);
            counted++;
        }
    }
    ck_assert_int_ge(counted, 2);
    e = run_one("/no/such/program");
    ck_assert_int_eq(e.r.outcome.exit_code, 127);
    stop();
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("node_papi");
    TCase *t = tcase_create("made up");

    (void)setenv("LIBPFM_FORCE_PMU", "amd64_fam19h_zen3", 1);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, chosen);
    tcase_add_test(t, threads);
    tcase_add_loop_test(t, left_to_the_program, 0, 2);
    tcase_add_test(t, tasks);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    enter_scratch();
    return dtx_check_main(build_suite());
}

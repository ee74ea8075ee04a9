/* SPDX-License-Identifier: MIT */
/* Tests of node/bell: two processes that wake each other, many times. */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "node/bell.h"
#include "node/clock.h"

#define ROUNDS 20000
#define NAP_NS (5 * DTX_SEC_NS) /* a lost ring costs this much */

static struct dtx_bell *make_bell(void)
{
    struct dtx_error err = {0};
    struct dtx_bell *b = dtx_bell_create(&err);

    ck_assert_msg(b != NULL, "%s", err.text);
    return b;
}

START_TEST(test_ring_before_wait)
{
    struct dtx_bell *b = make_bell();
    uint32_t seen = dtx_bell_seen(b);
    int64_t start_ns = dtx_clock_mono_ns();

    dtx_bell_ring(b);
    ck_assert_uint_ne(dtx_bell_seen(b), seen);
    dtx_bell_wait(b, seen, NAP_NS);
    ck_assert_int_lt(dtx_clock_mono_ns() - start_ns, DTX_SEC_NS);
    dtx_bell_destroy(b);
}
END_TEST

START_TEST(test_nap_is_bounded)
{
    struct dtx_bell *b = make_bell();
    int64_t start_ns = dtx_clock_mono_ns(), took_ns;

    dtx_bell_wait(b, dtx_bell_seen(b), 20 * DTX_MSEC_NS);
    took_ns = dtx_clock_mono_ns() - start_ns;
    ck_assert_int_ge(took_ns, 20 * DTX_MSEC_NS);
    ck_assert_int_lt(took_ns, 5 * DTX_SEC_NS);
    dtx_bell_wait(b, dtx_bell_seen(b), 0);
    dtx_bell_wait(b, dtx_bell_seen(b), -1);
    dtx_bell_destroy(b);
    dtx_bell_destroy(NULL);
}
END_TEST

/* Wait until '*word' is at least 'value'; counts naps that ran out. */
static unsigned wait_for(struct dtx_bell *b, _Atomic uint32_t *word,
                         uint32_t value)
{
    unsigned late = 0;

    for (;;) {
        uint32_t seen = dtx_bell_seen(b);
        int64_t start_ns;

        if (atomic_load(word) >= value)
            return late;
        start_ns = dtx_clock_mono_ns();
        dtx_bell_wait(b, seen, NAP_NS);
        late += dtx_clock_mono_ns() - start_ns >= NAP_NS;
    }
}

/* Each side rings the other's bell and sleeps on its own. Spinning varies the
 * moment at which they meet. */
static unsigned play(struct dtx_bell *mine, struct dtx_bell *theirs,
                     _Atomic uint32_t *from, _Atomic uint32_t *to, bool first)
{
    unsigned late = 0;
    uint32_t i;

    for (i = 1; i <= ROUNDS; i++) {
        volatile uint32_t spin = i * 7 % 400;

        if (!first)
            late += wait_for(mine, from, i);
        while (spin > 0)
            spin = spin - 1;
        atomic_store(to, i);
        dtx_bell_ring(theirs);
        if (first)
            late += wait_for(mine, from, i);
    }
    return late;
}

START_TEST(test_no_ring_is_lost)
{
    _Atomic uint32_t *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* static: still reachable when the child leaves by _exit */
    static struct dtx_bell *a, *b;
    struct dtx_bell_address address;
    unsigned late;
    pid_t pid;
    int status;

    ck_assert_ptr_ne(turn, MAP_FAILED);
    a = make_bell();
    b = make_bell();
    dtx_bell_address(a, &address);
    pid = fork();
    if (pid == 0) {
        /* opened as a stranger would, and inherited */
        struct dtx_bell *peer = dtx_bell_open(&address);

        late = peer ? play(b, peer, &turn[0], &turn[1], false) : 99;
        dtx_bell_destroy(peer);
        _exit(late > 0);
    }
    ck_assert_int_gt(pid, 0);
    late = play(a, b, &turn[1], &turn[0], true);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(late, 0);
    dtx_bell_destroy(a);
    dtx_bell_destroy(b);
    (void)munmap(turn, 4096);
}
END_TEST

START_TEST(test_killed_sleeper_harms_nobody)
{
    struct dtx_bell *b = make_bell();
    uint32_t seen = dtx_bell_seen(b);
    pid_t pid = fork();

    if (pid == 0) {
        dtx_bell_wait(b, seen, 100 * DTX_SEC_NS);
        _exit(0);
    }
    ck_assert_int_gt(pid, 0);
    (void)usleep(20000);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    dtx_bell_ring(b);
    ck_assert_uint_eq(dtx_bell_seen(b), seen + 1);
    dtx_bell_destroy(b);
}
END_TEST

START_TEST(test_foreign_addresses)
{
    struct dtx_bell *b = make_bell(), *peer;
    struct dtx_bell_address good, bad;

    dtx_bell_address(b, &good);
    ck_assert_int_eq(good.pid, getpid());
    peer = dtx_bell_open(&good);
    ck_assert_ptr_nonnull(peer);
    dtx_bell_ring(peer);
    ck_assert_uint_eq(dtx_bell_seen(b), 1);
    dtx_bell_destroy(peer);
    bad = good;
    bad.token ^= 1;
    ck_assert_ptr_null(dtx_bell_open(&bad));
    bad = good;
    bad.fd = 0; /* something else */
    ck_assert_ptr_null(dtx_bell_open(&bad));
    bad.fd = 9999;
    ck_assert_ptr_null(dtx_bell_open(&bad));
    bad = good;
    bad.pid = -5;
    ck_assert_ptr_null(dtx_bell_open(&bad));
    dtx_bell_destroy(b);
}
END_TEST

START_TEST(test_clocks)
{
    int64_t a = dtx_clock_mono_ns(), b = dtx_clock_mono_ns();

    ck_assert_int_gt(a, 0);
    ck_assert_int_ge(b, a);
    ck_assert_int_gt(dtx_clock_wall_ns(), INT64_C(1500000000) * DTX_SEC_NS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/bell");
    TCase *t = tcase_create("bell");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_ring_before_wait);
    tcase_add_test(t, test_nap_is_bounded);
    tcase_add_test(t, test_no_ring_is_lost);
    tcase_add_test(t, test_killed_sleeper_harms_nobody);
    tcase_add_test(t, test_foreign_addresses);
    tcase_add_test(t, test_clocks);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* Tests of node/capture with real processes: whose output is whose, what is held
 * and what it costs in memory. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "spawner_fixture.h"

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
        dtx_bell_wait(bell, seen, DTX_SEC_NS);
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

int main(void)
{
    Suite *s = suite_create("node/capture");
    TCase *t = tcase_create("capture");

    enter_scratch();
    tcase_set_timeout(t, 180);
    tcase_add_test(t, test_mixed_outputs);
    tcase_add_test(t, test_held_captures);
    tcase_add_test(t, test_no_capture);
    tcase_add_test(t, test_large_output);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* Writing to readers as the showing thread does it: readers that do not read or have left, files that are
 * full, outputs of other nodes, and a joblog that waits for nobody. */
#include "run/show.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/units.h"
#include "check_main.h"
#include "node/clock.h"
#include "store/output.h"
#include "store_dir.h"
#include "task/outcome.h"
#include "task/task.h"

#define NTASKS 1000
#define TURNS 4000 /* of 5 ms */

static struct dtx_show *show;
static struct dtx_tasklist list;
static struct dtx_task_attr plain;
static struct dtx_task task[NTASKS];
static bool far_ranks;
static char logged[4096];

static const char *host_of(void *ctx, uint32_t rank)
{
    (void)ctx;
    (void)rank;
    return "node";
}

static bool is_near(void *ctx, uint32_t rank)
{
    (void)ctx;
    return !far_ranks || rank == 0;
}

static void notify(void *ctx)
{
    (void)ctx;
}

static void keep(void *ctx, enum dtx_log_level level, const char *text)
{
    size_t n = strlen(logged);

    (void)ctx;
    (void)level;
    (void)snprintf(logged + n, sizeof(logged) - n, "%s\n", text);
}

static void nap(void)
{
    const struct timespec ts = {0, 5 * DTX_MSEC_NS};

    (void)nanosleep(&ts, NULL);
}

static void begin(const char *joblog)
{
    static struct dtx_show_config c;
    struct dtx_error err = {0, ""};

    c = (struct dtx_show_config){.run_dir = dtx_scratch_path,
                                 .epoch = 1,
                                 .list = &list,
                                 .output = true,
                                 .joblog = joblog,
                                 .host = host_of,
                                 .is_near = is_near,
                                 .notify = notify};
    memset(&list, 0, sizeof(list));
    list.task = task;
    list.attr = &plain;
    logged[0] = '\0';
    (void)signal(SIGPIPE, SIG_IGN);
    dtx_log_set(keep, NULL, DTX_LOG_INFO);
    ck_assert_msg(dtx_show_start(&c, &show, &err) == DTX_OK, "%s", err.text);
}

/* Put 'len' bytes of output of a task into out/ as rank 0 and push it. */
static void push_near(uint32_t number, size_t len)
{
    static struct dtx_output *o;
    struct dtx_outcome x;
    int fd = open("source", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    memset(&x, 0, sizeof(x));
    x.task = number;
    x.status = DTX_STATUS_OK;
    x.out_len = len;
    if (number == 0)
        ck_assert_int_eq(dtx_output_open(dtx_scratch_path, 1, 0, &o, NULL), 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
    ck_assert_int_eq(dtx_output_pack(o, &x, fd, 0, fd, 0, NULL), 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(dtx_show_push(show, &x, true), 0);
}

static void push_far(uint32_t number, uint32_t rank, uint64_t off,
                     const char *text, size_t out_len)
{
    struct dtx_outcome x;

    memset(&x, 0, sizeof(x));
    x.task = number;
    x.rank = rank;
    x.status = DTX_STATUS_OK;
    x.out_off = off;
    x.out_len = out_len;
    x.err_len = strlen(text) - out_len;
    x.out_crc = dtx_crc32(0, text, strlen(text));
    ck_assert_int_eq(dtx_show_push(show, &x, true), 0);
}

static void await_idle(void)
{
    for (int i = 0; i < TURNS && !dtx_show_idle(show); i++)
        nap();
    ck_assert(dtx_show_idle(show));
}

static size_t count_lines(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;
    int c;

    while (f && (c = fgetc(f)) != EOF)
        n += c == '\n';
    if (f)
        (void)fclose(f);
    return n;
}

/* Make descriptor 'to' another one; not undone: each test is a process. */
static void become(int fd, int to)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, to), to);
    ck_assert_int_eq(close(fd), 0);
}

static int drain(int fd, char *text, size_t size)
{
    ssize_t n = read(fd, text, size - 1);

    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return (int)n;
}

/* ---- readers ---- */

START_TEST(test_nobody_reads)
{
    int p[2];
    int64_t start_ns;

    ck_assert_int_eq(pipe(p), 0);
    become(p[1], STDOUT_FILENO);
    begin("joblog");
    for (uint32_t i = 0; i < NTASKS; i++)
        push_near(i, 5000);
    /* all lines are there while the first outputs fill the pipe */
    for (int i = 0; i < TURNS && count_lines("joblog") < NTASKS + 1; i++)
        nap();
    ck_assert_uint_eq(count_lines("joblog"), NTASKS + 1);
    ck_assert(!dtx_show_idle(show));
    start_ns = dtx_clock_mono_ns();
    dtx_show_stop(show);
    ck_assert_int_lt(dtx_clock_mono_ns() - start_ns, 1500 * DTX_MSEC_NS);
    ck_assert_str_eq(logged, "");
    ck_assert_int_eq(close(p[0]), 0);
}
END_TEST

START_TEST(test_reader_leaves)
{
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    become(p[1], STDOUT_FILENO);
    ck_assert_int_eq(close(p[0]), 0);
    begin(NULL);
    for (uint32_t i = 0; i < 20; i++)
        push_near(i, 5000);
    await_idle();
    ck_assert_int_eq(dtx_show_error(show), 0);
    dtx_show_stop(show);
    ck_assert_str_eq(logged, "");
}
END_TEST

START_TEST(test_stdout_is_full)
{
    become(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    begin(NULL);
    for (uint32_t i = 0; i < 20; i++)
        push_near(i, 5000);
    await_idle();
    ck_assert_int_eq(dtx_show_error(show), DTX_ENOSPC);
    dtx_show_stop(show);
    ck_assert_ptr_nonnull(strstr(logged, "cannot write to stdout: No space"));
    ck_assert_ptr_nonnull(strstr(logged, "distributex output"));
    /* told once */
    ck_assert_ptr_eq(strchr(logged, '\n'), logged + strlen(logged) - 1);
}
END_TEST

START_TEST(test_joblog_is_full)
{
    struct dtx_outcome x;
    int fd;

    memset(&x, 0, sizeof(x));
    begin("joblog");
    /* the header is there; from now on the disk is full */
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    for (int i = 3; i < 32; i++) {
        struct stat st, want;

        if (fstat(i, &st) == 0 && stat("joblog", &want) == 0 &&
            st.st_ino == want.st_ino && st.st_dev == want.st_dev)
            ck_assert_int_eq(dup2(fd, i), i);
    }
    ck_assert_int_eq(dtx_show_push(show, &x, true), 0);
    await_idle();
    ck_assert_int_eq(dtx_show_error(show), DTX_ENOSPC);
    dtx_show_stop(show);
    ck_assert_ptr_nonnull(strstr(logged, "joblog: cannot write"));
}
END_TEST

/* ---- outputs of other nodes ---- */

static struct dtx_show_want next_want(void)
{
    struct dtx_show_want w;

    for (int i = 0; i < TURNS; i++) {
        if (dtx_show_want(show, &w))
            return w;
        nap();
    }
    ck_abort_msg("nothing is wanted");
    return w;
}

START_TEST(test_far)
{
    struct dtx_show_want w, v;
    char text[256];
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    become(p[1], STDOUT_FILENO);
    far_ranks = true;
    begin(NULL);
    push_far(0, 1, 100, "hello\n", 6);
    push_near(0, 3);
    push_far(1, 2, 7, "world\n", 6);
    w = next_want();
    v = next_want();
    ck_assert(!dtx_show_want(show, &w) || w.rank == 0);
    ck_assert_uint_eq(v.rank, 2);
    ck_assert_uint_eq(v.off, 7);
    ck_assert_uint_eq(v.len, 6);
    /* the later one comes first */
    dtx_show_feed(show, 2, 7, "world\n", 6);
    dtx_show_feed(show, 9, 7, "stray\n", 6);
    dtx_show_feed(show, 1, 100, "hel", 3);
    dtx_show_feed(show, 1, 103, "lo\n", 3);
    await_idle();
    dtx_show_stop(show);
    ck_assert_int_eq(drain(p[0], text, sizeof(text)), 15);
    ck_assert_int_eq(memcmp(text, "hello\n\0\0\0world\n", 15), 0);
    ck_assert_str_eq(logged, "");
    ck_assert_int_eq(close(p[0]), 0);
}
END_TEST

START_TEST(test_far_lost_and_damaged)
{
    char text[256];
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    become(p[1], STDOUT_FILENO);
    far_ranks = true;
    begin(NULL);
    push_far(0, 1, 0, "gone", 4);
    push_far(1, 1, 4, "good", 4);
    push_far(2, 1, 8, "more", 4);
    for (int i = 0; i < 3; i++)
        (void)next_want();
    dtx_show_feed(show, 1, 0, NULL, 0);
    dtx_show_feed(show, 1, 4, "evil", 4);
    dtx_show_feed(show, 1, 8, "more", 4);
    await_idle();
    dtx_show_stop(show);
    ck_assert_int_eq(drain(p[0], text, sizeof(text)), 8);
    ck_assert_str_eq(text, "evilmore");
    ck_assert_ptr_nonnull(strstr(logged, "task 1, from rank 1 on node, cannot "
                                         "be shown"));
    ck_assert_ptr_nonnull(strstr(logged, "task 2, from rank 1 on node, is "
                                         "damaged"));
    ck_assert_ptr_null(strstr(logged, "task 3"));
    ck_assert_int_eq(close(p[0]), 0);
}
END_TEST

/* Many outputs wait: asking for one more does not look at all of them. */
START_TEST(test_far_backlog)
{
    static char piece[DTX_SHOW_PIECE];
    struct dtx_show_want w;
    struct dtx_outcome x;
    uint64_t asked = 0;
    uint32_t i;
    int64_t start_ns = dtx_clock_mono_ns();

    become(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    far_ranks = true;
    begin(NULL);
    memset(&x, 0, sizeof(x));
    x.rank = 1;
    x.out_len = 1;
    x.out_crc = dtx_crc32(0, piece, 1);
    for (i = 0; i < 200000; i++) {
        x.task = i % NTASKS;
        x.out_off = i;
        ck_assert_int_eq(dtx_show_push(show, &x, false), 0);
    }
    while (asked < 200000) {
        if (!dtx_show_want(show, &w))
            continue;
        ck_assert_uint_eq(w.off, asked);
        asked += w.len;
        dtx_show_feed(show, 1, w.off, piece, w.len);
    }
    await_idle();
    dtx_show_stop(show);
    ck_assert_str_eq(logged, "");
    ck_assert_int_lt(dtx_clock_mono_ns() - start_ns, 30 * DTX_SEC_NS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/outlet");
    TCase *t = tcase_create("readers"), *f = tcase_create("far");

    dtx_scratch_enter();
    tcase_set_timeout(t, 60);
    tcase_set_timeout(f, 60);
    tcase_add_test(t, test_nobody_reads);
    tcase_add_test(t, test_reader_leaves);
    tcase_add_test(t, test_stdout_is_full);
    tcase_add_test(t, test_joblog_is_full);
    tcase_add_test(f, test_far);
    tcase_add_test(f, test_far_lost_and_damaged);
    tcase_add_test(f, test_far_backlog);
    suite_add_tcase(s, t);
    suite_add_tcase(s, f);
    return dtx_check_main(s);
}

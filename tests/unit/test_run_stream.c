/* SPDX-License-Identifier: MIT */
/* The live task list, with the real engine behind it and a rank that ends every
 * task at once. */
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "engine/master.h"
#include "run/stream.h"
#include "task/outcome.h"
#include "task/task.h"
#include "unit/check_main.h"
#include "wire/wire.h"

/* What one task gone by may leave behind; of few tasks the growth of arrays
 * is the larger part. */
#define BYTES_A_TASK 64
#define BYTES_A_TASK_OF_FEW 96

static int way[2];
static struct dtx_tasklist list;
static struct dtx_taskstream *stream;
static struct dtx_master *master;
static struct dtx_actions out;
static struct dtx_buf done;     /* the frame that answers grants */
static uint64_t recorded, asked;
static bool finished;

static sem_t noticed;

static void notice(void *ctx)
{
    (void)ctx;
    (void)sem_post(&noticed);
}

static void open_stream(uint64_t most_tasks)
{
    struct dtx_taskstream_config c = {.name = "pipe",
                                      .list = &list,
                                      .most_cpus = 4,
                                      .most_tasks = most_tasks,
                                      .notify = notice};
    struct dtx_master_config m = {
        .epoch = 1, .nranks = 1, .list = &list, .live = true};
    struct dtx_error err;

    ck_assert_int_eq(pipe(way), 0);
    ck_assert_int_eq(sem_init(&noticed, 0, 0), 0);
    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    dtx_tasklist_live(&list);
    c.fd = way[0];
    ck_assert_int_eq(dtx_taskstream_start(&c, &stream, &err), 0);
    master = dtx_master_create(&m, &err);
    ck_assert_ptr_nonnull(master);
    recorded = asked = 0;
    finished = false;
}

static void close_stream(void)
{
    dtx_taskstream_destroy(stream);
    dtx_master_destroy(master);
    dtx_tasklist_fini(&list);
    dtx_actions_free(&out);
    dtx_buf_free(&done);
    (void)close(way[0]);
}

static void put(const char *s)
{
    ck_assert_int_eq(write(way[1], s, strlen(s)), (ssize_t)strlen(s));
}

/* The next event within two seconds, or false. */
static bool next(struct dtx_event *ev)
{
    const struct timespec nap = {0, 1000000};
    bool failed = false;
    int i;

    for (i = 0; i < 2000; i++) {
        memset(ev, 0, sizeof(*ev));
        if (dtx_taskstream_next(stream, ev, &failed))
            return true;
        ck_assert(!failed);
        (void)nanosleep(&nap, NULL);
    }
    return false;
}

static const char *text(uint32_t i)
{
    static char copy[64];

    (void)snprintf(copy, sizeof(copy), "%.*s", (int)list.task[i].len,
                   dtx_tasklist_text(&list, &list.task[i]));
    return copy;
}

START_TEST(tasks_come_while_it_is_open)
{
    struct dtx_event ev;

    open_stream(0);
    put("one\ntw");
    ck_assert(next(&ev));
    ck_assert_int_eq(ev.kind, DTX_EV_TASKS);
    ck_assert_uint_eq(ev.u.tasks.upto, 1);
    ck_assert_str_eq(text(0), "one");
    /* the list has it, the master has not heard of it */
    ck_assert_int_eq(dtx_master_task_state(master, 0), DTX_TASK_BLOCKED);
    put("o\n#DTX after=1-2\nthree");
    ck_assert(next(&ev));
    while (ev.u.tasks.upto < 2)
        ck_assert(next(&ev));
    ck_assert_str_eq(text(1), "two");
    (void)close(way[1]);
    ck_assert(next(&ev));
    ck_assert_uint_eq(ev.u.tasks.upto, 3);
    ck_assert_uint_eq(ev.u.tasks.nedges, 2);
    ck_assert_uint_eq(ev.u.tasks.edge[1], 2);
    ck_assert(next(&ev));
    ck_assert_int_eq(ev.kind, DTX_EV_CLOSED);
    ck_assert(dtx_taskstream_ended(stream));
    ck_assert(!dtx_taskstream_bad(stream));
    close_stream();
}
END_TEST

START_TEST(a_bad_line_ends_it)
{
    struct dtx_event ev;

    open_stream(0);
    put("one\n#DTX cpus=5\nwide\nnever\n");
    ck_assert(next(&ev));
    ck_assert_uint_eq(ev.u.tasks.upto, 1);
    ck_assert_uint_eq(list.ntasks, 1);
    ck_assert_uint_eq(list.open_tasks, 1);
    ck_assert(next(&ev));
    ck_assert_int_eq(ev.kind, DTX_EV_CLOSED);
    ck_assert(dtx_taskstream_bad(stream));
    ck_assert(!dtx_taskstream_ended(stream));
    (void)close(way[1]);
    close_stream();
}
END_TEST

/* More than a job can have: an error, and no silence. */
START_TEST(too_many_tasks_end_it)
{
    struct dtx_event ev;

    open_stream(0);
    list.ntasks = DTX_MAX_TASKS;
    put("one more\n");
    ck_assert(next(&ev));
    ck_assert_int_eq(ev.kind, DTX_EV_CLOSED);
    ck_assert(dtx_taskstream_bad(stream));
    list.ntasks = 0;
    (void)close(way[1]);
    close_stream();
}
END_TEST

START_TEST(reading_ahead_is_bounded)
{
    struct dtx_event ev;
    bool failed = false;
    int i;

    open_stream(3);
    put("a\nb\nc\nd\ne\n");
    ck_assert(next(&ev));
    ck_assert_uint_eq(ev.u.tasks.upto, 3);
    for (i = 0; i < 3; i++)
        ck_assert(!dtx_taskstream_next(stream, &ev, &failed));
    dtx_tasklist_forget(&list, 1);
    ck_assert(next(&ev));
    ck_assert_uint_eq(ev.u.tasks.upto, 4);
    ck_assert(!dtx_taskstream_next(stream, &ev, &failed));
    (void)close(way[1]);
    close_stream();
}
END_TEST

START_TEST(stopping_waits_for_nobody)
{
    struct dtx_event ev;
    bool failed = false;

    open_stream(0);
    put("one\n");
    ck_assert(next(&ev));
    dtx_taskstream_stop(stream); /* the pipe stays open */
    put("two\n");
    ck_assert(!dtx_taskstream_next(stream, &ev, &failed));
    ck_assert(!dtx_taskstream_ended(stream));
    (void)close(way[1]);
    close_stream();
}
END_TEST

static void *comment(void *ctx)
{
    FILE *f = fdopen(way[1], "w");
    int i;

    (void)ctx;
    for (i = 0; f && i < 100000; i++)
        (void)fputs("# nothing but a comment\n\n", f);
    if (f)
        (void)fputs("one\n", f);
    if (f)
        (void)fclose(f);
    return NULL;
}

/* However much there is that makes no task: whoever looks when told so, and
 * not by the clock, comes to the end. */
START_TEST(comments_need_no_clock)
{
    pthread_t writer;
    struct timespec limit;
    struct dtx_event ev;
    bool failed = false;

    open_stream(0);
    ck_assert_int_eq(pthread_create(&writer, NULL, comment, NULL), 0);
    (void)clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 60;
    do
        ck_assert_int_eq(sem_timedwait(&noticed, &limit), 0);
    while (!dtx_taskstream_next(stream, &ev, &failed) && !failed);
    ck_assert(!failed);
    ck_assert_uint_eq(ev.u.tasks.upto, 1);
    (void)pthread_join(writer, NULL);
    close_stream();
}
END_TEST

/* ---- many tasks, and what stays of them ---- */

static void step(struct dtx_event *ev);

static void answer(const struct dtx_action *a)
{
    struct dtx_msg grant, msg = {.kind = DTX_MSG_DONE, .epoch = 1,
                                 .incarnation = 1};
    struct dtx_item_work w;

    ck_assert_int_eq(
        dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &grant), 0);
    if (grant.kind != DTX_MSG_GRANT)
        return;
    msg.u.done.received = UINT64_MAX; /* all that was sent has arrived */
    if (done.len == 0)
        dtx_msg_encode(&done, &msg);
    while (dtx_item_work_next(&grant.items, &w) > 0) {
        struct dtx_outcome o = {.task = w.task, .attempt = w.attempt,
                                .slot = 1, .status = DTX_STATUS_OK};
        struct dtx_item_outcome item;

        dtx_outcome_to_item(&o, &item);
        dtx_item_outcome_encode(&done, &item);
    }
}

static void step(struct dtx_event *ev)
{
    struct dtx_event more = {.kind = DTX_EV_RECORDED};
    size_t i;

    dtx_buf_clear(&done);
    ck_assert_int_eq(dtx_master_step(master, ev, &out), 0);
    for (i = 0; i < out.count; i++) {
        const struct dtx_action *a = &out.list[i];

        if (a->kind == DTX_ACT_SEND)
            answer(a);
        else if (a->kind == DTX_ACT_RECORD)
            asked = a->u.record.number;
        else if (a->kind == DTX_ACT_FORGET)
            dtx_tasklist_forget(&list, a->u.over);
        else if (a->kind == DTX_ACT_FINISH)
            finished = true;
    }
    if (done.len > 0) {
        struct dtx_buf mine = done;

        done = (struct dtx_buf)DTX_BUF_INIT;
        more.kind = DTX_EV_FRAME;
        more.u.frame.data = mine.data;
        more.u.frame.len = mine.len;
        step(&more);
        dtx_buf_free(&mine);
    } else if (asked > recorded) {
        more.u.recorded = recorded = asked;
        step(&more);
    }
}

static void come(void)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO, .epoch = 1, .incarnation = 1};
    struct dtx_event ev = {.kind = DTX_EV_START};
    struct dtx_buf b = DTX_BUF_INIT;

    step(&ev);
    msg.u.hello.protocol = DTX_PROTOCOL;
    msg.u.hello.slots = 64;
    msg.u.hello.host = dtx_str_of("here");
    dtx_msg_encode(&b, &msg);
    ev.kind = DTX_EV_FRAME;
    ev.u.frame.data = b.data;
    ev.u.frame.len = b.len;
    step(&ev);
    dtx_buf_free(&b);
}

static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%*s %ld", &pages), 1);
    (void)fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void *produce(void *ctx)
{
    uint32_t n = *(uint32_t *)ctx, i;
    FILE *f = fdopen(way[1], "w");

    for (i = 0; f && i < n; i++)
        (void)fprintf(f, "./simulate --seed %" PRIu32 " --out out.%" PRIu32
                         " --a-longer-option-than-most\n", i, i);
    if (f)
        (void)fclose(f);
    return NULL;
}

/* valgrind's takes more memory than the C library's. */
static inline bool has_other_allocator(void)
{
    const char *s = getenv("LD_PRELOAD");

    return s && strstr(s, "vgpreload") != NULL;
}

START_TEST(tasks_gone_by_leave_little)
{
    uint32_t n = getenv("TEST_LONG") ? 1000000 : 200000;
    uint32_t early = n / 10;
    struct dtx_event ev;
    pthread_t producer;
    long before = 0;
    double each;

    open_stream(2000);
    come();
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &n), 0);
    while (!finished) {
        ck_assert(next(&ev));
        step(&ev);
        ck_assert_uint_le(list.open_tasks, 2000);
        if (before == 0 && list.ntasks >= early) {
            early = (uint32_t)list.ntasks;
            before = resident();
        }
    }
    ck_assert_uint_eq(list.ntasks, n);
    ck_assert_uint_eq(list.open_tasks, 0);
    ck_assert_uint_eq(list.open_bytes, 0);
    each = (double)(resident() - before) / (double)(n - early);
    printf("# %.1f bytes of memory for each of %u tasks gone by\n", each, n);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (!has_other_allocator())
        ck_assert_double_le(each, n < 1000000 ? BYTES_A_TASK_OF_FEW
                                              : BYTES_A_TASK);
#endif
    (void)pthread_join(producer, NULL);
    close_stream();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/stream");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 100);
    tcase_add_test(t, tasks_come_while_it_is_open);
    tcase_add_test(t, a_bad_line_ends_it);
    tcase_add_test(t, too_many_tasks_end_it);
    tcase_add_test(t, reading_ahead_is_bounded);
    tcase_add_test(t, stopping_waits_for_nobody);
    tcase_add_test(t, comments_need_no_clock);
    tcase_add_test(t, tasks_gone_by_leave_little);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

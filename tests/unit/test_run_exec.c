/* SPDX-License-Identifier: MIT */
/* A worker's RUN, RECALL and KILL through a true spawner and a true packing
 * thread: every attempt handed over ends exactly once, with its output in
 * place. */
#include "run/exec.h"

#include <stdio.h>

#include "check_main.h"
#include "spawner_fixture.h"
#include "store/output.h"
#include "store/writer.h"
#include "task/task.h"

enum { EPOCH = 2, RANK = 5, MANY = 3000 };

static struct dtx_output *output;
static struct dtx_writer *writer;
static struct dtx_exec *x;

static void ring_bell(void *ctx)
{
    dtx_bell_ring(ctx);
}

/* An executor with 'slots' slots; outputs go to DIR/out. */
static void open_exec(const char *name, uint32_t slots)
{
    struct dtx_writer_config c;
    char path[128];

    start(slots);
    ck_assert_int_eq(mkdir(name, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/out", name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(dtx_output_open(name, EPOCH, RANK, &output, NULL), 0);
    memset(&c, 0, sizeof(c));
    c.output = output;
    c.notify = ring_bell;
    c.ctx = bell;
    ck_assert_int_eq(dtx_writer_start(&c, &writer, NULL), 0);
    x = dtx_exec_create(spawner, writer);
    ck_assert_ptr_nonnull(x);
}

static void close_exec(void)
{
    stop();
    (void)dtx_writer_stop(writer, NULL);
    dtx_exec_destroy(x);
    dtx_output_close(output);
}

static void hand_for(uint32_t task, const char *command, const char *results,
                     uint8_t flags)
{
    struct dtx_item_work w;

    memset(&w, 0, sizeof(w));
    w.task = task;
    w.attempt = 1;
    w.cpus = 1;
    w.command = dtx_str_of(command);
    w.cwd = w.name = dtx_str_of("");
    w.results = dtx_str_of(results);
    w.flags = flags;
    ck_assert_int_eq(dtx_exec_run(x, &w), 0);
}

static void hand(uint32_t task, const char *command)
{
    hand_for(task, command, NULL, 0);
}

static struct dtx_outcome next_outcome(void)
{
    int64_t end = dtx_clock_mono_ns() + PATIENCE_NS;
    struct dtx_outcome o;

    memset(&o, 0, sizeof(o));
    for (;;) {
        uint32_t seen_bell = dtx_bell_seen(bell);

        (void)dtx_exec_pump(x);
        if (dtx_exec_next(x, &o))
            return o;
        ck_assert_int_lt(dtx_clock_mono_ns(), end);
        dtx_bell_wait(bell, seen_bell, 50 * DTX_MSEC_NS);
    }
}

static void holds(const char *name, const struct dtx_outcome *o,
                  const char *want)
{
    struct dtx_output_reader *r = dtx_output_reader_create(name);
    char text[64] = "";

    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(o->out_len + o->err_len, strlen(want));
    ck_assert_int_eq(dtx_output_read(r, EPOCH, RANK, o->out_off, text,
                                     strlen(want), NULL),
                     0);
    ck_assert_str_eq(text, want);
    ck_assert_int_eq(dtx_output_each(r, EPOCH, &(struct dtx_outcome){
                                         .rank = RANK,
                                         .out_off = o->out_off,
                                         .out_len = o->out_len,
                                         .err_len = o->err_len,
                                         .out_crc = o->out_crc},
                                     NULL, NULL, NULL),
                     0);
    dtx_output_reader_destroy(r);
}

START_TEST(outputs_are_in_place_when_attempts_end)
{
    open_exec("place", 2);
    hand(0, "echo out; echo err >&2");
    hand(1, "true");
    hand(2, "echo more; exit 3");
    for (int i = 0; i < 3; i++) {
        struct dtx_outcome o = next_outcome();

        if (o.task == 0)
            holds("place", &o, "out\nerr\n");
        if (o.task == 1)
            ck_assert_uint_eq(o.out_len + o.err_len, 0);
        if (o.task == 2) {
            holds("place", &o, "more\n");
            ck_assert_int_eq(o.exit_code, 3);
        }
        ck_assert_uint_eq(o.status,
                          o.task == 2 ? DTX_STATUS_FAILED : DTX_STATUS_OK);
    }
    ck_assert_int_eq(dtx_exec_error(x), 0);
    ck_assert_str_eq(dtx_exec_error_text(x), "");
    close_exec();
}
END_TEST

/* More than the spawner has room for, recalled or killed while they wait: each
 * ends once or is taken back. */
START_TEST(each_ends_once_or_is_taken_back)
{
    static uint8_t ends[MANY];
    uint32_t left = MANY, i;

    memset(ends, 0, sizeof(ends));
    open_exec("many", 1);
    hand(0, "sleep 0.3");
    for (i = 1; i < MANY; i++)
        hand(i, i % 500 == 0 ? "echo x" : "true");
    for (i = MANY - 1; i > 100; i--) {
        if (i % 3 == 0 && dtx_exec_recall(x, i, 1)) {
            ends[i]++;
            left--;
        } else if (i % 50 != 0) {
            dtx_exec_kill(x, i, 1);
        }
    }
    ck_assert(!dtx_exec_recall(x, MANY + 7, 1));
    ck_assert(!dtx_exec_recall(x, 2, 2)); /* another attempt */
    dtx_exec_kill(x, MANY + 7, 1);
    while (left > 0) {
        struct dtx_outcome o = next_outcome();

        ck_assert_uint_lt(o.task, MANY);
        ck_assert_uint_eq(ends[o.task], 0);
        ends[o.task]++;
        left--;
        ck_assert(o.status == DTX_STATUS_OK ||
                  (o.status == DTX_STATUS_KILLED && o.task > 100));
        ck_assert(o.task > 100 || o.status == DTX_STATUS_OK);
    }
    for (i = 0; i < MANY; i++)
        ck_assert_uint_eq(ends[i], 1);
    close_exec();
}
END_TEST

START_TEST(a_command_that_can_never_fit_ends_with_126)
{
    struct dtx_outcome o;
    char *huge = malloc(DTX_MAX_COMMAND * 8u);

    ck_assert_ptr_nonnull(huge);
    memset(huge, 'x', DTX_MAX_COMMAND * 8u - 1);
    huge[DTX_MAX_COMMAND * 8u - 1] = '\0';
    open_exec("huge", 1);
    hand(0, huge);
    hand(1, "true");
    o = next_outcome();
    ck_assert_uint_eq(o.task, 0);
    ck_assert_uint_eq(o.status, DTX_STATUS_FAILED);
    ck_assert_int_eq(o.exit_code, 126);
    o = next_outcome();
    ck_assert_uint_eq(o.task, 1);
    ck_assert_uint_eq(o.status, DTX_STATUS_OK);
    free(huge);
    close_exec();
}
END_TEST

START_TEST(a_running_task_is_killed)
{
    struct dtx_outcome o;

    open_exec("kill", 1);
    hand(0, "echo begun; sleep 77");
    for (int i = 0; i < 20; i++) {
        (void)dtx_exec_pump(x);
        dtx_bell_wait(bell, dtx_bell_seen(bell), 5 * DTX_MSEC_NS);
    }
    ck_assert(!dtx_exec_recall(x, 0, 1));
    dtx_exec_kill(x, 0, 1);
    o = next_outcome();
    ck_assert_uint_eq(o.status, DTX_STATUS_KILLED);
    close_exec();
}
END_TEST

/* Where an output cannot be kept its task has not finished, and no further
 * command is started. */
START_TEST(an_output_without_a_place)
{
    struct dtx_outcome o;

    open_exec("full", 1);
    ck_assert_int_eq(rmdir("full/out"), 0);
    ck_assert(dtx_scratch_write("full/out", "", 0));
    hand(0, "echo lost");
    o = next_outcome();
    ck_assert_uint_eq(o.status, DTX_STATUS_KILLED);
    ck_assert_uint_eq(o.out_len, 0);
    ck_assert_int_ne(dtx_exec_error(x), 0);
    ck_assert_str_ne(dtx_exec_error_text(x), "");
    hand(1, "touch never");
    o = next_outcome();
    ck_assert_uint_eq(o.task, 1);
    ck_assert_uint_eq(o.status, DTX_STATUS_KILLED);
    ck_assert_int_eq(dtx_scratch_size("never"), -1);
    close_exec();
}
END_TEST

/* --results: each attempt's files are in their place before it has ended, also
 * of one that wrote nothing. */
START_TEST(results_are_where_the_work_says)
{
    uint32_t i;

    open_exec("results", 2);
    dtx_exec_pack_all(x);
    hand_for(0, "printf 12345", "results/r/a/", 0);
    hand_for(1, "true", "results/r/b/c", 0);
    hand_for(2, "printf 123", "results/r/s\001-\001", DTX_WORK_RESULTS_SLOT);
    hand_for(3, "printf 12", "results/r/\001", 0);
    for (i = 4; i < 100; i++)
        hand_for(i, "true", "results/r/taken/", 0);
    for (i = 99; i >= 90; i--)
        ck_assert(dtx_exec_recall(x, i, 1));
    for (i = 0; i < 90; i++) {
        struct dtx_outcome o = next_outcome();
        char path[64];

        ck_assert_uint_eq(o.status, DTX_STATUS_OK);
        (void)snprintf(path, sizeof(path), "results/r/s%u-%u", o.slot, o.slot);
        if (o.task == 0)
            ck_assert_int_eq(dtx_scratch_size("results/r/a/stdout"), 5);
        if (o.task == 1)
            ck_assert_int_eq(dtx_scratch_size("results/r/b/c.err"), 0);
        if (o.task == 2)
            ck_assert_int_eq(dtx_scratch_size(path), 3);
        if (o.task == 3)
            ck_assert_int_eq(dtx_scratch_size("results/r/\001"), 2);
    }
    hand_for(100, "sleep 77", "results/r/killed/", 0);
    hand_for(101, "sleep 77", "results/r/never/", 0);
    close_exec();
}
END_TEST

START_TEST(results_without_a_place)
{
    struct dtx_outcome o;

    open_exec("nowhere", 1);
    dtx_exec_pack_all(x);
    hand(0, "true");
    o = next_outcome();
    ck_assert_uint_eq(o.status, DTX_STATUS_KILLED);
    ck_assert_int_eq(dtx_exec_error(x), DTX_ELIMIT);
    close_exec();
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("run/exec");
    TCase *t = tcase_create("attempts");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, outputs_are_in_place_when_attempts_end);
    tcase_add_test(t, each_ends_once_or_is_taken_back);
    tcase_add_test(t, a_command_that_can_never_fit_ends_with_126);
    tcase_add_test(t, a_running_task_is_killed);
    tcase_add_test(t, an_output_without_a_place);
    tcase_add_test(t, results_are_where_the_work_says);
    tcase_add_test(t, results_without_a_place);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    enter_scratch();
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* The progress line and the summary, of a true master that is played through
 * a scripted job: two ranks of two slots, what each attempt came to is in the
 * table of the job. */
#include "run/report.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "engine/master.h"
#include "store/output.h"
#include "store_dir.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"
#include "wire/wire.h"

enum { EPOCH = 1, MAX_WAITING = 64 };

struct granted {
    uint32_t rank, task, attempt;
};

/* What an attempt comes to; by task. */
struct end {
    enum dtx_status status;
    int exit_code, signal;
    int64_t wall_ms;
};

static struct dtx_tasklist list;
static struct dtx_graph graph;
static struct dtx_master_config config;
static struct dtx_master *master;
static struct dtx_actions actions;
static struct dtx_report *report;
static struct dtx_buf text;
static struct granted waiting[MAX_WAITING];
static size_t nwaiting;
static int64_t now_ns;
static struct dtx_output *output;

/* ---- the job ---- */

static void set_up(void)
{
    actions = (struct dtx_actions)DTX_ACTIONS_INIT;
    config = (struct dtx_master_config){
        .epoch = EPOCH, .nranks = 2, .policy = "self", .retries = 1,
        .list = &list, .graph = &graph};
    text = (struct dtx_buf)DTX_BUF_INIT;
    nwaiting = 0;
    now_ns = 0;
    master = NULL;
    report = NULL;
    output = NULL;
}

static void tear_down(void)
{
    dtx_output_close(output);
    dtx_report_destroy(report);
    dtx_master_destroy(master);
    dtx_actions_free(&actions);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&graph);
    dtx_buf_free(&text);
}

static void step(struct dtx_event ev);

static void take_grant(const struct dtx_action *a)
{
    struct dtx_msg msg;
    struct dtx_item_work w;

    ck_assert_int_eq(dtx_msg_decode(dtx_action_bytes(&actions, a), a->len,
                                    &msg),
                     0);
    if (msg.kind != DTX_MSG_GRANT)
        return;
    while (dtx_item_work_next(&msg.items, &w) == 1) {
        ck_assert_uint_lt(nwaiting, MAX_WAITING);
        waiting[nwaiting++] =
            (struct granted){a->u.to, w.task, w.attempt};
    }
}

static void carry_out(void)
{
    uint64_t recorded = 0;

    for (size_t i = 0; i < actions.count; i++) {
        const struct dtx_action *a = &actions.list[i];

        if (a->kind == DTX_ACT_SEND)
            take_grant(a);
        else if (a->kind == DTX_ACT_RECORD)
            recorded = a->u.record.number;
        else if (a->kind == DTX_ACT_SHOW)
            dtx_report_ended(report, &a->u.show.outcome, a->u.show.final);
    }
    if (recorded) {
        struct dtx_event ev = {.kind = DTX_EV_RECORDED};

        ev.u.recorded = recorded;
        step(ev);
    }
}

static void step(struct dtx_event ev)
{
    ev.now_ns = now_ns;
    ck_assert_int_eq(dtx_master_step(master, &ev, &actions), 0);
    carry_out();
}

static void hear(uint32_t from, struct dtx_msg msg, const struct dtx_buf *items)
{
    struct dtx_event ev = {.kind = DTX_EV_FRAME};
    struct dtx_buf b = DTX_BUF_INIT;

    msg.epoch = EPOCH;
    msg.incarnation = 1;
    dtx_msg_encode(&b, &msg);
    if (items)
        dtx_buf_append(&b, items->data, items->len);
    ev.u.frame.from = from;
    ev.u.frame.data = b.data;
    ev.u.frame.len = b.len;
    step(ev);
    dtx_buf_free(&b);
}

static void come(uint32_t rank)
{
    struct dtx_msg msg = {.kind = DTX_MSG_HELLO};

    msg.u.hello.protocol = DTX_PROTOCOL;
    msg.u.hello.slots = 2;
    msg.u.hello.host = dtx_str_of(rank == 0 ? "first" : "second");
    hear(rank, msg, NULL);
}

static void begin(const char *tasks, const char *run_dir, bool bar, bool tty)
{
    struct dtx_error err = {0, ""};
    struct dtx_report_config c;

    ck_assert_msg(dtx_taskfile_parse("list", tasks, strlen(tasks), &list,
                                     &graph, &err) == 0,
                  "%s", err.text);
    master = dtx_master_create(&config, &err);
    ck_assert_msg(master != NULL, "%s", err.text);
    memset(&c, 0, sizeof(c));
    c.master = master;
    c.list = &list;
    c.run_dir = run_dir;
    c.epoch = EPOCH;
    c.nranks = config.nranks;
    c.bar = bar;
    c.tty = tty;
    report = dtx_report_create(&c);
    ck_assert_ptr_nonnull(report);
    step((struct dtx_event){.kind = DTX_EV_START});
    for (uint32_t r = 0; r < config.nranks; r++)
        come(r);
}

/* End the attempt that was granted first, with stderr 'err' if not NULL. */
static void end_next(const struct end *e, const char *err)
{
    struct dtx_msg msg = {.kind = DTX_MSG_DONE};
    struct dtx_item_outcome item;
    struct dtx_outcome o;
    struct dtx_buf b = DTX_BUF_INIT;
    struct granted g = waiting[0];

    memset(&o, 0, sizeof(o));
    ck_assert_uint_gt(nwaiting, 0);
    memmove(waiting, waiting + 1, --nwaiting * sizeof(*waiting));
    o.task = g.task;
    o.attempt = g.attempt;
    o.rank = g.rank;
    o.status = (uint8_t)e[g.task].status;
    o.exit_code = e[g.task].exit_code;
    o.signal = e[g.task].signal;
    o.wall_ns = e[g.task].wall_ms * DTX_MSEC_NS;
    now_ns += o.wall_ns;
    if (err) {
        FILE *f = tmpfile();

        ck_assert(f && fputs(err, f) >= 0 && fflush(f) == 0);
        o.err_len = strlen(err);
        o.rank = 0;
        ck_assert_int_eq(
            dtx_output_pack(output, &o, fileno(f), 0, fileno(f), 0, NULL), 0);
        ck_assert_int_eq(fclose(f), 0);
    }
    dtx_outcome_to_item(&o, &item);
    dtx_item_outcome_encode(&b, &item);
    msg.u.done.received = UINT64_MAX;
    hear(g.rank, msg, &b);
    dtx_buf_free(&b);
}

static void end_all(const struct end *e)
{
    while (nwaiting > 0)
        end_next(e, NULL);
}

static void leave(uint32_t rank)
{
    struct dtx_msg msg = {.kind = DTX_MSG_BYE};

    hear(rank, msg, NULL);
}

static const char *summary(int64_t makespan_ms)
{
    dtx_buf_clear(&text);
    dtx_report_summary(report, makespan_ms * DTX_MSEC_NS, &text);
    ck_assert(!text.failed);
    return text.data;
}

static void says(const char *want)
{
    ck_assert_msg(strstr(text.data, want) != NULL, "no '%s' in:\n%s", want,
                  text.data);
}

static void says_not(const char *want)
{
    ck_assert_msg(strstr(text.data, want) == NULL, "'%s' in:\n%s", want,
                  text.data);
}

#define OK(ms) {DTX_STATUS_OK, 0, 0, ms}

/* ---- the summary ---- */

START_TEST(all_is_well)
{
    static const struct end e[] = {OK(100), OK(100), OK(100), OK(100),
                                   OK(100), OK(100), OK(100), OK(100)};

    begin("a\nb\nc\nd\ne\nf\ng\nh\n", "dir", false, false);
    end_all(e);
    leave(0);
    leave(1);
    (void)summary(250);
    says("tasks      8: 8 succeeded, 0 failed\n");
    /* all slots count, also of ranks that have left by now */
    says("makespan   250.0 ms; lower bound 200.0 ms (all work divided by all "
         "slots), 25.0 % above it\n");
    says("work       800.0 ms in 8 attempts, longest 100.0 ms (task 1)\n");
    says("steals moved 0 tasks\n");
    says("rank 0     first, 2 slots: ");
    says("rank 1     second, 2 slots: ");
    says("80.0 % busy");
    says("run dir    dir\n");
    says_not("LOST");
    says_not("failed     task");
    says_not("\nattempts");
    says_not("left to do");
}
END_TEST

START_TEST(the_longest_task_bounds)
{
    static const struct end e[] = {OK(10), OK(500), OK(10)};

    begin("a\nb\n#DTX cpus=2\nc\n", "dir", false, false);
    end_all(e);
    (void)summary(505);
    says("lower bound 500.0 ms (the longest task), 1.0 % above it");
    says("longest 500.0 ms (task 2)");
}
END_TEST

/* A wide task's seconds count for each of its slots. */
START_TEST(wide_tasks_count_their_slots)
{
    static const struct end e[] = {OK(300), OK(300)};

    begin("#DTX cpus=2\na\n#DTX cpus=2\nb\n", "dir", false, false);
    end_all(e);
    (void)summary(300);
    says("lower bound 300.0 ms (all work divided by all slots), 0.0 % above");
}
END_TEST

START_TEST(failures_and_skips)
{
    static const struct end e[] = {
        {DTX_STATUS_FAILED, 3, 0, 1},   {DTX_STATUS_SIGNALED, 0, 11, 1},
        {DTX_STATUS_TIMEOUT, 0, 15, 2}, {DTX_STATUS_FAILED, 127, 0, 1},
        {DTX_STATUS_FAILED, 126, 0, 1}, OK(1), OK(1)};

    begin("# comment\na\nb\nc\nd \033[2J\302\265\ne\nf\n#DTX after=1\ng\n",
          "dir", false, false);
    end_all(e);
    (void)summary(10);
    says("tasks      7: 1 succeeded, 5 failed, 1 skipped because another "
         "failed\n");
    says("failed     task 1 (line 2): exit 3: a\n");
    says("failed     task 2 (line 3): ended by signal 11 (");
    says("failed     task 3 (line 4): ended by its timeout after 2.0 ms: c\n");
    says("exit 127 (command not found): d ?[2J\302\265\n"); /* fit to show */
    says("exit 126 (could not be executed): e\n");
    says("skipped    task 7 (line 9): task 1 failed, which it waits for\n");
}
END_TEST

START_TEST(only_the_first_failures_are_named)
{
    static struct end e[20];
    char tasks[64] = "";

    for (size_t i = 0; i < 20; i++) {
        e[i] = (struct end){DTX_STATUS_FAILED, 1, 0, 1};
        tasks[2 * i] = 'x';
        tasks[2 * i + 1] = '\n';
    }
    begin(tasks, "dir", false, false);
    end_all(e);
    (void)summary(20);
    says("0 succeeded, 20 failed\n");
    says("           ... and 10 more\n");
}
END_TEST

START_TEST(last_lines_of_stderr)
{
    static const struct end e[] = {{DTX_STATUS_FAILED, 1, 0, 1},
                                   {DTX_STATUS_FAILED, 1, 0, 1}};

    ck_assert_int_eq(mkdir("tail", 0700), 0);
    ck_assert_int_eq(mkdir("tail/out", 0700), 0);
    ck_assert_int_eq(dtx_output_open("tail", EPOCH, 0, &output, NULL), 0);
    begin("a\nb\n", "tail", false, false);
    end_next(e, "one\ntwo\nthree\nfo\x1bur\n");
    end_next(e, "no newline");
    (void)summary(2);
    says("             two\n             three\n             fo?ur\n");
    says_not(" one\n");
    says("             no newline\n");
}
END_TEST

START_TEST(retries_and_losses_are_told)
{
    static const struct end e[] = {{DTX_STATUS_FAILED, 1, 0, 1}, OK(1), OK(1)};
    struct dtx_event ev = {.kind = DTX_EV_RANK_LOST};

    config.retries = 2;
    begin("a\nb\nc\n", "dir", false, false);
    ck_assert_uint_eq(nwaiting, 3);
    ev.u.lost.rank = 1;
    step(ev); /* rank 0 gets what rank 1 had */
    for (size_t i = 0; i < nwaiting; i++) {
        if (waiting[i].rank == 1)
            waiting[i--] = waiting[--nwaiting];
    }
    end_all(e);
    now_ns += 10;
    step((struct dtx_event){.kind = DTX_EV_TIMER});
    end_all(e);
    (void)summary(10);
    says("attempts   1 made again after a failure, ");
    says_not(", 0 after the loss");
    says("rank 1     second, 2 slots: 0 tasks, ");
    says(", LOST\n");
}
END_TEST

START_TEST(earlier_sessions_are_told_apart)
{
    static const struct end e[] = {OK(1), OK(1), OK(1)};
    static const uint8_t prior[] = {DTX_PRIOR_OK, DTX_PRIOR_FAILED,
                                    DTX_PRIOR_NONE};

    config.prior = prior;
    begin("a\nb\nc\n", "dir", false, false);
    end_all(e);
    (void)summary(1);
    says("tasks      3: 2 succeeded, 1 failed\n");
    says("of these 2 ended in earlier sessions\n");
    says("in 1 attempt,");
    says_not("failed     task 2");
    says_not("... and");
}
END_TEST

START_TEST(what_is_left_is_told)
{
    static const struct end e[] = {OK(1), OK(1), OK(1), OK(1), OK(1), OK(1)};
    struct dtx_event ev = {.kind = DTX_EV_STOP};

    begin("a\nb\nc\nd\ne\nf\n", "dir", false, false);
    ev.u.stop = DTX_STOP_DRAIN;
    step(ev);
    end_all(e);
    (void)summary(5);
    says("4 succeeded, 0 failed, 2 left to do\n");
}
END_TEST

START_TEST(a_job_without_tasks)
{
    begin("", "dir", false, false);
    (void)summary(0);
    says("tasks      0: 0 succeeded, 0 failed\n");
    says_not("makespan");
    says_not("nan");
}
END_TEST

/* ---- the progress line ---- */

static int columns = 120;

static const char *line(int64_t at_ms)
{
    dtx_buf_clear(&text);
    dtx_report_line(report, at_ms * DTX_MSEC_NS, columns, &text);
    return text.len > 0 ? text.data : "";
}

START_TEST(the_line_on_a_terminal)
{
    static const struct end e[] = {OK(500), {DTX_STATUS_FAILED, 1, 0, 500},
                                   OK(500), OK(500)};

    begin("a\nb\nc\nd\n", "dir", true, true);
    ck_assert_str_eq(line(1000), "");
    ck_assert_str_eq(line(1200), "");
    end_next(e, NULL);
    end_next(e, NULL);
    (void)line(1600);
    says("\r\033[K");
    says("2 of 4 done (50 %)");
    says("1 failed");
    says(" left");
    ck_assert_ptr_null(strchr(text.data, '\n'));
    ck_assert_str_eq(line(1700), "");
    dtx_buf_clear(&text);
    dtx_report_wipe(report, &text);
    ck_assert_str_eq(text.data, "\r\033[K");
    dtx_buf_clear(&text);
    dtx_report_wipe(report, &text);
    ck_assert_uint_eq(text.len, 0);
}
END_TEST

/* The last column stays free: some terminals wrap there. */
START_TEST(the_line_is_cut_to_the_terminal)
{
    static const int widths[] = {200, 60, 40, 10, 1, 0};
    static const struct end e[] = {OK(500), OK(500)};
    size_t i;

    begin("a\nb\nc\nd\n", "dir", true, true);
    (void)line(1000);
    end_next(e, NULL);
    for (i = 0; i < DTX_COUNT(widths); i++) {
        const char *s;
        size_t head = strlen("\r\033[K");

        columns = widths[i];
        s = line(2000 + (int64_t)i * 1000);
        ck_assert_int_eq(strncmp(s, "\r\033[K", head), 0);
        ck_assert_uint_le(strlen(s + head),
                          columns > 0 ? (size_t)columns - 1 : 0);
        ck_assert_int_eq(strncmp(s + head, "distributex: 1 of 4", 19) == 0,
                         columns == 200);
        if (columns == 40)
            says("1 of 4 done (25 %), ");
    }
}
END_TEST

START_TEST(the_line_in_a_log)
{
    begin("a\n", "dir", true, false);
    ck_assert_str_eq(line(1000), "");
    ck_assert_str_eq(line(10500), "");
    (void)line(11500);
    says("0 of 1 done (0 %)");
    says("\n");
    ck_assert_ptr_null(strchr(text.data, '\r'));
    dtx_buf_clear(&text);
    dtx_report_wipe(report, &text);
    ck_assert_uint_eq(text.len, 0);
}
END_TEST

START_TEST(no_line_when_not_wanted)
{
    begin("a\n", "dir", false, true);
    (void)line(1000);
    ck_assert_str_eq(line(90000), "");
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("run/report");
    TCase *t = tcase_create("summary");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, all_is_well);
    tcase_add_test(t, the_longest_task_bounds);
    tcase_add_test(t, wide_tasks_count_their_slots);
    tcase_add_test(t, failures_and_skips);
    tcase_add_test(t, only_the_first_failures_are_named);
    tcase_add_test(t, last_lines_of_stderr);
    tcase_add_test(t, retries_and_losses_are_told);
    tcase_add_test(t, earlier_sessions_are_told_apart);
    tcase_add_test(t, what_is_left_is_told);
    tcase_add_test(t, a_job_without_tasks);
    suite_add_tcase(s, t);
    t = tcase_create("line");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, the_line_on_a_terminal);
    tcase_add_test(t, the_line_is_cut_to_the_terminal);
    tcase_add_test(t, the_line_in_a_log);
    tcase_add_test(t, no_line_when_not_wanted);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    dtx_scratch_enter();
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* tests/unit/test_cli_output.c - "distributex output" and "distributex stop"
 *
 * A run directory is made with the functions that a job uses; then the
 * commands are called as main would, their stdout and stderr going to files.
 * Links cmd.c, cmd_output.c and cmd_stop.c; the other commands are stood in
 * for here.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/cmd.h"
#include "store/journal.h"
#include "store/output.h"
#include "store/rundir.h"
#include "task/graph.h"
#include "task/outcome.h"
#include "task/task.h"
#include "task/taskfile.h"
#include "wire/replay.h"
#include "wire/wire.h"
#include "check_main.h"
#include "store_dir.h"

int dtx_cmd_run(int argc, char **argv)
{
    return argc + (argv != NULL);
}

int dtx_cmd_help(int argc, char **argv)
{
    return argc + (argv != NULL);
}

int dtx_cmd_version(int argc, char **argv)
{
    return argc + (argv != NULL);
}

/* ---- making a job ---- */

static struct dtx_journal *journal;
static struct dtx_output *output;
static struct dtx_output_index *output_index;
static char last_at[32]; /* of the last record */

static int append(void *ctx, const void *payload, size_t len)
{
    struct dtx_buf framed = DTX_BUF_INIT;
    struct dtx_error err;
    uint64_t *at = ctx;
    int rc;

    dtx_journal_frame(&framed, payload, len);
    rc = dtx_journal_append(journal, framed.data, framed.len, at, &err);
    dtx_buf_free(&framed);
    return rc;
}

static void write_list(const char *text)
{
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_error err;

    ck_assert_int_eq(dtx_taskfile_parse("t", text, strlen(text), &list, &graph,
                                        &err), 0);
    ck_assert_int_eq(dtx_list_encode(&list, &graph, "t", "/", append, NULL), 0);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&graph);
}

/* A file with these bytes. */
static int capture(const char *text)
{
    FILE *f = tmpfile();
    int fd;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fflush(f), 0);
    fd = dup(fileno(f));
    ck_assert_int_eq(fclose(f), 0);
    return fd;
}

/* Task number 'task' (from 0) has ended, having written this. */
static uint64_t write_outcome(uint32_t task, uint32_t attempt, const char *out,
                              const char *err)
{
    struct dtx_outcome o = {.task = task, .attempt = attempt, .slot = 1,
                            .status = DTX_STATUS_OK,
                            .out_len = strlen(out), .err_len = strlen(err)};
    struct dtx_rec rec = {.kind = DTX_REC_OUTCOME};
    struct dtx_item_outcome item;
    struct dtx_buf b = DTX_BUF_INIT;
    int out_fd = capture(out), err_fd = capture(err);
    uint64_t at = 0;

    ck_assert_int_eq(dtx_output_pack(output, &o, out_fd, 0, err_fd, 0, NULL),
                     0);
    (void)close(out_fd);
    (void)close(err_fd);
    rec.u.outcome.epoch = 1;
    rec.u.outcome.final = 1;
    dtx_rec_encode(&b, &rec);
    dtx_outcome_to_item(&o, &item);
    dtx_item_outcome_encode(&b, &item);
    ck_assert_int_eq(append(&at, b.data, b.len), 0);
    dtx_buf_free(&b);
    return at;
}

static void write_session(void)
{
    struct dtx_rec rec = {.kind = DTX_REC_SESSION};
    struct dtx_buf b = DTX_BUF_INIT;

    rec.u.session.records = DTX_RECORDS;
    rec.u.session.epoch = 1;
    rec.u.session.ranks = 1;
    dtx_rec_encode(&b, &rec);
    ck_assert_int_eq(append(NULL, b.data, b.len), 0);
    dtx_buf_free(&b);
}

static void open_job(void)
{
    struct dtx_buf path = DTX_BUF_INIT;
    enum dtx_rundir_found found;

    dtx_scratch_enter();
    ck_assert_int_eq(dtx_rundir_make("job", &path, &found, NULL), 0);
    ck_assert_int_eq(found, DTX_RUNDIR_MADE);
    ck_assert_int_eq(dtx_rundir_link_latest(path.data, NULL), 0);
    dtx_buf_free(&path);
    (void)mkdir("job/out", 0700);
    ck_assert_int_eq(dtx_journal_create("job/journal", &journal, NULL), 0);
    ck_assert_int_eq(dtx_output_open("job", 1, 0, &output, NULL), 0);
    ck_assert_int_eq(dtx_output_index_open("job", &output_index, NULL), 0);
    write_session();
}

static void close_job(void)
{
    dtx_output_index_close(output_index);
    dtx_output_close(output);
    dtx_journal_close(journal);
}

/* Task 1 wrote to both, task 2 twice, task 3 has not ended, task 4 was
 * silent. */
static void make_job(bool indexed)
{
    uint64_t at[3];

    open_job();
    write_list("one\ntwo\nthree\nfour\n");
    at[0] = write_outcome(0, 1, "out 1\n", "err 1\n");
    (void)write_outcome(1, 1, "first try\n", "");
    at[1] = write_outcome(1, 2, "second try\n", "");
    at[2] = write_outcome(3, 1, "", "");
    if (indexed) {
        ck_assert_int_eq(dtx_output_index_set(output_index, 0, at[0]), 0);
        ck_assert_int_eq(dtx_output_index_set(output_index, 1, at[1]), 0);
        ck_assert_int_eq(dtx_output_index_set(output_index, 3, at[2]), 0);
    }
    (void)snprintf(last_at, sizeof(last_at), "%llu",
                   (unsigned long long)at[2]);
    close_job();
}

/* ---- calling a command ---- */

struct said {
    int status;
    char out[4096], err[4096];
};

static void read_back(const char *path, char *to, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(to, 1, size - 1, f);
    to[n] = '\0';
    (void)fclose(f);
}

static void direct(int fd, const char *path)
{
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(to, 0);
    ck_assert_int_eq(dup2(to, fd), fd);
    (void)close(to);
}

/* The words of 'line', by blanks, behind the program's name. */
static void call(const char *line, struct said *said)
{
    char copy[256], *argv[10] = {copy, NULL}, *save = NULL, *w;
    char name[] = "distributex";
    int argc = 1, keep[2] = {dup(1), dup(2)};
    const struct dtx_cmd *c;

    (void)snprintf(copy, sizeof(copy), "%s", line);
    argv[0] = name;
    for (w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    c = dtx_cmd_find(argv[1]);
    ck_assert_ptr_nonnull(c);
    direct(1, "said.out");
    direct(2, "said.err");
    said->status = c->run(argc, argv);
    (void)fflush(stderr);
    (void)dup2(keep[0], 1);
    (void)dup2(keep[1], 2);
    (void)close(keep[0]);
    (void)close(keep[1]);
    read_back("said.out", said->out, sizeof(said->out));
    read_back("said.err", said->err, sizeof(said->err));
}

struct row {
    const char *line;
    int status;
    const char *out, *err; /* '@' at the end of err: it goes on */
};

#define FORM                                                                   \
    "\nthe form: distributex output [--stdout | --stderr] [--state STATE] "     \
    "[--follow] [RUNDIR] TASK...\n"
#define NO_TASK                                                                \
    "is not a task: a number from 1, a range such as 3-5, or a name" FORM

static const struct row rows[] = {
    {"output job 1", 0, "out 1\n", "err 1\n"},
    {"output 1", 0, "out 1\n", "err 1\n"},
    {"output latest 1", 0, "out 1\n", "err 1\n"},
    {"output -- ./job 1", 0, "out 1\n", "err 1\n"},
    {"output --stdout job 1", 0, "out 1\n", ""},
    {"output job 1 --stderr", 0, "", "err 1\n"},
    {"output --stdout --stderr job 1", 0, "out 1\n", "err 1\n"},
    {"output job 2", 0, "second try\n", ""},
    {"output job 4", 0, "", ""},
    {"output job 3", 1, "",
     "distributex: task 3 has no recorded outcome: it has not ended, or was "
     "skipped since one it waits for failed\n"},
    {"output job 99", 1, "",
     "distributex: there is no task 99: the job has 4\n"},
    {"output nothing 1", 104, "",
     "distributex: cannot open the run directory @"},
    {"output out 1", 104, "", "distributex: cannot open the run directory @"},
    {"output", 102, "", "distributex: output: no task" FORM},
    {"output job", 102, "",
     "distributex: output: no task" FORM},
    {"output job 0", 102, "",
     "distributex: output: '0' " NO_TASK},
    {"output job 2-1", 102, "", "distributex: output: '2-1' " NO_TASK},
    {"output job 1,,2", 102, "", "distributex: output: '1,,2' " NO_TASK},
    {"output a job 1", 104, "", "distributex: cannot open the run directory @"},
    {"output 1-2", 0, "out 1\nsecond try\n", "err 1\n"},
    {"output --stdout 2,1", 0, "out 1\nsecond try\n", ""},
    {"output job 1 2 4", 0, "out 1\nsecond try\n", "err 1\n"},
    {"output job 2-", 1, "second try\n",
     "distributex: task 3 has no recorded outcome@"},
    {"output job 5-7", 1, "", "distributex: there is no task 5@"},
    {"output job prep", 1, "", "distributex: no task has the name 'prep'\n"},
    {"output --state ok", 0, "out 1\nsecond try\n", "err 1\n"},
    {"output --state=ok job 2-4", 0, "second try\n", ""},
    {"output --state failed job", 0, "", ""},
    {"output --state good job", 102, "",
     "distributex: output: --state takes all, ok, failed, killed or timeout, "
     "not 'good'\n"},
    {"output job 1 --state", 102, "", "distributex: output: --state takes@"},
    {"output --follow job", 1, "out 1\nfirst try\nsecond try\n", "err 1\ndistributex: @"},
    {"output --both job 1", 102, "",
     "distributex: output: unknown option --both; see 'distributex output "
     "--help'\n"},
    {"stop", 104, "", "distributex: no job runs in @"},
    {"stop latest", 104, "", "distributex: no job runs in @"},
    {"stop nothing", 104, "", "distributex: cannot open the run directory @"},
    {"stop a b", 102, "", "distributex: stop: at most one run directory@"},
    {"stop -x", 102, "", "distributex: stop: unknown option -x@"},
};

static void assert_said(const struct row *r, const struct said *s)
{
    size_t n = strlen(r->err);
    bool goes_on = n > 0 && r->err[n - 1] == '@';

    ck_assert_msg(s->status == r->status && strcmp(s->out, r->out) == 0,
                  "%s: status %d, \"%s\", \"%s\"", r->line, s->status, s->out,
                  s->err);
    ck_assert_msg(goes_on ? strncmp(s->err, r->err, n - 1) == 0
                          : strcmp(s->err, r->err) == 0,
                  "%s: \"%s\"; expected \"%s\"", r->line, s->err, r->err);
}

START_TEST(with_index)
{
    struct said s;

    make_job(true);
    call(rows[_i].line, &s);
    assert_said(&rows[_i], &s);
}
END_TEST

START_TEST(without_index)
{
    struct said s;

    make_job(false);
    ck_assert_int_eq(remove("job/out/index"), 0);
    call(rows[_i].line, &s);
    assert_said(&rows[_i], &s);
}
END_TEST

/* An index that leads elsewhere is not believed. */
START_TEST(wrong_index)
{
    static const struct row r = {"output job 2", 0, "second try\n", ""};
    static const char *const other[] = {"another task's", "no record"};
    struct dtx_output_index *x;
    struct said s;
    uint64_t at;

    make_job(true);
    at = strtoull(last_at, NULL, 10);
    ck_assert_int_eq(dtx_output_index_open("job", &x, NULL), 0);
    ck_assert_int_eq(dtx_output_index_set(x, 1, _i == 0 ? at : at + 3), 0);
    dtx_output_index_close(x);
    call(r.line, &s);
    ck_assert_msg(s.status == 0, "%s: %s", other[_i], s.err);
    assert_said(&r, &s);
}
END_TEST

/* After a resume with another list a task goes by its new number. */
START_TEST(moved_task)
{
    static const struct row moved[] = {
        {"output job 2", 0, "of a\n", ""},
        {"output job 1", 1, "",
         "distributex: task 1 has no recorded outcome: it has not ended, or "
         "was skipped since one it waits for failed\n"},
    };
    struct said s;
    int i;

    open_job();
    write_list("a\nb\n");
    (void)write_outcome(0, 1, "of a\n", "");
    write_list("c\na\n");
    close_job();
    for (i = 0; i < DTX_COUNT(moved); i++) {
        call(moved[i].line, &s);
        assert_said(&moved[i], &s);
    }
}
END_TEST

/* Damaged and missing bytes are told, with the file's name. */
START_TEST(damaged_output)
{
    struct said s;
    FILE *f;

    make_job(true);
    if (_i == 0) {
        f = fopen("job/out/e1-r0", "r+");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(fputc('O', f), 'O');
        ck_assert_int_eq(fclose(f), 0);
    } else if (_i == 1) {
        ck_assert_int_eq(truncate("job/out/e1-r0", 3), 0);
    } else {
        ck_assert_int_eq(remove("job/out/e1-r0"), 0);
    }
    call(_i == 0 ? "output job 1 --stdout" : "output job 1", &s);
    ck_assert_int_eq(s.status, 1);
    ck_assert_msg(strstr(s.err, "out/e1-r0") != NULL, "%s", s.err);
}
END_TEST

/* stdout has no reader: what goes to stderr is still said, and no fuss. */
START_TEST(closed_stdout)
{
    char name[] = "distributex", verb[] = "output", dir[] = "job", task[] = "1";
    char *argv[] = {name, verb, dir, task, NULL};
    char text[64];
    int ends[2], keep[2] = {dup(1), dup(2)}, status;

    make_job(true);
    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    (void)dup2(ends[1], 1);
    direct(2, "said.err");
    status = dtx_cmd_output(4, argv);
    (void)dup2(keep[0], 1);
    (void)dup2(keep[1], 2);
    read_back("said.err", text, sizeof(text));
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(text, "err 1\n");
}
END_TEST

START_TEST(full_disk)
{
    char name[] = "distributex", verb[] = "output", dir[] = "job", task[] = "1";
    char *argv[] = {name, verb, dir, task, NULL};
    char text[128];
    int keep[2] = {dup(1), dup(2)}, status;

    make_job(true);
    direct(1, "/dev/full");
    direct(2, "said.err");
    status = dtx_cmd_output(4, argv);
    (void)fflush(stderr);
    (void)dup2(keep[0], 1);
    (void)dup2(keep[1], 2);
    read_back("said.err", text, sizeof(text));
    ck_assert_int_eq(status, 1);
    ck_assert_str_eq(text, "distributex: cannot write to standard output: No "
                           "space left on device\n");
}
END_TEST

START_TEST(running_job_is_asked)
{
    struct dtx_rundir *d;
    struct said s;
    uint32_t epoch = 0;

    make_job(true);
    ck_assert_int_eq(dtx_rundir_take("job", 0, NULL, NULL, &d, &epoch, NULL),
                     0);
    call("stop job", &s);
    ck_assert_int_eq(s.status, 0);
    ck_assert_ptr_nonnull(strstr(s.out, "asked the job in /"));
    ck_assert_ptr_nonnull(strstr(s.out, "/job to drain\n"));
    ck_assert(access("job/stop", F_OK) == 0);
    dtx_rundir_release(d);
}
END_TEST

START_TEST(nothing_here)
{
    struct said s;

    dtx_scratch_enter();
    call(_i == 0 ? "output 1" : "stop", &s);
    ck_assert_int_eq(s.status, 104);
    ck_assert_msg(strncmp(s.err, "distributex: ", 13) == 0, "%s", s.err);
}
END_TEST

START_TEST(help_is_printed)
{
    struct said s;

    dtx_scratch_enter();
    call(_i == 0 ? "output -h" : "stop --help", &s);
    ck_assert_int_eq(s.status, 0);
    ck_assert(strncmp(s.out, "usage: distributex ", 19) == 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli/output");
    TCase *t = tcase_create("commands");

    tcase_add_loop_test(t, with_index, 0, DTX_COUNT(rows));
    tcase_add_loop_test(t, without_index, 0, DTX_COUNT(rows));
    tcase_add_loop_test(t, wrong_index, 0, 2);
    tcase_add_test(t, moved_task);
    tcase_add_loop_test(t, damaged_output, 0, 3);
    tcase_add_test(t, closed_stdout);
    tcase_add_test(t, full_disk);
    tcase_add_test(t, running_job_is_asked);
    tcase_add_loop_test(t, nothing_here, 0, 2);
    tcase_add_loop_test(t, help_is_printed, 0, 2);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* The showing thread with stdout and stderr turned into files and pipes:
 * near outputs from out/, far ones fed by hand, readers that are slow or gone,
 * and the joblog's lines. */
#include "run/show.h"

#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"
#include "run/lines.h"
#include "store/output.h"
#include "store_dir.h"

#define EPOCH 3
#define PATIENCE_TURNS 10000 /* of a millisecond */

static atomic_uint notified;
static int kept[2]; /* what 1 and 2 were */

static void nap(void)
{
    const struct timespec ms = {0, 1000000};

    (void)nanosleep(&ms, NULL);
}

/* ---- stdout and stderr ---- */

static void turn(int to_out, int to_err)
{
    kept[0] = dup(STDOUT_FILENO);
    kept[1] = dup(STDERR_FILENO);
    ck_assert_int_ge(kept[1], 0);
    ck_assert_int_ge(dup2(to_out, STDOUT_FILENO), 0);
    ck_assert_int_ge(dup2(to_err, STDERR_FILENO), 0);
    ck_assert_int_eq(close(to_out), 0);
    if (to_err != to_out)
        ck_assert_int_eq(close(to_err), 0);
}

static void turn_to_files(const char *out, const char *err)
{
    int o = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int e = open(err, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert(o >= 0 && e >= 0);
    turn(o, e);
}

static void turn_back(void)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_ge(dup2(kept[i], STDOUT_FILENO + i), 0);
        ck_assert_int_eq(close(kept[i]), 0);
    }
}

/* The content of a file; freed by the caller. */
static char *content(const char *path, size_t *len)
{
    long long size = dtx_scratch_size(path);
    char *p = calloc(1, (size_t)(size < 0 ? 0 : size) + 1);
    FILE *f = fopen(path, "rb");

    ck_assert(p && f);
    *len = fread(p, 1, (size_t)size, f);
    ck_assert_int_eq(fclose(f), 0);
    return p;
}

static void holds(const char *path, const char *want)
{
    size_t len;
    char *p = content(path, &len);

    ck_assert_str_eq(p, want);
    free(p);
}

/* ---- outputs ---- */

static int file_of(const char *bytes, size_t len)
{
    FILE *f = tmpfile();
    int fd;

    ck_assert(f && fwrite(bytes, 1, len, f) == len && fflush(f) == 0);
    fd = dup(fileno(f));
    ck_assert_int_eq(fclose(f), 0);
    return fd;
}

/* An attempt of 'task' with this output, packed in 'dir' by rank 0. */
static struct dtx_outcome packed(struct dtx_output *to, uint32_t task,
                                 const char *out, const char *err)
{
    struct dtx_outcome o;
    int fd[2] = {file_of(out, strlen(out)), file_of(err, strlen(err))};

    memset(&o, 0, sizeof(o));
    o.task = task;
    o.attempt = 1;
    o.status = DTX_STATUS_OK;
    o.out_len = strlen(out);
    o.err_len = strlen(err);
    ck_assert_int_eq(dtx_output_pack(to, &o, fd[0], 0, fd[1], 0, NULL), 0);
    (void)close(fd[0]);
    (void)close(fd[1]);
    return o;
}

static struct dtx_outcome far_one(uint32_t rank, uint32_t task, uint64_t off,
                                  uint64_t out_len, uint64_t err_len)
{
    struct dtx_outcome o;

    memset(&o, 0, sizeof(o));
    o.rank = rank;
    o.task = task;
    o.status = DTX_STATUS_OK;
    o.out_off = off;
    o.out_len = out_len;
    o.err_len = err_len;
    return o;
}

static struct dtx_output *open_output(const char *dir)
{
    struct dtx_output *out = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/out", dir);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(dtx_output_open(dir, EPOCH, 0, &out, NULL), 0);
    return out;
}

/* ---- the thread ---- */

static const char *host_of(void *ctx, uint32_t rank)
{
    (void)ctx;
    return rank == 0 ? "near" : "far";
}

static bool is_near(void *ctx, uint32_t rank)
{
    (void)ctx;
    return rank == 0;
}

static void notify(void *ctx)
{
    (void)ctx;
    (void)atomic_fetch_add(&notified, 1);
}

static struct dtx_tasklist list;

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(dtx_tasklist_init(&list), 0);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(dtx_tasklist_add(&list, "some work", 9, 0, 0,
                                          DTX_NO_TEXT),
                         0);
    atomic_store(&notified, 0);
}

static void teardown(void)
{
    dtx_tasklist_fini(&list);
}

static struct dtx_show *start(const char *dir, bool output, const char *joblog,
                              bool append)
{
    struct dtx_show_config c;
    struct dtx_show *s = NULL;
    struct dtx_error err = {0, ""};

    memset(&c, 0, sizeof(c));
    c.run_dir = dir;
    c.epoch = EPOCH;
    c.list = &list;
    c.output = output;
    c.joblog = joblog;
    c.append = append;
    c.host = host_of;
    c.is_near = is_near;
    c.notify = notify;
    ck_assert_msg(dtx_show_start(&c, &s, &err) == 0, "%s", err.text);
    return s;
}

static void push(struct dtx_show *s, const struct dtx_outcome *o, bool final)
{
    ck_assert_int_eq(dtx_show_push(s, o, final), 0);
}

static void await_idle(struct dtx_show *s)
{
    int i;

    for (i = 0; i < PATIENCE_TURNS && !dtx_show_idle(s); i++)
        nap();
    ck_assert_int_lt(i, PATIENCE_TURNS);
}

/* ---- in order, and tagged ---- */

static bool settled[16];

static bool is_settled(void *ctx, uint32_t task)
{
    (void)ctx;
    return task < sizeof(settled) && settled[task];
}

static void tag_of(void *ctx, uint32_t task, struct dtx_buf *b)
{
    (void)ctx;
    dtx_buf_printf(b, "t%u:", task);
}

static struct dtx_show *start_ordered(const char *dir, bool tagged)
{
    struct dtx_show_config c;
    struct dtx_show *s = NULL;

    memset(&c, 0, sizeof(c));
    memset(settled, 0, sizeof(settled));
    c.run_dir = dir;
    c.epoch = EPOCH;
    c.passing = 1;
    c.list = &list;
    c.output = true;
    c.keep_order = true;
    c.is_settled = is_settled;
    c.tag_of = tagged ? tag_of : NULL;
    c.host = host_of;
    c.is_near = is_near;
    c.notify = notify;
    ck_assert_int_eq(dtx_show_start(&c, &s, NULL), 0);
    return s;
}

START_TEST(ordered_outputs_wait_for_their_turn)
{
    struct dtx_output *out = open_output("ordered");
    struct dtx_outcome o[4] = {
        packed(out, 3, "three\n", ""), packed(out, 0, "zero again\n", ""),
        packed(out, 0, "zero\n", "e\n"), packed(out, 5, "five\n", "")};
    struct dtx_show *s;

    dtx_output_close(out);
    turn_to_files("out", "err");
    s = start_ordered("ordered", true);
    push(s, &o[0], true);
    push(s, &o[3], true);
    settled[3] = settled[5] = settled[1] = true;
    dtx_show_settle(s);
    ck_assert(dtx_show_idle(s)); /* nothing's turn has come */
    push(s, &o[1], false);
    push(s, &o[2], true);
    settled[0] = true;
    dtx_show_settle(s);
    await_idle(s);
    holds("out", "t0:zero\n");
    settled[2] = true;
    dtx_show_settle(s);
    await_idle(s);
    holds("out", "t0:zero\nt3:three\n");
    dtx_show_end(s);
    await_idle(s);
    dtx_show_stop(s);
    turn_back();
    holds("out", "t0:zero\nt3:three\nt5:five\n");
    holds("err", "t0:e\n");
}
END_TEST

/* Three segments; the second output of the first one comes last in order, and
 * that of the second one is not shown. */
START_TEST(segments_go_when_shown)
{
    static char text[DTX_OUTPUT_SEGMENT];
    struct dtx_output *first = open_output("passing"), *out = NULL;
    struct dtx_outcome o[4];
    struct dtx_show *s;

    dtx_output_close(first);
    ck_assert_int_eq(dtx_output_open_passing("passing", EPOCH, 0, &out, NULL),
                     0);
    memset(text, '\n', sizeof(text) - 1);
    o[0] = packed(out, 0, "zero\n", "");
    o[1] = packed(out, 3, text, "");
    o[2] = packed(out, 1, text, "\n\n");
    o[3] = packed(out, 2, "two\n", "");
    dtx_output_close(out);
    ck_assert_uint_eq(dtx_output_segment(o[3].out_off), 2);
    turn_to_files("out", "err");
    s = start_ordered("passing", false);
    for (int i = 0; i < 4; i++)
        push(s, &o[i], i != 2); /* one of them is not to be shown */
    settled[0] = settled[1] = settled[2] = true;
    dtx_show_settle(s);
    await_idle(s);
    for (int i = 0; i < PATIENCE_TURNS &&
                    dtx_scratch_size("passing/out/e3-r0.p1") >= 0; i++)
        nap();
    ck_assert_int_eq(dtx_scratch_size("passing/out/e3-r0.p1"), -1);
    ck_assert_int_gt(dtx_scratch_size("passing/out/e3-r0.p0"), 0);
    holds("out", "zero\ntwo\n");
    dtx_show_end(s);
    await_idle(s);
    for (int i = 0; i < PATIENCE_TURNS &&
                    dtx_scratch_size("passing/out/e3-r0.p0") >= 0; i++)
        nap();
    dtx_show_stop(s);
    turn_back();
    ck_assert_int_eq(dtx_scratch_size("passing/out/e3-r0.p0"), -1);
    ck_assert_int_gt(dtx_scratch_size("passing/out/e3-r0.p2"), 0);
    ck_assert_int_eq(dtx_scratch_size("out"), 9 + (long long)sizeof(text) - 1);
}
END_TEST

/* ---- lines of tasks that run ---- */

static struct dtx_show *start_lines(const char *dir, bool tagged)
{
    struct dtx_show_config c;
    struct dtx_show *s = NULL;

    memset(&c, 0, sizeof(c));
    c.run_dir = dir;
    c.epoch = EPOCH;
    c.list = &list;
    c.output = true;
    c.lines = true;
    c.tag_of = tagged ? tag_of : NULL;
    c.host = host_of;
    c.is_near = is_near;
    c.notify = notify;
    ck_assert_int_eq(dtx_show_start(&c, &s, NULL), 0);
    return s;
}

static bool show_it(struct dtx_show *s, uint32_t rank, uint32_t task,
                    int stream, uint64_t off, const char *text)
{
    struct dtx_lines_piece p = {task, 1, stream, off, text, strlen(text)};

    return dtx_show_lines(s, rank, &p);
}

/* Tags are made as the loop does it. */
static void await_shown(struct dtx_show *s)
{
    int i;

    for (i = 0; i < PATIENCE_TURNS && !dtx_show_idle(s); i++) {
        dtx_show_tend(s);
        nap();
    }
    ck_assert_int_lt(i, PATIENCE_TURNS);
}

START_TEST(lines_then_the_rest)
{
    const char *dir = _i ? "tagged" : "untagged";
    struct dtx_output *out = open_output(dir);
    struct dtx_outcome o[2] = {packed(out, 1, "a\nb\nc", "e\nf\n"),
                               packed(out, 2, "x\n", "y\n")};
    struct dtx_show *s;
    uint64_t bytes, sum = 0;
    uint32_t rank;

    turn_to_files("lines.out", "lines.err");
    s = start_lines(dir, _i == 1);
    ck_assert(show_it(s, 0, 1, 0, 0, "a\n"));
    ck_assert(show_it(s, 0, 2, 0, 0, "x\n"));
    ck_assert(show_it(s, 0, 1, 1, 0, "e\n"));
    ck_assert(show_it(s, 0, 1, 0, 2, "b\n"));
    ck_assert(!show_it(s, 0, 1, 0, 2, "b\n")); /* twice */
    ck_assert(!show_it(s, 0, 1, 0, 6, "d\n")); /* a gap */
    push(s, &o[0], true);
    push(s, &o[1], true);
    await_shown(s);
    while (dtx_show_spent(s, &rank, &bytes))
        sum += bytes;
    dtx_show_stop(s);
    turn_back();
    ck_assert_uint_eq(sum, 8);
    holds("lines.out", _i ? "t1:a\nt2:x\nt1:b\nt1:c" : "a\nx\nb\nc");
    holds("lines.err", _i ? "t1:e\nt1:f\nt2:y\n" : "e\nf\ny\n");
    dtx_output_close(out);
}
END_TEST

/* A long line came in parts, and its file was emptied in another task: there
 * all is shown. An attempt that failed does not count for the next. */
START_TEST(lines_in_parts_and_in_vain)
{
    struct dtx_output *out = open_output("parts");
    struct dtx_outcome o[3] = {packed(out, 1, "abcd\nz\n", ""),
                               packed(out, 2, "new\n", ""),
                               packed(out, 3, "again\n", "")};
    struct dtx_lines_piece emptied = {2, 1, 0, 0, NULL, 0};
    struct dtx_show *s;

    turn_to_files("parts.out", "parts.err");
    s = start_lines("parts", true);
    ck_assert(show_it(s, 0, 1, 0, 0, "ab"));
    ck_assert(show_it(s, 0, 1, 0, 2, "c"));
    push(s, &o[0], true);
    ck_assert(show_it(s, 0, 2, 0, 0, "old\n"));
    ck_assert(!dtx_show_lines(s, 0, &emptied));
    push(s, &o[1], true);
    ck_assert(show_it(s, 0, 3, 0, 0, "again\n"));
    o[2].attempt = 2;
    push(s, &o[2], true);
    await_shown(s);
    dtx_show_stop(s);
    turn_back();
    holds("parts.out", "t1:abcd\nt1:z\nt2:old\nt2:new\nt3:again\nt3:again\n");
    dtx_output_close(out);
}
END_TEST

/* Of a far output only the rest is asked for. */
START_TEST(lines_of_far_tasks)
{
    struct dtx_outcome o[2] = {far_one(1, 1, 100, 6, 4),
                               far_one(1, 2, 200, 2, 4)};
    struct dtx_show *s;
    struct dtx_show_want w;

    turn_to_files("farlines.out", "farlines.err");
    s = start_lines(".", false);
    o[0].attempt = o[1].attempt = 1;
    ck_assert(show_it(s, 1, 1, 0, 0, "a\n"));
    ck_assert(show_it(s, 1, 1, 1, 0, "e\n"));
    ck_assert(show_it(s, 1, 2, 0, 0, "x\n"));
    ck_assert(show_it(s, 1, 2, 1, 0, "y\n"));
    push(s, &o[0], true);
    push(s, &o[1], true);
    ck_assert(dtx_show_want(s, &w));
    ck_assert_uint_eq(w.off, 102);
    ck_assert_uint_eq(w.len, 8);
    dtx_show_feed(s, 1, 102, "b\nc\ne\nf\n", 8);
    ck_assert(dtx_show_want(s, &w));
    ck_assert_uint_eq(w.off, 204);
    ck_assert_uint_eq(w.len, 2);
    dtx_show_feed(s, 1, 204, "z\n", 2);
    ck_assert(!dtx_show_want(s, &w));
    await_shown(s);
    dtx_show_stop(s);
    turn_back();
    holds("farlines.out", "a\nx\nb\nc\n");
    holds("farlines.err", "e\ny\nf\nz\n");
}
END_TEST

/* What is all shown asks for nothing, and what nobody wants needs no room. */
START_TEST(lines_and_nothing_left)
{
    struct dtx_outcome o = far_one(1, 1, 100, 2, 0);
    struct dtx_show *s = start_lines(".", false);
    struct dtx_show_want w;

    turn_to_files("all.out", "all.err");
    o.attempt = 1;
    ck_assert(show_it(s, 1, 1, 0, 0, "a\n"));
    push(s, &o, true);
    ck_assert(!dtx_show_want(s, &w));
    await_shown(s);
    dtx_show_stop(s);
    turn_back();
    holds("all.out", "a\n");
}
END_TEST

START_TEST(what_waits_is_freed)
{
    struct dtx_output *out = open_output("waits");
    struct dtx_outcome o = packed(out, 1, "one\n", "");
    struct dtx_show *s = start_ordered("waits", false);

    dtx_output_close(out);
    push(s, &o, true);
    dtx_show_stop(s);
}
END_TEST

/* ---- near ---- */

START_TEST(near_outputs_in_order)
{
    struct dtx_output *out = open_output("near");
    struct dtx_outcome o[3] = {packed(out, 0, "one\n", "err one\n"),
                               packed(out, 1, "", ""),
                               packed(out, 2, "three\n", "")};
    struct dtx_show *s = start("near", true, NULL, false);

    turn_to_files("near.o", "near.e");
    push(s, &o[2], true);
    push(s, &o[1], true);
    push(s, &o[0], false);
    push(s, &o[2], true);
    await_idle(s);
    dtx_show_stop(s);
    turn_back();
    holds("near.o", "three\none\nthree\n");
    holds("near.e", "err one\n");
    dtx_output_close(out);
}
END_TEST

START_TEST(nothing_is_shown_when_not_wanted)
{
    struct dtx_output *out = open_output("quiet");
    struct dtx_outcome o = packed(out, 0, "one\n", "err\n");
    struct dtx_outcome far = far_one(1, 1, 0, 100, 0);
    struct dtx_show_want w;
    struct dtx_show *s = start("quiet", false, "quiet.log", false);

    turn_to_files("quiet.o", "quiet.e");
    push(s, &o, true);
    push(s, &far, true);
    ck_assert(!dtx_show_want(s, &w));
    await_idle(s);
    dtx_show_stop(s);
    turn_back();
    holds("quiet.o", "");
    holds("quiet.e", "");
    dtx_output_close(out);
}
END_TEST

/* An output that is not there is not shown; the rest goes on. */
START_TEST(missing_output_holds_up_nobody)
{
    struct dtx_output *out = open_output("missing");
    struct dtx_outcome o = packed(out, 0, "one\n", ""), gone = o;
    struct dtx_show *s = start("missing", true, NULL, false);

    gone.out_off = 1u << 20;
    turn_to_files("missing.o", "missing.e");
    push(s, &gone, true);
    push(s, &o, true);
    await_idle(s);
    dtx_show_stop(s);
    turn_back();
    holds("missing.o", "one\n");
    dtx_output_close(out);
}
END_TEST

/* ---- joblog ---- */

#define HEADER                                                                 \
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\t"       \
    "Command\n"

static const struct {
    struct dtx_outcome o;
    const char *want;
} lines[] = {
    {{.task = 0, .status = DTX_STATUS_OK, .start_ns = 1500000000123456789,
      .wall_ns = 1234567890, .out_len = 17, .err_len = 5},
     "1\th\t1500000000.123\t     1.235\t0\t17\t0\t0\tsome work\n"},
    {{.task = 41, .status = DTX_STATUS_FAILED, .exit_code = 127},
     "42\th\t0.000\t     0.000\t0\t0\t127\t0\tsome work\n"},
    {{.task = 1, .status = DTX_STATUS_SIGNALED, .signal = 9},
     "2\th\t0.000\t     0.000\t0\t0\t0\t9\tsome work\n"},
    {{.task = 2, .status = DTX_STATUS_TIMEOUT, .signal = 9},
     "3\th\t0.000\t     0.000\t0\t0\t-1\t15\tsome work\n"},
    {{.task = 3, .status = DTX_STATUS_OK, .wall_ns = 123456 * 1000000000LL},
     "4\th\t0.000\t123456.000\t0\t0\t0\t0\tsome work\n"},
};

START_TEST(joblog_line)
{
    struct dtx_buf b = DTX_BUF_INIT;

    dtx_joblog_line(&b, &lines[_i].o, "h", "some work and more", 9);
    ck_assert(!b.failed);
    ck_assert_str_eq(b.data, lines[_i].want);
    dtx_buf_clear(&b);
    dtx_joblog_header(&b);
    ck_assert_str_eq(b.data, HEADER);
    dtx_buf_free(&b);
}
END_TEST

#define LINE(n) n "\tnear\t0.000\t     0.000\t0\t0\t0\t0\tsome work\n"

static void write_joblog(bool append, uint32_t task)
{
    struct dtx_outcome o = far_one(0, task, 0, 0, 0);
    struct dtx_show *s = start(".", true, "job.log", append);

    push(s, &o, false); /* a further attempt follows: no line */
    push(s, &o, true);
    await_idle(s);
    dtx_show_stop(s);
}

START_TEST(joblog_is_new_or_goes_on)
{
    write_joblog(true, 0);
    holds("job.log", HEADER LINE("1"));
    write_joblog(true, 1);
    holds("job.log", HEADER LINE("1") LINE("2"));
    write_joblog(false, 2);
    holds("job.log", HEADER LINE("3"));
}
END_TEST

START_TEST(joblog_that_cannot_be_made)
{
    struct dtx_show_config c;
    struct dtx_show *s = NULL;
    struct dtx_error err = {0, ""};

    memset(&c, 0, sizeof(c));
    c.run_dir = ".";
    c.list = &list;
    c.joblog = "not/there";
    ck_assert_int_ne(dtx_show_start(&c, &s, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "not/there"));
}
END_TEST

/* ---- far ---- */

static void fill(char *p, size_t len, uint32_t rank, uint64_t off)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (char)('a' + (off + i * 7 + rank) % 26);
}

/* Answer everything that is asked for, the newest first if 'backwards' (as
 * answers of different ranks may come). */
static size_t answer(struct dtx_show *s, bool backwards)
{
    static char piece[DTX_SHOW_PIECE];
    struct dtx_show_want w[64];
    size_t n = 0;

    while (n < 64 && dtx_show_want(s, &w[n]))
        n++;
    for (size_t i = 0; i < n; i++) {
        const struct dtx_show_want *q = &w[backwards ? n - 1 - i : i];

        ck_assert_uint_le(q->len, DTX_SHOW_PIECE);
        fill(piece, q->len, q->rank, q->off);
        dtx_show_feed(s, q->rank, q->off, piece, q->len);
    }
    return n;
}

static void answer_all(struct dtx_show *s, bool backwards)
{
    int i;

    for (i = 0; i < PATIENCE_TURNS && !dtx_show_idle(s); i++) {
        if (answer(s, backwards) == 0)
            nap();
    }
    ck_assert_int_lt(i, PATIENCE_TURNS);
}

static void came(const char *path, const struct dtx_outcome *o, size_t n,
                 bool err)
{
    size_t len, at = 0;
    char *p = content(path, &len), *want = malloc(len + 1);

    ck_assert_ptr_nonnull(want);
    for (size_t i = 0; i < n; i++) {
        uint64_t size = err ? o[i].err_len : o[i].out_len;

        ck_assert_uint_le(at + size, len);
        for (uint64_t k = 0; k < size; k++) {
            uint64_t in = k + (err ? o[i].out_len : 0);
            uint64_t start = in - in % DTX_SHOW_PIECE;

            want[at + k] = (char)('a' + (o[i].out_off + start +
                                         (in - start) * 7 + o[i].rank) % 26);
        }
        at += size;
    }
    ck_assert_uint_eq(at, len);
    ck_assert(memcmp(p, want, len) == 0);
    free(p);
    free(want);
}

START_TEST(far_outputs_are_pulled)
{
    struct dtx_outcome o[3] = {far_one(1, 0, 5000, 600000, 1000),
                               far_one(2, 1, 0, 10, 0),
                               far_one(1, 2, 606000, 3, 300000)};
    struct dtx_show *s = start(".", true, NULL, false);

    turn_to_files("far.o", "far.e");
    for (int i = 0; i < 3; i++)
        push(s, &o[i], true);
    answer_all(s, false);
    dtx_show_stop(s);
    turn_back();
    came("far.o", o, 3, false);
    came("far.e", o, 3, true);
}
END_TEST

/* Answers of two ranks overtake each other. */
START_TEST(far_answers_in_any_order_of_ranks)
{
    struct dtx_outcome o[2] = {far_one(1, 0, 0, 1000, 10),
                               far_one(2, 1, 0, 2000, 20)};
    struct dtx_show *s = start(".", true, NULL, false);

    turn_to_files("any.o", "any.e");
    push(s, &o[0], true);
    push(s, &o[1], true);
    answer_all(s, true);
    dtx_show_stop(s);
    turn_back();
    came("any.o", o, 2, false);
    came("any.e", o, 2, true);
}
END_TEST

START_TEST(far_pulls_are_bounded)
{
    struct dtx_outcome o = far_one(1, 0, 0, 100u << 20, 0);
    struct dtx_show *s = start(".", true, NULL, false);
    struct dtx_show_want w;
    uint64_t asked = 0;

    push(s, &o, true);
    while (dtx_show_want(s, &w))
        asked += w.len;
    ck_assert_uint_ge(asked, 1u << 20);
    ck_assert_uint_le(asked, 8u << 20);
    dtx_show_stop(s); /* with all of it open */
}
END_TEST

/* The rank cannot read what it was asked for: what has come is shown, and what
 * was asked of others still comes. */
START_TEST(far_rank_is_lost)
{
    struct dtx_outcome o[3] = {far_one(1, 0, 0, 300000, 0),
                               far_one(2, 1, 0, 50, 0),
                               far_one(1, 2, 300000, 70, 0)};
    struct dtx_show *s = start(".", true, NULL, false);
    struct dtx_show_want w;
    static char piece[DTX_SHOW_PIECE];

    turn_to_files("lost.o", "lost.e");
    for (int i = 0; i < 3; i++)
        push(s, &o[i], true);
    ck_assert(dtx_show_want(s, &w));
    fill(piece, w.len, w.rank, w.off);
    dtx_show_feed(s, w.rank, w.off, piece, w.len);
    ck_assert(dtx_show_want(s, &w));
    dtx_show_feed(s, w.rank, w.off, NULL, 0);
    o[0].out_len = DTX_SHOW_PIECE; /* what came of it */
    answer_all(s, false);
    dtx_show_stop(s);
    turn_back();
    ck_assert_int_eq(dtx_scratch_size("lost.o"), DTX_SHOW_PIECE + 120);
    came("lost.o", o, 3, false);
}
END_TEST

START_TEST(what_was_not_asked_for_is_ignored)
{
    struct dtx_outcome o = far_one(1, 0, 0, 10, 0);
    struct dtx_show *s = start(".", true, NULL, false);

    turn_to_files("stray.o", "stray.e");
    dtx_show_feed(s, 1, 0, "stray", 5);
    push(s, &o, true);
    dtx_show_feed(s, 1, 0, "stray", 5); /* not asked yet */
    dtx_show_feed(s, 2, 0, "stray", 5);
    answer_all(s, false);
    dtx_show_feed(s, 1, 0, "stray", 5);
    dtx_show_stop(s);
    turn_back();
    came("stray.o", &o, 1, false);
}
END_TEST

/* ---- readers ---- */

static struct dtx_show *push_many(const char *dir, int to_out,
                                  struct dtx_output **out)
{
    static char big[20001];
    struct dtx_outcome o;
    struct dtx_show *s;

    memset(big, 'x', sizeof(big) - 1);
    *out = open_output(dir);
    o = packed(*out, 0, big, "");
    s = start(dir, true, NULL, false);
    turn(to_out, open("/dev/null", O_WRONLY | O_CLOEXEC));
    for (int i = 0; i < 1000; i++)
        push(s, &o, true);
    return s;
}

/* Nobody reads: pushing goes on, and the end does not wait for a reader. */
START_TEST(slow_reader_blocks_nobody)
{
    struct dtx_output *out;
    struct dtx_show *s;
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    s = push_many("slow", fd[1], &out);
    ck_assert(!dtx_show_idle(s));
    dtx_show_stop(s);
    turn_back();
    (void)close(fd[0]);
    dtx_output_close(out);
}
END_TEST

START_TEST(reader_that_went_away)
{
    struct dtx_output *out;
    struct dtx_show *s;
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(close(fd[0]), 0);
    s = push_many("went", fd[1], &out);
    await_idle(s);
    dtx_show_stop(s);
    turn_back();
    dtx_output_close(out);
}
END_TEST

/* A reader that takes its time, also over a pipe that does not block the
 * writer.  Who asked before the end is told of it. */
START_TEST(reader_gets_all)
{
    struct dtx_output *out;
    struct dtx_show *s;
    static char buf[65536];
    size_t got = 0;
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(fcntl(fd[1], F_SETFL, _i ? O_NONBLOCK : 0), 0);
    s = push_many(_i ? "all1" : "all0", fd[1], &out);
    ck_assert(!dtx_show_idle(s));
    while (got < 20000000) {
        ssize_t n = read(fd[0], buf, sizeof(buf));

        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    for (int i = 0; i < PATIENCE_TURNS && !atomic_load(&notified); i++)
        nap();
    ck_assert_uint_ge(atomic_load(&notified), 1);
    ck_assert(dtx_show_idle(s));
    ck_assert_uint_eq(got, 20000000);
    dtx_show_stop(s);
    turn_back();
    (void)close(fd[0]);
    dtx_output_close(out);
}
END_TEST

static void add_case(Suite *s, TCase *t)
{
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    suite_add_tcase(s, t);
}

static Suite *build_suite(void)
{
    Suite *s = suite_create("run/show");
    TCase *t = tcase_create("near");

    tcase_add_test(t, near_outputs_in_order);
    tcase_add_test(t, nothing_is_shown_when_not_wanted);
    tcase_add_test(t, missing_output_holds_up_nobody);
    add_case(s, t);
    t = tcase_create("ordered");
    tcase_add_test(t, ordered_outputs_wait_for_their_turn);
    tcase_add_test(t, what_waits_is_freed);
    tcase_add_loop_test(t, lines_then_the_rest, 0, 2);
    tcase_add_test(t, lines_in_parts_and_in_vain);
    tcase_add_test(t, lines_of_far_tasks);
    tcase_add_test(t, lines_and_nothing_left);
    tcase_add_test(t, segments_go_when_shown);
    add_case(s, t);
    t = tcase_create("joblog");
    tcase_add_loop_test(t, joblog_line, 0, DTX_COUNT(lines));
    tcase_add_test(t, joblog_is_new_or_goes_on);
    tcase_add_test(t, joblog_that_cannot_be_made);
    add_case(s, t);
    t = tcase_create("far");
    tcase_add_test(t, far_outputs_are_pulled);
    tcase_add_test(t, far_answers_in_any_order_of_ranks);
    tcase_add_test(t, far_pulls_are_bounded);
    tcase_add_test(t, far_rank_is_lost);
    tcase_add_test(t, what_was_not_asked_for_is_ignored);
    add_case(s, t);
    t = tcase_create("readers");
    tcase_add_test(t, slow_reader_blocks_nobody);
    tcase_add_test(t, reader_that_went_away);
    tcase_add_loop_test(t, reader_gets_all, 0, 2);
    add_case(s, t);
    return s;
}

int main(void)
{
    dtx_scratch_enter();
    return dtx_check_main(build_suite());
}

/* SPDX-License-Identifier: MIT */
/* Packed outputs: what was packed comes back, what is missing or wrong is
 * found, and neither size nor a full disk harms what is there already. */
#include "store/output.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"
#include "check_main.h"
#include "store_dir.h"
#include "task/outcome.h"

/* A source file of these bytes, open. */
static int source(const void *data, size_t len)
{
    char name[] = "source-XXXXXX";
    int fd = mkstemp(name);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(name), 0);
    ck_assert_int_eq(pwrite(fd, data, len, 0), (ssize_t)len);
    return fd;
}

static void make_run(const char *name)
{
    char out[256];

    (void)snprintf(out, sizeof(out), "%s/out", name);
    ck_assert_int_eq(mkdir(name, 0777), 0);
    ck_assert_int_eq(mkdir(out, 0777), 0);
}

struct got {
    struct dtx_buf out, err;
    size_t pieces, largest, stop_after;
};

static int take(void *ctx, enum dtx_stream s, const void *data, size_t len)
{
    struct got *g = ctx;

    ck_assert(s == DTX_STDERR || g->err.len == 0);
    dtx_buf_append(s == DTX_STDOUT ? &g->out : &g->err, data, len);
    if (len > g->largest)
        g->largest = len;
    return ++g->pieces == g->stop_after ? DTX_EAGAIN : 0;
}

static void check_output(struct dtx_output_reader *r, uint32_t epoch,
                         const struct dtx_outcome *o, const char *out,
                         const char *err)
{
    struct got g = {DTX_BUF_INIT, DTX_BUF_INIT, 0, 0, 0};
    struct dtx_error e = {0, ""};
    int rc = dtx_output_each(r, epoch, o, take, &g, &e);

    ck_assert_msg(rc == 0, "%s", e.text);
    ck_assert_uint_eq(g.out.len, strlen(out));
    ck_assert_uint_eq(g.err.len, strlen(err));
    ck_assert(g.out.len == 0 || memcmp(g.out.data, out, g.out.len) == 0);
    ck_assert(g.err.len == 0 || memcmp(g.err.data, err, g.err.len) == 0);
    dtx_buf_free(&g.out);
    dtx_buf_free(&g.err);
}

static const struct {
    const char *out, *err;
    int64_t out_start, err_start;
    uint64_t out_extra, err_extra; /* how much more is asked than there is */
} packs[] = {
    {"hello\n", "", 0, 0, 0, 0},
    {"", "an error\n", 0, 0, 0, 0},
    {"", "", 0, 0, 0, 0},
    {"out", "err", 0, 0, 0, 0},
    {"behind others", "as well", 1000, 7, 0, 0},
    {"cut off", "here", 0, 0, 5, 0},
    {"and", "there", 3, 3, 0, 1u << 30},
    {"", "nothing where something should be", 0, 0, 400000, 600000},
};

START_TEST(test_pack)
{
    const size_t n = sizeof(packs) / sizeof(*packs);
    struct dtx_outcome o[sizeof(packs) / sizeof(*packs)];
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_error err;
    uint64_t off = 0;
    size_t i;

    make_run("pack");
    ck_assert_int_eq(dtx_output_open("pack", 3, 12, &out, &err), 0);
    ck_assert_int_eq(dtx_scratch_size("pack/out/e3-r12"), -1);
    for (i = 0; i < n; i++) {
        int a = source("", 0), b = source("", 0);
        size_t la = strlen(packs[i].out), lb = strlen(packs[i].err);

        memset(&o[i], 0, sizeof(o[i]));
        o[i].rank = 12;
        o[i].out_len = la + packs[i].out_extra;
        o[i].err_len = lb + packs[i].err_extra;
        ck_assert_int_eq(pwrite(a, packs[i].out, la, packs[i].out_start),
                         (ssize_t)la);
        ck_assert_int_eq(pwrite(b, packs[i].err, lb, packs[i].err_start),
                         (ssize_t)lb);
        ck_assert_int_eq(dtx_output_pack(out, &o[i], a, packs[i].out_start, b,
                                         packs[i].err_start, &err),
                         0);
        ck_assert_uint_eq(o[i].out_len, la);
        ck_assert_uint_eq(o[i].err_len, lb);
        ck_assert_uint_eq(o[i].out_off, la + lb ? off : 0);
        off += la + lb;
        ck_assert_int_eq(dtx_scratch_size("pack/out/e3-r12"), (long long)off);
        (void)close(a);
        (void)close(b);
    }
    r = dtx_output_reader_create("pack");
    ck_assert_ptr_nonnull(r);
    for (i = n; i-- > 0;)
        check_output(r, 3, &o[i], packs[i].out, packs[i].err);
    dtx_output_reader_destroy(r);
    dtx_output_reader_destroy(NULL);
    dtx_output_close(out);
    dtx_output_close(NULL);
}
END_TEST

START_TEST(test_no_output_no_file)
{
    struct dtx_outcome o = {.rank = 0};
    struct dtx_output *out = NULL;
    struct dtx_error err;

    make_run("none");
    ck_assert_int_eq(dtx_output_open("none", 1, 0, &out, &err), 0);
    ck_assert_int_eq(dtx_output_pack(out, &o, -1, 0, -1, 0, &err), 0);
    dtx_output_close(out);
    ck_assert_int_eq(dtx_scratch_size("none/out/e1-r0"), -1);
}
END_TEST

/* Pack one text; its place. */
static struct dtx_outcome pack_text(struct dtx_output *out, uint32_t rank,
                                    const char *text)
{
    struct dtx_outcome o = {.rank = rank, .out_len = strlen(text)};
    int fd = source(text, strlen(text));
    struct dtx_error err;

    ck_assert_int_eq(dtx_output_pack(out, &o, fd, 0, -1, 0, &err), 0);
    (void)close(fd);
    return o;
}

START_TEST(test_file_there_already)
{
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_outcome a, b;
    struct dtx_error err;

    ck_assert_int_eq(mkdir("again", 0777), 0); /* out/ is made when needed */
    ck_assert_int_eq(dtx_output_open("again", 1, 0, &out, &err), 0);
    a = pack_text(out, 0, "first");
    dtx_output_close(out);
    ck_assert_int_eq(dtx_output_open("again", 1, 0, &out, &err), 0);
    b = pack_text(out, 0, "second");
    dtx_output_close(out);
    r = dtx_output_reader_create("again");
    check_output(r, 1, &a, "first", "");
    check_output(r, 1, &b, "second", "");
    dtx_output_reader_destroy(r);
}
END_TEST

START_TEST(test_damage_is_found)
{
    static const char text[] = "0123456789";
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_outcome a, b, bad;
    struct dtx_error err = {0, ""};
    struct got g = {DTX_BUF_INIT, DTX_BUF_INIT, 0, 0, 0};
    char buf[16];
    int fd;

    make_run("damage");
    ck_assert_int_eq(dtx_output_open("damage", 1, 4, &out, &err), 0);
    a = pack_text(out, 4, text);
    b = pack_text(out, 4, text);
    dtx_output_close(out);
    r = dtx_output_reader_create("damage");
    ck_assert_int_eq(dtx_output_each(r, 1, &b, NULL, NULL, &err), 0);
    ck_assert_int_eq(dtx_output_read(r, 1, 4, 3, buf, 4, &err), 0);
    ck_assert_mem_eq(buf, "3456", 4);
    ck_assert_int_eq(dtx_output_read(r, 1, 4, 18, buf, 3, &err), DTX_ECORRUPT);
    ck_assert_int_eq(dtx_output_read(r, 1, 4, UINT64_MAX, buf, 3, &err),
                     DTX_ECORRUPT);
    ck_assert_int_eq(dtx_output_read(r, 2, 4, 0, buf, 3, &err), DTX_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "e2-r4"));
    bad = a;
    bad.out_off = UINT64_MAX - 3;
    ck_assert_int_eq(dtx_output_each(r, 1, &bad, take, &g, &err), DTX_ECORRUPT);
    bad = a;
    bad.err_len = UINT64_MAX - 3;
    ck_assert_int_eq(dtx_output_each(r, 1, &bad, take, &g, &err), DTX_ECORRUPT);
    fd = open("damage/out/e1-r4", O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "x", 1, 5), 1);
    ck_assert_int_eq(ftruncate(fd, 19), 0);
    (void)close(fd);
    ck_assert_int_eq(dtx_output_each(r, 1, &a, NULL, NULL, &err), DTX_ECORRUPT);
    ck_assert_int_eq(dtx_output_each(r, 1, &b, take, &g, &err), DTX_ECORRUPT);
    ck_assert_uint_eq(g.pieces, 0); /* missing bytes: nothing was given */
    dtx_output_reader_destroy(r);
}
END_TEST

START_TEST(test_callback_ends)
{
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_outcome o = {.out_len = 200000};
    struct dtx_error err;
    struct got g = {DTX_BUF_INIT, DTX_BUF_INIT, 0, 0, 2};
    char *big = calloc(1, 200000);
    int fd = source(big, 200000);

    make_run("ends");
    ck_assert_int_eq(dtx_output_open("ends", 1, 0, &out, &err), 0);
    ck_assert_int_eq(dtx_output_pack(out, &o, fd, 0, -1, 0, &err), 0);
    r = dtx_output_reader_create("ends");
    ck_assert_int_eq(dtx_output_each(r, 1, &o, take, &g, &err), DTX_EAGAIN);
    ck_assert_uint_eq(g.pieces, 2);
    dtx_buf_free(&g.out);
    dtx_output_reader_destroy(r);
    dtx_output_close(out);
    (void)close(fd);
    free(big);
}
END_TEST

static void count_calls(void *ctx)
{
    ++*(unsigned *)ctx;
}

static uint32_t sum_of(int fd, uint64_t len)
{
    static unsigned char b[1 << 16];
    uint32_t crc = 0;
    uint64_t at = 0;
    ssize_t n;

    while (at < len && (n = pread(fd, b, sizeof(b), (off_t)at)) > 0) {
        crc = dtx_crc32(crc, b, (size_t)n);
        at += (uint64_t)n;
    }
    return crc;
}

static long peak_kib(void)
{
    struct rusage u;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}

/* 100 MB, in memory that does not grow with them. */
START_TEST(test_big_output)
{
    const uint64_t len = 100000000;
    struct dtx_outcome o = {.rank = 1, .out_len = len - 7, .err_len = 7};
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_error err;
    struct dtx_rng rng;
    unsigned calls = 0;
    uint64_t at, word[512];
    long before;
    int fd = source("", 0);

    dtx_rng_seed(&rng, 3);
    for (at = 0; at < len; at += 40 * sizeof(word)) {
        for (size_t i = 0; i < 512; i++)
            word[i] = dtx_rng_u64(&rng);
        ck_assert_int_gt(pwrite(fd, word, sizeof(word), (off_t)at), 0);
    }
    ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
    make_run("big");
    ck_assert_int_eq(dtx_output_open("big", 1, 1, &out, &err), 0);
    dtx_output_set_progress(out, count_calls, &calls);
    before = peak_kib();
    ck_assert_int_eq(
        dtx_output_pack(out, &o, fd, 0, fd, (int64_t)len - 7, &err), 0);
    ck_assert_uint_eq(o.out_len + o.err_len, len);
    ck_assert_uint_eq(o.out_crc, sum_of(fd, len));
    r = dtx_output_reader_create("big");
    ck_assert_int_eq(dtx_output_each(r, 1, &o, NULL, NULL, &err), 0);
    ck_assert_int_lt(peak_kib() - before, 8 << 10);
    ck_assert_uint_ge(calls, 90);
    ck_assert_uint_le(calls, 100);
    dtx_output_reader_destroy(r);
    dtx_output_close(out);
    (void)close(fd);
}
END_TEST

START_TEST(test_no_space)
{
    struct dtx_outcome a, b, o = {.rank = 0, .out_len = 300000, .err_len = 9};
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_error err = {0, ""};
    struct rlimit lim;
    char *big = calloc(1, 300000);
    int fd = source(big, 300000);

    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    make_run("full");
    ck_assert_int_eq(dtx_output_open("full", 1, 0, &out, &err), 0);
    a = pack_text(out, 0, "before");
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &lim), 0);
    lim.rlim_cur = 280000; /* hit by the second write of the output */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
    ck_assert_int_lt(dtx_output_pack(out, &o, fd, 0, fd, 0, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "e1-r0"));
    ck_assert_uint_eq(o.out_len + o.err_len + o.out_off + o.out_crc, 0);
    ck_assert_int_eq(dtx_scratch_size("full/out/e1-r0"), 6);
    b = pack_text(out, 0, "after");
    ck_assert_uint_eq(b.out_off, 6);
    r = dtx_output_reader_create("full");
    check_output(r, 1, &a, "before", "");
    check_output(r, 1, &b, "after", "");
    dtx_output_reader_destroy(r);
    dtx_output_close(out);
    (void)close(fd);
    free(big);
}
END_TEST

START_TEST(test_bad_sources)
{
    static const struct {
        uint64_t len;
        int64_t start;
    } cases[] = {{5, -1}, {UINT64_MAX, 0}, {1u << 31, INT64_MAX - 5}};
    struct dtx_output *out = NULL;
    struct dtx_error err;
    size_t i;

    make_run("bad");
    ck_assert_int_eq(dtx_output_open("bad", 1, 0, &out, &err), 0);
    for (i = 0; i < 3; i++) {
        struct dtx_outcome o = {.out_len = cases[i].len};
        struct dtx_outcome p = {.err_len = cases[i].len};

        ck_assert_int_eq(
            dtx_output_pack(out, &o, 0, cases[i].start, 0, 0, &err),
            DTX_EINVAL);
        ck_assert_int_eq(
            dtx_output_pack(out, &p, 0, 0, 0, cases[i].start, &err),
            DTX_EINVAL);
        ck_assert_uint_eq(o.out_len + p.err_len, 0);
    }
    {
        struct dtx_outcome o = {.out_len = 5};

        ck_assert_int_lt(dtx_output_pack(out, &o, -1, 0, -1, 0, &err), 0);
        ck_assert_uint_eq(o.out_len, 0);
    }
    dtx_output_close(out);
}
END_TEST

/* More files than are kept open, again and again. */
START_TEST(test_many_files)
{
    struct dtx_outcome o[40];
    struct dtx_output_reader *r;
    struct dtx_error err;
    struct rlimit lim;
    char text[32];
    uint32_t i, k;

    make_run("many");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
    lim.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
    for (i = 0; i < 40; i++) {
        struct dtx_output *out = NULL;

        (void)snprintf(text, sizeof(text), "file %u", (unsigned)i);
        ck_assert_int_eq(dtx_output_open("many", i / 10 + 1, i, &out, &err), 0);
        o[i] = pack_text(out, i, text);
        dtx_output_close(out);
    }
    r = dtx_output_reader_create("many");
    for (k = 0; k < 200; k++) {
        i = k * 7 % 40;
        (void)snprintf(text, sizeof(text), "file %u", (unsigned)i);
        check_output(r, i / 10 + 1, &o[i], text, "");
    }
    dtx_output_reader_destroy(r);
}
END_TEST

START_TEST(test_index)
{
    struct dtx_output_index *x = NULL;
    struct dtx_error err;
    uint64_t at = 0;

    make_run("index");
    ck_assert_int_eq(dtx_output_index_get("index", 0, &at), DTX_ENOENT);
    ck_assert_int_eq(dtx_output_index_open("index", &x, &err), 0);
    ck_assert_int_eq(dtx_output_index_set(x, 5, 16), 0);
    ck_assert_int_eq(dtx_output_index_set(x, 0, 0), 0);
    ck_assert_int_eq(dtx_output_index_set(x, 99999999, 1ull << 40), 0);
    ck_assert_int_eq(dtx_output_index_get("index", 5, &at), 0);
    ck_assert_uint_eq(at, 16);
    ck_assert_int_eq(dtx_output_index_get("index", 0, &at), 0);
    ck_assert_uint_eq(at, 0);
    ck_assert_int_eq(dtx_output_index_get("index", 99999999, &at), 0);
    ck_assert_uint_eq(at, 1ull << 40);
    ck_assert_int_eq(dtx_output_index_get("index", 4, &at), DTX_ENOENT);
    ck_assert_int_eq(dtx_output_index_get("index", 100000000, &at), DTX_ENOENT);
    dtx_output_index_close(x);
    ck_assert_int_eq(dtx_output_index_open("index", &x, &err), 0);
    ck_assert_int_eq(dtx_output_index_get("index", 5, &at), 0);
    ck_assert_int_eq(dtx_output_index_reset(x), 0);
    ck_assert_int_eq(dtx_output_index_get("index", 5, &at), DTX_ENOENT);
    dtx_output_index_close(x);
    dtx_output_index_close(NULL);
    ck_assert_int_eq(dtx_output_index_open("nowhere", &x, &err), DTX_ENOENT);
}
END_TEST

/* Outputs of 300 kB go to segments that are dropped one by one. */
START_TEST(test_passing)
{
    enum { N = 200, LEN = 300000 };
    static struct dtx_outcome o[N];
    struct dtx_output *out = NULL;
    struct dtx_output_reader *r;
    struct dtx_error err;
    static char text[LEN + 1];
    char path[64], last;
    uint32_t segment = 0, i;

    make_run("passing");
    ck_assert_int_eq(dtx_output_open_passing("passing", 2, 5, &out, &err), 0);
    for (i = 0; i < N; i++) {
        memset(text, (int)('a' + i % 26), LEN);
        o[i] = pack_text(out, 5, text);
        ck_assert(!dtx_outcome_is_kept(&o[i]));
        ck_assert_uint_le(dtx_output_segment(o[i].out_off), segment + 1);
        segment = dtx_output_segment(o[i].out_off);
    }
    ck_assert_uint_eq(segment, N * (uint64_t)LEN / DTX_OUTPUT_SEGMENT);
    ck_assert_int_eq(dtx_scratch_size("passing/out/e2-r5"), -1);
    r = dtx_output_reader_create("passing");
    for (i = 0; i < N; i++) {
        memset(text, (int)('a' + i % 26), LEN);
        check_output(r, 2, &o[i], text, "");
        ck_assert_int_eq(dtx_output_read(r, 2, 5, o[i].out_off + LEN - 1, &last,
                                         1, &err), 0);
        ck_assert_int_eq(last, text[LEN - 1]);
    }
    /* open or not, it has gone */
    ck_assert_int_eq(dtx_output_drop_segment("passing", 2, 5, 0), 0);
    ck_assert_int_eq(dtx_output_drop_segment("passing", 2, 5, 0), 0);
    ck_assert_int_eq(dtx_scratch_size("passing/out/e2-r5.p0"), -1);
    ck_assert_int_eq(dtx_output_each(r, 2, &o[0], NULL, NULL, &err),
                     DTX_ECORRUPT);
    check_output(r, 2, &o[N - 1], text, "");
    dtx_output_reader_destroy(r);
    dtx_output_close(out);
    for (i = 1; i <= segment; i++) {
        (void)snprintf(path, sizeof(path), "passing/out/e2-r5.p%u", i);
        ck_assert_int_gt(dtx_scratch_size(path), 0);
    }
    dtx_output_sweep("passing");
    for (i = 1; i <= segment; i++) {
        (void)snprintf(path, sizeof(path), "passing/out/e2-r5.p%u", i);
        ck_assert_int_eq(dtx_scratch_size(path), -1);
    }
}
END_TEST

START_TEST(test_sweep_takes_segments_alone)
{
    static const char *const names[] = {"index", "e1-r0", "e1-r0.p",
                                        "e1-r0.p1x", "e-r0.p1", "x1-r0.p1",
                                        "e1-r0.q1", "e1.p1"};
    char path[64];
    size_t i;
    int fd;

    make_run("sweep");
    for (i = 0; i < DTX_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "sweep/out/%s", names[i]);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, "x", 1), 1);
        (void)close(fd);
    }
    fd = open("sweep/out/e10-r4294967295.p8388607", O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    dtx_output_sweep("sweep");
    dtx_output_sweep("nowhere");
    for (i = 0; i < DTX_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "sweep/out/%s", names[i]);
        ck_assert_int_eq(dtx_scratch_size(path), 1);
    }
    ck_assert_int_eq(dtx_scratch_size("sweep/out/e10-r4294967295.p8388607"),
                     -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store/output");
    TCase *t = tcase_create("output");

    dtx_scratch_enter();
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_pack);
    tcase_add_test(t, test_no_output_no_file);
    tcase_add_test(t, test_file_there_already);
    tcase_add_test(t, test_damage_is_found);
    tcase_add_test(t, test_callback_ends);
    tcase_add_test(t, test_big_output);
    tcase_add_test(t, test_no_space);
    tcase_add_test(t, test_bad_sources);
    tcase_add_test(t, test_many_files);
    tcase_add_test(t, test_index);
    tcase_add_test(t, test_passing);
    tcase_add_test(t, test_sweep_takes_segments_alone);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

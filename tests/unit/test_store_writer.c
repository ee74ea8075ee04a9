/* SPDX-License-Identifier: MIT */
/* The store thread: all that was asked is done, in order, said once, and after
 * a failure nothing more is written. */
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"
#include "store/journal.h"
#include "store/lease.h"
#include "store/output.h"
#include "store/rundir.h"
#include "store_dir.h"
#include "task/task.h"

/* A writer with all it writes to, in a directory of its own. */
struct rig {
    char dir[64];
    char journal_path[128];
    struct dtx_journal *journal;
    struct dtx_output *output;
    struct dtx_output_index *index;
    struct dtx_rundir *lease;
    struct dtx_writer *w;
    sem_t bell;
};

static void ring(void *ctx)
{
    struct rig *r = ctx;

    ck_assert_int_eq(sem_post(&r->bell), 0);
}

static void start(struct rig *r, const char *name, int64_t sync_ns)
{
    struct dtx_buf path = DTX_BUF_INIT;
    struct dtx_error err;
    struct dtx_writer_config c;
    uint32_t epoch;
    enum dtx_rundir_found found;

    memset(r, 0, sizeof(*r));
    (void)snprintf(r->dir, sizeof(r->dir), "%s", name);
    (void)snprintf(r->journal_path, sizeof(r->journal_path), "%s/journal",
                   name);
    ck_assert_int_eq(dtx_rundir_make(name, &path, &found, &err), 0);
    ck_assert_int_eq(
        dtx_rundir_take(path.data, 1, NULL, NULL, &r->lease, &epoch, &err), 0);
    ck_assert_int_eq(dtx_journal_create(r->journal_path, &r->journal, &err), 0);
    ck_assert_int_eq(dtx_output_open(name, epoch, 0, &r->output, &err), 0);
    ck_assert_int_eq(dtx_output_index_open(name, &r->index, &err), 0);
    ck_assert_int_eq(sem_init(&r->bell, 0, 0), 0);
    c = (struct dtx_writer_config){.output = r->output,
                                   .journal = r->journal,
                                   .index = r->index,
                                   .lease = r->lease,
                                   .sync_ns = sync_ns,
                                   .notify = ring,
                                   .ctx = r};
    ck_assert_int_eq(dtx_writer_start(&c, &r->w, &err), 0);
    dtx_buf_free(&path);
}

static int stop(struct rig *r, struct dtx_error *err)
{
    int rc = dtx_writer_stop(r->w, err);

    dtx_journal_close(r->journal);
    dtx_output_close(r->output);
    dtx_output_index_close(r->index);
    dtx_rundir_release(r->lease);
    (void)sem_destroy(&r->bell);
    return rc;
}

/* The next result; fails the test when none comes. */
static void await(struct rig *r, struct dtx_writer_result *out)
{
    struct timespec ts;

    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &ts), 0);
    ts.tv_sec += 30;
    while (!dtx_writer_poll(r->w, out)) {
        int rc = sem_timedwait(&r->bell, &ts);

        ck_assert_msg(rc == 0 || errno == EINTR, "no result came");
    }
}

static void await_record(struct rig *r, uint64_t number)
{
    struct dtx_writer_result res;
    uint64_t last = 0;

    while (last < number) {
        await(r, &res);
        ck_assert_int_eq(res.kind, DTX_WRITER_RECORDED);
        ck_assert_uint_gt(res.recorded, last);
        last = res.recorded;
    }
    ck_assert_uint_eq(last, number);
}

/* Record number n: its number and some bytes more. */
static size_t fill(uint64_t n, unsigned char *p)
{
    size_t len = 8 + n % 90;

    memset(p, (int)(n & 0xff), len);
    memcpy(p, &n, sizeof(n));
    return len;
}

static void record(struct rig *r, uint64_t n, bool urgent)
{
    unsigned char p[128];
    size_t len = fill(n, p);

    ck_assert_int_eq(dtx_writer_record(r->w, n, p, len, (uint32_t)n, urgent),
                     0);
}

static int see(void *ctx, const void *payload, size_t len, uint64_t at,
               struct dtx_error *err)
{
    uint64_t *n = ctx;
    unsigned char want[128];

    (void)at;
    (void)err;
    ck_assert_uint_eq(len, fill(++*n, want));
    ck_assert_mem_eq(payload, want, len);
    return 0;
}

/* How many records the journal holds; all are right and in order. */
static uint64_t count(const struct rig *r)
{
    struct dtx_error err;
    uint64_t n = 0, torn = 1;

    ck_assert_int_eq(dtx_journal_read(r->journal_path, see, &n, &torn, &err),
                     0);
    ck_assert_uint_eq(torn, 0);
    return n;
}

static int source(const char *text)
{
    char name[] = "source-XXXXXX";
    int fd = mkstemp(name);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(name), 0);
    ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    return fd;
}

static struct dtx_pack pack_of(int fd, uint64_t len, int32_t capture)
{
    struct dtx_pack p = {.out_fd = fd, .err_fd = -1, .capture = capture};

    p.outcome.task = (uint32_t)capture;
    p.outcome.out_len = len;
    return p;
}

START_TEST(test_records)
{
    struct dtx_error err;
    struct dtx_buf b = DTX_BUF_INIT;
    struct rig r;
    uint64_t n, at;
    unsigned char want[128];

    start(&r, "records", 0);
    for (n = 1; n <= 50; n++) {
        record(&r, n, n % 2 == 0);
        await_record(&r, n);
        ck_assert_uint_eq(count(&r), n); /* said: there */
    }
    ck_assert_int_eq(stop(&r, &err), 0);
    for (n = 1; n <= 50; n++) {
        ck_assert_int_eq(dtx_output_index_get(r.dir, (uint32_t)n, &at), 0);
        dtx_buf_clear(&b);
        ck_assert_int_eq(dtx_journal_read_at(r.journal_path, at, &b, &err), 0);
        ck_assert_uint_eq(b.len, fill(n, want));
        ck_assert_mem_eq(b.data, want, b.len);
    }
    dtx_buf_free(&b);
}
END_TEST

START_TEST(test_many_records)
{
    const uint64_t all = 100000;
    struct dtx_writer_result res;
    struct dtx_error err;
    struct rig r;
    uint64_t n, last = 0;
    unsigned groups = 0;

    start(&r, "many", 100000000);
    for (n = 1; n <= all; n++) {
        record(&r, n, n % 1000 == 0);
        while (dtx_writer_poll(r.w, &res)) {
            ck_assert_int_eq(res.kind, DTX_WRITER_RECORDED);
            ck_assert_uint_gt(res.recorded, last);
            last = res.recorded;
            groups++;
        }
    }
    while (last < all) {
        await(&r, &res);
        last = res.recorded;
        groups++;
    }
    ck_assert_uint_eq(last, all);
    ck_assert_uint_lt(groups, all / 10);
    ck_assert(!dtx_writer_poll(r.w, &res));
    ck_assert_int_eq(stop(&r, &err), 0);
    ck_assert_uint_eq(count(&r), all);
}
END_TEST

/* Nobody waits: what comes within a millisecond is one group. */
START_TEST(test_gathering)
{
    struct dtx_writer_result res;
    struct dtx_error err;
    struct rig r;
    unsigned round, groups = 0;
    uint64_t n = 0, last = 0;

    start(&r, "gather", 1000000000);
    for (round = 0; round < 20; round++) {
        for (int k = 0; k < 10; k++)
            record(&r, ++n, false);
        while (last < n) {
            await(&r, &res);
            last = res.recorded;
            groups++;
        }
    }
    ck_assert_uint_le(groups, 60); /* 20 unless this process is held up */
    ck_assert_int_eq(stop(&r, &err), 0);
    ck_assert_uint_eq(count(&r), 200);
}
END_TEST

START_TEST(test_packs_in_order)
{
    struct dtx_output_reader *reader;
    struct dtx_writer_result res;
    struct dtx_error err;
    struct rig r;
    int fd = source("0123456789");
    int32_t i, next = 0;
    uint64_t off = 0;

    start(&r, "packs", 1000000000);
    reader = dtx_output_reader_create(r.dir);
    for (i = 0; i < 500; i++) {
        struct dtx_pack p = pack_of(fd, (uint64_t)(i % 10), i);

        p.lazy = i % 3 != 1; /* the last one is: it comes by itself */
        ck_assert_int_eq(dtx_writer_pack(r.w, &p), 0);
    }
    while (next < 500) {
        await(&r, &res);
        ck_assert_int_eq(res.kind, DTX_WRITER_PACKED);
        ck_assert_int_eq(res.pack.capture, next);
        ck_assert_int_eq(res.pack.error, 0);
        ck_assert_uint_eq(res.pack.outcome.out_len, (uint64_t)next % 10);
        ck_assert_uint_eq(res.pack.outcome.out_off, next % 10 ? off : 0);
        off += (uint64_t)next % 10;
        ck_assert_int_eq(
            dtx_output_each(reader, 1, &res.pack.outcome, NULL, NULL, &err), 0);
        next++;
    }
    ck_assert_int_eq(stop(&r, &err), 0);
    dtx_output_reader_destroy(reader);
    (void)close(fd);
}
END_TEST

/* A record that comes while gigabytes are packed does not wait for them. */
START_TEST(test_records_pass_a_long_pack)
{
    struct dtx_writer_result res;
    struct dtx_error err;
    struct rig r;
    int fd = source("");
    struct dtx_pack p = pack_of(fd, 300 << 20, 1);
    bool packed = false;
    uint64_t n = 0;

    ck_assert_int_eq(ftruncate(fd, 300 << 20), 0);
    start(&r, "long", 1000000000);
    ck_assert_int_eq(dtx_writer_pack(r.w, &p), 0);
    while (!packed) {
        record(&r, ++n, true);
        do {
            await(&r, &res);
            if (res.kind == DTX_WRITER_PACKED)
                packed = true;
        } while (!packed && res.recorded < n);
    }
    ck_assert_uint_gt(n, 5);
    ck_assert_int_eq(stop(&r, &err), 0);
    ck_assert_uint_eq(count(&r), n);
    (void)close(fd);
}
END_TEST

START_TEST(test_stop_finishes)
{
    struct dtx_error err;
    struct rig r;
    int fd = source("output");
    uint64_t n;

    start(&r, "stop", 1000000000);
    for (n = 1; n <= 1000; n++) {
        struct dtx_pack p = pack_of(fd, 6, (int32_t)n);

        record(&r, n, false);
        ck_assert_int_eq(dtx_writer_pack(r.w, &p), 0);
    }
    ck_assert_int_eq(stop(&r, &err), 0);
    ck_assert_uint_eq(count(&r), 1000);
    ck_assert_int_eq(dtx_scratch_size("stop/out/e1-r0"), 6000);
    (void)close(fd);
}
END_TEST

START_TEST(test_stop_at_once)
{
    struct dtx_error err;
    struct rig r;

    start(&r, "atonce", 0);
    ck_assert_int_eq(stop(&r, &err), 0);
    ck_assert_uint_eq(count(&r), 0);
}
END_TEST

START_TEST(test_wrong_use)
{
    struct dtx_writer_config none = {.output = NULL};
    struct dtx_pack p = {.error = 0};
    struct dtx_writer *w = NULL;
    struct dtx_error err;
    struct rig r;

    ck_assert_int_eq(dtx_writer_start(&none, &w, &err), 0);
    ck_assert_int_eq(dtx_writer_pack(w, &p), DTX_EINVAL);
    ck_assert_int_eq(dtx_writer_record(w, 1, "x", 1, 0, true), DTX_EINVAL);
    ck_assert_int_eq(dtx_writer_stop(w, &err), 0);
    start(&r, "wrong", 0);
    ck_assert_int_eq(dtx_writer_record(r.w, 2, "x", 1, 0, true), DTX_EINVAL);
    ck_assert_int_eq(dtx_writer_record(r.w, 1, "", 0, 0, true), DTX_EINVAL);
    ck_assert_int_eq(
        dtx_writer_record(r.w, 1, &r, DTX_JOURNAL_MAX_RECORD + 1, 0, true),
        DTX_EINVAL);
    record(&r, 1, true);
    await_record(&r, 1);
    ck_assert_int_eq(stop(&r, &err), 0);
}
END_TEST

/* After FAILED: said once, records dropped, packs answered with the error. */
static void check_broken(struct rig *r, int code, uint64_t next)
{
    struct dtx_writer_result res;
    int fd = source("output");
    struct dtx_pack p = pack_of(fd, 6, 77);

    record(r, next, true);
    record(r, next + 1, false);
    ck_assert_int_eq(dtx_writer_pack(r->w, &p), 0);
    await(r, &res);
    ck_assert_int_eq(res.kind, DTX_WRITER_PACKED);
    ck_assert_int_eq(res.pack.error, code);
    ck_assert_int_eq(res.pack.capture, 77);
    ck_assert_uint_eq(res.pack.outcome.out_len, 0);
    ck_assert(!dtx_writer_poll(r->w, &res));
    (void)close(fd);
}

/* A limit on file sizes stands for a full disk. The records are large so that
 * what Check itself writes stays below the limit. */
START_TEST(test_journal_full)
{
    static const unsigned char payload[1 << 18];
    struct dtx_writer_result res;
    struct dtx_error err = {0, ""};
    struct rlimit lim;
    struct rig r;
    uint64_t n, torn = 1;
    long long size;
    int code;

    start(&r, "full", 0);
    for (n = 1; n <= 20; n++)
        ck_assert_int_eq(
            dtx_writer_record(r.w, n, payload, sizeof(payload), 0, true), 0);
    await_record(&r, 20);
    size = dtx_scratch_size(r.journal_path);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &lim), 0);
    lim.rlim_cur = (rlim_t)size + 50;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
    for (; n <= 40; n++) /* the thread blocks SIGXFSZ */
        ck_assert_int_eq(
            dtx_writer_record(r.w, n, payload, sizeof(payload), 0, false), 0);
    await(&r, &res);
    ck_assert_int_eq(res.kind, DTX_WRITER_FAILED);
    ck_assert_int_lt(res.error, 0);
    ck_assert_ptr_nonnull(strstr(res.text, "journal"));
    code = res.error;
    check_broken(&r, code, n);
    ck_assert_int_eq(stop(&r, &err), code);
    ck_assert_ptr_nonnull(strstr(err.text, "journal"));
    ck_assert_int_eq(dtx_scratch_size(r.journal_path), size);
    ck_assert_int_eq(dtx_journal_read(r.journal_path, NULL, NULL, &torn, &err),
                     0);
    ck_assert_uint_eq(torn, 0);
}
END_TEST

START_TEST(test_lease_lost)
{
    struct dtx_writer_result res;
    struct dtx_error err = {0, ""};
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_lease l;
    struct rig r;

    start(&r, "lost", 0);
    record(&r, 1, true);
    await_record(&r, 1);
    dtx_lease_self(&l);
    l.epoch = 9;
    dtx_lease_format(&l, &b);
    ck_assert(dtx_scratch_write("lost/lease", b.data, b.len));
    dtx_buf_free(&b);
    await(&r, &res); /* at the next beat, without anything asked */
    ck_assert_int_eq(res.kind, DTX_WRITER_FAILED);
    ck_assert_int_eq(res.error, DTX_ESTALE);
    check_broken(&r, DTX_ESTALE, 2);
    ck_assert_int_eq(stop(&r, &err), DTX_ESTALE);
    ck_assert_uint_eq(count(&r), 1);
}
END_TEST

START_TEST(test_idle_beats)
{
    struct timespec ts = {.tv_sec = 0, .tv_nsec = 20000000};
    struct dtx_lease l;
    struct dtx_error err;
    struct rig r;
    int k;

    start(&r, "beats", 0);
    for (k = 0; k < 500; k++) {
        ck_assert_int_eq(dtx_lease_read("beats", &l, &err), 0);
        if (l.beat > 0)
            break;
        (void)nanosleep(&ts, NULL);
    }
    ck_assert_uint_eq(l.beat, 1);
    ck_assert_int_eq(stop(&r, &err), 0);
    ck_assert_int_eq(dtx_lease_read("beats", &l, &err), 0);
    ck_assert(l.released);
}
END_TEST

/* Signals are for the main thread, whatever they do to it. */
static volatile sig_atomic_t taken_by_main;
static pthread_t main_thread;

static void on_signal(int sig)
{
    (void)sig;
    if (pthread_equal(pthread_self(), main_thread))
        taken_by_main++;
}

START_TEST(test_signals_go_elsewhere)
{
    struct sigaction sa = {.sa_handler = on_signal};
    struct dtx_error err;
    struct rig r;
    sigset_t set;
    int k;

    main_thread = pthread_self();
    ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
    start(&r, "signals", 0);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    ck_assert_int_eq(sigismember(&set, SIGUSR1), 0);
    for (k = 1; k <= 50; k++) {
        ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
        ck_assert_int_eq(taken_by_main, k);
        record(&r, (uint64_t)k, true);
    }
    await_record(&r, 50);
    ck_assert_int_eq(stop(&r, &err), 0);
}
END_TEST

/* Failures are kept; what else there is passes, or is not written at all. */
START_TEST(test_keep_failed)
{
    struct dtx_output *output = NULL, *passing = NULL;
    struct dtx_writer_result res;
    struct dtx_error err;
    struct rig r;
    const char *dir = _i ? "keep1" : "keep0";
    int fd = source("0123456789");
    char path[64];
    int32_t i;

    memset(&r, 0, sizeof(r));
    ck_assert_int_eq(sem_init(&r.bell, 0, 0), 0);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    ck_assert_int_eq(dtx_output_open(dir, 1, 0, &output, &err), 0);
    if (_i == 1)
        ck_assert_int_eq(dtx_output_open_passing(dir, 1, 0, &passing, &err),
                         0);
    ck_assert_int_eq(
        dtx_writer_start(&(struct dtx_writer_config){.output = output,
                                                     .passing = passing,
                                                     .keep = DTX_KEEP_FAILED,
                                                     .notify = ring,
                                                     .ctx = &r},
                         &r.w, &err),
        0);
    for (i = 0; i < 40; i++) {
        struct dtx_pack p = pack_of(fd, i % 4 < 2 ? 10 : 0, i);

        p.outcome.status = i % 2 ? DTX_STATUS_FAILED : DTX_STATUS_OK;
        ck_assert_int_eq(dtx_writer_pack(r.w, &p), 0);
    }
    for (i = 0; i < 40; i++) {
        const struct dtx_outcome *o = &res.pack.outcome;

        await(&r, &res);
        ck_assert_int_eq(res.pack.capture, i);
        ck_assert_int_eq(res.pack.error, 0);
        ck_assert_uint_eq(o->out_len, i % 4 < 2 ? 10 : 0);
        ck_assert_int_eq(dtx_outcome_is_kept(o), i % 4 != 0);
    }
    ck_assert_int_eq(dtx_writer_stop(r.w, &err), 0);
    (void)snprintf(path, sizeof(path), "%s/out/e1-r0", dir);
    ck_assert_int_eq(dtx_scratch_size(path), 100);
    (void)snprintf(path, sizeof(path), "%s/out/e1-r0.p0", dir);
    ck_assert_int_eq(dtx_scratch_size(path), _i ? 100 : -1);
    dtx_output_close(output);
    dtx_output_close(passing);
    (void)close(fd);
}
END_TEST

/* A file of results that cannot be written takes only its own task along. */
START_TEST(test_results_refused)
{
    struct dtx_output *output = NULL;
    struct dtx_writer_result res;
    struct dtx_error err;
    struct rig r;
    char at[9][32];
    int fd = source("0123456789"), i;

    memset(&r, 0, sizeof(r));
    ck_assert_int_eq(sem_init(&r.bell, 0, 0), 0);
    ck_assert_int_eq(mkdir("refused", 0777), 0);
    ck_assert_int_eq(mkdir("refused.d", 0777), 0);
    ck_assert_int_eq(close(open("refused.d/4", O_WRONLY | O_CREAT, 0600)), 0);
    ck_assert_int_eq(dtx_output_open("refused", 1, 0, &output, &err), 0);
    ck_assert_int_eq(
        dtx_writer_start(&(struct dtx_writer_config){.output = output,
                                                     .keep = DTX_KEEP_ALL,
                                                     .notify = ring,
                                                     .ctx = &r},
                         &r.w, &err),
        0);
    for (i = 0; i < 9; i++) {
        struct dtx_pack p = pack_of(fd, 10, i);

        p.outcome.task = (uint32_t)i;
        (void)snprintf(at[i], sizeof(at[i]), "refused.d/%d/", i + 1);
        p.results = at[i];
        ck_assert_int_eq(dtx_writer_pack(r.w, &p), 0);
    }
    for (i = 0; i < 9; i++) {
        await(&r, &res);
        ck_assert_int_eq(res.pack.capture, i);
        ck_assert_int_eq(res.pack.error != 0, i == 3);
        ck_assert_uint_eq(res.pack.outcome.out_len, i == 3 ? 0 : 10);
    }
    ck_assert_int_eq(dtx_writer_stop(r.w, &err), 0);
    ck_assert_int_eq(dtx_scratch_size("refused/out/e1-r0"), 80);
    ck_assert_int_eq(dtx_scratch_size("refused.d/9/stdout"), 10);
    dtx_output_close(output);
    (void)close(fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store/writer");
    TCase *t = tcase_create("writer");

    dtx_scratch_enter();
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_records);
    tcase_add_test(t, test_many_records);
    tcase_add_test(t, test_gathering);
    tcase_add_test(t, test_packs_in_order);
    tcase_add_test(t, test_records_pass_a_long_pack);
    tcase_add_test(t, test_stop_finishes);
    tcase_add_test(t, test_stop_at_once);
    tcase_add_test(t, test_wrong_use);
    tcase_add_test(t, test_journal_full);
    tcase_add_test(t, test_lease_lost);
    tcase_add_test(t, test_idle_beats);
    tcase_add_test(t, test_signals_go_elsewhere);
    tcase_add_loop_test(t, test_keep_failed, 0, 2);
    tcase_add_test(t, test_results_refused);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

/* SPDX-License-Identifier: MIT */
/* tests/bench/store.c - what the store thread manages
 *
 *     store DIRECTORY [RECORDS]
 *
 * In a directory that is empty but for what it makes: records a second (an
 * outcome each, as a run writes them), the time until an urgent record is
 * written, and outputs of one line packed a second.
 */
#include <fcntl.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "store/journal.h"
#include "store/output.h"
#include "store/writer.h"
#include "task/outcome.h"
#include "task/task.h"
#include "wire/wire.h"

#define URGENT 2000

struct bench {
    struct dtx_journal *journal;
    struct dtx_output *output;
    struct dtx_output_index *index;
    struct dtx_writer *writer;
    sem_t bell;
    uint64_t number;
};

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "store: %s\n", what);
    exit(1);
}

static double seconds(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ring(void *ctx)
{
    need(sem_post(&((struct bench *)ctx)->bell) == 0, "sem_post");
}

static void begin(struct bench *b)
{
    struct dtx_error err = {0, ""};
    struct dtx_writer_config c = {.sync_ns = DTX_SEC_NS, .notify = ring};

    memset(b, 0, sizeof(*b));
    need(sem_init(&b->bell, 0, 0) == 0, "sem_init");
    need(mkdir("out", 0777) == 0, "the directory is not empty");
    need(dtx_journal_create("journal", &b->journal, &err) == 0, err.text);
    need(dtx_output_open(".", 1, 0, &b->output, &err) == 0, err.text);
    need(dtx_output_index_open(".", &b->index, &err) == 0, err.text);
    c.output = b->output;
    c.journal = b->journal;
    c.index = b->index;
    c.ctx = b;
    need(dtx_writer_start(&c, &b->writer, &err) == 0, err.text);
}

static void finish(struct bench *b)
{
    struct dtx_error err = {0, ""};

    need(dtx_writer_stop(b->writer, &err) == 0, err.text);
    dtx_output_index_close(b->index);
    dtx_output_close(b->output);
    dtx_journal_close(b->journal);
    (void)sem_destroy(&b->bell);
}

static void await(struct bench *b, struct dtx_writer_result *r)
{
    while (!dtx_writer_poll(b->writer, r))
        (void)sem_wait(&b->bell);
    need(r->kind != DTX_WRITER_FAILED, "the store has failed");
}

static void record(struct bench *b, const struct dtx_buf *payload, bool urgent)
{
    b->number++;
    need(dtx_writer_record(b->writer, b->number, payload->data, payload->len,
                           (uint32_t)(b->number - 1), urgent) == 0,
         "no memory");
}

static void await_records(struct bench *b)
{
    struct dtx_writer_result r;

    do {
        await(b, &r);
    } while (r.kind != DTX_WRITER_RECORDED || r.recorded < b->number);
}

/* What a run writes when a task has ended. */
static void encode(struct dtx_buf *payload)
{
    struct dtx_rec rec = {.kind = DTX_REC_OUTCOME};
    struct dtx_item_outcome item = {.task = 123456,
                                    .attempt = 1,
                                    .rank = 17,
                                    .slot = 3,
                                    .status = DTX_STATUS_OK,
                                    .source = DTX_SOURCE_RUSAGE,
                                    .start_ns = INT64_C(1795000000000000000),
                                    .wall_ns = 12345678,
                                    .utime_ns = 8000000,
                                    .stime_ns = 2000000,
                                    .maxrss_kib = 3456,
                                    .minflt = 120,
                                    .nvcsw = 2,
                                    .out_off = 12345678,
                                    .out_len = 42,
                                    .out_crc = 0xdeadbeef};

    rec.u.outcome.epoch = 1;
    rec.u.outcome.final = 1;
    dtx_rec_encode(payload, &rec);
    dtx_item_outcome_encode(payload, &item);
    need(!payload->failed, "no memory");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void time_records(struct bench *b, const struct dtx_buf *payload,
                         uint64_t n)
{
    double start = seconds(), all;
    uint64_t i;

    for (i = 0; i < n; i++)
        record(b, payload, false);
    await_records(b);
    all = seconds() - start;
    (void)printf("records         %10.0f a second (%llu of %zu bytes)\n",
                 (double)n / all, (unsigned long long)n, payload->len);
}

static void time_urgent(struct bench *b, const struct dtx_buf *payload)
{
    static double us[URGENT];
    size_t i;

    for (i = 0; i < URGENT; i++) {
        double start = seconds();

        record(b, payload, true);
        await_records(b);
        us[i] = (seconds() - start) * 1e6;
    }
    qsort(us, URGENT, sizeof(us[0]), compare);
    (void)printf("urgent record   %10.0f us until written, median; %.0f at "
                 "the 99th percentile\n",
                 us[URGENT / 2], us[URGENT * 99 / 100]);
}

static void time_packs(struct bench *b, uint64_t n)
{
    static const char line[] = "a line of output\n";
    struct dtx_pack p = {.err_fd = -1, .lazy = true};
    struct dtx_writer_result r;
    double start;
    uint64_t i, done = 0;

    p.out_fd = open("line", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    need(p.out_fd >= 0 &&
             write(p.out_fd, line, sizeof(line) - 1) == sizeof(line) - 1,
         "cannot write");
    p.err_fd = p.out_fd;
    p.outcome.out_len = sizeof(line) - 1;
    start = seconds();
    for (i = 0; i < n; i++)
        need(dtx_writer_pack(b->writer, &p) == 0, "no memory");
    while (done < n) {
        await(b, &r);
        if (r.kind == DTX_WRITER_PACKED) {
            need(r.pack.error == 0, "an output could not be packed");
            done++;
        }
    }
    (void)printf("outputs packed  %10.0f a second (%llu of %zu bytes)\n",
                 (double)n / (seconds() - start), (unsigned long long)n,
                 sizeof(line) - 1);
    (void)close(p.out_fd);
}

int main(int argc, char **argv)
{
    struct bench b;
    struct dtx_buf payload = DTX_BUF_INIT;
    int64_t n = 1000000;

    if (argc < 2 || argc > 3 ||
        (argc == 3 && dtx_parse_int(argv[2], 1, INT32_MAX, &n))) {
        (void)fprintf(stderr, "usage: store DIRECTORY [RECORDS]\n");
        return 2;
    }
    need(chdir(argv[1]) == 0, "no such directory");
    begin(&b);
    encode(&payload);
    time_records(&b, &payload, (uint64_t)n);
    time_urgent(&b, &payload);
    time_packs(&b, (uint64_t)n / 10 + 1);
    finish(&b);
    dtx_buf_free(&payload);
    return fflush(stdout) == 0 ? 0 : 1;
}

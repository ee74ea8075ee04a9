/* SPDX-License-Identifier: MIT */
/* tests/unit/spawner_fixture.h - a spawner for a test, and its results
 *
 * start(n) makes one with n slots; run() hands over a command, next_ended()
 * waits for a result and reads its output, stop() ends it.  Tasks run in a
 * scratch directory: main calls enter_scratch() first.
 */
#ifndef DTX_TESTS_UNIT_SPAWNER_FIXTURE_H
#define DTX_TESTS_UNIT_SPAWNER_FIXTURE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "node/bell.h"
#include "node/clock.h"
#include "node/spawner.h"
#include "store_dir.h"

#define PATIENCE_NS (60 * DTX_SEC_NS)
#define TEXT_MAX 4096

extern char **environ;

static struct dtx_bell *bell;
static struct dtx_spawner *spawner;
static const char *const dir = dtx_scratch_path; /* where tasks run */
static uint32_t next_task;
static bool counts = true; /* what follows */

/* An ended task with the beginning of its output. */
struct ended {
    struct dtx_spawn_result r;
    char out[TEXT_MAX], err[TEXT_MAX];
};

static inline void enter_scratch(void)
{
    dtx_scratch_enter();
    (void)unsetenv("OMP_NUM_THREADS");
}

static inline void start_with(const struct dtx_spawner_config *c)
{
    struct dtx_error err = {0};

    bell = dtx_bell_create(&err);
    ck_assert_msg(bell != NULL, "%s", err.text);
    ck_assert_msg(dtx_spawner_fork(bell, counts, &spawner, &err) == DTX_OK, "%s",
                  err.text);
    ck_assert_msg(dtx_spawner_configure(spawner, c, &err) == DTX_OK, "%s",
                  err.text);
    next_task = 0;
}

static inline struct dtx_spawner_config make_config(uint32_t nslots)
{
    struct dtx_spawner_config c = {.nslots = nslots,
                                   .first_slot = 1,
                                   .shell = "/bin/sh",
                                   .cwd = dir,
                                   .run_dir = dir,
                                   .capture = true,
                                   .grace_ns = 200 * DTX_MSEC_NS,
                                   .env = environ};
    return c;
}

static inline void start(uint32_t nslots)
{
    struct dtx_spawner_config c = make_config(nslots);

    start_with(&c);
}

static inline void stop(void)
{
    dtx_spawner_stop(spawner);
    dtx_bell_destroy(bell);
    spawner = NULL;
    bell = NULL;
}

static inline struct dtx_spawn_request request(const char *command)
{
    struct dtx_spawn_request q = {.task = next_task++,
                                  .attempt = 1,
                                  .cpus = 1,
                                  .command = command,
                                  .len = strlen(command)};
    return q;
}

static inline uint32_t run(const char *command)
{
    struct dtx_spawn_request q = request(command);

    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    return q.task;
}

static inline uint32_t run_wide(const char *command, uint32_t cpus)
{
    struct dtx_spawn_request q = request(command);

    q.cpus = cpus;
    ck_assert_int_eq(dtx_spawner_run(spawner, &q), DTX_OK);
    return q.task;
}

static inline void read_text(int fd, int64_t at, uint64_t len, char *out)
{
    size_t n = len < TEXT_MAX - 1 ? (size_t)len : TEXT_MAX - 1;

    ck_assert_int_eq(pread(fd, out, n, at), (ssize_t)n);
    out[n] = '\0';
}

/* Read and release the output of a result. */
static inline void read_output(struct ended *e)
{
    int out_fd, err_fd;
    int64_t out_at, err_at;

    e->out[0] = e->err[0] = '\0';
    if (e->r.capture < 0)
        return;
    ck_assert_int_eq(dtx_spawner_capture_fds(spawner, e->r.capture, &out_fd,
                                             &out_at, &err_fd, &err_at),
                     DTX_OK);
    read_text(out_fd, out_at, e->r.outcome.out_len, e->out);
    read_text(err_fd, err_at, e->r.outcome.err_len, e->err);
    dtx_spawner_release(spawner, e->r.capture);
}

/* The next result, its capture still held. */
static inline struct dtx_spawn_result next_result(void)
{
    int64_t end_ns = dtx_clock_mono_ns() + PATIENCE_NS;
    struct dtx_spawn_result r;

    for (;;) {
        uint32_t seen = dtx_bell_seen(bell);

        if (dtx_spawner_poll(spawner, &r))
            return r;
        ck_assert_msg(dtx_clock_mono_ns() < end_ns, "no result came");
        dtx_bell_wait(bell, seen, DTX_SEC_NS);
    }
}

static inline struct ended next_ended(void)
{
    struct ended e;

    e.r = next_result();
    read_output(&e);
    return e;
}

static inline struct ended run_one(const char *command)
{
    uint32_t task = run(command);
    struct ended e = next_ended();

    ck_assert_uint_eq(e.r.outcome.task, task);
    return e;
}

static inline bool nothing_comes(int64_t wait_ns)
{
    struct dtx_spawn_result r;
    uint32_t seen = dtx_bell_seen(bell);

    if (dtx_spawner_poll(spawner, &r))
        return false;
    dtx_bell_wait(bell, seen, wait_ns);
    return !dtx_spawner_poll(spawner, &r);
}

#endif

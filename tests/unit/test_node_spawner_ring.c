/* SPDX-License-Identifier: MIT */
/* Tests of node/spawner_ring: what goes in comes out, in order, whatever the
 * sizes; a full ring says so. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "check_main.h"
#include "node/spawner_ring.h"

#define RECORDS 60000u

static size_t random_size(struct dtx_rng *r)
{
    switch (dtx_rng_below(r, 100)) {
    case 0:
        return sizeof(struct dtx_record) + dtx_rng_below(r, 1u << 20);
    case 1:
        return DTX_RING_RECORD_MAX;
    default:
        return sizeof(struct dtx_record) + dtx_rng_below(r, 300);
    }
}

static bool put(struct dtx_ring *m, uint32_t number, size_t size)
{
    struct dtx_record *r = dtx_ring_reserve(m, size);

    if (!r)
        return false;
    r->kind = DTX_RECORD_RUN;
    r->task = number;
    r->len = (uint32_t)(size - sizeof(*r));
    memset(r + 1, (int)(number & 0xff), r->len);
    dtx_ring_publish(m, r);
    return true;
}

/* The oldest record is 'number' and whole. */
static bool take(struct dtx_ring *m, uint32_t number)
{
    struct dtx_record *r = dtx_ring_peek(m);
    const unsigned char *p;
    bool good;

    if (!r)
        return false;
    p = (const unsigned char *)(r + 1);
    good = r->task == number &&
           (r->len == 0 || (p[0] == (number & 0xff) &&
                            p[r->len - 1] == (number & 0xff)));
    if (!good)
        _exit(9);
    dtx_ring_drop(m, r);
    return true;
}

START_TEST(test_random_sizes)
{
    struct dtx_ring *m = dtx_ring_map();
    struct dtx_rng rng;
    uint32_t in = 0, out = 0, full = 0;

    ck_assert_ptr_nonnull(m);
    dtx_rng_seed(&rng, 1 + (uint64_t)_i);
    while (out < 5000) {
        if (dtx_rng_below(&rng, 100) < 60) {
            if (put(m, in, random_size(&rng)))
                in++;
            else
                full++;
        } else if (take(m, out)) {
            out++;
        } else {
            ck_assert_uint_eq(in, out);
        }
    }
    while (out < in)
        ck_assert(take(m, out++));
    ck_assert_ptr_null(dtx_ring_peek(m));
    ck_assert_uint_gt(full, 0);
    dtx_ring_unmap(m);
}
END_TEST

/* The largest record fits into an empty ring wherever it stands. */
START_TEST(test_largest_fits)
{
    struct dtx_ring *m = dtx_ring_map();
    uint32_t n = 0, i;

    ck_assert_ptr_nonnull(m);
    for (i = 0; i < 200; i++) {
        ck_assert(put(m, n, 64 + i * 1000));
        ck_assert(take(m, n++));
        ck_assert(put(m, n, DTX_RING_RECORD_MAX));
        ck_assert(take(m, n++));
    }
    dtx_ring_unmap(m);
    dtx_ring_unmap(NULL);
}
END_TEST

START_TEST(test_two_processes)
{
    struct dtx_ring *m = dtx_ring_map();
    struct dtx_rng rng;
    uint32_t n = 0;
    int status;
    pid_t pid;

    ck_assert_ptr_nonnull(m);
    pid = fork();
    if (pid == 0) {
        while (n < RECORDS)
            n += take(m, n);
        _exit(0);
    }
    ck_assert_int_gt(pid, 0);
    dtx_rng_seed(&rng, 7);
    while (n < RECORDS)
        n += put(m, n, sizeof(struct dtx_record) + dtx_rng_below(&rng, 5000));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    dtx_ring_unmap(m);
}
END_TEST

START_TEST(test_done)
{
    struct dtx_ring *m = dtx_ring_map();
    uint32_t i;

    ck_assert_ptr_nonnull(m);
    for (i = 0; i < 3 * DTX_RING_ENTRIES; i++) {
        dtx_ring_done(m, i % 17);
        ck_assert_uint_eq(atomic_load(&m->done_tail), i + 1);
        ck_assert_uint_eq(m->done[i % DTX_RING_ENTRIES], i % 17);
    }
    dtx_ring_unmap(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/spawner_ring");
    TCase *t = tcase_create("ring");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_random_sizes, 0, 8);
    tcase_add_test(t, test_largest_fits);
    tcase_add_test(t, test_two_processes);
    tcase_add_test(t, test_done);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

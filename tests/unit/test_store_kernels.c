/* SPDX-License-Identifier: MIT */
/* tests/unit/test_store_kernels.c - what is written is read; damage is passed
 * over, what is foreign is refused, and never touched */
#include "store/kernels.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"
#include "store/journal.h"
#include "store_dir.h"

struct seen {
    int loops, tooks;
    uint64_t ns;
    size_t bytes;
    double x;
};

static int on_loop(void *ctx, const struct dtx_kernels_loop *l)
{
    struct seen *s = ctx;

    s->loops++;
    s->bytes += l->ns.len;
    ck_assert(l->end > l->begin && l->total > 0);
    return 0;
}

static int on_took(void *ctx, const struct dtx_kernels_took *t)
{
    struct seen *s = ctx;

    s->tooks++;
    s->ns += t->ns;
    s->x += t->nx == 2 ? t->x[1] : 0;
    return 0;
}

static int parse(const struct dtx_buf *b, struct seen *s, uint64_t *out,
                 struct dtx_error *err)
{
    struct dtx_kernels_reader r = {on_loop, on_took, s};

    memset(s, 0, sizeof(*s));
    return dtx_kernels_parse("file", b->data, b->len, &r, out, err);
}

static void make(struct dtx_buf *b)
{
    static const double x[] = {3.5, -2};

    for (uint64_t i = 1; i <= 5; i++) {
        dtx_kernels_put_loop(b, "loop", i, 100, 10, x, 1,
                             (struct dtx_str){"abcdef", 6});
        dtx_kernels_put_took(b, "task", 64, 0.25, x, 2, i);
    }
}

START_TEST(what_is_written_is_read)
{
    struct dtx_buf b = DTX_BUF_INIT, back = DTX_BUF_INIT;
    struct dtx_error err = {0};
    struct seen s;
    uint64_t out = 9;

    make(&b);
    for (int k = 0; k < 2; k++) /* the second takes the place of the first */
        ck_assert_int_eq(dtx_kernels_write("kept", &b, &err), 0);
    ck_assert_int_eq(dtx_kernels_load("kept", &back, &err), 0);
    ck_assert_int_eq(parse(&back, &s, &out, &err), 0);
    ck_assert(s.loops == 5 && s.tooks == 5 && s.ns == 15 && s.bytes == 30);
    ck_assert_double_eq(s.x, -10);
    ck_assert_uint_eq(out, 0);
    dtx_buf_clear(&back);
    ck_assert_int_eq(dtx_kernels_load("none", &back, &err), DTX_ENOENT);
    ck_assert_int_eq(dtx_kernels_load(".", &back, &err), DTX_EFOREIGN);
    ck_assert_int_ne(dtx_kernels_write("no/such/folder", &b, &err), 0);
    dtx_buf_free(&b);
    dtx_buf_free(&back);
}
END_TEST

START_TEST(senseless_records_are_left_out)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0};
    const double inf = 1e308 * 10, x[9] = {1};
    struct seen s;
    uint64_t out = 0;

    make(&b);
    dtx_kernels_put_took(&b, "", 1, 0, NULL, 0, 1);
    dtx_kernels_put_took(&b, "k", 1, 0, NULL, 0, 0);
    dtx_kernels_put_took(&b, "k", 1, -1, NULL, 0, 1);
    dtx_kernels_put_took(&b, "k", 1, 0, &inf, 1, 1);
    dtx_kernels_put_took(&b, "k", 1, 0, x, 9, 1);
    dtx_kernels_put_loop(&b, "k", 5, 5, 1, NULL, 0, (struct dtx_str){"a", 1});
    dtx_kernels_put_loop(&b, "k", 5, 7, 3, NULL, 0, (struct dtx_str){"a", 1});
    ck_assert_int_eq(parse(&b, &s, &out, &err), 0);
    ck_assert(s.loops == 5 && s.tooks == 5);
    ck_assert_uint_eq(out, 7);
    dtx_buf_free(&b);
}
END_TEST

/* Bytes turned over, and ends cut off: never more than what was there. */
START_TEST(damage_is_passed_over)
{
    struct dtx_buf b = DTX_BUF_INIT, hurt = DTX_BUF_INIT;
    struct dtx_error err = {0};
    struct dtx_rng rng;
    struct seen s;
    uint64_t out;
    int rc;

    dtx_rng_seed(&rng, (uint64_t)_i);
    make(&b);
    for (int k = 0; k < dtx_rounds(300); k++) {
        dtx_buf_clear(&hurt);
        dtx_buf_append(&hurt, b.data, dtx_rng_below(&rng, b.len) + 1);
        hurt.data[dtx_rng_below(&rng, hurt.len)] ^=
            (char)(1 + dtx_rng_below(&rng, 255));
        rc = parse(&hurt, &s, &out, &err);
        ck_assert(rc == 0 || rc == DTX_EFOREIGN);
        ck_assert(s.loops <= 5 && s.tooks <= 5);
    }
    dtx_buf_free(&b);
    dtx_buf_free(&hurt);
}
END_TEST

START_TEST(foreign_files_are_refused)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0};
    struct seen s;

    dtx_buf_str(&b, "#!/bin/sh\necho what a day\n");
    ck_assert_int_eq(parse(&b, &s, NULL, &err), DTX_EFOREIGN);
    ck_assert_ptr_nonnull(strstr(err.text, "file"));
    dtx_buf_clear(&b);
    dtx_journal_head(&b);
    dtx_journal_frame(&b, "\x06\x01\x01", 3); /* LISTED */
    ck_assert_int_eq(parse(&b, &s, NULL, &err), DTX_EFOREIGN);
    dtx_buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store/kernels");
    TCase *t = tcase_create("all");

    dtx_scratch_enter();
    tcase_add_test(t, what_is_written_is_read);
    tcase_add_test(t, senseless_records_are_left_out);
    tcase_add_loop_test(t, damage_is_passed_over, 0, 3);
    tcase_add_test(t, foreign_files_are_refused);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

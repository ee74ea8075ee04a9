/* SPDX-License-Identifier: MIT */
/* tests/unit/test_cli_history_usage.c - what classes used, from a history's
 * file
 */
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "check_main.h"
#include "cli/history_usage.h"
#include "store/history.h"
#include "store_dir.h"
#include "task/outcome.h"
#include "wire/experience.h"

static void add(struct dtx_experience *e, struct dtx_exp_outcome o)
{
    o.host = dtx_experience_host(e, "h", 1);
    ck_assert_int_eq(dtx_experience_outcome(e, &o), DTX_OK);
}

static void write_history(const char *dir, const struct dtx_experience *e)
{
    struct dtx_error err = {0, ""};
    struct dtx_history_file f;

    memset(&f, 0, sizeof(f));
    dtx_history_id(0, 1, f.id);
    (void)snprintf(f.what, sizeof(f.what), "a job");
    f.made_ns = 1;
    ck_assert_msg(dtx_history_write(dir, &f, e, &err) == 0, "%s", err.text);
}

static void is(const struct dtx_usage *c, enum dtx_usage_trait what, double x)
{
    double v = -1;

    ck_assert(dtx_usage_get(c, what, &v));
    ck_assert_double_eq_tol(v, x, 0.02 * x);
}

START_TEST(what_was_counted_comes_back)
{
    struct dtx_exp_outcome o = {.class_key = 7,
                                .seconds = 2,
                                .cpu_seconds = 1,
                                .rss_kib = 1024,
                                .status = DTX_STATUS_OK};
    struct dtx_history_usage u;
    struct dtx_experience e;
    struct dtx_error err = {0, ""};
    const struct dtx_usage *c;
    double v;

    memset(&u, 0, sizeof(u));
    memset(&e, 0, sizeof(e));
    add(&e, o); /* not counted: changes no ratio */
    o.counted = 1u << DTX_COUNTED_INSTRUCTIONS | 1u << DTX_COUNTED_CYCLES |
                1u << DTX_COUNTED_MISSES | 1u << DTX_COUNTED_IOWAIT_NS;
    o.instructions = 4e9f;
    o.cycles = 2e9f;
    o.misses = 4e7f;
    o.iowait_seconds = 0.5f;
    add(&e, o);
    o.status = DTX_STATUS_FAILED; /* does not count */
    o.cycles = 9e9f;
    add(&e, o);
    o = (struct dtx_exp_outcome){.class_key = 8, .seconds = 1,
                                 .cpu_seconds = -1, .status = DTX_STATUS_OK};
    add(&e, o); /* from a log */
    ck_assert_int_eq(mkdir("h", 0777), 0);
    write_history("h", &e);
    ck_assert_msg(dtx_history_usage_read(&u, "h", &err) == DTX_OK, "%s",
                  err.text);
    c = dtx_history_usage_of(&u, 7);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(c->n, 2);
    is(c, DTX_USAGE_CPU, 0.5);
    is(c, DTX_USAGE_IO, 0.25);
    is(c, DTX_USAGE_IPC, 2);
    is(c, DTX_USAGE_MISSES, 0.01);
    is(c, DTX_USAGE_BYTES, 4e7 * 64 / 2);
    is(c, DTX_USAGE_PEAK, 1024 * 1024);
    c = dtx_history_usage_of(&u, 8);
    ck_assert(!c || !dtx_usage_get(c, DTX_USAGE_CPU, &v));
    ck_assert_ptr_null(dtx_history_usage_of(&u, 9));
    dtx_history_usage_free(&u);
    dtx_experience_free(&e);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *s = suite_create("cli_history_usage");
    TCase *t = tcase_create("usage");

    tcase_add_test(t, what_was_counted_comes_back);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    dtx_scratch_enter();
    return dtx_check_main(build_suite());
}

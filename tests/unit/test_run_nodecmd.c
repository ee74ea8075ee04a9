/* SPDX-License-Identifier: MIT */
/* tests/unit/test_run_nodecmd.c - who is told what about a node's commands */
#include "run/nodecmd.h"

#include <stdio.h>
#include <string.h>

#include "check_main.h"

/* Two nodes: ranks 0, 1, 4 and ranks 2, 3. */
static const uint32_t leaders[] = {0, 0, 2, 2, 0};
static char said[256];
static struct dtx_nodecmd *n;

static void order(void *ctx, uint32_t rank, enum dtx_node_order what)
{
    static const char *const name[] = {"go", "out", "down", "stop"};
    size_t len = strlen(said);

    (void)ctx;
    (void)snprintf(said + len, sizeof(said) - len, "%u:%s ", rank,
                   name[what - DTX_NODE_GO]);
}

static void begin(bool teardown)
{
    const struct dtx_nodecmd_config c = {.nranks = 5,
                                         .leader = leaders,
                                         .teardown = teardown,
                                         .order = order};

    said[0] = '\0';
    n = dtx_nodecmd_create(&c);
    ck_assert_ptr_nonnull(n);
}

static void expect(const char *text)
{
    ck_assert_str_eq(said, text);
    said[0] = '\0';
}

START_TEST(good_nodes)
{
    begin(true);
    dtx_nodecmd_set_up(n, 2, true);
    expect("2:go 3:go ");
    dtx_nodecmd_set_up(n, 2, false); /* it has said so */
    dtx_nodecmd_set_up(n, 1, true);  /* no leader */
    dtx_nodecmd_set_up(n, 77, true);
    expect("");
    dtx_nodecmd_set_up(n, 0, true);
    expect("0:go 1:go 4:go ");
    dtx_nodecmd_done(n, 3);
    dtx_nodecmd_done(n, 3);
    dtx_nodecmd_done(n, 77);
    expect("");
    dtx_nodecmd_done(n, 2);
    expect("2:down ");
    dtx_nodecmd_torn_down(n, 2);
    dtx_nodecmd_torn_down(n, 2);
    dtx_nodecmd_torn_down(n, 0);
    dtx_nodecmd_done(n, 0);
    dtx_nodecmd_done(n, 1);
    ck_assert(!dtx_nodecmd_over(n));
    dtx_nodecmd_done(n, 4);
    expect("0:down ");
    ck_assert(!dtx_nodecmd_over(n));
    dtx_nodecmd_torn_down(n, 0);
    ck_assert(dtx_nodecmd_over(n));
    ck_assert(!dtx_nodecmd_all_out(n));
    dtx_nodecmd_destroy(n);
}
END_TEST

START_TEST(bad_nodes)
{
    begin(false);
    dtx_nodecmd_set_up(n, 0, false);
    expect("0:out 1:out 4:out ");
    ck_assert(!dtx_nodecmd_all_out(n));
    dtx_nodecmd_set_up(n, 2, false);
    expect("2:out 3:out ");
    ck_assert(dtx_nodecmd_all_out(n));
    dtx_nodecmd_done(n, 0);
    dtx_nodecmd_done(n, 1);
    dtx_nodecmd_done(n, 2);
    dtx_nodecmd_done(n, 3);
    ck_assert(!dtx_nodecmd_over(n));
    dtx_nodecmd_done(n, 4);
    ck_assert(dtx_nodecmd_over(n));
    expect("");
    dtx_nodecmd_destroy(n);
}
END_TEST

START_TEST(stopped)
{
    begin(true);
    dtx_nodecmd_set_up(n, 0, true);
    expect("0:go 1:go 4:go ");
    dtx_nodecmd_stop(n);
    dtx_nodecmd_stop(n);
    expect("2:stop ");
    dtx_nodecmd_stopped(n, 2);
    dtx_nodecmd_stopped(n, 3);
    expect("2:out 3:out ");
    dtx_nodecmd_destroy(n);
    begin(true);
    dtx_nodecmd_stopped(n, 0);
    dtx_nodecmd_stopped(n, 2);
    ck_assert(!dtx_nodecmd_all_out(n));
    dtx_nodecmd_destroy(n);
}
END_TEST

/* With a leader goes what it alone could do. */
START_TEST(lost)
{
    begin(true);
    ck_assert(dtx_nodecmd_lost(n, 2)); /* set-up cannot end any more */
    expect("2:out 3:out ");
    ck_assert(!dtx_nodecmd_lost(n, 2));
    ck_assert(!dtx_nodecmd_lost(n, 77));
    dtx_nodecmd_done(n, 3);
    expect(""); /* nobody is told to tear down */
    dtx_nodecmd_set_up(n, 0, true);
    expect("0:go 1:go 4:go ");
    ck_assert(!dtx_nodecmd_lost(n, 4)); /* no leader: one less to wait for */
    dtx_nodecmd_done(n, 1);
    dtx_nodecmd_done(n, 0);
    expect("0:down ");
    ck_assert(!dtx_nodecmd_over(n));
    ck_assert(dtx_nodecmd_lost(n, 0)); /* in the middle of its tear-down */
    ck_assert(dtx_nodecmd_over(n));
    ck_assert(!dtx_nodecmd_all_out(n));
    dtx_nodecmd_destroy(n);
    begin(false);
    dtx_nodecmd_set_up(n, 2, true);
    expect("2:go 3:go ");
    ck_assert(dtx_nodecmd_lost(n, 2));
    dtx_nodecmd_done(n, 3);
    dtx_nodecmd_set_up(n, 0, true);
    expect("0:go 1:go 4:go ");
    ck_assert(!dtx_nodecmd_lost(n, 1));
    dtx_nodecmd_done(n, 0);
    dtx_nodecmd_done(n, 4);
    ck_assert(dtx_nodecmd_over(n));
    dtx_nodecmd_destroy(n);
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("run/nodecmd");
    TCase *tc = tcase_create("nodecmd");

    tcase_add_test(tc, good_nodes);
    tcase_add_test(tc, bad_nodes);
    tcase_add_test(tc, stopped);
    tcase_add_test(tc, lost);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

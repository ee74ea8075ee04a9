/* SPDX-License-Identifier: MIT */
/* Slurm's lists of nodes and counts: one row per form. */
#include "task/nodelist.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"

static int join(void *ctx, const char *name)
{
    struct dtx_buf *b = ctx;

    dtx_buf_printf(b, "%s%s", b->len ? " " : "", name);
    return b->failed ? DTX_ENOMEM : 0;
}

static const struct {
    const char *list;
    int rc;
    const char *names;
} lists[] = {
    {"login", 0, "login"},
    {"a,b", 0, "a b"},
    {"n[1-3]", 0, "n1 n2 n3"},
    {"n[1-2,7,09-11],login", 0, "n1 n2 n7 n09 n10 n11 login"},
    {"n[098-101]", 0, "n098 n099 n100 n101"},
    {"r[1-2]n[3-4]x", 0, "r1n3x r1n4x r2n3x r2n4x"},
    {"tux[5]", 0, "tux5"},
    {"[1-2]", 0, "1 2"},
    {"", DTX_EPARSE, NULL},
    {",a", DTX_EPARSE, NULL},
    {"a,", DTX_EPARSE, NULL},
    {"n[1-3", DTX_EPARSE, NULL},
    {"n1-3]", DTX_EPARSE, NULL},
    {"n[]", DTX_EPARSE, NULL},
    {"n[3-1]", DTX_EPARSE, NULL},
    {"n[1-]", DTX_EPARSE, NULL},
    {"n[a]", DTX_EPARSE, NULL},
    {"n[1,]", DTX_EPARSE, NULL},
    {"n[1 2]", DTX_EPARSE, NULL},
    {"n 1", DTX_EPARSE, NULL},
    {"n[12345678901]", DTX_ELIMIT, NULL},
};

START_TEST(test_list)
{
    struct dtx_buf b = DTX_BUF_INIT;

    ck_assert_int_eq(dtx_nodelist_each(lists[_i].list, join, &b),
                     lists[_i].rc);
    if (lists[_i].rc == 0)
        ck_assert_str_eq(b.data, lists[_i].names);
    dtx_buf_free(&b);
}
END_TEST

static int count(void *ctx, const char *name)
{
    (*(uint32_t *)ctx)++;
    return strlen(name) <= DTX_NODE_NAME_MAX ? 0 : -1;
}

static int stop_at_two(void *ctx, const char *name)
{
    (void)name;
    return ++*(uint32_t *)ctx == 2 ? -42 : 0;
}

START_TEST(test_limits)
{
    char name[400];
    uint32_t n = 0;

    ck_assert_int_eq(dtx_nodelist_each("n[1-1000000]", count, &n), 0);
    ck_assert_uint_eq(n, DTX_NODES_MAX);
    n = 0;
    ck_assert_int_eq(dtx_nodelist_each("n[1-1000001]", count, &n), DTX_ELIMIT);
    ck_assert_int_eq(
        dtx_nodelist_each("a[1-999999999]b[1-999999999]", count, &n),
        DTX_ELIMIT);
    (void)snprintf(name, sizeof(name), "%0255d", 0);
    ck_assert_int_eq(dtx_nodelist_each(name, count, &n), 0);
    (void)snprintf(name, sizeof(name), "%0255d[1-2]", 0);
    ck_assert_int_eq(dtx_nodelist_each(name, count, &n), DTX_ELIMIT);
    n = 0;
    ck_assert_int_eq(dtx_nodelist_each("n[1-9]", stop_at_two, &n), -42);
    ck_assert_uint_eq(n, 2);
}
END_TEST

static const struct {
    const char *text;
    int rc;
    uint32_t nodes;
    uint64_t sum;
    uint32_t least, most;
} counts[] = {
    {"2(x3),1", 0, 4, 7, 1, 2},
    {"64", 0, 1, 64, 64, 64},
    {"128(x1000)", 0, 1000, 128000, 128, 128},
    {"0,3", 0, 2, 3, 0, 3},
    {"", DTX_EPARSE, 0, 0, 0, 0},
    {"2(x", DTX_EPARSE, 0, 0, 0, 0},
    {"2(x3", DTX_EPARSE, 0, 0, 0, 0},
    {"2(x0)", DTX_EPARSE, 0, 0, 0, 0},
    {"2(3)", DTX_EPARSE, 0, 0, 0, 0},
    {"2,", DTX_EPARSE, 0, 0, 0, 0},
    {"2;3", DTX_EPARSE, 0, 0, 0, 0},
    {"two", DTX_EPARSE, 0, 0, 0, 0},
    {"1(x999999999)", DTX_ELIMIT, 0, 0, 0, 0},
};

START_TEST(test_counts)
{
    struct dtx_node_counts c = {9, 9, 9, 9};

    ck_assert_int_eq(dtx_node_counts(counts[_i].text, &c), counts[_i].rc);
    if (counts[_i].rc) {
        ck_assert_uint_eq(c.nodes, 9); /* untouched */
        return;
    }
    ck_assert_uint_eq(c.nodes, counts[_i].nodes);
    ck_assert_uint_eq(c.sum, counts[_i].sum);
    ck_assert_uint_eq(c.least, counts[_i].least);
    ck_assert_uint_eq(c.most, counts[_i].most);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/nodelist");
    TCase *tc = tcase_create("nodelist");

    tcase_add_loop_test(tc, test_list, 0, DTX_COUNT(lists));
    tcase_add_test(tc, test_limits);
    tcase_add_loop_test(tc, test_counts, 0, DTX_COUNT(counts));
    suite_add_tcase(s, tc);
    return dtx_check_main(s);
}

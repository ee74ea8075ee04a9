/* SPDX-License-Identifier: MIT */
/* What cards say of nodes as a stock; tasks that fit nowhere; variables. */
#include "run/needs.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"
#include "run/place.h"
#include "sched/stock.h"
#include "task/machine.h"
#include "task/task.h"

enum { RANKS = 5 };

static struct dtx_card card[RANKS];

/* Ranks 0, 2 and 4 on n0, which has 64 bytes and two devices; rank 4 sees one
 * of these alone. Ranks 1 and 3 on n1, with a limit of 32 and no devices. */
static void deal(void)
{
    uint32_t r, i;

    memset(card, 0, sizeof(card));
    for (r = 0; r < RANKS; r++) {
        struct dtx_machine m;

        dtx_machine_init(&m);
        (void)snprintf(card[r].host, sizeof(card[r].host), "n%u", r % 2);
        m.mem_bytes = 64;
        m.mem_limit = r % 2 ? 32 : 0;
        for (i = r == 4; r % 2 == 0 && i < 2; i++) {
            struct dtx_gpu *g = dtx_machine_add_gpu(&m);

            (void)snprintf(g->name, sizeof(g->name), "%u", i);
            g->numa = g->package = DTX_MACHINE_NONE;
        }
        dtx_card_place(&card[r], &m);
        dtx_machine_free(&m);
    }
}

/* Who could have so much: bit r is rank r. */
static const struct {
    int64_t each;
    struct dtx_need need;
    uint32_t ranks;
} cases[] = {
    {0, {0, 0}, 31},  {0, {32, 0}, 31}, {0, {33, 0}, 21}, {0, {65, 0}, 0},
    {0, {0, 1}, 21},  {0, {0, 2}, 5},   {0, {33, 2}, 5},  {0, {0, 3}, 0},
    {16, {17, 0}, 0}, {48, {33, 0}, 21}, {48, {49, 0}, 0},
};

START_TEST(test_stock)
{
    struct dtx_needs n;
    uint32_t r, could = 0;

    memset(&n, 0, sizeof(n));
    deal();
    ck_assert_int_eq(dtx_needs_init(&n, card, RANKS, cases[_i].each), DTX_OK);
    for (r = 0; r < RANKS; r++)
        could |= (uint32_t)dtx_stock_could(n.stock, r, &cases[_i].need) << r;
    ck_assert_uint_eq(could, cases[_i].ranks);
    dtx_needs_fini(&n);
}
END_TEST

/* Memory is the node's, whichever rank took it. */
START_TEST(test_shared)
{
    struct dtx_needs n;
    struct dtx_need need = {40, 1};
    uint32_t r;

    memset(&n, 0, sizeof(n));
    deal();
    ck_assert_int_eq(dtx_needs_init(&n, card, RANKS, 0), DTX_OK);
    for (r = 0; r < RANKS; r++)
        ck_assert(dtx_stock_join(n.stock, r));
    ck_assert(dtx_stock_take(n.stock, 0, 7, &need));
    ck_assert(!dtx_stock_take(n.stock, 2, 8, &need));
    need.mem_bytes = 24;
    ck_assert(dtx_stock_take(n.stock, 2, 8, &need));
    ck_assert_uint_eq(dtx_stock_devices(n.stock, 0, 7) ^
                          dtx_stock_devices(n.stock, 2, 8), 3);
    dtx_needs_fini(&n);
}
END_TEST

static void add_wide(struct dtx_tasklist *l, uint32_t cpus, int64_t mem,
                     uint32_t gpus)
{
    struct dtx_task_attr a = {.cpus = cpus, .cwd = DTX_NO_TEXT,
                              .env = DTX_NO_TEXT, .gpus = gpus,
                              .mem_bytes = mem};
    uint32_t index;

    ck_assert_int_eq(dtx_tasklist_attr(l, &a, &index), 0);
    ck_assert_int_eq(dtx_tasklist_add(l, "x", 1, index, 9, DTX_NO_TEXT), 0);
}

static void add(struct dtx_tasklist *l, int64_t mem, uint32_t gpus)
{
    add_wide(l, 1, mem, gpus);
}

/* The slots are on one node and the devices on the other. */
START_TEST(test_wide)
{
    const struct dtx_jobs jobs = {.how = DTX_JOBS_CORES};
    struct dtx_error err = {0, ""};
    struct dtx_tasklist l;
    struct dtx_needs n;
    uint32_t r;

    memset(&n, 0, sizeof(n));
    deal();
    for (r = 0; r < RANKS; r++) {
        card[r].ncores = r % 2 ? 4 : 1;
        ((unsigned char *)card[r].pus)[0] = (unsigned char)(1 << r);
    }
    n.jobs = &jobs;
    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    ck_assert_int_eq(dtx_needs_init(&n, card, RANKS, 0), DTX_OK);
    add_wide(&l, 4, 32, 0);
    add_wide(&l, 1, 0, 2);
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_OK);
    add_wide(&l, 4, 33, 0);
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_EPARSE);
    ck_assert_ptr_nonnull(strstr(err.text, "f:9: task 3 asks for cpus=4, mem="
                                           "33 B and gpus=0, and no rank"));
    add_wide(&l, 2, 0, 1);
    ck_assert_int_eq(dtx_needs_check(&n, &l, 3, "f", &err), DTX_EPARSE);
    n.jobs = NULL;
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_OK);
    dtx_needs_fini(&n);
    dtx_tasklist_fini(&l);
}
END_TEST

START_TEST(test_check)
{
    struct dtx_tasklist l;
    struct dtx_needs n;
    struct dtx_error err = {0, ""};

    memset(&n, 0, sizeof(n));
    deal();
    ck_assert_int_eq(dtx_tasklist_init(&l), 0);
    add(&l, 0, 0);
    add(&l, -1, DTX_NO_GPUS);
    ck_assert(!dtx_needs_asked(&l, false, 0, 0));
    ck_assert(dtx_needs_asked(&l, true, 0, 0));
    ck_assert(dtx_needs_asked(&l, false, 1, 0));
    ck_assert_int_eq(dtx_needs_init(&n, card, RANKS, 0), DTX_OK);
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_OK);
    n.gpus = 3; /* for the first, which does not say */
    ck_assert_int_eq(dtx_needs_check(&n, &l, 1, "f", &err), DTX_OK);
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "--gpus 3: the node with most (n0)"
                                           " has 2"));
    n.gpus = 0;
    n.mem_bytes = 65;
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "--mem 65 B: the largest node (n0) "
                                           "has 64 B"));
    n.mem_bytes = 0;
    add(&l, 33, 3);
    ck_assert(dtx_needs_asked(&l, false, 0, 0));
    ck_assert_int_eq(dtx_needs_check(&n, &l, 0, "f", &err), DTX_EPARSE);
    ck_assert_ptr_nonnull(strstr(err.text, "f:9: task 3 asks for gpus=3: the "
                                           "node with most (n0) has 2"));
    add(&l, 65, 0);
    ck_assert_int_eq(dtx_needs_check(&n, &l, 3, NULL, &err), DTX_EPARSE);
    ck_assert_int_eq(strncmp(err.text, "task 4 asks for mem=65 B: the largest",
                             37), 0);
    dtx_needs_fini(&n);
    dtx_tasklist_fini(&l);
}
END_TEST

/* Node n0 has 64 bytes, n1 of as many may use 32. */
START_TEST(test_check_free)
{
    struct dtx_error err = {0, ""};
    struct dtx_machine m;
    uint32_t r;

    deal();
    ck_assert_int_eq(dtx_needs_check_free(card, RANKS, 65, &err), DTX_OK);
    for (r = 0; r < RANKS; r++) {
        dtx_card_machine(&card[r], &m);
        m.real = true;
        dtx_card_place(&card[r], &m);
        dtx_machine_free(&m);
    }
    ck_assert_int_eq(dtx_needs_check_free(card, RANKS, 64, &err), DTX_OK);
    ck_assert_int_eq(dtx_needs_check_free(card, RANKS, 65, &err), DTX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "--memfree 65 B: the largest node "
                                           "(n0) has 64 B"));
    ck_assert_int_eq(dtx_needs_check_free(&card[1], 1, 33, &err), DTX_EINVAL);
    ck_assert_int_eq(dtx_needs_check_free(&card[1], 1, 32, &err), DTX_OK);
}
END_TEST

START_TEST(test_variables)
{
    struct dtx_machine m;
    struct dtx_buf env = DTX_BUF_INIT;
    uint32_t i;

    dtx_machine_init(&m);
    for (i = 0; i < 4; i++) {
        struct dtx_gpu *g = dtx_machine_add_gpu(&m);

        g->kind = i < 3 ? DTX_GPU_CUDA : DTX_GPU_ROCM;
        (void)snprintf(g->name, sizeof(g->name), "%s%u", i ? "" : "a%b", i);
    }
    dtx_buf_str(&env, "A=B");
    dtx_needs_variables(&m, 5, &env);
    ck_assert_str_eq(env.data, "A=B\nCUDA_VISIBLE_DEVICES=a%%b0,2\n"
                               "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    dtx_buf_clear(&env);
    m.gpus_given = true;
    dtx_needs_variables(&m, 10, &env);
    ck_assert_str_eq(env.data,
                     "CUDA_VISIBLE_DEVICES=1\nROCR_VISIBLE_DEVICES=3");
    dtx_buf_free(&env);
    dtx_machine_free(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/needs");
    TCase *t = tcase_create("needs");

    tcase_add_loop_test(t, test_stock, 0, DTX_COUNT(cases));
    tcase_add_test(t, test_shared);
    tcase_add_test(t, test_check);
    tcase_add_test(t, test_wide);
    tcase_add_test(t, test_check_free);
    tcase_add_test(t, test_variables);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

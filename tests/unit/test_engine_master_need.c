/* SPDX-License-Identifier: MIT */
/* Tasks that ask for memory and devices: a row of worlds, each from its seed,
 * in which ranks run what they are granted, give back what they are asked for,
 * and die. At no time has a node given away more than it has, or a device
 * twice; and all tasks end. Then, by hand: smaller ones pass one that waits,
 * and do not delay it. */
#include "base/rng.h"
#include "check_main.h"
#include "master_fixture.h"
#include "sched/stock.h"

enum { WORLD = 6, SLOTS = 3, NODE_RANKS = 2, MEM = 100, DEVICES = 3,
       TASKS = 60, SEEDS = 60 };

static struct dtx_rng rng;

/* What each rank has, in the order in which it came. */
static struct model {
    struct {
        uint32_t task, attempt;
        uint64_t gpus;
        bool runs;
    } has[TASKS];
    uint32_t n, busy;
    bool dead, yield;
} model[WORLD];

static const struct dtx_task_attr *attr(uint32_t task)
{
    return &list.attr[list.task[task].attr];
}

static void start_waiting(struct model *k)
{
    uint32_t i;

    for (i = 0; i < k->n; i++) {
        uint32_t cpus = attr(k->has[i].task)->cpus;

        if (k->has[i].runs)
            continue;
        if (k->busy + cpus > SLOTS)
            break;
        k->busy += cpus;
        k->has[i].runs = true;
    }
}

static void drop(struct model *k, uint32_t i)
{
    if (k->has[i].runs)
        k->busy -= attr(k->has[i].task)->cpus;
    for (k->n--; i < k->n; i++)
        k->has[i] = k->has[i + 1];
}

/* No node gives more than it has; what needs something never waits in a rank
 * behind others. */
static void check_world(void)
{
    uint32_t node, r, i;

    for (node = 0; node < WORLD / NODE_RANKS; node++) {
        int64_t mem = 0;
        uint64_t gpus = 0;

        for (r = node * NODE_RANKS; r < (node + 1) * NODE_RANKS; r++) {
            for (i = 0; i < model[r].n; i++) {
                const struct dtx_task_attr *a = attr(model[r].has[i].task);

                mem += a->mem_bytes;
                ck_assert_uint_eq(gpus & model[r].has[i].gpus, 0);
                ck_assert_int_eq(__builtin_popcountll(model[r].has[i].gpus),
                                 a->gpus);
                gpus |= model[r].has[i].gpus;
                ck_assert(model[r].has[i].runs ||
                          (a->mem_bytes == 0 && a->gpus == 0));
            }
        }
        ck_assert_int_le(mem, MEM);
    }
}

static void take_grant(uint32_t r, struct dtx_msg *msg)
{
    struct dtx_item_work w;
    struct model *k = &model[r];

    while (dtx_item_work_next(&msg->items, &w) > 0) {
        ck_assert(!k->dead);
        k->has[k->n].task = w.task;
        k->has[k->n].attempt = w.attempt;
        k->has[k->n].gpus = w.gpus;
        k->has[k->n++].runs = false;
    }
    start_waiting(k);
}

/* Carry out what the last step said; true: the job is over. */
static bool carry_out(void)
{
    uint64_t number = 0;
    bool over = false;
    size_t i;

    for (i = 0; i < out.count; i++) {
        const struct dtx_action *a = &out.list[i];
        struct dtx_msg msg;

        if (a->kind == DTX_ACT_RECORD)
            number = a->u.record.number;
        if (a->kind == DTX_ACT_FINISH)
            over = true;
        if (a->kind != DTX_ACT_SEND ||
            dtx_msg_decode(dtx_action_bytes(&out, a), a->len, &msg) != 0)
            continue;
        if (msg.kind == DTX_MSG_GRANT)
            take_grant(a->u.to, &msg);
        else if (msg.kind == DTX_MSG_YIELD)
            model[a->u.to].yield = true;
    }
    check_world();
    if (number == 0)
        return over;
    recorded(number);
    return carry_out() || over;
}

static bool answer_yield(uint32_t r)
{
    struct dtx_msg msg = {.kind = DTX_MSG_YIELDED};
    struct dtx_buf b = DTX_BUF_INIT;
    struct model *k = &model[r];
    uint32_t i = 0;

    k->yield = false;
    while (i < k->n) {
        struct dtx_item_taskref ref = {k->has[i].task,
                                       k->has[i].attempt};

        if (k->has[i].runs) {
            i++;
            continue;
        }
        dtx_item_taskref_encode(&b, &ref);
        drop(k, i);
    }
    msg.u.yielded.received = UINT64_MAX;
    hear_from(r, msg, &b);
    dtx_buf_free(&b);
    return carry_out();
}

static bool end_one(uint32_t r)
{
    struct model *k = &model[r];
    uint32_t i = (uint32_t)dtx_rng_below(&rng, k->n), task = k->has[i].task;
    uint32_t attempt = k->has[i].attempt;

    if (!k->has[i].runs)
        return false;
    drop(k, i);
    start_waiting(k);
    done_as(r, task, attempt, DTX_STATUS_OK);
    return carry_out();
}

static void make_stock(void)
{
    struct dtx_locus at = {DTX_MACHINE_NONE, DTX_MACHINE_NONE,
                           DTX_MACHINE_NONE, DTX_MACHINE_NONE};
    struct dtx_gpu gpu[DEVICES];
    uint32_t r, node = 0, pool = 0;

    memset(gpu, 0, sizeof(gpu));
    config.stock = dtx_stock_create(WORLD);
    for (r = 0; r < WORLD; r++) {
        if (r % NODE_RANKS == 0) {
            node = dtx_stock_add_node(config.stock, MEM);
            pool = dtx_stock_add_pool(config.stock, gpu, DEVICES);
        }
        dtx_stock_set_rank(config.stock, r, node, pool, &at);
    }
}

static void make_tasks(void)
{
    uint32_t i, index;

    for (i = 0; i < TASKS; i++) {
        struct dtx_task_attr a = {.cpus = 1, .cwd = DTX_NO_TEXT,
                                  .env = DTX_NO_TEXT};

        a.cpus = 1 + (uint32_t)dtx_rng_below(&rng, SLOTS);
        if (dtx_rng_below(&rng, 3) == 0)
            a.mem_bytes = 1 + (int64_t)dtx_rng_below(&rng, MEM);
        if (dtx_rng_below(&rng, 3) == 0)
            a.gpus = 1 + (uint32_t)dtx_rng_below(&rng, DEVICES);
        ck_assert_int_eq(dtx_tasklist_attr(&list, &a, &index), 0);
        ck_assert_int_eq(
            dtx_tasklist_add(&list, "work", 4, index, 0, DTX_NO_TEXT), 0);
    }
}

static void lose(uint32_t r)
{
    model[r].dead = true;
    model[r].n = model[r].busy = 0;
    model[r].yield = false;
    lost(r);
}

START_TEST(test_worlds)
{
    uint32_t r, steps = 0;
    bool over = false;

    dtx_rng_seed(&rng, 100 + (uint64_t)_i);
    memset(model, 0, sizeof(model));
    set_up();
    config.nranks = WORLD;
    config.policy = _i % 2 ? "self" : "steal";
    config.crash_limit = 0;
    make_stock();
    make_tasks();
    begin();
    for (r = 0; r < WORLD; r++) {
        hello(r, SLOTS, 1);
        over = carry_out() || over;
    }
    while (!over && steps++ < 20000) {
        r = (uint32_t)dtx_rng_below(&rng, WORLD);
        if (model[r].dead)
            continue;
        if (_i % 3 == 0 && r > 0 && dtx_rng_below(&rng, 60) == 0) {
            lose(r);
            over = carry_out();
        } else if (model[r].yield) {
            over = answer_yield(r);
        } else if (model[r].n > 0) {
            over = end_one(r);
        }
    }
    ck_assert_msg(over, "world %d does not end", _i);
    ck_assert(dtx_stock_idle(config.stock));
    tear_down();
    dtx_stock_destroy(config.stock);
}
END_TEST

/* ---- smaller ones pass ---- */

/* One task of a slot after the other, with so much memory and devices. */
static void ask(int64_t mem, uint32_t gpus)
{
    struct dtx_task_attr a = {.cpus = 1, .cwd = DTX_NO_TEXT,
                              .env = DTX_NO_TEXT};
    uint32_t index;

    a.mem_bytes = mem;
    a.gpus = gpus;
    ck_assert_int_eq(dtx_tasklist_attr(&list, &a, &index), 0);
    ck_assert_int_eq(
        dtx_tasklist_add(&list, "work", 4, index, 0, DTX_NO_TEXT), 0);
}

/* The rank that has the task, or WORLD. */
static uint32_t holder(uint32_t task)
{
    uint32_t r, i;

    for (r = 0; r < WORLD; r++) {
        for (i = 0; i < model[r].n; i++) {
            if (model[r].has[i].task == task)
                return r;
        }
    }
    return WORLD;
}

static bool runs(uint32_t task)
{
    return holder(task) < WORLD;
}

/* It ends, whatever runs beside it. */
static bool end_task(uint32_t task)
{
    uint32_t r = holder(task), attempt, i = 0;

    ck_assert_uint_lt(r, WORLD);
    while (model[r].has[i].task != task)
        i++;
    attempt = model[r].has[i].attempt;
    drop(&model[r], i);
    done_as(r, task, attempt, DTX_STATUS_OK);
    return carry_out();
}

static void open_world(uint32_t nranks)
{
    memset(model, 0, sizeof(model));
    set_up();
    make_stock();
    config.nranks = nranks;
    config.policy = "static"; /* all come first */
}

static void open_ranks(uint32_t nranks)
{
    uint32_t r;

    begin();
    for (r = 0; r < nranks; r++) {
        hello(r, SLOTS, 1);
        (void)carry_out();
    }
}

static void close_world(void)
{
    tear_down();
    dtx_stock_destroy(config.stock);
}

/* Two nodes of 100: the large third one is to have one of them, and what is
 * left of the other is the fourth's at once, but no more than is left. */
START_TEST(test_pass)
{
    open_world(4);
    ask(60, 0);
    ask(60, 0);
    ask(80, 0);
    ask(30, 0);
    ask(30, 0);
    open_ranks(4);
    ck_assert(runs(0) && runs(1) && !runs(2) && runs(3) && !runs(4));
    (void)end_task(0);
    (void)end_task(1);
    ck_assert(runs(2) && runs(3) && runs(4));
    close_world();
}
END_TEST

/* As many small ones as like to come never keep a large one waiting for longer
 * than what was there before it: 80 of 100 are kept, so two of 10 pass. */
START_TEST(test_no_starving)
{
    uint32_t i, running = 0, next = 2;

    open_world(2);
    ask(60, 0);
    ask(80, 0);
    for (i = 0; i < 40; i++)
        ask(10, 0);
    open_ranks(2);
    ck_assert(runs(0) && !runs(1));
    for (i = 0; i < 20; i++, next++) {
        ck_assert(runs(next) && runs(next + 1) && !runs(next + 2));
        (void)end_task(next);
        ck_assert(!runs(1));
    }
    (void)end_task(0);
    ck_assert(runs(1));
    for (i = 2; i < 42; i++)
        running += runs(i);
    ck_assert_uint_eq(running, 2);
    close_world();
}
END_TEST

/* The same with devices: of three, one that asks for all waits for two. On one
 * node the last may not pass it, on two it may. */
START_TEST(test_devices)
{
    uint32_t nodes = (uint32_t)_i + 1;

    open_world(nodes * NODE_RANKS);
    ask(0, 2);
    if (nodes == 2)
        ask(0, 2);
    ask(0, 3);
    ask(0, 1);
    open_ranks(nodes * NODE_RANKS);
    ck_assert(runs(0) && !runs(nodes));
    ck_assert_int_eq(runs(nodes + 1), nodes == 2);
    (void)end_task(0);
    if (nodes == 2)
        (void)end_task(1);
    ck_assert(runs(nodes));
    close_world();
}
END_TEST

/* Many that ask for as much as the first do not hide a smaller one. */
START_TEST(test_pass_many)
{
    uint32_t i;

    open_world(4);
    for (i = 0; i < 40; i++)
        ask(80, 0);
    ask(20, 0);
    open_ranks(4);
    ck_assert(runs(0) && runs(1) && !runs(2) && runs(40));
    close_world();
}
END_TEST

static void ask_wide(int64_t mem, uint32_t cpus)
{
    struct dtx_task_attr a = {.cpus = cpus, .cwd = DTX_NO_TEXT,
                              .env = DTX_NO_TEXT, .mem_bytes = mem};
    uint32_t index;

    ck_assert_int_eq(dtx_tasklist_attr(&list, &a, &index), 0);
    ck_assert_int_eq(
        dtx_tasklist_add(&list, "work", 4, index, 0, DTX_NO_TEXT), 0);
}

/* A wide one with little memory does not make the rank's slots wait for it that
 * is kept for the first: that begins as soon as its memory is there. */
START_TEST(test_pass_wide)
{
    open_world(1);
    ask(60, 0);
    ask(20, 0);
    ask(80, 0);
    ask_wide(10, SLOTS);
    open_ranks(1);
    ck_assert(runs(0) && runs(1) && !runs(2));
    (void)end_task(0);
    ck_assert(runs(2) && !runs(3));
    (void)end_task(1);
    (void)end_task(2);
    ck_assert(runs(3));
    close_world();
}
END_TEST

/* The rank dies whose node was kept: another is, and nothing hangs. */
START_TEST(test_promise_lost)
{
    open_world(4);
    ask(60, 0);
    ask(60, 0);
    ask(90, 0);
    ask(40, 0);
    open_ranks(4);
    ck_assert(!runs(2) && runs(3));
    lose(holder(3) / NODE_RANKS ? 0 : 2);
    (void)carry_out();
    lose(holder(3) / NODE_RANKS ? 1 : 3);
    (void)carry_out();
    ck_assert(runs(3) && !runs(2));
    while (!runs(2)) {
        uint32_t t = runs(3) ? 3 : runs(0) ? 0 : 1;

        (void)end_task(t);
    }
    ck_assert(runs(2));
    close_world();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine/master_need");
    TCase *t = tcase_create("need");

    tcase_add_loop_test(t, test_worlds, 0, SEEDS);
    tcase_add_test(t, test_pass);
    tcase_add_test(t, test_pass_many);
    tcase_add_test(t, test_pass_wide);
    tcase_add_test(t, test_no_starving);
    tcase_add_loop_test(t, test_devices, 0, 2);
    tcase_add_test(t, test_promise_lost);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

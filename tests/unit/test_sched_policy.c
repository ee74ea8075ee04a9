/* SPDX-License-Identifier: MIT */
/* tests/unit/test_sched_policy.c - every row of the policy table through the
 * same cases, then what each one's paper says
 *
 * The cases play a master without frames: ranks are offered tasks in the
 * policy's order until the first one wants none, as engine/ does.
 */
#include "sched/policy.h"

#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"

#define MAX_RANKS 12

struct bag {
    const struct dtx_policy *p;
    struct dtx_policy_state state;
    uint32_t nranks;
    uint32_t slots[MAX_RANKS];
    uint64_t used[MAX_RANKS], given[MAX_RANKS];
    uint64_t ready, slots_all;
    int64_t mean_ns;
};

static const struct dtx_policy *row(int i)
{
    size_t n;
    const struct dtx_policy *t = dtx_policy_table(&n);

    ck_assert_int_lt(i, (int)n);
    return &t[i];
}

static int rows(void)
{
    size_t n;

    (void)dtx_policy_table(&n);
    return (int)n;
}

static struct bag make(const struct dtx_policy *p, uint32_t nranks,
                       uint64_t ready)
{
    struct bag b = {.p = p, .nranks = nranks, .ready = ready};
    uint32_t i;

    for (i = 0; i < nranks; i++) {
        b.slots[i] = 1 + i % 3;
        b.slots_all += b.slots[i];
    }
    return b;
}

static struct dtx_sched_view view(const struct bag *b, uint32_t r)
{
    return (struct dtx_sched_view){
        .ready = b->ready, .nranks = b->nranks, .slots_all = b->slots_all,
        .slots = b->slots[r], .used = b->used[r], .mean_ns = b->mean_ns,
        .depth_ns = 20000000,
    };
}

/* The rank with least, in the policy's order. */
static uint32_t first(const struct bag *b)
{
    uint32_t best = 0, i;

    for (i = 1; i < b->nranks; i++) {
        uint64_t x = b->p->by_given ? b->given[i] : b->used[i];
        uint64_t y = b->p->by_given ? b->given[best] : b->used[best];

        if (x * b->slots[best] < y * b->slots[i])
            best = i;
    }
    return best;
}

/* Offer until the first wants none. */
static void offer(struct bag *b)
{
    while (b->ready > 0) {
        uint32_t r = first(b);
        struct dtx_sched_view v = view(b, r);
        uint64_t n = b->p->chunk(&b->state, &v);

        if (n == 0)
            return;
        if (n > b->ready)
            n = b->ready;
        b->used[r] += n;
        b->given[r] += n;
        b->ready -= n;
    }
}

START_TEST(is_described)
{
    const struct dtx_policy *p = row(_i);

    ck_assert(p->name[0] != '\0' && strlen(p->help) > 10);
    ck_assert_ptr_null(strchr(p->help, '\n'));
    ck_assert(strstr(p->source, "19") || strstr(p->source, "20"));
    ck_assert_ptr_eq(dtx_policy_find(p->name, NULL), p);
}
END_TEST

/* A slot that is free gets a task as long as there is one. */
START_TEST(no_slot_is_left_free)
{
    struct dtx_rng rng;
    int round;

    dtx_rng_seed(&rng, (uint64_t)_i);
    for (round = dtx_rounds(300); round > 0; round--) {
        struct bag b = make(row(_i), 1 + (uint32_t)dtx_rng_below(&rng, 12),
                            dtx_rng_below(&rng, 200));
        uint64_t left = b.ready;
        int steps = 0;

        b.mean_ns = (int64_t)dtx_rng_below(&rng, 3) * 5000000;
        offer(&b);
        while (left > 0) { /* one task ends somewhere, then again */
            uint32_t r = (uint32_t)dtx_rng_below(&rng, b.nranks), i;

            for (i = 0; i < b.nranks; i++)
                ck_assert(b.ready == 0 || b.p->by_given ||
                          b.used[i] >= b.slots[i]);
            ck_assert_int_lt(steps++, 100000);
            if (b.used[r] == 0)
                continue;
            b.used[r]--;
            left--;
            offer(&b);
        }
        ck_assert_uint_eq(b.ready, 0);
    }
}
END_TEST

/* Whatever the view says, the answer is bounded and some progress is made. */
START_TEST(odd_views)
{
    const struct dtx_policy *p = row(_i);
    struct dtx_policy_state state = {0};
    struct dtx_sched_view v = {.ready = 1, .nranks = 1, .slots_all = 1,
                               .slots = 1};
    static const int64_t mean[] = {0, 1, INT64_MAX};
    size_t i;

    for (i = 0; i < 3; i++) {
        v.mean_ns = mean[i];
        v.depth_ns = INT64_MAX;
        ck_assert_uint_eq(p->chunk(&state, &v), 1);
    }
    v.ready = 100000000;
    v.slots_all = 400000;
    v.slots = 65535;
    for (i = 0; i < 3; i++) {
        uint64_t n;

        v.mean_ns = mean[i];
        n = p->chunk(&state, &v);
        ck_assert(n > 0 && n <= v.ready);
    }
}
END_TEST

START_TEST(names)
{
    struct dtx_error err = {0};

    ck_assert_ptr_eq(dtx_policy_find(NULL, NULL), row(0));
    ck_assert_str_eq(row(0)->name, "steal");
    ck_assert_ptr_null(dtx_policy_find("", &err));
    ck_assert_ptr_null(dtx_policy_find("fifo", &err));
    ck_assert_int_eq(err.code, DTX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "steal, self, guided"));
}
END_TEST

static uint64_t ask(const char *name, struct dtx_policy_state *state,
                    uint64_t ready, uint64_t used)
{
    struct dtx_sched_view v = {.ready = ready, .nranks = 4, .slots_all = 4,
                               .slots = 1, .used = used};

    return dtx_policy_find(name, NULL)->chunk(state, &v);
}

/* Guided: ceil(R / P), from Polychronopoulos and Kuck's own example: 100
 * iterations on 4 processors. */
START_TEST(guided_as_published)
{
    static const uint64_t expected[] = {25, 19, 14, 11, 8, 6, 5, 3, 3, 2, 1,
                                        1, 1, 1};
    struct dtx_policy_state state = {0};
    uint64_t left = 100;
    size_t i;

    for (i = 0; i < 14; i++) {
        ck_assert_uint_eq(ask("guided", &state, left, 0), expected[i]);
        left -= expected[i];
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_uint_eq(ask("guided", &state, 100, 1), 0);
}
END_TEST

/* Factoring, x = 2: batches of four chunks, each batch half of the rest: 13,
 * 6, 3, 2, 1, 1 for 100 iterations on 4 processors. */
START_TEST(factoring_as_published)
{
    static const uint64_t batch[] = {13, 6, 3, 2, 1, 1};
    struct dtx_policy_state state = {0};
    uint64_t left = 100, i, n;

    for (i = 0; left > 0; i++) {
        n = ask("factoring", &state, left, 0);
        ck_assert_uint_lt(i / 4, 6);
        ck_assert_uint_eq(n, batch[i / 4]);
        left -= n < left ? n : left;
    }
}
END_TEST

/* Static: one round, nobody has more than its share and one; with equal ranks
 * nobody has less than its share less one. */
START_TEST(static_is_even)
{
    uint64_t n;
    uint32_t i;
    int equal;

    for (n = 1; n < 120; n++) {
        for (equal = 0; equal < 2; equal++) {
            struct bag b = make(dtx_policy_find("static", NULL), 7, n);

            for (i = 0; equal && i < 7; i++)
                b.slots[i] = 2;
            if (equal)
                b.slots_all = 14;
            offer(&b);
            ck_assert_uint_eq(b.ready, 0);
            for (i = 0; i < 7; i++) {
                uint64_t share = n * b.slots[i];

                ck_assert(b.given[i] * b.slots_all < share + b.slots_all);
                ck_assert(!equal ||
                          (b.given[i] + 1) * b.slots_all > share);
            }
        }
    }
}
END_TEST

/* Steal: free slots first, then a queue as deep as the stated time, refilled
 * when half of it is gone, and not when little is left. */
START_TEST(steal_fills_then_queues)
{
    const struct dtx_policy *p = dtx_policy_find("steal", NULL);
    struct dtx_policy_state state = {0};
    struct dtx_sched_view v = {.ready = 10000, .nranks = 2, .slots_all = 8,
                               .slots = 4, .mean_ns = 1000000,
                               .depth_ns = 10000000};

    ck_assert_uint_eq(p->chunk(&state, &v), 4);
    v.used = 3;
    ck_assert_uint_eq(p->chunk(&state, &v), 1);
    v.used = 4;
    ck_assert_uint_eq(p->chunk(&state, &v), 40);
    v.used = 44;
    ck_assert_uint_eq(p->chunk(&state, &v), 0);
    v.used = 25;
    ck_assert_uint_eq(p->chunk(&state, &v), 0);
    v.used = 24;
    ck_assert_uint_eq(p->chunk(&state, &v), 20);
    v.ready = 16;
    v.used = 4;
    ck_assert_uint_eq(p->chunk(&state, &v), 4); /* a factoring share */
    v.mean_ns = 1000000000;
    v.ready = 10000;
    ck_assert_uint_eq(p->chunk(&state, &v), 4);
}
END_TEST

START_TEST(loot)
{
    static const struct {
        uint64_t waiting;
        uint32_t victim, thief, expected;
    } c[] = {
        {0, 1, 1, 1},   {1, 1, 1, 1},   {2, 1, 1, 1},
        {3, 1, 1, 2},   {100, 1, 3, 75}, {100, 64, 1, 2},
        {UINT64_C(1) << 40, 1, 60000, UINT32_MAX},
    };
    size_t i;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++)
        ck_assert_uint_eq(
            dtx_policy_loot(c[i].waiting, c[i].victim, c[i].thief),
            c[i].expected);
}
END_TEST

/* ---- where costs are predicted ---- */

static struct dtx_sched_view weighed(uint64_t used)
{
    return (struct dtx_sched_view){.ready = 100, .nranks = 4, .slots_all = 4,
                                   .slots = 1, .used = used,
                                   .mean_ns = 1000000, .depth_ns = 20000000,
                                   .weighed = true, .ready_s = 80,
                                   .next_s = 5};
}

static bool about(double a, double b)
{
    return a > b * 0.999999 && a < b * 1.000001;
}

/* As many tasks as without, in no more seconds than the policy's share. */
START_TEST(seconds_as_well_as_tasks)
{
    struct dtx_policy_state guided = {0}, factoring = {0}, self = {0};
    struct dtx_sched_view v = weighed(0);
    int i;

    ck_assert_uint_eq(dtx_policy_find("guided", NULL)->chunk(&guided, &v), 25);
    ck_assert(about(guided.most_s, 20));
    for (i = 0; i < 4; i++) { /* a batch is cut once */
        ck_assert_uint_eq(
            dtx_policy_find("factoring", NULL)->chunk(&factoring, &v), 13);
        ck_assert(about(factoring.most_s, 10));
        v.ready_s -= 10;
    }
    (void)dtx_policy_find("factoring", NULL)->chunk(&factoring, &v);
    ck_assert(about(factoring.most_s, 5));
    ck_assert_uint_eq(dtx_policy_find("self", NULL)->chunk(&self, &v), 1);
    ck_assert(!(self.most_s > 0));
    ck_assert_uint_eq(dtx_policy_find("static", NULL)->chunk(&self, &v), 1);
}
END_TEST

/* Ahead of a free slot steal queues no task that may be the last to end. */
START_TEST(steal_queues_no_long_task)
{
    const struct dtx_policy *p = dtx_policy_find("steal", NULL);
    struct dtx_policy_state state = {0};
    struct dtx_sched_view v = weighed(1);

    v.busy_s = 15; /* 15 + 5 is a slot's share */
    ck_assert_uint_gt(p->chunk(&state, &v), 0);
    ck_assert(about(state.most_s, 0.02 + 5));
    v.busy_s = 15.1;
    ck_assert_uint_eq(p->chunk(&state, &v), 0);
    v.busy_s = 0;
    v.next_s = 10;
    ck_assert_uint_gt(p->chunk(&state, &v), 0);
    v.next_s = 10.1;
    ck_assert_uint_eq(p->chunk(&state, &v), 0);
    v.used = 0; /* but a free slot takes it */
    ck_assert_uint_eq(p->chunk(&state, &v), 1);
    ck_assert(!(state.most_s > 0));
}
END_TEST

START_TEST(loot_in_seconds)
{
    ck_assert(about(dtx_policy_loot_s(12, 1, 1), 6));
    ck_assert(about(dtx_policy_loot_s(12, 1, 3), 9));
    ck_assert(!(dtx_policy_loot_s(-1, 1, 3) > 0));
}
END_TEST

/* The way is time in which the thief's slots stand idle; what is fetched from
 * far is more. */
START_TEST(gain_and_way)
{
    double near = dtx_policy_gain_s(10, 0, 2, 2);

    ck_assert(about(near, 5));
    ck_assert(about(dtx_policy_gain_s(10, 0, 1, 3), 7.5));
    ck_assert(about(dtx_policy_gain_s(10, 4, 2, 2), 3));
    ck_assert(dtx_policy_gain_s(10, 11, 2, 2) < 0);
    ck_assert(!(dtx_policy_gain_s(10, 1, 0, 0) > 0));
    ck_assert(!(dtx_policy_worth_s(0, 4) > 0));
    ck_assert(dtx_policy_worth_s(2, 4) >= 8);
    ck_assert(dtx_policy_worth_s(3, 4) > dtx_policy_worth_s(2, 4));
}
END_TEST

static Suite *build_suite(void)
{
    Suite *suite = suite_create("sched_policy");
    TCase *tc = tcase_create("every policy");

    tcase_add_loop_test(tc, is_described, 0, rows());
    tcase_add_loop_test(tc, no_slot_is_left_free, 0, rows());
    tcase_add_loop_test(tc, odd_views, 0, rows());
    suite_add_tcase(suite, tc);
    tc = tcase_create("each");
    tcase_add_test(tc, names);
    tcase_add_test(tc, guided_as_published);
    tcase_add_test(tc, factoring_as_published);
    tcase_add_test(tc, static_is_even);
    tcase_add_test(tc, steal_fills_then_queues);
    tcase_add_test(tc, loot);
    tcase_add_test(tc, seconds_as_well_as_tasks);
    tcase_add_test(tc, steal_queues_no_long_task);
    tcase_add_test(tc, loot_in_seconds);
    tcase_add_test(tc, gain_and_way);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return dtx_check_main(build_suite());
}

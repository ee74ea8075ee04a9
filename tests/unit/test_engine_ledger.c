/* SPDX-License-Identifier: MIT */
/* tests/unit/test_engine_ledger.c - the ledger of submitted tasks, and queues */
#include "engine/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/rng.h"
#include "check_main.h"

static struct dtx_task_item *task(int priority, double cost)
{
    struct dtx_task_item *t = dtx_task_item_create(3, "bytes", 5);

    ck_assert_ptr_nonnull(t);
    t->priority = priority;
    t->cost = cost;
    return t;
}

START_TEST(a_task_travels)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_task_item *t = task(-4, 2.5), *u;
    struct dtx_cursor c;

    t->id = 77;
    t->spawned = true;
    dtx_task_item_encode(&b, t);
    c = dtx_cursor_over(b.data, b.len);
    u = dtx_task_item_decode(&c);
    ck_assert_ptr_nonnull(u);
    ck_assert(dtx_cursor_done(&c));
    ck_assert_uint_eq(u->id, 77);
    ck_assert(u->spawned && u->kernel == 3 && u->priority == -4);
    ck_assert(u->cost > 2.4 && u->cost < 2.6);
    ck_assert_uint_eq(u->bytes, 5);
    ck_assert_mem_eq(u->data, "bytes", 5);
    for (size_t n = 0; n < b.len; n++) {
        c = dtx_cursor_over(b.data, n);
        ck_assert_ptr_null(dtx_task_item_decode(&c));
        ck_assert(c.bad);
    }
    free(t);
    free(u);
    dtx_buf_free(&b);
}
END_TEST

START_TEST(queues_keep_their_order)
{
    struct dtx_task_queue q;
    struct dtx_task_item *t, *last = NULL;
    struct dtx_rng rng;
    int n = 0;

    dtx_rng_seed(&rng, (uint64_t)_i);
    dtx_task_queue_init(&q);
    ck_assert_ptr_null(dtx_task_queue_pop(&q));
    for (uint64_t i = 0; i < 500; i++) {
        t = task((int)dtx_rng_below(&rng, 5) - 2,
                 (double)dtx_rng_below(&rng, 4));
        t->id = i;
        ck_assert(dtx_task_queue_push(&q, t));
    }
    ck_assert_uint_eq(q.count, 500);
    for (; (t = dtx_task_queue_pop(&q)); n++) {
        if (last) {
            ck_assert_int_ge(last->priority, t->priority);
            if (last->priority == t->priority) {
                ck_assert(last->cost >= t->cost);
                ck_assert(last->cost > t->cost || last->id < t->id);
            }
        }
        free(last);
        last = t;
    }
    free(last);
    ck_assert_int_eq(n, 500);
    ck_assert(dtx_task_queue_push(&q, task(0, 0)));
    ck_assert(dtx_task_queue_push(&q, task(1, 0)));
    dtx_task_queue_fini(&q);
}
END_TEST

/* Takes a part out of many: whole, fair in seconds, dearest first, and what
 * stays has short ones left, too. */
START_TEST(parts_are_fair_in_seconds)
{
    static const uint32_t slots[][2] = {{1, 1}, {1, 3}, {7, 2}};
    uint32_t theirs = slots[_i % 3][0], ours = slots[_i % 3][1];
    struct dtx_task_queue q;
    struct dtx_task_item *list, *t;
    struct dtx_rng rng;
    double sum = 0, given = 0, last = 1e9, most = 0;
    size_t n = 0;

    dtx_rng_seed(&rng, (uint64_t)_i);
    dtx_task_queue_init(&q);
    for (int i = 0; i < 300; i++) {
        t = task(0, 1 + 100 * dtx_rng_unit(&rng) * dtx_rng_unit(&rng));
        t->id = (uint64_t)i;
        sum += t->cost;
        most = t->cost > most ? t->cost : most;
        ck_assert(dtx_task_queue_push(&q, t));
    }
    list = dtx_task_queue_part(&q, theirs, ours, 1u << 20);
    for (t = list; t; t = t->next, n++) {
        ck_assert(t->cost <= last);
        last = t->cost;
        given += t->cost;
    }
    ck_assert_uint_eq(n + q.count, 300);
    ck_assert(q.cost + given > sum - 1e-6 && q.cost + given < sum + 1e-6);
    ck_assert(given >= sum * theirs / (theirs + ours) - most);
    ck_assert(given <= sum * theirs / (theirs + ours) + most);
    ck_assert(q.known == q.count && q.cost < sum);
    t = dtx_task_queue_pop(&q);
    ck_assert(t->cost > most / 3); /* both sides have dear ones */
    free(t);
    dtx_task_item_free_all(list);
    list = dtx_task_queue_part(&q, 1, 1, 80); /* 5 bytes and 32 each */
    for (n = 0, t = list; t; t = t->next)
        n++;
    ck_assert_uint_eq(n, 3);
    dtx_task_item_free_all(list);
    dtx_task_queue_fini(&q);
}
END_TEST

static void say_id(void *ctx, struct dtx_task_item *t)
{
    const uint64_t *odd = ctx;

    if (t->id % 2 == *odd)
        t->cost = (double)t->id + 1;
}

/* Without costs by number, in order; costs that become known order them. */
START_TEST(parts_and_costs_that_come_later)
{
    struct dtx_task_queue q;
    struct dtx_task_item *t, *list;
    uint64_t odd = 1, next = 0;

    dtx_task_queue_init(&q);
    ck_assert_ptr_null(dtx_task_queue_part(&q, 1, 1, 100));
    for (uint64_t i = 0; i < 100; i++) {
        t = task(0, i == 98 ? 1 : 0); /* of one only */
        t->id = i;
        ck_assert(dtx_task_queue_push(&q, t));
    }
    list = dtx_task_queue_part(&q, 1, 3, 1u << 20);
    ck_assert(list && list->id == 98);
    for (t = list->next; t; t = t->next)
        ck_assert_uint_eq(t->id, next++);
    ck_assert_uint_eq(next, 24);
    dtx_task_item_free_all(list);
    ck_assert(dtx_task_queue_say(&q, say_id, &odd));
    ck_assert_uint_eq(q.count, 75);
    for (next = 99; (t = dtx_task_queue_pop(&q)) && t->id % 2; next -= 2) {
        ck_assert_uint_eq(t->id, next);
        free(t);
    }
    for (next = 24; t; t = dtx_task_queue_pop(&q), next += 2) {
        ck_assert_uint_eq(t->id, next); /* the others, the oldest first */
        free(t);
    }
    ck_assert(q.count == 0 && q.known == 0);
    dtx_task_queue_fini(&q);
}
END_TEST

/* Random graphs: run what is ready, now and then one fails; each task is run
 * once or skipped once, after all it waits for. */
START_TEST(each_ends_once_in_order)
{
    enum { N = 300 };
    struct dtx_ledger *l = dtx_ledger_create();
    uint64_t after[N][4];
    int state[N + 1], sent = 0, over = 0; /* 1 ran, 2 failed, 3 skipped */
    size_t nafter[N];
    struct dtx_rng rng;

    dtx_rng_seed(&rng, (uint64_t)_i + 7);
    memset(state, 0, sizeof(state));
    while (over < N) {
        struct dtx_task_item *t;

        if (sent < N && dtx_rng_below(&rng, 2)) {
            nafter[sent] = sent ? dtx_rng_below(&rng, 4) : 0;
            for (size_t k = 0; k < nafter[sent]; k++)
                after[sent][k] = dtx_rng_below(&rng, (uint64_t)sent) + 1;
            ck_assert_int_eq(dtx_ledger_add(l, task(0, 0), after[sent],
                                            nafter[sent]),
                             sent + 1);
            sent++;
        }
        while ((t = dtx_ledger_skipped(l))) {
            ck_assert_int_eq(state[t->id], 0);
            state[t->id] = 3;
            over++;
            ck_assert(dtx_ledger_end(l, t->id, 1));
            free(t);
        }
        t = dtx_ledger_ready(l);
        if (!t)
            continue;
        ck_assert_int_eq(state[t->id], 0);
        for (size_t k = 0; k < nafter[t->id - 1]; k++)
            ck_assert_int_eq(state[after[t->id - 1][k]], 1);
        state[t->id] = dtx_rng_below(&rng, 20) ? 1 : 2;
        over++;
        ck_assert(dtx_ledger_end(l, t->id, state[t->id] != 1));
        ck_assert(!dtx_ledger_end(l, t->id, 0));
        free(t);
    }
    ck_assert_uint_eq(dtx_ledger_open(l), 0);
    dtx_ledger_forget(l);
    after[0][0] = 5; /* of the run before */
    {
        struct dtx_task_item *t = task(0, 0);

        ck_assert_int_eq(dtx_ledger_add(l, t, after[0], 1), DTX_ENOENT);
        ck_assert_int_eq(dtx_ledger_add(l, t, NULL, 0), N + 1);
    }
    dtx_ledger_destroy(l);
}
END_TEST

/* A run that ends early: what is open is known, and then forgotten. */
START_TEST(what_has_not_ended_is_told)
{
    struct dtx_ledger *l = dtx_ledger_create();
    uint64_t first = 1, second = 2;
    struct dtx_task_item *t;

    ck_assert_uint_eq(dtx_ledger_next_open(l, 0), 0);
    ck_assert_int_eq(dtx_ledger_add(l, task(9, 0), NULL, 0), 1);
    ck_assert_int_eq(dtx_ledger_add(l, task(8, 0), NULL, 0), 2);
    ck_assert_int_eq(dtx_ledger_add(l, task(0, 0), NULL, 0), 3); /* ready */
    ck_assert_int_eq(dtx_ledger_add(l, task(0, 0), &second, 1), 4);
    ck_assert_int_eq(dtx_ledger_add(l, task(0, 0), &first, 1), 5); /* doomed */
    t = dtx_ledger_ready(l);
    ck_assert_int_eq(dtx_ledger_end(l, t->id, 7), DTX_LEDGER_FIRST);
    free(t);
    t = dtx_ledger_ready(l); /* runs */
    ck_assert_uint_eq(t->id, 2);
    dtx_ledger_lend(l, t);
    ck_assert_uint_eq(dtx_ledger_next_open(l, 0), 2);
    ck_assert_uint_eq(dtx_ledger_next_open(l, 2), 3);
    ck_assert_uint_eq(dtx_ledger_next_open(l, 4), 5);
    ck_assert_uint_eq(dtx_ledger_next_open(l, 5), 0);
    ck_assert_uint_eq(dtx_ledger_open(l), 4);
    dtx_ledger_forget(l);
    ck_assert_uint_eq(dtx_ledger_open(l), 0);
    ck_assert_uint_eq(dtx_ledger_next_open(l, 0), 0);
    ck_assert_ptr_null(dtx_ledger_ready(l));
    ck_assert_ptr_null(dtx_ledger_skipped(l));
    ck_assert_int_eq(dtx_ledger_add(l, task(0, 0), NULL, 0), 6);
    ck_assert_uint_eq(dtx_ledger_next_open(l, 0), 6);
    dtx_ledger_destroy(l);
}
END_TEST

/* What rank 0 has lent comes back as a number, and goes on with its bytes. */
START_TEST(a_number_is_enough_for_what_was_lent)
{
    struct dtx_ledger *l = dtx_ledger_create();
    struct dtx_buf lent = DTX_BUF_INIT, back = DTX_BUF_INIT,
                   full = DTX_BUF_INIT, want = DTX_BUF_INIT;
    struct dtx_task_item *t, *kid = task(0, 0);

    kid->id = 1;
    kid->spawned = true;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(dtx_ledger_add(l, task(i, 1), NULL, 0), i + 1);
    while ((t = dtx_ledger_ready(l))) { /* 3, 2, 1 */
        dtx_task_item_encode(&lent, t);
        if (t->id == 2) {
            dtx_task_item_encode(&back, t); /* whole, as rank 0 sends it */
            dtx_task_item_encode(&back, kid);
        } else {
            dtx_task_item_encode_lent(&back, t);
        }
        dtx_task_item_encode(&want, t);
        if (t->id == 2)
            dtx_task_item_encode(&want, kid);
        dtx_ledger_lend(l, t);
    }
    ck_assert(dtx_ledger_moved(l, 1, (struct dtx_str){lent.data, lent.len},
                               &full));
    ck_assert_uint_eq(full.len, 0); /* as it is */
    ck_assert(dtx_ledger_moved(l, _i ? 2 : 0,
                               (struct dtx_str){back.data, back.len}, &full));
    ck_assert_uint_eq(full.len, want.len);
    ck_assert_mem_eq(full.data, want.data, want.len);
    dtx_buf_clear(&full); /* rank 0 has them now: nothing is lent */
    ck_assert(dtx_ledger_moved(l, 1, (struct dtx_str){back.data, back.len},
                               &full) == (_i != 0));
    back.data[8] = 3; /* no form of a task */
    ck_assert(!dtx_ledger_moved(l, 1, (struct dtx_str){back.data, back.len},
                                &full));
    free(kid);
    dtx_ledger_destroy(l);
    dtx_buf_free(&lent);
    dtx_buf_free(&back);
    dtx_buf_free(&full);
    dtx_buf_free(&want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine/ledger");
    TCase *t = tcase_create("all");

    tcase_add_test(t, a_task_travels);
    tcase_add_loop_test(t, parts_are_fair_in_seconds, 0, 9);
    tcase_add_test(t, parts_and_costs_that_come_later);
    tcase_add_loop_test(t, queues_keep_their_order, 0, 5);
    tcase_add_test(t, what_has_not_ended_is_told);
    tcase_add_loop_test(t, a_number_is_enough_for_what_was_lent, 0, 2);
    tcase_add_loop_test(t, each_ends_once_in_order, 0, 50);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

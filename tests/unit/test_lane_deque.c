/* SPDX-License-Identifier: MIT */
/* tests/unit/test_lane_deque.c - order, growth, and thieves */
#include "lane/deque.h"

#include <pthread.h>
#include <string.h>

#include "check_main.h"

static struct dtx_deque d;
static char item[200000];

START_TEST(the_owner_pops_the_youngest_and_thieves_take_the_oldest)
{
    bool lost;

    ck_assert(dtx_deque_init(&d));
    ck_assert_ptr_null(dtx_deque_pop(&d));
    ck_assert_ptr_null(dtx_deque_steal(&d, &lost));
    for (int i = 0; i < 1000; i++)
        ck_assert(dtx_deque_push(&d, &item[i]));
    ck_assert_uint_eq(dtx_deque_size(&d), 1000);
    ck_assert_ptr_eq(dtx_deque_pop(&d), &item[999]);
    ck_assert_ptr_eq(dtx_deque_steal(&d, &lost), &item[0]);
    for (int i = 998; i > 0; i--)
        ck_assert_ptr_eq(dtx_deque_pop(&d), &item[i]);
    ck_assert_ptr_null(dtx_deque_pop(&d));
    ck_assert_uint_eq(dtx_deque_size(&d), 0);
    dtx_deque_fini(&d);
}
END_TEST

#define THIEVES 3

static unsigned char hits[sizeof(item)];
static atomic_bool over;

static void hit(void *p)
{
    __atomic_add_fetch(&hits[(char *)p - item], 1, __ATOMIC_RELAXED);
}

static void *thief(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        bool lost;
        void *p = dtx_deque_steal(&d, &lost);

        if (p)
            hit(p);
    }
    return NULL;
}

START_TEST(each_is_had_once)
{
    pthread_t t[THIEVES];
    size_t wrong = 0;

    memset(hits, 0, sizeof(hits));
    atomic_store(&over, false);
    ck_assert(dtx_deque_init(&d));
    for (int i = 0; i < THIEVES; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, thief, NULL), 0);
    for (size_t i = 0; i < sizeof(item); i++) {
        void *p = NULL;

        wrong += !dtx_deque_push(&d, &item[i]);
        if (i % 3 == 0 && (p = dtx_deque_pop(&d)))
            hit(p);
        if (i % 1000 == 0)
            while ((p = dtx_deque_pop(&d)))
                hit(p);
    }
    for (void *p; (p = dtx_deque_pop(&d));)
        hit(p);
    atomic_store(&over, true);
    for (int i = 0; i < THIEVES; i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    for (size_t i = 0; i < sizeof(item); i++)
        wrong += hits[i] != 1;
    ck_assert_uint_eq(wrong, 0);
    dtx_deque_fini(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lane/deque");
    TCase *t = tcase_create("all");

    tcase_add_test(t,
                   the_owner_pops_the_youngest_and_thieves_take_the_oldest);
    tcase_add_loop_test(t, each_is_had_once, 0, 5);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

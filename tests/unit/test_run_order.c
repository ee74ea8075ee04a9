/* SPDX-License-Identifier: MIT */
/* The heap in which outputs wait for their turn, against the plain order. */
#include "run/order.h"

#include "check_main.h"

#define N 2000

START_TEST(all_come_out_in_order)
{
    struct dtx_order o = {NULL, 0, 0};
    static int thing[N];
    static uint32_t task[N];
    uint32_t i;

    for (i = 0; i < N; i++)
        task[i] = (i * 7919u) % N; /* 7919 is prime: each once */
    for (i = 0; i < N; i++)
        ck_assert(dtx_order_push(&o, task[i], &thing[task[i]]));
    for (i = 0; i < N; i++) {
        ck_assert_ptr_null(dtx_order_take(&o, i));
        ck_assert_ptr_eq(dtx_order_take(&o, (uint64_t)i + 1), &thing[i]);
    }
    ck_assert_ptr_null(dtx_order_take(&o, UINT64_MAX));
    dtx_order_free(&o);
}
END_TEST

START_TEST(what_comes_between_is_sorted_in)
{
    struct dtx_order o = {NULL, 0, 0};
    int a, b, c;

    ck_assert(dtx_order_push(&o, 5, &a));
    ck_assert(dtx_order_push(&o, UINT32_MAX, &b));
    ck_assert_ptr_eq(dtx_order_take(&o, 6), &a);
    ck_assert(dtx_order_push(&o, 1, &c));
    ck_assert_ptr_eq(dtx_order_take(&o, UINT64_MAX), &c);
    ck_assert_ptr_null(dtx_order_take(&o, UINT32_MAX));
    ck_assert_ptr_eq(dtx_order_take(&o, UINT64_MAX), &b);
    dtx_order_free(&o);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/order");
    TCase *t = tcase_create("order");

    tcase_add_test(t, all_come_out_in_order);
    tcase_add_test(t, what_comes_between_is_sorted_in);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

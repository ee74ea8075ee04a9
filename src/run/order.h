/* SPDX-License-Identifier: MIT */
/* run/order.h - things that wait for their turn, by the number of a task
 *
 * A binary heap of pointers.  It owns nothing and has no lock.
 */
#ifndef DTX_RUN_ORDER_H
#define DTX_RUN_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_order_item {
    uint32_t task;
    void *thing;
};

struct dtx_order {
    struct dtx_order_item *item;
    size_t len, cap;
};

/* False when out of memory. */
bool dtx_order_push(struct dtx_order *o, uint32_t task, void *thing);
/* Take out the thing of the smallest task if that is below 'limit', else
 * NULL. */
void *dtx_order_take(struct dtx_order *o, uint64_t limit);
/* What is still in it is forgotten. */
void dtx_order_free(struct dtx_order *o);

#endif

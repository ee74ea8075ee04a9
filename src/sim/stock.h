/* SPDX-License-Identifier: MIT */
/* sim/stock.h - memory and devices of an imagined cluster
 *
 * What tasks of a scenario ask for beside slots, the stock that its master
 * keeps (sched/stock.h, as in a real run), and the check that every task finds
 * a node that could have it.  Private to sim/.
 */
#ifndef DTX_SIM_STOCK_H
#define DTX_SIM_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_scenario;
struct dtx_stock;
struct dtx_task_attr;

/* What such a task asks for. */
int64_t dtx_scenario_mem(const struct dtx_scenario *c,
                         const struct dtx_task_attr *a);
uint32_t dtx_scenario_gpus(const struct dtx_scenario *c,
                           const struct dtx_task_attr *a);
/* DTX_EINVAL: a task asks for more slots, memory or devices than there are
 * anywhere; the text names it, and its line where that is known. */
int dtx_scenario_check(const struct dtx_scenario *c, uint32_t slots,
                       struct dtx_error *err);
/* The stock, or NULL where no task asks. 0 or DTX_ENOMEM. */
int dtx_scenario_stock(const struct dtx_scenario *c, struct dtx_stock **out);

#endif

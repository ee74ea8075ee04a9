/* SPDX-License-Identifier: MIT */
/* Needs of tasks and what nodes have; see stock.h. */
#include "sim/stock.h"

#include <stdio.h>

#include "base/error.h"
#include "base/units.h"
#include "sched/stock.h"
#include "sim/scenario.h"

int64_t dtx_scenario_mem(const struct dtx_scenario *c,
                         const struct dtx_task_attr *a)
{
    int64_t mem = a->mem_bytes ? a->mem_bytes : c->mem_bytes;

    return mem > 0 ? mem : 0;
}

uint32_t dtx_scenario_gpus(const struct dtx_scenario *c,
                           const struct dtx_task_attr *a)
{
    uint32_t gpus = a->gpus ? a->gpus : c->gpus;

    return gpus == DTX_NO_GPUS ? 0 : gpus;
}

/* ---- the check ---- */

static bool is_too_much(const struct dtx_scenario *c, uint32_t slots,
                        const struct dtx_task_attr *a)
{
    int64_t mem = c->machine.mem_bytes;

    return a->cpus > slots || (mem > 0 && dtx_scenario_mem(c, a) > mem) ||
           dtx_scenario_gpus(c, a) > c->machine.gpus;
}

/* "list:4: task 3" */
static void name_task(const struct dtx_scenario *c, size_t i, char *who,
                      size_t size)
{
    uint32_t line = c->job->list.task[i].line;
    unsigned long long id = dtx_task_id((uint32_t)i);

    if (c->job->file && line)
        (void)snprintf(who, size, "%.300s:%u: task %llu", c->job->file, line,
                       id);
    else
        (void)snprintf(who, size, "task %llu", id);
}

static int refuse(const struct dtx_scenario *c, uint32_t slots, size_t i,
                  struct dtx_error *err)
{
    const struct dtx_task_attr *a =
        dtx_tasklist_attr_of(&c->job->list, (uint32_t)i);
    char who[360], asks[32], has[32];

    name_task(c, i, who, sizeof(who));
    if (a->cpus > slots)
        return dtx_error_set(err, DTX_EINVAL, "%s asks for cpus=%u, and no "
                             "rank has more than %u slot%s: fewer ranks a "
                             "node, or more slots", who, a->cpus, slots,
                             dtx_plural(slots));
    if (dtx_scenario_gpus(c, a) <= c->machine.gpus)
        return dtx_error_set(
            err, DTX_EINVAL, "%s asks for %s of memory, and a node has %s: "
            "--mem-per-node", who,
            dtx_format_size(asks, sizeof(asks), dtx_scenario_mem(c, a)),
            dtx_format_size(has, sizeof(has), c->machine.mem_bytes));
    if (c->machine.gpus == 0)
        return dtx_error_set(err, DTX_EINVAL, "%s asks for gpus=%u: say how "
                             "many a node has (--gpus-per-node)", who,
                             dtx_scenario_gpus(c, a));
    return dtx_error_set(err, DTX_EINVAL, "%s asks for gpus=%u, and a node has "
                         "%u: --gpus-per-node", who, dtx_scenario_gpus(c, a),
                         c->machine.gpus);
}

int dtx_scenario_check(const struct dtx_scenario *c, uint32_t slots,
                       struct dtx_error *err)
{
    const struct dtx_tasklist *list = &c->job->list;
    bool all = true;
    size_t i;

    for (i = 0; i < list->nattrs && all; i++)
        all = !is_too_much(c, slots, &list->attr[i]);
    if (all)
        return DTX_OK;
    for (i = 0; i < list->ntasks; i++) {
        if (is_too_much(c, slots, dtx_tasklist_attr_of(list, (uint32_t)i)))
            return refuse(c, slots, i, err);
    }
    return DTX_OK; /* nobody has these attributes */
}

/* ---- the stock ---- */

static bool is_asked(const struct dtx_scenario *c)
{
    const struct dtx_tasklist *list = &c->job->list;
    size_t i;

    for (i = 0; i < list->nattrs; i++) {
        if (dtx_scenario_gpus(c, &list->attr[i]) > 0 ||
            (c->machine.mem_bytes > 0 &&
             dtx_scenario_mem(c, &list->attr[i]) > 0))
            return true;
    }
    return false;
}

/* A node with its devices, which all of its ranks share. */
static bool add_node(struct dtx_stock *l, const struct dtx_cluster *m,
                     uint32_t node, const struct dtx_gpu *gpu)
{
    const struct dtx_locus at = {DTX_MACHINE_NONE, DTX_MACHINE_NONE,
                                 DTX_MACHINE_NONE, DTX_MACHINE_NONE};
    uint32_t number = dtx_stock_add_node(l, m->mem_bytes), k;
    uint32_t pool = dtx_stock_add_pool(l, gpu, m->gpus);

    if (number == DTX_STOCK_NONE || pool == DTX_STOCK_NONE)
        return false;
    for (k = 0; k < m->ranks_per_node; k++)
        dtx_stock_set_rank(l, node * m->ranks_per_node + k, number, pool, &at);
    return true;
}

int dtx_scenario_stock(const struct dtx_scenario *c, struct dtx_stock **out)
{
    const struct dtx_cluster *m = &c->machine;
    struct dtx_gpu gpu[DTX_MACHINE_GPUS];
    bool good = true;
    uint32_t i;

    *out = NULL;
    if (!is_asked(c))
        return DTX_OK;
    for (i = 0; i < DTX_MACHINE_GPUS; i++) {
        gpu[i] = (struct dtx_gpu){.kind = DTX_GPU_CUDA,
                                  .numa = DTX_MACHINE_NONE,
                                  .package = DTX_MACHINE_NONE};
        (void)snprintf(gpu[i].name, sizeof(gpu[i].name), "%u", i);
    }
    *out = dtx_stock_create(m->nodes * m->ranks_per_node);
    for (i = 0; i < m->nodes && *out && good; i++)
        good = add_node(*out, m, i, gpu);
    if (*out && good)
        return DTX_OK;
    dtx_stock_destroy(*out);
    *out = NULL;
    return DTX_ENOMEM;
}

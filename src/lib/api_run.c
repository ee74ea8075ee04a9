/* SPDX-License-Identifier: MIT */
/* Loops and trees are run: their arguments are checked, and the call is put in
 * words that must be alike on all ranks. */
#include "lib/api.h"

#include "base/hash.h"
#include "sched/loop.h"

/* The call for people; what it says must be alike on all ranks. */
static void describe(struct dtx_region *g)
{
    const struct dtx_work *w = g->work;
    const struct dtx_schedule_choice *c =
        w->schedule.schedule ? &w->schedule : &g->session->options.schedule;
    struct dtx_buf *b = &g->text;

    if (g->style == &dtx_style_task)
        dtx_buf_str(b, "tasks");
    else if (g->style == &dtx_style_tree)
        dtx_buf_printf(
            b, "tree kernel %s (root %016llx)", g->kernel->name,
            (unsigned long long)dtx_hash128(g->root, g->kernel->node_bytes, 3)
                .lo);
    else
        dtx_buf_printf(b, "kernel %s for %llu .. %llu", g->kernel->name,
                       (unsigned long long)g->begin,
                       (unsigned long long)g->end);
    if (g->args_bytes)
        dtx_buf_printf(
            b, ", %zu bytes of arguments (%016llx)", g->args_bytes,
            (unsigned long long)dtx_hash128(g->args, g->args_bytes, 4).lo);
    if (c->schedule && g->style == &dtx_style_loop)
        dtx_buf_printf(b, ", schedule %s", c->schedule->name);
    if (w->nx && g->style == &dtx_style_loop)
        dtx_buf_printf(b, ", %u features (%016llx)", w->nx,
                       (unsigned long long)dtx_hash128(
                           w->x, w->nx * sizeof(*w->x), 6).lo);
    if (w->nred)
        dtx_buf_printf(b, ", %u reductions of %zu bytes", w->nred,
                       w->value_bytes);
    if (w->result_bytes)
        dtx_buf_printf(b, ", results of %zu bytes", w->result_bytes);
    if (w->journaled && g->style == &dtx_style_loop)
        dtx_buf_str(b, ", with a journal");
}

int dtx_api_run(struct dtx_region *g, struct dtx_work *w, const void *args,
                size_t args_bytes)
{
    struct dtx_session *s = w->session;
    int rc;

    if (args_bytes > DTX_MAX_ARGS || (args_bytes && !args)) {
        (void)dtx_api_fail(args ? DTX_ELIMIT : DTX_EINVAL,
                           "arguments have up to %u bytes", DTX_MAX_ARGS);
        return dtx_api_refuse();
    }
    if (w->journaled && s->net.rank == 0 && !w->diary)
        return dtx_api_run_nothing(&w->unkept);
    if (atomic_exchange(&s->running, true))
        return dtx_api_busy(s);
    if (s->broken) {
        atomic_store(&s->running, false);
        return dtx_api_fail(DTX_ESTATE,
                            "an earlier call could not go on: the session can "
                            "only be finalised");
    }
    g->session = s;
    g->work = w;
    g->kernel = w->kernel;
    g->args = args;
    g->args_bytes = args_bytes;
    describe(g);
    if (g->text.failed)
        g->ill = DTX_ENOMEM;
    rc = dtx_region_run(g, &dtx_api_error);
    if (g->style == &dtx_style_task && w->ledger)
        dtx_api_close_tasks(w, rc);
    dtx_buf_free(&g->text);
    atomic_store(&s->running, false);
    return rc;
}

int dtx_api_refuse(void)
{
    struct dtx_error why = dtx_api_error;

    return dtx_api_run_nothing(&why);
}

static int check_loop(const struct dtx_work *w, uint64_t begin, uint64_t end)
{
    if (!w || w->kernel->kind == DTX_KERNEL_TREE ||
        w->kernel->kind == DTX_KERNEL_TASK)
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_for: a kernel of dtx_kernel_each or "
                            "dtx_kernel_range is needed");
    if (begin > end)
        return dtx_api_fail(DTX_EINVAL,
                            "a loop from %llu to %llu: the end comes first",
                            (unsigned long long)begin, (unsigned long long)end);
    if (w->journaled &&
        (w->nred || !w->result_bytes || end - begin > UINT32_MAX))
        return dtx_api_fail(DTX_EINVAL,
                            "dtx_work_for: a journal keeps results of "
                            "iterations, up to 2^32 of them, and no sums");
    return DTX_OK;
}

int dtx_work_for(struct dtx_work *w, uint64_t begin, uint64_t end,
                 const void *args, size_t args_bytes)
{
    struct dtx_region g = {
        .style = &dtx_style_loop, .begin = begin, .end = end};

    if (!dtx_api_session)
        return dtx_api_outside("dtx_work_for");
    if (check_loop(w, begin, end) < 0)
        return dtx_api_refuse();
    return dtx_api_run(&g, w, args, args_bytes);
}

int dtx_work_tree(struct dtx_work *w, const void *root, const void *args,
                  size_t args_bytes)
{
    struct dtx_region g = {.style = &dtx_style_tree, .root = root};

    if (!dtx_api_session)
        return dtx_api_outside("dtx_work_tree");
    if (!w || !root || w->kernel->kind != DTX_KERNEL_TREE) {
        (void)dtx_api_fail(DTX_EINVAL,
                           "dtx_work_tree: a kernel of dtx_kernel_tree and "
                           "a root are needed");
        return dtx_api_refuse();
    }
    return dtx_api_run(&g, w, args, args_bytes);
}

int dtx_for(const char *kernel, uint64_t begin, uint64_t end, const void *args,
            size_t args_bytes)
{
    struct dtx_work w;
    int rc = dtx_api_init_work(&w, kernel);

    if (rc < 0)
        return dtx_api_session ? dtx_api_refuse() : rc;
    w.remembers = w.session->recall != NULL; /* from run to run */
    return dtx_work_for(&w, begin, end, args, args_bytes);
}

/* SPDX-License-Identifier: MIT */
/* Needs and nodes; see needs.h.  It counts nothing itself: the stock does. */
#include "run/needs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "run/nodes.h"
#include "run/place.h"
#include "sched/stock.h"
#include "task/machine.h"
#include "task/task.h"

bool dtx_needs_asked(const struct dtx_tasklist *list, bool live,
                     int64_t mem_bytes, uint32_t gpus)
{
    size_t i;

    if (live || mem_bytes > 0 || gpus > 0)
        return true;
    for (i = 0; i < list->nattrs; i++)
        if (list->attr[i].mem_bytes > 0 ||
            (list->attr[i].gpus > 0 && list->attr[i].gpus != DTX_NO_GPUS))
            return true;
    return false;
}

/* ---- from cards to the stock ---- */

/* What is known of the nodes while the stock is filled. */
struct filling {
    const struct dtx_card *cards;
    struct dtx_stock *stock;
    int64_t mem_each;
    struct dtx_nodes nodes;
    uint32_t *node, *pool; /* per node: the stock's numbers for it, and for its
                              first rank's devices */
};

static bool same_gpus(const struct dtx_card *a, const struct dtx_card *b)
{
    struct dtx_machine x, y;
    bool same;
    size_t i;

    dtx_card_machine(a, &x);
    dtx_card_machine(b, &y);
    same = x.ngpus == y.ngpus;
    for (i = 0; same && i < x.ngpus; i++)
        same = x.gpu[i].kind == y.gpu[i].kind &&
               strcmp(x.gpu[i].name, y.gpu[i].name) == 0;
    dtx_machine_free(&x);
    dtx_machine_free(&y);
    return same;
}

static int64_t memory_of(const struct filling *f, const struct dtx_machine *m)
{
    int64_t mem = dtx_machine_memory(m);

    return f->mem_each > 0 && (mem <= 0 || f->mem_each < mem) ? f->mem_each
                                                              : mem;
}

static int add_rank(struct filling *f, uint32_t i)
{
    uint32_t k = f->nodes.of[i], first = f->nodes.first[k], pool;
    struct dtx_machine m;
    struct dtx_locus at, last;

    dtx_card_machine(&f->cards[i], &m);
    if (i == first)
        f->node[k] = dtx_stock_add_node(f->stock, memory_of(f, &m));
    if (i == first || !same_gpus(&f->cards[first], &f->cards[i]))
        pool = dtx_stock_add_pool(f->stock, m.gpu, m.ngpus);
    else
        pool = f->pool[k];
    if (i == first)
        f->pool[k] = pool;
    dtx_nodes_cores(&f->nodes, &m, i, &at, &last);
    dtx_machine_free(&m);
    if (f->node[k] == DTX_STOCK_NONE || pool == DTX_STOCK_NONE)
        return DTX_ENOMEM;
    dtx_stock_set_rank(f->stock, i, f->node[k], pool, &at);
    return DTX_OK;
}

int dtx_needs_init(struct dtx_needs *n, const struct dtx_card *cards,
                   uint32_t ncards, int64_t mem_each)
{
    struct filling f = {.cards = cards, .mem_each = mem_each};
    uint32_t i;
    int rc = dtx_nodes_init(&f.nodes, cards, ncards);

    f.stock = dtx_stock_create(ncards);
    f.node = calloc(ncards, sizeof(*f.node));
    f.pool = calloc(ncards, sizeof(*f.pool));
    if (!f.stock || !f.node || !f.pool)
        rc = DTX_ENOMEM;
    for (i = 0; rc == DTX_OK && i < ncards; i++)
        rc = add_rank(&f, i);
    dtx_nodes_fini(&f.nodes);
    free(f.node);
    free(f.pool);
    if (rc != DTX_OK) {
        dtx_stock_destroy(f.stock);
        return rc;
    }
    n->stock = f.stock;
    n->nranks = ncards;
    return DTX_OK;
}

void dtx_needs_fini(struct dtx_needs *n)
{
    dtx_stock_destroy(n->stock);
    n->stock = NULL;
}

/* ---- the check ---- */

static struct dtx_need need_of(const struct dtx_needs *n,
                               const struct dtx_task_attr *a)
{
    struct dtx_need need = {a->mem_bytes ? a->mem_bytes : n->mem_bytes,
                            a->gpus ? a->gpus : n->gpus};

    need.mem_bytes = need.mem_bytes < 0 ? 0 : need.mem_bytes;
    need.gpus = need.gpus == DTX_NO_GPUS ? 0 : need.gpus;
    return need;
}

static bool any_could(const struct dtx_needs *n, const struct dtx_need *need)
{
    uint32_t r;

    if (need->mem_bytes == 0 && need->gpus == 0)
        return true;
    for (r = 0; r < n->nranks; r++)
        if (dtx_stock_could(n->stock, r, need))
            return true;
    return false;
}

int dtx_needs_check(const struct dtx_needs *n, const struct dtx_tasklist *list,
                    size_t from, const char *file, struct dtx_error *err)
{
    uint32_t fine = UINT32_MAX; /* attributes seen last */
    char size[32];
    size_t i;

    for (i = from; i < list->ntasks; i++) {
        const struct dtx_task *t = &list->task[i];
        struct dtx_need need;

        if (t->attr == fine)
            continue;
        need = need_of(n, &list->attr[t->attr]);
        if (!any_could(n, &need))
            return dtx_error_set(
                err, DTX_EPARSE,
                "%s:%u: task %zu asks for mem=%s gpus=%u, and no node has so "
                "much: 'distributex topo' shows what a node has", file,
                t->line, i + 1,
                dtx_format_size(size, sizeof(size), need.mem_bytes),
                need.gpus);
        fine = t->attr;
    }
    return DTX_OK;
}

/* ---- variables ---- */

/* A value, in which % is doubled. */
static void put_value(struct dtx_buf *env, const char *s)
{
    for (; *s; s++) {
        if (*s == '%')
            dtx_buf_char(env, '%');
        dtx_buf_char(env, *s);
    }
}

static void put_list(const struct dtx_machine *m, uint64_t gpus,
                     enum dtx_gpu_kind kind, const char *variable,
                     struct dtx_buf *env)
{
    bool any = false;
    size_t i;

    for (i = 0; i < m->ngpus && i < DTX_MACHINE_GPUS; i++) {
        if (!(gpus >> i & 1) || m->gpu[i].kind != kind)
            continue;
        if (any)
            dtx_buf_char(env, ',');
        else
            dtx_buf_printf(env, "%s%s=", env->len ? "\n" : "", variable);
        any = true;
        put_value(env, m->gpu[i].name);
    }
    if (any && kind == DTX_GPU_CUDA && !m->gpus_given)
        dtx_buf_str(env, "\nCUDA_DEVICE_ORDER=PCI_BUS_ID");
}

void dtx_needs_variables(const struct dtx_machine *m, uint64_t gpus,
                         struct dtx_buf *env)
{
    put_list(m, gpus, DTX_GPU_CUDA, "CUDA_VISIBLE_DEVICES", env);
    put_list(m, gpus, DTX_GPU_ROCM, "ROCR_VISIBLE_DEVICES", env);
}

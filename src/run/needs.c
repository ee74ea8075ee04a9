/* SPDX-License-Identifier: MIT */
/* Needs and nodes; see needs.h.  It counts nothing itself: the stock does. */
#include "run/needs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
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
    struct known {
        uint32_t card;  /* of its first rank */
        uint32_t ranks; /* of it, so far */
        uint32_t all;   /* of it, in all */
        uint32_t pool;  /* of that rank */
    } *node;
    uint32_t nnodes;
    uint32_t *of; /* the node of each rank */
};

static uint32_t find_node(const struct filling *f, uint32_t i)
{
    uint32_t k;

    if (i > 0 && dtx_card_same_node(&f->cards[i - 1], &f->cards[i]))
        return f->of[i - 1];
    for (k = 0; k < f->nnodes; k++)
        if (dtx_card_same_node(&f->cards[f->node[k].card], &f->cards[i]))
            break;
    return k;
}

static void group(struct filling *f, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        f->of[i] = find_node(f, i);
        if (f->of[i] == f->nnodes)
            f->node[f->nnodes++] = (struct known){i, 0, 0, DTX_STOCK_NONE};
        f->node[f->of[i]].all++;
    }
}

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

/* The rank's place: ranks that share a node's cores sit side by side. */
static struct dtx_locus place_of(const struct known *k,
                                 const struct dtx_machine *m)
{
    uint64_t i = (uint64_t)k->ranks * m->usable / k->all;

    return dtx_machine_core(m, m->usable == m->cores ? (uint32_t)i : 0);
}

static int add_rank(struct filling *f, uint32_t i)
{
    struct known *k = &f->node[f->of[i]];
    struct dtx_machine m;
    struct dtx_locus at;
    uint32_t node = f->of[i], pool = k->pool;

    dtx_card_machine(&f->cards[i], &m);
    if (k->ranks == 0)
        node = dtx_stock_add_node(f->stock, memory_of(f, &m));
    if (k->ranks == 0 || !same_gpus(&f->cards[k->card], &f->cards[i]))
        pool = dtx_stock_add_pool(f->stock, m.gpu, m.ngpus);
    at = place_of(k, &m);
    dtx_machine_free(&m);
    if (node == DTX_STOCK_NONE || pool == DTX_STOCK_NONE)
        return DTX_ENOMEM;
    if (k->ranks++ == 0)
        k->pool = pool;
    dtx_stock_set_rank(f->stock, i, node, pool, &at);
    return DTX_OK;
}

int dtx_needs_init(struct dtx_needs *n, const struct dtx_card *cards,
                   uint32_t ncards, int64_t mem_each)
{
    struct filling f = {.cards = cards, .mem_each = mem_each};
    uint32_t i;
    int rc = DTX_OK;

    f.stock = dtx_stock_create(ncards);
    f.node = calloc(ncards, sizeof(*f.node));
    f.of = calloc(ncards, sizeof(*f.of));
    if (!f.stock || !f.node || !f.of)
        rc = DTX_ENOMEM;
    else
        group(&f, ncards);
    for (i = 0; rc == DTX_OK && i < ncards; i++)
        rc = add_rank(&f, i);
    free(f.node);
    free(f.of);
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

/* SPDX-License-Identifier: MIT */
/* Needs and nodes; see needs.h.  It counts nothing itself: the stock does. */
#include "run/needs.h"

#include <stdio.h>
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
    struct dtx_needs most; /* of each kind */
    bool untold;           /* a node does not tell its memory */
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

static void note_most(struct filling *f, const struct dtx_machine *m,
                      const char *host)
{
    int64_t mem = memory_of(f, m);

    f->untold |= mem <= 0;
    if (mem > f->most.most_mem) {
        f->most.most_mem = mem;
        f->most.mem_host = host;
    }
    if (m->ngpus > f->most.most_gpus) {
        f->most.most_gpus = (uint32_t)m->ngpus;
        f->most.gpus_host = host;
    }
}

static int add_rank(struct filling *f, uint32_t i)
{
    uint32_t k = f->nodes.of[i], first = f->nodes.first[k], pool;
    struct dtx_machine m;
    struct dtx_locus at, last;

    dtx_card_machine(&f->cards[i], &m);
    note_most(f, &m, f->cards[i].host);
    if (i == first) {
        f->node[k] = dtx_stock_add_node(f->stock, memory_of(f, &m));
        f->most.all_mem += memory_of(f, &m);
    }
    if (i == first || !same_gpus(&f->cards[first], &f->cards[i])) {
        pool = dtx_stock_add_pool(f->stock, m.gpu, m.ngpus);
        f->most.all_gpus += m.ngpus;
    } else {
        pool = f->pool[k];
    }
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
    n->slots = calloc(ncards, sizeof(*n->slots));
    if (!f.stock || !f.node || !f.pool || !n->slots)
        rc = DTX_ENOMEM;
    for (i = 0; rc == DTX_OK && i < ncards; i++)
        rc = add_rank(&f, i);
    dtx_nodes_fini(&f.nodes);
    free(f.node);
    free(f.pool);
    if (rc != DTX_OK) {
        dtx_stock_destroy(f.stock);
        free(n->slots);
        n->slots = NULL;
        return rc;
    }
    n->stock = f.stock;
    n->nranks = ncards;
    n->cards = cards;
    n->most_mem = f.untold ? 0 : f.most.most_mem;
    n->most_gpus = f.most.most_gpus;
    n->all_mem = f.untold ? 0 : f.most.all_mem;
    n->all_gpus = f.most.all_gpus;
    n->mem_host = f.most.mem_host;
    n->gpus_host = f.most.gpus_host;
    return DTX_OK;
}

void dtx_needs_fini(struct dtx_needs *n)
{
    dtx_stock_destroy(n->stock);
    n->stock = NULL;
    free(n->slots);
    n->slots = NULL;
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

/* Has the rank so many slots? All are counted when that is asked first; out of
 * memory it is taken to have them. */
static bool has_slots(const struct dtx_needs *n, uint32_t rank, uint32_t cpus)
{
    struct dtx_share *each;
    uint32_t i;

    if (cpus < 2 || !n->jobs)
        return true;
    if (n->slots[0] == 0) {
        each = calloc(n->nranks, sizeof(*each));
        if (each && dtx_shares_of(n->cards, n->nranks, n->jobs, each) == 0)
            for (i = 0; i < n->nranks; i++)
                n->slots[i] = each[i].nslots;
        free(each);
    }
    return n->slots[rank] == 0 || n->slots[rank] >= cpus;
}

static bool any_could(const struct dtx_needs *n, const struct dtx_need *need,
                      uint32_t cpus)
{
    uint32_t r;

    if (need->mem_bytes == 0 && need->gpus == 0)
        return true;
    for (r = 0; r < n->nranks; r++)
        if (dtx_stock_could(n->stock, r, need) && has_slots(n, r, cpus))
            return true;
    return false;
}

/* "list:4: task 3 asks for " */
static void name_asker(char *who, size_t size, const char *file, uint32_t line,
                       size_t task)
{
    if (file)
        (void)snprintf(who, size, "%.400s:%lu: task %lu asks for ", file,
                       (unsigned long)line, (unsigned long)task + 1);
    else
        (void)snprintf(who, size, "task %lu asks for ",
                       (unsigned long)task + 1);
}

static int too_much_memory(const struct dtx_needs *n, const char *who,
                           bool option, int64_t bytes, struct dtx_error *err)
{
    char size[32], most[32];

    return dtx_error_set(
        err, option ? DTX_EINVAL : DTX_EPARSE,
        "%s%s%s: the largest node (%s) has %s for tasks: ask for less, or for "
        "larger nodes ('distributex topo' shows what one has)", who,
        option ? " " : "mem=", dtx_format_size(size, sizeof(size), bytes),
        n->mem_host, dtx_format_size(most, sizeof(most), n->most_mem));
}

static int too_many_gpus(const struct dtx_needs *n, const char *who,
                         bool option, uint32_t gpus, struct dtx_error *err)
{
    if (n->most_gpus == 0)
        return dtx_error_set(
            err, option ? DTX_EINVAL : DTX_EPARSE,
            "%s%s%lu: no node has any: 'distributex topo' shows what one has, "
            "and CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES can name some",
            who, option ? " " : "gpus=", (unsigned long)gpus);
    return dtx_error_set(
        err, option ? DTX_EINVAL : DTX_EPARSE,
        "%s%s%lu: the node with most (%s) has %lu: ask for fewer, or for other "
        "nodes ('distributex topo' shows what one has)", who,
        option ? " " : "gpus=", (unsigned long)gpus, n->gpus_host,
        (unsigned long)n->most_gpus);
}

/* Say which of both is too much, and who asked for it. */
static int refuse(const struct dtx_needs *n, const struct dtx_need *need,
                  const struct dtx_task_attr *a, const char *who,
                  struct dtx_error *err)
{
    char size[32];

    if (n->most_mem > 0 && need->mem_bytes > n->most_mem)
        return too_much_memory(n, a->mem_bytes ? who : "--mem",
                               a->mem_bytes == 0, need->mem_bytes, err);
    if (need->gpus > n->most_gpus)
        return too_many_gpus(n, a->gpus ? who : "--gpus", a->gpus == 0,
                             need->gpus, err);
    if (any_could(n, need, 1))
        return dtx_error_set(
            err, DTX_EPARSE,
            "%scpus=%lu, mem=%s and gpus=%lu, and no rank has all of it: start "
            "fewer ranks with more cores each where that is, or ask for less",
            who, (unsigned long)a->cpus,
            dtx_format_size(size, sizeof(size), need->mem_bytes),
            (unsigned long)need->gpus);
    return dtx_error_set(
        err, a->mem_bytes || a->gpus ? DTX_EPARSE : DTX_EINVAL,
        "%smem=%s and gpus=%lu, and no node has both: ask for less of one "
        "('distributex topo' shows what a node has)", who,
        dtx_format_size(size, sizeof(size), need->mem_bytes),
        (unsigned long)need->gpus);
}

int dtx_needs_check(const struct dtx_needs *n, const struct dtx_tasklist *list,
                    size_t from, const char *file, struct dtx_error *err)
{
    uint32_t fine = UINT32_MAX; /* attributes seen last */
    char who[512];
    size_t i;

    for (i = from; i < list->ntasks; i++) {
        const struct dtx_task *t = &list->task[i];
        const struct dtx_task_attr *a = &list->attr[t->attr];
        struct dtx_need need;

        if (t->attr == fine)
            continue;
        need = need_of(n, a);
        if (!any_could(n, &need, a->cpus)) {
            name_asker(who, sizeof(who), file, t->line, i);
            return refuse(n, &need, a, who, err);
        }
        fine = t->attr;
    }
    return DTX_OK;
}

int dtx_needs_check_free(const struct dtx_card *cards, uint32_t ncards,
                         int64_t memfree, struct dtx_error *err)
{
    char size[32], has[32];
    const char *host = "";
    int64_t most = 0;
    uint32_t i;

    for (i = 0; i < ncards; i++) {
        struct dtx_machine m;
        int64_t mem;

        dtx_card_machine(&cards[i], &m);
        mem = m.real ? dtx_machine_memory(&m) : 0;
        dtx_machine_free(&m);
        if (mem <= 0 || mem >= memfree)
            return DTX_OK; /* not known, or enough */
        if (mem > most) {
            most = mem;
            host = cards[i].host;
        }
    }
    if (i == 0)
        return DTX_OK;
    return dtx_error_set(
        err, DTX_EINVAL,
        "--memfree %s: the largest node (%s) has %s in all, so that no task "
        "would ever start: ask for less",
        dtx_format_size(size, sizeof(size), memfree), host,
        dtx_format_size(has, sizeof(has), most));
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

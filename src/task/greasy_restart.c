/* SPDX-License-Identifier: MIT */
/* Writes a GREASY file of the tasks that are left; see greasy_restart.h.  It
 * decides how each dependency is said; which tasks are left is the caller's
 * word. */
#include "task/greasy_restart.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/graph.h"
#include "task/task.h"

/* Tasks of the new file, numbered from 1. */
struct range {
    uint32_t lo, hi;
};

struct ranges {
    struct range *r;
    size_t n, cap;
};

struct restart {
    const struct dtx_tasklist *list;
    const struct dtx_graph *graph;
    struct dtx_buf *out;
    uint32_t *number; /* per task: in the new file from 1, 0 = done */
    uint32_t *line;   /* per number: where it stands */
    uint32_t nlines;  /* written */
    size_t *start;    /* per node: its predecessors in 'pred' */
    uint32_t *pred;
    struct ranges waits; /* of the task at work */
    struct ranges gates; /* of all gates, one behind the other */
    size_t *gate_at;     /* per gate, and the end */
};

/* ---- who waits for whom ---- */

static bool invert(struct restart *r)
{
    const struct dtx_graph *g = r->graph;
    size_t i, nedges = g->start ? g->start[g->nnodes] : 0;
    uint32_t n;

    r->start = calloc((size_t)g->nnodes + 2, sizeof(*r->start));
    r->pred = malloc((nedges + 1) * sizeof(*r->pred));
    if (!r->start || !r->pred)
        return false;
    for (i = 0; i < nedges; i++)
        r->start[(size_t)g->succ[i] + 2]++;
    for (n = 0; n < g->nnodes; n++)
        r->start[n + 2] += r->start[n + 1];
    for (n = 0; nedges > 0 && n < g->nnodes; n++) {
        for (i = g->start[n]; i < g->start[n + 1]; i++)
            r->pred[r->start[(size_t)g->succ[i] + 1]++] = n;
    }
    return true;
}

/* Add a range to those from number 'from' on, which it may go on. */
static bool add(struct ranges *a, size_t from, struct range x)
{
    struct range *p;

    if (a->n > from && a->r[a->n - 1].hi + 1 == x.lo) {
        a->r[a->n - 1].hi = x.hi;
        return true;
    }
    p = dtx_grow(a->r, &a->cap, a->n + 1, sizeof(*p));
    if (!p)
        return false;
    a->r = p;
    p[a->n++] = x;
    return true;
}

/* The tasks, not the gates, that node 'n' waits for. */
static bool add_tasks(struct restart *r, uint32_t n, struct ranges *a,
                      size_t from)
{
    size_t i;

    for (i = r->start[n]; i < r->start[n + 1]; i++) {
        uint32_t p = r->pred[i], k = p < r->graph->ntasks ? r->number[p] : 0;

        if (k > 0 && !add(a, from, (struct range){k, k}))
            return false;
    }
    return true;
}

/* A gate waits for tasks alone, and stands for them. */
static bool read_gates(struct restart *r)
{
    const struct dtx_graph *g = r->graph;
    uint32_t i, n = g->nnodes - g->ntasks;

    r->gate_at = calloc((size_t)n + 1, sizeof(*r->gate_at));
    for (i = 0; r->gate_at && i < n; i++) {
        r->gate_at[i] = r->gates.n;
        if (!add_tasks(r, g->ntasks + i, &r->gates, r->gates.n))
            return false;
    }
    if (r->gate_at)
        r->gate_at[n] = r->gates.n;
    return r->gate_at != NULL;
}

static int by_place(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* All that a task waits for, in order, each once. */
static bool find_waits(struct restart *r, uint32_t task)
{
    struct ranges *a = &r->waits;
    size_t i, k, n = 0;

    a->n = 0;
    if (!add_tasks(r, task, a, 0))
        return false;
    for (i = r->start[task]; i < r->start[task + 1]; i++) {
        uint32_t gate;

        if (r->pred[i] < r->graph->ntasks)
            continue;
        gate = r->pred[i] - r->graph->ntasks;
        for (k = r->gate_at[gate]; k < r->gate_at[gate + 1]; k++) {
            if (!add(a, 0, r->gates.r[k]))
                return false;
        }
    }
    if (a->n > 1)
        qsort(a->r, a->n, sizeof(*a->r), by_place);
    for (i = 1; i < a->n; i++) {
        if (a->r[i].lo > a->r[n].hi + 1)
            a->r[++n] = a->r[i];
        else if (a->r[i].hi > a->r[n].hi)
            a->r[n].hi = a->r[i].hi;
    }
    a->n = a->n > 0 ? n + 1 : 0;
    return true;
}

/* ---- text ---- */

static void put_range(struct dtx_buf *b, bool *first, uint32_t lo, uint32_t hi)
{
    dtx_buf_printf(b, "%s%lu", *first ? "" : ",", (unsigned long)lo);
    if (hi > lo)
        dtx_buf_printf(b, "-%lu", (unsigned long)hi);
    *first = false;
}

/* The lines of tasks lo to hi: between some there may be others. */
static void put_lines(struct restart *r, bool *first, struct range x)
{
    uint32_t a = x.lo, b;

    while (a <= x.hi) {
        if (r->line[x.hi] - r->line[a] == x.hi - a) {
            b = x.hi;
        } else {
            for (b = a; b < x.hi && r->line[b + 1] == r->line[b] + 1;)
                b++;
        }
        put_range(r->out, first, r->line[a], r->line[b]);
        a = b + 1;
    }
}

/* A value as a directive takes it. */
static void put_value(struct dtx_buf *b, const char *key, const char *value)
{
    char quote = strchr(value, '\'') ? '"' : '\'';

    dtx_buf_printf(b, " %s=%c%s%c", key, quote, value, quote);
}

/* Can GREASY's brackets hold it? */
static bool is_plain_dir(const char *dir)
{
    size_t n = strlen(dir);

    return n > 0 && !strstr(dir, "@]") && dir[n - 1] != '@' &&
           !strchr(" \t", dir[0]) && !strchr(" \t", dir[n - 1]);
}

/* What GREASY cannot say; the words after "#DTX". */
static void put_directive(struct restart *r, const struct dtx_task *t,
                          bool later)
{
    const struct dtx_task_attr *a = &r->list->attr[t->attr];
    const char *name = dtx_tasklist_pool(r->list, t->name);
    const char *dir = dtx_tasklist_pool(r->list, a->cwd);
    struct dtx_buf *b = r->out;
    bool first = true;
    size_t i;

    if (name)
        put_value(b, "name", name);
    if (a->cpus > 1)
        dtx_buf_printf(b, " cpus=%lu", (unsigned long)a->cpus);
    if (a->mem_bytes)
        dtx_buf_printf(b, " mem=%lld",
                       (long long)(a->mem_bytes > 0 ? a->mem_bytes : 0));
    if (a->gpus)
        dtx_buf_printf(b, " gpus=%lu",
                       (unsigned long)(a->gpus == DTX_NO_GPUS ? 0 : a->gpus));
    if (a->prio)
        dtx_buf_printf(b, " prio=%ld", (long)a->prio);
    if (a->retries)
        dtx_buf_printf(b, " retries=%lu", (unsigned long)a->retries);
    if (a->timeout_ns < 0)
        dtx_buf_str(b, " timeout=none");
    else if (a->timeout_ns > 0)
        dtx_buf_printf(b, " timeout=%lld.%09llds",
                       (long long)(a->timeout_ns / 1000000000),
                       (long long)(a->timeout_ns % 1000000000));
    if (dir && !is_plain_dir(dir))
        put_value(b, "cwd", dir);
    for (i = 0; later && i < r->waits.n; i++) {
        if (first)
            dtx_buf_str(b, " after=");
        put_range(b, &first, r->waits.r[i].lo, r->waits.r[i].hi);
    }
}

static void put_task(struct restart *r, uint32_t task)
{
    const struct dtx_task *t = &r->list->task[task];
    const char *text = dtx_tasklist_text(r->list, t);
    const char *dir =
        dtx_tasklist_pool(r->list, r->list->attr[t->attr].cwd);
    size_t i, n = r->waits.n, before = r->out->len;
    bool later = n > 0 && r->waits.r[n - 1].hi >= r->number[task];
    bool first = true, bracket = false;

    dtx_buf_str(r->out, "#DTX");
    put_directive(r, t, later);
    if (r->out->len == before + 4) {
        r->out->len = before; /* there was nothing to say */
    } else {
        dtx_buf_char(r->out, '\n');
        r->nlines++;
    }
    r->line[r->number[task]] = ++r->nlines;
    if (n > 0 && !later) {
        dtx_buf_str(r->out, "[# ");
        for (i = 0; i < n; i++)
            put_lines(r, &first, r->waits.r[i]);
        dtx_buf_str(r->out, " #] ");
        bracket = true;
    }
    if (dir && is_plain_dir(dir)) {
        dtx_buf_printf(r->out, "[@ %s @] ", dir);
        bracket = true;
    }
    if (!bracket && t->len > 0 && text[0] == '#') /* it is no comment */
        dtx_buf_str(r->out, "[@ . @] ");
    dtx_buf_append(r->out, text, t->len);
    dtx_buf_char(r->out, '\n');
}

/* ---- whole ---- */

static bool write_all(struct restart *r)
{
    uint32_t i;

    dtx_buf_str(r->out, DTX_GREASY_RESTART_HEAD);
    r->nlines = 1;
    if (!invert(r) || !read_gates(r))
        return false;
    for (i = 0; i < r->list->ntasks; i++) {
        if (r->number[i] == 0)
            continue;
        if (!find_waits(r, i))
            return false;
        put_task(r, i);
    }
    return !r->out->failed;
}

int dtx_greasy_restart(const struct dtx_tasklist *list,
                       const struct dtx_graph *graph,
                       bool (*is_done)(void *ctx, uint32_t task), void *ctx,
                       struct dtx_buf *out, uint32_t *count)
{
    struct restart r = {.list = list, .graph = graph, .out = out};
    bool good;
    uint32_t i, n = 0;

    r.number = calloc(list->ntasks + 1, sizeof(*r.number));
    r.line = calloc(list->ntasks + 1, sizeof(*r.line));
    for (i = 0; r.number && i < list->ntasks; i++)
        r.number[i] = is_done(ctx, i) ? 0 : ++n;
    good = r.number && r.line && write_all(&r);
    *count = n;
    free(r.number);
    free(r.line);
    free(r.start);
    free(r.pred);
    free(r.waits.r);
    free(r.gates.r);
    free(r.gate_at);
    return good ? DTX_OK : DTX_ENOMEM;
}

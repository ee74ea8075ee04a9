/* SPDX-License-Identifier: MIT */
/* Profiles of loops, by their names; see recall.h.  It decides which one is
 * the most similar, never what is done with it. */
#include "sched/recall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct loop {
    char *kernel;
    uint64_t begin, end, used;
    double x[DTX_RECALL_FEATURES];
    uint32_t nx;
    bool swept; /* in this run: 'last' counts, and 'first' stays */
    struct dtx_profile first, last;
};

struct dtx_recall {
    struct loop *loop[DTX_RECALL_LOOPS];
    size_t n;
    uint64_t turns;
};

struct dtx_recall *dtx_recall_create(void)
{
    return calloc(1, sizeof(struct dtx_recall));
}

static void free_loop(struct loop *l)
{
    if (l)
        free(l->kernel);
    free(l);
}

void dtx_recall_destroy(struct dtx_recall *r)
{
    size_t i;

    for (i = 0; r && i < r->n; i++)
        free_loop(r->loop[i]);
    free(r);
}

size_t dtx_recall_loops(const struct dtx_recall *r)
{
    return r->n;
}

/* How alike two numbers are: 1 the same, towards 0 ever less. Of opposite signs
 * not at all. No function of the mathematical library, whose last bit may
 * differ from node to node. */
static double alike(double a, double b)
{
    double sum = fabs(a) + fabs(b);

    return a < b || a > b ? 1 - fabs(a - b) / sum : 1;
}

/* Of the whole name: 1 for the same loop, 0 for one of another kernel. */
static double likeness(const struct loop *l, const struct dtx_loop_name *n)
{
    double like;
    uint32_t i;

    if (strcmp(l->kernel, n->kernel) != 0 || l->nx != n->nx)
        return 0;
    like = alike((double)(l->end - l->begin), (double)(n->end - n->begin));
    for (i = 0; i < n->nx; i++)
        like *= alike(l->x[i], n->x[i]);
    return like;
}

static bool is_same(const struct loop *l, const struct dtx_loop_name *n)
{
    return l->begin == n->begin && l->end == n->end && likeness(l, n) >= 1;
}

static struct loop *find_same(const struct dtx_recall *r,
                              const struct dtx_loop_name *n)
{
    size_t i;

    for (i = 0; i < r->n; i++) {
        if (is_same(r->loop[i], n))
            return r->loop[i];
    }
    return NULL;
}

static struct loop *make(const struct dtx_loop_name *n)
{
    struct loop *l = calloc(1, sizeof(*l));

    if (l)
        l->kernel = strdup(n->kernel);
    if (!l || !l->kernel) {
        free_loop(l);
        return NULL;
    }
    l->begin = n->begin;
    l->end = n->end;
    l->nx = n->nx < DTX_RECALL_FEATURES ? n->nx : DTX_RECALL_FEATURES;
    if (l->nx > 0)
        memcpy(l->x, n->x, l->nx * sizeof(*l->x));
    return l;
}

/* The loop of that name, which may take the place of the one used longest
 * ago. */
static struct loop *find_or_make(struct dtx_recall *r,
                                 const struct dtx_loop_name *n)
{
    struct loop *l = find_same(r, n);
    size_t i, at = 0;

    if (l || !(l = make(n)))
        return l;
    if (r->n < DTX_RECALL_LOOPS) {
        at = r->n++;
    } else {
        for (i = 1; i < r->n; i++)
            at = r->loop[i]->used < r->loop[at]->used ? i : at;
        free_loop(r->loop[at]);
    }
    r->loop[at] = l;
    return l;
}

bool dtx_recall_load(struct dtx_recall *r, const struct dtx_loop_name *n,
                     const struct dtx_profile *p)
{
    struct loop *l = find_or_make(r, n);

    if (!l)
        return false;
    l->first = *p;
    l->used = ++r->turns;
    return true;
}

bool dtx_recall_keep(struct dtx_recall *r, const struct dtx_loop_name *n,
                     const struct dtx_profile *p)
{
    struct loop *l = find_or_make(r, n);

    if (!l)
        return false;
    if (!l->swept)
        l->first = *p;
    l->last = *p;
    l->swept = true;
    l->used = ++r->turns;
    return true;
}

bool dtx_recall_find(const struct dtx_recall *r, const struct dtx_loop_name *n,
                     uint32_t total, struct dtx_profile *out, bool *exact)
{
    const struct loop *best = find_same(r, n);
    double like = best ? 1 : 0;
    size_t i;

    if (exact)
        *exact = best != NULL;
    for (i = 0; i < r->n && (!best || like < 1); i++) {
        double this = likeness(r->loop[i], n);

        if (this > like ||
            (best && this >= like && r->loop[i]->used > best->used)) {
            best = r->loop[i];
            like = this;
        }
    }
    if (!best)
        return false;
    dtx_profile_stretch(best->swept ? &best->last : &best->first, total,
                        (uint32_t)(like * 256), out);
    return dtx_profile_sum(out) > 0;
}

static int by_use(const void *x, const void *y)
{
    const struct loop *const *a = x, *const *b = y;

    return (*a)->used < (*b)->used ? -1 : (*a)->used > (*b)->used;
}

int dtx_recall_each(const struct dtx_recall *r, dtx_recall_f fn, void *ctx)
{
    struct loop *list[DTX_RECALL_LOOPS];
    size_t i;
    int rc = 0;

    memcpy(list, r->loop, r->n * sizeof(struct loop *));
    qsort(list, r->n, sizeof(struct loop *), by_use);
    for (i = 0; i < r->n && rc == 0; i++) {
        const struct loop *l = list[i];
        struct dtx_loop_name n = {l->kernel, l->begin, l->end, l->x, l->nx};

        rc = fn(ctx, &n, &l->first);
    }
    return rc;
}

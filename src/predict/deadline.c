/* SPDX-License-Identifier: MIT */
/* Draws makespans; see deadline.h. */
#include "predict/deadline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/rng.h"

#define Z95 1.6449     /* of a normal distribution */
#define TRIES 16       /* to draw longer than it has run */
#define RISK_SHARE 20u /* at risk: late in one of so many draws */

struct draws {
    const struct dtx_due *d;
    size_t n;           /* tasks drawn one by one */
    double bulk;        /* predicted seconds of the others, and the mean of */
    double bulk_sigma;  /* their spread, weighed by these */
    double *at;         /* when each slot is free */
    struct dtx_heap heap;
    uint16_t *late;     /* draws in which a task ended too late */
    double span[DTX_DEADLINE_DRAWS];
    double bulk_late[DTX_DEADLINE_DRAWS]; /* share of them */
    struct dtx_rng rng;
};

static bool free_before(const void *ctx, uint32_t a, uint32_t b)
{
    const double *at = ctx;

    if (at[a] < at[b] || at[a] > at[b])
        return at[a] < at[b];
    return a < b;
}

static double sigma_of(const struct dtx_due_task *t)
{
    double low = fmax((double)t->low, 1e-6), high = fmax((double)t->high, low);

    return log(high / low) / (2 * Z95);
}

/* What is left of a task, in this draw. */
static double draw(struct draws *r, const struct dtx_due_task *t, double all)
{
    double sigma = sigma_of(t), own = sigma * sqrt(1 - r->d->common);
    double shift = sigma * sqrt(r->d->common) * all, v;
    int i;

    for (i = 0; i < TRIES; i++) {
        v = (double)t->seconds * exp(shift + own * dtx_rng_normal(&r->rng));
        if (v > (double)t->elapsed)
            return t->elapsed > 0 ? v - (double)t->elapsed : v;
    }
    /* longer than was thought possible: about as long again, times the part
     * that it exceeded */
    return 0.1 * (double)t->elapsed;
}

/* The tasks that are not drawn one by one are work that fills the slots evenly
 * behind the others; what is common to all moves it. Their share that ends too
 * late, and when the last of them does. */
static double play_bulk(const struct draws *r, double sum, double all,
                        double *late)
{
    double bulk = r->bulk * exp(r->bulk_sigma * sqrt(r->d->common) * all);
    double room = r->d->left_s * r->d->slots - sum;

    *late = 0;
    if (r->d->left_s >= 0 && bulk > room)
        *late = room > 0 ? (bulk - room) / bulk : 1;
    return (sum + bulk) / r->d->slots;
}

/* One makespan. */
static double play(struct draws *r, double *bulk_late)
{
    double all = dtx_rng_normal(&r->rng), end = 0, sum = 0;
    size_t i;
    uint32_t k;

    for (k = 0; k < r->d->slots; k++) {
        r->at[k] = 0;
        dtx_heap_fix(&r->heap, k);
    }
    for (i = 0; i < r->n; i++) {
        uint32_t slot = dtx_heap_top(&r->heap);

        r->at[slot] += draw(r, &r->d->task[i], all);
        end = fmax(end, r->at[slot]);
        if (r->d->left_s >= 0 && r->at[slot] > r->d->left_s)
            r->late[i]++;
        dtx_heap_fix(&r->heap, slot);
    }
    for (k = 0; k < r->d->slots; k++)
        sum += r->at[k];
    return fmax(end, play_bulk(r, sum, all, bulk_late));
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void judge(struct draws *r, struct dtx_verdict *v)
{
    uint32_t i, over = 0;
    size_t k;

    for (i = 0; i < DTX_DEADLINE_DRAWS; i++) {
        r->span[i] = play(r, &r->bulk_late[i]);
        over += r->d->left_s >= 0 && r->span[i] > r->d->left_s;
    }
    qsort(r->span, DTX_DEADLINE_DRAWS, sizeof(r->span[0]), by_size);
    v->early = r->span[DTX_DEADLINE_DRAWS / 20];
    v->likely = r->span[DTX_DEADLINE_DRAWS / 2];
    v->late = r->span[DTX_DEADLINE_DRAWS - 1 - DTX_DEADLINE_DRAWS / 20];
    v->risk = (double)over / DTX_DEADLINE_DRAWS;
    for (k = 0; k < r->n; k++)
        v->at_risk += (uint32_t)r->late[k] * RISK_SHARE >= DTX_DEADLINE_DRAWS;
    if (r->d->n == r->n)
        return;
    qsort(r->bulk_late, DTX_DEADLINE_DRAWS, sizeof(r->bulk_late[0]), by_size);
    v->at_risk += (uint64_t)ceil(
        r->bulk_late[DTX_DEADLINE_DRAWS - DTX_DEADLINE_DRAWS / RISK_SHARE] *
        (double)(r->d->n - r->n));
}

/* The tasks that are not drawn one by one. */
static void sum_bulk(struct draws *r)
{
    size_t i;

    for (i = r->n; i < r->d->n; i++) {
        const struct dtx_due_task *t = &r->d->task[i];

        r->bulk += (double)t->seconds;
        r->bulk_sigma += (double)t->seconds * sigma_of(t);
    }
    if (r->bulk > 0)
        r->bulk_sigma /= r->bulk;
}

bool dtx_deadline_judge(const struct dtx_due *d, struct dtx_verdict *out)
{
    struct draws *r = calloc(1, sizeof(*r));
    bool ok = r != NULL;
    size_t i;
    uint32_t k;

    memset(out, 0, sizeof(*out));
    for (i = 0; i < d->n; i++)
        out->unknown += !(d->task[i].seconds >= 0);
    out->known = out->unknown == 0 && d->slots > 0;
    if (!out->known || d->n == 0) {
        free(r);
        return ok;
    }
    if (ok) {
        r->d = d;
        r->n = d->most ? d->most : DTX_DEADLINE_TASKS;
        if (r->n > d->n)
            r->n = d->n;
        sum_bulk(r);
        dtx_rng_seed(&r->rng, d->seed);
        r->at = calloc(d->slots, sizeof(*r->at));
        r->late = calloc(r->n, sizeof(*r->late));
        dtx_heap_init(&r->heap, free_before, r->at);
        ok = r->at && r->late;
    }
    for (k = 0; ok && k < d->slots; k++)
        ok = dtx_heap_push(&r->heap, k);
    if (ok)
        judge(r, out);
    if (r) {
        dtx_heap_fini(&r->heap);
        free(r->at);
        free(r->late);
    }
    free(r);
    return ok;
}

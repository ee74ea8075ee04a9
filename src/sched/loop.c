/* SPDX-License-Identifier: MIT */
/* Chunk sizes of the loop schedules; see loop.h.  N iterations, R of them left,
 * P slots.  Every schedule is one function that answers with a size; the rest
 * (never more than is left, never below the least) is the same for all. */
#include "sched/loop.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

struct speed {
    double weight;      /* of a slot; the mean over all slots is 1 */
    double given;       /* the weight it began with */
    double wt_ns, wt_n; /* AWF: sums of i t(i) and of i k(i) over chunks i */
    double chunks;
    double mean_ns, m2; /* AF: of an iteration, by Welford's recurrence */
};

struct dtx_loop_plan {
    const struct row *row;
    struct dtx_loop_case c;
    uint64_t at, left;
    double p; /* slots */
    uint64_t chunk, batch; /* of the current batch: size, chunks left in it */
    double step;           /* TSS: what a chunk is smaller by */
    double next;           /* TSS: the next size */
    struct speed *speed;   /* by rank */
    uint32_t *slots;
};

struct row {
    struct dtx_loop_schedule s;
    void (*begin)(struct dtx_loop_plan *p); /* may be NULL */
    double (*size)(struct dtx_loop_plan *p, uint32_t rank);
};

static double size_static(struct dtx_loop_plan *p, uint32_t rank)
{
    (void)rank;
    return ceil((double)p->c.total / p->p);
}

static double size_one(struct dtx_loop_plan *p, uint32_t rank)
{
    (void)p;
    (void)rank;
    return 1;
}

/* (sqrt(2) N h / (sigma P sqrt(ln P)))^(2/3) */
static double size_fsc(struct dtx_loop_plan *p, uint32_t rank)
{
    double lnp = log(p->p < 2 ? 2 : p->p);

    (void)rank;
    if (p->c.sigma_ns <= 0)
        return size_static(p, rank);
    return ceil(pow(sqrt(2.0) * (double)p->c.total * p->c.overhead_ns /
                        (p->c.sigma_ns * p->p * sqrt(lnp)),
                    2.0 / 3.0));
}

/* R / P */
static double size_gss(struct dtx_loop_plan *p, uint32_t rank)
{
    (void)rank;
    return ceil((double)p->left / p->p);
}

/* From f = N / 2P down to l = 1 in ceil(2N / (f + l)) equal steps. */
static void begin_tss(struct dtx_loop_plan *p)
{
    double n = (double)p->c.total, first = ceil(n / (2 * p->p));
    double chunks = ceil(2 * n / (first + 1));

    p->next = first;
    p->step = chunks > 1 ? (first - 1) / (chunks - 1) : 0;
}

static double size_tss(struct dtx_loop_plan *p, uint32_t rank)
{
    double size = floor(p->next);

    (void)rank;
    p->next -= p->step;
    return size;
}

/* Begin a batch of P chunks of R / 2P each when the last one is used up. */
static void open_batch(struct dtx_loop_plan *p)
{
    if (p->batch == 0) {
        p->chunk = (uint64_t)ceil((double)p->left / (2 * p->p));
        p->batch = (uint64_t)p->p;
    }
    p->batch--;
}

static double size_fac(struct dtx_loop_plan *p, uint32_t rank)
{
    (void)rank;
    open_batch(p);
    return (double)p->chunk;
}

static double size_wf(struct dtx_loop_plan *p, uint32_t rank)
{
    open_batch(p);
    return ceil((double)p->chunk * p->speed[rank].weight);
}

/* Weights in proportion to 1 / pi, where pi is the time of an iteration, each
 * chunk's weighted by its number; 1 on average over the slots. */
static void weigh(struct dtx_loop_plan *p)
{
    double sum = 0, known = 0, mean;
    uint32_t r;

    for (r = 0; r < p->c.nranks; r++) {
        const struct speed *s = &p->speed[r];

        if (s->wt_ns > 0 && s->wt_n > 0) {
            sum += s->wt_n / s->wt_ns * p->slots[r];
            known += p->slots[r];
        }
    }
    if (known < p->p)
        return; /* not before all were heard of */
    mean = sum / known;
    for (r = 0; r < p->c.nranks; r++)
        p->speed[r].weight = p->speed[r].wt_n / p->speed[r].wt_ns / mean;
}

static double size_awf_b(struct dtx_loop_plan *p, uint32_t rank)
{
    if (p->batch == 0)
        weigh(p);
    return size_wf(p, rank);
}

static double size_awf_c(struct dtx_loop_plan *p, uint32_t rank)
{
    weigh(p);
    return ceil((double)p->left / (2 * p->p) * p->speed[rank].weight);
}

/* (D + 2 T R - sqrt(D^2 + 4 D T R)) / (2 mu), D = sum of sigma^2 / mu over the
 * slots, T = 1 / (sum of 1 / mu). */
static double size_af(struct dtx_loop_plan *p, uint32_t rank)
{
    double d = 0, inverse = 0, t, r = (double)p->left;
    uint32_t i;

    for (i = 0; i < p->c.nranks; i++) {
        const struct speed *s = &p->speed[i];

        if (p->slots[i] == 0)
            continue; /* it takes no part */
        if (s->chunks < 2 || s->mean_ns <= 0) { /* first chunks, to learn */
            double first = ceil((double)p->c.total / (10 * p->p));

            return first < 100 ? first : 100;
        }
        d += s->m2 / (s->chunks - 1) / s->mean_ns * p->slots[i];
        inverse += p->slots[i] / s->mean_ns;
    }
    t = 1 / inverse;
    return ceil((d + 2 * t * r - sqrt(d * d + 4 * d * t * r)) /
                (2 * p->speed[rank].mean_ns));
}

static const struct row rows[] = {
    {{"balance", "ranges dealt out, halves move to who runs dry (the default)",
      "after Blumofe and Leiserson, JACM 46(5), 1999", false, false},
     NULL, NULL},
    {{"static", "one chunk of N/P a slot",
      "Li, Tandri, Stumm and Sevcik, ICPP 1993", false, false},
     NULL, size_static},
    {{"ss", "self-scheduling: one iteration a time",
      "Tang and Yew, ICPP 1986", false, false},
     NULL, size_one},
    {{"fsc", "fixed size chunks, from h and sigma",
      "Kruskal and Weiss, IEEE TSE 11(10), 1985", false, true},
     NULL, size_fsc},
    {{"gss", "guided self-scheduling: R/P",
      "Polychronopoulos and Kuck, IEEE TC 36(12), 1987", false, false},
     NULL, size_gss},
    {{"tss", "trapezoid self-scheduling: from N/2P down to 1",
      "Tzen and Ni, IEEE TPDS 4(1), 1993", false, false},
     begin_tss, size_tss},
    {{"fac", "factoring: batches of P chunks of R/2P",
      "Hummel, Schonberg and Flynn, CACM 35(8), 1992", false, false},
     NULL, size_fac},
    {{"wf", "weighted factoring, with the weights that were given",
      "Hummel, Schmidt, Uma and Wein, SPAA 1996", false, false},
     NULL, size_wf},
    {{"awf-b", "weighted factoring, weights measured for each batch",
      "Carino and Banicescu, J. Supercomputing 44, 2008", true, false},
     NULL, size_awf_b},
    {{"awf-c", "weighted factoring, weights measured for each chunk",
      "Carino and Banicescu, J. Supercomputing 44, 2008", true, false},
     NULL, size_awf_c},
    {{"af", "adaptive factoring, from measured mean and variance",
      "Banicescu and Liu, HPC 2000", true, false},
     NULL, size_af},
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

static int fold(char c)
{
    return c == '_' ? '-' : tolower((unsigned char)c);
}

static bool same(const char *a, const char *b)
{
    while (*a && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

const struct dtx_loop_schedule *dtx_loop_schedule_find(const char *name,
                                                       struct dtx_error *err)
{
    struct dtx_buf names = DTX_BUF_INIT;
    size_t i;

    for (i = 0; i < NROWS; i++) {
        if (same(rows[i].s.name, name))
            return &rows[i].s;
    }
    for (i = 0; i < NROWS; i++)
        dtx_buf_printf(&names, "%s%s", i ? ", " : "", rows[i].s.name);
    (void)dtx_error_set(err, DTX_EINVAL,
                        "no loop schedule is called '%s'; there are %s", name,
                        names.failed ? "others" : names.data);
    dtx_buf_free(&names);
    return NULL;
}

bool dtx_loop_schedule_is_own(const struct dtx_loop_schedule *s)
{
    return s == &rows[0].s;
}

static void set_weights(struct dtx_loop_plan *p, const double *weight)
{
    double sum = 0;
    uint32_t r;

    for (r = 0; weight && r < p->c.nranks; r++)
        sum += (weight[r] > 0 ? weight[r] : 1) * p->slots[r];
    for (r = 0; r < p->c.nranks; r++) {
        double w = weight && weight[r] > 0 ? weight[r] : 1;

        p->speed[r].given = weight ? w * p->p / sum : 1;
        p->speed[r].weight = p->speed[r].given;
    }
}

struct dtx_loop_plan *dtx_loop_plan_create(const struct dtx_loop_schedule *s,
                                           const struct dtx_loop_case *c)
{
    struct dtx_loop_plan *p = calloc(1, sizeof(*p));
    uint32_t r;

    if (!p)
        return NULL;
    p->row = (const struct row *)s; /* its first member */
    p->c = *c;
    p->left = c->total;
    p->speed = calloc(c->nranks, sizeof(*p->speed));
    p->slots = calloc(c->nranks, sizeof(*p->slots));
    if (!p->speed || !p->slots) {
        dtx_loop_plan_destroy(p);
        return NULL;
    }
    for (r = 0; r < c->nranks; r++) {
        p->slots[r] = c->slots[r];
        p->p += c->slots[r];
    }
    set_weights(p, c->weight);
    p->c.slots = NULL;
    p->c.weight = NULL;
    if (p->row->begin)
        p->row->begin(p);
    return p;
}

void dtx_loop_plan_destroy(struct dtx_loop_plan *p)
{
    if (!p)
        return;
    free(p->speed);
    free(p->slots);
    free(p);
}

uint64_t dtx_loop_plan_next(struct dtx_loop_plan *p, uint32_t rank,
                            uint64_t *begin)
{
    uint64_t least = p->c.least ? p->c.least : 1, size;
    double want;

    if (p->left == 0)
        return 0;
    want = p->row->size(p, rank);
    size = want >= (double)p->left ? p->left
           : want >= 1             ? (uint64_t)want
                                   : 1;
    if (size < least)
        size = least;
    if (size > p->left)
        size = p->left;
    *begin = p->at;
    p->at += size;
    p->left -= size;
    return size;
}

void dtx_loop_plan_learn(struct dtx_loop_plan *p, uint32_t rank, uint64_t count,
                         double ns)
{
    struct speed *s = &p->speed[rank];
    double each, delta;

    if (count == 0 || ns <= 0)
        return;
    each = ns / (double)count;
    s->chunks += 1;
    s->wt_ns += s->chunks * ns;
    s->wt_n += s->chunks * (double)count;
    delta = each - s->mean_ns;
    s->mean_ns += delta / s->chunks;
    s->m2 += delta * (each - s->mean_ns);
}

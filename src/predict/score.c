/* SPDX-License-Identifier: MIT */
/* Counts errors; see score.h.  The baselines' medians are exact. */
#include "predict/score.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "predict/features.h"
#include "predict/predictor.h"

/* A heap of numbers, the largest on top; 'sign' -1: the smallest. */
struct pile {
    double *v;
    size_t n, cap;
    double sign;
};

/* The lower half of what has come, and the upper. */
struct median {
    struct pile low, high;
};

struct tally {
    uint64_t n, inside;
    double seconds, error, program_error, class_error;
    float *share; /* of each error: for their median */
    size_t nshares, cap;
};

struct row {
    char *name;          /* NULL: only known from before */
    struct median median;
    struct tally tally;
};

struct dtx_score {
    struct tally total;
    struct median all;
    struct dtx_keymap index; /* a class's or program's key -> row */
    struct row *row;
    size_t nrows, cap;
    uint32_t *shown;         /* rows of classes, in order of appearance */
    size_t nshown, cap_shown;
};

/* ---- an exact running median ---- */

static bool push(struct pile *p, double v, double sign)
{
    double *a = dtx_grow(p->v, &p->cap, p->n + 1, sizeof(*a));
    size_t i;

    if (!a)
        return false;
    p->v = a;
    p->sign = sign;
    for (i = p->n++; i > 0 && sign * a[(i - 1) / 2] < sign * v;
         i = (i - 1) / 2)
        a[i] = a[(i - 1) / 2];
    a[i] = v;
    return true;
}

static double pop(struct pile *p)
{
    double top = p->v[0], last = p->v[--p->n];
    size_t i = 0, c;

    for (c = 1; c < p->n; c = 2 * i + 1) {
        if (c + 1 < p->n && p->sign * p->v[c + 1] > p->sign * p->v[c])
            c++;
        if (p->sign * p->v[c] <= p->sign * last)
            break;
        p->v[i] = p->v[c];
        i = c;
    }
    if (p->n > 0)
        p->v[i] = last;
    return top;
}

static bool median_add(struct median *m, double v)
{
    bool ok;

    if (m->low.n > 0 && v > m->low.v[0])
        ok = push(&m->high, v, -1);
    else
        ok = push(&m->low, v, 1);
    if (ok && m->low.n > m->high.n + 1)
        ok = push(&m->high, pop(&m->low), -1);
    else if (ok && m->high.n > m->low.n)
        ok = push(&m->low, pop(&m->high), 1);
    return ok;
}

static double median_of(const struct median *m, double otherwise)
{
    if (m->low.n == 0)
        return otherwise;
    if (m->low.n > m->high.n)
        return m->low.v[0];
    return (m->low.v[0] + m->high.v[0]) / 2;
}

static void median_free(struct median *m)
{
    free(m->low.v);
    free(m->high.v);
}

/* ---- rows ---- */

struct dtx_score *dtx_score_create(void)
{
    return calloc(1, sizeof(struct dtx_score));
}

void dtx_score_destroy(struct dtx_score *s)
{
    size_t i;

    if (!s)
        return;
    for (i = 0; i < s->nrows; i++) {
        free(s->row[i].name);
        free(s->row[i].tally.share);
        median_free(&s->row[i].median);
    }
    free(s->total.share);
    median_free(&s->all);
    dtx_keymap_free(&s->index);
    free(s->row);
    free(s->shown);
    free(s);
}

/* The number of a row, made when it is not there; UINT32_MAX: no memory. */
static uint32_t row_of(struct dtx_score *s, uint64_t key, uint64_t kind)
{
    struct dtx_key k = {key, kind};
    struct row *r = dtx_grow(s->row, &s->cap, s->nrows + 1, sizeof(*r));
    uint32_t at;

    if (!r)
        return UINT32_MAX;
    s->row = r;
    if (s->nrows >= UINT32_MAX - 1 ||
        !dtx_keymap_put(&s->index, k, (uint32_t)s->nrows, &at, NULL))
        return UINT32_MAX;
    if (at == s->nrows)
        memset(&r[s->nrows++], 0, sizeof(*r));
    return at;
}

int dtx_score_before(struct dtx_score *s, uint64_t class_key,
                     uint64_t program_key, double seconds)
{
    uint32_t class = row_of(s, class_key, 1), program;

    program = row_of(s, program_key, 2);
    if (class == UINT32_MAX || program == UINT32_MAX ||
        !median_add(&s->row[class].median, seconds) ||
        !median_add(&s->row[program].median, seconds) ||
        !median_add(&s->all, seconds))
        return DTX_ENOMEM;
    return DTX_OK;
}

/* ---- counting ---- */

static bool count(struct tally *t, const struct dtx_prediction *said,
                  double seconds, double by_program, double by_class)
{
    double error = fabs(said->seconds - seconds);
    float *p = dtx_grow(t->share, &t->cap, t->nshares + 1, sizeof(*p));

    if (!p)
        return false;
    t->share = p;
    if (seconds > 0)
        p[t->nshares++] = (float)(error / seconds);
    t->n++;
    t->inside += seconds >= said->low && seconds <= said->high;
    t->seconds += seconds;
    t->error += error;
    t->program_error += fabs(by_program - seconds);
    t->class_error += fabs(by_class - seconds);
    return true;
}

static bool name_class(struct dtx_score *s, uint32_t class, const char *name)
{
    uint32_t *p;

    if (s->row[class].name)
        return true;
    p = dtx_grow(s->shown, &s->cap_shown, s->nshown + 1, sizeof(*p));
    if (!p)
        return false;
    s->shown = p;
    s->row[class].name = strdup(name);
    if (!s->row[class].name)
        return false;
    p[s->nshown++] = class;
    return true;
}

int dtx_score_add(struct dtx_score *s, const struct dtx_features *f,
                  const struct dtx_prediction *said, double seconds)
{
    uint32_t class = row_of(s, f->class_key, 1), program;
    double by_class, by_program;

    program = row_of(s, f->program_key, 2);
    if (class == UINT32_MAX || program == UINT32_MAX ||
        !name_class(s, class, f->text))
        return DTX_ENOMEM;
    by_program = median_of(&s->row[program].median,
                           median_of(&s->all, said->seconds));
    by_class = median_of(&s->row[class].median, by_program);
    if (said->basis != DTX_BASIS_NONE &&
        (!count(&s->total, said, seconds, by_program, by_class) ||
         !count(&s->row[class].tally, said, seconds, by_program, by_class)))
        return DTX_ENOMEM;
    return dtx_score_before(s, f->class_key, f->program_key, seconds);
}

/* ---- the figures ---- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

static double middle(const struct tally *t)
{
    float *v = t->nshares ? malloc(t->nshares * sizeof(*v)) : NULL;
    double m;

    if (!v)
        return 0;
    memcpy(v, t->share, t->nshares * sizeof(*v));
    qsort(v, t->nshares, sizeof(*v), by_size);
    m = ((double)v[t->nshares / 2] + (double)v[(t->nshares - 1) / 2]) / 2;
    free(v);
    return m;
}

static void fill(const struct tally *t, struct dtx_score_row *out)
{
    double sum = t->seconds > 0 ? t->seconds : 1;

    out->n = t->n;
    out->seconds = t->seconds;
    out->wape = t->error / sum;
    out->mdape = middle(t);
    out->coverage = t->n ? (double)t->inside / (double)t->n : 0;
    out->program_wape = t->program_error / sum;
    out->class_wape = t->class_error / sum;
}

void dtx_score_total(const struct dtx_score *s, struct dtx_score_row *out)
{
    out->name = "total";
    fill(&s->total, out);
}

size_t dtx_score_classes(const struct dtx_score *s)
{
    return s->nshown;
}

void dtx_score_class(const struct dtx_score *s, size_t i,
                     struct dtx_score_row *out)
{
    out->name = s->row[s->shown[i]].name;
    fill(&s->row[s->shown[i]].tally, out);
}

/* SPDX-License-Identifier: MIT */
/* From predictions to what may come; see outlook.h.  It draws nothing. */
#include "sim/outlook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "predict/features.h"
#include "predict/predictor.h"

#define Z95 1.6449
/* Of a task of which only other classes are known: how long its own takes is
 * what is not known, and that all of them share. */
#define STRANGE 0.8
/* The share of an error's variance that is in the mean of n of them is one of
 * n; as much again, since what is rare has most often been seen less than it
 * comes, and of a class once more, for which expert is heard. */
#define LEVEL 2.0
#define COEFFICIENTS 3.0
/* The mean of n skewed ones is skewed, which counts up to this. */
#define SKEWEST 0.1
#define LASTING 5        /* runs of a command that its average is made of */
#define NOTHING 9        /* quantiles of a normal error, where none is known */

struct dtx_outlook_class {
    uint32_t table;
    double narrowest;   /* of its intervals, as a logarithm */
    double outcomes;    /* it rests on */
    double runs;        /* of its very commands */
    double said, taken; /* sums of tasks whose command ran: predictions, and
                           what they will take on average */
};

/* Errors that are drawn from. */
struct dtx_outlook_table {
    size_t at;
    uint32_t n;
    double mean; /* of their exponentials */
    double off;  /* the spread of these, as a share of the mean */
    double skew; /* their skewness */
    double sd;   /* of the errors */
};

static double width(const struct dtx_prediction *p)
{
    return p->low > 0 && p->high > p->low ? log(p->high / p->low) : 0;
}

/* ---- tables ---- */

/* Of several classes of which nothing is known the table is one. */
static struct dtx_key table_key(const struct dtx_features *f,
                                const struct dtx_prediction *said)
{
    if (said->basis >= DTX_BASIS_CLASS)
        return (struct dtx_key){f->class_key, 2};
    if (said->basis == DTX_BASIS_PROGRAM)
        return (struct dtx_key){f->program_key, 3};
    return (struct dtx_key){0, 4};
}

static void sum_up(struct dtx_outlook_table *t, const float *e)
{
    double sum = 0, squares = 0, cubes = 0, mean = 0, more = 0;
    uint32_t i;

    for (i = 0; i < t->n; i++) {
        double v = (double)e[i];

        mean += v / t->n;
        sum += exp(v) / t->n;
        squares += exp(2 * v) / t->n;
    }
    for (i = 0; i < t->n; i++) {
        more += ((double)e[i] - mean) * ((double)e[i] - mean) / t->n;
        cubes += pow(exp((double)e[i]) / sum - 1, 3) / t->n;
    }
    t->mean = sum;
    t->off = sqrt(fmax(squares / (sum * sum) - 1, 0));
    t->skew = t->off > 0 ? cubes / pow(t->off, 3) : 0;
    t->sd = sqrt(more);
}

/* Errors of other classes tell of the class what is common to it, and little of
 * what its tasks differ by. */
static void add_errors(struct dtx_outlook_table *t, float *e, bool strange,
                       double wide)
{
    /* of the normal distribution: 5 %, 16 %, ... 95 % */
    static const double z[NOTHING] = {-1.645, -0.98, -0.6, -0.29, 0,
                                      0.29, 0.6, 0.98, 1.645};
    uint32_t i;

    if (t->n == 0) {
        for (t->n = NOTHING, i = 0; i < NOTHING; i++)
            e[i] = (float)(z[i] * wide / (2 * Z95));
    }
    for (i = 0; i < t->n && strange; i++)
        e[i] *= (float)sqrt(1 - STRANGE);
    sum_up(t, e);
}

static int table_of(struct dtx_outlook *o, struct dtx_predictor *p,
                    const struct dtx_features *f,
                    const struct dtx_prediction *said, uint32_t *row)
{
    struct dtx_outlook_table *t =
        dtx_grow(o->table, &o->cap_tables, o->ntables + 1, sizeof(*t));
    float *e;
    bool made;

    if (!t)
        return DTX_ENOMEM;
    o->table = t;
    e = dtx_grow(o->error, &o->cap_errors, o->nerrors + DTX_PREDICTOR_ERRORS,
                 sizeof(*e));
    if (!e)
        return DTX_ENOMEM;
    o->error = e;
    if (!dtx_keymap_put(&o->tables, table_key(f, said), (uint32_t)o->ntables,
                        row, &made))
        return DTX_ENOMEM;
    if (!made)
        return DTX_OK;
    t += o->ntables++;
    t->at = o->nerrors;
    t->n = dtx_predictor_errors(p, f, e + t->at);
    add_errors(t, e + t->at, said->basis < DTX_BASIS_CLASS, width(said));
    o->nerrors += t->n;
    return DTX_OK;
}

/* ---- tasks ---- */

static int class_of(struct dtx_outlook *o, struct dtx_predictor *p,
                    const struct dtx_features *f,
                    const struct dtx_prediction *said, uint32_t *row)
{
    struct dtx_key k = {f->class_key, 1};
    struct dtx_outlook_class *c =
        dtx_grow(o->class, &o->cap_classes, o->ngroups + 1, sizeof(*c));
    bool made;

    if (!c)
        return DTX_ENOMEM;
    o->class = c;
    if (!dtx_keymap_put(&o->classes, k, (uint32_t)o->ngroups, row, &made))
        return DTX_ENOMEM;
    if (!made)
        return DTX_OK;
    memset(&c[*row], 0, sizeof(*c));
    c[*row].narrowest = INFINITY;
    o->ngroups++;
    return table_of(o, p, f, said, &c[*row].table);
}

/* How many times the mean of logarithms of 'n' runs the mean is; see outlook.h.
 * Of normal errors of variance v it is v/2 above, and of that v/2n was by
 * chance in what they took.  The errors of the class are those of predictions
 * from one run less, which rest on more than these: between v and n/(n-1) times
 * v. */
static double above(const struct dtx_outlook_table *t, uint64_t runs)
{
    double n = runs < LASTING ? (double)runs : LASTING;

    return pow(t->mean, (n - 1) / (n + 1));
}

/* Outcomes of a command count once, however often it stands in the list. */
static int count_runs(struct dtx_outlook *o, struct dtx_outlook_class *c,
                      const struct dtx_features *f,
                      const struct dtx_prediction *said)
{
    bool first;

    if (!dtx_keymap_put(&o->commands, f->exact, 0, NULL, &first))
        return DTX_ENOMEM;
    if (first)
        c->runs += (double)said->n;
    c->said += said->seconds;
    c->taken += said->repeat * above(&o->table[c->table], said->n);
    return DTX_OK;
}

int dtx_outlook_add(struct dtx_outlook *o, struct dtx_predictor *p,
                    const struct dtx_features *f,
                    const struct dtx_prediction *said)
{
    struct dtx_plan_task *t =
        dtx_grow(o->task, &o->cap_tasks, o->ntasks + 1, sizeof(*t));
    struct dtx_prediction *s;
    struct dtx_outlook_class *c;
    int rc;

    if (!t)
        return DTX_ENOMEM;
    o->task = t;
    t += o->ntasks;
    s = dtx_grow(o->said, &o->cap_saids, o->ntasks + 1, sizeof(*s));
    if (!s)
        return DTX_ENOMEM;
    o->said = s;
    rc = class_of(o, p, f, said, &t->group);
    if (rc != DTX_OK)
        return rc;
    s[o->ntasks++] = *said;
    c = &o->class[t->group];
    if (said->repeat > 0)
        return count_runs(o, c, f, said);
    c->narrowest = fmin(c->narrowest, width(said));
    c->outcomes = fmax(c->outcomes, (double)said->n);
    return DTX_OK;
}

/* Sigma of what a task's error has in common with those of its class. */
static double common(const struct dtx_outlook_class *c,
                     const struct dtx_outlook_table *t,
                     const struct dtx_prediction *s)
{
    double times = c->narrowest > 0 ? width(s) / c->narrowest : 1;

    if (s->basis < DTX_BASIS_CLASS)
        return sqrt(STRANGE) * width(s) / (2 * Z95);
    if (s->repeat > 0)
        return t->off * sqrt(fmin(LEVEL / fmax(c->runs, 1), 1));
    /* the mean of exponentials is one of so many errors, too */
    return sqrt(t->sd * t->sd * fmax(times * times - 1, 0) +
                t->off * t->off *
                    fmin(COEFFICIENTS / fmax(fmin(c->outcomes, t->n), 1), 1));
}

/* Of n outcomes with skewness g, g / (6 sqrt(n)); see plan.h. */
static double skewed(const struct dtx_outlook_class *c,
                     const struct dtx_outlook_table *t)
{
    double n = fmax(fmin(fmax(c->runs, c->outcomes), t->n), 1);

    return fmin(fmax(t->skew / (6 * sqrt(n)), 0), SKEWEST);
}

int dtx_outlook_seal(struct dtx_outlook *o)
{
    size_t i;

    o->group = calloc(o->ngroups + 1, sizeof(*o->group));
    if (!o->group)
        return DTX_ENOMEM;
    for (i = 0; i < o->ngroups; i++) {
        const struct dtx_outlook_table *t = &o->table[o->class[i].table];

        o->group[i].error = o->error + t->at;
        o->group[i].nerrors = t->n;
        o->group[i].skew = (float)skewed(&o->class[i], t);
    }
    for (i = 0; i < o->ntasks; i++) {
        struct dtx_plan_task *t = &o->task[i];
        const struct dtx_prediction *s = &o->said[i];
        const struct dtx_outlook_class *c = &o->class[t->group];
        const struct dtx_outlook_table *table = &o->table[c->table];
        double level = s->seconds;

        if (s->repeat > 0 && c->said > 0)
            level *= c->taken / c->said / table->mean;
        t->seconds = (float)s->seconds;
        t->level = (float)level;
        t->common = (float)common(c, table, s);
    }
    return DTX_OK;
}

void dtx_outlook_free(struct dtx_outlook *o)
{
    free(o->task);
    free(o->group);
    free(o->said);
    free(o->class);
    free(o->table);
    free(o->error);
    dtx_keymap_free(&o->classes);
    dtx_keymap_free(&o->tables);
    dtx_keymap_free(&o->commands);
    memset(o, 0, sizeof(*o));
}

/* SPDX-License-Identifier: MIT */
/* The predictor: from the narrowest class that knows something to the widest;
 * see predictor.h. */
#include "predict/predictor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "predict/predictor_state.h"

#define LEAST_SECONDS 1e-4 /* less cannot be told from nothing */
#define MOST_SECONDS 1e9
#define LEAST_VALUE (-12.0) /* logarithms that are believed ... */
#define MOST_VALUE 24.0
#define MOST_OFF 12.0       /* ... and how far off they may be */
#define CHANGED 0.1 /* and as much more: a program that has changed */
#define TWICE_NOISY 1.414 /* what was seen once has its own noise, too */
#define WIDTH 2.1 /* of nine in ten, by the mean error: normal ones */

const char *dtx_basis_name(enum dtx_basis b)
{
    static const char *const name[] = {"none", "all", "program", "class",
                                       "exact"};

    return (unsigned)b < sizeof(name) / sizeof(name[0]) ? name[b] : "none";
}

struct dtx_predictor *dtx_predictor_create(size_t bytes)
{
    struct dtx_predictor *p = calloc(1, sizeof(*p));
    size_t commands;

    if (!p)
        return NULL;
    if (bytes == 0)
        bytes = DTX_PREDICTOR_BYTES;
    for (commands = 4; commands * 2 * sizeof(struct dtx_command) <=
         bytes * 3 / 8; commands *= 2)
        ;
    if (!dtx_commands_init(&p->commands, commands)) {
        free(p);
        return NULL;
    }
    if (bytes > commands * sizeof(struct dtx_command))
        p->limit = bytes - commands * sizeof(struct dtx_command);
    dtx_model_init(&p->all, DTX_GRAIN_ALL);
    return p;
}

void dtx_predictor_destroy(struct dtx_predictor *p)
{
    if (!p)
        return;
    dtx_classes_free(&p->classes);
    dtx_commands_free(&p->commands);
    dtx_late_free(&p->late);
    dtx_model_fini(&p->all);
    free(p);
}

/* ---- asking ---- */

/* What was asked, level by level. */
struct levels {
    struct dtx_class *program, *class;
    const struct dtx_command *command;
    bool old;    /* it was that of another program */
    struct dtx_sample fine, wide;
    struct dtx_says all_says, program_says, class_says;
    double value, low, high; /* logarithms */
};

static void make_samples(const struct dtx_features *f, struct levels *v)
{
    memset(&v->fine, 0, sizeof(v->fine));
    memcpy(v->fine.x, f->x, sizeof(v->fine.x));
    memcpy(v->fine.word, f->word, sizeof(v->fine.word));
    v->fine.host = f->host;
    v->fine.exact = (uint32_t)f->exact.lo;
    memset(&v->wide, 0, sizeof(v->wide));
    v->wide.x[0] = f->x[0];
    v->wide.x[1] = f->x[1];
    v->wide.host = f->host;
    v->wide.mark = v->fine.mark = f->mark;
}

/* The narrowest interval that knows anything, and the next wider one. */
static const struct dtx_interval *interval_of(const struct dtx_predictor *p,
                                              const struct levels *v,
                                              const struct dtx_interval **wider)
{
    const struct dtx_interval *own = &p->all.interval;

    *wider = NULL;
    if (v->program && v->program->model.n > 0) {
        *wider = own;
        own = &v->program->model.interval;
    }
    if (v->class && v->class->model.n > 0) {
        *wider = own;
        own = &v->class->model.interval;
    }
    return own;
}

/* What the narrowest one says that has anything to say. */
static void settle(struct dtx_predictor *p, struct levels *v)
{
    const struct dtx_interval *wider, *own = interval_of(p, v, &wider);

    v->value = v->all_says.value;
    if (v->program && v->program->model.n > 0)
        v->value = v->program_says.value;
    if (v->class && v->class->model.n > 0)
        v->value = v->class_says.value;
    if (!isnan(v->value))
        v->value = fmin(fmax(v->value, LEAST_VALUE), MOST_VALUE);
    dtx_interval_bounds(own, wider, &v->low, &v->high);
    if (v->class && v->class_says.width > 1) {
        v->low = v->low * v->class_says.width - CHANGED;
        v->high = v->high * v->class_says.width + CHANGED;
    }
    if (v->class && v->class_says.untried) {
        v->low *= TWICE_NOISY;
        v->high *= TWICE_NOISY;
    }
    if (v->class && v->class_says.stray > 0) {
        double wide = WIDTH * v->class_says.stray * v->class_says.error;

        v->low = fmin(v->low, -wide);
        v->high = fmax(v->high, wide);
    }
    if (v->class && v->class_says.beyond > 0) { /* less is certain there */
        v->low *= 1 + fmin(v->class_says.beyond, 3);
        v->high *= 1 + fmin(v->class_says.beyond, 3);
    }
    v->low = fmax(v->low, -MOST_OFF);
    v->high = fmin(v->high, MOST_OFF);
}

static void find_levels(struct dtx_predictor *p, const struct dtx_features *f,
                        struct levels *v)
{
    v->program = dtx_classes_find(&p->classes, f->program_key ^ 2);
    v->class = dtx_classes_find(&p->classes, f->class_key);
    v->command = dtx_commands_find(&p->commands, f->exact);
    v->old = v->command && f->mark && v->command->mark &&
             f->mark != v->command->mark;
}

static void ask(struct dtx_predictor *p, const struct dtx_features *f,
                struct levels *v)
{
    double repeat;

    make_samples(f, v);
    find_levels(p, f, v);
    repeat = v->command ? (double)v->command->y : NAN;
    dtx_model_ask(&p->all, &v->wide, NAN, false, NAN, &v->all_says);
    if (v->program)
        dtx_model_ask(&v->program->model, &v->wide, NAN, false,
                      v->all_says.value, &v->program_says);
    if (v->class)
        dtx_model_ask(&v->class->model, &v->fine, repeat, v->old,
                      v->program ? v->program_says.value : NAN,
                      &v->class_says);
    settle(p, v);
}

static void tell(const struct dtx_predictor *p, const struct levels *v,
                 struct dtx_prediction *out)
{
    double longer = 0, higher = 0;
    double least = v->command ? (double)v->command->least : 0;

    memset(out, 0, sizeof(*out));
    if (isnan(v->value))
        return;
    if (v->class)
        dtx_late_shift(&v->class->late, v->class->model.n, &longer, &higher);
    out->seconds = fmax(exp(v->value + longer), least);
    out->low = fmax(exp(v->value + v->low), least);
    out->high = out->seconds * exp(fmax(v->high, higher));
    if (v->command) {
        out->basis = DTX_BASIS_EXACT;
        out->n = v->command->n;
        out->repeat = v->old ? 0 : fmax(exp((double)v->command->y), least);
    } else if (v->class && v->class->model.n > 0) {
        out->basis = DTX_BASIS_CLASS;
        out->n = v->class->model.n;
    } else if (v->program && v->program->model.n > 0) {
        out->basis = DTX_BASIS_PROGRAM;
        out->n = v->program->model.n;
    } else {
        out->basis = DTX_BASIS_ALL;
        out->n = p->all.n;
    }
}

bool dtx_predictor_ask(struct dtx_predictor *p, const struct dtx_features *f,
                       struct dtx_prediction *out)
{
    struct levels v;

    memset(&v, 0, sizeof(v));
    ask(p, f, &v);
    tell(p, &v, out);
    return out->basis != DTX_BASIS_NONE;
}

uint32_t dtx_predictor_errors(struct dtx_predictor *p,
                              const struct dtx_features *f, float *errors)
{
    const struct dtx_interval *own, *wider;
    struct levels v;

    find_levels(p, f, &v);
    own = interval_of(p, &v, &wider);
    return dtx_interval_errors(own, wider, errors);
}

/* ---- learning ---- */

/* What a task that was ended after y would have taken: the middle of what lies
 * beyond (Buckley and James, Biometrika 66, 1979); false when nothing new
 * follows from it, since it was expected to take longer. */
static bool beyond(const struct levels *v, double *y)
{
    if (isnan(v->value)) {
        *y += 0.2;
        return true;
    }
    if (*y <= v->value)
        return false;
    *y += fmin(fmax((v->high - (*y - v->value)) / 2, 0.05), 1);
    return true;
}

static void no_says(struct dtx_says *s)
{
    int i;

    memset(s, 0, sizeof(*s));
    for (i = 0; i < DTX_EXPERTS; i++)
        s->say[i] = NAN;
    s->value = s->moved = NAN;
}

/* Whose interval it was, and whose errors are to be counted. */
static enum dtx_basis speaker(const struct levels *v)
{
    if (v->class && v->class->model.n > 0)
        return DTX_BASIS_CLASS;
    if (v->program && v->program->model.n > 0)
        return DTX_BASIS_PROGRAM;
    return isnan(v->value) ? DTX_BASIS_NONE : DTX_BASIS_ALL;
}

static void count_error(struct dtx_interval *i, const struct levels *v,
                        double y, bool foreign)
{
    if (foreign)
        dtx_interval_put(i, (float)(y - v->value));
    else
        dtx_interval_learn(i, v->low, v->high, y - v->value);
}

/* 'foreign': another predictor has asked. */
static int teach(struct dtx_predictor *p, const struct dtx_features *f,
                 double y, const struct levels *v, enum dtx_basis spoke,
                 bool foreign)
{
    struct dtx_class *program, *class;

    program = dtx_classes_make(&p->classes, f->program_key ^ 2, f->program_key,
                               f->text, f->program_len, DTX_GRAIN_PROGRAM);
    class = dtx_classes_make(&p->classes, f->class_key, f->program_key,
                             f->text, strlen(f->text), DTX_GRAIN_CLASS);
    if (!program || !class ||
        !dtx_model_learn(&class->model, &v->fine, &v->class_says) ||
        !dtx_model_learn(&program->model, &v->wide, &v->program_says) ||
        !dtx_model_learn(&p->all, &v->wide, &v->all_says))
        return DTX_ENOMEM;
    if (spoke == DTX_BASIS_CLASS)
        count_error(&class->model.interval, v, y, foreign);
    else if (spoke == DTX_BASIS_PROGRAM)
        count_error(&program->model.interval, v, y, foreign);
    else if (spoke == DTX_BASIS_ALL)
        count_error(&p->all.interval, v, y, foreign);
    p->outcomes++;
    dtx_commands_learn(&p->commands, f->exact, y, (uint32_t)p->outcomes,
                       f->mark);
    dtx_classes_settle(&p->classes, program, p->limit);
    dtx_classes_settle(&p->classes, class, p->limit);
    return DTX_OK;
}

static int learn(struct dtx_predictor *p, const struct dtx_features *f,
                 double y, struct levels *v)
{
    enum dtx_basis spoke = speaker(v);
    int rc;

    if (!v->class)
        no_says(&v->class_says);
    if (!v->program)
        no_says(&v->program_says);
    v->fine.y = v->wide.y = (float)y;
    rc = teach(p, f, y, v, spoke, false);
    if (rc != DTX_OK || !p->twin)
        return rc;
    v->class_says.foreign = v->program_says.foreign = true;
    v->all_says.foreign = true;
    return teach(p->twin, f, y, v, spoke, true);
}

/* It was ended after 'seconds'. */
static int learn_cut(struct dtx_predictor *p, const struct dtx_features *f,
                     double seconds, double y, struct levels *v)
{
    double before = v->command ? (double)v->command->least : 0;
    int rc = beyond(v, &y) ? learn(p, f, y, v) : DTX_OK;

    dtx_commands_cut(&p->commands, f->exact, fmax(seconds, before));
    if (p->twin)
        dtx_commands_cut(&p->twin->commands, f->exact, seconds);
    return rc;
}

int dtx_predictor_replay(struct dtx_predictor *p, const struct dtx_features *f,
                         double seconds, bool cut, struct dtx_prediction *said)
{
    struct levels v;
    double y;

    seconds = fmin(fmax(seconds, LEAST_SECONDS), MOST_SECONDS);
    y = log(seconds);
    memset(&v, 0, sizeof(v));
    ask(p, f, &v);
    if (said)
        tell(p, &v, said);
    return cut ? learn_cut(p, f, seconds, y, &v) : learn(p, f, y, &v);
}

int dtx_predictor_learn(struct dtx_predictor *p, const struct dtx_features *f,
                        double seconds, bool cut)
{
    return dtx_predictor_replay(p, f, seconds, cut, NULL);
}

void dtx_predictor_twin(struct dtx_predictor *p, struct dtx_predictor *twin)
{
    p->twin = twin;
}

int dtx_predictor_running(struct dtx_predictor *p, uint64_t id,
                          const struct dtx_features *f, double seconds)
{
    struct dtx_late_task *t;
    struct dtx_class *class;
    struct levels v;
    double times;

    memset(&v, 0, sizeof(v));
    ask(p, f, &v);
    times = fmin(seconds, MOST_SECONDS) / exp(v.value);
    if (!(times > 1)) /* nothing is known, or it may well be */
        return DTX_OK;
    class = dtx_classes_make(&p->classes, f->class_key, f->program_key,
                             f->text, strlen(f->text), DTX_GRAIN_CLASS);
    t = dtx_late_find(&p->late, id);
    if (!class || !p->late.task)
        return DTX_ENOMEM;
    if (!t || (t->times > 0 && t->class_key != f->class_key))
        return DTX_OK;
    dtx_late_add(&class->late, t->times, times);
    *t = (struct dtx_late_task){id, f->class_key, times};
    dtx_classes_settle(&p->classes, class, p->limit);
    return DTX_OK;
}

void dtx_predictor_stopped(struct dtx_predictor *p, uint64_t id)
{
    struct dtx_late_task *t = p->late.task ? dtx_late_find(&p->late, id)
                                           : NULL;
    struct dtx_class *class;

    if (!t || !(t->times > 0))
        return;
    class = dtx_classes_find(&p->classes, t->class_key);
    if (class)
        dtx_late_remove(&class->late, t->times);
    memset(t, 0, sizeof(*t));
}

/* ---- the whole ---- */

int dtx_predictor_take(struct dtx_predictor *p, uint64_t key,
                       uint64_t program_key, const char *name,
                       const struct dtx_model *m)
{
    struct dtx_class *mine;

    if (m->grain == DTX_GRAIN_ALL)
        return dtx_model_merge(&p->all, m) ? DTX_OK : DTX_ENOMEM;
    mine = dtx_classes_make(&p->classes, key, program_key, name, strlen(name),
                            m->grain);
    if (!mine || !dtx_model_merge(&mine->model, m))
        return DTX_ENOMEM;
    dtx_classes_settle(&p->classes, mine, p->limit);
    return DTX_OK;
}

int dtx_predictor_merge(struct dtx_predictor *into,
                        const struct dtx_predictor *from)
{
    const struct dtx_class *k;
    size_t i;

    for (k = from->classes.oldest; k; k = k->newer) {
        if (dtx_predictor_take(into, k->key, k->program_key, k->text,
                               &k->model) != DTX_OK)
            return DTX_ENOMEM;
    }
    for (i = 0; i < from->commands.count; i++) {
        struct dtx_command e = from->commands.entry[i];

        e.when += (uint32_t)into->outcomes; /* what comes later is newer */
        if (e.key)
            dtx_commands_add(&into->commands, &e);
    }
    into->outcomes += from->outcomes;
    return dtx_predictor_take(into, 0, 0, "", &from->all);
}

void dtx_predictor_stats(const struct dtx_predictor *p,
                         struct dtx_predictor_stats *s)
{
    const struct dtx_class *k;

    memset(s, 0, sizeof(*s));
    s->outcomes = p->outcomes;
    for (k = p->classes.newest; k; k = k->older)
        s->classes += k->model.grain == DTX_GRAIN_CLASS;
    s->commands = p->commands.used;
    s->forgotten = p->classes.forgotten + p->commands.forgotten;
    s->bytes = p->classes.bytes +
               p->commands.count * sizeof(struct dtx_command);
}

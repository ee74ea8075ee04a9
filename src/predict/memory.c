/* SPDX-License-Identifier: MIT */
/* Models into rows and back; see memory.h. */
#include "predict/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "predict/predictor_state.h"
#include "wire/experience.h"

_Static_assert(DTX_EXP_NUMBERS == DTX_FEATURE_NUMBERS, "rows fit");
_Static_assert(DTX_EXP_WORDS == DTX_FEATURE_WORDS, "rows fit");
_Static_assert(DTX_EXP_HOSTS == DTX_HOSTS, "rows fit");
_Static_assert(DTX_EXP_EXPERTS == DTX_MIX_MAX, "rows fit");
_Static_assert(DTX_EXP_ERRORS == DTX_INTERVAL_ERRORS, "rows fit");
_Static_assert(DTX_EXP_BUCKETS == DTX_SKETCH_BUCKETS, "rows fit");
_Static_assert(DTX_EXP_MOMENTS == DTX_LINEAR_MOMENTS, "rows fit");
_Static_assert(DTX_EXP_NAME == DTX_FEATURE_TEMPLATE, "rows fit");
_Static_assert((int)DTX_EXPERTS <= (int)DTX_MIX_MAX, "the experts fit");

#define SAVED DTX_WINDOW /* samples of a class */
#define HUGE_SUM 1e30
#define MOST_OUTCOMES (UINT64_C(1) << 48) /* of a class */
#define MOST_LOG 1e3f /* of a difference of logarithms */

/* ---- into rows ---- */

static void save_sample(const struct dtx_sample *s, struct dtx_exp_sample *r)
{
    r->y = s->y;
    r->when = s->when;
    memcpy(r->x, s->x, sizeof(r->x));
    memcpy(r->word, s->word, sizeof(r->word));
    r->host = s->host;
    r->mark = s->mark;
    r->exact = s->exact;
}

static uint32_t samples_of(const struct dtx_model *m)
{
    return m->len < SAVED ? m->len : SAVED;
}

static void save_parts(const struct dtx_model *m, struct dtx_exp_class *r)
{
    uint32_t i, n = m->interval.n;
    uint32_t held = n < DTX_INTERVAL_ERRORS ? n : DTX_INTERVAL_ERRORS;

    for (i = 0; i < DTX_HOSTS; i++) {
        r->host[i] = m->host[i].host;
        r->host_drift[i] = m->host[i].drift;
        r->host_count[i] = m->host[i].count;
    }
    memcpy(r->moment, m->linear.moment, sizeof(r->moment));
    memcpy(r->low, m->linear.low, sizeof(r->low));
    memcpy(r->high, m->linear.high, sizeof(r->high));
    r->spread = m->linear.spread;
    r->dims = m->linear.dims;
    r->sketch_scale = m->sketch.scale;
    r->sketch_base = m->sketch.base;
    r->sketch_n = m->sketch.n;
    memcpy(r->sketch_count, m->sketch.count, sizeof(r->sketch_count));
    memcpy(r->loss, m->mix.loss, sizeof(r->loss));
    memcpy(r->loss_count, m->mix.count, sizeof(r->loss_count));
    r->scale = m->mix.scale;
    for (i = 0; i < held; i++)
        r->error[i] = m->interval.error[(n - held + i) % DTX_INTERVAL_ERRORS];
    r->nerrors = held;
    r->alpha = m->interval.alpha;
    r->mark = m->marks.mark;
    r->former = m->marks.former;
    r->fresh = m->marks.fresh;
    r->shift = m->marks.shift;
    r->shifts = m->marks.shifts;
}

static void save_model(const struct dtx_model *m, const char *name,
                       struct dtx_experience *e)
{
    struct dtx_exp_class *r = &e->class[e->nclasses++];
    uint32_t i, n = samples_of(m);

    memset(r, 0, sizeof(*r));
    r->grain = (uint8_t)m->grain;
    (void)memccpy(r->name, name, '\0', sizeof(r->name) - 1);
    r->n = m->n;
    r->mean = m->mean;
    r->drift = m->drift;
    r->window_at = e->nsamples;
    r->window_len = n;
    for (i = 0; i < n; i++)
        save_sample(&m->window[m->len - n + i], &e->sample[e->nsamples++]);
    save_parts(m, r);
}

static void save_commands(const struct dtx_commands *c,
                          struct dtx_experience *e)
{
    size_t i;

    for (i = 0; i < c->count; i++) {
        const struct dtx_command *k = &c->entry[i];

        if (k->key)
            e->command[e->ncommands++] = (struct dtx_exp_command){
                k->key, k->when, k->n, k->y, k->off, k->least, k->mark};
    }
}

int dtx_predictor_save(const struct dtx_predictor *p, struct dtx_experience *e)
{
    const struct dtx_class *k;
    size_t nsamples = 1;

    for (k = p->classes.oldest; k; k = k->newer)
        nsamples += samples_of(&k->model);
    e->class = calloc(p->classes.count + 1, sizeof(*e->class));
    e->sample = calloc(nsamples, sizeof(*e->sample));
    e->command = calloc(p->commands.used + 1, sizeof(*e->command));
    if (!e->class || !e->sample || !e->command)
        return DTX_ENOMEM;
    save_model(&p->all, "everything", e);
    for (k = p->classes.oldest; k; k = k->newer) {
        save_model(&k->model, k->text, e);
        e->class[e->nclasses - 1].key = k->key;
        e->class[e->nclasses - 1].program_key = k->program_key;
    }
    save_commands(&p->commands, e);
    e->total = p->outcomes;
    return DTX_OK;
}

/* ---- back ---- */

static bool sane(double v)
{
    return fabs(v) < HUGE_SUM; /* false for NAN */
}

static bool sane_floats(const float *v, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (!sane((double)v[i]))
            return false;
    }
    return true;
}

static bool sane_logs(const float *v, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (!(fabsf(v[i]) < MOST_LOG))
            return false;
    }
    return true;
}

static bool sane_moments(const struct dtx_exp_class *r)
{
    uint32_t i;

    for (i = 0; i < DTX_EXP_MOMENTS; i++) {
        if (!sane(r->moment[i]))
            return false;
    }
    return r->moment[0] >= 0 && sane(r->spread) && r->spread >= 0;
}

static bool makes_sense(const struct dtx_exp_class *r,
                        const struct dtx_experience *e)
{
    uint32_t i;

    if (r->grain > DTX_GRAIN_ALL || r->window_len > SAVED ||
        r->window_at > e->nsamples ||
        r->window_len > e->nsamples - r->window_at || r->n < r->window_len ||
        r->n > MOST_OUTCOMES ||
        r->dims > DTX_LINEAR_MAX || r->nerrors > DTX_INTERVAL_ERRORS ||
        r->sketch_scale < 0 || r->sketch_scale > 30 ||
        r->sketch_base < -(1 << 24) || r->sketch_base > 1 << 24 ||
        memchr(r->name, '\0', sizeof(r->name)) == NULL)
        return false;
    for (i = 0; i < DTX_EXP_EXPERTS; i++) {
        if (!(r->loss[i] >= 0 && r->loss_count[i] >= 0))
            return false;
    }
    return sane_moments(r) && sane_floats(r->low, DTX_EXP_NUMBERS + 1) &&
           sane_floats(r->high, DTX_EXP_NUMBERS + 1) &&
           sane_logs(r->error, DTX_EXP_ERRORS) &&
           sane_floats(r->loss, DTX_EXP_EXPERTS) &&
           sane_floats(r->loss_count, DTX_EXP_EXPERTS) &&
           sane_logs(r->host_drift, DTX_EXP_HOSTS) &&
           sane_floats(r->host_count, DTX_EXP_HOSTS) && r->scale >= 0 &&
           sane((double)r->scale) && sane_logs(&r->mean, 1) &&
           sane_logs(&r->drift, 1) && fabsf(r->alpha) < 1 &&
           fabsf(r->shift) <= 3 && r->shifts >= 0 && r->shifts < 100;
}

static void load_parts(const struct dtx_exp_class *r, struct dtx_model *m)
{
    uint32_t i;

    for (i = 0; i < DTX_HOSTS; i++)
        m->host[i] = (struct dtx_host_speed){
            r->host[i], r->host_drift[i], r->host_count[i]};
    memcpy(m->linear.moment, r->moment, sizeof(r->moment));
    memcpy(m->linear.low, r->low, sizeof(r->low));
    memcpy(m->linear.high, r->high, sizeof(r->high));
    m->linear.spread = r->spread;
    m->linear.dims = r->dims;
    m->linear.seen = r->n > 0 && r->grain != DTX_GRAIN_ALL;
    m->sketch.scale = r->sketch_scale;
    m->sketch.base = r->sketch_base;
    for (i = 0; i < DTX_SKETCH_BUCKETS; i++) {
        m->sketch.count[i] = r->sketch_count[i];
        m->sketch.n += r->sketch_count[i];
    }
    memcpy(m->mix.loss, r->loss, sizeof(r->loss));
    memcpy(m->mix.count, r->loss_count, sizeof(r->loss_count));
    m->mix.scale = r->scale;
    for (i = 0; i < r->nerrors; i++)
        dtx_interval_put(&m->interval, r->error[i]);
    m->interval.alpha = r->alpha;
    m->marks = (struct dtx_marks){r->mark, r->former, r->fresh, r->shift,
                                  r->shifts};
}

/* False when a sample makes no sense. */
static bool load_samples(const struct dtx_exp_class *r,
                         const struct dtx_exp_sample *from,
                         struct dtx_sample *to)
{
    uint32_t i;

    for (i = 0; i < r->window_len; i++) {
        struct dtx_sample *s = &to[i];

        if (!(fabsf(from[i].y) < 100) || !sane_floats(from[i].x,
                                                      DTX_EXP_NUMBERS))
            return false;
        memset(s, 0, sizeof(*s));
        s->y = from[i].y;
        s->when = from[i].when;
        memcpy(s->x, from[i].x, sizeof(s->x));
        memcpy(s->word, from[i].word, sizeof(s->word));
        s->host = from[i].host;
        s->mark = from[i].mark;
        s->exact = from[i].exact;
    }
    return true;
}

static int load_class(struct dtx_predictor *p, const struct dtx_exp_class *r,
                      const struct dtx_exp_sample *rows, uint64_t *senseless)
{
    struct dtx_sample window[SAVED];
    struct dtx_model m;

    dtx_model_init(&m, (enum dtx_grain)r->grain);
    if (!load_samples(r, rows + r->window_at, window)) {
        ++*senseless;
        return DTX_OK;
    }
    m.window = window;
    m.len = r->window_len;
    m.n = r->n;
    m.mean = r->mean;
    m.drift = r->drift;
    load_parts(r, &m);
    return dtx_predictor_take(p, r->key, r->program_key, r->name, &m);
}

int dtx_predictor_load(struct dtx_predictor *p, const struct dtx_experience *e,
                       uint64_t *senseless)
{
    uint64_t bad = 0;
    size_t i;
    int rc = DTX_OK;

    for (i = 0; rc == DTX_OK && i < e->nclasses; i++) {
        if (makes_sense(&e->class[i], e))
            rc = load_class(p, &e->class[i], e->sample, &bad);
        else
            bad++;
    }
    for (i = 0; rc == DTX_OK && i < e->ncommands; i++) {
        const struct dtx_exp_command *k = &e->command[i];
        struct dtx_command c = {k->key, k->when + (uint32_t)p->outcomes, k->n,
                                k->y, k->off, k->least, k->mark};

        if (k->key && fabsf(k->y) < 100 && fabsf(k->off) < 1e3f && k->n > 0 &&
            k->least >= 0 && k->least <= 1e9f)
            dtx_commands_add(&p->commands, &c);
        else
            bad++;
    }
    p->outcomes += e->total;
    if (senseless)
        *senseless += bad;
    return rc;
}

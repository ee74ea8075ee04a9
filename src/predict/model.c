/* SPDX-License-Identifier: MIT */
/* One class's experts; see model.h. */
#include "predict/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define KEEP 0.998     /* of the regression's sums */
#define MOVE 0.3f      /* of the moving average */
#define DRIFT 0.15f
#define RECENT 5u
#define RELEVANT 0.1f  /* share of variance from which a number matters */
#define PROVEN 4       /* outcomes after which an expert's error counts */
#define CREDIBLE 2.0    /* times the error of the best expert */
#define FIRST_TRAIN 6u /* outcomes */
#define PAUSE_MAX 4096u
#define TRAIN_SECONDS 10e-6 /* that training takes for each outcome looked at */
#define TRAIN_SHARE 0.005   /* of the tasks' own seconds */

static const double prior[DTX_EXPERTS] = {
#define EXPERT_PRIOR(name, prior, help) prior,
    DTX_EXPERT_MAP(EXPERT_PRIOR)
#undef EXPERT_PRIOR
};

void dtx_model_init(struct dtx_model *m, enum dtx_grain grain)
{
    memset(m, 0, sizeof(*m));
    m->grain = grain;
}

void dtx_model_fini(struct dtx_model *m)
{
    free(m->window);
    dtx_trees_destroy(m->trees);
    memset(m, 0, sizeof(*m));
}

size_t dtx_model_bytes(const struct dtx_model *m)
{
    return sizeof(*m) + m->cap * sizeof(*m->window) +
           (m->trees ? dtx_trees_bytes() : 0);
}

/* ---- training ---- */

/* How often two outcomes in a row had the same word there: 0 when always, or
 * never, since then it tells nothing. */
static float repetition(const struct dtx_model *m, uint32_t word)
{
    uint32_t same = 0, i;

    for (i = 1; i < m->len; i++)
        same += m->window[i].word[word] == m->window[i - 1].word[word];
    return same + 1 == m->len ? 0 : (float)same / (float)m->len;
}

static void measure(struct dtx_model *m)
{
    struct dtx_metric *t = &m->metric;
    uint32_t i;

    memset(t, 0, sizeof(*t));
    for (i = 0; i < DTX_FEATURE_NUMBERS; i++) {
        double v = dtx_linear_variance(&m->linear, i);

        t->relevance[i] = (float)dtx_linear_relevance(&m->linear, i);
        if (v > 1e-9) {
            t->number[t->numbers] =
                (float)((0.05 + (double)t->relevance[i]) / v);
            t->number_at[t->numbers++] = (uint8_t)i;
        }
    }
    for (i = 0; i < DTX_FEATURE_WORDS; i++) {
        if (m->window[m->len - 1].word[i] == 0)
            continue;
        t->word[t->words] = repetition(m, i) > 0 ? 0.3f : 0.1f;
        t->word_at[t->words++] = (uint8_t)i;
    }
    t->host = 0.1f;
    t->age = 0.3f / DTX_WINDOW;
}

static void train(struct dtx_model *m)
{
    float y[DTX_WINDOW * 2];
    struct dtx_trees_use use = {true, true};
    struct dtx_rng rng;
    const struct dtx_sample *s = m->window;
    uint32_t n = m->len, i;

    if (n > DTX_WINDOW) {
        s += n - DTX_WINDOW;
        n = DTX_WINDOW;
    }
    for (i = 0; i < n; i++)
        y[i] = s[i].y;
    dtx_rng_seed(&rng, m->n);
    measure(m);
    dtx_curve_train(&m->curve, s, n);
    (void)dtx_trees_train(&m->trees, s, y, n, use, &rng);
    m->trained = 0;
    m->credit = 0;
}

/* Learning may cost a small part of what the tasks themselves took, and pays
 * less the more is known. */
static bool is_due(const struct dtx_model *m)
{
    uint64_t pause = m->n / 8 < PAUSE_MAX ? m->n / 8 : PAUSE_MAX;

    if (m->grain != DTX_GRAIN_CLASS || m->len < FIRST_TRAIN)
        return false;
    if (m->trees && m->trained < (pause > 2 ? pause : 2))
        return false;
    return m->credit >= TRAIN_SECONDS * (m->len < DTX_WINDOW ? m->len
                                                             : DTX_WINDOW);
}

/* ---- asking ---- */

static double median_of_recent(const struct dtx_model *m)
{
    float v[RECENT];
    uint32_t n = m->len < RECENT ? m->len : RECENT, i, k;

    if (n == 0)
        return NAN;
    for (i = 0; i < n; i++) {
        float y = m->window[m->len - 1 - i].y;

        for (k = i; k > 0 && v[k - 1] > y; k--)
            v[k] = v[k - 1];
        v[k] = y;
    }
    return n % 2 ? (double)v[n / 2] : (double)(v[n / 2 - 1] + v[n / 2]) / 2;
}

static struct dtx_host_speed *find_host(struct dtx_model *m, uint32_t host)
{
    uint32_t i;

    for (i = 0; i < DTX_HOSTS; i++) {
        if (m->host[i].host == host)
            return &m->host[i];
    }
    return NULL;
}

/* How far the task lies outside of what has been seen, in a number that
 * matters, as a logarithm. */
static double beyond(const struct dtx_model *m, const struct dtx_sample *s)
{
    const struct dtx_linear *l = &m->linear;
    float most = 0;
    uint32_t i;

    for (i = 0; i < l->dims; i++) {
        if (m->metric.relevance[i] < RELEVANT)
            continue;
        most = fmaxf(most, s->x[i] - l->high[i]);
        most = fmaxf(most, l->low[i] - s->x[i]);
    }
    return (double)most;
}

static bool can_reach(uint32_t expert)
{
    return expert == DTX_EXPERT_LINEAR || expert == DTX_EXPERT_CURVE ||
           expert == DTX_EXPERT_REPEAT;
}

/* Beyond what has been seen those who only know what they have seen are
 * doubted, if the regressions are worth believing at all. */
static double doubt_of(const struct dtx_model *m, double beyond)
{
    double best = HUGE_VAL, reaching = HUGE_VAL;
    uint32_t i;

    if (beyond <= 0)
        return 1;
    for (i = 0; i < DTX_EXPERTS; i++) {
        double e = dtx_mix_error(&m->mix, i);

        best = fmin(best, e);
        if (can_reach(i) && i != DTX_EXPERT_REPEAT)
            reaching = fmin(reaching, e);
    }
    return reaching > CREDIBLE * best + 0.01 ? 1 : 1 + fmin(8 * beyond, 5);
}

/* What the same command took is off by the noise alone, which is a part of what
 * any other expert is off by: until it has been tried it is credited with less
 * than the best one's error, as a multiple of MEDIAN's. */
static double repeat_prior(const struct dtx_model *m)
{
    double best = HUGE_VAL, median = dtx_mix_error(&m->mix, DTX_EXPERT_MEDIAN);
    uint32_t i;

    for (i = 0; i < DTX_EXPERTS; i++) {
        if (i != DTX_EXPERT_REPEAT && (double)m->mix.count[i] > PROVEN)
            best = fmin(best, dtx_mix_error(&m->mix, i));
    }
    return median > 0 && best < median
               ? prior[DTX_EXPERT_REPEAT] * best / median
               : prior[DTX_EXPERT_REPEAT];
}

static double mixed(struct dtx_model *m, const struct dtx_says *says)
{
    double doubt[DTX_EXPERTS], d = doubt_of(m, says->beyond);
    double credit[DTX_EXPERTS];
    uint32_t i;

    for (i = 0; i < DTX_EXPERTS; i++) {
        doubt[i] = can_reach(i) ? 1 : d;
        credit[i] = prior[i];
    }
    credit[DTX_EXPERT_REPEAT] = repeat_prior(m);
    return dtx_mix_value(&m->mix, says->say, credit, doubt, DTX_EXPERT_MEDIAN,
                         DTX_EXPERTS);
}

void dtx_model_ask(struct dtx_model *m, const struct dtx_sample *s,
                   double repeat, double wider, struct dtx_says *out)
{
    double *say = out->say;
    const struct dtx_host_speed *h;
    struct dtx_sample at = *s;
    uint32_t i, n = m->len > DTX_WINDOW ? DTX_WINDOW : m->len;

    for (i = 0; i < DTX_EXPERTS; i++)
        say[i] = NAN;
    at.when = (uint32_t)m->n;
    if (is_due(m))
        train(m);
    say[DTX_EXPERT_REPEAT] = repeat;
    say[DTX_EXPERT_WIDER] = wider;
    if (m->n > 0)
        say[DTX_EXPERT_MEDIAN] = dtx_sketch_quantile(&m->sketch, 0.5);
    if (m->n > 0 && m->grain != DTX_GRAIN_ALL) {
        say[DTX_EXPERT_LAST] = (double)m->mean;
        say[DTX_EXPERT_RECENT] = median_of_recent(m);
    }
    if (m->grain != DTX_GRAIN_ALL)
        dtx_linear_solve(&m->linear);
    if (m->linear.solved > 0 && m->n >= 6)
        say[DTX_EXPERT_LINEAR] = 
            dtx_linear_bounded(&m->linear, at.x,
                               m->grain == DTX_GRAIN_CLASS);
    if (m->grain == DTX_GRAIN_CLASS && m->trees) {
        if (m->curve.known)
            say[DTX_EXPERT_CURVE] = dtx_curve_value(&m->curve, &at);
        if (dtx_mix_hears(&m->mix, DTX_EXPERT_NEAREST, m->n))
            say[DTX_EXPERT_NEAREST] = dtx_nearest_value(
                &m->metric, m->window + (m->len - n), n,
                m->n > 10 ? &m->linear : NULL, &at);
        say[DTX_EXPERT_TREES] = dtx_trees_value(m->trees, &at, out->leaf);
        say[DTX_EXPERT_DRIFT] = say[DTX_EXPERT_TREES] + (double)m->drift;
        h = find_host(m, s->host);
        if (h && h->host)
            say[DTX_EXPERT_HOST] = say[DTX_EXPERT_TREES] + (double)h->drift;
    }
    out->beyond = beyond(m, &at);
    out->value = mixed(m, out);
}

/* ---- learning ---- */

static void learn_drift(struct dtx_model *m, const struct dtx_sample *s,
                        double off)
{
    struct dtx_host_speed *h = find_host(m, s->host);

    off = fmin(fmax(off, -1), 1);
    m->drift += DRIFT * ((float)off - m->drift);
    if (s->host == 0)
        return;
    if (!h) {
        h = find_host(m, 0);
        if (!h)
            h = &m->host[s->host % DTX_HOSTS];
        *h = (struct dtx_host_speed){s->host, m->drift, 0};
    }
    h->count = fminf(h->count + 1, 12);
    h->drift += ((float)off - h->drift) / (h->count + 2);
}

static bool append(struct dtx_model *m, const struct dtx_sample *s)
{
    if (m->len == 2 * DTX_WINDOW) {
        memmove(m->window, m->window + DTX_WINDOW,
                DTX_WINDOW * sizeof(*m->window));
        m->len = DTX_WINDOW;
    }
    if (m->len == m->cap) {
        uint32_t cap = m->cap ? 2 * m->cap : 4;
        struct dtx_sample *p = realloc(m->window, cap * sizeof(*p));

        if (!p)
            return false;
        m->window = p;
        m->cap = cap;
    }
    m->window[m->len++] = *s;
    m->window[m->len - 1].when = (uint32_t)m->n;
    return true;
}

bool dtx_model_learn(struct dtx_model *m, const struct dtx_sample *s,
                     const struct dtx_says *says)
{
    double y = (double)s->y;

    if (m->grain != DTX_GRAIN_ALL && !append(m, s))
        return false;
    dtx_mix_learn(&m->mix, says->say, DTX_EXPERTS, y);
    if (!isnan(says->say[DTX_EXPERT_TREES]))
        learn_drift(m, s, y - says->say[DTX_EXPERT_TREES]);
    if (!isnan(says->say[DTX_EXPERT_TREES]) && m->trees && !says->foreign)
        dtx_trees_update(m->trees, says->leaf, y);
    m->mean = m->n ? m->mean + MOVE * (s->y - m->mean) : s->y;
    dtx_sketch_add(&m->sketch, y, 1);
    if (m->grain != DTX_GRAIN_ALL)
        dtx_linear_learn(&m->linear, s->x, y, KEEP);
    m->n++;
    m->trained++;
    m->credit += TRAIN_SHARE * exp(y);
    return true;
}

/* What the later one knows of a host counts. */
static void merge_hosts(struct dtx_model *into, const struct dtx_model *from)
{
    uint32_t i;

    for (i = 0; i < DTX_HOSTS; i++) {
        struct dtx_host_speed *h;

        if (from->host[i].host == 0)
            continue;
        h = find_host(into, from->host[i].host);
        if (!h)
            h = find_host(into, 0);
        if (h)
            *h = from->host[i];
    }
}

bool dtx_model_merge(struct dtx_model *into, const struct dtx_model *from)
{
    uint32_t i;

    if (from->n == 0)
        return true;
    into->n += from->n - from->len;
    for (i = 0; i < from->len; i++) {
        if (!append(into, &from->window[i]))
            return false;
        into->n++;
    }
    into->mean = from->mean;
    into->drift = from->drift;
    merge_hosts(into, from);
    dtx_linear_merge(&into->linear, &from->linear);
    dtx_sketch_merge(&into->sketch, &from->sketch);
    dtx_mix_merge(&into->mix, &from->mix);
    dtx_interval_merge(&into->interval, &from->interval);
    into->trained = into->len;
    into->credit = into->trees ? into->credit : HUGE_VAL;
    return true;
}

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
#define AGE_NEEDS 1.5   /* times worse, asked as of now: they go by age */
#define AGE_GIVES 1.25  /* times worse without it: it was needed */
#define RECENTS (DTX_WINDOW / 2) /* of the window, at least */
#define SAMPLED (DTX_WINDOW / 4) /* of all before: kept when it is full */
#define PROGRAM_WINDOW 16u
#define ANOTHER 2.0     /* doubt of what another program took */

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
    t->mark = 0.3f;
    t->age = 0.3f / DTX_WINDOW;
}

/* How many times it took. Age explains too much where outcomes came in some
 * order: then all that is old looks alike, and all that comes is taken for the
 * latest. It is left out where the trees are as good without. */
static uint32_t train_trees(struct dtx_model *m, struct dtx_rng *rng)
{
    struct dtx_trees_use use = {true, !m->ageless};
    bool anew = m->trainings < 8 || m->trainings % 4 == 0;
    float y[DTX_WINDOW];
    double own;
    uint32_t i;

    for (i = 0; i < m->len; i++)
        y[i] = m->window[i].y;
    if (anew)
        use.age = true;
    if (!dtx_trees_train(&m->trees, m->window, y, m->len, use, rng) || !anew)
        return 1;
    own = dtx_fair_trees(m, false);
    m->ageless = false;
    if (dtx_fair_trees(m, true) <= AGE_NEEDS * own + 0.01)
        return 1;
    use.age = false;
    (void)dtx_trees_train(&m->trees, m->window, y, m->len, use, rng);
    m->ageless = dtx_fair_trees(m, false) <= AGE_GIVES * own + 0.01;
    if (m->ageless)
        return 2;
    use.age = true;
    (void)dtx_trees_train(&m->trees, m->window, y, m->len, use, rng);
    return 3;
}

static void train(struct dtx_model *m)
{
    struct dtx_rng rng;
    uint32_t times;

    dtx_rng_seed(&rng, m->n);
    measure(m);
    dtx_curve_train(&m->curve, m->window, m->len, m->marks.mark);
    times = train_trees(m, &rng);
    dtx_linear_solve(&m->linear);
    dtx_fair_judge(m);
    if (m->marks.former && m->marks.fresh < DTX_MARK_SETTLED)
        m->drift = 0; /* the trees know by now */
    m->trainings++;
    m->trained = 0;
    m->credit = -TRAIN_SECONDS * m->len * (times - 1);
}

/* Learning may cost a small part of what the tasks themselves took, and pays
 * less the more is known. */
static bool is_due(const struct dtx_model *m)
{
    uint64_t news = m->marks.former ? m->marks.fresh : m->n;
    uint64_t pause = news / 8 < PAUSE_MAX ? news / 8 : PAUSE_MAX;

    if (m->grain != DTX_GRAIN_CLASS || m->len < FIRST_TRAIN)
        return false;
    if (m->trees && m->trained < (pause > 2 ? pause : 2))
        return false;
    return m->credit >= TRAIN_SECONDS * m->len;
}

/* ---- asking ---- */

double dtx_model_recent(const struct dtx_model *m)
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

const struct dtx_host_speed *dtx_model_host(const struct dtx_model *m,
                                            uint32_t host)
{
    uint32_t i;

    for (i = 0; i < DTX_HOSTS; i++) {
        if (m->host[i].host == host)
            return &m->host[i];
    }
    return NULL;
}

/* How far the task lies outside of a range, in a number that matters, as a
 * logarithm. */
static double beyond(const struct dtx_model *m, const struct dtx_sample *s,
                     const float *low, const float *high)
{
    float most = 0;
    uint32_t i;

    for (i = 0; i < m->linear.dims; i++) {
        if (m->metric.relevance[i] < RELEVANT)
            continue;
        most = fmaxf(most, s->x[i] - high[i]);
        most = fmaxf(most, low[i] - s->x[i]);
    }
    return (double)most;
}

static bool can_reach(uint32_t expert)
{
    return expert == DTX_EXPERT_LINEAR || expert == DTX_EXPERT_CURVE ||
           expert == DTX_EXPERT_REPEAT;
}

static bool is_forest(uint32_t expert)
{
    return expert == DTX_EXPERT_TREES || expert == DTX_EXPERT_DRIFT ||
           expert == DTX_EXPERT_HOST;
}

/* 'recent', an expert's error, or as far as the task strays its fair one; that
 * is worth little where it was not measured. */
static double blend(const struct dtx_model *m, uint32_t i,
                    const struct dtx_says *says, double recent)
{
    double fair = (double)m->fair.error[i], e = dtx_mix_error(&m->mix, i);

    if (says->stray <= 0 || isnan(fair))
        return recent;
    if (!isfinite(recent))
        return fair;
    if (says->unjudged && is_forest(i) && isfinite(e))
        fair = fmax(fair, e);
    return recent + says->stray * (fair - recent);
}

static double error_of(const struct dtx_model *m, uint32_t i,
                       const struct dtx_says *says)
{
    return blend(m, i, says, dtx_mix_error(&m->mix, i));
}

/* Beyond what has been seen those who only know what they have seen are
 * doubted, if the regressions are worth believing at all. */
static double doubt_of(const struct dtx_model *m, const struct dtx_says *says)
{
    double best = HUGE_VAL, reaching = HUGE_VAL;
    uint32_t i;

    if (says->beyond <= 0)
        return 1;
    for (i = 0; i < DTX_EXPERTS; i++) {
        double e = i == DTX_EXPERT_REPEAT ? dtx_mix_error(&m->mix, i)
                                          : error_of(m, i, says);

        best = fmin(best, e);
        if (can_reach(i) && i != DTX_EXPERT_REPEAT)
            reaching = fmin(reaching, e);
    }
    return reaching > CREDIBLE * best + 0.01 ? 1
                                             : 1 + fmin(8 * says->beyond, 5);
}

/* What the same command took is off by the noise alone, which is a part of what
 * any other expert is off by: until it has been tried it is credited with less
 * than the best one's error, as a multiple of MEDIAN's. */
static double repeat_prior(const struct dtx_model *m,
                           const struct dtx_says *says)
{
    double best = HUGE_VAL, median = dtx_mix_error(&m->mix, DTX_EXPERT_MEDIAN);
    uint32_t i;

    for (i = 0; i < DTX_EXPERTS; i++) {
        if (i != DTX_EXPERT_REPEAT && (double)m->mix.count[i] > PROVEN)
            best = fmin(best, error_of(m, i, says));
    }
    return median > 0 && best < median
               ? prior[DTX_EXPERT_REPEAT] * best / median
               : prior[DTX_EXPERT_REPEAT];
}

/* The error that is expected of what the mix says. */
static double expected(const struct dtx_model *m, const double *say,
                       const double *error)
{
    double sum = 0;
    uint32_t i;

    for (i = 0; i < DTX_EXPERTS; i++)
        sum += isnan(say[i]) ? 0 : (double)m->mix.share[i] * error[i];
    return sum;
}

static double mixed(struct dtx_model *m, struct dtx_says *says)
{
    double credit[DTX_EXPERTS], error[DTX_EXPERTS], doubt, value;
    uint32_t i;

    memcpy(credit, prior, sizeof(credit));
    credit[DTX_EXPERT_REPEAT] = repeat_prior(m, says);
    dtx_mix_errors(&m->mix, credit, DTX_EXPERT_MEDIAN, DTX_EXPERTS, error);
    doubt = doubt_of(m, says);
    for (i = 0; i < DTX_EXPERTS; i++) {
        error[i] = blend(m, i, says, error[i]);
        if (!can_reach(i))
            error[i] *= doubt;
        if (i == DTX_EXPERT_REPEAT && !isnan(says->moved))
            error[i] *= 1 + ANOTHER / (1 + (double)m->marks.shifts);
    }
    value = dtx_mix_value(&m->mix, says->say, error, DTX_EXPERTS);
    says->error = says->stray > 0 ? expected(m, says->say, error) : 0;
    return value;
}

/* Those that come of a training. */
static void ask_trained(const struct dtx_model *m, const struct dtx_sample *at,
                        struct dtx_says *out)
{
    const struct dtx_host_speed *h = dtx_model_host(m, at->host);
    double *say = out->say, trees;

    if (m->curve.known)
        say[DTX_EXPERT_CURVE] = dtx_curve_value(&m->curve, at);
    if (dtx_mix_hears(&m->mix, DTX_EXPERT_NEAREST, m->n))
        say[DTX_EXPERT_NEAREST] = dtx_nearest_value(
            &m->metric, m->window, m->len, m->len,
            m->n > 10 ? &m->linear : NULL, at);
    trees = dtx_trees_value(m->trees, at, out->leaf);
    say[DTX_EXPERT_TREES] = trees;
    say[DTX_EXPERT_DRIFT] = trees + (double)m->drift;
    if (h && h->host)
        say[DTX_EXPERT_HOST] = trees + (double)h->drift;
}

/* What all of them together say, and how unlike what was seen the task is. */
static void conclude(struct dtx_model *m, const struct dtx_sample *at,
                     struct dtx_says *out)
{
    out->beyond = beyond(m, at, m->linear.low, m->linear.high);
    out->stray = dtx_fair_stray(m, at);
    out->unjudged = out->stray > 0 && out->beyond <= 0 &&
                    beyond(m, at, m->fair.low, m->fair.high) > 0;
    out->width = dtx_mark_width(&m->marks, at->mark);
    out->value = mixed(m, out);
    out->untried = !isnan(out->say[DTX_EXPERT_REPEAT]) &&
                   m->mix.share[DTX_EXPERT_REPEAT] > 0.5f &&
                   (double)m->mix.count[DTX_EXPERT_REPEAT] < PROVEN;
}

void dtx_model_ask(struct dtx_model *m, const struct dtx_sample *s,
                   double repeat, bool old, double wider,
                   struct dtx_says *out)
{
    struct dtx_sample at = *s;
    double *say = out->say;
    uint32_t i;

    for (i = 0; i < DTX_EXPERTS; i++)
        say[i] = NAN;
    at.when = (uint32_t)m->n;
    if (is_due(m))
        train(m);
    say[DTX_EXPERT_REPEAT] = repeat;
    out->moved = NAN;
    if (old)
        say[DTX_EXPERT_REPEAT] += out->moved = (double)m->marks.shift;
    say[DTX_EXPERT_WIDER] = wider;
    if (m->n > 0)
        say[DTX_EXPERT_MEDIAN] = dtx_sketch_quantile(&m->sketch, 0.5);
    if (m->n > 0 && m->grain != DTX_GRAIN_ALL) {
        say[DTX_EXPERT_LAST] = (double)m->mean;
        say[DTX_EXPERT_RECENT] = dtx_model_recent(m);
    }
    if (m->grain != DTX_GRAIN_ALL)
        dtx_linear_solve(&m->linear);
    if (m->linear.solved > 0 && m->n >= 6)
        say[DTX_EXPERT_LINEAR] = dtx_linear_bounded(
            &m->linear, at.x, m->grain == DTX_GRAIN_CLASS);
    if (m->grain == DTX_GRAIN_CLASS && m->trees)
        ask_trained(m, &at, out);
    conclude(m, &at, out);
}

/* ---- learning ---- */

static struct dtx_host_speed *find_host(struct dtx_model *m, uint32_t host)
{
    return (struct dtx_host_speed *)dtx_model_host(m, host);
}

static void learn_drift(struct dtx_model *m, const struct dtx_sample *s,
                        double off)
{
    struct dtx_host_speed *h = find_host(m, s->host);
    float fresh = m->marks.former ? 1 / (float)(m->marks.fresh + 1) : 0;

    off = fmin(fmax(off, -1), 1);
    m->drift += fmaxf(DRIFT, fresh) * ((float)off - m->drift);
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

/* Which of two outcomes stays longer: by chance, but always the same. */
static uint32_t rank_of(const struct dtx_sample *s)
{
    uint32_t y;

    memcpy(&y, &s->y, sizeof(y));
    y = (y ^ s->exact) * UINT32_C(0x9e3779b1);
    y = (y ^ y >> 15) * UINT32_C(0x85ebca77);
    return y ^ y >> 13;
}

static int by_rank(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Make room in a full window: of what is not recent those stay whose ranks are
 * smallest, which is an even sample of all there were, however often that is
 * done (bottom-k: Cohen and Kaplan, PODC 2007). */
static void thin_out(struct dtx_model *m)
{
    uint32_t rank[DTX_WINDOW], n = m->len - RECENTS, kept = 0, i;

    for (i = 0; i < n; i++)
        rank[i] = rank_of(&m->window[i]);
    qsort(rank, n, sizeof(*rank), by_rank);
    for (i = 0; i < n && kept < SAMPLED; i++) {
        if (rank_of(&m->window[i]) <= rank[SAMPLED - 1])
            m->window[kept++] = m->window[i];
    }
    memmove(m->window + kept, m->window + n, RECENTS * sizeof(*m->window));
    m->len = kept + RECENTS;
}

/* Of a program only the last few are looked at. */
static void make_room(struct dtx_model *m)
{
    if (m->grain == DTX_GRAIN_CLASS && m->len == DTX_WINDOW)
        thin_out(m);
    if (m->grain != DTX_GRAIN_PROGRAM || m->len < PROGRAM_WINDOW)
        return;
    m->len = RECENT;
    memmove(m->window, m->window + (PROGRAM_WINDOW - RECENT),
            RECENT * sizeof(*m->window));
}

static bool append(struct dtx_model *m, const struct dtx_sample *s,
                   uint32_t when)
{
    make_room(m);
    if (m->len == m->cap) {
        uint32_t cap = m->cap ? 2 * m->cap : 4;
        struct dtx_sample *p = realloc(m->window, cap * sizeof(*p));

        if (!p)
            return false;
        m->window = p;
        m->cap = cap;
    }
    m->window[m->len] = *s;
    m->window[m->len++].when = when;
    return true;
}

bool dtx_model_learn(struct dtx_model *m, const struct dtx_sample *s,
                     const struct dtx_says *says)
{
    double y = (double)s->y;

    if (m->grain != DTX_GRAIN_ALL && !append(m, s, (uint32_t)m->n))
        return false;
    dtx_mark_note(m, s->mark);
    if (!isnan(says->moved))
        dtx_mark_shift(&m->marks, y - (says->say[DTX_EXPERT_REPEAT] -
                                       says->moved));
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
    dtx_mark_merge(into, from);
    for (i = 0; i < from->len; i++) {
        const struct dtx_sample *s = &from->window[i];
        uint32_t when = s->when < from->n ? s->when : (uint32_t)from->n - 1;

        if (!append(into, s, (uint32_t)into->n + when))
            return false;
    }
    into->n += from->n;
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

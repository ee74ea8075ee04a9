/* SPDX-License-Identifier: MIT */
/* Cross-validation of a class's experts; see fair.h.  It looks at a few dozen
 * outcomes: a small part of what the training itself costs. */
#include "predict/fair.h"

#include <math.h>

#include "predict/model.h"

#define LOOKED 48u   /* outcomes asked for */
#define MOST 3.0     /* of an error: a factor of twenty */
#define BEFORE 5u    /* outcomes that a distance is taken to */
#define STRIDES 16u  /* outcomes whose distances make the usual one */
#define NEAR 2.0     /* times the usual distance: as those before */
#define FAR 4.0      /* from elsewhere */

/* What they would say of outcome 'i' of the window, were it to come now and had
 * it not come before. */
static void ask_without(const struct dtx_model *m, uint32_t i, double *say)
{
    const struct dtx_sample *s = &m->window[i];
    const struct dtx_host_speed *h = dtx_model_host(m, s->host);
    struct dtx_sample now = *s;
    double trees = NAN;
    uint32_t k;

    for (k = 0; k < DTX_EXPERTS; k++)
        say[k] = NAN;
    now.when = (uint32_t)m->n;
    say[DTX_EXPERT_MEDIAN] = dtx_sketch_quantile(&m->sketch, 0.5);
    say[DTX_EXPERT_RECENT] = dtx_model_recent(m);
    say[DTX_EXPERT_LAST] = (double)m->mean;
    if (m->linear.solved > 0)
        say[DTX_EXPERT_LINEAR] = dtx_linear_bounded(&m->linear, s->x, true);
    if (m->curve.known)
        say[DTX_EXPERT_CURVE] = dtx_curve_value(&m->curve, s);
    say[DTX_EXPERT_NEAREST] =
        dtx_nearest_value(&m->metric, m->window, m->len, i,
                          m->n > 10 ? &m->linear : NULL, &now);
    if (m->trees)
        trees = dtx_trees_without(m->trees, s, (double)s->y, &now);
    say[DTX_EXPERT_TREES] = trees;
    say[DTX_EXPERT_DRIFT] = trees + (double)m->drift;
    if (h && h->host)
        say[DTX_EXPERT_HOST] = trees + (double)h->drift;
}

/* Those that were fitted to the very outcomes they are judged by look better
 * than they are. */
static void correct(struct dtx_model *m)
{
    float *e = m->fair.error;

    e[DTX_EXPERT_LINEAR] *= 1 + 2 * (float)m->linear.dims / (float)m->len;
    e[DTX_EXPERT_CURVE] *= 1 + 3 / (float)m->len;
    e[DTX_EXPERT_WIDER] = 1.5f * fmaxf(e[DTX_EXPERT_MEDIAN],
                                       e[DTX_EXPERT_LAST]);
}

/* The distance of 's' to the outcomes before number 'i'. */
static double apart(const struct dtx_model *m, const struct dtx_sample *s,
                    uint32_t i)
{
    uint32_t n = i < BEFORE ? i : BEFORE, k;
    double sum = 0;

    for (k = 1; k <= n; k++)
        sum += (double)sqrtf(
            dtx_nearest_apart(&m->metric, s, &m->window[i - k]));
    return n ? sum / n : 0;
}

static float stride_of(const struct dtx_model *m)
{
    uint32_t n = m->len > STRIDES + 1 ? STRIDES : m->len - 1, k;
    double sum = 0;

    for (k = 1; k <= n; k++)
        sum += apart(m, &m->window[m->len - k], m->len - k);
    return (float)(sum / n);
}

static void find_range(struct dtx_model *m)
{
    struct dtx_fair *f = &m->fair;
    uint32_t i, k;

    for (k = 0; k < DTX_FEATURE_NUMBERS; k++) {
        f->low[k] = f->high[k] = m->window[0].x[k];
        for (i = 1; i < m->len; i++) {
            f->low[k] = fminf(f->low[k], m->window[i].x[k]);
            f->high[k] = fmaxf(f->high[k], m->window[i].x[k]);
        }
    }
}

void dtx_fair_judge(struct dtx_model *m)
{
    double sum[DTX_EXPERTS] = {0}, say[DTX_EXPERTS];
    uint32_t count[DTX_EXPERTS] = {0}, n = dtx_spread(m->len, LOOKED), i, k;

    m->fair.known = false;
    if (m->len < 2)
        return;
    for (i = 0; i < n; i++) {
        uint32_t at = dtx_spread_at(m->len, LOOKED, i);

        ask_without(m, at, say);
        for (k = 0; k < DTX_EXPERTS; k++) {
            if (isnan(say[k]))
                continue;
            sum[k] += fmin(fabs(say[k] - (double)m->window[at].y), MOST);
            count[k]++;
        }
    }
    for (k = 0; k < DTX_EXPERTS; k++)
        m->fair.error[k] = count[k] ? (float)(sum[k] / count[k]) : NAN;
    correct(m);
    m->fair.stride = stride_of(m);
    find_range(m);
    m->fair.known = true;
}

double dtx_fair_trees(const struct dtx_model *m, bool now)
{
    uint32_t looked = dtx_spread(m->len, LOOKED), n = 0, i;
    double sum = 0;

    for (i = 0; m->trees && i < looked; i++) {
        const struct dtx_sample *s =
            &m->window[dtx_spread_at(m->len, LOOKED, i)];
        struct dtx_sample at = *s;
        double say;

        if (now)
            at.when = (uint32_t)m->n;
        say = dtx_trees_without(m->trees, s, (double)s->y, &at);
        if (isnan(say))
            continue;
        sum += fmin(fabs(say - (double)s->y), MOST);
        n++;
    }
    return n ? sum / n : 0;
}

double dtx_fair_stray(const struct dtx_model *m, const struct dtx_sample *s)
{
    double d, usual = (double)m->fair.stride;

    if (!m->fair.known)
        return 0;
    d = apart(m, s, m->len);
    if (d <= NEAR * usual || d <= 1e-6)
        return 0;
    return usual > 0 ? fmin((d / usual - NEAR) / (FAR - NEAR), 1) : 1;
}

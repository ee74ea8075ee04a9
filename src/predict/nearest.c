/* SPDX-License-Identifier: MIT */
/* Nearest neighbours; see nearest.h.  A scan: windows are short and lie in
 * one piece. */
#include "predict/nearest.h"

#include <math.h>
#include <stdbool.h>

#include "predict/linear.h"

#define NEIGHBOURS 5u

/* 'd' and how far apart the two are, or some number from 'enough' on when it is
 * not below that. */
static float distance(const struct dtx_metric *m, const struct dtx_sample *a,
                      const struct dtx_sample *b, float d, float enough)
{
    uint32_t i;

    for (i = 0; i < m->numbers && d < enough; i++) {
        uint32_t k = m->number_at[i];
        float e = a->x[k] - b->x[k];

        d += m->number[i] * e * e;
    }
    for (i = 0; i < m->words && d < enough; i++) {
        uint32_t k = m->word_at[i];

        d += a->word[k] != b->word[k] ? m->word[i] : 0;
    }
    return d;
}

float dtx_nearest_apart(const struct dtx_metric *m, const struct dtx_sample *a,
                        const struct dtx_sample *b)
{
    return distance(m, a, b, 0, HUGE_VALF);
}

struct near {
    float d;
    uint32_t i;
};

static uint32_t find(const struct dtx_metric *m, const struct dtx_sample *s,
                     uint32_t n, uint32_t but, const struct dtx_sample *at,
                     struct near best[NEIGHBOURS])
{
    uint32_t found = 0, i;

    for (i = n; i-- > 0;) {
        float enough = found == NEIGHBOURS ? best[found - 1].d : HUGE_VALF;
        float d = m->age * (float)(at->when - s[i].when);
        uint32_t k;

        d += s[i].host != at->host ? m->host : 0;
        d += s[i].mark != at->mark ? m->mark : 0;
        d = distance(m, &s[i], at, d, enough);
        if (d >= enough || i == but)
            continue;
        k = found < NEIGHBOURS ? found++ : NEIGHBOURS - 1;
        for (; k > 0 && best[k - 1].d > d; k--)
            best[k] = best[k - 1];
        best[k] = (struct near){d, i};
    }
    return found;
}

double dtx_nearest_value(const struct dtx_metric *m,
                         const struct dtx_sample *s, uint32_t n, uint32_t but,
                         const struct dtx_linear *slope,
                         const struct dtx_sample *at)
{
    struct near best[NEIGHBOURS];
    uint32_t found = find(m, s, n, but, at, best), k;
    double sum = 0, weight = 0, base = slope ? dtx_linear_value(slope, at->x)
                                             : 0;

    for (k = 0; k < found; k++) {
        const struct dtx_sample *b = &s[best[k].i];
        double r = (double)b->y - (slope ? dtx_linear_value(slope, b->x) : 0);
        double w = 1 / ((double)best[k].d + 0.02 +
                        (double)best[found - 1].d * 0.2);

        sum += w * r;
        weight += w;
    }
    return found ? base + sum / weight : NAN;
}

/* SPDX-License-Identifier: MIT */
/* Speeds of ranks from what their tasks took; see speed.h. */
#include "sched/speed.h"

#include <math.h>

#define RECENT 50.0     /* outcomes that count, about */
#define FEWEST 4.0      /* that say anything */
#define SHORTEST_S 2e-3 /* starting a process is not the rank's speed */
#define FAR 2.0         /* from the level: an outlier counts so much */
#define LEVEL 64.0      /* outcomes of all ranks that make the level */
#define ROUGH 0.64      /* what scatters more than this (sigma 0.8) is predicted
                           too badly to tell */
#define UNSURE 4.0      /* outcomes of doubt, which scatter as all do */
#define LEAST_VAR 4e-4
#define SURE 2.0        /* standard errors */
#define MOST 2.0794415  /* log 8 */

static double variance_of_mean(const struct dtx_speeds *all,
                               const struct dtx_speed *s)
{
    double v = (s->var * s->n + all->var * UNSURE) / (s->n + UNSURE);

    return (v > LEAST_VAR ? v : LEAST_VAR) / s->n;
}

void dtx_speed_put(struct dtx_speeds *all, struct dtx_speed *s, double took_s,
                   double said_s)
{
    double x, d;

    if (!(took_s >= SHORTEST_S) || !(said_s >= SHORTEST_S))
        return;
    x = log(took_s / said_s) - all->level;
    if (!isfinite(x))
        return;
    if (all->seen > 0)
        x = fmin(fmax(x, -FAR), FAR);
    all->seen = fmin(all->seen + 1, LEVEL);
    all->level += x / all->seen;
    d = x - s->mean;
    all->var += (d * d - all->var) / all->seen;
    all->told += !(s->n > 0);
    all->n -= s->n;
    all->sum -= s->n * s->mean;
    s->n = fmin(s->n + 1, RECENT);
    s->mean += d / s->n;
    s->var = (1 - 1 / s->n) * (s->var + d * d / s->n);
    all->n += s->n;
    all->sum += s->n * s->mean;
}

void dtx_speed_drop(struct dtx_speeds *all, struct dtx_speed *s)
{
    all->n -= s->n;
    all->sum -= s->n * s->mean;
    all->told -= s->n > 0;
    *s = (struct dtx_speed){0, 0, 0};
    if (all->told == 0)
        *all = (struct dtx_speeds){.n = 0};
}

double dtx_speed_slowness(const struct dtx_speeds *all,
                          const struct dtx_speed *s)
{
    double off, error2;

    if (all->told < 2 || s->n < FEWEST || !(all->n > s->n))
        return 1;
    off = s->mean - all->sum / all->n;
    error2 = variance_of_mean(all, s);
    if (all->var > ROUGH || off * off <= SURE * SURE * error2)
        return 1;
    off *= 1 - error2 / (off * off);
    return exp(fmin(fmax(off, -MOST), MOST));
}

void dtx_speed_add(struct dtx_speed *to, const struct dtx_speed *s)
{
    double n = to->n + s->n, d = s->mean - to->mean;

    if (!(s->n > 0))
        return;
    to->var = (to->n * to->var + s->n * s->var + d * d * to->n * s->n / n) / n;
    to->mean += d * s->n / n;
    to->n = n;
}

bool dtx_speed_claim(const struct dtx_speeds *all, const struct dtx_speed *s,
                     uint32_t ranks, struct dtx_speed_claim *out)
{
    double rest = all->n - s->n, off, error;

    if (all->told <= ranks || s->n < FEWEST || rest < FEWEST ||
        all->var > ROUGH)
        return false;
    off = s->mean - (all->sum - s->n * s->mean) / rest;
    error = SURE * sqrt(variance_of_mean(all, s) * (1 + s->n / rest));
    *out = (struct dtx_speed_claim){exp(off), exp(off - error),
                                    exp(off + error), s->n};
    return fabs(off) > error;
}

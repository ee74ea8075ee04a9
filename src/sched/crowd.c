/* SPDX-License-Identifier: MIT */
/* What others used over time, by marks; see crowd.h. */
#include "sched/crowd.h"

#include <math.h>

#define LEAST 0.05 /* a smaller share is noise */
#define MOST 0.75

void dtx_crowd_begin(struct dtx_crowd *c, int64_t now_ns)
{
    *c = (struct dtx_crowd){.n = 1, .mark = {{now_ns, 0}}};
}

/* Up to a time that is not before the last mark. */
static double lost_now(const struct dtx_crowd *c, int64_t at_ns)
{
    const struct dtx_crowd_mark *last = &c->mark[c->n - 1];

    return last->lost_ns +
           (at_ns > last->at_ns ? c->share * (double)(at_ns - last->at_ns) : 0);
}

/* Keep the first, the last, and every second of those between. */
static void thin_out(struct dtx_crowd *c)
{
    uint32_t i, n = 1;

    for (i = 2; i + 1 < c->n; i += 2)
        c->mark[n++] = c->mark[i];
    c->mark[n++] = c->mark[c->n - 1];
    c->n = n;
}

void dtx_crowd_set(struct dtx_crowd *c, double share, int64_t now_ns)
{
    double lost = lost_now(c, now_ns);

    if (now_ns > c->mark[c->n - 1].at_ns) {
        if (c->n == DTX_CROWD_MARKS)
            thin_out(c);
        c->mark[c->n++] = (struct dtx_crowd_mark){now_ns, lost};
    }
    c->share = share > 0 ? fmin(share, 1) : 0;
    c->most = fmax(c->most, c->share);
}

/* Between two marks the share counts as even. */
static double lost_at(const struct dtx_crowd *c, int64_t at_ns)
{
    const struct dtx_crowd_mark *a, *b;
    uint32_t i = c->n - 1;

    if (at_ns >= c->mark[i].at_ns)
        return lost_now(c, at_ns);
    while (i > 0 && c->mark[i].at_ns > at_ns)
        i--;
    a = &c->mark[i];
    if (at_ns <= a->at_ns)
        return a->lost_ns; /* before the first: 0 */
    b = a + 1;
    return a->lost_ns + (b->lost_ns - a->lost_ns) *
                            ((double)(at_ns - a->at_ns) /
                             (double)(b->at_ns - a->at_ns));
}

double dtx_crowd_mean(const struct dtx_crowd *c, int64_t from_ns,
                      int64_t to_ns)
{
    if (to_ns <= from_ns)
        return c->share;
    return (lost_at(c, to_ns) - lost_at(c, from_ns)) /
           (double)(to_ns - from_ns);
}

double dtx_crowd_times(double share)
{
    return share >= LEAST ? 1 / (1 - fmin(share, MOST)) : 1;
}

/* SPDX-License-Identifier: MIT */
/* Ridge regression from moments; see linear.h. */
#include "predict/linear.h"

#include <math.h>

#define N DTX_LINEAR_MAX
#define ROW_Y (N + 1)
#define RIDGE 0.5       /* as so many outcomes that say "no influence" */
#define HUBER 3.0       /* residuals beyond so many spreads weigh less */
#define FLAT 1e-9       /* a variance that is none */
#define ROOM 0.3        /* beyond the seconds seen, within the features seen */
#define STEEPEST 2.2    /* power that is believed beyond these ... */
#define FARTHEST 1.5    /* ... and how far */

static double *at(double *m, uint32_t i, uint32_t j)
{
    return &m[i * (i + 1) / 2 + j];
}

static double get(const double *m, uint32_t i, uint32_t j)
{
    return i >= j ? m[i * (i + 1) / 2 + j] : m[j * (j + 1) / 2 + i];
}

static double covariance(const struct dtx_linear *l, uint32_t i, uint32_t j)
{
    double w = l->moment[0];

    return get(l->moment, i, j) / w -
           get(l->moment, i, 0) / w * (get(l->moment, j, 0) / w);
}

static void stretch(float *low, float *high, float v, bool first)
{
    if (first || v < *low)
        *low = v;
    if (first || v > *high)
        *high = v;
}

static void widen(struct dtx_linear *l, const float *x, float y)
{
    uint32_t i;

    for (i = 0; i < N; i++)
        stretch(&l->low[i], &l->high[i], x[i], !l->seen);
    stretch(&l->low[N], &l->high[N], y, !l->seen);
    l->seen = true;
}

void dtx_linear_learn(struct dtx_linear *l, const float *x, double y,
                      double keep)
{
    double row[N + 2], weight = 1, off = 0;
    uint32_t i, j, n = N;

    while (n > l->dims && x[n - 1] == 0.0f)
        n--;
    l->dims = n;
    widen(l, x, (float)y);
    if (l->solved > 0) {
        off = fabs(y - dtx_linear_value(l, x));
        if (l->spread > 0 && off > HUBER * l->spread)
            weight = HUBER * l->spread / off;
        l->spread += 0.05 * (fmin(off, 5 * l->spread + 0.01) - l->spread);
    }
    row[0] = 1;
    for (i = 0; i < n; i++)
        row[i + 1] = (double)x[i];
    for (i = 0; i <= n; i++) {
        double wi = weight * row[i];
        double *m = at(l->moment, i, 0);

        for (j = 0; j <= i; j++)
            m[j] = m[j] * keep + wi * row[j];
    }
    for (j = 0; j <= n; j++)
        *at(l->moment, ROW_Y, j) =
            *at(l->moment, ROW_Y, j) * keep + weight * y * row[j];
    *at(l->moment, ROW_Y, ROW_Y) =
        *at(l->moment, ROW_Y, ROW_Y) * keep + weight * y * y;
    l->since++;
}

/* Solve a x = b for a symmetric positive definite matrix of 'n' rows, in
 * place; false when it is none. */
static bool cholesky(double a[N][N], double *b, uint32_t n)
{
    uint32_t i, j, k;

    for (i = 0; i < n; i++) {
        for (j = 0; j <= i; j++) {
            double sum = a[i][j];

            for (k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i == j && sum <= 0)
                return false;
            a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
        }
        for (k = 0; k < i; k++)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    for (i = n; i-- > 0;) {
        for (k = i + 1; k < n; k++)
            b[i] -= a[k][i] * b[k];
        b[i] /= a[i][i];
    }
    return true;
}

static bool solve(struct dtx_linear *l)
{
    double a[N][N], b[N], sd[N];
    double w = l->moment[0];
    uint32_t used[N], n = 0, i, j;

    for (i = 0; i < l->dims; i++) {
        double v = covariance(l, i + 1, i + 1);
        double m = get(l->moment, i + 1, 0) / w;

        l->mean[i] = m;
        l->coef[i] = 0;
        if (v > FLAT * (1 + m * m)) {
            sd[n] = sqrt(v);
            used[n++] = i;
        }
    }
    l->mean_y = get(l->moment, ROW_Y, 0) / w;
    for (i = 0; i < n; i++) {
        for (j = 0; j <= i; j++)
            a[i][j] = covariance(l, used[i] + 1, used[j] + 1) /
                      (sd[i] * sd[j]);
        a[i][i] += RIDGE / w;
        b[i] = covariance(l, used[i] + 1, ROW_Y) / sd[i];
    }
    if (!cholesky(a, b, n))
        return false;
    for (i = 0; i < n; i++)
        l->coef[used[i]] = b[i] / sd[i];
    return true;
}

void dtx_linear_solve(struct dtx_linear *l)
{
    double w = l->moment[0];

    if (w < 2 || (l->solved > 0 && l->since < 8 && l->since * 16 < w))
        return;
    if (!solve(l))
        return;
    if (l->solved <= 0) {
        double v = covariance(l, ROW_Y, ROW_Y);

        l->spread = v > 0 ? sqrt(v) : 0.01;
    }
    l->solved = w;
    l->since = 0;
}

double dtx_linear_value(const struct dtx_linear *l, const float *x)
{
    double v = l->mean_y;
    uint32_t i;

    for (i = 0; i < l->dims; i++)
        v += l->coef[i] * ((double)x[i] - l->mean[i]);
    return v;
}

double dtx_linear_bounded(const struct dtx_linear *l, const float *x,
                          bool reach)
{
    double beyond = 0, v = dtx_linear_value(l, x), room;
    uint32_t i;

    for (i = 0; i < l->dims && reach; i++) {
        beyond = fmax(beyond, (double)(x[i] - l->high[i]));
        beyond = fmax(beyond, (double)(l->low[i] - x[i]));
    }
    room = reach ? ROOM + STEEPEST * fmin(beyond, FARTHEST) : 0;
    return fmin(fmax(v, (double)l->low[N] - room),
                (double)l->high[N] + room);
}

void dtx_linear_fade(struct dtx_linear *l, double weight)
{
    double w = l->moment[0];
    uint32_t i;

    if (w <= weight)
        return;
    for (i = 0; i < DTX_LINEAR_MOMENTS; i++)
        l->moment[i] *= weight / w;
    l->solved = 0;
}

void dtx_linear_merge(struct dtx_linear *into, const struct dtx_linear *from)
{
    double w = into->moment[0] + from->moment[0];
    uint32_t i;

    if (w > 0)
        into->spread = (into->spread * into->moment[0] +
                        from->spread * from->moment[0]) / w;
    for (i = 0; i < DTX_LINEAR_MOMENTS; i++)
        into->moment[i] += from->moment[i];
    for (i = 0; i <= N && from->seen; i++) {
        stretch(&into->low[i], &into->high[i], from->low[i], !into->seen);
        stretch(&into->low[i], &into->high[i], from->high[i], false);
    }
    into->seen |= from->seen;
    into->dims = into->dims > from->dims ? into->dims : from->dims;
    into->solved = 0;
}

double dtx_linear_variance(const struct dtx_linear *l, uint32_t feature)
{
    double v = l->moment[0] > 0 ? covariance(l, feature + 1, feature + 1) : 0;

    return v > 0 ? v : 0;
}

double dtx_linear_relevance(const struct dtx_linear *l, uint32_t feature)
{
    double vx = dtx_linear_variance(l, feature), vy, c;

    if (vx <= FLAT)
        return 0;
    vy = covariance(l, ROW_Y, ROW_Y);
    c = covariance(l, feature + 1, ROW_Y);
    return vy > FLAT ? c * c / (vx * vy) : 0;
}

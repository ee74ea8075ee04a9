/* SPDX-License-Identifier: MIT */
/* Seeded random numbers; see rng.h. */
#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void dtx_rng_seed(struct dtx_rng *r, uint64_t seed)
{
    int i;

    for (i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t dtx_rng_u64(struct dtx_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t dtx_rng_below(struct dtx_rng *r, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n;
    uint64_t x;

    do
        x = dtx_rng_u64(r);
    while (x >= limit);
    return x % n;
}

double dtx_rng_unit(struct dtx_rng *r)
{
    return (double)(dtx_rng_u64(r) >> 11) * 0x1.0p-53;
}

double dtx_rng_normal(struct dtx_rng *r)
{
    double u = 1.0 - dtx_rng_unit(r);
    double v = dtx_rng_unit(r);

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

double dtx_normal_quantile(double p)
{
    double q = p - 0.5, r = 0.180625 - q * q, v;

    if (fabs(q) <= 0.425)
        return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r +
                    3.3871327179) /
               (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1);
    r = sqrt(-log(q < 0 ? p : 1 - p));
    if (r <= 5) {
        r -= 1.6;
        v = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r +
             1.4234372777) /
            ((0.12021132975 * r + 0.73700164250) * r + 1);
    } else {
        r -= 5;
        v = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r +
             6.6579051150) /
            ((0.012258202635 * r + 0.24197894225) * r + 1);
    }
    return q < 0 ? -v : v;
}

double dtx_rng_lognormal(struct dtx_rng *r, double mean, double sigma)
{
    double mu = log(mean) - sigma * sigma / 2.0;

    return exp(mu + sigma * dtx_rng_normal(r));
}

double dtx_rng_exp(struct dtx_rng *r, double mean)
{
    return -mean * log(1.0 - dtx_rng_unit(r));
}

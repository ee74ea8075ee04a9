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

double dtx_rng_lognormal(struct dtx_rng *r, double mean, double sigma)
{
    double mu = log(mean) - sigma * sigma / 2.0;

    return exp(mu + sigma * dtx_rng_normal(r));
}

double dtx_rng_exp(struct dtx_rng *r, double mean)
{
    return -mean * log(1.0 - dtx_rng_unit(r));
}

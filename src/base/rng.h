/* SPDX-License-Identifier: MIT */
/* base/rng.h - seeded random numbers
 *
 * xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 47, 2021), seeded by splitmix64.  The state is a
 * plain struct: the same seed gives the same numbers everywhere.
 */
#ifndef DTX_BASE_RNG_H
#define DTX_BASE_RNG_H

#include <stdint.h>

struct dtx_rng {
    uint64_t s[4];
};

void dtx_rng_seed(struct dtx_rng *r, uint64_t seed);
uint64_t dtx_rng_u64(struct dtx_rng *r);
/* Uniform in 0 .. n-1, without bias; n must not be 0. */
uint64_t dtx_rng_below(struct dtx_rng *r, uint64_t n);
/* Uniform in [0, 1). */
double dtx_rng_unit(struct dtx_rng *r);
/* Standard normal (Box and Muller, 1958). */
double dtx_rng_normal(struct dtx_rng *r);
/* The standard normal deviate below which the share p lies, 0 < p < 1, to seven
 * digits (Wichura, algorithm AS 241, Appl. Stat. 37(3), 1988). */
double dtx_normal_quantile(double p);
/* Lognormal with the given mean and sigma of the underlying normal. */
double dtx_rng_lognormal(struct dtx_rng *r, double mean, double sigma);
/* Exponential with the given mean. */
double dtx_rng_exp(struct dtx_rng *r, double mean);

#endif

/* SPDX-License-Identifier: MIT */
/* predict/mix.h - who is to be believed
 *
 * Each expert has a recent mean of its errors, in seconds as a share of what
 * the class takes, counted only on what it said before the outcome was known.
 * The better it was, the more it weighs; one that cannot speak yet sleeps and
 * loses nothing (Freund, Schapire, Singer, Warmuth, "Using and combining
 * predictors that specialize", STOC 1997).  What the mix says lies halfway
 * between the weighted mean and the weighted median of what they say: between
 * near equals the mean is better, and one wild expert moves the median little.
 */
#ifndef DTX_PREDICT_MIX_H
#define DTX_PREDICT_MIX_H

#include <stdbool.h>
#include <stdint.h>

#define DTX_MIX_MAX 16u

/* Zero-initialise. */
struct dtx_mix {
    float loss[DTX_MIX_MAX];  /* discounted sums of errors */
    float count[DTX_MIX_MAX]; /* and of how many */
    float share[DTX_MIX_MAX]; /* of the weight, when last asked */
    float scale;              /* recent mean of the seconds */
};

/* What each expert's error is taken to be: 'prior[i]' times the error of expert
 * 'ref' is what it is credited with before it has spoken. */
void dtx_mix_errors(const struct dtx_mix *m, const double *prior, uint32_t ref,
                    uint32_t n, double *error);
/* 'say[i]' is the logarithm of the seconds, NAN when that expert sleeps;
 * 'error[i]' decides how much it weighs this time. NAN when all sleep. */
double dtx_mix_value(struct dtx_mix *m, const double *say,
                     const double *error, uint32_t n);
/* The recent error of an expert; HUGE_VAL when it has none. */
double dtx_mix_error(const struct dtx_mix *m, uint32_t expert);
/* Is an expert that costs much to ask to be asked this time, the 'turn'th? One
 * that hardly weighs is heard now and then. */
bool dtx_mix_hears(const struct dtx_mix *m, uint32_t expert, uint64_t turn);
void dtx_mix_learn(struct dtx_mix *m, const double *say, uint32_t n, double y);
void dtx_mix_merge(struct dtx_mix *into, const struct dtx_mix *from);

#endif

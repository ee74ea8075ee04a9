/* SPDX-License-Identifier: MIT */
/* tests/bench/bag.c - a skewed bag of tasks, from a seed
 *
 *     bag PROGRAM TASKS MEAN_MS SIGMA SEED
 *
 * Prints "PROGRAM MICROSECONDS" once a task: lognormal lengths, scaled so that
 * their mean is exact, in random order but for the longest, which is last.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/units.h"

#define MAX_TASKS 1000000

static double number(const char *s)
{
    char *end = NULL;
    double v = strtod(s, &end);

    return end != s && *end == '\0' && v > 0 ? v : -1;
}

static void print_bag(const char *program, double *ms, size_t n, double mean)
{
    size_t i, longest = 0;
    double sum = 0, last;

    for (i = 0; i < n; i++) {
        sum += ms[i];
        if (ms[i] > ms[longest])
            longest = i;
    }
    last = ms[longest];
    ms[longest] = ms[n - 1];
    ms[n - 1] = last;
    for (i = 0; i < n; i++)
        (void)printf("%s %.0f\n", program,
                     ms[i] * mean * (double)n / sum * 1000.0);
}

int main(int argc, char **argv)
{
    int64_t tasks = 0, seed = 0;
    struct dtx_rng rng;
    double mean, sigma, *ms;
    size_t i;

    if (argc != 6 || dtx_parse_int(argv[2], 1, MAX_TASKS, &tasks) ||
        dtx_parse_int(argv[5], 0, INT64_MAX, &seed)) {
        (void)fprintf(stderr, "usage: bag PROGRAM TASKS MEAN_MS SIGMA SEED\n");
        return 2;
    }
    mean = number(argv[3]);
    sigma = number(argv[4]);
    ms = calloc((size_t)tasks, sizeof(*ms));
    if (!ms || mean < 0 || sigma < 0) {
        free(ms);
        (void)fprintf(stderr, "bag: bad mean or sigma, or no memory\n");
        return 2;
    }
    dtx_rng_seed(&rng, (uint64_t)seed);
    for (i = 0; i < (size_t)tasks; i++)
        ms[i] = dtx_rng_lognormal(&rng, mean, sigma);
    print_bag(argv[1], ms, (size_t)tasks, mean);
    free(ms);
    return fflush(stdout) == 0 ? 0 : 1;
}

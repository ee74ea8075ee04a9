/* SPDX-License-Identifier: MIT */
/* tests/bench/predict.c - how fast it learns, how well, and how small it is
 *
 *     predict speed N         outcomes a second, predicted and learned
 *     predict laws            median errors on five laws, beside their noise
 *     predict history DIR N   bytes an outcome, and seconds of a warm start
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/rng.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "store/history.h"
#include "wire/experience.h"

static double now_s(void)
{
    struct timespec t = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Four classes with two numbers, a word and two files; a third repeats. */
static double draw(struct dtx_rng *r, struct dtx_features *f)
{
    unsigned tool = (unsigned)dtx_rng_below(r, 4);
    unsigned x = (unsigned)dtx_rng_below(r, 1000000);
    unsigned y = (unsigned)dtx_rng_below(r, 50);
    char command[128];
    int n;

    if (dtx_rng_below(r, 3) == 0)
        x %= 1000;
    n = snprintf(command, sizeof(command),
                 "./tool%u --size %u -m mode%u in%u.dat out%u.dat", tool, x,
                 y % 3, x, x);
    dtx_features_of(command, (size_t)n, y % 2 ? "n1" : "n2", NULL, NULL, f);
    return (1 + (tool + 1) * pow(x, 0.7) * 1e-3) *
           exp(0.1 * dtx_rng_normal(r));
}

static struct dtx_predictor *teach(uint64_t n, struct dtx_experience *keep)
{
    struct dtx_predictor *p = dtx_predictor_create(0);
    struct dtx_prediction said;
    struct dtx_features f;
    struct dtx_rng r;
    uint64_t i;

    dtx_rng_seed(&r, 1);
    for (i = 0; p && i < n; i++) {
        double t = draw(&r, &f);

        if (dtx_predictor_replay(p, &f, t, false, &said) != DTX_OK)
            exit(1);
        if (keep) {
            struct dtx_exp_outcome o = {f.class_key, f.program_key,
                                        f.exact.lo,
                                        (int64_t)(1.7e18 + 1e9 * (double)i *
                                                  dtx_rng_unit(&r)),
                                        (float)t, (float)(0.98 * t),
                                        10000 + (uint32_t)(i % 700),
                                        (uint32_t)(i % 2), 1, 0, 0, 0, 0, 0};

            if (dtx_experience_outcome(keep, &o) != DTX_OK)
                exit(1);
        }
    }
    return p;
}

static int speed(uint64_t n)
{
    double begun = now_s();
    struct dtx_predictor *p = teach(n, NULL);

    (void)printf("%.0f\n", (double)n / (now_s() - begun));
    dtx_predictor_destroy(p);
    return 0;
}

/* ---- laws ---- */

static double law(int k, double n, double m)
{
    static const double factor[] = {2e-5, 2e-5};

    if (k < 2)
        return 5 * k + factor[k] * pow(n, 1.5);
    if (k == 2)
        return 1e-5 * n * m;
    return k == 3 ? (n < 3000 ? 2 : 20) : 7;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void features(struct dtx_rng *r, int k, double lo, double hi,
                     struct dtx_features *f, double *cost)
{
    double n = floor(lo + (hi - lo) * dtx_rng_unit(r));
    double m = (double)(1 + dtx_rng_below(r, 100));
    char command[64];
    int len = snprintf(command, sizeof(command), "./sim -n %.0f -m %.0f", n,
                       m);

    dtx_features_of(command, (size_t)len, NULL, NULL, NULL, f);
    *cost = law(k, n, m);
}

static double judge(struct dtx_predictor *p, struct dtx_rng *r, int k,
                    double lo, double hi)
{
    double error[500], cost;
    struct dtx_prediction said;
    struct dtx_features f;
    int i;

    for (i = 0; i < 500; i++) {
        features(r, k, lo, hi, &f, &cost);
        (void)dtx_predictor_ask(p, &f, &said);
        error[i] = fabs(said.seconds / cost - 1);
    }
    qsort(error, 500, sizeof(*error), by_size);
    return error[250];
}

static int laws(void)
{
    static const char *const name[] = {"power 1.5", "power and constant",
                                       "two arguments", "cliff", "constant"};
    int k, seed, i;

    for (k = 0; k < 5; k++) {
        double inside = 0, beyond = 0, cost;

        for (seed = 1; seed <= 10; seed++) {
            struct dtx_predictor *p = dtx_predictor_create(1 << 22);
            struct dtx_features f;
            struct dtx_rng r;

            dtx_rng_seed(&r, (uint64_t)seed);
            for (i = 0; p && i < 100; i++) {
                features(&r, k, 100, 10000, &f, &cost);
                (void)dtx_predictor_learn(
                    p, &f, cost * exp(0.05 * dtx_rng_normal(&r)), false);
            }
            inside += judge(p, &r, k, 100, 10000) / 10;
            beyond += judge(p, &r, k, 10000, 20000) / 10;
            dtx_predictor_destroy(p);
        }
        (void)printf("%s\t%.1f\t%.1f\n", name[k], 100 * inside, 100 * beyond);
    }
    return 0;
}

/* ---- the history ---- */

static int load(void *ctx, const struct dtx_history_file *f,
                const struct dtx_experience *e, struct dtx_error *err)
{
    (void)err;
    *(uint64_t *)((void **)ctx)[1] += f->bytes;
    return dtx_predictor_load(((void **)ctx)[0], e, NULL);
}

static int history(const char *dir, uint64_t n)
{
    struct dtx_history_file f;
    struct dtx_experience e;
    struct dtx_error err = {0, ""};
    struct dtx_predictor *p, *q = dtx_predictor_create(0);
    uint64_t bytes = 0;
    void *ctx[2] = {q, &bytes};
    double begun;

    memset(&e, 0, sizeof(e));
    memset(&f, 0, sizeof(f));
    dtx_history_id(1, n, f.id);
    (void)dtx_experience_host(&e, "n1", 2);
    (void)dtx_experience_host(&e, "n2", 2);
    p = teach(n, &e);
    if (!p || !q || dtx_predictor_save(p, &e) != DTX_OK ||
        dtx_history_make(dir, &err) || dtx_history_write(dir, &f, &e, &err)) {
        (void)fprintf(stderr, "predict: %s\n", err.text);
        return 1;
    }
    begun = now_s();
    if (dtx_history_read(dir, DTX_HISTORY_MODELS, load, ctx, NULL, NULL,
                         &err)) {
        (void)fprintf(stderr, "predict: %s\n", err.text);
        return 1;
    }
    (void)printf("%.1f\t%.3f\n", (double)bytes / (double)n, now_s() - begun);
    dtx_experience_free(&e);
    dtx_predictor_destroy(p);
    dtx_predictor_destroy(q);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "speed") == 0)
        return speed(strtoull(argv[2], NULL, 10));
    if (argc == 2 && strcmp(argv[1], "laws") == 0)
        return laws();
    if (argc == 4 && strcmp(argv[1], "history") == 0)
        return history(argv[2], strtoull(argv[3], NULL, 10));
    (void)fprintf(stderr, "usage: predict speed N | laws | history DIR N\n");
    return 2;
}

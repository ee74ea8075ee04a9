/* SPDX-License-Identifier: MIT */
/* predict/predictor.h - what a task will cost, learned from those before it
 *
 *     p = dtx_predictor_create(0);
 *     dtx_features_of(command, len, host, size_of, ctx, &f);
 *     if (dtx_predictor_ask(p, &f, &said))  ... said.seconds, said.low ...
 *     dtx_predictor_learn(p, &f, seconds, false);
 *
 * It backs off: the same command seen before, the class with its features, the
 * program, everything.  Without any outcome it makes no claim.  The same calls
 * in the same order give the same answers.  Its memory is bounded: beyond the
 * limit, classes that have not been asked for longest are forgotten.
 */
#ifndef DTX_PREDICT_PREDICTOR_H
#define DTX_PREDICT_PREDICTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "predict/features.h"

struct dtx_model;
struct dtx_predictor;

/* Where a prediction comes from. */
enum dtx_basis {
    DTX_BASIS_NONE,    /* nothing is known */
    DTX_BASIS_ALL,     /* any outcome at all */
    DTX_BASIS_PROGRAM, /* of the same program */
    DTX_BASIS_CLASS,   /* of the same class */
    DTX_BASIS_EXACT    /* of the same command */
};

struct dtx_prediction {
    enum dtx_basis basis;
    double seconds;
    double low, high; /* nine times of ten it lies between */
    uint64_t n;       /* outcomes it rests on */
    double repeat;    /* what the very command took, of late, with the program
                         as it is; 0: it has not run */
};

/* "none", "all", "program", "class", "exact" */
const char *dtx_basis_name(enum dtx_basis b);

/* 'bytes' of memory at most, 0 = DTX_PREDICTOR_BYTES. NULL when out of
 * memory. */
#define DTX_PREDICTOR_BYTES ((size_t)96 << 20)
struct dtx_predictor *dtx_predictor_create(size_t bytes);
void dtx_predictor_destroy(struct dtx_predictor *p); /* NULL is allowed */

/* False, and basis NONE, when nothing is known. */
bool dtx_predictor_ask(struct dtx_predictor *p, const struct dtx_features *f,
                       struct dtx_prediction *out);
/* How far off those who would speak for this task were, lately: logarithms of
 * seconds over prediction, by size. How many, DTX_PREDICTOR_ERRORS at most; 0:
 * nothing is known. */
#define DTX_PREDICTOR_ERRORS 128u
uint32_t dtx_predictor_errors(struct dtx_predictor *p,
                              const struct dtx_features *f, float *errors);
/* It took 'seconds'; 'cut': it was ended then, and would have taken at least
 * that long. 0 or DTX_ENOMEM. */
int dtx_predictor_learn(struct dtx_predictor *p, const struct dtx_features *f,
                        double seconds, bool cut);
/* Task 'id' has run for 'seconds' and runs on. As long as that is more than was
 * expected of it, its class is thought to take longer; say it anew as it runs
 * on. What it takes in the end is still to be learned. 0 or DTX_ENOMEM. */
int dtx_predictor_running(struct dtx_predictor *p, uint64_t id,
                          const struct dtx_features *f, double seconds);
/* It has ended, or runs no more; one that was never late does not matter. */
void dtx_predictor_stopped(struct dtx_predictor *p, uint64_t id);
/* Both at once, in half the time: what would have been said, then learn. */
int dtx_predictor_replay(struct dtx_predictor *p, const struct dtx_features *f,
                         double seconds, bool cut,
                         struct dtx_prediction *said);

/* From now on 'twin' learns what 'p' learns, with p's own judgement of its
 * experts, at a fraction of the cost: so a job's own experience is kept apart
 * from the history it began with. Borrowed; NULL ends it. */
void dtx_predictor_twin(struct dtx_predictor *p, struct dtx_predictor *twin);

/* Add what another has learned. 0 or DTX_ENOMEM. */
int dtx_predictor_merge(struct dtx_predictor *into,
                        const struct dtx_predictor *from);

struct dtx_predictor_stats {
    uint64_t outcomes, classes, commands;
    uint64_t forgotten; /* classes and commands */
    size_t bytes;
};
void dtx_predictor_stats(const struct dtx_predictor *p,
                         struct dtx_predictor_stats *s);

#endif

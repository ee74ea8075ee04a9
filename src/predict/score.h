/* SPDX-License-Identifier: MIT */
/* predict/score.h - how good were the predictions?
 *
 * Counts what was predicted before each outcome was known against what came, in
 * total and for each class, beside two baselines: the running median of the
 * program, and of the class (each falls back on the wider one, and last on the
 * median of everything, while it has nothing).  What nobody could predict, the
 * first outcome of all, is not counted.
 */
#ifndef DTX_PREDICT_SCORE_H
#define DTX_PREDICT_SCORE_H

#include <stddef.h>
#include <stdint.h>

struct dtx_features;
struct dtx_prediction;
struct dtx_score;

struct dtx_score *dtx_score_create(void); /* NULL when out of memory */
void dtx_score_destroy(struct dtx_score *s); /* NULL is allowed */
/* An outcome from before the log: the baselines learn it, too. 0 or
 * DTX_ENOMEM. */
int dtx_score_before(struct dtx_score *s, uint64_t class_key,
                     uint64_t program_key, double seconds);
/* An outcome of the log, and what was said of it. */
int dtx_score_add(struct dtx_score *s, const struct dtx_features *f,
                  const struct dtx_prediction *said, double seconds);

struct dtx_score_row {
    const char *name; /* the class; borrowed */
    uint64_t n;
    double seconds;   /* all together */
    double wape;      /* sum of absolute errors over sum of seconds */
    double mdape;     /* median of absolute errors as shares */
    double coverage;  /* share that lay in its interval */
    double program_wape, class_wape; /* the baselines' */
};
void dtx_score_total(const struct dtx_score *s, struct dtx_score_row *out);
/* Class number 'i' of dtx_score_classes, in order of appearance. */
size_t dtx_score_classes(const struct dtx_score *s);
void dtx_score_class(const struct dtx_score *s, size_t i,
                     struct dtx_score_row *out);

#endif

/* SPDX-License-Identifier: MIT */
/* predict/fair.h - how good the experts are when order does not help
 *
 * Errors of what was said before each outcome was known are honest, but only of
 * tasks that come as those before came.  In a list sorted by cost each outcome
 * is like the last one: a moving average looks as good as the law itself, and
 * trees, always asked beyond what they know, look bad.  So after each training
 * the experts are also asked for outcomes of the window, drawn evenly from all
 * of it, each left out where it can be (leave-one-out cross-validation: Stone,
 * J. Royal Stat. Soc. B 36, 1974).  A task that lies farther from the last ones
 * than they lay from those before them is predicted by these errors.  Private
 * to predict/.
 */
#ifndef DTX_PREDICT_FAIR_H
#define DTX_PREDICT_FAIR_H

#include <stdbool.h>

#include "predict/mix.h"
#include "predict/sample.h"

struct dtx_model;

/* Zero-initialise. */
struct dtx_fair {
    bool known;
    float error[DTX_MIX_MAX]; /* of each expert, of logarithms; NAN: none */
    float low[DTX_FEATURE_NUMBERS], high[DTX_FEATURE_NUMBERS]; /* of what */
    float stride;             /* from the last outcomes to the next, lately */
};

/* A model has just been trained. */
void dtx_fair_judge(struct dtx_model *m);
/* How far the trees are off on average of what they were just trained on, each
 * left out; 'now': asked as if it came next, in place of when it came. */
double dtx_fair_trees(const struct dtx_model *m, bool now);
/* From 0, it comes as those before came, to 1: it comes from elsewhere. */
double dtx_fair_stray(const struct dtx_model *m, const struct dtx_sample *s);

#endif

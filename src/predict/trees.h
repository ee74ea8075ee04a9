/* SPDX-License-Identifier: MIT */
/* predict/trees.h - a small forest of extremely randomised trees
 *
 * P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine
 * Learning 63 (2006).  A node tries a few features, each with one random cut,
 * and takes the cut that explains most variance; so it learns by itself which
 * arguments matter, numbers and words alike, and a cliff costs it nothing.
 * Host, age and the mark of the program are features, too.  Between two
 * trainings leaves follow what falls into them.
 */
#ifndef DTX_PREDICT_TREES_H
#define DTX_PREDICT_TREES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_rng;
struct dtx_sample;
struct dtx_trees;

#define DTX_TREES 12u
#define DTX_TREES_MAX_SAMPLES 512u

/* What may be cut on beside numbers and words. */
struct dtx_trees_use {
    bool host;
    bool age;
};

/* Train on 'n' (at most DTX_TREES_MAX_SAMPLES) samples, of which trees learn
 * 'y[i]'. '*t' is made when NULL; false when out of memory. */
bool dtx_trees_train(struct dtx_trees **t, const struct dtx_sample *s,
                     const float *y, uint32_t n, struct dtx_trees_use use,
                     struct dtx_rng *rng);
/* 'leaf' tells dtx_trees_update where the sample fell. */
double dtx_trees_value(const struct dtx_trees *t, const struct dtx_sample *s,
                       uint16_t leaf[DTX_TREES]);
/* What the trees would say now of a sample they were just trained on, 'y' being
 * what they learned of it, had they not: its own leaves without it; NAN when it
 * is alone in all of them. 'now' is the sample as it would be asked for. */
double dtx_trees_without(const struct dtx_trees *t, const struct dtx_sample *s,
                         double y, const struct dtx_sample *now);
/* What came of it: the leaves move. No training may lie between. */
void dtx_trees_update(struct dtx_trees *t, const uint16_t leaf[DTX_TREES],
                      double y);
void dtx_trees_destroy(struct dtx_trees *t); /* NULL is allowed */
size_t dtx_trees_bytes(void); /* of one forest */

#endif

/* SPDX-License-Identifier: MIT */
/* sim/outlook.h - what the tasks of a job may take, as far as a history knows
 *
 *     struct dtx_outlook o = {0};
 *     for each task: dtx_predictor_ask(p, &f, &said);
 *                    dtx_outlook_add(&o, p, &f, &said);
 *     dtx_outlook_seal(&o);
 *     c.task = o.task;  c.group = o.group;  c.ngroups = o.ngroups;
 *
 * Makes of predictions what sim/plan.h draws jobs from.  Three things matter
 * there that a prediction of one task does not tell:
 *
 * - The shape.  Errors are drawn from those that the predictor made lately with
 *   tasks of the class, as a bootstrap does (Efron, "Bootstrap methods: another
 *   look at the jackknife", Ann. Stat. 7(1), 1979): of a few tasks that take
 *   three times as long nothing follows for all the others.
 *
 * - The sum.  Predictions are made of logarithms and lie near the median;
 *   tasks take on average as many times as long as the mean of the
 *   exponentials of the errors says (Duan, "Smearing estimate", JASA 78(383),
 *   1983).  That holds where a prediction knows no more than its class.  Where
 *   the very command has run, its noise is in the prediction: of one that was
 *   slow by chance it says too much, and both errors together are as often up
 *   as down: after one run each, the sum of what all took is what all will
 *   take.  After several, the mean of their logarithms is nearer to the
 *   median, and most of that factor is due again.
 *
 * - What errors have in common.  The level of a class is known from n outcomes,
 *   and its error does not cancel in the sum; nor does the doubt about commands
 *   that have not run, far from what has, whose intervals are wider than the
 *   narrowest of their class.
 */
#ifndef DTX_SIM_OUTLOOK_H
#define DTX_SIM_OUTLOOK_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "sim/plan.h"

struct dtx_features;
struct dtx_outlook_class;
struct dtx_outlook_table;
struct dtx_prediction;
struct dtx_predictor;

/* Zero-initialise. */
struct dtx_outlook {
    /* after _seal */
    struct dtx_plan_task *task;   /* in the order they were added */
    struct dtx_plan_group *group; /* classes */
    size_t ntasks, ngroups;
    /* private */
    size_t cap_tasks, cap_saids, cap_classes, cap_tables, cap_errors;
    struct dtx_prediction *said; /* per task */
    struct dtx_outlook_class *class;
    struct dtx_outlook_table *table; /* of errors: one may be of many classes */
    float *error;
    size_t ntables, nerrors;
    struct dtx_keymap classes, tables, commands;
};

/* The next task: what 'p' said of it. 0 or DTX_ENOMEM. */
int dtx_outlook_add(struct dtx_outlook *o, struct dtx_predictor *p,
                    const struct dtx_features *f,
                    const struct dtx_prediction *said);
/* After the last one. 0 or DTX_ENOMEM. */
int dtx_outlook_seal(struct dtx_outlook *o);
void dtx_outlook_free(struct dtx_outlook *o);

#endif

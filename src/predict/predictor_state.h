/* SPDX-License-Identifier: MIT */
/* predict/predictor_state.h - what a predictor holds; for predict/ and for
 * those who store it */
#ifndef DTX_PREDICT_PREDICTOR_STATE_H
#define DTX_PREDICT_PREDICTOR_STATE_H

#include "predict/classes.h"
#include "predict/commands.h"
#include "predict/model.h"
#include "predict/predictor.h"

struct dtx_predictor {
    struct dtx_classes classes; /* programs and classes */
    struct dtx_commands commands;
    struct dtx_model all;
    struct dtx_late_tasks late;
    size_t limit;               /* bytes of classes */
    uint64_t outcomes;
    struct dtx_predictor *twin; /* or NULL */
};

/* Add a model of the class with this key (or of a program, or of everything: by
 * its grain) to what is known of it. 0 or DTX_ENOMEM. */
int dtx_predictor_take(struct dtx_predictor *p, uint64_t key,
                       uint64_t program_key, const char *name,
                       const struct dtx_model *m);

#endif

/* SPDX-License-Identifier: MIT */
/* predict/classes.h - the classes a predictor remembers, bounded
 *
 * A map from keys to models in the order of their last use; those not used for
 * longest go first.  Private to predict/, and to those who store it.
 */
#ifndef DTX_PREDICT_CLASSES_H
#define DTX_PREDICT_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "predict/features.h"
#include "predict/late.h"
#include "predict/model.h"

struct dtx_class {
    uint64_t key, program_key;
    char *text;                 /* the template, or the program's name */
    struct dtx_model model;     /* its grain says which */
    struct dtx_late late;       /* tasks of it that run too long by now */
    struct dtx_class *chain;    /* of the same bucket */
    struct dtx_class *newer, *older;
    size_t bytes;               /* as last counted */
};

/* Zero-initialise. */
struct dtx_classes {
    struct dtx_class **bucket;
    size_t nbuckets, count;
    struct dtx_class *newest, *oldest;
    size_t bytes;
    uint64_t forgotten;
};

void dtx_classes_free(struct dtx_classes *c);
/* The class of this key, now the newest, or NULL. */
struct dtx_class *dtx_classes_find(struct dtx_classes *c, uint64_t key);
/* The same, made when it is not there; NULL when out of memory. */
struct dtx_class *dtx_classes_make(struct dtx_classes *c, uint64_t key,
                                   uint64_t program_key, const char *text,
                                   size_t text_len, enum dtx_grain grain);
/* It may have grown: count its bytes, and forget the oldest others until all
 * take at most 'limit'. */
void dtx_classes_settle(struct dtx_classes *c, struct dtx_class *k,
                        size_t limit);

#endif

/* SPDX-License-Identifier: MIT */
/* predict/review.h - what a predictor knows, for people */
#ifndef DTX_PREDICT_REVIEW_H
#define DTX_PREDICT_REVIEW_H

#include <stddef.h>
#include <stdint.h>

struct dtx_predictor;

#define DTX_REVIEW_EXPERTS 16

struct dtx_class_review {
    uint64_t key;
    const char *name; /* the template */
    uint64_t n;
    double median;    /* seconds */
    double low, high; /* nine of ten lay between */
    struct {
        const char *name;
        double error; /* recent, as a share of the class's mean seconds */
    } expert[DTX_REVIEW_EXPERTS];
    size_t nexperts;  /* those that have spoken */
};

typedef void (*dtx_review_f)(void *ctx, const struct dtx_class_review *r);

/* Each class, that used last first. All is borrowed for the call. */
void dtx_predictor_review(const struct dtx_predictor *p, dtx_review_f fn,
                          void *ctx);

#endif

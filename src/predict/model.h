/* SPDX-License-Identifier: MIT */
/* predict/model.h - what one class of tasks has taught
 *
 * A window of recent outcomes, the sums that all of them leave behind, and the
 * experts that live on these.  What can be saved (window, sums, sketch, errors
 * of the experts) adds up when two are merged; the rest follows from it.
 * Private to predict/, and to those who store it.
 */
#ifndef DTX_PREDICT_MODEL_H
#define DTX_PREDICT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "predict/curve.h"
#include "predict/fair.h"
#include "predict/interval.h"
#include "predict/linear.h"
#include "predict/mark.h"
#include "predict/mix.h"
#include "predict/nearest.h"
#include "predict/sample.h"
#include "predict/sketch.h"
#include "predict/trees.h"

#define DTX_WINDOW 256u /* outcomes a class remembers one by one */
#define DTX_HOSTS 16u   /* hosts whose speed a class knows */

/* X(name, the error it is credited with as a multiple of MEDIAN's, what it
 * says) */
#define DTX_EXPERT_MAP(X)                                                      \
    X(REPEAT, 0.8, "what the same command took")                              \
    X(MEDIAN, 1.0, "the median of the class")                                  \
    X(RECENT, 1.05, "the median of the last five")                             \
    X(LAST, 1.05, "a moving average")                                          \
    X(LINEAR, 1.15, "log-linear regression")                                   \
    X(CURVE, 1.15, "a power of one argument and a constant")                   \
    X(NEAREST, 1.05, "the most similar commands")                              \
    X(TREES, 1.05, "randomised trees")                                         \
    X(DRIFT, 1.1, "the trees, moved by their recent errors")                  \
    X(HOST, 1.05, "the same, by their errors on that host")                    \
    X(WIDER, 1.5, "the next wider class")

enum dtx_expert {
#define DTX_EXPERT_ENUM(name, prior, help) DTX_EXPERT_##name,
    DTX_EXPERT_MAP(DTX_EXPERT_ENUM)
#undef DTX_EXPERT_ENUM
    DTX_EXPERTS
};

/* Which experts there are: all; those that need no features of their own; the
 * median alone. */
enum dtx_grain { DTX_GRAIN_CLASS, DTX_GRAIN_PROGRAM, DTX_GRAIN_ALL };

struct dtx_host_speed {
    uint32_t host;
    float drift, count;
};

struct dtx_model {
    uint64_t n;       /* outcomes learned */
    uint32_t len, cap; /* of the window: the oldest first; what is not recent
                          is a fair sample of all before */
    struct dtx_sample *window;
    uint32_t trained; /* outcomes since the last training */
    uint32_t trainings;
    bool ageless;     /* what the trees do not know: their age */
    enum dtx_grain grain;
    double credit;    /* seconds that training may take */
    float mean;       /* moving average of y */
    float drift;      /* of what the trees say */
    struct dtx_host_speed host[DTX_HOSTS];
    struct dtx_linear linear;
    struct dtx_curve curve;
    struct dtx_metric metric;
    struct dtx_trees *trees;
    struct dtx_sketch sketch;
    struct dtx_mix mix;
    struct dtx_interval interval;
    struct dtx_fair fair;
    struct dtx_marks marks;
};

/* What the experts say of one task. */
struct dtx_says {
    double say[DTX_EXPERTS]; /* logarithms; NAN: nothing */
    double beyond;           /* how far outside of what was seen */
    double stray;            /* how unlike the last ones; see fair.h */
    double moved;            /* what was added to REPEAT: it is of another
                                program; NAN: it is not */
    double width;            /* times the interval */
    bool untried;            /* what the same command took, for the first
                                times */
    bool unjudged;           /* outside of what fair errors were taken of */
    double error;            /* expected of 'value', where it strays */
    uint16_t leaf[DTX_TREES];
    bool foreign;            /* another model of the same class said it */
    double value;            /* of the mix; NAN: nothing */
};

void dtx_model_init(struct dtx_model *m, enum dtx_grain grain);
void dtx_model_fini(struct dtx_model *m);
/* 'wider' and 'repeat' are what the wider class and the same command before
 * say, or NAN; 'old': when the program was another one. Trains first what is
 * due. */
void dtx_model_ask(struct dtx_model *m, const struct dtx_sample *s,
                   double repeat, bool old, double wider,
                   struct dtx_says *out);
/* 'says' is what _ask said of this very sample before its y was known. False
 * when out of memory: nothing was learned. */
bool dtx_model_learn(struct dtx_model *m, const struct dtx_sample *s,
                     const struct dtx_says *says);
/* False when out of memory ('into' is unchanged). */
bool dtx_model_merge(struct dtx_model *into, const struct dtx_model *from);
size_t dtx_model_bytes(const struct dtx_model *m);

/* For fair.c: the median of the last five, and what is known of a host. */
double dtx_model_recent(const struct dtx_model *m);
const struct dtx_host_speed *dtx_model_host(const struct dtx_model *m,
                                            uint32_t host);

#endif

/* SPDX-License-Identifier: MIT */
/* What a predictor knows, class by class; see review.h. */
#include "predict/review.h"

#include <math.h>
#include <string.h>

#include "predict/predictor_state.h"

static const char *const names[DTX_EXPERTS] = {
#define EXPERT_NAME(name, prior, help) #name,
    DTX_EXPERT_MAP(EXPERT_NAME)
#undef EXPERT_NAME
};

static void review(const struct dtx_class *k, struct dtx_class_review *r)
{
    const struct dtx_model *m = &k->model;
    uint32_t i;

    memset(r, 0, sizeof(*r));
    r->key = k->key;
    r->name = k->text;
    r->n = m->n;
    r->median = exp(dtx_sketch_quantile(&m->sketch, 0.5));
    r->low = exp(dtx_sketch_quantile(&m->sketch, 0.05));
    r->high = exp(dtx_sketch_quantile(&m->sketch, 0.95));
    for (i = 0; i < DTX_EXPERTS; i++) {
        double e = dtx_mix_error(&m->mix, i);

        if (!isfinite(e))
            continue;
        r->expert[r->nexperts].name = names[i];
        r->expert[r->nexperts++].error = e;
    }
}

void dtx_predictor_review(const struct dtx_predictor *p, dtx_review_f fn,
                          void *ctx)
{
    const struct dtx_class *k;

    for (k = p->classes.newest; k; k = k->older) {
        struct dtx_class_review r;

        if (k->model.grain != DTX_GRAIN_CLASS)
            continue;
        review(k, &r);
        fn(ctx, &r);
    }
}

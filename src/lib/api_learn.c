/* SPDX-License-Identifier: MIT */
/* What may be said of a loop before it runs, and what was learned before. */
#include <math.h>
#include <string.h>

#include "lib/api.h"

int dtx_work_features(struct dtx_work *w, const double *x, size_t n)
{
    size_t i;

    if (!w || (n > 0 && !x))
        return dtx_api_fail(DTX_EINVAL, "dtx_work_features: no work, or no "
                                        "numbers");
    if (n > DTX_FEATURES)
        return dtx_api_fail(DTX_ELIMIT, "dtx_work_features: at most %d",
                            DTX_FEATURES);
    for (i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return dtx_api_fail(DTX_EINVAL,
                                "dtx_work_features: number %zu is not finite",
                                i);
    }
    if (n > 0)
        memcpy(w->x, x, n * sizeof(*x));
    w->nx = (uint32_t)n;
    return DTX_OK;
}

int dtx_work_cost(struct dtx_work *w, dtx_cost_f cost, void *ctx)
{
    if (!w)
        return dtx_api_fail(DTX_EINVAL, "dtx_work_cost: no work");
    w->cost = cost;
    w->cost_ctx = ctx;
    return DTX_OK;
}

int dtx_learned_stats(struct dtx_learned_stats *out)
{
    const struct dtx_session *s = dtx_api_session;

    if (!s)
        return dtx_api_outside("dtx_learned_stats");
    if (!out)
        return dtx_api_fail(DTX_EINVAL, "dtx_learned_stats: NULL");
    out->loops = s->learned.loops;
    out->outcomes = s->learned.outcomes;
    out->left_out = s->learned.left_out;
    out->code = s->learned.code;
    return DTX_OK;
}

/* SPDX-License-Identifier: MIT */
/* Kernel calls, asked and learned; see calls.h.  It decides in which unit the
 * predictor sees them, and what of them is kept, never what is predicted. */
#include "predict/calls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "predict/predictor.h"

#define BYTES ((size_t)8 << 20) /* of the predictor */
/* The predictor knows 1e-4 to 1e9 of its unit, which is this part of a second,
 * so that 100 ns can be told; and of ratios it sees the first one as this. */
#define UNITS 1e3
#define LEAST_SECONDS 1e-9
#define PAST 1024u /* ratios of kernels that were forgotten; a power of two */

struct took {
    uint64_t bytes;
    double hint, seconds, x[DTX_CALL_FEATURES];
    uint32_t nx;
};

struct kernel {
    char *name;
    uint64_t n;     /* outcomes */
    double sum;     /* their seconds */
    double ratio;   /* seconds to hint, of the first outcome with one, also of
                       before it was forgotten; or 0 */
    uint64_t used;  /* when it was last learned of */
    struct took *took; /* the last of them, a ring */
};

/* The predictor may remember a kernel for longer than it is in the table: what
 * it knows of it is told by the ratio it was learned by. */
struct past {
    uint64_t key; /* of the name; 0: nobody */
    double ratio;
};

struct dtx_calls {
    struct dtx_predictor *p;
    struct past past[PAST];
    struct kernel kernel[DTX_CALLS_KERNELS];
    uint32_t n;
    uint64_t turns;
};

struct dtx_calls *dtx_calls_create(void)
{
    struct dtx_calls *c = calloc(1, sizeof(*c));

    if (c)
        c->p = dtx_predictor_create(BYTES);
    if (c && !c->p) {
        free(c);
        return NULL;
    }
    return c;
}

static void free_kernel(struct kernel *k)
{
    free(k->name);
    free(k->took);
    memset(k, 0, sizeof(*k));
}

void dtx_calls_destroy(struct dtx_calls *c)
{
    uint32_t i;

    if (!c)
        return;
    for (i = 0; i < c->n; i++)
        free_kernel(&c->kernel[i]);
    dtx_predictor_destroy(c->p);
    free(c);
}

static const struct kernel *find(const struct dtx_calls *c, const char *name)
{
    uint32_t i;

    for (i = 0; i < c->n; i++) {
        if (strcmp(c->kernel[i].name, name) == 0)
            return &c->kernel[i];
    }
    return NULL;
}

static struct past *past_of(struct dtx_calls *c, const char *name,
                            uint64_t *key)
{
    *key = dtx_hash128(name, strlen(name), 0).lo | 1;
    return &c->past[(*key >> 1) & (PAST - 1)];
}

static void put_by(struct dtx_calls *c, const struct kernel *k)
{
    uint64_t key;
    struct past *p = past_of(c, k->name, &key);

    if (k->ratio > 0)
        *p = (struct past){key, k->ratio};
}

static double recall(struct dtx_calls *c, const char *name)
{
    uint64_t key;
    const struct past *p = past_of(c, name, &key);

    return p->key == key ? p->ratio : 0;
}

/* Of the kernel, which may take the place of the one not heard of longest. */
static struct kernel *make(struct dtx_calls *c, const char *name)
{
    uint32_t i, at = 0;
    struct kernel k = {.name = strdup(name),
                       .took = calloc(DTX_CALLS_WINDOW, sizeof(*k.took))};

    if (!k.name || !k.took) {
        free_kernel(&k);
        return NULL;
    }
    if (c->n < DTX_CALLS_KERNELS) {
        at = c->n++;
    } else {
        for (i = 1; i < c->n; i++)
            at = c->kernel[i].used < c->kernel[at].used ? i : at;
        put_by(c, &c->kernel[at]);
        free_kernel(&c->kernel[at]);
    }
    k.ratio = recall(c, name);
    c->kernel[at] = k;
    return &c->kernel[at];
}

bool dtx_calls_ask(struct dtx_calls *c, const struct dtx_kernel_call *call,
                   double *seconds)
{
    const struct kernel *k = find(c, call->kernel);
    struct dtx_prediction said;
    struct dtx_features f;

    *seconds = call->hint;
    if (!k || (call->hint > 0 && k->ratio <= 0))
        return call->hint > 0;
    dtx_features_of_call(call, &f);
    if (!dtx_predictor_ask(c->p, &f, &said) ||
        said.basis < DTX_BASIS_PROGRAM) {
        /* only of others with a hint, or without; or it was forgotten */
        *seconds = call->hint > 0 ? call->hint * k->ratio : 0;
        return call->hint > 0;
    }
    *seconds = said.seconds / UNITS;
    if (call->hint > 0)
        *seconds *= call->hint * k->ratio;
    return true;
}

static void keep(struct kernel *k, const struct dtx_kernel_call *call,
                 double seconds)
{
    struct took *t = &k->took[k->n % DTX_CALLS_WINDOW];
    uint32_t nx = call->nx < DTX_CALL_FEATURES ? call->nx : DTX_CALL_FEATURES;

    t->bytes = call->bytes;
    t->hint = call->hint;
    t->seconds = seconds;
    t->nx = nx;
    if (nx > 0)
        memcpy(t->x, call->x, nx * sizeof(*t->x));
    k->n++;
    k->sum += seconds;
}

int dtx_calls_learn(struct dtx_calls *c, const struct dtx_kernel_call *call,
                    double seconds)
{
    struct kernel *k = NULL;
    const struct kernel *known = find(c, call->kernel);
    struct dtx_features f;
    double units;

    k = known ? &c->kernel[known - c->kernel] : make(c, call->kernel);
    if (!k)
        return DTX_ENOMEM;
    seconds = fmax(seconds, LEAST_SECONDS);
    if (call->hint > 0 && k->ratio <= 0)
        k->ratio = seconds / call->hint;
    k->used = ++c->turns;
    keep(k, call, seconds);
    dtx_features_of_call(call, &f);
    units = seconds * UNITS;
    if (call->hint > 0)
        units /= call->hint * k->ratio;
    return dtx_predictor_learn(c->p, &f, units, false);
}

uint64_t dtx_calls_known(const struct dtx_calls *c, const char *kernel,
                         double *mean)
{
    const struct kernel *k = find(c, kernel);

    *mean = k ? k->sum / (double)k->n : 0;
    return k ? k->n : 0;
}

uint64_t dtx_calls_outcomes(const struct dtx_calls *c)
{
    return c->turns;
}

double dtx_calls_ratio(const struct dtx_calls *c, const char *kernel)
{
    const struct kernel *k = find(c, kernel);

    return k && k->ratio > 0 ? k->ratio : 1;
}

int dtx_calls_each(const struct dtx_calls *c, dtx_calls_f fn, void *ctx)
{
    uint32_t i;
    uint64_t j;
    int rc = 0;

    for (i = 0; i < c->n; i++) {
        const struct kernel *k = &c->kernel[i];

        j = k->n > DTX_CALLS_WINDOW ? k->n - DTX_CALLS_WINDOW : 0;
        for (; j < k->n && rc == 0; j++) {
            const struct took *t = &k->took[j % DTX_CALLS_WINDOW];
            struct dtx_kernel_call call = {k->name, t->bytes, t->hint, t->x,
                                           t->nx};

            rc = fn(ctx, &call, t->seconds);
        }
    }
    return rc;
}

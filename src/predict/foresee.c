/* SPDX-License-Identifier: MIT */
/* The tasks that are submitted, and what they will cost; see foresee.h.  It
 * decides when to ask and to learn, never who runs what. */
#include "predict/foresee.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

#define ASK_NS 3e3       /* of a prediction */
#define LEARN_NS 8e3     /* of an outcome learned */
#define SHARE 0.01       /* of the time of all slots, for either */
#define FREE_NS 5e6      /* that may be spent whatever the tasks take */
#define LIGHT_S 20e-6    /* the order of shorter tasks does not matter */
#define ALWAYS 32u       /* outcomes of a kernel that are always learned */
#define LEAST_NEWS 4u    /* outcomes before a pass */

struct fact {
    const char *kernel;
    uint64_t bytes;
    double hint;
    size_t x;     /* its features begin there */
    uint32_t nx;
    float cost;
    bool ended;
};

struct dtx_foresight {
    struct dtx_calls *calls;
    struct fact *fact;
    size_t n, cap;
    double *x;
    size_t nx, x_cap;
    uint64_t base;          /* numbers up to this are of earlier runs */
    uint64_t open;
    uint64_t outcomes, seen; /* measured so far, and at the last pass */
    double took_ns;         /* of those */
    double asked_ns, learned_ns; /* spent, as a rule */
    size_t at;              /* a pass is here; n or beyond: there is none */
    bool passing;
};

struct dtx_foresight *dtx_foresee_create(struct dtx_calls *calls)
{
    struct dtx_foresight *f = calloc(1, sizeof(*f));

    if (f)
        f->calls = calls;
    return f;
}

void dtx_foresee_destroy(struct dtx_foresight *f)
{
    if (!f)
        return;
    free(f->fact);
    free(f->x);
    free(f);
}

static struct fact *find(const struct dtx_foresight *f, uint64_t id)
{
    return id > f->base && id - f->base <= f->n ? &f->fact[id - f->base - 1]
                                                : NULL;
}

static struct dtx_kernel_call call_of(const struct dtx_foresight *f,
                                      const struct fact *t)
{
    return (struct dtx_kernel_call){t->kernel, t->bytes, t->hint,
                                    t->nx ? f->x + t->x : NULL, t->nx};
}

/* What may have been spent by now: a share of what is done, and of what is
 * expected to come of tasks like the last one submitted. */
static double allowance(const struct dtx_foresight *f, uint32_t slots)
{
    double mean = 0, left = 0;

    if (f->n > 0 &&
        dtx_calls_known(f->calls, f->fact[f->n - 1].kernel, &mean) > 0)
        left = mean * 1e9 * (double)f->open;
    return FREE_NS + SHARE * (f->took_ns + left) / slots;
}

static bool add_fact(struct dtx_foresight *f, const struct dtx_kernel_call *c)
{
    struct fact *p = dtx_grow(f->fact, &f->cap, f->n + 1, sizeof(*p));
    uint32_t nx = c->nx < DTX_CALL_FEATURES ? c->nx : DTX_CALL_FEATURES;
    double *x = f->x;

    if (!p)
        return false;
    f->fact = p;
    if (nx > 0)
        x = dtx_grow(f->x, &f->x_cap, f->nx + nx, sizeof(*x));
    if (nx > 0 && !x)
        return false;
    f->x = x;
    if (nx > 0)
        memcpy(x + f->nx, c->x, nx * sizeof(*x));
    p[f->n++] = (struct fact){c->kernel, c->bytes, c->hint, f->nx, nx, 0,
                              false};
    f->nx += nx;
    f->open++;
    return true;
}

/* Is the order of such tasks of interest? */
static bool matters(const struct dtx_foresight *f, const struct fact *t)
{
    double mean;

    return t->hint > 0 ||
           (dtx_calls_known(f->calls, t->kernel, &mean) > 0 &&
            mean >= LIGHT_S);
}

static void ask(struct dtx_foresight *f, struct fact *t)
{
    struct dtx_kernel_call c = call_of(f, t);
    double s = 0;

    if (!matters(f, t))
        return;
    f->asked_ns += ASK_NS;
    if (dtx_calls_ask(f->calls, &c, &s))
        t->cost = (float)s;
}

double dtx_foresee_submit(struct dtx_foresight *f,
                          const struct dtx_kernel_call *call, uint32_t slots)
{
    struct fact *t;
    double mean;

    if (!add_fact(f, call))
        return -1;
    t = &f->fact[f->n - 1];
    if (!matters(f, t))
        return 0;
    if (f->asked_ns + ASK_NS <= allowance(f, slots)) {
        ask(f, t);
    } else { /* as well as can be told in no time */
        (void)dtx_calls_known(f->calls, t->kernel, &mean);
        t->cost = (float)(t->hint > 0 ? t->hint * dtx_calls_ratio(f->calls,
                                                                  t->kernel)
                                      : mean);
    }
    return (double)t->cost;
}

void dtx_foresee_ended(struct dtx_foresight *f, uint64_t id, uint64_t ns)
{
    struct fact *t = find(f, id);
    struct dtx_kernel_call c;
    double mean;

    if (!t || t->ended)
        return;
    t->ended = true;
    f->open--;
    if (ns == 0)
        return;
    f->outcomes++;
    f->took_ns += (double)ns;
    if (dtx_calls_known(f->calls, t->kernel, &mean) >= ALWAYS &&
        f->learned_ns + LEARN_NS > SHARE * f->took_ns)
        return;
    f->learned_ns += LEARN_NS;
    c = call_of(f, t);
    (void)dtx_calls_learn(f->calls, &c, (double)ns * 1e-9);
}

/* Has enough come in, and does it pay to look at all that wait? */
static bool is_due(const struct dtx_foresight *f, uint32_t slots)
{
    return f->open >= 2 &&
           f->outcomes >= f->seen + f->seen / 4 + LEAST_NEWS &&
           f->asked_ns + ASK_NS * (double)f->open <= allowance(f, slots);
}

bool dtx_foresee_turn(struct dtx_foresight *f, uint32_t slots, uint32_t most,
                      bool *busy)
{
    if (!f->passing && is_due(f, slots)) {
        f->passing = true;
        f->at = 0;
        f->seen = f->outcomes;
    }
    *busy = f->passing;
    if (!f->passing)
        return false;
    for (; f->at < f->n && most > 0; f->at++) {
        struct fact *t = &f->fact[f->at];

        if (t->ended)
            continue;
        ask(f, t);
        most--;
    }
    if (f->at < f->n)
        return false;
    f->passing = *busy = false;
    return true;
}

double dtx_foresee_cost(const struct dtx_foresight *f, uint64_t id)
{
    const struct fact *t = find(f, id);

    return t ? (double)t->cost : 0;
}

void dtx_foresee_withdraw(struct dtx_foresight *f)
{
    f->nx -= f->fact[--f->n].nx;
    f->open--;
}

void dtx_foresee_forget(struct dtx_foresight *f)
{
    f->base += f->n;
    f->n = f->nx = 0;
    f->open = 0;
    f->passing = false;
}

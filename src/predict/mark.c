/* SPDX-License-Identifier: MIT */
/* When a program has changed; see mark.h. */
#include "predict/mark.h"

#include <math.h>

#include "predict/model.h"

#define SUMS 6.0     /* outcomes that all before count for, in sums, ... */
#define MEDIANS 8.0  /* ... in the distribution, ... */
#define ERRORS 4.0   /* ... and in the judgement of the experts */
#define STABLE 16u   /* outcomes of a program, or it comes and goes */
#define WIDER 2.0    /* times as wide, at first */
#define SHIFTS 8.0f

static void fade(struct dtx_model *m)
{
    struct dtx_mix *x = &m->mix;
    uint32_t i;

    dtx_linear_fade(&m->linear, SUMS);
    dtx_sketch_fade(&m->sketch, MEDIANS);
    dtx_interval_fade(&m->interval);
    for (i = 0; i < DTX_MIX_MAX; i++) {
        float keep = x->count[i] > (float)ERRORS ? (float)ERRORS / x->count[i]
                                                 : 1;

        x->loss[i] *= keep;
        x->count[i] *= keep;
    }
    m->marks.shift = m->marks.shifts = 0;
    m->marks.fresh = 0;
    m->trained = UINT32_MAX / 2; /* as soon as it is worth it */
}

void dtx_mark_note(struct dtx_model *m, uint32_t mark)
{
    struct dtx_marks *k = &m->marks;

    if (mark != 0 && mark != k->mark) {
        if (k->mark != 0 && mark != k->former &&
            (k->former == 0 || k->fresh >= STABLE))
            fade(m);
        k->former = k->mark;
        k->mark = mark;
    }
    k->fresh += k->former != 0 && k->fresh < UINT32_MAX;
}

void dtx_mark_merge(struct dtx_model *into, const struct dtx_model *from)
{
    const struct dtx_marks *f = &from->marks;
    struct dtx_marks *k = &into->marks;
    uint32_t n = from->n < UINT32_MAX / 2 ? (uint32_t)from->n : UINT32_MAX / 2;

    if (f->mark == 0)
        return;
    if (k->mark == 0 && into->n == 0) {
        *k = *f;
        return;
    }
    if (f->mark != k->mark)
        dtx_mark_note(into, f->mark);
    if (f->shifts > 0) {
        k->shift = f->shift;
        k->shifts = f->shifts;
    }
    if (k->former != 0)
        k->fresh = k->fresh > UINT32_MAX / 2 ? k->fresh : k->fresh + n;
}

double dtx_mark_width(const struct dtx_marks *k, uint32_t mark)
{
    if (mark == 0 || k->mark == 0 || mark == k->former)
        return 1;
    if (mark != k->mark)
        return WIDER;
    if (k->former == 0 || k->fresh >= DTX_MARK_SETTLED)
        return 1;
    return 1 + (WIDER - 1) / (1 + k->fresh / 8.0);
}

void dtx_mark_shift(struct dtx_marks *k, double off)
{
    k->shifts = fminf(k->shifts + 1, SHIFTS);
    k->shift += ((float)fmin(fmax(off, -3), 3) - k->shift) / k->shifts;
}

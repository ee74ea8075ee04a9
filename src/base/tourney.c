/* SPDX-License-Identifier: MIT */
/* A tournament; see tourney.h.  Place i is node n + i, and node i has the nodes
 * 2 i and 2 i + 1 below it, also where n is not a power of two: then some nodes
 * have places of both ends below them, and no stretch is told by such a one. */
#include "base/tourney.h"

#include <stdlib.h>
#include <string.h>

bool dtx_tourney_init(struct dtx_tourney *t, uint32_t n,
                      dtx_heap_before_f before, const void *ctx)
{
    memset(t, 0, sizeof(*t));
    t->win = malloc(2 * (size_t)n * sizeof(*t->win));
    if (!t->win)
        return false;
    memset(t->win, 0xff, 2 * (size_t)n * sizeof(*t->win)); /* none */
    t->n = n;
    t->before = before;
    t->ctx = ctx;
    return true;
}

void dtx_tourney_fini(struct dtx_tourney *t)
{
    free(t->win);
    memset(t, 0, sizeof(*t));
}

static uint32_t winner(struct dtx_tourney *t, uint32_t a, uint32_t b)
{
    if (a == DTX_HEAP_NONE)
        return b;
    if (b == DTX_HEAP_NONE)
        return a;
    t->compares++;
    return t->before(t->ctx, a, b) ? a : b;
}

void dtx_tourney_set(struct dtx_tourney *t, uint32_t place, uint32_t item)
{
    size_t i = (size_t)t->n + place;
    uint32_t was = t->win[i];

    if (was == DTX_HEAP_NONE && item == DTX_HEAP_NONE)
        return;
    t->win[i] = item;
    for (i /= 2; i > 0; i /= 2) {
        uint32_t old = t->win[i];

        t->win[i] = winner(t, t->win[2 * i], t->win[2 * i + 1]);
        if (t->win[i] == old && old != item && old != was)
            return; /* another won before, and still does */
    }
}

uint32_t dtx_tourney_first(const struct dtx_tourney *t)
{
    return t->win[1];
}

uint32_t dtx_tourney_first_of(struct dtx_tourney *t, uint32_t lo, uint32_t hi)
{
    size_t i = (size_t)t->n + lo, j = (size_t)t->n + hi;
    uint32_t best = DTX_HEAP_NONE;

    for (; i < j; i /= 2, j /= 2) {
        if (i % 2 == 1)
            best = winner(t, best, t->win[i++]);
        if (j % 2 == 1)
            best = winner(t, best, t->win[--j]);
    }
    return best;
}

/* SPDX-License-Identifier: MIT */
/* Tasks that run late; see late.h. */
#include "predict/late.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096u   /* tasks */
#define WAYS 8u      /* places for each */
#define REMEMBERED 64u /* outcomes that those running late are set against */
#define SHOWS 0.05   /* share of a class from which the upper bound knows */

static struct dtx_late_task *set_of(struct dtx_late_tasks *t, uint64_t id)
{
    uint64_t h = (id + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return &t->task[(h >> 40) % (ROOM / WAYS) * WAYS];
}

struct dtx_late_task *dtx_late_find(struct dtx_late_tasks *t, uint64_t id)
{
    struct dtx_late_task *set, *free_one = NULL;
    uint32_t i;

    if (!t->task)
        t->task = calloc(ROOM, sizeof(*t->task));
    if (!t->task)
        return NULL;
    set = set_of(t, id);
    for (i = 0; i < WAYS; i++) {
        if (set[i].times > 0 && set[i].id == id)
            return &set[i];
        if (!(set[i].times > 0))
            free_one = &set[i];
    }
    return free_one;
}

void dtx_late_free(struct dtx_late_tasks *t)
{
    free(t->task);
    memset(t, 0, sizeof(*t));
}

void dtx_late_add(struct dtx_late *l, double before, double times)
{
    l->n += !(before > 0);
    l->times += times - before;
    l->most = fmax(l->most, times);
}

void dtx_late_remove(struct dtx_late *l, double times)
{
    if (l->n <= 1) { /* rounding adds up to nothing */
        memset(l, 0, sizeof(*l));
        return;
    }
    l->n--;
    l->times = fmax(l->times - times, 0);
}

void dtx_late_shift(const struct dtx_late *l, uint64_t n, double *value,
                    double *high)
{
    double others = n < REMEMBERED ? (double)n : (double)REMEMBERED, share;

    *value = *high = 0;
    if (l->n == 0)
        return;
    share = l->n / (l->n + others);
    *value = log(fmax(1 - share + share * (l->times / l->n), 1));
    if (share > SHOWS)
        *high = fmax(log(fmax(l->most, 1)) - *value, 0);
}

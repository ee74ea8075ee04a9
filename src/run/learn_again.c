/* SPDX-License-Identifier: MIT */
/* Predicts the tasks that wait anew, as outcomes come in; see learn.h.  A pass
 * begins when the session has a quarter more outcomes than at the one before,
 * and is walked a few milliseconds at a time, so that it stays a hundredth of
 * rank 0's time however many tasks there are.  Tasks that run for longer than
 * was thought likely are learned from as well: they take at least that long. */
#include <math.h>

#include "engine/master.h"
#include "node/clock.h"
#include "predict/features.h"
#include "predict/predictor.h"
#include "run/job.h"
#include "run/learn_state.h"
#include "base/units.h"

#define SLICE_NS (5 * DTX_MSEC_NS) /* at each tick, twice a second */
#define AT_ONCE 16u                /* tasks between two looks at the clock */
#define NEWS 0.05f                 /* a smaller change is none */

static bool differs(float a, float b)
{
    if (a < 0 || b < 0)
        return (a < 0) != (b < 0);
    if (isinf(a) || isinf(b))
        return !isinf(a) || !isinf(b);
    return fabsf(a - b) > NEWS * fmaxf(a, b);
}

/* True when there is something to tell. */
static bool ask(struct dtx_learn *l, uint32_t task)
{
    float cost = l->cost[task], low = l->low[task], high = l->high[task];
    struct dtx_prediction said;
    struct dtx_features f;

    dtx_learn_features(l, task, NULL, 0, true, &f);
    (void)dtx_predictor_ask(l->p, &f, &said);
    if (said.basis < DTX_BASIS_PROGRAM && cost >= 0)
        return false; /* what was known has been forgotten: better than none */
    dtx_learn_note(l, task, &said);
    if (differs(cost, l->cost[task]) || differs(low, l->low[task]) ||
        differs(high, l->high[task]))
        return true;
    l->cost[task] = cost; /* small changes add up: what was told counts */
    l->low[task] = low;
    l->high[task] = high;
    return false;
}

/* It has been running for longer than nineteen of twenty should: once. */
static void learn_from_running(struct dtx_learn *l, uint32_t task,
                               double elapsed)
{
    struct dtx_features f;

    if (!(l->high[task] >= 0) || elapsed <= (double)l->high[task])
        return;
    dtx_learn_features(l, task, NULL, 0, true, &f);
    if (dtx_predictor_learn(l->p, &f, elapsed, true) != 0)
        l->broken = true;
    l->high[task] = INFINITY;
}

static float need_of(const struct dtx_learn *l, uint32_t task,
                     enum dtx_late late)
{
    return late == DTX_LATE_SAFE      ? l->high[task]
           : late == DTX_LATE_HOPEFUL ? l->low[task]
                                      : l->cost[task];
}

static bool look_at(struct dtx_learn *l, const struct dtx_master *m,
                    uint32_t task)
{
    switch (dtx_master_task_state(m, task)) {
    case DTX_TASK_BLOCKED:
    case DTX_TASK_READY:
    case DTX_TASK_PAUSED:
        return ask(l, task);
    case DTX_TASK_GRANTED:
        learn_from_running(l, task, dtx_master_elapsed_s(m, task));
        return false;
    default:
        return false;
    }
}

static bool begin_pass(struct dtx_learn *l)
{
    if (l->learned < l->again.due || l->rows.noutcomes == 0)
        return false;
    l->again.due = l->learned + l->learned / 4 + 4;
    l->again.next = 0;
    l->again.passes++;
    return true;
}

bool dtx_learn_again(struct dtx_learn *l, const struct dtx_master *m,
                     enum dtx_late late, struct dtx_costs *out)
{
    struct dtx_learn_again *a = &l->again;
    uint32_t n = (uint32_t)l->job->list.ntasks, seen = 0;
    int64_t until = dtx_clock_mono_ns() + SLICE_NS;

    *out = (struct dtx_costs){
        .task = a->task, .seconds = a->seconds, .need = a->need};
    if (!l->cost || l->broken || (a->next >= n && !begin_pass(l)))
        return false;
    while (a->next < n && out->n < DTX_LEARN_AGAIN && dtx_learn_may_look(l) &&
           (++seen % AT_ONCE != 0 || dtx_clock_mono_ns() < until)) {
        uint32_t task = a->next++;

        if (!look_at(l, m, task))
            continue;
        a->task[out->n] = task;
        a->seconds[out->n] = l->cost[task];
        a->need[out->n++] = need_of(l, task, late);
    }
    a->changed += out->n;
    return out->n > 0;
}

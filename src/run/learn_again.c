/* SPDX-License-Identifier: MIT */
/* Predicts the tasks that wait anew, as outcomes come in; see learn.h.  A pass
 * begins when the session has a quarter more outcomes than at the one before,
 * and is walked a few milliseconds at a time, so that it stays half a hundredth
 * of rank 0's time however many tasks there are.  Where nothing ends, one
 * begins when a quarter more time has passed: tasks that have run for longer
 * than was thought say something, too. */
#include <math.h>

#include "engine/master.h"
#include "node/clock.h"
#include "predict/features.h"
#include "predict/predictor.h"
#include "run/job.h"
#include "run/learn_state.h"
#include "base/units.h"

#define SLICE_NS (5 * DTX_MSEC_NS / 2) /* at each tick, twice a second */
#define AT_ONCE 16u                /* tasks between two looks at the clock */
#define NEWS 0.05f                 /* a smaller change is none */
#define PAUSE_NS (2 * DTX_SEC_NS)  /* between passes for those that run, ... */
#define PAUSE_SHARE 4              /* ... or this part of the time gone */

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

    dtx_learn_say(l, task, false, &said);
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

/* It has been running for longer than was thought, and runs on. */
static void hear_of_running(struct dtx_learn *l, uint32_t task, double elapsed)
{
    struct dtx_features f;

    if (!(l->cost[task] >= 0) || elapsed <= (double)l->cost[task])
        return;
    dtx_learn_features(l, task, NULL, NULL, 0, true, &f);
    if (dtx_predictor_running(l->p, task, &f, elapsed) != 0)
        l->broken = true;
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
        hear_of_running(l, task, dtx_master_elapsed_s(m, task));
        return false;
    default:
        return false;
    }
}

static bool begin_pass(struct dtx_learn *l)
{
    int64_t now = dtx_clock_mono_ns(), pause;

    pause = (now - l->begin_ns) / PAUSE_SHARE;
    if (pause < PAUSE_NS)
        pause = PAUSE_NS;
    if ((l->learned < l->again.due || l->rows.noutcomes == 0) &&
        (!l->any_cost || now - l->again.begun_ns < pause))
        return false;
    l->again.begun_ns = now;
    l->again.due = l->learned + l->learned / 4 + 4;
    l->again.next = 0;
    l->again.upto = l->ncost;
    l->again.passes++;
    return true;
}

bool dtx_learn_again(struct dtx_learn *l, const struct dtx_master *m,
                     enum dtx_late late, struct dtx_costs *out)
{
    struct dtx_learn_again *a = &l->again;
    uint32_t seen = 0;
    int64_t until = dtx_clock_mono_ns() + SLICE_NS;

    *out = (struct dtx_costs){
        .task = a->task, .seconds = a->seconds, .need = a->need};
    if (!l->cost || l->broken || (a->next >= a->upto && !begin_pass(l)))
        return false;
    while (a->next < a->upto && out->n < DTX_LEARN_AGAIN &&
           dtx_learn_may_look(l) &&
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

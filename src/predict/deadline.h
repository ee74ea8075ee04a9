/* SPDX-License-Identifier: MIT */
/* predict/deadline.h - when will it be done, and is that in time?
 *
 * Draws the seconds of each task left from its prediction (lognormal, nine of
 * ten between low and high; of what runs, longer than it has run), schedules
 * them greedily on the slots in the order given, again and again from a seed,
 * and reads the answer off the makespans: Monte Carlo as in PERT (Van Slyke,
 * Oper. Res. 11, 1963).  Errors of one prediction are common to many tasks, so
 * a part of the spread is drawn once for all ('common').
 */
#ifndef DTX_PREDICT_DEADLINE_H
#define DTX_PREDICT_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTX_DEADLINE_DRAWS 200u
#define DTX_DEADLINE_TASKS 20000u /* drawn one by one; of more, the rest is
                                     taken as work that divides evenly */

/* A task that has not ended, in the order in which tasks will start. */
struct dtx_due_task {
    float seconds, low, high; /* as predicted; below 0: nothing is known */
    float elapsed;            /* it runs since then; below 0: it does not */
};

struct dtx_due {
    const struct dtx_due_task *task;
    size_t n;
    uint32_t slots;
    double left_s; /* to the deadline; below 0: there is none */
    double common; /* share of the spread that is common to all, 0 to 1 */
    uint64_t seed;
    size_t most;   /* tasks drawn one by one at most; 0: DTX_DEADLINE_TASKS */
};

struct dtx_verdict {
    bool known;              /* false: of some task nothing is known */
    uint64_t unknown;        /* tasks of which nothing is known */
    double early, likely, late; /* seconds from now: 5 %, 50 %, 95 % */
    double risk;             /* that not all is done at the deadline */
    uint64_t at_risk;        /* tasks that end after it in one of twenty
                                draws or more */
};

/* False when out of memory. */
bool dtx_deadline_judge(const struct dtx_due *d, struct dtx_verdict *out);

#endif

/* SPDX-License-Identifier: MIT */
/* predict/foresee.h - what the tasks that a program has submitted will take
 *
 * Rank 0 tells it of each task, and of what those that ended took; it says what
 * each costs, and anew as outcomes come in, for the order of those that wait.
 * Neither may take more than about a hundredth of the time that the tasks take
 * on all slots: of short tasks only some outcomes are learned, and a pass over
 * all that wait is made when it pays.  It counts for that what a prediction
 * costs as a rule, and so the same calls give the same answers.
 */
#ifndef DTX_PREDICT_FORESEE_H
#define DTX_PREDICT_FORESEE_H

#include <stdbool.h>
#include <stdint.h>

#include "predict/calls.h"

struct dtx_foresight;

/* Tasks of one run after the other, numbered from 1 on. 'calls' is borrowed,
 * and may be shared. */
struct dtx_foresight *dtx_foresee_create(struct dtx_calls *calls);
void dtx_foresee_destroy(struct dtx_foresight *f); /* NULL is allowed */
/* The next task, of 'slots' slots in all. Names of kernels are kept by
 * reference. Its cost in seconds, or 0: nobody knows, or it does not matter.
 * Below 0: out of memory. */
double dtx_foresee_submit(struct dtx_foresight *f,
                          const struct dtx_kernel_call *call, uint32_t slots);
/* Task 'id' has ended well after so long; 'ns' 0: that was not measured. */
void dtx_foresee_ended(struct dtx_foresight *f, uint64_t id, uint64_t ns);
/* Look at up to 'most' of the tasks that wait. True when a pass is complete:
 * dtx_foresee_cost has changed. '*busy': there is more to look at. */
bool dtx_foresee_turn(struct dtx_foresight *f, uint32_t slots, uint32_t most,
                      bool *busy);
/* What is known now of a task; 0: nothing. */
double dtx_foresee_cost(const struct dtx_foresight *f, uint64_t id);
/* The last one was not submitted after all. */
void dtx_foresee_withdraw(struct dtx_foresight *f);
/* All have ended, or never will: forget them; numbers go on. */
void dtx_foresee_forget(struct dtx_foresight *f);

#endif

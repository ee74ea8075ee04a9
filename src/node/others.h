/* SPDX-License-Identifier: MIT */
/* node/others.h - what others use of the processors that tasks run on
 *
 * Others are all processes but the job's own: its ranks of this node and their
 * descendants (not children that ended and were never waited for, nor what a
 * task has a daemon do).  What the processors were busy with, /proc/stat tells
 * (time that a hypervisor gave to other machines included); what of it was the
 * job's, the accounts of its processes, those that have ended being in their
 * parents'. The difference is the others', and what that costs is the answer:
 * the share of the processors that the job's slots could use which others take
 * away. Processors that no slot needs are theirs for nothing.
 *
 *     slots together want   S of P processors; others want k
 *     S + k <= P            all have what they want
 *     else                  each has its part: the slots P * S / (S + k)
 *
 * What others want is what they use as long as a processor is idle.  When none
 * is, they want more than they get, by as much as the job's own processes do
 * (those that are running or could be, over what they used).
 *
 * A look reads the files of all processes; a thread looks each second, or less
 * often, so that it takes a two-hundredth of its time at most.
 */
#ifndef DTX_NODE_OTHERS_H
#define DTX_NODE_OTHERS_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_others;

struct dtx_others_config {
    const char *root;   /* /proc is looked for below it: "" is this machine */
    const uint32_t *pus; /* OS indices of the processing units of the slots */
    uint32_t npus;
    const int32_t *pid; /* of the ranks that share them */
    uint32_t npids;
    uint32_t slots;     /* of these ranks together */
};

/* All is copied. NULL: out of memory, or no processing unit. */
struct dtx_others *dtx_others_create(const struct dtx_others_config *c);
/* Ends the thread; NULL is allowed. */
void dtx_others_destroy(struct dtx_others *o);

/* Look once, by hand: below 0 as long as there is nothing to compare with, or
 * when the kernel does not tell; else 0 to 1, of the last looks. */
double dtx_others_look(struct dtx_others *o, int64_t now_ns);

/* Begin to look now and then, in a thread. False: there is none. */
bool dtx_others_watch(struct dtx_others *o);
/* What it has seen last, from any thread: 0 nothing, else 1 and the
 * thousandths. */
uint32_t dtx_others_told(const struct dtx_others *o);

#endif

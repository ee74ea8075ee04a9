/* SPDX-License-Identifier: MIT */
/* task/distance.h - how far two places are apart, in steps
 *
 * Told of two machines by task/machine.h, of the ranks of a job by
 * sched/zones.h.
 */
#ifndef DTX_TASK_DISTANCE_H
#define DTX_TASK_DISTANCE_H

#include <stdint.h>

/* How far two places are from each other: what they share at best. */
enum dtx_distance {
    DTX_NEAR_CORE,
    DTX_NEAR_CACHE,
    DTX_NEAR_NUMA,
    DTX_NEAR_PACKAGE,
    DTX_NEAR_NODE,
    DTX_NEAR_SWITCH /* nodes of one leaf switch; one more for each level that
                       the way must climb */
};

/* "same NUMA node", "other switch", ... */
const char *dtx_distance_name(uint32_t distance);

#endif

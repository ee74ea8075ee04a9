/* SPDX-License-Identifier: MIT */
/* node/cores_hwloc.h - what cores.c and topo.c share: one look at the machine
 *
 * Internal to the two, the only files that know hwloc.
 */
#ifndef DTX_NODE_CORES_HWLOC_H
#define DTX_NODE_CORES_HWLOC_H

#include <hwloc.h>
#include <stdbool.h>

struct dtx_cores;
struct dtx_error;

/* Called for each core that may be used, in order, once it is listed; an error
 * ends the list. */
typedef int dtx_core_f(void *ctx, hwloc_topology_t t, hwloc_obj_t core);

/* A loaded topology; 'all': caches and devices, too. The caller destroys it.
 * DTX_ESYS, without a text: hwloc cannot; DTX_EINVAL: the picture it was to
 * draw is none. */
int dtx_hwloc_load(hwloc_topology_t *out, bool all, struct dtx_error *err);
/* List the usable cores of 'out', which is zeroed. */
int dtx_hwloc_list(struct dtx_cores *out, hwloc_topology_t t, dtx_core_f *each,
                   void *ctx);
/* The affinity mask as it is, one core for each processing unit. */
int dtx_cores_of_mask(struct dtx_cores *out, struct dtx_error *err);

#endif

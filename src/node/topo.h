/* SPDX-License-Identifier: MIT */
/* node/topo.h - this machine, as hwloc and the kernel tell it
 *
 * Fills task/machine.h: cores and what they share, NUMA nodes and memory,
 * devices, the cgroup's limit of memory, the switches above us.  With
 * HWLOC_XMLFILE or HWLOC_SYNTHETIC the machine is a picture ('real' is false).
 * Devices are found without starting the vendors' libraries, which can take
 * seconds.
 */
#ifndef DTX_NODE_TOPO_H
#define DTX_NODE_TOPO_H

struct dtx_cores;
struct dtx_error;
struct dtx_machine;

/* Cores as dtx_cores_detect does, from the same look at the machine: the i-th
 * of 'cores' is the i-th usable one of 'machine'. Free both. DTX_EINVAL: a
 * picture is asked for that hwloc cannot read. */
int dtx_topo_detect(struct dtx_cores *cores, struct dtx_machine *machine,
                    struct dtx_error *err);

#endif

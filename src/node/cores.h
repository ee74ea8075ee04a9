/* SPDX-License-Identifier: MIT */
/* node/cores.h - which cores this process may use, near ones side by side
 *
 * Beside node/topo the only one that knows hwloc.  Cores are listed in hwloc's
 * logical order, so that neighbours in the list share caches and memory.
 * With HWLOC_XMLFILE or HWLOC_SYNTHETIC the machine is a picture: cores are
 * listed from it, 'real' is false and nobody must bind to them.
 */
#ifndef DTX_NODE_CORES_H
#define DTX_NODE_CORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;

struct dtx_core {
    uint32_t first_pu; /* into 'pus' */
    uint32_t npus;     /* processing units of this core we may use, >= 1 */
};

struct dtx_cores {
    struct dtx_core *core;
    uint32_t ncores;
    uint32_t *pus;         /* OS indices */
    uint32_t npus;
    uint32_t machine_cores; /* cores of the whole machine */
    bool real;
};

/* Cores in this process's affinity mask (and cgroup). DTX_EINVAL: a picture is
 * asked for, and hwloc cannot read it. */
int dtx_cores_detect(struct dtx_cores *out, struct dtx_error *err);
void dtx_cores_free(struct dtx_cores *c);
/* The variable that draws the machine: HWLOC_SYNTHETIC, which hwloc looks at
 * first, or HWLOC_XMLFILE; NULL: neither is set. */
const char *dtx_cores_picture(void);
/* "hwloc 2.9.0" */
const char *dtx_cores_library(char *buf, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* wire/locality.h - where a rank is, as bytes that travel once
 *
 * What the other ranks need of a task/machine.h: nests of usable cores, the
 * size of NUMA nodes, devices, memory, switches.  Some hundred bytes for a node
 * of 128 cores.  Numbers as in wire/codec.h.
 */
#ifndef DTX_WIRE_LOCALITY_H
#define DTX_WIRE_LOCALITY_H

#include <stddef.h>

struct dtx_buf;
struct dtx_machine;

/* Append at most 'most' bytes: all; or else without cores; or else nothing,
 * which reads as a machine that is not known. */
void dtx_locality_encode(struct dtx_buf *b, const struct dtx_machine *m,
                         size_t most);
/* 0, DTX_EPARSE (not such bytes) or DTX_ENOMEM; '*m' is to be freed after 0,
 * and is empty otherwise. No bytes are an empty machine. */
int dtx_locality_decode(const void *data, size_t len, struct dtx_machine *m);

#endif

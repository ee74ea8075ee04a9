/* SPDX-License-Identifier: MIT */
/* node/memory.h - how much memory a task that starts now may take
 *
 * The kernel's own estimate of what is available without swapping
 * (MemAvailable), or less where a control group that holds this process (of a
 * batch system, a container) or one above it leaves less: its limit, minus what
 * it uses, plus what of that is file cache that can be dropped.
 */
#ifndef DTX_NODE_MEMORY_H
#define DTX_NODE_MEMORY_H

#include <stdint.h>

/* Bytes; -1 when the kernel does not tell. /proc and /sys are looked for below
 * 'root': "" is this machine. */
int64_t dtx_memory_free_at(const char *root);

#endif

/* SPDX-License-Identifier: MIT */
/* node/memory.h - how much memory there is, and how much is left
 *
 * What a task that starts now may take is the kernel's own estimate of what is
 * available without swapping (MemAvailable), or less where a control group that
 * holds this process (of a batch system, a container) or one above it leaves
 * less: its limit, minus what it uses, plus what of that is file cache that can
 * be dropped.
 */
#ifndef DTX_NODE_MEMORY_H
#define DTX_NODE_MEMORY_H

#include <stdint.h>

/* In bytes. /proc and /sys are looked for below 'root': "" is this machine. */

/* What is left; -1 when the kernel does not tell. */
int64_t dtx_memory_free_at(const char *root);
/* The least limit of the control groups, of both versions, that hold this
 * process; 0: none, or what cannot be read. */
int64_t dtx_memory_limit_at(const char *root);
/* What the whole machine has (MemTotal); 0: not known. */
int64_t dtx_memory_total_at(const char *root);

#endif

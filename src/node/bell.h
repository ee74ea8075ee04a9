/* SPDX-License-Identifier: MIT */
/* node/bell.h - how a sleeping rank is woken by anything on its node
 *
 * A bell is two words in memory shared between processes: a count of rings
 * and a flag that says somebody sleeps.  Ringing an awake owner costs one
 * atomic operation; waking a sleeping one a futex call.  Use:
 *
 *     seen = dtx_bell_seen(b);
 *     if (nothing to do)            // look AFTER 'seen' was taken
 *         dtx_bell_wait(b, seen, nap_ns);
 *
 * The memory is a memfd, so that the spawner (by fork) and other ranks of the
 * node (through /proc/PID/fd) can map it; nothing is left behind in any file
 * system when processes are killed.
 */
#ifndef DTX_NODE_BELL_H
#define DTX_NODE_BELL_H

#include <stdint.h>

struct dtx_bell;
struct dtx_error;

/* What another process of the node needs to ring this bell; plain bytes. */
struct dtx_bell_address {
    int32_t pid;
    int32_t fd;
    uint64_t token; /* random, checked after mapping */
};

struct dtx_bell *dtx_bell_create(struct dtx_error *err);
/* Map the bell of another process of this node. NULL when that cannot be
 * (another node, other container, process gone). */
struct dtx_bell *dtx_bell_open(const struct dtx_bell_address *a);
void dtx_bell_destroy(struct dtx_bell *b); /* NULL is allowed */
void dtx_bell_address(const struct dtx_bell *b, struct dtx_bell_address *out);

/* Async-signal-safe, any thread, any process that has it mapped. */
void dtx_bell_ring(struct dtx_bell *b);
uint32_t dtx_bell_seen(const struct dtx_bell *b);
/* Sleep until a ring later than 'seen', a signal, or 'nap_ns' passed. */
void dtx_bell_wait(struct dtx_bell *b, uint32_t seen, int64_t nap_ns);

#endif

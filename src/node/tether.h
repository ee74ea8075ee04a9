/* SPDX-License-Identifier: MIT */
/* node/tether.h - who of other nodes is gone, as the kernels tell
 *
 * Rank 0 listens while they meet; ranks of other nodes connect to it, at the
 * start.  Each end proves that it is of this session by a number that only its
 * ranks know: an address may be another machine's (many nodes have a docker0 of
 * the same one), and anybody may connect to a port.  Then nothing is sent: when
 * a process ends, however it ends, its kernel closes its end, and when its node
 * is gone or cut off, keep-alive probes go without an answer.  A process that
 * only computes, or is stopped, is not taken for dead.
 *
 * A tether that cannot be made (a firewall, no common network) is no failure:
 * that rank is not watched.
 */
#ifndef DTX_NODE_TETHER_H
#define DTX_NODE_TETHER_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_error;
struct dtx_tethers;

#define DTX_TETHER_PLACES 8u

/* Where rank 0 listens: bytes to be handed to the others as they are. */
struct dtx_tether_call {
    uint64_t token;  /* what a rank says */
    uint64_t answer; /* what rank 0 says to that */
    uint32_t port;   /* 0: nowhere */
    uint32_t n;
    struct {
        uint32_t six; /* 1: an IPv6 address */
        unsigned char address[16];
    } at[DTX_TETHER_PLACES];
};

/* Rank 0 of 'n': listen. 'near' (for tests): on the loopback too. 'silence_ns':
 * after so long without an answer a node counts as gone. NULL, and call->port
 * 0: it cannot. */
struct dtx_tethers *dtx_tethers_listen(uint32_t n, int64_t silence_ns,
                                       bool near,
                                       struct dtx_tether_call *call);
/* No more come. */
void dtx_tethers_met(struct dtx_tethers *t);
/* Another one: connect, within a second for each place, and three for the
 * answer, while rank 0 calls dtx_tethers_gone again and again. NULL: it
 * cannot. */
struct dtx_tethers *dtx_tethers_connect(const struct dtx_tether_call *call,
                                        uint32_t rank, int64_t silence_ns);
/* One more rank that is gone, or -1. A system call or two. */
int dtx_tethers_gone(struct dtx_tethers *t);
/* How many ranks are watched. */
uint32_t dtx_tethers_held(const struct dtx_tethers *t);
/* Leave in good order: the other end does not take this one for dead. NULL is
 * allowed. */
void dtx_tethers_close(struct dtx_tethers *t);

#endif

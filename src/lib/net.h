/* SPDX-License-Identifier: MIT */
/* lib/net.h - frames between the ranks of a session, and waiting for them
 *
 * mpi/transport and the bells of node/ put together: a frame to a rank of the
 * same node also rings its bell; frames to oneself do not go through MPI.  Used
 * by the communicating thread alone, but for dtx_net_ring.
 */
#ifndef DTX_LIB_NET_H
#define DTX_LIB_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mpi/transport.h"
#include "node/peer.h"

struct dtx_bell;
struct dtx_tethers;
struct dtx_error;

struct dtx_net_options {
    const void *comm; /* an MPI_Comm, or NULL */
    size_t comm_size;
    uint32_t jobs;    /* slots of each node; 0 = its cores */
    bool bells;
    int64_t nap_ns;
    int64_t lost_after_ns; /* silence of another node; 0: do not watch */
};

struct dtx_net {
    struct dtx_transport *transport;
    struct dtx_bell *bell;
    struct dtx_bell **peer; /* bells of other ranks, NULL where there is none */
    struct dtx_peer *watched; /* rank 0: those of its node; others: rank 0 */
    struct dtx_tethers *tethers; /* rank 0: those elsewhere; others, when rank
                                    0 is elsewhere: rank 0; or NULL */
    int64_t watched_at;     /* when they were last looked at */
    uint32_t byes;          /* rank 0: of ranks that ended before it */
    bool *lost;             /* ranks that are dead */
    uint32_t rank, size;
    uint32_t *slots;        /* of each rank */
    double *weight;         /* of each rank's slots */
    uint32_t *pu;           /* of each own slot, to bind it to; NULL: do not */
    bool threads;           /* MPI allows them */
    bool far;               /* a rank cannot ring us: naps are needed */
    int64_t nap_ns;
    struct dtx_buf self;    /* frames to oneself: length, bytes */
    size_t self_at;
};

/* Collective; also on a rank where something is wrong already, which 'err'
 * tells, and then on all (dtx_transport_agree). On failure nothing is left
 * open. */
int dtx_net_open(struct dtx_net *n, const struct dtx_net_options *o,
                 double weight, struct dtx_error *err);
/* Collective among those that live. Where one is lost MPI is not finalised:
 * DTX_ELOST. */
int dtx_net_close(struct dtx_net *n);
/* One more rank that has died, or -1: rank 0 sees those of its node die, the
 * others rank 0; of ranks elsewhere tethers tell (node/tether.h), or an MPI
 * with ULFM. Costs a clock reading as a rule. */
int dtx_net_died(struct dtx_net *n);
/* Talk no more to a rank. */
void dtx_net_lose(struct dtx_net *n, uint32_t rank);
int dtx_net_send(struct dtx_net *n, uint32_t to, enum dtx_channel c,
                 const void *frame, size_t len);
/* As dtx_transport_recv. */
int dtx_net_recv(struct dtx_net *n, enum dtx_channel *c, int *from,
                 struct dtx_buf *out);
/* Sleep until a ring later than 'seen', or what the network needs, or
 * 'nap_ns'. */
void dtx_net_wait(struct dtx_net *n, uint32_t seen, int64_t nap_ns);
uint32_t dtx_net_seen(const struct dtx_net *n);
/* From any thread: let the communicating thread look. */
void dtx_net_ring(struct dtx_net *n);

#endif

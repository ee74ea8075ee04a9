/* SPDX-License-Identifier: MIT */
/* mpi/transport.h - frames between ranks
 *
 * The only module that includes <mpi.h>.  A frame is some bytes from one rank
 * to another; frames between two ranks of one channel keep their order.
 * Sending copies and never blocks; receiving never blocks.  Two channels: one
 * for the engine, one for bulk data, so that no grant waits behind an output.
 * One thread makes all calls (MPI_THREAD_FUNNELED).
 *
 * Collectives are used at the start alone (dtx_transport_allgather).
 */
#ifndef DTX_MPI_TRANSPORT_H
#define DTX_MPI_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;
struct dtx_transport;

#define DTX_MAX_FRAME (1u << 20) /* bytes of one frame */

enum dtx_channel { DTX_CHANNEL_FRAMES, DTX_CHANNEL_BULK };

/* MPI_Init_thread on a communicator of our own. */
int dtx_transport_open(struct dtx_transport **out, struct dtx_error *err);
int dtx_transport_rank(const struct dtx_transport *t);
int dtx_transport_size(const struct dtx_transport *t);

/* Gather 'len' bytes (the same everywhere) of every rank at every rank:
 * 'out' has room for size * len. Blocks; before the first frame only. */
int dtx_transport_allgather(struct dtx_transport *t, const void *in, size_t len,
                            void *out);

/* Copy the frame and send it. 0, DTX_ENOMEM or DTX_ELIMIT. */
int dtx_transport_send(struct dtx_transport *t, enum dtx_channel c, int to,
                       const void *frame, size_t len);
/* 1 when a frame was appended to 'out' (which the caller clears before) and
 * '*from' set, 0 when there is none now, negative on failure. Looks twice, since
 * Open MPI makes progress after it has looked. */
int dtx_transport_recv(struct dtx_transport *t, enum dtx_channel *c, int *from,
                       struct dtx_buf *out);
/* True when neither a send nor a receive is under way: one may sleep. */
bool dtx_transport_quiet(struct dtx_transport *t);

/* Leave: finish pending sends (bounded by 'grace_ns'), then MPI_Finalize when
 * 'clean' (everybody is known to come), else without it. Frees. */
void dtx_transport_close(struct dtx_transport *t, bool clean, int64_t grace_ns);
/* End the whole MPI job at once. Does not return. */
void dtx_transport_abort(int status) __attribute__((noreturn));
/* "Open MPI v4.1.4 ..." cut to the first line; works without init. */
const char *dtx_transport_library(char *buf, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* mpi/transport.h - frames between ranks
 *
 * The only module that includes <mpi.h>.  A frame is some bytes from one rank
 * to another; frames between two ranks of one channel keep their order.
 * Sending copies and never blocks; receiving never blocks.  Two channels: one
 * for the engine, one for bulk data, so that no grant waits behind an output.
 * One thread makes all calls (MPI_THREAD_FUNNELED).
 *
 * Collectives are used at the start alone (_allgather and _bcast).
 */
#ifndef DTX_MPI_TRANSPORT_H
#define DTX_MPI_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;
struct dtx_transport;

#define DTX_MAX_FRAME (2u << 20) /* bytes of one frame: a command and more */

enum dtx_channel { DTX_CHANNEL_FRAMES, DTX_CHANNEL_BULK };

/* MPI_Init_thread (unless the program has done it: then MPI_Finalize is left to
 * it too) and a communicator of our own. DTX_EMPI when MPI refuses. What is
 * short of memory on one rank is DTX_ENOMEM on all. */
int dtx_transport_open(struct dtx_transport **out, struct dtx_error *err);
/* The same on a duplicate of the communicator that the MPI_Comm at 'comm'
 * (NULL: MPI_COMM_WORLD) names, and at any level of threads: '*threads' says
 * whether there may be other threads at all. 'comm_size' is checked. */
int dtx_transport_open_on(struct dtx_transport **out, const void *comm,
                          size_t comm_size, bool *threads,
                          struct dtx_error *err);
int dtx_transport_rank(const struct dtx_transport *t);
int dtx_transport_size(const struct dtx_transport *t);

/* Gather 'len' bytes (the same everywhere) of every rank at every rank:
 * 'out' has room for size * len. Blocks; before the first frame only. */
int dtx_transport_allgather(struct dtx_transport *t, const void *in, size_t len,
                            void *out);

/* What went wrong on one rank alone has gone wrong on all: 'err' is this rank's
 * (code 0: nothing), and becomes that of the first rank that has one, with its
 * number before the text where there are several ranks. Returns its code.
 * Needs no memory; likewise. */
int dtx_transport_agree(struct dtx_transport *t, struct dtx_error *err);

/* The bytes of rank 0 at every rank; likewise. */
int dtx_transport_bcast(struct dtx_transport *t, void *data, size_t len);

/* Copy the frame and send it: to any rank, this one included. 0, or DTX_ELIMIT
 * (longer than DTX_MAX_FRAME), DTX_EINVAL (no such rank), DTX_ENOMEM,
 * DTX_EMPI. What is under way is not limited here: bulk data needs the
 * engine's credit. */
int dtx_transport_send(struct dtx_transport *t, enum dtx_channel c, int to,
                       const void *frame, size_t len);
/* 1 when a frame was appended to 'out' (which the caller clears before) and
 * '*c', '*from' set, 0 when there is none now, negative on failure: DTX_ENOMEM
 * (the frame stays, try again), DTX_EPROTO ('*from' sent one that is too long;
 * it is never received, so its sender waits for ever), DTX_EMPI.
 * Frames go before bulk data, and overtake it. Looks twice, since Open MPI
 * makes progress after it has looked. Large ones that are still coming in are
 * kept and asked again: up to 64 of them, or 16 MiB, per channel. */
int dtx_transport_recv(struct dtx_transport *t, enum dtx_channel *c, int *from,
                       struct dtx_buf *out);
/* Sends that are not over. */
size_t dtx_transport_pending(const struct dtx_transport *t);
/* A rank that MPI itself has found dead and that is not lost yet, or -1; costs
 * a microsecond. Only an MPI with ULFM tells. */
int dtx_transport_died(struct dtx_transport *t);
/* What mpirun is to be told for that with --with-ft, or NULL; works without
 * init. */
const char *dtx_transport_ft(void);
/* A rank is dead, or not to be talked to any more: what is under way to and
 * from it is put aside, and further frames to it are thrown away. After that
 * only an unclean close is possible. */
void dtx_transport_lose(struct dtx_transport *t, int rank);
/* True when neither a send nor a receive is under way: one may sleep. */
bool dtx_transport_quiet(struct dtx_transport *t);

/* Leave, and free. Frames that still come in are thrown away.
 * clean: everybody is known to come: waits until all ranks have closed and
 * their sends are over, then MPI_Finalize. When that takes longer than
 * 'grace_ns', as below: better to be ended by the launcher than to hang.
 * Not clean: waits for the own pending sends, at most 'grace_ns'; without
 * MPI_Finalize: the caller now leaves by _exit, no MPI call follows, and mpirun
 * may complain. Buffers of sends and receives that never ended are not freed,
 * since the other side may be reading or writing them directly.
 * True when MPI was shut down in order. */
bool dtx_transport_close(struct dtx_transport *t, bool clean, int64_t grace_ns);
/* End the whole MPI job at once. Does not return. */
void dtx_transport_abort(int status) __attribute__((noreturn));
/* "Open MPI v4.1.4", the first line up to a comma; works without init. Returns
 * 'buf'. */
const char *dtx_transport_library(char *buf, size_t size);

#endif

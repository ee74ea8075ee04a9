/* SPDX-License-Identifier: MIT */
/* distributex_mpi.h - the calls that take a communicator
 *
 * The rest of the interface knows no MPI type, so that a program needs no
 * <mpi.h> to use it.  Compile what includes this file with mpicc.
 */
#ifndef DISTRIBUTEX_MPI_H
#define DISTRIBUTEX_MPI_H

#include <mpi.h>

#include <distributex.h>

/* As dtx_init, on the processes of 'comm' alone: the library works on a
 * duplicate of it, and its ranks are those of 'comm'.  Collective over 'comm';
 * MPI must have been initialised.  'comm' stays the caller's and may be freed
 * at once. */
static inline int dtx_init_comm(MPI_Comm comm, const char *options)
{
    return dtx_init_handle(&comm, sizeof(comm), options);
}

#endif

/* SPDX-License-Identifier: MIT */
/* mpi/failed.h - ranks that MPI itself knows to be dead
 *
 * Private to mpi/.  configure chooses one of failed_ulfm.c, where the library
 * has the user-level failure mitigation of Open MPI 5 (Bland, Bouteiller,
 * Herault, Bosilca and Dongarra, "Post-failure recovery of MPI communication
 * capability", IJHPCA 27(3), 2013), and failed_none.c.
 */
#ifndef DTX_MPI_FAILED_H
#define DTX_MPI_FAILED_H

#include <mpi.h>
#include <stdbool.h>

/* What mpirun is to be told for it ("ulfm"), or NULL. */
const char *dtx_mpi_ft(void);
/* The lowest dead rank that is not in 'lost' (per rank), or -1. */
int dtx_mpi_next_failed(MPI_Comm comm, const bool *lost, int size);
/* Is this an error since the other side is dead? */
bool dtx_mpi_is_loss(int rc);

#endif

/* SPDX-License-Identifier: MIT */
/* An MPI that tells nobody of dead ranks; see failed.h. */
#include "mpi/failed.h"

#include <stddef.h>

const char *dtx_mpi_ft(void)
{
    return NULL;
}

int dtx_mpi_next_failed(MPI_Comm comm, const bool *lost, int size)
{
    (void)comm;
    (void)lost;
    (void)size;
    return -1;
}

bool dtx_mpi_is_loss(int rc)
{
    (void)rc;
    return false;
}

/* SPDX-License-Identifier: MIT */
/* Asks ULFM who is dead; see failed.h.  A probe for any source never says so
 * (measured with Open MPI 5.0.7), so the library's own list is looked at, which
 * takes less than a microsecond. */
#include "mpi/failed.h"

#include <mpi-ext.h>
#include <stdlib.h>

const char *dtx_mpi_ft(void)
{
    return "ulfm";
}

/* The first of 'n' ranks of 'dead' that is not in 'lost'. */
static int first_new(MPI_Comm comm, MPI_Group dead, int n, const bool *lost,
                     int size)
{
    int *from = malloc(2 * (size_t)n * sizeof(*from)), *to = from + n;
    int i, best = -1;
    MPI_Group all;

    if (!from)
        return -1; /* at the next look, perhaps */
    for (i = 0; i < n; i++)
        from[i] = i;
    if (MPI_Comm_group(comm, &all) == MPI_SUCCESS) {
        if (MPI_Group_translate_ranks(dead, n, from, all, to) != MPI_SUCCESS)
            n = 0;
        for (i = 0; i < n; i++) {
            if (to[i] >= 0 && to[i] < size && !lost[to[i]] &&
                (best < 0 || to[i] < best))
                best = to[i];
        }
        (void)MPI_Group_free(&all);
    }
    free(from);
    return best;
}

int dtx_mpi_next_failed(MPI_Comm comm, const bool *lost, int size)
{
    MPI_Group dead = MPI_GROUP_NULL;
    int n = 0, rank = -1;

    /* without the acknowledgement receives from any source would fail */
    if (MPIX_Comm_failure_ack(comm) != MPI_SUCCESS ||
        MPIX_Comm_failure_get_acked(comm, &dead) != MPI_SUCCESS)
        return -1;
    if (MPI_Group_size(dead, &n) == MPI_SUCCESS && n > 0)
        rank = first_new(comm, dead, n, lost, size);
    (void)MPI_Group_free(&dead);
    return rank;
}

bool dtx_mpi_is_loss(int rc)
{
    int class = MPI_SUCCESS;

    return rc != MPI_SUCCESS && MPI_Error_class(rc, &class) == MPI_SUCCESS &&
           (class == MPIX_ERR_PROC_FAILED ||
            class == MPIX_ERR_PROC_FAILED_PENDING);
}

/* SPDX-License-Identifier: MIT */
/* tests/mpi/lib_tap.h - what the library's tests on several ranks share
 *
 *     int main(int argc, char **argv)
 *     {
 *         if (!tap_begin(&argc, &argv, MPI_THREAD_FUNNELED))
 *             return 99;
 *         verdict(dtx_init("slots=2") == 0, "a session");
 *         ...
 *         return tap_end();
 *     }
 *
 * A verdict is what all ranks agree on; rank 0 says it, as TAP.
 */
#ifndef DTX_TESTS_MPI_LIB_TAP_H
#define DTX_TESTS_MPI_LIB_TAP_H

#include <mpi.h>
#include <stdio.h>

#include <distributex.h>

static int rank, size, level, number, failures;

/* Agree on the verdict, then let rank 0 say it. */
static inline void verdict(int ok, const char *what)
{
    int all = 0;

    if (!ok)
        fprintf(stderr, "# rank %d: %s: %s\n", rank, what, dtx_error_text());
    (void)MPI_Allreduce(&ok, &all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
    number++;
    failures += !all;
    if (rank == 0)
        printf("%sok %d - %s\n", all ? "" : "not ", number, what);
}

/* MPI begins; 'level' is what it gave. False when it does not. */
static inline int tap_begin(int *argc, char ***argv, int wanted)
{
    if (MPI_Init_thread(argc, argv, wanted, &level))
        return 0;
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
    return 1;
}

/* The plan, and what main returns. */
static inline int tap_end(void)
{
    if (rank == 0)
        printf("1..%d\n", number);
    (void)MPI_Finalize();
    return failures != 0;
}

/* The options of a session with so many slots in each rank. */
static inline const char *slots_option(int slots, const char *more)
{
    static char options[120];

    (void)snprintf(options, sizeof(options), "slots=%d %s", slots * size,
                   more);
    return options;
}

static inline void burn(unsigned n)
{
    static _Thread_local volatile unsigned sink;

    while (n-- > 0)
        sink = sink * 1664525u + 1013904223u;
}

#endif

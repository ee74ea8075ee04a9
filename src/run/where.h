/* SPDX-License-Identifier: MIT */
/* run/where.h - am I a rank?
 *
 * Decided by what launchers put into the environment, before MPI is touched:
 * one process does not pay for MPI's start, and N copies that do not know of
 * each other must never run the whole list N times.
 */
#ifndef DTX_RUN_WHERE_H
#define DTX_RUN_WHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "run/variable.h"

struct dtx_error;

enum dtx_where {
    DTX_WHERE_RANK,        /* start MPI */
    DTX_WHERE_SINGLE,      /* started plainly: one process, or a supervisor */
    DTX_WHERE_INSIDE_TASK, /* one process on the cores of an outer job's task */
    DTX_WHERE_REFUSE       /* several copies that cannot see each other */
};

struct dtx_where_info {
    enum dtx_where where;
    uint32_t world_size; /* processes the launcher says it started; 0 unknown */
    bool inside_task;    /* of an outer job, as a rank too: option variables in
                            the environment are the outer job's, not ours */
    char reason[256];    /* one line: which variable said so, or the refusal */
};

/* DTX_OK, or DTX_EMPI for DTX_WHERE_REFUSE with the sentence for the user in
 * 'err'. '*out' is filled in either case. A variable that is empty counts as
 * not set. */
int dtx_where_am_i(dtx_variable_get_f get, void *ctx,
                   struct dtx_where_info *out, struct dtx_error *err);

/* After MPI_Init: DTX_EMPI when the launcher started several and MPI sees
 * one. */
int dtx_where_check(const struct dtx_where_info *info, int mpi_size,
                    struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* run/rank.h - one rank of a job from its first breath to its last
 *
 * Also the whole job when it is one process.  Forks the spawner first, then
 * starts MPI (if at all), agrees with the other ranks on the run directory,
 * runs the loop, and on rank 0 tells what happened.
 */
#ifndef DTX_RUN_RANK_H
#define DTX_RUN_RANK_H

#include <stdbool.h>

struct dtx_options;
struct dtx_where_info;

/* 'command_line' is for the record. Returns the exit status; prints errors. */
int dtx_rank_main(const struct dtx_options *o,
                  const struct dtx_where_info *where,
                  const char *command_line);

/* Is this process the first of the ranks, or of copies that are none, as far as
 * its launcher's variables tell? */
bool dtx_rank_is_first(void);

#endif

/* SPDX-License-Identifier: MIT */
/* store/results.h - the files of --results: what each task wrote, as GNU
 * parallel lays it out
 *
 * DIR/PLACE/stdout, DIR/PLACE/stderr and DIR/PLACE/seq, which holds the task's
 * id.  A task of a task file has its id for a PLACE.  A further attempt
 * overwrites the files of the one before.
 */
#ifndef DTX_STORE_RESULTS_H
#define DTX_STORE_RESULTS_H

#include <stdint.h>

struct dtx_error;
struct dtx_pack;

/* Make the directory where it is missing, parents as well; can it be written
 * in? */
int dtx_results_check(const char *dir, struct dtx_error *err);
/* Write the three files of a pack's attempt. */
int dtx_results_write(const char *dir, const struct dtx_pack *p,
                      struct dtx_error *err);

#endif

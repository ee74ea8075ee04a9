/* SPDX-License-Identifier: MIT */
/* store/results.h - the files of --results: what each task wrote, as GNU
 * parallel lays it out
 *
 * Three files for each task: its stdout, its stderr, and its id.  Where they
 * are is decided by task/layout.h.  A further attempt overwrites the files of
 * the one before.
 */
#ifndef DTX_STORE_RESULTS_H
#define DTX_STORE_RESULTS_H

#include "task/layout.h"

struct dtx_error;
struct dtx_pack;

/* Can files be made below the value of --results?  Makes its directory where
 * it is missing, parents as well (the part before the first '{', where there
 * is one), and tells how long names can be there. */
int dtx_results_check(const char *dir, struct dtx_layout_limits *limits,
                      struct dtx_error *err);
/* Write the three files of a pack's attempt, at p->results; makes the
 * directories. */
int dtx_results_write(const struct dtx_pack *p, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* store/history_rows.h - the tables of a history file, as doc/history.md has
 * them.  Internal to store/. */
#ifndef DTX_STORE_HISTORY_ROWS_H
#define DTX_STORE_HISTORY_ROWS_H

#include "store/h5.h"
#include "store/history.h"

#define DTX_HISTORY_ROWS ((size_t)1 << 27) /* of a table; more is refused */

/* A file that this one was made of. */
struct dtx_exp_source {
    char id[DTX_HISTORY_ID];
};

extern const struct dtx_h5_table dtx_history_outcomes, dtx_history_hosts,
    dtx_history_classes, dtx_history_samples, dtx_history_commands,
    dtx_history_sources, dtx_history_loops;

#endif

/* SPDX-License-Identifier: MIT */
/* wire/replay_kept.h - the part of replay.h that knows tasks by their keys */
#ifndef DTX_WIRE_REPLAY_KEPT_H
#define DTX_WIRE_REPLAY_KEPT_H

#include "wire/replay.h"

void dtx_kept_free(struct dtx_kept *kept);
/* What is known of task 'i' of 'l', whose occurrences so far are in 'seen';
 * all 0 where nothing is. 0 or DTX_ENOMEM. */
int dtx_kept_recall(const struct dtx_kept *kept, struct dtx_keymap *seen,
                    const struct dtx_tasklist *l, uint32_t i, const char *cwd,
                    struct dtx_known *out);

#endif

/* SPDX-License-Identifier: MIT */
/* node/spawner_config.h - a spawner's configuration as one run of bytes
 *
 * Written by the rank, read by its spawner: the same program on the same
 * machine, so the layout is its own affair.
 */
#ifndef DTX_NODE_SPAWNER_CONFIG_H
#define DTX_NODE_SPAWNER_CONFIG_H

#include <stddef.h>

#include "node/spawner.h"

struct dtx_buf;

/* Append the bytes of 'c', with 'tmp_dir' in the place of its own. Look at
 * 'b->failed' afterwards. */
void dtx_config_encode(struct dtx_buf *b, const struct dtx_spawner_config *c,
                       const char *tmp_dir);
/* A copy that dtx_config_encode described, in one allocation that the caller
 * frees; NULL when out of memory. */
struct dtx_spawner_config *dtx_config_decode(const void *data, size_t len);

#endif

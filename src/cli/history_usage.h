/* SPDX-License-Identifier: MIT */
/* cli/history_usage.h - what the classes of a history used, from its outcomes
 */
#ifndef DTX_CLI_HISTORY_USAGE_H
#define DTX_CLI_HISTORY_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "predict/usage.h"

struct dtx_error;

/* Zero-initialise. */
struct dtx_history_usage {
    struct dtx_keymap map; /* class to its place */
    struct dtx_usage *of; /* of outcomes that went well */
    size_t n, cap;
};

/* Read all of 'dir'. */
int dtx_history_usage_read(struct dtx_history_usage *u, const char *dir,
                           struct dtx_error *err);
/* Of a class, or NULL: nothing was measured. */
const struct dtx_usage *dtx_history_usage_of(const struct dtx_history_usage *u,
                                             uint64_t class_key);
void dtx_history_usage_free(struct dtx_history_usage *u);

#endif

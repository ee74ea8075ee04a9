/* SPDX-License-Identifier: MIT */
/* cli/history_usage.h - what the classes of a history used, from its outcomes
 */
#ifndef DTX_CLI_HISTORY_USAGE_H
#define DTX_CLI_HISTORY_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct dtx_error;

/* Of the outcomes of a class that went well. */
struct dtx_history_used {
    double seconds, cpu_seconds; /* of those whose cpu time was measured; 0:
                                    of none */
    uint64_t peak_bytes;         /* 0: not measured */
};

/* Zero-initialise. */
struct dtx_history_usage {
    struct dtx_keymap map; /* class to its place */
    struct dtx_history_used *of;
    size_t n, cap;
};

/* Read all of 'dir'. */
int dtx_history_usage_read(struct dtx_history_usage *u, const char *dir,
                           struct dtx_error *err);
/* Of a class, or zeros: nothing was measured. */
struct dtx_history_used dtx_history_usage_of(const struct dtx_history_usage *u,
                                             uint64_t class_key);
void dtx_history_usage_free(struct dtx_history_usage *u);

#endif

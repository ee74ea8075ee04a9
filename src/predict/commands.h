/* SPDX-License-Identifier: MIT */
/* predict/commands.h - what each command took, bounded
 *
 * A set-associative table: of the commands whose hash falls into a set the one
 * not seen for longest makes room.  Private to predict/, and to those who store
 * it.
 */
#ifndef DTX_PREDICT_COMMANDS_H
#define DTX_PREDICT_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct dtx_command {
    uint64_t key;  /* of its 128-bit hash, 0 = free */
    uint32_t when; /* of the outcomes counted modulo 2^32 */
    uint32_t n;    /* times it ran */
    float y;       /* moving average of the logarithm of its seconds */
    float off;     /* and of how far the last was from it */
    float least;   /* seconds after which it was ended by force, never having
                      come to its own end since; 0: it has */
    uint32_t mark; /* of the program then, 0: not known */
};

struct dtx_commands {
    struct dtx_command *entry;
    size_t count; /* a power of two */
    uint64_t used, forgotten;
};

/* Room for 'count' commands, rounded up. False when out of memory. */
bool dtx_commands_init(struct dtx_commands *c, size_t count);
void dtx_commands_free(struct dtx_commands *c);
/* NULL when it was not seen or is forgotten. */
const struct dtx_command *dtx_commands_find(const struct dtx_commands *c,
                                            struct dtx_key k);
void dtx_commands_learn(struct dtx_commands *c, struct dtx_key k, double y,
                        uint32_t when, uint32_t mark);
/* It was ended by force after so many seconds. */
void dtx_commands_cut(struct dtx_commands *c, struct dtx_key k,
                      double seconds);
/* An entry of another table: where it is the later one it moves the average, as
 * its outcomes would have. */
void dtx_commands_add(struct dtx_commands *c, const struct dtx_command *e);

#endif

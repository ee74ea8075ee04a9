/* SPDX-License-Identifier: MIT */
/* predict/usage.h - what the tasks of a class use: their profile
 *
 * Sums over the attempts of each class (its template, predict/features.h) that
 * went well and were measured: how much of its cores it uses, how long it waits
 * for devices, its instructions per cycle, misses per instruction, bytes from
 * memory and peak of memory.  What was never measured is absent, never 0.
 *
 * The first DTX_USAGE_CLASSES classes have a place; what others did is only
 * counted.  The same outcomes in the same order give the same profiles.
 *
 *     struct dtx_usages u = {0};
 *     dtx_usages_add(&u, &features, &outcome, cpus);
 *     dtx_usages_tell(&u, &buf);
 *     dtx_usages_free(&u);
 */
#ifndef DTX_PREDICT_USAGE_H
#define DTX_PREDICT_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "predict/features.h"
#include "predict/sketch.h"

struct dtx_buf;
struct dtx_outcome;

#define DTX_USAGE_CLASSES 64u
#define DTX_USAGE_LINE 64.0 /* bytes that a miss brings */

/* A class is spoken of ... */
#define DTX_USAGE_LEAST 5u       /* after so many attempts ... */
#define DTX_USAGE_MEAN_S 0.1     /* of so many seconds each, as starting a
                                    process is no work of its own, ... */
#define DTX_USAGE_PART 0.1       /* that took this part of all slots' time */
#define DTX_USAGE_WAITS 0.5      /* it waits: it uses less of its cores */
#define DTX_USAGE_CPU_S 0.01     /* of a core that others may have kept it from,
                                    on average; with less it needs none */
#define DTX_USAGE_MEMORY_BPS 2e9 /* it is bound by memory: it takes as many
                                    bytes a second per core from there, ... */
#define DTX_USAGE_MEMORY_IPC 1.0 /* with fewer instructions per cycle */
#define DTX_USAGE_FULL 0.9       /* it fills a node: as many of its tasks as may
                                    run there at once hold this part of its
                                    memory */

/* Zero is "nothing yet" for each sum. */
struct dtx_usage {
    uint64_t key, n;
    double slot_s, wall_s, cpu_s;
    double io_wall_s, io_s;     /* of those whose waiting was measured */
    double cycles, cycles_done; /* and instructions in these cycles */
    double misses, misses_done; /* and instructions beside these misses */
    double waited, preempted;   /* times that it left a core: by itself, or
                                   since others were to have it */
    uint64_t peak_kib;
    uint64_t asked;  /* bytes: the least that one asked for; 0: one did not */
    uint32_t cpus;   /* the least that one had */
    struct dtx_sketch bandwidth; /* logarithms of bytes a second per core */
    char text[DTX_FEATURE_TEMPLATE];
};

struct dtx_usages {
    struct dtx_usage *of; /* DTX_USAGE_CLASSES of them, or NULL */
    uint32_t n;
    uint64_t beyond;      /* attempts of classes that have no place */
    double slot_s;        /* of all that were added */
};

enum dtx_usage_trait {
    DTX_USAGE_CPU,    /* share of its cores that it uses */
    DTX_USAGE_IO,     /* share of its time that it waits for devices */
    DTX_USAGE_IPC,    /* instructions per cycle */
    DTX_USAGE_MISSES, /* of the last cache, per instruction */
    DTX_USAGE_BYTES,  /* a second per core from memory: misses times the 64 of
                         a line; of ten attempts the one that got the second
                         most, as among many each sees only its share */
    DTX_USAGE_PEAK    /* bytes of memory that the largest held */
};

/* One of a class that went well and was measured: else nothing. As
 * dtx_usages_add, for those who keep their classes themselves. */
void dtx_usage_add(struct dtx_usage *c, const struct dtx_outcome *o,
                   uint32_t cpus, uint64_t asked);
void dtx_usages_free(struct dtx_usages *u);
/* An attempt has ended that had 'cpus' slots, and for which 'asked' bytes of
 * memory were kept (0: none). False: out of memory, and it is as if it had not
 * been added. */
bool dtx_usages_add(struct dtx_usages *u, const struct dtx_features *f,
                    const struct dtx_outcome *o, uint32_t cpus,
                    uint64_t asked);
/* The profile of a class; NULL: it has none (yet). It stays where it is. */
const struct dtx_usage *dtx_usages_find(const struct dtx_usages *u,
                                        uint64_t class_key);

/* False: it was not measured, and '*value' is as it was. */
bool dtx_usage_get(const struct dtx_usage *c, enum dtx_usage_trait what,
                   double *value);
/* It waits for something else than a core: it uses little of its own, and is
 * not likely to have been kept from it by others: it was preempted at most half
 * as often as it went by itself, or needs next to nothing of a core. */
bool dtx_usage_waits(const struct dtx_usages *u, const struct dtx_usage *c);
bool dtx_usage_bound(const struct dtx_usages *u, const struct dtx_usage *c);

struct dtx_usage_node {
    uint64_t bytes; /* of memory; 0: not known */
    uint32_t slots;
};
/* Could tasks of it fill the memory of such a node, as far as what they ask for
 * does not prevent it? '*at_once' of them may run there. */
bool dtx_usage_fills(const struct dtx_usage *c,
                     const struct dtx_usage_node *node, uint64_t *at_once);
/* The summary's lines: of classes that wait, or are bound by memory, the first
 * five; and of those that fill a node, with what to do. */
void dtx_usages_tell(const struct dtx_usages *u,
                     const struct dtx_usage_node *node, struct dtx_buf *b);

#endif

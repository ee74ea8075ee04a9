/* SPDX-License-Identifier: MIT */
/* predict/features.h - what a command says about its cost
 *
 * A command becomes keys to look experience up by, from the narrowest to the
 * widest, and features to compare it by with others of its class:
 *
 *   exact    the command's bytes
 *   class    its template: the program, its flags and the shapes of its
 *            arguments ("sort -n # *.txt+"): a number is #, a file is * with
 *            its suffix, another word is @, of equal shapes in a row there is
 *            one with a +
 *   program  the program's name, with the script's where it is an interpreter
 *
 * Numbers are the sizes of files it names, the numbers among its arguments and
 * those inside them, and how many words there are, all as logarithms; words
 * (which are not compared but told apart) are the hashes of the others.
 */
#ifndef DTX_PREDICT_FEATURES_H
#define DTX_PREDICT_FEATURES_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

#define DTX_FEATURE_NUMBERS 16
#define DTX_FEATURE_WORDS 8
#define DTX_FEATURE_TEMPLATE 160 /* bytes, the NUL included */
#define DTX_FEATURE_LOOKUPS 16   /* files of one command that are asked for */

/* Bytes of the file called 'name' ('len' bytes, no NUL), or below 0 when it is
 * not known. Asked at most DTX_FEATURE_LOOKUPS times a command. */
typedef int64_t (*dtx_size_of_f)(void *ctx, const char *name, size_t len);

struct dtx_features {
    struct dtx_key exact;
    uint64_t class_key, program_key;
    float x[DTX_FEATURE_NUMBERS]; /* x[0]: all files together, x[1]: words */
    uint32_t word[DTX_FEATURE_WORDS]; /* 0 = there is none */
    uint32_t host;                /* hash of where it runs, 0 = not known */
    uint32_t mark;                /* of the program's file, 0 = not known; by
                                     the caller: dtx_features_mark */
    uint16_t name_at, name_len;   /* where the command names that file */
    uint16_t program_len;         /* of 'text' */
    char text[DTX_FEATURE_TEMPLATE]; /* the template, cut to fit, and fit for a
                                        terminal */
};

/* 'size_of' may be NULL: no sizes. 'host' may be NULL: not known yet. */
void dtx_features_of(const char *command, size_t len, const char *host,
                     dtx_size_of_f size_of, void *ctx,
                     struct dtx_features *out);
uint32_t dtx_features_host(const char *host); /* NULL or "": 0 */
/* Of a program's file, as it was last changed: never 0. */
uint32_t dtx_features_mark(int64_t mtime_ns, int64_t bytes);

#define DTX_CALL_FEATURES 8u /* numbers that a program may give with a call */

/* A call of a program's kernel, before it ends. */
struct dtx_kernel_call {
    const char *kernel;
    uint64_t bytes;  /* of its input */
    double hint;     /* what the program thinks that it costs; 0: nothing */
    const double *x; /* what else the program says, nx numbers of any sign */
    uint32_t nx;     /* beyond DTX_CALL_FEATURES they do not count */
};

/* The class is the kernel, calls with a hint apart from those without one. */
void dtx_features_of_call(const struct dtx_kernel_call *c,
                          struct dtx_features *out);

#endif

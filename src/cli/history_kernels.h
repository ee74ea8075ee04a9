/* SPDX-License-Identifier: MIT */
/* cli/history_kernels.h - what a program's kernels took, in a history
 *
 * The file that the library keeps (its option learned=) is imported as a whole,
 * in place of what it said the last time.
 */
#ifndef DTX_CLI_HISTORY_KERNELS_H
#define DTX_CLI_HISTORY_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

struct dtx_buf;
struct dtx_error;
struct dtx_experience;
struct dtx_history_names;
struct dtx_predictor;

/* Does it begin like one? */
bool dtx_kernels_is_file(const char *path);
/* Is it one, which only 'import' takes? Then 'err' says so, of the command
 * 'who'. */
bool dtx_kernels_refuse(const char *path, const char *who,
                        struct dtx_error *err);
/* What tells it from others, wherever it is called from: of its name. */
int dtx_kernels_id(const char *path, char id[33], struct dtx_error *err);
/* All of it, learned by 'p' and kept in 'keep'. */
int dtx_kernels_import(const char *path, struct dtx_predictor *p,
                       struct dtx_experience *keep, struct dtx_error *err);
/* A line for each loop of the history whose kernel has 'pattern' (NULL: any) in
 * its name, into 'others' the names that lack it; as JSON, elements of a list
 * that has '*n' already. '*n' counts them, too. */
int dtx_kernels_show(const char *dir, const char *pattern, bool json, size_t *n,
                     struct dtx_buf *out, struct dtx_history_names *others,
                     struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* lib/diary.h - what a work has done, in a file, so that a later run of the
 *               program need not do it again
 *
 * Rank 0's.  A journal (store/journal.h) of KCALL, KSPAN and KTASK records
 * (wire/tables.h).  Loops are known by their order: the n-th of a work must be
 * the same call as the n-th that the journal has.  Tasks are known by a hash of
 * kernel and input, and their occurrence.  Results stay in the file until they
 * are asked for.
 */
#ifndef DTX_LIB_DIARY_H
#define DTX_LIB_DIARY_H

#include <stdint.h>

#include "wire/codec.h"

struct dtx_diary;
struct dtx_error;

/* Make it, or read what it has and open it to append. */
int dtx_diary_open(const char *path, struct dtx_diary **out,
                   struct dtx_error *err);
/* Sync, and close. NULL is allowed. */
void dtx_diary_close(struct dtx_diary *d);
int dtx_diary_sync(struct dtx_diary *d, struct dtx_error *err);

/* The next loop begins: 'call' says which. DTX_EMISMATCH: the journal has
 * another one in its place, or is of tasks. */
int dtx_diary_call(struct dtx_diary *d, struct dtx_str call,
                   struct dtx_error *err);
/* The results of iterations first .. first+count-1, counted from the loop's
 * begin, of the present loop, as an earlier run has left them. */
typedef int (*dtx_diary_span_f)(void *ctx, uint64_t first, uint64_t count,
                                struct dtx_str results);
int dtx_diary_replay(struct dtx_diary *d, dtx_diary_span_f span, void *ctx,
                     struct dtx_error *err);
int dtx_diary_span(struct dtx_diary *d, uint64_t first, uint64_t count,
                   struct dtx_str results, struct dtx_error *err);

/* Tasks are to be run. DTX_EMISMATCH: the journal is of loops. */
int dtx_diary_tasks(const struct dtx_diary *d, struct dtx_error *err);
/* Task 'id' of this run has this hash: 0, or where its output is. */
uint64_t dtx_diary_submit(struct dtx_diary *d, uint64_t id, uint64_t key);
/* Append the output to 'out'. */
int dtx_diary_output(struct dtx_diary *d, uint64_t at, struct dtx_buf *out,
                     struct dtx_error *err);
/* Task 'id' has succeeded; nothing is written when the journal has it. */
int dtx_diary_task(struct dtx_diary *d, uint64_t id, struct dtx_str out,
                   struct dtx_error *err);

#endif

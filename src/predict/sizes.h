/* SPDX-License-Identifier: MIT */
/* predict/sizes.h - sizes of files, told by a list, known only in time
 *
 * For replaying a log whose files are not there any more: lines of name, tab,
 * bytes, tab, Seq of the task that writes the file, or 0 when it was there from
 * the start.  A size is told only once its writer is done, never from the
 * future.
 */
#ifndef DTX_PREDICT_SIZES_H
#define DTX_PREDICT_SIZES_H

#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_sizes;

/* Read 'len' bytes; 'name' is used in messages ("NAME:LINE: ..."). NULL and
 * 'err' filled on failure. */
struct dtx_sizes *dtx_sizes_read(const char *name, const char *text,
                                 size_t len, struct dtx_error *err);
void dtx_sizes_destroy(struct dtx_sizes *s); /* NULL is allowed */
/* Task 'seq' is done: what it wrote is known from now on. 0 or DTX_ENOMEM. */
int dtx_sizes_done(struct dtx_sizes *s, uint64_t seq);
/* A dtx_size_of_f; 'ctx' is the struct dtx_sizes. A leading "./" of the name
 * is passed over. */
int64_t dtx_sizes_of(void *ctx, const char *name, size_t len);

#endif

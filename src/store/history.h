/* SPDX-License-Identifier: MIT */
/* store/history.h - the directory of what jobs have learned, in HDF5
 *
 * One file a job, ID.h5, written beside and renamed, so that no crash can
 * damage what was there; jobs need no lock.  What is read is all of them,
 * merged in the order they were made.  A file made by compacting others names
 * them, and those count no more.  doc/history.md tells what is in a file.
 *
 * A damaged or foreign file is skipped, with a warning that names it.
 */
#ifndef DTX_STORE_HISTORY_H
#define DTX_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_experience;

#define DTX_HISTORY_VERSION 1
#define DTX_HISTORY_ID 33      /* bytes of an id, NUL included */
#define DTX_HISTORY_FEW 36     /* files beyond which they are compacted */

/* A file of a history. */
struct dtx_history_file {
    char id[DTX_HISTORY_ID];
    char what[256];       /* what it comes from, for people */
    int64_t made_ns;      /* since 1970 */
    bool open;            /* the job was running when it was written */
    uint64_t outcomes, classes;
    uint64_t bytes;       /* on disk */
};

typedef void (*dtx_history_warn_f)(void *ctx, const char *text);
typedef int (*dtx_history_file_f)(void *ctx, const struct dtx_history_file *f,
                                  struct dtx_error *err);
typedef int (*dtx_history_rows_f)(void *ctx, const struct dtx_history_file *f,
                                  const struct dtx_experience *e,
                                  struct dtx_error *err);

/* What of a file is wanted. */
enum { DTX_HISTORY_MODELS = 1, DTX_HISTORY_OUTCOMES = 2 };

/* Two numbers as an id. */
void dtx_history_id(uint64_t hi, uint64_t lo, char id[DTX_HISTORY_ID]);
/* Make the directory, parents included, where it is not there. */
int dtx_history_make(const char *dir, struct dtx_error *err);
/* Is there a file with this id? */
bool dtx_history_has(const char *dir, const char *id);
/* Each file that counts, in the order they were made. A directory that is not
 * there has none. */
int dtx_history_each(const char *dir, dtx_history_file_f fn, void *ctx,
                     dtx_history_warn_f warn, void *warn_ctx,
                     struct dtx_error *err);
/* The rows of each, one file after the other. */
int dtx_history_read(const char *dir, unsigned what, dtx_history_rows_f fn,
                     void *ctx, dtx_history_warn_f warn, void *warn_ctx,
                     struct dtx_error *err);
/* Write the file f->id. An earlier one with that id is replaced. */
int dtx_history_write(const char *dir, const struct dtx_history_file *f,
                      const struct dtx_experience *e, struct dtx_error *err);
/* Write 'f', made of those 'n' files, and remove them. */
int dtx_history_compact(const char *dir, const struct dtx_history_file *f,
                        const struct dtx_experience *e,
                        const char (*source)[DTX_HISTORY_ID], size_t n,
                        struct dtx_error *err);
int dtx_history_remove(const char *dir, const char *id, struct dtx_error *err);

#endif

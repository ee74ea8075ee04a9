/* SPDX-License-Identifier: MIT */
/* run/learn.h - rank 0 learns what tasks cost, and says so beforehand
 *
 * Begins with the history, predicts the tasks of the list, learns from each
 * outcome, writes the job's own file of the history now and then while it runs
 * and once at the end, and tells what it was worth.  The history itself is
 * reached through functions, so that the library need not link HDF5.
 *
 * Predicting costs at most half a second at the start (tasks of a live list,
 * that and a hundredth of the time gone), and asking the sizes of files as
 * much; what is not asked then is predicted by class, without sizes.  A file
 * that was written after its task began says nothing about what the task found.
 * What waits is predicted anew as outcomes come in, with half a hundredth of
 * rank 0's time, and as much is spent on learning: outcomes that come faster
 * wait, at most to the end of the job.
 */
#ifndef DTX_RUN_LEARN_H
#define DTX_RUN_LEARN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/event.h"
#include "engine/master.h"
#include "store/history.h"

struct dtx_buf;
struct dtx_error;
struct dtx_experience;
struct dtx_features;
struct dtx_job;
struct dtx_learn;
struct dtx_outcome;

struct dtx_archive {
    int (*make)(const char *dir, struct dtx_error *err);
    int (*read)(const char *dir, unsigned what, dtx_history_rows_f fn,
                void *ctx, dtx_history_warn_f warn, void *warn_ctx,
                struct dtx_error *err);
    int (*write)(const char *dir, const struct dtx_history_file *f,
                 const struct dtx_experience *e, struct dtx_error *err);
    int (*runfile)(const char *run_dir, struct dtx_error *err);
    int (*tidy)(const char *dir, size_t *files, struct dtx_error *err);
};

/* Which history jobs use; NULL: none. Set once, by the program. */
void dtx_learn_archive(const struct dtx_archive *a);

/* The id of a job's file in a history: of its run directory, absolute, which is
 * the same one in all its sessions. */
void dtx_learn_id(const char *run_dir, char id[DTX_HISTORY_ID]);

/* DTX_EINVAL when --history names what cannot be a directory; one that is not
 * there yet will be made. */
int dtx_learn_check(const char *dir, struct dtx_error *err);
/* 'dir' is --history: a directory, "none", or NULL for none. '*out' is NULL
 * where there is none; what is wrong with the history is only worth a warning,
 * given by itself. 'job' is borrowed. */
int dtx_learn_begin(const char *dir, const struct dtx_job *job,
                    struct dtx_learn **out, struct dtx_error *err);
/* Tasks of a live list have come: add what they will cost to the event, valid
 * until the next call. */
void dtx_learn_arrive(struct dtx_learn *l, enum dtx_late late,
                      struct dtx_arrival *a);
/* Predicted seconds of each task, below 0 where nothing is known; NULL when
 * nothing is known of any. Of so many tasks, valid until more arrive. */
const float *dtx_learn_costs(const struct dtx_learn *l);
uint32_t dtx_learn_count(const struct dtx_learn *l);
/* Between what nine of ten lie, likewise. */
void dtx_learn_bounds(const struct dtx_learn *l, const float **low,
                      const float **high);
/* Now and then: predict what waits anew. True when there is something to tell
 * the master, in 'out', valid until the next call. */
bool dtx_learn_again(struct dtx_learn *l, const struct dtx_master *m,
                     enum dtx_late late, struct dtx_costs *out);
/* An attempt has ended on 'host' (borrowed to the end). */
void dtx_learn_ended(struct dtx_learn *l, const struct dtx_outcome *o,
                     const char *host);
/* Add the row of an outcome on 'host' to 'e'. 0 or DTX_ENOMEM. */
int dtx_learn_keep(struct dtx_experience *e, const struct dtx_outcome *o,
                   const char *host, const struct dtx_features *f);
/* Now and then: checkpoints. */
void dtx_learn_tick(struct dtx_learn *l);
/* The job has come to its end: write the history; the summary's lines. */
void dtx_learn_finish(struct dtx_learn *l, uint32_t slots, struct dtx_buf *b);
/* The journal is complete: write run.h5 from it. */
void dtx_learn_runfile(const struct dtx_learn *l, const char *run_dir);
void dtx_learn_destroy(struct dtx_learn *l); /* NULL is allowed */

#endif

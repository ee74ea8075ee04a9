/* SPDX-License-Identifier: MIT */
/* run/report.h - what the person at the terminal is told
 *
 * Counts outcomes while the job runs, draws the progress line, and writes the
 * closing summary: what ran where, how well it was balanced, how far the
 * makespan is from its lower bound, and the first failures with the last lines
 * of their stderr.
 */
#ifndef DTX_RUN_REPORT_H
#define DTX_RUN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_master;
struct dtx_outcome;
struct dtx_report;
struct dtx_tasklist;

struct dtx_report_config {
    const struct dtx_master *master;   /* borrowed */
    const struct dtx_tasklist *list;   /* borrowed */
    const char *run_dir;               /* borrowed */
    uint32_t epoch;
    uint32_t nranks;
    bool bar;    /* draw the progress line */
    bool tty;    /* on a terminal: over and over in place */
    bool gone;   /* the line tells the time gone */
    /* For the lower bound: what all nodes have for tasks, 0 where nothing is
     * known; and what tasks ask for that do not say. */
    int64_t mem_bytes;
    uint64_t gpus;
    int64_t mem_each;
    uint32_t gpus_each;
    /* Of a rank that never came; either may be NULL. */
    const char *(*host)(void *ctx, uint32_t rank);
    bool (*unfit)(void *ctx, uint32_t rank); /* --node-setup failed there */
    /* How a rank was lost ("signal 9"), or NULL: it was not. May be NULL */
    const char *(*cause)(void *ctx, uint32_t rank);
    /* When it will be done, for the progress line, or NULL: no claim. May be
     * NULL */
    const char *(*left)(void *ctx);
    void *ctx;
};

struct dtx_report *dtx_report_create(const struct dtx_report_config *c);
void dtx_report_destroy(struct dtx_report *r); /* NULL is allowed */

/* An attempt has ended (its record is written). */
void dtx_report_ended(struct dtx_report *r, const struct dtx_outcome *o,
                      bool final);
/* Append the progress line's next text to 'b', if one is due: on a terminal
 * twice a second, in so many columns; otherwise a line each ten seconds. */
void dtx_report_line(struct dtx_report *r, int64_t now_ns, int columns,
                     struct dtx_buf *b);
/* Append what wipes the progress line. */
void dtx_report_wipe(struct dtx_report *r, struct dtx_buf *b);
/* Append, as a sentence, how a rank was lost, and what became of its tasks;
 * false when it was not, or had not come. */
bool dtx_report_lost(const struct dtx_report *r, uint32_t rank,
                     struct dtx_buf *b);
/* Append the summary. 'makespan_ns' from the first start to the last end. */
void dtx_report_summary(struct dtx_report *r, int64_t makespan_ns,
                        struct dtx_buf *b);

#endif

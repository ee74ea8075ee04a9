/* SPDX-License-Identifier: MIT */
/* run/forecast.h - rank 0 says when the job will be done, and is held to it
 *
 * From the learner's predictions and what the master knows of each task: at the
 * start, again every ten seconds while it runs (for the progress line, and in
 * the log when the risk of missing the deadline becomes another), and at the
 * end the first word beside what happened.  Of a live list it speaks of what
 * has come, and is held to what it says when the list has ended.  As long as of
 * some task nothing is known there is no claim.  What waits for other tasks
 * counts as if it did not.
 */
#ifndef DTX_RUN_FORECAST_H
#define DTX_RUN_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_forecast;
struct dtx_learn;
struct dtx_master;
struct dtx_tasklist;

struct dtx_forecast_config { /* all borrowed */
    const struct dtx_learn *learn;
    const struct dtx_master *master;
    const struct dtx_tasklist *list;
    uint32_t nranks;
    uint32_t slots;  /* until ranks have come */
    int64_t kept_ns; /* before a deadline, in which nothing runs any more */
};

/* NULL when out of memory. */
struct dtx_forecast *dtx_forecast_create(const struct dtx_forecast_config *c);
void dtx_forecast_destroy(struct dtx_forecast *f); /* NULL is allowed */

/* The deadline of the wall clock, INT64_MAX for none; anew. */
void dtx_forecast_deadline(struct dtx_forecast *f, int64_t wall_ns);
/* The job begins: log what is expected, if anything is. */
void dtx_forecast_begin(struct dtx_forecast *f);
/* Now and then. */
void dtx_forecast_tick(struct dtx_forecast *f);
/* For the progress line: "done 14:10 to 14:55, 38 % risk of missing 14:30";
 * NULL: no claim. Valid until the next call. */
const char *dtx_forecast_line(const struct dtx_forecast *f);
/* The job is over at 'wall_ns', with all done or not: the summary's lines. */
void dtx_forecast_score(const struct dtx_forecast *f, int64_t wall_ns,
                        bool all_done, bool by_deadline, struct dtx_buf *b);

/* "finishes 14:10 to 14:55 (90 %)", and with a deadline "; the time ends 14:30,
 * for tasks 14:29: 38 % risk of missing it, 41 tasks at risk". Points of time
 * since 1970; 'kept_ns' as above. */
struct dtx_verdict;
void dtx_forecast_text(const struct dtx_verdict *v, int64_t now_ns,
                       int64_t deadline_ns, int64_t kept_ns,
                       struct dtx_buf *b);

/* "14:10", with seconds when that matters, with the date when it is not that of
 * 'now_ns'. */
void dtx_forecast_time(struct dtx_buf *b, int64_t ns, int64_t now_ns,
                       bool soon);
/* Do seconds matter, of what is so far away? */
bool dtx_forecast_soon(double seconds);
/* So much after 'now_ns', at most a thousand million seconds. */
int64_t dtx_forecast_later(int64_t now_ns, double seconds);

#endif

/* SPDX-License-Identifier: MIT */
/* run/show.h - results on stdout and in the joblog, by a thread of rank 0
 *
 * Shows outcomes in the order in which they were pushed: a line in the joblog
 * for the last attempt of a task, and its output: stdout in one piece, stderr
 * behind it on stderr.  Lines do not wait for outputs.  A slow or absent reader
 * holds up nobody but this thread: of an output that waits 64 bytes are kept
 * in memory at most (and of those of other nodes 4 MiB in all), of a task
 * without output nothing.  Outputs written on rank 0's node are read from
 * out/; those of other nodes are pulled from the rank that has them, by the
 * main thread, a bounded number of bytes at a time (the texts of --tag come
 * from the main thread as well, since the task list is its own):
 *
 *     while (dtx_show_want(s, &w)) send a PULL to w.rank;
 *     on DATA: dtx_show_feed(s, off, data, len);
 *
 * Lines of tasks that still run (--line-buffer) are shown among the outputs, in
 * the order in which they were pushed; of the output that follows them only
 * what was not shown yet. Their bytes are in memory until they are written:
 * dtx_show_spent tells when, so that who sends them can bound them.
 *
 * With keep_order outputs are shown in the order of the tasks, of each task
 * that of its final attempt.  What has come before its turn waits as an entry
 * of those 64 bytes.  Tasks that have nothing to show do not hold up others:
 * is_settled tells.
 */
#ifndef DTX_RUN_SHOW_H
#define DTX_RUN_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/outcome.h"
#include "task/task.h"

struct dtx_buf;
struct dtx_error;
struct dtx_lines_piece;
struct dtx_show;

#define DTX_SHOW_PIECE (256u << 10) /* bytes pulled at once */

struct dtx_show_config {
    const char *run_dir; /* borrowed, as everything here */
    uint32_t epoch;
    const struct dtx_tasklist *list;
    bool output;         /* write tasks' outputs to stdout and stderr */
    uint32_t passing;    /* outputs of so many ranks may be such as are not
                            kept: their segments are removed when they have
                            been shown; 0: there are none */
    bool wipe;           /* a progress line may stand on the terminal: wipe it
                            before an output */
    const char *joblog;  /* path, or NULL */
    bool append;         /* to the joblog (a resumed job) */
    bool lines;          /* dtx_show_lines will be called */
    bool keep_order;     /* show in the order of the tasks */
    /* keep_order: will nothing more be pushed for this task? False for one
     * that is not known yet. */
    bool (*is_settled)(void *ctx, uint32_t task);
    /* Append what each line of the task's output is to begin with; NULL:
     * nothing. Main thread alone. */
    void (*tag_of)(void *ctx, uint32_t task, struct dtx_buf *b);
    bool live; /* commands are forgotten: tags are made when pushed, not when
                  their turn comes */
    const char *(*host)(void *ctx, uint32_t rank); /* a rank's host name */
    bool (*is_near)(void *ctx, uint32_t rank); /* on rank 0's node? */
    void (*notify)(void *ctx); /* from the thread: something is wanted, or all
                                  has been shown */
    void *ctx;
};

int dtx_show_start(const struct dtx_show_config *c, struct dtx_show **out,
                   struct dtx_error *err);
/* Also counts as shown when nothing is to be printed. 0 or DTX_ENOMEM. */
int dtx_show_push(struct dtx_show *s, const struct dtx_outcome *o, bool final);
/* Lines of an attempt that has not been pushed, by 'rank'; never with
 * keep_order. False: they need no room, and dtx_show_spent will not tell of
 * them (they do not go on where the last ones ended, nobody reads this stream,
 * or there is no memory: then they are shown with the output). */
bool dtx_show_lines(struct dtx_show *s, uint32_t rank,
                    const struct dtx_lines_piece *p);
/* Lines of 'rank' have been written, so many bytes; false: none since. */
bool dtx_show_spent(struct dtx_show *s, uint32_t *rank, uint64_t *bytes);
/* keep_order: after all outcomes of a step of the master have been pushed, hand
 * on those whose turn has come. */
void dtx_show_settle(struct dtx_show *s);
/* keep_order: nothing more will be pushed; what waits behind a gap is shown. */
void dtx_show_end(struct dtx_show *s);
/* Give the thread the tags it waits for. */
void dtx_show_tend(struct dtx_show *s);

struct dtx_show_want {
    uint32_t rank;
    uint64_t off;
    uint32_t len;
};
bool dtx_show_want(struct dtx_show *s, struct dtx_show_want *out);
/* No bytes: they cannot be had. */
void dtx_show_feed(struct dtx_show *s, uint32_t rank, uint64_t off,
                   const void *data, size_t len);
/* Has everything pushed been shown? */
bool dtx_show_idle(struct dtx_show *s);
/* Once stdout, stderr or the joblog could not be written for another reason
 * than that its reader has left: DTX_ENOSPC, ...; it has been logged. */
int dtx_show_error(struct dtx_show *s);
/* End the thread, within seconds also where nobody reads (outputs that cannot
 * be shown at once are dropped), and free. */
void dtx_show_stop(struct dtx_show *s); /* NULL is allowed */

/* The header and a line of a joblog, appended to 'b' (GNU parallel's nine
 * columns). */
void dtx_joblog_header(struct dtx_buf *b);
void dtx_joblog_line(struct dtx_buf *b, const struct dtx_outcome *o,
                     const char *host, const char *command, size_t len);

#endif

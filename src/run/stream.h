/* SPDX-License-Identifier: MIT */
/* run/stream.h - a live task list: standard input, or a FIFO
 *
 * A thread reads the descriptor, so that whoever writes there can keep nobody
 * waiting but that thread.  The main thread takes what has come, parses it line
 * by line, adds the tasks to the job's list, hands them to the journal - in the
 * order of its records, so before any outcome of theirs - and gets the event
 * for the master.
 *
 * Reading ahead is bounded: with DTX_STREAM_TASKS tasks or DTX_STREAM_BYTES of
 * commands that have not ended nothing more is taken, and the writer of a pipe
 * waits.  A bad line ends the stream; what stood before it counts.
 */
#ifndef DTX_RUN_STREAM_H
#define DTX_RUN_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_carrier;
struct dtx_error;
struct dtx_event;
struct dtx_needs;
struct dtx_tasklist;
struct dtx_taskstream;
struct dtx_writer;

#define DTX_STREAM_TASKS 100000u
#define DTX_STREAM_BYTES (UINT64_C(64) << 20)

struct dtx_taskstream_config {
    int fd;                    /* borrowed */
    const char *name;          /* in messages; borrowed */
    struct dtx_tasklist *list; /* live and empty; borrowed, and grows */
    uint32_t most_cpus;        /* no task may ask for more */
    const struct dtx_needs *needs; /* nor for what it does not have; or NULL */
    struct dtx_writer *writer; /* of the journal; NULL = no journal */
    struct dtx_carrier *carrier; /* what earlier sessions did, or NULL */
    const char *cwd;             /* of the job; for the carrier */
    bool again;                  /* failed tasks run once more */
    uint64_t most_tasks;         /* 0 = DTX_STREAM_TASKS */
    uint64_t most_bytes;         /* 0 = DTX_STREAM_BYTES */
    void (*notify)(void *ctx);   /* something has come, or is left to look at;
                                    from the thread, or within _next */
    void *ctx;
};

int dtx_taskstream_start(const struct dtx_taskstream_config *c,
                         struct dtx_taskstream **out, struct dtx_error *err);
/* What has come since: true and '*ev' is TASKS or CLOSED, valid until the next
 * call. A bad line is logged. '*failed' is set when memory is out or the
 * journal cannot be told. */
bool dtx_taskstream_next(struct dtx_taskstream *s, struct dtx_event *ev,
                         bool *failed);
/* Read no more: the job is stopping. */
void dtx_taskstream_stop(struct dtx_taskstream *s);
/* Was a line bad, or could it not be read? */
bool dtx_taskstream_bad(const struct dtx_taskstream *s);
/* Did it come to its end? */
bool dtx_taskstream_ended(const struct dtx_taskstream *s);
void dtx_taskstream_destroy(struct dtx_taskstream *s); /* NULL is allowed */

#endif

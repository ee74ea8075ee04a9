/* SPDX-License-Identifier: MIT */
/* store/writer.h - the store thread: all slow writing of a rank
 *
 * One thread that takes jobs in order and never makes the caller wait:
 * packing outputs, appending to the journal (rank 0), renewing the lease and
 * syncing by time (rank 0).  Results are polled; 'notify' is called from the
 * thread when there is one.
 *
 * Records are written in groups: what has gathered is one write.  The thread
 * lets up to a millisecond gather when nobody is waiting ('urgent' false).
 */
#ifndef DTX_STORE_WRITER_H
#define DTX_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/outcome.h"

struct dtx_error;
struct dtx_journal;
struct dtx_output;
struct dtx_output_index;
struct dtx_rundir;
struct dtx_writer;

struct dtx_writer_config {
    struct dtx_output *output;      /* borrowed; NULL: no packing asked */
    struct dtx_journal *journal;    /* borrowed; NULL on ranks but 0 */
    struct dtx_output_index *index; /* borrowed; may be NULL */
    struct dtx_rundir *lease;       /* borrowed; NULL on ranks but 0 */
    int64_t sync_ns;                /* fdatasync the journal at most this late
                                       after a write; 0 = each group */
    void (*notify)(void *ctx);
    void *ctx;
};

/* One packing job: where the bytes are, and whose they are. */
struct dtx_pack {
    struct dtx_outcome outcome; /* out_len, err_len in; place and crc out */
    int out_fd, err_fd;
    int64_t out_start, err_start;
    int32_t capture;            /* handed back untouched */
    int error;                  /* out: 0 or what went wrong */
};

/* What _poll hands out. */
struct dtx_writer_result {
    enum { DTX_WRITER_PACKED, DTX_WRITER_RECORDED, DTX_WRITER_FAILED } kind;
    struct dtx_pack pack;  /* PACKED */
    uint64_t recorded;     /* RECORDED: all records up to this number are in the
                              journal */
    int error;             /* FAILED: the journal cannot be written, or the lease
                              is lost (DTX_ESTALE); nothing more is written */
    char text[256];        /* FAILED: a sentence */
};

int dtx_writer_start(const struct dtx_writer_config *c, struct dtx_writer **out,
                     struct dtx_error *err);
/* 0 or DTX_ENOMEM. */
int dtx_writer_pack(struct dtx_writer *w, const struct dtx_pack *p);
/* Append one payload (copied, framed here). 'number' counts up by one from 1.
 * 'task' is its place in the index, or DTX_NO_TASK. */
int dtx_writer_record(struct dtx_writer *w, uint64_t number, const void *payload,
                      size_t len, uint32_t task, bool urgent);
bool dtx_writer_poll(struct dtx_writer *w, struct dtx_writer_result *out);
/* Finish what was asked, sync, end the thread, free. 0 or the first failure. */
int dtx_writer_stop(struct dtx_writer *w, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* store/writer.h - the store thread: all slow writing of a rank
 *
 * One thread that never makes the caller wait: packing outputs, appending to
 * the journal (rank 0), renewing the lease and syncing by time (rank 0).
 * Packs are done in order, and records are written in order; records do not
 * wait behind packs, nor behind the gigabytes of one.
 *
 * Results are polled.  'notify' is called from the thread when the first one
 * appears after _poll has said false, so poll until it says false.
 *
 * Records are written in groups: what has gathered is one write.  The thread
 * lets up to a millisecond gather when nobody is waiting ('urgent' false).
 *
 * When the journal cannot be written or the lease is lost, that is said once
 * (FAILED); later records are dropped and later packs answered with the error.
 *
 * _pack and _record may be called from several threads, _poll from one.
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
    struct dtx_output *passing;     /* borrowed; for outputs that are not kept;
                                       NULL: they are not even written */
    enum dtx_keep keep;             /* which are; 0: all */
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
    const char *results;        /* also write files whose names begin so
                                   (store/results.h), or NULL; borrowed until
                                   it comes back */
    int32_t capture;            /* handed back untouched */
    bool lazy;                  /* may wait up to a millisecond for company:
                                   saves waking the thread for each of many */
    int error;                  /* out: 0 or what went wrong */
};

/* What _poll hands out. */
struct dtx_writer_result {
    enum { DTX_WRITER_PACKED, DTX_WRITER_RECORDED, DTX_WRITER_FAILED } kind;
    struct dtx_pack pack;  /* PACKED */
    uint64_t recorded;     /* RECORDED: all up to this number are in the
                              journal */
    int error;             /* FAILED: the journal cannot be written, or the
                              lease is lost (DTX_ESTALE); nothing more is
                              written */
    char text[256];        /* FAILED: a sentence */
};

int dtx_writer_start(const struct dtx_writer_config *c, struct dtx_writer **out,
                     struct dtx_error *err);
/* 0 or DTX_ENOMEM. */
int dtx_writer_pack(struct dtx_writer *w, const struct dtx_pack *p);
/* Append one payload (1 .. DTX_JOURNAL_MAX_RECORD bytes, copied, framed here).
 * 'number' counts up by one from 1; 0: a record beside the numbered ones, in
 * its place, which is not answered. 'task' is its place in the index, or
 * DTX_NO_TASK. 0, DTX_ENOMEM, or DTX_EINVAL (length, number, no journal). */
int dtx_writer_record(struct dtx_writer *w, uint64_t number,
                      const void *payload, size_t len, uint32_t task,
                      bool urgent);
/* False when there is nothing (cheap: no lock). A RECORDED speaks for all
 * numbers since the last. */
bool dtx_writer_poll(struct dtx_writer *w, struct dtx_writer_result *out);
/* Finish what was asked, sync, end the thread, free; results not yet polled go
 * with it. 0 or the first failure. */
int dtx_writer_stop(struct dtx_writer *w, struct dtx_error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* store/output.h - outputs of tasks, packed into one file per rank and session
 *
 * out/e<epoch>-r<rank> holds outputs one behind the other: of each task its
 * stdout, then its stderr.  The task's record in the journal says where
 * (offset, the two lengths, CRC-32 over both).  out/index makes looking up a
 * task O(1): 8 bytes per task, the offset of its last outcome's frame in the
 * journal plus one, 0 for none; it is derived, may be stale or missing, and is
 * never trusted without checking the record it points to.
 *
 * Outputs that are not kept (passing: they are only to be shown) go to other
 * files, segments out/e<epoch>-r<rank>.p<number>, some MiB each, so that the
 * space of what has been shown can be given back while the job runs, on any
 * file system.  Their out_off is DTX_OUTPUT_PASSING, and below it the segment
 * and the place in it.  When there is nobody to show them to they are not even
 * written: out_off is DTX_OUTPUT_PASSING alone and the sum is 0.
 */
#ifndef DTX_STORE_OUTPUT_H
#define DTX_STORE_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_outcome;
struct dtx_output;

/* Open this rank's file of this session to append; the file is made at the
 * first byte, so that jobs without output leave none. */
int dtx_output_open(const char *run_dir, uint32_t epoch, uint32_t rank,
                    struct dtx_output **out, struct dtx_error *err);
/* The same for outputs that pass. */
int dtx_output_open_passing(const char *run_dir, uint32_t epoch, uint32_t rank,
                            struct dtx_output **out, struct dtx_error *err);
void dtx_output_close(struct dtx_output *o); /* NULL is allowed */

#define DTX_OUTPUT_SEGMENT (16u << 20) /* a new one begins behind so much */
/* The segment of an out_off that has DTX_OUTPUT_PASSING. */
uint32_t dtx_output_segment(uint64_t out_off);
/* Give its space back, also where it is open. One that is not there is no
 * failure: 0, or DTX_E*. */
int dtx_output_drop_segment(const char *run_dir, uint32_t epoch, uint32_t rank,
                            uint32_t segment);
/* Remove the segments of all sessions; nobody may need them any more. */
void dtx_output_sweep(const char *run_dir);
/* 'fn' (NULL: nothing) is called about once a MiB from within
 * dtx_output_pack, so that a task's gigabytes hold up nothing else that the
 * calling thread has to do. It must not call dtx_output_*. */
void dtx_output_set_progress(struct dtx_output *o, void (*fn)(void *ctx),
                             void *ctx);
/* Copy o->out_len bytes at out_start of out_fd and err_len bytes at err_start
 * of err_fd behind the rest; sets out_off and out_crc. Bounded memory. When the
 * source is shorter than said, the lengths are cut to what was there. On
 * failure (no space) lengths are set to 0 and the error returned: the outcome
 * stands without its output. */
int dtx_output_pack(struct dtx_output *o, struct dtx_outcome *outcome,
                    int out_fd, int64_t out_start, int err_fd,
                    int64_t err_start, struct dtx_error *err);
/* The same in two steps, so that many small outputs cost one write: what was
 * added may be told of, and read, only after a dtx_output_flush that
 * succeeded. When either fails, all that was added since the last flush is
 * lost. */
int dtx_output_add(struct dtx_output *o, struct dtx_outcome *outcome,
                   int out_fd, int64_t out_start, int err_fd,
                   int64_t err_start, struct dtx_error *err);
int dtx_output_flush(struct dtx_output *o, struct dtx_error *err);

enum dtx_stream { DTX_STDOUT, DTX_STDERR };

/* Called with consecutive pieces; non-zero ends and is returned. */
typedef int (*dtx_output_piece_f)(void *ctx, enum dtx_stream s,
                                  const void *data, size_t len);
/* A reader keeps the last few files open; one per thread. */
struct dtx_output_reader;
struct dtx_output_reader *dtx_output_reader_create(const char *run_dir);
void dtx_output_reader_destroy(struct dtx_output_reader *r);
/* Read 'len' bytes at 'off' of the file of (epoch, rank) into 'buf'.
 * DTX_ECORRUPT when they are not there. */
int dtx_output_read(struct dtx_output_reader *r, uint32_t epoch, uint32_t rank,
                    uint64_t off, void *buf, size_t len,
                    struct dtx_error *err);
/* Give a task's whole output in pieces (stdout first) and check its sum at the
 * end: DTX_ECORRUPT when bytes are missing (then no piece was given) or wrong.
 * fn may be NULL: only check. */
int dtx_output_each(struct dtx_output_reader *r, uint32_t epoch,
                    const struct dtx_outcome *o, dtx_output_piece_f fn,
                    void *ctx, struct dtx_error *err);

/* The index. _set by the one writer, _get by anybody. */
struct dtx_output_index;
int dtx_output_index_open(const char *run_dir, struct dtx_output_index **out,
                          struct dtx_error *err);
void dtx_output_index_close(struct dtx_output_index *x); /* NULL is allowed */
int dtx_output_index_set(struct dtx_output_index *x, uint32_t task,
                         uint64_t journal_at);
/* Many at once; sorts 'e'. Of several for a task the last one counts. */
struct dtx_index_entry {
    uint64_t journal_at;
    uint32_t task;
    uint32_t order; /* set by the callee */
};
int dtx_output_index_set_all(struct dtx_output_index *x,
                             struct dtx_index_entry *e, size_t n);
/* Forget all (the task list has changed). */
int dtx_output_index_reset(struct dtx_output_index *x);
/* The journal offset for 'task', or DTX_ENOENT. */
int dtx_output_index_get(const char *run_dir, uint32_t task,
                         uint64_t *journal_at);

#endif

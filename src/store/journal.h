/* SPDX-License-Identifier: MIT */
/* store/journal.h - the append-only truth of a job
 *
 * A file of framed records: a 16-byte header ("DTXJRNL" NUL, u32 version,
 * u32 CRC of the first 12 bytes), then for each record u32 length, u32 CRC-32
 * of the payload, payload; integers little-endian.  A payload has at least one
 * byte, since the zeros that some file systems leave at a torn end would read
 * as empty records.  What a payload means is wire/record.h's business, not
 * known here.
 *
 * A record is whole or it is not there.  Behind a frame that is short or whose
 * checksum is wrong the next whole frame is looked for, byte by byte: if there
 * is one, the stretch between is damage, skipped and told to the reader, and
 * stays in the file.  If there is none, it is the torn end of a write that was
 * cut off, and opening to append cuts it. Nothing whole is ever cut. A file
 * whose header is not ours, or of a newer version, is refused (DTX_EFOREIGN)
 * and never touched. An empty file, or one that ends within a header of ours,
 * is a journal whose making was cut off: no record, and opening to append
 * completes it.
 *
 * Who has it open to append holds a lock where the file system knows locks
 * (DTX_EBUSY otherwise); where it does not, the lease guards (store/rundir.h),
 * and an append that finds bytes of somebody else fails with DTX_ESTALE.
 */
#ifndef DTX_STORE_JOURNAL_H
#define DTX_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_journal;

#define DTX_JOURNAL_VERSION 1u
#define DTX_JOURNAL_MAX_RECORD (16u << 20) /* bytes of one payload */
#define DTX_JOURNAL_HEADER 16u             /* bytes before the first frame */
#define DTX_JOURNAL_FRAME 8u               /* bytes before a payload */

/* Make a new one at 'path' (DTX_EEXIST when something is there), open to
 * append, header written. */
int dtx_journal_create(const char *path, struct dtx_journal **out,
                       struct dtx_error *err);
/* Open an existing one to append; a torn tail is cut, '*cut' (if not NULL) is
 * how many bytes. Damage before the last whole record stays where it is. */
int dtx_journal_open(const char *path, struct dtx_journal **out, uint64_t *cut,
                     struct dtx_error *err);
/* Append records already framed by dtx_journal_frame, by one write where the
 * system allows. '*at' (if not NULL) is the file offset of the first byte.
 * After a failure (no space) the file is cut back to whole records and later
 * calls fail too. */
int dtx_journal_append(struct dtx_journal *j, const void *framed, size_t len,
                       uint64_t *at, struct dtx_error *err);
/* fdatasync. */
int dtx_journal_sync(struct dtx_journal *j, struct dtx_error *err);
/* Bytes in the file so far. */
uint64_t dtx_journal_size(const struct dtx_journal *j);
void dtx_journal_close(struct dtx_journal *j); /* NULL is allowed */

struct dtx_buf;
/* Add 'payload' (1 .. DTX_JOURNAL_MAX_RECORD bytes) to 'b' as one framed
 * record; b->failed on no memory or another length. */
void dtx_journal_frame(struct dtx_buf *b, const void *payload, size_t len);

/* Add a file's header to 'b', for one that is written as a whole. */
void dtx_journal_head(struct dtx_buf *b);

/* Called for each whole record in order: its payload and the file offset of its
 * frame; payload NULL: 'len' damaged bytes at 'at' have been skipped. A
 * non-zero return ends the reading and is returned. */
typedef int (*dtx_journal_record_f)(void *ctx, const void *payload, size_t len,
                                    uint64_t at, struct dtx_error *err);
/* Read all whole records of the file at 'path'. '*torn' (if not NULL) is how
 * many bytes follow the last whole one. */
int dtx_journal_read(const char *path, dtx_journal_record_f fn, void *ctx,
                     uint64_t *torn, struct dtx_error *err);
/* The same over bytes in memory, header included (for tests and fuzzing). */
int dtx_journal_read_bytes(const void *data, size_t len,
                           dtx_journal_record_f fn, void *ctx, uint64_t *torn,
                           struct dtx_error *err);
/* Read the one record whose frame is at 'at': its payload appended to 'out'.
 * DTX_ECORRUPT when there is none. */
int dtx_journal_read_at(const char *path, uint64_t at, struct dtx_buf *out,
                        struct dtx_error *err);

#endif

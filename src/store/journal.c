/* SPDX-License-Identifier: MIT */
/* The journal file; see journal.h.  Decides where whole records begin and end;
 * cuts only what no whole record follows, never looks into a payload, and never
 * writes to a file whose header it does not know. */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "store/file.h"
#include "store/journal_find.h"

#define HEADER 16u
#define PIECE (256u << 10) /* bytes of one read */

struct dtx_journal {
    int fd;
    int failed;    /* the code of the first failure; nothing is written then */
    uint64_t size; /* end of the last whole record */
    char *path;
};

static void make_header(unsigned char h[HEADER])
{
    memcpy(h, "DTXJRNL", 8);
    dtx_file_put32(h + 8, DTX_JOURNAL_VERSION);
    dtx_file_put32(h + 12, dtx_crc32(0, h, 12));
}

/* The first 'len' (at most 16) bytes of a file: ours? A file that ends within
 * a header of ours is one whose making was cut off, and holds no record. */
static int check_header(const char *name, const unsigned char *h, size_t len,
                        struct dtx_error *err)
{
    unsigned char want[HEADER];
    uint32_t version;

    make_header(want);
    if (memcmp(h, want, len < 8 ? len : 8) != 0)
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s is not a journal of distributex", name);
    if (len < HEADER) {
        if (memcmp(h, want, len) == 0)
            return 0;
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s: the header of the journal is damaged", name);
    }
    if (dtx_file_get32(h + 12) != dtx_crc32(0, h, 12))
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s: the header of the journal is damaged", name);
    version = dtx_file_get32(h + 8);
    if (version != DTX_JOURNAL_VERSION)
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s is a journal of version %u; this program "
                             "reads version %u",
                             name, (unsigned)version,
                             (unsigned)DTX_JOURNAL_VERSION);
    return 0;
}

void dtx_journal_head(struct dtx_buf *b)
{
    unsigned char h[HEADER];

    make_header(h);
    dtx_buf_append(b, h, sizeof(h));
}

void dtx_journal_frame(struct dtx_buf *b, const void *payload, size_t len)
{
    unsigned char h[DTX_JOURNAL_FRAME];

    if (len == 0 || len > DTX_JOURNAL_MAX_RECORD) {
        b->failed = true;
        return;
    }
    if (!dtx_buf_reserve(b, len + sizeof(h)))
        return;
    dtx_file_put32(h, (uint32_t)len);
    dtx_file_put32(h + 4, dtx_crc32(0, payload, len));
    dtx_buf_append(b, h, sizeof(h));
    dtx_buf_append(b, payload, len);
}

enum frame { FRAME_WHOLE, FRAME_SHORT, FRAME_BAD };

/* What stands at 'p'. '*need' is the whole frame's length when it is known
 * (8 when not even that is there). */
static enum frame look_at_frame(const unsigned char *p, size_t have,
                                size_t *need)
{
    size_t len;

    *need = DTX_JOURNAL_FRAME;
    if (have < DTX_JOURNAL_FRAME)
        return FRAME_SHORT;
    len = dtx_file_get32(p);
    if (len == 0 || len > DTX_JOURNAL_MAX_RECORD)
        return FRAME_BAD;
    *need = len + DTX_JOURNAL_FRAME;
    if (have < *need)
        return FRAME_SHORT;
    if (dtx_crc32(0, p + DTX_JOURNAL_FRAME, len) != dtx_file_get32(p + 4))
        return FRAME_BAD;
    return FRAME_WHOLE;
}

/* Where a reading stands. */
struct scan {
    dtx_journal_record_f fn;
    void *ctx;
    uint64_t at; /* file offset of the next frame, or behind the last */
};

/* Give out the whole frames at the start of the bytes; '*used' is how many
 * bytes they were, '*need' how many the next one wants. '*bad' when what
 * follows can never become a record. */
static int eat_frames(struct scan *s, const unsigned char *p, size_t len,
                      size_t *used, size_t *need, bool *bad,
                      struct dtx_error *err)
{
    *used = 0;
    *bad = false;
    for (;;) {
        enum frame f = look_at_frame(p + *used, len - *used, need);
        int rc;

        if (f != FRAME_WHOLE) {
            *bad = f == FRAME_BAD;
            return 0;
        }
        rc = s->fn ? s->fn(s->ctx, p + *used + DTX_JOURNAL_FRAME,
                           *need - DTX_JOURNAL_FRAME, s->at, err)
                   : 0;
        if (rc != 0)
            return rc;
        *used += *need;
        s->at += *need;
    }
}

/* All that is left of the data, from a frame that may be bad: give out what is
 * whole. Ends with 'at' behind the last whole frame. */
static int eat_rest(struct scan *s, const unsigned char *p, size_t len,
                    struct dtx_error *err)
{
    struct dtx_frame_finder find;
    size_t at = 0, used, need, next;
    bool bad;
    int rc;

    if (len == 0)
        return 0;
    if (dtx_frame_finder_init(&find, p, len) != 0)
        return dtx_error_set(err, DTX_ENOMEM, "journal: out of memory");
    for (;;) {
        rc = eat_frames(s, p + at, len - at, &used, &need, &bad, err);
        at += used;
        if (rc != 0 || at == len)
            break;
        next = dtx_frame_find(&find, at + 1);
        if (next == len)
            break;
        rc = s->fn ? s->fn(s->ctx, NULL, next - at, s->at, err) : 0;
        if (rc != 0)
            break;
        s->at += next - at;
        at = next;
    }
    dtx_frame_finder_fini(&find);
    return rc;
}

int dtx_journal_read_bytes(const void *data, size_t len,
                           dtx_journal_record_f fn, void *ctx, uint64_t *torn,
                           struct dtx_error *err)
{
    struct scan s = {fn, ctx, HEADER};
    size_t head = len < HEADER ? len : HEADER;
    int rc = len ? check_header("the data", data, head, err) : 0;

    if (rc != 0)
        return rc;
    if (len < HEADER) {
        if (torn)
            *torn = len;
        return 0;
    }
    rc = eat_rest(&s, (const unsigned char *)data + HEADER, len - HEADER, err);
    if (rc == 0 && torn)
        *torn = len - s.at;
    return rc;
}

/* Read the frames of an open file behind its header. Once one is bad, all that
 * follows is read into memory, to be looked through. */
static int scan_frames(int fd, const char *path, struct scan *s,
                       struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    size_t want = PIECE, used, need;
    uint64_t off = s->at;
    bool bad = false;
    int rc = 0;

    while (rc == 0) {
        ssize_t n;

        if (!dtx_buf_reserve(&b, want)) {
            rc = dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
            break;
        }
        n = dtx_file_read(fd, b.data + b.len, want, off);
        if (n < 0) {
            rc = dtx_error_errno(err, "cannot read %s", path);
            break;
        }
        if (n == 0)
            break;
        off += (uint64_t)n;
        b.len += (size_t)n;
        if (bad)
            continue;
        rc = eat_frames(s, (unsigned char *)b.data, b.len, &used, &need, &bad,
                        err);
        dtx_buf_drop(&b, used);
        want = need > b.len + PIECE ? need - b.len : PIECE;
    }
    if (rc == 0)
        rc = eat_rest(s, (unsigned char *)b.data, b.len, err);
    dtx_buf_free(&b);
    return rc;
}

/* Check the header and read all whole records. '*end' is where they end (0
 * when the header itself is not whole), '*size' what the file has. */
static int scan_file(int fd, const char *path, dtx_journal_record_f fn,
                     void *ctx, uint64_t *end, uint64_t *size,
                     struct dtx_error *err)
{
    unsigned char h[HEADER] = {0};
    struct scan s = {fn, ctx, HEADER};
    struct stat st;
    ssize_t n;
    int rc;

    if (fstat(fd, &st) != 0)
        return dtx_error_errno(err, "cannot examine %s", path);
    if (!S_ISREG(st.st_mode))
        return dtx_error_set(err, DTX_EFOREIGN, "%s is not a plain file", path);
    n = dtx_file_read(fd, h, sizeof(h), 0);
    if (n < 0)
        return dtx_error_errno(err, "cannot read %s", path);
    rc = check_header(path, h, (size_t)n, err);
    if (rc != 0)
        return rc;
    *end = 0;
    *size = (uint64_t)n;
    if (n < (ssize_t)sizeof(h))
        return 0;
    rc = scan_frames(fd, path, &s, err);
    if (rc != 0)
        return rc;
    if (fstat(fd, &st) != 0)
        return dtx_error_errno(err, "cannot examine %s", path);
    *end = s.at;
    *size = (uint64_t)st.st_size > s.at ? (uint64_t)st.st_size : s.at;
    return 0;
}

int dtx_journal_read(const char *path, dtx_journal_record_f fn, void *ctx,
                     uint64_t *torn, struct dtx_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    uint64_t end, size;
    int rc;

    if (fd < 0)
        return dtx_error_errno(err, "cannot open %s", path);
    rc = scan_file(fd, path, fn, ctx, &end, &size, err);
    (void)close(fd);
    if (rc == 0 && torn)
        *torn = size - end;
    return rc;
}

int dtx_journal_read_at(const char *path, uint64_t at, struct dtx_buf *out,
                        struct dtx_error *err)
{
    unsigned char h[DTX_JOURNAL_FRAME];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t len = 0;
    ssize_t n;
    int rc = 0;

    if (fd < 0)
        return dtx_error_errno(err, "cannot open %s", path);
    n = at < HEADER || at > INT64_MAX - HEADER
            ? 0
            : dtx_file_read(fd, h, sizeof(h), at);
    if (n == (ssize_t)sizeof(h))
        len = dtx_file_get32(h);
    if (n >= 0 && (len == 0 || len > DTX_JOURNAL_MAX_RECORD))
        rc = DTX_ECORRUPT;
    else if (n >= 0 && !dtx_buf_reserve(out, len))
        rc = dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
    else if (n >= 0)
        n = dtx_file_read(fd, out->data + out->len, len, at + sizeof(h));
    if (n < 0)
        rc = dtx_error_errno(err, "cannot read %s", path);
    else if (rc == 0 &&
             ((size_t)n < len ||
              dtx_crc32(0, out->data + out->len, len) != dtx_file_get32(h + 4)))
        rc = DTX_ECORRUPT;
    if (rc == DTX_ECORRUPT)
        rc = dtx_error_set(err, rc, "%s: no record at byte %llu", path,
                           (unsigned long long)at);
    if (rc == 0)
        out->len += len;
    if (out->data)
        out->data[out->len] = '\0';
    (void)close(fd);
    return rc;
}

/* One writer at a time, where the file system knows locks. */
static int lock_file(int fd, const char *path, struct dtx_error *err)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno == EWOULDBLOCK)
            return dtx_error_set(err, DTX_EBUSY, "another job is writing %s",
                                 path);
        if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS ||
            errno == EINVAL)
            return 0;
        return dtx_error_errno(err, "cannot lock %s", path);
    }
    return 0;
}

static struct dtx_journal *alloc_journal(int fd, const char *path)
{
    struct dtx_journal *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    j->fd = fd;
    j->path = strdup(path);
    if (!j->path) {
        free(j);
        return NULL;
    }
    return j;
}

/* Make the file begin with a whole header and nothing else. */
static int write_header(struct dtx_journal *j, struct dtx_error *err)
{
    unsigned char h[HEADER];

    make_header(h);
    if (ftruncate(j->fd, 0) != 0 ||
        write(j->fd, h, sizeof(h)) != (ssize_t)sizeof(h))
        return dtx_error_errno(err, "cannot write %s", j->path);
    if (fdatasync(j->fd) != 0 && errno != EINVAL && errno != ENOSYS)
        return dtx_error_errno(err, "cannot sync %s", j->path);
    j->size = HEADER;
    return 0;
}

int dtx_journal_create(const char *path, struct dtx_journal **out,
                       struct dtx_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    struct dtx_journal *j;
    int rc;

    if (fd < 0)
        return dtx_error_errno(err, "cannot make %s", path);
    j = alloc_journal(fd, path);
    if (!j) {
        (void)close(fd);
        (void)unlink(path);
        return dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
    }
    rc = lock_file(fd, path, err);
    if (rc == 0)
        rc = write_header(j, err);
    if (rc == 0 && dtx_file_sync_dir(path) != 0)
        rc = dtx_error_errno(err, "cannot sync the directory of %s", path);
    if (rc != 0) {
        if (rc != DTX_EBUSY)
            (void)unlink(path);
        dtx_journal_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

/* Find the end of the last whole record and cut what follows. */
static int cut_tail(struct dtx_journal *j, uint64_t *cut, struct dtx_error *err)
{
    uint64_t end, size;
    int rc = scan_file(j->fd, j->path, NULL, NULL, &end, &size, err);

    if (rc != 0)
        return rc;
    if (cut)
        *cut = size - end;
    if (end == 0)
        return write_header(j, err);
    if (size > end && ftruncate(j->fd, (off_t)end) != 0)
        return dtx_error_errno(err, "cannot cut the torn end of %s", j->path);
    j->size = end;
    return 0;
}

int dtx_journal_open(const char *path, struct dtx_journal **out, uint64_t *cut,
                     struct dtx_error *err)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct dtx_journal *j;
    int rc;

    if (fd < 0)
        return dtx_error_errno(err, "cannot open %s to append", path);
    j = alloc_journal(fd, path);
    if (!j) {
        (void)close(fd);
        return dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
    }
    rc = lock_file(fd, path, err);
    if (rc == 0)
        rc = cut_tail(j, cut, err);
    if (rc != 0) {
        dtx_journal_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

/* A write failed after 'done' bytes: leave whole records only, unless bytes
 * that are not ours stand there too. */
static void cut_back(struct dtx_journal *j, size_t done)
{
    int e = errno;
    struct stat st;

    if (fstat(j->fd, &st) == 0 && (uint64_t)st.st_size <= j->size + done &&
        ftruncate(j->fd, (off_t)j->size) != 0)
        e = errno; /* a torn tail stays; readers skip it */
    errno = e;
}

/* Has anybody else written? With O_APPEND the position tells for nothing. */
static int check_place(struct dtx_journal *j, size_t done,
                       struct dtx_error *err)
{
    off_t pos = lseek(j->fd, 0, SEEK_CUR);

    if (pos >= 0 && (uint64_t)pos != j->size + done)
        return dtx_error_set(err, DTX_ESTALE,
                             "somebody else writes %s or has cut it", j->path);
    return 0;
}

int dtx_journal_append(struct dtx_journal *j, const void *framed, size_t len,
                       uint64_t *at, struct dtx_error *err)
{
    const char *p = framed;
    size_t done = 0;

    if (j->failed)
        return dtx_error_set(err, j->failed, "writing %s has failed before",
                             j->path);
    while (done < len) {
        ssize_t n = write(j->fd, p + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0) {
            j->failed = dtx_error_errno(err, "cannot write %s", j->path);
            cut_back(j, done);
            return j->failed;
        }
        done += (size_t)n;
    }
    if (len > 0) {
        j->failed = check_place(j, done, err);
        if (j->failed)
            return j->failed;
    }
    if (at)
        *at = j->size;
    j->size += len;
    return 0;
}

int dtx_journal_sync(struct dtx_journal *j, struct dtx_error *err)
{
    if (j->failed)
        return dtx_error_set(err, j->failed, "writing %s has failed before",
                             j->path);
    while (fdatasync(j->fd) != 0) {
        if (errno == EINTR)
            continue;
        if (errno == EINVAL || errno == ENOSYS)
            return 0;
        j->failed = dtx_error_errno(err, "cannot sync %s", j->path);
        return j->failed;
    }
    return 0;
}

uint64_t dtx_journal_size(const struct dtx_journal *j)
{
    return j->size;
}

void dtx_journal_close(struct dtx_journal *j)
{
    if (!j)
        return;
    (void)close(j->fd);
    free(j->path);
    free(j);
}

/* SPDX-License-Identifier: MIT */
/* Packing outputs of tasks into one file and reading them back; see output.h.
 * Decides places and checksums; never keeps more than a buffer of an output in
 * memory, and never leaves half an output counted as there. */
#include "store/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "store/file.h"
#include "task/outcome.h"

#define BUFFER (256u << 10) /* bytes gathered for one write */
#define PIECE (64u << 10)   /* bytes handed out at once */
#define PROGRESS (1u << 20)
#define OPEN_FILES 16
#define PLACE_BITS 40 /* of an out_off that passes: the place in its segment */
#define PLACE_LIMIT (UINT64_C(1) << PLACE_BITS)
#define LAST_SEGMENT ((UINT32_C(1) << (63 - PLACE_BITS)) - 1)

struct dtx_output {
    char *dir; /* out/ */
    char *path;
    uint32_t epoch, rank;
    uint64_t mark; /* 0, or what is above the place in an out_off */
    int fd; /* -1 until the first byte */
    uint64_t kept;  /* the end at the last good flush */
    uint64_t end;   /* behind all outputs, those in 'buf' included */
    unsigned char *buf;
    size_t used;    /* bytes in 'buf' */
    uint64_t off;   /* where 'buf' goes */
    uint32_t crc;   /* over this output as far as it was gathered */
    uint64_t since; /* bytes since the last progress call */
    void (*progress)(void *ctx);
    void *ctx;
};

uint32_t dtx_output_segment(uint64_t out_off)
{
    return (uint32_t)((out_off & ~DTX_OUTPUT_PASSING) >> PLACE_BITS);
}

static uint64_t mark_of(uint32_t segment)
{
    return DTX_OUTPUT_PASSING | (uint64_t)segment << PLACE_BITS;
}

/* The part of an out_off that tells the file. */
static uint64_t split_mark(uint64_t out_off)
{
    return out_off & DTX_OUTPUT_PASSING ? out_off & ~(PLACE_LIMIT - 1) : 0;
}

static char *file_path(const char *dir, uint32_t epoch, uint32_t rank,
                       uint64_t mark)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "e%" PRIu32 "-r%" PRIu32, epoch, rank);

    if (mark)
        (void)snprintf(name + n, sizeof(name) - (size_t)n, ".p%" PRIu32,
                       dtx_output_segment(mark));
    return dtx_file_join(dir, name);
}

static int open_marked(const char *run_dir, uint32_t epoch, uint32_t rank,
                       uint64_t mark, struct dtx_output **out,
                       struct dtx_error *err)
{
    struct dtx_output *o = calloc(1, sizeof(*o));

    if (!o)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    o->fd = -1;
    o->dir = dtx_file_join(run_dir, "out");
    o->epoch = epoch;
    o->rank = rank;
    o->mark = mark;
    o->path = o->dir ? file_path(o->dir, epoch, rank, mark) : NULL;
    o->buf = malloc(BUFFER);
    if (!o->path || !o->buf) {
        dtx_output_close(o);
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    }
    *out = o;
    return 0;
}

int dtx_output_open(const char *run_dir, uint32_t epoch, uint32_t rank,
                    struct dtx_output **out, struct dtx_error *err)
{
    return open_marked(run_dir, epoch, rank, 0, out, err);
}

int dtx_output_open_passing(const char *run_dir, uint32_t epoch, uint32_t rank,
                            struct dtx_output **out, struct dtx_error *err)
{
    return open_marked(run_dir, epoch, rank, mark_of(0), out, err);
}

void dtx_output_close(struct dtx_output *o)
{
    if (!o)
        return;
    if (o->fd >= 0) {
        /* a session that ended in good order has its outputs on disk */
        if (!o->mark)
            (void)fdatasync(o->fd);
        (void)close(o->fd);
    }
    free(o->dir);
    free(o->path);
    free(o->buf);
    free(o);
}

void dtx_output_set_progress(struct dtx_output *o, void (*fn)(void *ctx),
                             void *ctx)
{
    o->progress = fn;
    o->ctx = ctx;
}

/* Open the file of this session; if there is one already, go on behind it. */
static int make_file(struct dtx_output *o, struct dtx_error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
    off_t end;
    int fd = open(o->path, flags, 0666);

    if (fd < 0 && errno == ENOENT &&
        (mkdir(o->dir, 0777) == 0 || errno == EEXIST))
        fd = open(o->path, flags, 0666);
    if (fd < 0)
        return dtx_error_errno(err, "cannot make %s", o->path);
    end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        int rc = dtx_error_errno(err, "cannot use %s", o->path);

        (void)close(fd);
        return rc;
    }
    o->fd = fd;
    o->kept = o->end = o->off = (uint64_t)end;
    return 0;
}

/* Write what has been gathered. */
static int write_buffer(struct dtx_output *o, struct dtx_error *err)
{
    if (o->used == 0)
        return 0;
    if (dtx_file_write(o->fd, o->buf, o->used, o->off) != 0)
        return dtx_error_errno(err, "cannot write %s", o->path);
    o->off += o->used;
    o->since += o->used;
    o->used = 0;
    if (o->progress && o->since >= PROGRESS) {
        o->since = 0;
        o->progress(o->ctx);
    }
    return 0;
}

/* Gather '*len' bytes of a source; '*len' becomes how many there were. */
static int gather(struct dtx_output *o, int fd, int64_t start, uint64_t *len,
                  struct dtx_error *err)
{
    uint64_t got = 0;

    while (got < *len) {
        size_t room = BUFFER - o->used;
        size_t want = *len - got < room ? (size_t)(*len - got) : room;
        ssize_t n =
            dtx_file_read(fd, o->buf + o->used, want, (uint64_t)start + got);

        if (n < 0)
            return dtx_error_errno(err, "cannot read a task's output");
        o->crc = dtx_crc32(o->crc, o->buf + o->used, (size_t)n);
        o->used += (size_t)n;
        got += (uint64_t)n;
        if ((size_t)n < want)
            break;
        if (o->used == BUFFER) {
            int rc = write_buffer(o, err);

            if (rc != 0)
                return rc;
        }
    }
    *len = got;
    return 0;
}

static int check_range(const struct dtx_output *o, uint64_t len, int64_t start,
                       struct dtx_error *err)
{
    if (len > 0 && (start < 0 || len > (uint64_t)(INT64_MAX - start)))
        return dtx_error_set(err, DTX_EINVAL, "impossible length of output");
    if (o->mark && len > PLACE_LIMIT / 4)
        return dtx_error_set(err, DTX_EINVAL,
                             "an output of more than 256 GiB can be kept only "
                             "(--keep-outputs all)");
    return 0;
}

/* Forget what came since the last good flush. Where the file cannot be cut the
 * next output is written over the rest. */
static void cut_back(struct dtx_output *o)
{
    o->used = 0;
    o->end = o->off = o->kept;
    if (o->fd >= 0)
        (void)!ftruncate(o->fd, (off_t)o->kept);
}

/* What passes goes on in the next segment when this one is full. */
static int turn_page(struct dtx_output *o, struct dtx_error *err)
{
    uint32_t segment = dtx_output_segment(o->mark);
    char *path;

    if (!o->mark || o->end < DTX_OUTPUT_SEGMENT || segment == LAST_SEGMENT)
        return 0;
    path = file_path(o->dir, o->epoch, o->rank, mark_of(segment + 1));
    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (o->fd >= 0)
        (void)close(o->fd);
    free(o->path);
    o->path = path;
    o->fd = -1;
    o->mark = mark_of(segment + 1);
    o->kept = o->end = o->off = 0;
    return 0;
}

int dtx_output_add(struct dtx_output *o, struct dtx_outcome *outcome,
                   int out_fd, int64_t out_start, int err_fd,
                   int64_t err_start, struct dtx_error *err)
{
    uint64_t out_len = outcome->out_len, err_len = outcome->err_len;
    int rc = check_range(o, out_len, out_start, err);

    outcome->out_off = outcome->out_len = outcome->err_len = 0;
    outcome->out_crc = 0;
    if (rc == 0)
        rc = check_range(o, err_len, err_start, err);
    if (rc == 0 && (out_len || err_len) && o->kept == o->end)
        rc = turn_page(o, err);
    if (rc == 0 && (out_len || err_len) && o->fd < 0)
        rc = make_file(o, err);
    o->crc = 0;
    if (rc == 0)
        rc = gather(o, out_fd, out_start, &out_len, err);
    if (rc == 0)
        rc = gather(o, err_fd, err_start, &err_len, err);
    if (rc != 0) {
        cut_back(o);
        return rc;
    }
    if (out_len || err_len)
        outcome->out_off = o->mark | o->end;
    outcome->out_len = out_len;
    outcome->err_len = err_len;
    outcome->out_crc = o->crc;
    o->end += out_len + err_len;
    return 0;
}

int dtx_output_flush(struct dtx_output *o, struct dtx_error *err)
{
    int rc = write_buffer(o, err);

    if (rc != 0)
        cut_back(o);
    else
        o->kept = o->end;
    return rc;
}

int dtx_output_pack(struct dtx_output *o, struct dtx_outcome *outcome,
                    int out_fd, int64_t out_start, int err_fd,
                    int64_t err_start, struct dtx_error *err)
{
    int rc = dtx_output_add(o, outcome, out_fd, out_start, err_fd, err_start,
                            err);

    if (rc == 0)
        rc = dtx_output_flush(o, err);
    if (rc != 0) {
        outcome->out_off = outcome->out_len = outcome->err_len = 0;
        outcome->out_crc = 0;
    }
    return rc;
}

struct open_file {
    int fd; /* -1: free */
    uint32_t epoch, rank;
    uint64_t mark;
    uint64_t used; /* when, in calls */
};

struct dtx_output_reader {
    char *dir;
    uint64_t calls;
    struct open_file file[OPEN_FILES];
};

struct dtx_output_reader *dtx_output_reader_create(const char *run_dir)
{
    struct dtx_output_reader *r = calloc(1, sizeof(*r));
    size_t i;

    if (!r)
        return NULL;
    r->dir = dtx_file_join(run_dir, "out");
    if (!r->dir) {
        free(r);
        return NULL;
    }
    for (i = 0; i < OPEN_FILES; i++)
        r->file[i].fd = -1;
    return r;
}

void dtx_output_reader_destroy(struct dtx_output_reader *r)
{
    size_t i;

    if (!r)
        return;
    for (i = 0; i < OPEN_FILES; i++) {
        if (r->file[i].fd >= 0)
            (void)close(r->file[i].fd);
    }
    free(r->dir);
    free(r);
}

/* The place of this file among the open ones, or the one to use for it. */
static struct open_file *find_place(struct dtx_output_reader *r, uint32_t epoch,
                                    uint32_t rank, uint64_t mark)
{
    struct open_file *best = &r->file[0];
    size_t i;

    for (i = 0; i < OPEN_FILES; i++) {
        struct open_file *f = &r->file[i];

        if (f->fd >= 0 && f->epoch == epoch && f->rank == rank &&
            f->mark == mark)
            return f;
        if (best->fd >= 0 && (f->fd < 0 || f->used < best->used))
            best = f;
    }
    return best;
}

/* The open file of (epoch, rank, mark) in '*fd'. */
static int open_place(struct dtx_output_reader *r, uint32_t epoch,
                      uint32_t rank, uint64_t mark, int *fd,
                      struct dtx_error *err)
{
    struct open_file *f = find_place(r, epoch, rank, mark);
    char *path;

    if (f->fd < 0 || f->epoch != epoch || f->rank != rank || f->mark != mark) {
        int now;

        path = file_path(r->dir, epoch, rank, mark);
        if (!path)
            return dtx_error_set(err, DTX_ENOMEM, "out of memory");
        now = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (now < 0) {
            int rc = dtx_error_errno(err, "cannot open %s", path);

            if (rc == DTX_ENOENT)
                rc = dtx_error_set(err, DTX_ECORRUPT, "%s is missing", path);
            free(path);
            return rc;
        }
        free(path);
        if (f->fd >= 0)
            (void)close(f->fd);
        *f = (struct open_file){now, epoch, rank, mark, 0};
    }
    f->used = ++r->calls;
    *fd = f->fd;
    return 0;
}

static int say_missing(const struct dtx_output_reader *r, uint32_t epoch,
                       uint32_t rank, struct dtx_error *err)
{
    return dtx_error_set(err, DTX_ECORRUPT,
                         "%s/e%" PRIu32 "-r%" PRIu32
                         " is shorter than its record says",
                         r->dir, epoch, rank);
}

int dtx_output_read(struct dtx_output_reader *r, uint32_t epoch, uint32_t rank,
                    uint64_t off, void *buf, size_t len, struct dtx_error *err)
{
    const uint64_t mark = split_mark(off);
    ssize_t n;
    int fd, rc;

    if (len == 0)
        return 0;
    off -= mark;
    if (off > INT64_MAX || len > (uint64_t)INT64_MAX - off)
        return say_missing(r, epoch, rank, err);
    rc = open_place(r, epoch, rank, mark, &fd, err);
    if (rc != 0)
        return rc;
    n = dtx_file_read(fd, buf, len, off);
    if (n < 0)
        return dtx_error_errno(err, "cannot read %s/e%" PRIu32 "-r%" PRIu32,
                               r->dir, epoch, rank);
    return (size_t)n == len ? 0 : say_missing(r, epoch, rank, err);
}

/* Are all bytes of the output in the file? */
static int check_there(struct dtx_output_reader *r, uint32_t epoch,
                       const struct dtx_outcome *o, struct dtx_error *err)
{
    uint64_t len = o->out_len + o->err_len, mark = split_mark(o->out_off);
    uint64_t off = o->out_off - mark;
    struct stat st;
    int fd, rc;

    if (len < o->out_len || len > INT64_MAX || off > INT64_MAX - len)
        return say_missing(r, epoch, o->rank, err);
    rc = open_place(r, epoch, o->rank, mark, &fd, err);
    if (rc != 0)
        return rc;
    if (fstat(fd, &st) != 0)
        return dtx_error_errno(err, "cannot examine %s/e%" PRIu32 "-r%" PRIu32,
                               r->dir, epoch, o->rank);
    if ((uint64_t)st.st_size < off + len)
        return say_missing(r, epoch, o->rank, err);
    return 0;
}

/* Hand out the pieces and sum them up. */
static int give_pieces(struct dtx_output_reader *r, uint32_t epoch,
                       const struct dtx_outcome *o, unsigned char *buf,
                       dtx_output_piece_f fn, void *ctx, struct dtx_error *err)
{
    const uint64_t len = o->out_len + o->err_len;
    uint64_t done = 0;
    uint32_t crc = 0;

    while (done < len) {
        bool first = done < o->out_len;
        uint64_t left = (first ? o->out_len : len) - done;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        int rc =
            dtx_output_read(r, epoch, o->rank, o->out_off + done, buf, n, err);

        if (rc == 0 && fn)
            rc = fn(ctx, first ? DTX_STDOUT : DTX_STDERR, buf, n);
        if (rc != 0)
            return rc;
        crc = dtx_crc32(crc, buf, n);
        done += n;
    }
    if (crc != o->out_crc)
        return dtx_error_set(err, DTX_ECORRUPT,
                             "%s/e%" PRIu32 "-r%" PRIu32
                             " does not hold what its record says",
                             r->dir, epoch, o->rank);
    return 0;
}

int dtx_output_each(struct dtx_output_reader *r, uint32_t epoch,
                    const struct dtx_outcome *o, dtx_output_piece_f fn,
                    void *ctx, struct dtx_error *err)
{
    unsigned char *buf;
    int rc;

    if (o->out_len == 0 && o->err_len == 0)
        return 0;
    rc = check_there(r, epoch, o, err);
    if (rc != 0)
        return rc;
    buf = malloc(PIECE);
    if (!buf)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = give_pieces(r, epoch, o, buf, fn, ctx, err);
    free(buf);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* The file of what kernels took; see kernels.h.  It knows its shape and what
 * makes no sense, never what follows from it. */
#include "store/kernels.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/file.h"
#include "store/journal.h"
#include "wire/wire.h"

/* --- reading -------------------------------------------------------------- */

struct parsing {
    const char *path;
    const struct dtx_kernels_reader *r;
    uint64_t left_out;
};

static bool take_name(char out[DTX_KERNELS_NAME], struct dtx_str s)
{
    if (s.len == 0 || s.len >= DTX_KERNELS_NAME || memchr(s.data, 0, s.len))
        return false;
    memcpy(out, s.data, s.len);
    out[s.len] = '\0';
    return true;
}

static int on_loop(struct parsing *p, const struct dtx_rec *rec)
{
    struct dtx_kernels_loop l = {.begin = rec->u.kloop.begin,
                                 .end = rec->u.kloop.end,
                                 .total = rec->u.kloop.total,
                                 .ns = rec->u.kloop.ns};

    if (!take_name(l.kernel, rec->u.kloop.kernel) || l.end <= l.begin ||
        l.total == 0 || l.total > l.end - l.begin ||
        !dtx_get_doubles(rec->u.kloop.x, l.x, DTX_KERNELS_FEATURES, &l.nx)) {
        p->left_out++;
        return 0;
    }
    return p->r->loop ? p->r->loop(p->r->ctx, &l) : 0;
}

static int on_took(struct parsing *p, const struct dtx_rec *rec)
{
    struct dtx_kernels_took t = {.bytes = rec->u.ktook.bytes,
                                 .ns = rec->u.ktook.ns};

    memcpy(&t.hint, &rec->u.ktook.hint, sizeof(t.hint));
    if (!take_name(t.kernel, rec->u.ktook.kernel) || t.ns == 0 ||
        !isfinite(t.hint) || t.hint < 0 ||
        !dtx_get_doubles(rec->u.ktook.x, t.x, DTX_KERNELS_FEATURES, &t.nx)) {
        p->left_out++;
        return 0;
    }
    return p->r->took ? p->r->took(p->r->ctx, &t) : 0;
}

const char *dtx_kernels_whose(int record)
{
    switch (record) {
    case DTX_REC_KCALL:
    case DTX_REC_KSPAN:
        return "the journal of a program's loops (dtx_work_journal)";
    case DTX_REC_KTASK:
        return "the journal of a program's tasks (dtx_work_journal)";
    case DTX_REC_KLOOP:
    case DTX_REC_KTOOK:
        return "what a program's kernels took (learned=)";
    default:
        return "the journal of a job of distributex run";
    }
}

/* What a file is that does not begin as ours do. */
static const char *guess(const unsigned char *p, size_t len)
{
    size_t i;

    if (len >= 4 && memcmp(p, "\x89HDF", 4) == 0)
        return "an HDF5 file";
    if (len >= 7 && memcmp(p, "DTXJRNL", 7) == 0)
        return "a journal with a damaged header, or of another version";
    for (i = 0; i < len && i < 512; i++) {
        if (p[i] == 127 || (p[i] < 32 && !strchr("\t\n\v\f\r\033", p[i])))
            return "a file of another kind";
    }
    return "a text";
}

static int on_record(void *ctx, const void *payload, size_t len, uint64_t at,
                     struct dtx_error *err)
{
    struct parsing *p = ctx;
    struct dtx_rec rec;

    (void)at;
    if (!payload || dtx_rec_decode(payload, len, &rec)) {
        p->left_out++;
        return 0;
    }
    if (rec.kind == DTX_REC_KLOOP)
        return on_loop(p, &rec);
    if (rec.kind == DTX_REC_KTOOK)
        return on_took(p, &rec);
    return dtx_error_set(err, DTX_EFOREIGN,
                         "it is %s, not what a program's kernels took",
                         dtx_kernels_whose((int)rec.kind));
}

int dtx_kernels_parse(const char *path, const void *data, size_t len,
                      const struct dtx_kernels_reader *r, uint64_t *left_out,
                      struct dtx_error *err)
{
    struct parsing p = {path, r, 0};
    struct dtx_error why = {0};
    uint64_t torn = 0;
    int rc = dtx_journal_read_bytes(data, len, on_record, &p, &torn, &why);

    if (left_out)
        *left_out = p.left_out + (torn > 0);
    if (rc == DTX_EFOREIGN && strncmp(why.text, "it is ", 6) != 0)
        (void)dtx_error_set(&why, rc, "it is %s, not what a program's kernels "
                            "took", guess(data, len));
    if (rc < 0)
        return dtx_error_set(err, rc, "%s: %s", path,
                             why.code ? why.text : dtx_strerror(rc));
    return rc;
}

int dtx_kernels_load(const char *path, struct dtx_buf *out,
                     struct dtx_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = DTX_OK;
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return dtx_error_errno(err, "cannot read %s", path);
    if (fstat(fd, &st) != 0)
        rc = dtx_error_errno(err, "cannot read %s", path);
    else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)DTX_KERNELS_BYTES)
        rc = dtx_error_set(err, DTX_EFOREIGN, "%s is no file that a program "
                           "keeps what its kernels took in", path);
    else if (!dtx_buf_reserve(out, (size_t)st.st_size))
        rc = dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
    if (rc == DTX_OK) {
        n = dtx_file_read(fd, out->data + out->len, (size_t)st.st_size, 0);
        if (n < 0)
            rc = dtx_error_errno(err, "cannot read %s", path);
        else
            out->len += (size_t)n;
    }
    (void)close(fd);
    return rc;
}

/* --- writing -------------------------------------------------------------- */

static void put(struct dtx_buf *b, const struct dtx_rec *rec)
{
    struct dtx_buf payload = DTX_BUF_INIT;

    if (b->len == 0)
        dtx_journal_head(b);
    dtx_rec_encode(&payload, rec);
    b->failed |= payload.failed;
    if (!b->failed)
        dtx_journal_frame(b, payload.data, payload.len);
    dtx_buf_free(&payload);
}

void dtx_kernels_put_loop(struct dtx_buf *b, const char *kernel,
                          uint64_t begin, uint64_t end, uint32_t total,
                          const double *x, uint32_t nx, struct dtx_str ns)
{
    struct dtx_rec rec = {.kind = DTX_REC_KLOOP};
    struct dtx_buf features = DTX_BUF_INIT;

    dtx_put_doubles(&features, x, nx);
    b->failed |= features.failed;
    rec.u.kloop.kernel = dtx_str_of(kernel);
    rec.u.kloop.begin = begin;
    rec.u.kloop.end = end;
    rec.u.kloop.total = total;
    rec.u.kloop.x = (struct dtx_str){features.data, features.len};
    rec.u.kloop.ns = ns;
    put(b, &rec);
    dtx_buf_free(&features);
}

void dtx_kernels_put_took(struct dtx_buf *b, const char *kernel,
                          uint64_t bytes, double hint, const double *x,
                          uint32_t nx, uint64_t ns)
{
    struct dtx_rec rec = {.kind = DTX_REC_KTOOK};
    struct dtx_buf features = DTX_BUF_INIT;

    dtx_put_doubles(&features, x, nx);
    b->failed |= features.failed;
    rec.u.ktook.kernel = dtx_str_of(kernel);
    rec.u.ktook.bytes = bytes;
    memcpy(&rec.u.ktook.hint, &hint, sizeof(hint));
    rec.u.ktook.x = (struct dtx_str){features.data, features.len};
    rec.u.ktook.ns = ns;
    put(b, &rec);
    dtx_buf_free(&features);
}

static int write_new(const char *path, const char *temp,
                     const struct dtx_buf *b, struct dtx_error *err)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc;

    if (fd < 0)
        return dtx_error_errno(err, "cannot make %s", temp);
    rc = dtx_file_write(fd, b->data, b->len, 0) || fsync(fd)
             ? dtx_error_errno(err, "cannot write %s", temp)
             : DTX_OK;
    if (close(fd) != 0 && rc == DTX_OK)
        rc = dtx_error_errno(err, "cannot write %s", temp);
    if (rc == DTX_OK && rename(temp, path) != 0)
        rc = dtx_error_errno(err, "cannot replace %s", path);
    if (rc < 0)
        (void)unlink(temp);
    else if (dtx_file_sync_dir(path) != 0)
        rc = dtx_error_errno(err, "cannot sync the directory of %s", path);
    return rc;
}

int dtx_kernels_write(const char *path, const struct dtx_buf *b,
                      struct dtx_error *err)
{
    struct dtx_buf temp = DTX_BUF_INIT;
    int rc = DTX_ENOMEM;

    dtx_buf_printf(&temp, "%s.new-%ld", path, (long)getpid());
    if (!b->failed && !temp.failed)
        rc = write_new(path, temp.data, b, err);
    else
        (void)dtx_error_set(err, rc, "%s: out of memory", path);
    dtx_buf_free(&temp);
    return rc;
}

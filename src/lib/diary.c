/* SPDX-License-Identifier: MIT */
/* The journal of a work; see diary.h. It decides what is known already, never
 * what is done with it. */
#include "lib/diary.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/journal.h"
#include "store/kernels.h"
#include "wire/wire.h"

struct known { /* a task of an earlier run */
    uint64_t key, at;
};

struct mine { /* a task of this run; by its number */
    uint64_t key;
    bool known;
};

struct span {
    uint64_t call, at;
};

struct dtx_diary {
    char *path;
    struct dtx_journal *journal;
    uint64_t *call; /* where the records of calls are, by their order */
    size_t ncalls, calls_cap;
    uint64_t calls; /* of this run so far */
    struct span *span;
    size_t nspans, spans_cap;
    struct known *known; /* by key, then place, rising; used ones at = 0 */
    size_t nknown, known_cap;
    struct mine *mine;
    size_t nmine, mine_cap;
};

/* --- reading -------------------------------------------------------------- */

static bool keep_call(struct dtx_diary *d, uint64_t at)
{
    uint64_t *p = dtx_grow(d->call, &d->calls_cap, d->ncalls + 1, sizeof(*p));

    if (!p)
        return false;
    d->call = p;
    p[d->ncalls++] = at;
    return true;
}

static bool keep_span(struct dtx_diary *d, uint64_t call, uint64_t at)
{
    struct span *p = dtx_grow(d->span, &d->spans_cap, d->nspans + 1,
                              sizeof(*p));

    if (!p)
        return false;
    d->span = p;
    p[d->nspans++] = (struct span){call, at};
    return true;
}

static bool keep_task(struct dtx_diary *d, uint64_t key, uint64_t at)
{
    struct known *p = dtx_grow(d->known, &d->known_cap, d->nknown + 1,
                               sizeof(*p));

    if (!p)
        return false;
    d->known = p;
    p[d->nknown++] = (struct known){key, at};
    return true;
}

static int on_record(void *ctx, const void *payload, size_t len, uint64_t at,
                     struct dtx_error *err)
{
    struct dtx_diary *d = ctx;
    struct dtx_rec rec;
    bool ok = true;

    if (!payload)
        return 0; /* damage: what it held is done again */
    if (dtx_rec_decode(payload, len, &rec))
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s: a record that this version does not know",
                             d->path);
    if (rec.kind == DTX_REC_KCALL)
        ok = rec.u.kcall.call != d->ncalls || keep_call(d, at);
    else if (rec.kind == DTX_REC_KSPAN)
        ok = keep_span(d, rec.u.kspan.call, at);
    else if (rec.kind == DTX_REC_KTASK)
        ok = keep_task(d, rec.u.ktask.key, at);
    else
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s is %s, not the journal of a program's work",
                             d->path, dtx_kernels_whose((int)rec.kind));
    return ok ? 0 : dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

static int by_key(const void *x, const void *y)
{
    const struct known *a = x, *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

int dtx_diary_open(const char *path, struct dtx_diary **out,
                   struct dtx_error *err)
{
    struct dtx_diary *d = calloc(1, sizeof(*d));
    struct dtx_error made = {0}; /* that it is there is no failure */
    int rc;

    if (!d || !(d->path = strdup(path))) {
        free(d);
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    }
    rc = dtx_journal_create(path, &d->journal, &made);
    if (rc != DTX_EEXIST) {
        if (rc < 0)
            *err = made;
    } else {
        rc = dtx_journal_open(path, &d->journal, NULL, err);
        if (rc == DTX_OK)
            rc = dtx_journal_read(path, on_record, d, NULL, err);
    }
    if (rc < 0) {
        dtx_diary_close(d);
        return rc;
    }
    if (d->nknown > 0)
        qsort(d->known, d->nknown, sizeof(*d->known), by_key);
    *out = d;
    return DTX_OK;
}

void dtx_diary_close(struct dtx_diary *d)
{
    if (!d)
        return;
    if (d->journal)
        (void)dtx_journal_sync(d->journal, NULL);
    dtx_journal_close(d->journal);
    free(d->path);
    free(d->call);
    free(d->span);
    free(d->known);
    free(d->mine);
    free(d);
}

int dtx_diary_sync(struct dtx_diary *d, struct dtx_error *err)
{
    return dtx_journal_sync(d->journal, err);
}

/* --- records -------------------------------------------------------------- */

static int put(struct dtx_diary *d, const struct dtx_rec *rec,
               struct dtx_error *err)
{
    struct dtx_buf payload = DTX_BUF_INIT, frame = DTX_BUF_INIT;
    int rc = DTX_ENOMEM;

    dtx_rec_encode(&payload, rec);
    if (!payload.failed)
        dtx_journal_frame(&frame, payload.data, payload.len);
    if (!payload.failed && !frame.failed)
        rc = dtx_journal_append(d->journal, frame.data, frame.len, NULL, err);
    else
        (void)dtx_error_set(err, rc, "%s: out of memory", d->path);
    dtx_buf_free(&payload);
    dtx_buf_free(&frame);
    return rc;
}

/* The record at 'at', its bytes in 'b'. */
static int get(struct dtx_diary *d, uint64_t at, uint8_t kind,
               struct dtx_buf *b, struct dtx_rec *rec, struct dtx_error *err)
{
    int rc = dtx_journal_read_at(d->path, at, b, err);

    if (rc < 0)
        return rc;
    if (dtx_rec_decode(b->data, b->len, rec) || rec->kind != kind)
        return dtx_error_set(err, DTX_ECORRUPT,
                             "%s has been changed meanwhile", d->path);
    return DTX_OK;
}

static int other_kind(const struct dtx_diary *d, int record,
                      const char *wanted, struct dtx_error *err)
{
    return dtx_error_set(err, DTX_EMISMATCH,
                         "%s is %s, and this run is of %s; give another file, "
                         "or remove it", d->path, dtx_kernels_whose(record),
                         wanted);
}

int dtx_diary_tasks(const struct dtx_diary *d, struct dtx_error *err)
{
    return d->ncalls > 0 ? other_kind(d, DTX_REC_KCALL, "tasks", err) : DTX_OK;
}

int dtx_diary_call(struct dtx_diary *d, struct dtx_str call,
                   struct dtx_error *err)
{
    struct dtx_rec rec = {.kind = DTX_REC_KCALL};
    struct dtx_buf b = DTX_BUF_INIT;
    uint64_t n = d->calls++;
    int rc;

    if (d->nknown > 0)
        return other_kind(d, DTX_REC_KTASK, "loops", err);
    if (n >= d->ncalls) {
        rec.u.kcall.call = n;
        rec.u.kcall.text = call;
        return put(d, &rec, err);
    }
    rc = get(d, d->call[n], DTX_REC_KCALL, &b, &rec, err);
    if (rc == DTX_OK && (rec.u.kcall.text.len != call.len ||
                         memcmp(rec.u.kcall.text.data, call.data, call.len)))
        rc = dtx_error_set(err, DTX_EMISMATCH,
                           "%s is of another run: it has %.*s where this one "
                           "has %.*s; give another file, or remove it",
                           d->path, (int)rec.u.kcall.text.len,
                           rec.u.kcall.text.data, (int)call.len, call.data);
    dtx_buf_free(&b);
    return rc;
}

int dtx_diary_replay(struct dtx_diary *d, dtx_diary_span_f span, void *ctx,
                     struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_rec rec;
    int rc = DTX_OK;
    size_t i;

    for (i = 0; i < d->nspans && rc == DTX_OK; i++) {
        if (d->span[i].call != d->calls - 1)
            continue;
        dtx_buf_clear(&b);
        rc = get(d, d->span[i].at, DTX_REC_KSPAN, &b, &rec, err);
        if (rc < 0)
            break;
        rc = span(ctx, rec.u.kspan.first, rec.u.kspan.count,
                  rec.u.kspan.results);
        if (rc < 0)
            (void)dtx_error_set(err, rc, "%s: %s", d->path, dtx_strerror(rc));
    }
    dtx_buf_free(&b);
    return rc;
}

int dtx_diary_span(struct dtx_diary *d, uint64_t first, uint64_t count,
                   struct dtx_str results, struct dtx_error *err)
{
    struct dtx_rec rec = {.kind = DTX_REC_KSPAN};

    rec.u.kspan.call = d->calls - 1;
    rec.u.kspan.first = first;
    rec.u.kspan.count = count;
    rec.u.kspan.results = results;
    return put(d, &rec, err);
}

/* --- tasks ---------------------------------------------------------------- */

/* The first of the key that is not used; its place, or 0. */
static uint64_t use(struct dtx_diary *d, uint64_t key)
{
    size_t lo = 0, hi = d->nknown;
    uint64_t at;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (d->known[mid].key < key ||
            (d->known[mid].key == key && d->known[mid].at == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == d->nknown || d->known[lo].key != key)
        return 0;
    at = d->known[lo].at;
    d->known[lo].at = 0;
    return at;
}

uint64_t dtx_diary_submit(struct dtx_diary *d, uint64_t id, uint64_t key)
{
    struct mine *m = dtx_grow(d->mine, &d->mine_cap, (size_t)id, sizeof(*m));
    uint64_t at;

    if (!m)
        return 0; /* it is run, and its outcome is not recorded */
    d->mine = m;
    while (d->nmine < id)
        m[d->nmine++] = (struct mine){0, true};
    at = use(d, key);
    m[id - 1] = (struct mine){key, at != 0};
    return at;
}

int dtx_diary_output(struct dtx_diary *d, uint64_t at, struct dtx_buf *out,
                     struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_rec rec;
    int rc = get(d, at, DTX_REC_KTASK, &b, &rec, err);

    if (rc == DTX_OK)
        dtx_buf_append(out, rec.u.ktask.output.data, rec.u.ktask.output.len);
    dtx_buf_free(&b);
    return rc;
}

int dtx_diary_task(struct dtx_diary *d, uint64_t id, struct dtx_str out,
                   struct dtx_error *err)
{
    struct dtx_rec rec = {.kind = DTX_REC_KTASK};

    if (id == 0 || id > d->nmine || d->mine[id - 1].known)
        return DTX_OK;
    d->mine[id - 1].known = true;
    rec.u.ktask.key = d->mine[id - 1].key;
    rec.u.ktask.output = out;
    return put(d, &rec, err);
}

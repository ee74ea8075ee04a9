/* SPDX-License-Identifier: MIT */
/* A history's files; see history.h.  It knows the shape of rows, never what
 * follows from them. */
#include "store/history.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/file.h"
#include "store/h5.h"
#include "store/history_rows.h"
#include "wire/experience.h"

#define SUFFIX ".h5"
#define FORMAT "distributex history"

/* Files found in the directory. */
struct found {
    struct dtx_history_file *file;
    size_t n, cap;
    struct dtx_exp_source *replaced; /* ids that others were made of */
    size_t nreplaced, cap_replaced;
};

/* The error names the file. */
static void tell(dtx_history_warn_f warn, void *ctx, const struct dtx_error *e)
{
    char text[sizeof(e->text) + 64];

    if (!warn)
        return;
    (void)snprintf(text, sizeof(text), "history: skipping a file: %s",
                   e->text);
    warn(ctx, text);
}

static char *path_of(const char *dir, const char *id)
{
    char name[DTX_HISTORY_ID + sizeof(SUFFIX)];

    (void)snprintf(name, sizeof(name), "%s" SUFFIX, id);
    return dtx_file_join(dir, name);
}

void dtx_history_id(uint64_t hi, uint64_t lo, char id[DTX_HISTORY_ID])
{
    (void)snprintf(id, DTX_HISTORY_ID, "%016" PRIx64 "%016" PRIx64, hi, lo);
}

int dtx_history_make(const char *dir, struct dtx_error *err)
{
    char *path = strdup(dir), *p;
    int rc = DTX_OK;

    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    for (p = path + 1; rc == DTX_OK; p++) {
        bool last = *p == '\0';

        if (*p != '/' && !last)
            continue;
        *p = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            rc = dtx_error_errno(err, "cannot make the history directory %s",
                                 path);
        if (last)
            break;
        *p = '/';
    }
    free(path);
    return rc;
}

bool dtx_history_has(const char *dir, const char *id)
{
    char *path = path_of(dir, id);
    bool is = path && access(path, F_OK) == 0;

    free(path);
    return is;
}

/* ---- what a file says of itself ---- */

static int read_head(hid_t h, const char *path, struct dtx_history_file *f,
                     struct dtx_error *err)
{
    char format[64];
    int64_t version, open = 0, outcomes, classes;

    if (dtx_h5_get_text(h, "format", format, sizeof(format)) != 0 ||
        strcmp(format, FORMAT) != 0)
        return dtx_error_set(err, DTX_EFOREIGN, "%s is not a history", path);
    if (dtx_h5_get_number(h, "version", &version) != 0 || version < 1)
        return dtx_error_set(err, DTX_ECORRUPT, "%s tells no version", path);
    if (version > DTX_HISTORY_VERSION)
        return dtx_error_set(err, DTX_EFOREIGN,
                             "%s has version %lld, newer than %d", path,
                             (long long)version, DTX_HISTORY_VERSION);
    if (dtx_h5_get_text(h, "id", f->id, sizeof(f->id)) != 0 ||
        dtx_h5_get_text(h, "what", f->what, sizeof(f->what)) != 0 ||
        dtx_h5_get_number(h, "made_ns", &f->made_ns) != 0 ||
        dtx_h5_get_number(h, "outcomes", &outcomes) != 0 ||
        dtx_h5_get_number(h, "classes", &classes) != 0 || outcomes < 0 ||
        classes < 0 || dtx_h5_get_number(h, "open", &open) != 0)
        return dtx_h5_error(err, DTX_ECORRUPT, "cannot read the head of",
                            path);
    f->open = open != 0;
    f->outcomes = (uint64_t)outcomes;
    f->classes = (uint64_t)classes;
    return DTX_OK;
}

static int write_head(hid_t h, const struct dtx_history_file *f,
                      const struct dtx_experience *e)
{
    size_t classes = 0, i;

    for (i = 0; i < e->nclasses; i++)
        classes += e->class[i].grain == 0;
    return dtx_h5_put_text(h, "format", FORMAT) ||
           dtx_h5_put_number(h, "version", DTX_HISTORY_VERSION) ||
           dtx_h5_put_text(h, "id", f->id) ||
           dtx_h5_put_text(h, "what", f->what) ||
           dtx_h5_put_number(h, "made_ns", f->made_ns) ||
           dtx_h5_put_number(h, "open", f->open) ||
           dtx_h5_put_number(h, "outcomes", (int64_t)e->noutcomes) ||
           dtx_h5_put_number(h, "learned", (int64_t)e->total) ||
           dtx_h5_put_number(h, "classes", (int64_t)classes);
}

/* ---- finding files ---- */

static int add_sources(struct found *d, hid_t h)
{
    struct dtx_exp_source *rows, *p;
    size_t n;
    void *v;

    if (dtx_h5_get_table(h, &dtx_history_sources, 1u << 20, &v, &n) != 0)
        return DTX_ECORRUPT;
    rows = v;
    if (n == 0)
        return DTX_OK;
    p = dtx_grow(d->replaced, &d->cap_replaced, d->nreplaced + n, sizeof(*p));
    if (!p) {
        free(rows);
        return DTX_ENOMEM;
    }
    d->replaced = p;
    memcpy(p + d->nreplaced, rows, n * sizeof(*p));
    d->nreplaced += n;
    free(rows);
    return DTX_OK;
}

static int look_at(struct found *d, const char *path, struct dtx_error *err)
{
    struct dtx_history_file f, *p;
    struct stat st;
    hid_t h;
    int rc;

    memset(&f, 0, sizeof(f));
    dtx_h5_lock();
    rc = dtx_h5_open(path, &h, err);
    if (rc == DTX_OK) {
        rc = read_head(h, path, &f, err);
        if (rc == DTX_OK && add_sources(d, h) != DTX_OK)
            rc = dtx_h5_error(err, DTX_ECORRUPT, "cannot read", path);
        (void)H5Fclose(h);
    }
    dtx_h5_unlock();
    if (rc != DTX_OK)
        return rc;
    f.bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    p = dtx_grow(d->file, &d->cap, d->n + 1, sizeof(*p));
    if (!p)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    d->file = p;
    p[d->n++] = f;
    return DTX_OK;
}

static int by_age(const void *a, const void *b)
{
    const struct dtx_history_file *x = a, *y = b;

    if (x->made_ns != y->made_ns)
        return x->made_ns < y->made_ns ? -1 : 1;
    return strcmp(x->id, y->id);
}

static bool is_replaced(const struct found *d, const char *id)
{
    size_t i;

    for (i = 0; i < d->nreplaced; i++) {
        if (strncmp(d->replaced[i].id, id, sizeof(d->replaced[i].id)) == 0)
            return true;
    }
    return false;
}

static bool is_ours(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > strlen(SUFFIX) &&
           strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static void found_free(struct found *d)
{
    free(d->file);
    free(d->replaced);
}

static int find(const char *dir, struct found *d, dtx_history_warn_f warn,
                void *ctx, struct dtx_error *err)
{
    DIR *h = opendir(dir);
    struct dirent *entry;
    int rc = DTX_OK;

    memset(d, 0, sizeof(*d));
    if (!h && errno == ENOENT)
        return DTX_OK;
    if (!h)
        return dtx_error_errno(err, "cannot read the history %s", dir);
    while (rc == DTX_OK && (entry = readdir(h)) != NULL) {
        struct dtx_error e;
        char *path;

        if (!is_ours(entry->d_name))
            continue;
        path = dtx_file_join(dir, entry->d_name);
        rc = path ? look_at(d, path, &e) : DTX_ENOMEM;
        if (rc == DTX_ENOENT) { /* compacted meanwhile */
            rc = DTX_OK;
        } else if (path && rc != DTX_OK && rc != DTX_ENOMEM) {
            tell(warn, ctx, &e);
            rc = DTX_OK;
        }
        free(path);
    }
    (void)closedir(h);
    if (rc != DTX_OK)
        return dtx_error_set(err, rc, "%s: out of memory", dir);
    if (d->n > 1)
        qsort(d->file, d->n, sizeof(*d->file), by_age);
    return DTX_OK;
}

int dtx_history_each(const char *dir, dtx_history_file_f fn, void *ctx,
                     dtx_history_warn_f warn, void *warn_ctx,
                     struct dtx_error *err)
{
    struct found d;
    size_t i;
    int rc = find(dir, &d, warn, warn_ctx, err);

    for (i = 0; rc == DTX_OK && i < d.n; i++) {
        if (!is_replaced(&d, d.file[i].id))
            rc = fn(ctx, &d.file[i], err);
    }
    found_free(&d);
    return rc;
}

/* ---- rows ---- */

static int read_rows(hid_t h, unsigned what, struct dtx_experience *e)
{
    int64_t total;
    void *v;
    int rc = dtx_h5_get_number(h, "learned", &total);

    e->total = total > 0 ? (uint64_t)total : 0;
#define GET(table, field, count)                                               \
    if (rc == 0) {                                                             \
        rc = dtx_h5_get_table(h, &dtx_history_##table, DTX_HISTORY_ROWS, &v,   \
                              &e->count);                                      \
        e->field = v;                                                          \
    }
    if (what & DTX_HISTORY_MODELS) {
        GET(classes, class, nclasses)
        GET(samples, sample, nsamples)
        GET(commands, command, ncommands)
        if (dtx_h5_has_table(h, &dtx_history_loops))
            GET(loops, loop, nloops)
    }
    if (what & DTX_HISTORY_OUTCOMES) {
        GET(hosts, host, nhosts)
        GET(outcomes, outcome, noutcomes)
    }
#undef GET
    return rc;
}

static int read_file(const char *path, unsigned what,
                     struct dtx_experience *e, struct dtx_error *err)
{
    hid_t h;
    int rc;

    memset(e, 0, sizeof(*e));
    dtx_h5_lock();
    rc = dtx_h5_open(path, &h, err);
    if (rc == DTX_OK) {
        if (read_rows(h, what, e) != 0)
            rc = dtx_h5_error(err, DTX_ECORRUPT, "cannot read", path);
        (void)H5Fclose(h);
    }
    dtx_h5_unlock();
    return rc;
}

int dtx_history_read(const char *dir, unsigned what, dtx_history_rows_f fn,
                     void *ctx, dtx_history_warn_f warn, void *warn_ctx,
                     struct dtx_error *err)
{
    struct found d;
    size_t i;
    int rc = find(dir, &d, warn, warn_ctx, err);

    for (i = 0; rc == DTX_OK && i < d.n; i++) {
        struct dtx_experience e;
        struct dtx_error why;
        char *path;

        if (is_replaced(&d, d.file[i].id))
            continue;
        path = path_of(dir, d.file[i].id);
        if (!path)
            rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
        else if (read_file(path, what, &e, &why) != DTX_OK)
            tell(warn, warn_ctx, &why);
        else
            rc = fn(ctx, &d.file[i], &e, err);
        if (path)
            dtx_experience_free(&e);
        free(path);
    }
    found_free(&d);
    return rc;
}

static int put_rows(hid_t h, const struct dtx_experience *e,
                    const struct dtx_exp_source *source, size_t n)
{
    return dtx_h5_put_table(h, &dtx_history_hosts, e->host, e->nhosts) ||
           dtx_h5_put_table(h, &dtx_history_outcomes, e->outcome,
                            e->noutcomes) ||
           dtx_h5_put_table(h, &dtx_history_classes, e->class, e->nclasses) ||
           dtx_h5_put_table(h, &dtx_history_samples, e->sample,
                            e->nsamples) ||
           dtx_h5_put_table(h, &dtx_history_commands, e->command,
                            e->ncommands) ||
           (e->nloops > 0 && dtx_h5_put_table(h, &dtx_history_loops, e->loop,
                                              e->nloops)) ||
           dtx_h5_put_table(h, &dtx_history_sources, source, n);
}

static int write_file(const char *dir, const struct dtx_history_file *f,
                      const struct dtx_experience *e,
                      const struct dtx_exp_source *source, size_t n,
                      struct dtx_error *err)
{
    char *path = path_of(dir, f->id), *temp;
    hid_t h;
    int rc;

    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    dtx_h5_lock();
    rc = dtx_h5_begin(path, &h, &temp, err);
    if (rc == DTX_OK) {
        if (write_head(h, f, e) || put_rows(h, e, source, n))
            rc = dtx_h5_error(err, DTX_EIO, "cannot write", path);
        rc = dtx_h5_commit(path, h, temp, true, rc, err);
    }
    dtx_h5_unlock();
    free(path);
    return rc;
}

int dtx_history_write(const char *dir, const struct dtx_history_file *f,
                      const struct dtx_experience *e, struct dtx_error *err)
{
    return write_file(dir, f, e, NULL, 0, err);
}

int dtx_history_compact(const char *dir, const struct dtx_history_file *f,
                        const struct dtx_experience *e,
                        const char (*source)[DTX_HISTORY_ID], size_t n,
                        struct dtx_error *err)
{
    struct dtx_exp_source *rows = calloc(n + 1, sizeof(*rows));
    size_t i;
    int rc;

    if (!rows)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    for (i = 0; i < n; i++)
        memcpy(rows[i].id, source[i], sizeof(rows[i].id));
    rc = write_file(dir, f, e, rows, n, err);
    for (i = 0; rc == DTX_OK && i < n; i++) {
        rc = dtx_history_remove(dir, source[i], err);
        rc = rc == DTX_ENOENT ? DTX_OK : rc;
    }
    free(rows);
    return rc;
}

int dtx_history_remove(const char *dir, const char *id, struct dtx_error *err)
{
    char *path = path_of(dir, id);
    int rc = DTX_OK;

    if (!path)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (unlink(path) != 0)
        rc = dtx_error_errno(err, "cannot remove %s", path);
    free(path);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* Tables in HDF5 files; see h5.h.  It knows no table's meaning. */
#include "store/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/file.h"

#define CHUNK_BYTES 262144u
#define DEFLATE 4

#ifdef __SANITIZE_ADDRESS__
/* HDF5 (1.10.8) does not free all of what it read of a damaged file. */
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5\n";
}
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void dtx_h5_lock(void)
{
    (void)pthread_mutex_lock(&lock);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    (void)H5Eclear2(H5E_DEFAULT);
}

void dtx_h5_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

/* The innermost of the stack is what happened. */
static herr_t take_text(unsigned n, const H5E_error2_t *e, void *ctx)
{
    if (n == 0 && e->desc)
        (void)snprintf(ctx, 200, "%s", e->desc);
    return 0;
}

int dtx_h5_error(struct dtx_error *err, int code, const char *doing,
                 const char *path)
{
    char text[200] = "";

    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_text, text);
    (void)H5Eclear2(H5E_DEFAULT);
    if (text[0])
        return dtx_error_set(err, code, "%s %s: HDF5: %s", doing, path, text);
    return dtx_error_set(err, code, "%s %s: HDF5 failed", doing, path);
}

/* ---- files ---- */

static hid_t access_list(void)
{
    hid_t p = H5Pcreate(H5P_FILE_ACCESS);

#if H5_VERSION_GE(1, 10, 7)
    /* a file is whole before it has its name: nobody needs its lock, and some
     * file systems have none */
    if (p >= 0)
        (void)H5Pset_file_locking(p, false, true);
#endif
    return p;
}

int dtx_h5_open(const char *path, hid_t *file, struct dtx_error *err)
{
    hid_t access;
    htri_t ours;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return dtx_error_errno(err, "cannot open %s", path);
    (void)close(fd);
    ours = H5Fis_hdf5(path);
    if (ours <= 0)
        return dtx_error_set(err, DTX_EFOREIGN, "%s is not an HDF5 file",
                             path);
    access = access_list();
    *file = H5Fopen(path, H5F_ACC_RDONLY, access);
    (void)H5Pclose(access);
    if (*file < 0)
        return dtx_h5_error(err, DTX_ECORRUPT, "cannot open", path);
    return DTX_OK;
}

int dtx_h5_begin(const char *path, hid_t *file, char **temp,
                 struct dtx_error *err)
{
    hid_t access;

    *file = -1;
    if (asprintf(temp, "%s.new-%ld", path, (long)getpid()) < 0) {
        *temp = NULL;
        return dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", path);
    }
    access = access_list();
    *file = H5Fcreate(*temp, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    (void)H5Pclose(access);
    if (*file >= 0)
        return DTX_OK;
    if (errno == 0 || access < 0)
        errno = EIO;
    (void)dtx_h5_error(err, DTX_EIO, "cannot create", *temp);
    free(*temp);
    *temp = NULL;
    return DTX_EIO;
}

/* The bytes are in the file; now on the disk. */
static int make_durable(const char *temp, struct dtx_error *err)
{
    int fd = open(temp, O_RDONLY | O_CLOEXEC);
    int rc = DTX_OK;

    if (fd < 0 || fsync(fd) != 0)
        rc = dtx_error_errno(err, "cannot sync %s", temp);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

int dtx_h5_commit(const char *path, hid_t file, char *temp, bool durable,
                  int rc, struct dtx_error *err)
{
    if (file >= 0 && H5Fclose(file) < 0 && rc == DTX_OK)
        rc = dtx_h5_error(err, DTX_EIO, "cannot write", temp);
    if (rc == DTX_OK && durable)
        rc = make_durable(temp, err);
    if (rc == DTX_OK && rename(temp, path) != 0)
        rc = dtx_error_errno(err, "cannot rename %s", temp);
    if (rc != DTX_OK && temp)
        (void)unlink(temp);
    else if (durable && dtx_file_sync_dir(path) != 0)
        rc = dtx_error_errno(err, "cannot sync the directory of %s", path);
    free(temp);
    return rc;
}

/* ---- types ---- */

static hid_t plain_type(enum dtx_h5_kind k)
{
    switch (k) {
    case DTX_H5_U8:
        return H5T_NATIVE_UINT8;
    case DTX_H5_U16:
        return H5T_NATIVE_UINT16;
    case DTX_H5_U32:
        return H5T_NATIVE_UINT32;
    case DTX_H5_U64:
        return H5T_NATIVE_UINT64;
    case DTX_H5_I32:
        return H5T_NATIVE_INT32;
    case DTX_H5_I64:
        return H5T_NATIVE_INT64;
    case DTX_H5_F32:
        return H5T_NATIVE_FLOAT;
    case DTX_H5_F64:
    case DTX_H5_TEXT:
        break;
    }
    return H5T_NATIVE_DOUBLE;
}

/* A type of our own for a column; close it. */
static hid_t column_type(const struct dtx_h5_column *c)
{
    hsize_t n = c->count;
    hid_t t;

    if (c->kind == DTX_H5_TEXT) {
        t = H5Tcopy(H5T_C_S1);
        if (t >= 0)
            (void)H5Tset_size(t, c->count);
        return t;
    }
    if (c->count == 1)
        return H5Tcopy(plain_type(c->kind));
    return H5Tarray_create2(plain_type(c->kind), 1, &n);
}

static hid_t row_type(const struct dtx_h5_table *t)
{
    hid_t row = H5Tcreate(H5T_COMPOUND, t->row);
    size_t i;

    for (i = 0; row >= 0 && i < t->ncolumns; i++) {
        hid_t c = column_type(&t->column[i]);
        herr_t rc = -1;

        if (c >= 0)
            rc = H5Tinsert(row, t->column[i].name, t->column[i].at, c);
        if (c >= 0)
            (void)H5Tclose(c);
        if (rc < 0) {
            (void)H5Tclose(row);
            return -1;
        }
    }
    return row;
}

/* ---- tables ---- */

static hid_t creation_list(const struct dtx_h5_table *t, size_t n)
{
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk = CHUNK_BYTES / t->row;

    if (chunk < 1)
        chunk = 1;
    if (chunk > n)
        chunk = n ? n : 1;
    if (p >= 0 &&
        (H5Pset_chunk(p, 1, &chunk) < 0 || H5Pset_shuffle(p) < 0 ||
         H5Pset_deflate(p, DEFLATE) < 0 || H5Pset_fletcher32(p) < 0)) {
        (void)H5Pclose(p);
        return -1;
    }
    return p;
}

int dtx_h5_put_table(hid_t file, const struct dtx_h5_table *t,
                     const void *rows, size_t n)
{
    hsize_t dims = n, max = H5S_UNLIMITED;
    hid_t type = row_type(t), packed = type < 0 ? -1 : H5Tcopy(type);
    hid_t space = H5Screate_simple(1, &dims, &max), list = creation_list(t, n);
    hid_t set = -1;
    int rc = -1;

    if (packed >= 0 && space >= 0 && list >= 0 && H5Tpack(packed) >= 0)
        set = H5Dcreate2(file, t->name, packed, space, H5P_DEFAULT, list,
                         H5P_DEFAULT);
    if (set >= 0 && (n == 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL,
                                        H5P_DEFAULT, rows) >= 0))
        rc = 0;
    if (set >= 0 && H5Dclose(set) < 0)
        rc = -1;
    if (list >= 0)
        (void)H5Pclose(list);
    if (space >= 0)
        (void)H5Sclose(space);
    if (packed >= 0)
        (void)H5Tclose(packed);
    if (type >= 0)
        (void)H5Tclose(type);
    return rc;
}

/* Does each member lie within the row? HDF5 does not look when it converts. */
static bool members_fit(hid_t type)
{
    size_t row = H5Tget_size(type);
    int i, n = H5Tget_class(type) == H5T_COMPOUND ? H5Tget_nmembers(type) : -1;
    bool good = n > 0;

    for (i = 0; good && i < n; i++) {
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        size_t at = H5Tget_member_offset(type, (unsigned)i);
        size_t size = member >= 0 ? H5Tget_size(member) : 0;

        good = size > 0 && size <= row && at <= row - size;
        if (member >= 0)
            (void)H5Tclose(member);
    }
    return good;
}

/* Can the bytes there hold so many rows? Those of a damaged file may claim what
 * would fill the memory; deflate makes of a byte no more than 1032. */
static bool is_plausible(hid_t set, uint64_t count)
{
    hid_t type = H5Dget_type(set);
    size_t row = type >= 0 && members_fit(type) ? H5Tget_size(type) : 0;

    if (type >= 0)
        (void)H5Tclose(type);
    return row > 0 && count / 1032 <= H5Dget_storage_size(set) / row + 1;
}

static int read_rows(hid_t set, hid_t type, size_t row, size_t limit,
                     void **rows, size_t *n)
{
    hid_t space = H5Dget_space(set);
    hssize_t count = -1;

    if (space >= 0 && H5Sget_simple_extent_ndims(space) == 1)
        count = H5Sget_simple_extent_npoints(space);
    if (space >= 0)
        (void)H5Sclose(space);
    if (count < 0 || (uint64_t)count > limit ||
        !is_plausible(set, (uint64_t)count))
        return -1;
    if (count == 0)
        return 0;
    *rows = calloc((size_t)count, row);
    if (!*rows)
        return -1;
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *rows) < 0) {
        free(*rows);
        *rows = NULL;
        return -1;
    }
    *n = (size_t)count;
    return 0;
}

bool dtx_h5_has_table(hid_t file, const struct dtx_h5_table *t)
{
    return H5Lexists(file, t->name, H5P_DEFAULT) > 0;
}

int dtx_h5_get_table(hid_t file, const struct dtx_h5_table *t, size_t limit,
                     void **rows, size_t *n)
{
    hid_t type = row_type(t), set = -1;
    int rc = -1;

    *rows = NULL;
    *n = 0;
    if (type >= 0 && dtx_h5_has_table(file, t))
        set = H5Dopen2(file, t->name, H5P_DEFAULT);
    if (set >= 0) {
        rc = read_rows(set, type, t->row, limit, rows, n);
        (void)H5Dclose(set);
    }
    if (type >= 0)
        (void)H5Tclose(type);
    return rc;
}

/* ---- attributes ---- */

int dtx_h5_put_text(hid_t file, const char *name, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), a = -1;
    int rc = -1;

    if (type >= 0 && H5Tset_size(type, strlen(value) + 1) >= 0 && space >= 0)
        a = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0 && H5Awrite(a, type, value) >= 0)
        rc = 0;
    if (a >= 0)
        (void)H5Aclose(a);
    if (space >= 0)
        (void)H5Sclose(space);
    if (type >= 0)
        (void)H5Tclose(type);
    return rc;
}

int dtx_h5_get_text(hid_t file, const char *name, char *out, size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1), a = -1, stored = -1;
    int rc = -1;

    out[0] = '\0';
    if (type >= 0 && H5Tset_size(type, size) >= 0 &&
        H5Aexists(file, name) > 0)
        a = H5Aopen(file, name, H5P_DEFAULT);
    if (a >= 0)
        stored = H5Aget_type(a);
    if (stored >= 0 && H5Tget_class(stored) == H5T_STRING &&
        H5Tis_variable_str(stored) == 0 && H5Aread(a, type, out) >= 0)
        rc = 0;
    out[size - 1] = '\0';
    if (stored >= 0)
        (void)H5Tclose(stored);
    if (a >= 0)
        (void)H5Aclose(a);
    if (type >= 0)
        (void)H5Tclose(type);
    return rc;
}

int dtx_h5_put_number(hid_t file, const char *name, int64_t value)
{
    hid_t space = H5Screate(H5S_SCALAR), a = -1;
    int rc = -1;

    if (space >= 0)
        a = H5Acreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT,
                       H5P_DEFAULT);
    if (a >= 0 && H5Awrite(a, H5T_NATIVE_INT64, &value) >= 0)
        rc = 0;
    if (a >= 0)
        (void)H5Aclose(a);
    if (space >= 0)
        (void)H5Sclose(space);
    return rc;
}

/* Is it one number? */
static bool is_scalar(hid_t a)
{
    hid_t type = H5Aget_type(a), space = H5Aget_space(a);
    bool ok = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_INTEGER &&
              H5Sget_simple_extent_npoints(space) == 1;

    if (type >= 0)
        (void)H5Tclose(type);
    if (space >= 0)
        (void)H5Sclose(space);
    return ok;
}

int dtx_h5_get_number(hid_t file, const char *name, int64_t *out)
{
    hid_t a = -1;
    int rc = -1;

    *out = 0;
    if (H5Aexists(file, name) > 0)
        a = H5Aopen(file, name, H5P_DEFAULT);
    if (a >= 0 && is_scalar(a) && H5Aread(a, H5T_NATIVE_INT64, out) >= 0)
        rc = 0;
    if (a >= 0)
        (void)H5Aclose(a);
    return rc;
}

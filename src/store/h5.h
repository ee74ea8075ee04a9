/* SPDX-License-Identifier: MIT */
/* store/h5.h - tables in HDF5 files, for the other files of this folder
 *
 * A table is a one-dimensional dataset of a compound type, chunked, shuffled,
 * compressed and checksummed.  Its columns are described once, as places in a
 * C struct, and written and read by name: a file that lacks a column leaves it
 * zero, one that has more of them is read all the same.
 *
 * HDF5 keeps its state for the whole process, so all of this is for one thread
 * at a time (dtx_h5_lock).  Its error stack is silenced; what it says becomes
 * the text of our errors.  Never on a communicator: files are opened by one
 * process, with the default driver.
 */
#ifndef DTX_STORE_H5_H
#define DTX_STORE_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;

enum dtx_h5_kind {
    DTX_H5_U8, DTX_H5_U16, DTX_H5_U32, DTX_H5_U64, DTX_H5_I32, DTX_H5_I64,
    DTX_H5_F32, DTX_H5_F64, DTX_H5_TEXT /* 'count' bytes, NUL included */
};

struct dtx_h5_column {
    const char *name;
    size_t at;              /* in the struct */
    enum dtx_h5_kind kind;
    size_t count;           /* of an array; 1 = no array */
};

struct dtx_h5_table {
    const char *name;
    const struct dtx_h5_column *column;
    size_t ncolumns;
    size_t row;             /* sizeof the struct */
};

/* One thread at a time; silences the library. */
void dtx_h5_lock(void);
void dtx_h5_unlock(void);
/* Fill 'err' with "doing PATH: what HDF5 says"; returns 'code'. */
int dtx_h5_error(struct dtx_error *err, int code, const char *doing,
                 const char *path);

/* Open to read: DTX_EFOREIGN when it is no HDF5 file, DTX_ECORRUPT. */
int dtx_h5_open(const char *path, hid_t *file, struct dtx_error *err);
/* Begin a new file beside 'path': its temporary name is in 'temp' (free it).
 * dtx_h5_commit gives it its name, when 'durable' only once it is on the
 * disk, or removes it when 'rc' is not 0; returns 'rc' or what went wrong. */
int dtx_h5_begin(const char *path, hid_t *file, char **temp,
                 struct dtx_error *err);
int dtx_h5_commit(const char *path, hid_t file, char *temp, bool durable,
                  int rc, struct dtx_error *err);

/* 0 or below 0, with what HDF5 says left for dtx_h5_error. */
int dtx_h5_put_table(hid_t file, const struct dtx_h5_table *t,
                     const void *rows, size_t n);
/* All rows of a table, at most 'limit'; '*rows' is NULL when there are none,
 * otherwise the caller frees. */
int dtx_h5_get_table(hid_t file, const struct dtx_h5_table *t, size_t limit,
                     void **rows, size_t *n);
/* Is there such a table? Older files lack some. */
bool dtx_h5_has_table(hid_t file, const struct dtx_h5_table *t);
/* Attributes of the root group. */
int dtx_h5_put_text(hid_t file, const char *name, const char *value);
int dtx_h5_get_text(hid_t file, const char *name, char *out, size_t size);
int dtx_h5_put_number(hid_t file, const char *name, int64_t value);
int dtx_h5_get_number(hid_t file, const char *name, int64_t *out);

#endif

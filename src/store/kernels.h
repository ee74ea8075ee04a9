/* SPDX-License-Identifier: MIT */
/* store/kernels.h - the file of what a program's kernels took
 *
 * What the library keeps from run to run, and "distributex history import"
 * reads: a journal (store/journal.h) of KLOOP and KTOOK records, written as a
 * whole and renamed.  Damaged stretches are passed over; records that make no
 * sense too.  A file with other records, or none of ours, is foreign.
 */
#ifndef DTX_STORE_KERNELS_H
#define DTX_STORE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "wire/codec.h"

struct dtx_error;

#define DTX_KERNELS_NAME 256u    /* bytes, NUL included */
#define DTX_KERNELS_FEATURES 8u
#define DTX_KERNELS_BYTES (32u << 20) /* of a file */

/* The profile of a loop. */
struct dtx_kernels_loop {
    char kernel[DTX_KERNELS_NAME];
    uint64_t begin, end;
    uint32_t total; /* grains */
    double x[DTX_KERNELS_FEATURES];
    uint32_t nx;
    struct dtx_str ns; /* of its buckets, as in sched/profile.h */
};

/* What a call took. */
struct dtx_kernels_took {
    char kernel[DTX_KERNELS_NAME];
    uint64_t bytes, ns;
    double hint; /* 0: none */
    double x[DTX_KERNELS_FEATURES];
    uint32_t nx;
};

/* Either may be NULL. Non-zero ends the reading and is returned. */
struct dtx_kernels_reader {
    int (*loop)(void *ctx, const struct dtx_kernels_loop *l);
    int (*took)(void *ctx, const struct dtx_kernels_took *t);
    void *ctx;
};

/* What a file is that has a record of this kind, in words. */
const char *dtx_kernels_whose(int record);
/* All of the file at 'path', appended to 'out', to be parsed. DTX_ENOENT,
 * DTX_EFOREIGN (too long), another failure to read. */
int dtx_kernels_load(const char *path, struct dtx_buf *out,
                     struct dtx_error *err);
/* '*left_out' (may be NULL) counts damaged stretches and senseless records. */
int dtx_kernels_parse(const char *path, const void *data, size_t len,
                      const struct dtx_kernels_reader *r, uint64_t *left_out,
                      struct dtx_error *err);

/* To write: any number of records into an empty buffer ... */
void dtx_kernels_put_loop(struct dtx_buf *b, const char *kernel,
                          uint64_t begin, uint64_t end, uint32_t total,
                          const double *x, uint32_t nx, struct dtx_str ns);
void dtx_kernels_put_took(struct dtx_buf *b, const char *kernel,
                          uint64_t bytes, double hint, const double *x,
                          uint32_t nx, uint64_t ns);
/* ... which takes the place of what is at 'path', once it is on the disk. */
int dtx_kernels_write(const char *path, const struct dtx_buf *b,
                      struct dtx_error *err);

#endif

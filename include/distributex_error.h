/* SPDX-License-Identifier: MIT */
/* distributex_error.h - the error codes of DistributeX, and their texts
 *
 * Functions return 0 (DTX_OK) or a negative code of enum dtx_err.  Included by
 * distributex.h; nobody needs to include it alone.
 */
#ifndef DISTRIBUTEX_ERROR_H
#define DISTRIBUTEX_ERROR_H

#if defined(__GNUC__)
#define DTX_PUBLIC __attribute__((visibility("default")))
#else
#define DTX_PUBLIC
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, value, text): the code is DTX_NAME. */
#define DTX_ERR_MAP(X)                                                         \
    X(ENOMEM, -1, "out of memory")                                             \
    X(EINVAL, -2, "invalid argument")                                          \
    X(EPARSE, -3, "malformed input")                                           \
    X(ELIMIT, -4, "limit exceeded")                                            \
    X(EIO, -5, "input/output error")                                           \
    X(ENOSPC, -6, "no space or quota left")                                    \
    X(EEXIST, -7, "already exists")                                            \
    X(ENOENT, -8, "not found")                                                 \
    X(EBUSY, -9, "in use")                                                     \
    X(EAGAIN, -10, "not now, try again")                                       \
    X(ECORRUPT, -11, "damaged data")                                           \
    X(EFOREIGN, -12, "not ours, or a newer version")                           \
    X(ESTALE, -13, "superseded by a newer session")                            \
    X(EPROTO, -14, "protocol violation")                                       \
    X(EMPI, -15, "MPI failure")                                                \
    X(ESYS, -16, "system call failed")                                         \
    X(ESTATE, -17, "called in the wrong state")                                \
    X(EKERNEL, -18, "a kernel reported failure")                               \
    X(EMISMATCH, -19, "the ranks do not agree")                                \
    X(ECANCEL, -20, "cancelled")                                               \
    X(ELOST, -21, "a rank is lost")

enum dtx_err {
    DTX_OK = 0,
#define DTX_ERR_ENUM(name, value, text) DTX_##name = value,
    DTX_ERR_MAP(DTX_ERR_ENUM)
#undef DTX_ERR_ENUM
};

/* The fixed text of a code; never NULL. */
DTX_PUBLIC const char *dtx_strerror(int code);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* base/error.h - error codes with text
 *
 * Functions return 0 (DTX_OK) or a negative code of enum dtx_err.  Those that
 * can say more take a 'struct dtx_error *' (NULL is allowed): the innermost
 * function that knows the cause fills it, outer ones may add a prefix.  On
 * failure a function changes no state unless its header says otherwise.
 * Nothing here prints.
 */
#ifndef DTX_BASE_ERROR_H
#define DTX_BASE_ERROR_H

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
    X(ESTATE, -17, "called in the wrong state")

enum dtx_err {
    DTX_OK = 0,
#define DTX_ERR_ENUM(name, value, text) DTX_##name = value,
    DTX_ERR_MAP(DTX_ERR_ENUM)
#undef DTX_ERR_ENUM
};

struct dtx_error {
    int code;        /* enum dtx_err */
    char text[1024]; /* one or more lines, no final newline */
};

/* The fixed text of a code; never NULL. */
const char *dtx_strerror(int code);

/* Fill 'err' (if not NULL) with the code and a formatted text, cut to fit.
 * Returns 'code', so that "return dtx_error_set(...)" reads well. */
int dtx_error_set(struct dtx_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As dtx_error_set, with ": <strerror(errno)>" appended; the code is ENOSPC
 * for ENOSPC and EDQUOT, ENOMEM, ENOENT and EEXIST for theirs, otherwise
 * ESYS. */
int dtx_error_errno(struct dtx_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put a formatted prefix before the text already there. Returns err->code
 * (0 when err is NULL). */
int dtx_error_prefix(struct dtx_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

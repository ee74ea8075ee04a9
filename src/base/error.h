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

/* enum dtx_err and dtx_strerror: users of the library see them, too. */
#include <distributex_error.h>

struct dtx_error {
    int code;        /* enum dtx_err */
    char text[1024]; /* one or more lines, no final newline */
};

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

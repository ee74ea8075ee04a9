/* SPDX-License-Identifier: MIT */
/* Error codes and their text; see error.h.  Pure: errno is only read. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *dtx_strerror(int code)
{
    switch (code) {
    case DTX_OK:
        return "success";
#define DTX_ERR_CASE(name, value, text)                                        \
    case DTX_##name:                                                           \
        return text;
        DTX_ERR_MAP(DTX_ERR_CASE)
#undef DTX_ERR_CASE
    default:
        return "unknown error";
    }
}

int dtx_error_set(struct dtx_error *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;

        err->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return code;
}

static int code_of_errno(int e)
{
    switch (e) {
    case ENOSPC:
    case EDQUOT:
        return DTX_ENOSPC;
    case ENOMEM:
        return DTX_ENOMEM;
    case ENOENT:
        return DTX_ENOENT;
    case EEXIST:
        return DTX_EEXIST;
    default:
        return DTX_ESYS;
    }
}

int dtx_error_errno(struct dtx_error *err, const char *fmt, ...)
{
    int e = errno;
    int code = code_of_errno(e);

    if (err) {
        va_list ap;
        size_t len;

        err->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        len = strlen(err->text);
        (void)snprintf(err->text + len, sizeof(err->text) - len, ": %s",
                       strerror(e));
    }
    errno = e;
    return code;
}

int dtx_error_prefix(struct dtx_error *err, const char *fmt, ...)
{
    char old[sizeof(err->text)];
    va_list ap;
    size_t len;

    if (!err)
        return 0;
    memcpy(old, err->text, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    (void)snprintf(err->text + len, sizeof(err->text) - len, "%s", old);
    return err->code;
}

/* SPDX-License-Identifier: MIT */
/* Writes pieces of outputs; see printer.h.  It knows no task. */
#include "run/printer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

#define HOLD_BYTES (64u << 10) /* small outputs are written together */
#define STOPPED 1 /* nothing more is to be written */

void dtx_printer_note(struct dtx_printer *p, int e)
{
    int none = DTX_OK;

    errno = e;
    (void)atomic_compare_exchange_strong(&p->error, &none,
                                         dtx_error_errno(NULL, "show"));
}

/* No more to this stream. Outputs stay in the run directory. */
static void give_up(struct dtx_printer *p, int i, int e)
{
    atomic_store(&p->mute[i], true);
    if (dtx_outlet_reader_left(i ? STDERR_FILENO : STDOUT_FILENO, e))
        return;
    dtx_printer_note(p, e);
    dtx_log(DTX_LOG_ERROR,
            "cannot write to %s: %s; no further outputs are shown there: "
            "'distributex output %s TASK' shows them",
            i ? "stderr" : "stdout", strerror(e), p->run_dir);
}

/* The progress line shares the terminal: it is drawn again by the next tick. */
static int wipe_line(struct dtx_printer *p)
{
    static const char wipe[] = "\r\033[K";

    if (!p->wipe || atomic_load(&p->mute[1]))
        return 0;
    return dtx_outlet_write(&p->outlet, STDERR_FILENO, wipe, sizeof(wipe) - 1);
}

/* 0 or STOPPED. */
static int write_now(struct dtx_printer *p, enum dtx_stream stream,
                     const void *data, size_t len)
{
    int i = stream == DTX_STDERR, e;

    if (atomic_load(&p->mute[i]))
        return 0;
    e = wipe_line(p);
    if (e == 0)
        e = dtx_outlet_write(&p->outlet, i ? STDERR_FILENO : STDOUT_FILENO,
                             data, len);
    if (e > 0)
        give_up(p, i, e);
    return e < 0 ? STOPPED : 0;
}

int dtx_printer_flush(struct dtx_printer *p)
{
    int rc = p->hold.len > 0 ? write_now(p, p->held, p->hold.data, p->hold.len)
                             : 0;

    dtx_buf_clear(&p->hold);
    return rc;
}

static int put(struct dtx_printer *p, enum dtx_stream stream, const void *data,
               size_t len)
{
    int rc = 0;

    if (p->held != stream || p->hold.len + len > HOLD_BYTES ||
        !dtx_buf_reserve(&p->hold, len))
        rc = dtx_printer_flush(p);
    p->held = stream;
    if (rc != 0)
        return rc;
    if (len > HOLD_BYTES || !dtx_buf_reserve(&p->hold, len))
        return write_now(p, stream, data, len);
    dtx_buf_append(&p->hold, data, len);
    return 0;
}

/* Each line with the tag before it. */
static int put_tagged(struct dtx_printer *p, enum dtx_stream stream,
                      const char *data, size_t len)
{
    const size_t tag_len = strlen(p->tag);
    bool *in_line = &p->in_line[stream == DTX_STDERR];
    int rc = 0;

    while (len > 0 && rc == 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) + 1 : len;

        if (!*in_line)
            rc = put(p, stream, p->tag, tag_len);
        if (rc == 0)
            rc = put(p, stream, data, n);
        *in_line = !end;
        data += n;
        len -= n;
    }
    return rc;
}

int dtx_printer_write(void *printer, enum dtx_stream stream, const void *data,
                      size_t len)
{
    struct dtx_printer *p = printer;
    uint64_t *skip = &p->skip[stream == DTX_STDERR];
    size_t past = *skip < len ? (size_t)*skip : len;
    const char *rest = (const char *)data + past;

    *skip -= past;
    if (past == len)
        return 0;
    return p->tag ? put_tagged(p, stream, rest, len - past)
                  : put(p, stream, rest, len - past);
}

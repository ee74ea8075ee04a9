/* SPDX-License-Identifier: MIT */
/* run/outlet.h - write to a reader who may be slow, or not read at all
 *
 * A thread that writes here can be told to end: it writes no more than there
 * is room for and looks up a few times a second.
 */
#ifndef DTX_RUN_OUTLET_H
#define DTX_RUN_OUTLET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct dtx_outlet {
    atomic_bool *stopping;   /* end, but write what there is room for */
    void (*idle)(void *ctx); /* called while there is no room; or NULL */
    void *ctx;
};

/* Write all to fd: 0, an errno, or -1 when it is to end and there is no room.
 * A cancellation point, even where the thread has disabled that. */
int dtx_outlet_write(const struct dtx_outlet *o, int fd, const char *p,
                     size_t len);
/* Does this errno say that the reader has left ("| head"), or that the
 * terminal has been closed? */
bool dtx_outlet_reader_left(int fd, int e);

#endif

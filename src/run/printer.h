/* SPDX-License-Identifier: MIT */
/* run/printer.h - outputs of tasks onto stdout and stderr
 *
 * Small ones are held back and written together; each line can be given a tag;
 * the progress line that may stand on the terminal is wiped before.  A stream
 * that cannot be written is mute from then on, and that is said once, unless
 * its reader has just left.
 *
 * The struct is laid open for its one user, the showing thread, which alone
 * writes; mute and error are read by others.
 */
#ifndef DTX_RUN_PRINTER_H
#define DTX_RUN_PRINTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/outlet.h"
#include "store/output.h"

struct dtx_printer {
    /* set before the first write */
    struct dtx_outlet outlet;
    const char *run_dir; /* borrowed; for messages */
    bool wipe;           /* a progress line may stand on the terminal */
    /* of the output that is being written, set for each */
    const char *tag;  /* before each line, or NULL */
    bool in_line[2];  /* a line of it has begun and not ended */
    uint64_t skip[2]; /* so many of each stream's next bytes are left out */
    /* anybody's */
    atomic_bool mute[2]; /* stdout, stderr: cannot be written any more */
    atomic_int error;    /* the first DTX_E* that was not a reader leaving */
    /* its own */
    struct dtx_buf hold; /* not written yet, for stream 'held' */
    enum dtx_stream held;
};

/* The next piece of the output: a dtx_output_piece_f. 0, or 1 when nothing more
 * is to be written since the thread is to end. */
int dtx_printer_write(void *printer, enum dtx_stream stream, const void *data,
                      size_t len);
/* Write what is held back; the same. */
int dtx_printer_flush(struct dtx_printer *p);
/* Remember an errno in 'error', if it is the first. */
void dtx_printer_note(struct dtx_printer *p, int e);

#endif

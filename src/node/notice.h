/* SPDX-License-Identifier: MIT */
/* node/notice.h - a file that tells of the death of a rank
 *
 * A rank's spawner, which outlives it, writes it where rank 0 and the
 * supervisor look, also from other nodes: how the rank ended, as far as that
 * can be known, and which attempts it was running.  A few lines of text,
 * written under another name first, so that what can be read is whole.
 */
#ifndef DTX_NODE_NOTICE_H
#define DTX_NODE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/wire.h"

#define DTX_NOTICE_PATH 1200 /* bytes of a path, NUL included */

struct dtx_notice {
    int status; /* as waitpid gives it, -1 = unknown */
    bool still; /* its spawner ended it, since it stood still */
    bool told;  /* 'ran' is all that ran there; else nobody knows */
    struct dtx_item_taskref *ran; /* owned by whoever read it */
    uint32_t nran;
};

/* 0 or an error; it may take as long as the file system likes. */
int dtx_notice_write(const char *path, const struct dtx_notice *n);
/* DTX_ENOENT: none there, DTX_ECORRUPT, DTX_ENOMEM. On success 'n->ran' is to
 * be freed. */
int dtx_notice_read(const char *path, struct dtx_notice *n);

/* "signal 9", "exit 3", "it stood still" or "no word of how"; returns 'buf'. */
const char *dtx_notice_cause(const struct dtx_notice *n, char *buf,
                             size_t size);

#endif

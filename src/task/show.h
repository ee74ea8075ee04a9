/* SPDX-License-Identifier: MIT */
/* task/show.h - a piece of somebody's file, fit for a message */
#ifndef DTX_TASK_SHOW_H
#define DTX_TASK_SHOW_H

#include <stddef.h>

#define DTX_SHOW_MAX 60u /* bytes of the piece that are shown */

struct dtx_show {
    char text[4 * DTX_SHOW_MAX + 4];
};

/* 's' with all but printable ASCII as \xNN, cut with "..." when long; the
 * result lives in 'b'. */
const char *dtx_show_text(struct dtx_show *b, const char *s, size_t len);

#endif

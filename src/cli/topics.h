/* SPDX-License-Identifier: MIT */
/* cli/topics.h - what "distributex help TOPIC" explains
 *
 * Each topic writes itself onto a page, so the terminal and the man page say
 * the same.
 */
#ifndef DTX_CLI_TOPICS_H
#define DTX_CLI_TOPICS_H

#include <stddef.h>

struct dtx_page;

struct dtx_topic {
    const char *name;
    const char *title; /* of its chapter in the man page */
    const char *help;  /* one line */
    void (*write)(struct dtx_page *p);
};

const struct dtx_topic *dtx_topic_table(size_t *count);

/* The version of this program. */
const char *dtx_cmd_version_text(void);

#endif

/* SPDX-License-Identifier: MIT */
/* task/parser.h - what the parts of the task file's parser share
 *
 * taskfile.c decides what a line is, directive.c reads "#DTX".  Private to
 * task/.
 */
#ifndef DTX_TASK_PARSER_H
#define DTX_TASK_PARSER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/after.h"
#include "task/show.h"
#include "task/task.h"

#define DTX_PARSER_KEYS 7

/* What the directives said since the last task. */
struct dtx_pending {
    struct dtx_task_attr attr;
    uint32_t name;
    uint32_t line;                      /* of the first directive, 0 = none */
    uint32_t key_line[DTX_PARSER_KEYS]; /* where a key was given, 0 = not */
};

struct dtx_taskparser {
    const char *name; /* of the file; in messages */
    char *owned;      /* the same, when it is a copy; or NULL */
    bool live;
    bool wide; /* live: the first line began as UTF-16 does */
    struct dtx_tasklist *list;
    struct dtx_graph *graph; /* NULL when live */
    struct dtx_error *err;   /* of the call at work */
    struct dtx_after after;
    struct dtx_pending pending;
    struct dtx_buf waits; /* live: the after= of the task to come */
    uint32_t waits_line;
    struct dtx_after_live earlier; /* live: who can be waited for */
    uint32_t line;                 /* at work on, or the one at fault */
    uint32_t ntasks;               /* so far, also where the list was emptied */
    struct dtx_show shown;         /* the value at work on */
};

static inline bool dtx_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline int dtx_parser_nomem(struct dtx_taskparser *p)
{
    return dtx_error_set(p->err, DTX_ENOMEM, "out of memory");
}

/* A line that begins with '#', up to 'end': a directive, or nothing. */
int dtx_directive_read(struct dtx_taskparser *p, const char *s,
                       const char *end);
/* Nothing has been said about the next task. */
void dtx_directive_forget(struct dtx_taskparser *p);

#endif

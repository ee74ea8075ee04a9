/* SPDX-License-Identifier: MIT */
/* task/parser.h - what the parts of the task file's parser share
 *
 * taskfile.c decides what a line is, directive.c reads "#DTX", greasy.c and
 * disbatch.c what is written for those programs.  Private to task/.
 */
#ifndef DTX_TASK_PARSER_H
#define DTX_TASK_PARSER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/after.h"
#include "task/show.h"
#include "task/task.h"
#include "task/taskfile.h"

#define DTX_PARSER_KEYS 9

/* What the directives said since the last task. */
struct dtx_pending {
    struct dtx_task_attr attr;
    uint32_t name;
    uint32_t line;                      /* of the first directive, 0 = none */
    uint32_t key_line[DTX_PARSER_KEYS]; /* where a key was given, 0 = not */
};

/* Whose language a file is written in, beside our own. */
enum dtx_dialect { DTX_DIALECT_NONE, DTX_DIALECT_GREASY, DTX_DIALECT_DISBATCH };

/* Consecutive lines that hold consecutive tasks. */
struct dtx_line_run {
    uint32_t line, task, count;
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
    size_t counted;                /* of its edges, as those of a task */
    uint32_t line;                 /* at work on, or the one at fault */
    uint32_t ntasks;               /* so far, also where the list was emptied */
    struct dtx_line_run *run;
    size_t nruns, cap_runs;
    enum dtx_dialect dialect;
    uint32_t dialect_line;      /* where that was seen first */
    struct dtx_buf prefix, suffix; /* disBatch: round each command */
    uint32_t repeat_env;        /* disBatch: of repeated tasks */
    uint32_t plain;             /* attributes of a task without a directive */
    uint32_t index;             /* of the task that is added */
    struct dtx_buf command;     /* disBatch: one with its prefix and suffix */
    struct dtx_taskfile_more *more; /* NULL: nobody wants it */
    struct dtx_show shown;      /* the value at work on */
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
/* The value of a key, given in another language. */
int dtx_directive_set(struct dtx_taskparser *p, const char *key, const char *v,
                      size_t len);
/* Nothing has been said about the next task. */
void dtx_directive_forget(struct dtx_taskparser *p);

/* A line of this language: no other may be in the file. */
int dtx_parser_dialect(struct dtx_taskparser *p, enum dtx_dialect d);
/* The task of this line, its command being s. */
int dtx_parser_add(struct dtx_taskparser *p, const char *s, size_t len);

/* Does a command line begin with GREASY's dependencies or directory? */
bool dtx_greasy_is(const char *s, const char *end);
/* Read those; '*s' goes to the command. */
int dtx_greasy_read(struct dtx_taskparser *p, const char **s, const char *end);

/* Does a line that begins with '#' begin with "#DISBATCH"? */
bool dtx_disbatch_is(const char *s, const char *end);
/* Read it. */
int dtx_disbatch_read(struct dtx_taskparser *p, const char *s,
                      const char *end);
/* A command line between such directives. */
int dtx_disbatch_task(struct dtx_taskparser *p, const char *s, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/* task/args.h - the arguments a template gave a task
 *
 * They are kept as they came, each ended by a NUL (none can hold one), in the
 * order of the sources, columns one by one: "a\0b\0".  What GNU parallel shows
 * as --tag and the paths of --results (task/layout.h) are made from them when
 * they are needed; the journal keeps them, so that a resume needs no template.
 */
#ifndef DTX_TASK_ARGS_H
#define DTX_TASK_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dtx_buf;
struct dtx_tasklist;

/* Are these bytes arguments? None are as well. */
static inline bool dtx_args_valid(const char *args, size_t len)
{
    return len == 0 || args[len - 1] == '\0';
}

/* Take the next one off; false when there is none. */
static inline bool dtx_args_next(const char **args, size_t *left,
                                 const char **arg, size_t *len)
{
    const char *end = *left ? memchr(*args, '\0', *left) : NULL;

    if (!end)
        return false;
    *arg = *args;
    *len = (size_t)(end - *args);
    *left -= *len + 1;
    *args = end + 1;
    return true;
}

/* Leave out the blanks around a text; its new length. */
size_t dtx_args_trim(const char **s, size_t len);

/* Append what --tag begins the lines of a task with: its name, or its
 * arguments joined by blanks, or else its command. */
void dtx_args_tag(struct dtx_buf *out, const struct dtx_tasklist *l,
                  uint32_t task);

#endif

/* SPDX-License-Identifier: MIT */
/* task/template.h - a command template and the values put into it
 *
 * The words of a command with GNU parallel's replacement strings, and the
 * sources of values; every combination of values is one command, in GNU
 * parallel's order (the last source varies fastest, linked ones go together
 * up to the shortest).
 *
 * dtx_template_create, _words or _lines for each source, _compile, then _count
 * and _put for combinations 0 .. count - 1, in any order.
 */
#ifndef DTX_TASK_TEMPLATE_H
#define DTX_TASK_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_error;
struct dtx_template;

#define DTX_MAX_SOURCES 1000u

struct dtx_template_how {
    const char *colsep; /* POSIX extended expression, or NULL; \t is a tab */
    bool header;        /* the first value of a source names it */
    bool quote;         /* the words of the command are quoted as well */
};

/* NULL when out of memory. */
struct dtx_template *dtx_template_create(void);
void dtx_template_destroy(struct dtx_template *t); /* NULL is allowed */

/* One more source: words, or the lines of a file. What they point to is
 * borrowed until the template goes. 0, DTX_ENOMEM, DTX_ELIMIT, DTX_EPARSE. */
int dtx_template_words(struct dtx_template *t, char *const *word, size_t n,
                       bool linked, struct dtx_error *err);
int dtx_template_lines(struct dtx_template *t, const char *name,
                       const char *data, size_t len, bool linked,
                       struct dtx_error *err);

/* Read the command's words ('n' may be 0: the values are the commands). 0, or
 * a code with a message for the user. */
int dtx_template_compile(struct dtx_template *t, char *const *word, size_t n,
                         const struct dtx_template_how *how,
                         struct dtx_error *err);

/* Valid after _compile. */
uint32_t dtx_template_count(const struct dtx_template *t);
/* Does the command hold DTX_SLOT_BYTE, for {%}? */
bool dtx_template_has_slot(const struct dtx_template *t);

/* Append the command of combination 'i', as task number 'seq' (for {#}). On
 * failure what was appended is undefined. */
int dtx_template_put(struct dtx_template *t, uint32_t i, uint64_t seq,
                     struct dtx_buf *out, struct dtx_error *err);
/* Append the values of the combination last put, each ended by a NUL, as the
 * sources have them: the arguments of task/args.h. */
void dtx_template_args(const struct dtx_template *t, struct dtx_buf *out);
/* Append the names from a header, in the order of the arguments, each ended by
 * a NUL. */
void dtx_template_columns(const struct dtx_template *t, struct dtx_buf *out);

/* The other way to use one, without sources: a path with replacement strings
 * and the arguments of a task that is known.  'columns' are the names as
 * above, borrowed until the template goes; 'trim': blanks around arguments are
 * left out.  Nothing is quoted. */
int dtx_template_compile_path(struct dtx_template *t, const char *path,
                              const char *columns, size_t len, bool trim,
                              struct dtx_error *err);
/* Is there any? Else the path is as it was written. */
bool dtx_template_has_replacement(const struct dtx_template *t);
/* Append the path for these arguments. */
int dtx_template_fill(struct dtx_template *t, const char *args, size_t len,
                      uint64_t seq, struct dtx_buf *out,
                      struct dtx_error *err);

#endif

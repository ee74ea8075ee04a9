/* SPDX-License-Identifier: MIT */
/* task/template_state.h - a template from the inside
 *
 * Internal to task/'s template files.
 */
#ifndef DTX_TASK_TEMPLATE_STATE_H
#define DTX_TASK_TEMPLATE_STATE_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "task/template.h"

struct value {
    const char *text;
    uint32_t len;
};

struct source {
    struct value *value;
    size_t nvalues, cap_values;
    size_t first; /* 1 when the first value is a header */
    bool linked;  /* goes with the source before it */
    uint32_t group_size; /* of the first of a group: values that take part */
    uint32_t at;         /* in this combination */
    uint32_t split_at;   /* which one 'column' holds */
    struct value *column;
    size_t ncolumns, cap_columns;
};

enum form { FORM_WHOLE, FORM_NO_SUFFIX, FORM_NO_FOLDER, FORM_FOLDER,
            FORM_NEITHER };

enum op_kind { OP_TEXT, OP_BREAK, OP_SEQ, OP_SLOT, OP_ALL, OP_ONE };

struct op {
    enum op_kind kind;
    enum form form;
    int32_t place;
    size_t text, len;
};

/* The name a header gives to a place. */
struct place_name {
    const char *text;
    size_t len;
};

struct dtx_template {
    struct source *source;
    size_t nsources, cap_sources;
    struct op *op;
    size_t nops, cap_ops;
    struct value *row; /* the values of the combination at work */
    size_t nrow, cap_row;
    struct place_name *name; /* name[i] is that of place i + 1 */
    size_t nnames, cap_names;
    struct dtx_buf text; /* what stands between replacement strings */
    struct dtx_buf word; /* at work, when words are quoted */
    struct dtx_template_how how;
    regex_t regex;
    bool has_regex;
    char separator; /* instead, when it is a single byte */
    bool has_slot;
    bool raw; /* values are not quoted by themselves */
    bool split; /* values have columns */
    bool trim; /* blanks around a value do not count */
    uint32_t count;
};

/* How many combinations there are; leaves out headers. */
int dtx_template_combine(struct dtx_template *t, struct dtx_error *err);
/* Columns of a value into s->column. 0 or DTX_ENOMEM. */
int dtx_template_split(const struct dtx_template *t, struct source *s,
                       const struct value *v);

#endif

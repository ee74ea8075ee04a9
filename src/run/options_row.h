/* SPDX-License-Identifier: MIT */
/* run/options_row.h - the option table as data, and what reads it
 *
 * For run/'s option files, and for the commands that explain and complete
 * options.
 */
#ifndef DTX_RUN_OPTIONS_ROW_H
#define DTX_RUN_OPTIONS_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_error;
struct dtx_options;

enum dtx_option_kind {
    DTX_OPTION_GROUP, /* no option: 'help' is the title of those that follow */
    DTX_OPTION_FLAG,
    DTX_OPTION_NUMBER,   /* uint32_t */
    DTX_OPTION_JOBS,     /* struct dtx_jobs */
    DTX_OPTION_DURATION, /* int64_t nanoseconds */
    DTX_OPTION_SIZE,     /* int64_t bytes */
    DTX_OPTION_TIMEOUT,  /* int64_t nanoseconds, or a share of the median */
    DTX_OPTION_TEXT,
    DTX_OPTION_TEXTS,  /* each adds one */
    DTX_OPTION_HEADER, /* ":" */
    DTX_OPTION_RESULTS,
    DTX_OPTION_ARRAY,
    DTX_OPTION_POLICY,
    DTX_OPTION_HALT,
    DTX_OPTION_BIND,
    DTX_OPTION_COUNTERS,
    DTX_OPTION_YESNO, /* bool */
    DTX_OPTION_KEEP,
    DTX_OPTION_LATE,   /* enum dtx_late */
    DTX_OPTION_WHEN,   /* struct dtx_when */
    DTX_OPTION_SIGNAL, /* int */
    DTX_OPTION_MODE, /* one of enum dtx_resume */
    DTX_OPTION_HELP
};

struct dtx_option {
    const char *name;
    char letter;
    enum dtx_option_kind kind;
    size_t place; /* in struct dtx_options */
    const char *arg;
    int64_t lo, hi;
    const char *value; /* default */
    const char *help;
};

#define DTX_OPTION_ROWS_MAX 80

const struct dtx_option *dtx_option_table(size_t *count);
/* The words that options of this one's kind take, the i-th of them, or NULL:
 * all there are, or the usual forms ("soon,fail=1"). */
const char *dtx_option_word(const struct dtx_option *o, size_t i);
/* The row of this long name, or letter; NULL for none. Some have a second one,
 * of GNU parallel. */
const struct dtx_option *dtx_option_named(const char *name, size_t len);
const struct dtx_option *dtx_option_lettered(char letter);
/* Does a word follow it on the command line? */
bool dtx_option_takes_value(const struct dtx_option *o);
/* "DTX_RUN_DIR" for run-dir; cut to fit; returns 'buf'. */
const char *dtx_option_variable(const struct dtx_option *o, char *buf,
                                size_t size);

/* Read 'value' into the option's place; 'label' says in messages where it came
 * from. Not for groups, modes and help. 0, DTX_EINVAL or DTX_ENOMEM. */
int dtx_option_set(const struct dtx_option *o, const char *label,
                   const char *value, struct dtx_options *out,
                   struct dtx_error *err);
/* The same of one whose value is one of a few words: 'at' is its place. */
int dtx_option_set_word(const struct dtx_option *o, const char *label,
                        const char *value, void *at, struct dtx_error *err);
/* DTX_EINVAL: "LABEL: 'VALUE' is not WHAT", the whole of it; the second tells
 * the word of the option that is near to the value, too. */
int dtx_option_refuse(struct dtx_error *err, const char *label,
                      const char *value, const char *what);
int dtx_option_refuse_word(const struct dtx_option *o, struct dtx_error *err,
                           const char *label, const char *value,
                           const char *what);
/* The long name of an option that is promised but not in this version; the
 * i-th of them, or NULL. */
bool dtx_option_is_later(const char *name, size_t len);
const char *dtx_option_later(size_t i);
/* What to say of an option of GNU parallel that is not here; its long name, or
 * one letter. NULL: none of those. */
const char *dtx_option_foreign(const char *name, size_t len);
/* 1/yes/true, 0/no/false. */
int dtx_option_flag(const char *label, const char *value, bool *out,
                    struct dtx_error *err);

/* Each setting of a configuration file: 'label' is "FILE:LINE: name". */
typedef int (*dtx_config_f)(void *ctx, const struct dtx_option *o,
                            const char *label, const char *value,
                            struct dtx_error *err);
int dtx_config_each(const char *name, const char *text, size_t len,
                    dtx_config_f fn, void *ctx, struct dtx_error *err);

#endif

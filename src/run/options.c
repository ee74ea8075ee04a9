/* SPDX-License-Identifier: MIT */
/* Puts the options of "distributex run" together.  It decides which source of
 * a value wins (command line, environment, file, default), which modes exclude
 * each other and what the positionals mean; it reads no file and no
 * environment of its own and prints nothing. */
#include "run/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "run/options_row.h"
#include "sched/policy.h"
#include "task/show.h"

#define SEE_HELP "; see 'distributex run --help'"
#define FORM "the form: distributex run [options] TASKFILE"
#define FORMS                                                                  \
    "the forms: distributex run [options] TASKFILE\n"                         \
    "           distributex run [options] COMMAND ::: ARGUMENT...\n"          \
    "           distributex run [options] -a FILE COMMAND\n"                  \
    "           distributex run [options] --array 1-10 COMMAND"

/* Where a value came from; a larger one wins. */
enum level { NOWHERE, DEFAULT, CONFIG, ENVIRONMENT, COMMAND_LINE };

struct parser {
    const struct dtx_options_input *in;
    struct dtx_options *out;
    struct dtx_error *err;
    const struct dtx_option *table;
    size_t nrows;
    enum level given[DTX_OPTION_ROWS_MAX];
    bool mode_on[DTX_OPTION_ROWS_MAX]; /* of rows of kind MODE */
    bool help;
    int next; /* word of argv to look at */
};

/* 'value' NULL: a flag that stands alone. */
static int set_option(struct parser *p, const struct dtx_option *o,
                      enum level level, const char *label, const char *value)
{
    size_t i = (size_t)(o - p->table);
    int rc;

    if (p->given[i] > level)
        return 0;
    if (!value)
        value = "yes";
    if (o->kind == DTX_OPTION_MODE)
        rc = dtx_option_flag(label, value, &p->mode_on[i], p->err);
    else
        rc = dtx_option_set(o, label, value, p->out, p->err);
    if (rc == 0)
        p->given[i] = level;
    return rc;
}

/* ---- command line ---- */

/* 'spelled' is what was written ("--retri"), its first 'len' bytes. */
static int refuse_unknown(struct parser *p, const char *spelled, size_t len)
{
    bool is_long = len > 2;
    const char *name = spelled + (is_long ? 2 : 1);
    size_t i, n = len - (is_long ? 2 : 1);
    struct dtx_near near;
    struct dtx_show b;

    (void)dtx_show_text(&b, spelled, len);
    if (is_long && dtx_option_is_later(name, n))
        return dtx_error_set(p->err, DTX_EINVAL,
                             "unknown option %s: it is not in this version"
                             SEE_HELP, b.text);
    if (dtx_option_foreign(name, n))
        return dtx_error_set(p->err, DTX_EINVAL,
                             "%s is an option of GNU parallel that is not "
                             "here: %s", b.text, dtx_option_foreign(name, n));
    dtx_near_init(&near, name, is_long ? n : 0);
    for (i = 0; i < p->nrows; i++) {
        if (p->table[i].name)
            dtx_near_offer(&near, p->table[i].name);
    }
    if (near.best)
        return dtx_error_set(p->err, DTX_EINVAL,
                             "unknown option %s; did you mean --%s?", b.text,
                             near.best);
    return dtx_error_set(p->err, DTX_EINVAL, "unknown option %s" SEE_HELP,
                         b.text);
}

/* The word behind the option, as its value. */
static const char *take_word(struct parser *p, const struct dtx_option *o,
                             const char *label)
{
    const char *word = p->next < p->in->argc ? p->in->argv[p->next] : NULL;

    if (word && strncmp(word, "--", 2) == 0 &&
        (!word[2] || dtx_option_named(word + 2, strcspn(word + 2, "=")))) {
        (void)dtx_error_set(p->err, DTX_EINVAL,
                            "%s needs a value (%s), but %s follows", label,
                            o->arg, word);
        return NULL;
    }
    if (!word) {
        (void)dtx_error_set(p->err, DTX_EINVAL, "%s needs a value: %s %s",
                            label, label, o->arg);
        return NULL;
    }
    p->next++;
    return word;
}

static int read_long(struct parser *p, const char *word)
{
    size_t len = strcspn(word, "=");
    const char *value = word[len] ? word + len + 1 : NULL;
    const struct dtx_option *o = dtx_option_named(word + 2, len - 2);
    char label[64];

    if (!o)
        return refuse_unknown(p, word, len);
    (void)snprintf(label, sizeof(label), "--%s", o->name);
    if (o->kind == DTX_OPTION_HELP) {
        if (value)
            return dtx_error_set(p->err, DTX_EINVAL, "%s takes no value",
                                 label);
        p->help = true;
        return 0;
    }
    if (dtx_option_takes_value(o) && !value) {
        value = take_word(p, o, label);
        if (!value)
            return DTX_EINVAL;
    }
    return set_option(p, o, COMMAND_LINE, label, value);
}

/* -q, -qv, -j4, -j 4, -qj4 */
static int read_letters(struct parser *p, const char *word)
{
    const char *s;
    int rc = 0;

    for (s = word + 1; *s && rc == 0 && !p->help; s++) {
        const struct dtx_option *o = dtx_option_lettered(*s);
        char label[3] = {'-', *s, '\0'};

        if (!o)
            return refuse_unknown(p, label, 2);
        if (o->kind == DTX_OPTION_HELP) {
            p->help = true;
        } else if (!dtx_option_takes_value(o)) {
            rc = set_option(p, o, COMMAND_LINE, label, NULL);
        } else {
            const char *value = s[1] ? s + 1 : take_word(p, o, label);

            if (!value)
                return DTX_EINVAL;
            return set_option(p, o, COMMAND_LINE, label, value);
        }
    }
    return rc;
}

/* Read options up to the first positional, '--' or the end. */
static int read_command_line(struct parser *p)
{
    int rc = 0;

    while (rc == 0 && !p->help && p->next < p->in->argc) {
        const char *word = p->in->argv[p->next];

        if (word[0] != '-' || !word[1])
            break;
        p->next++;
        if (strcmp(word, "--") == 0)
            break;
        rc = word[1] == '-' ? read_long(p, word) : read_letters(p, word);
    }
    return rc;
}

/* ---- the other sources ---- */

static const char *from_environment(const struct parser *p, const char *name)
{
    const char *value = p->in->get(p->in->get_ctx, name);

    return value && *value ? value : NULL;
}

/* An option that is not built is unknown wherever it is given. */
static int refuse_later(const struct parser *p)
{
    const char *name;
    char variable[64];
    size_t i;

    for (i = 0; (name = dtx_option_later(i)) != NULL; i++) {
        const struct dtx_option o = {.name = name};

        (void)dtx_option_variable(&o, variable, sizeof(variable));
        if (from_environment(p, variable))
            return dtx_error_set(p->err, DTX_EINVAL,
                                 "environment variable %s: unknown option "
                                 "--%s: it is not in this version; unset the "
                                 "variable", variable, name);
    }
    return 0;
}

static int read_environment(struct parser *p)
{
    char variable[64], label[96];
    int rc = refuse_later(p);
    size_t i;

    for (i = 0; i < p->nrows && rc == 0; i++) {
        const struct dtx_option *o = &p->table[i];
        const char *value;

        if (!o->name || o->kind == DTX_OPTION_HELP)
            continue;
        value = from_environment(
            p, dtx_option_variable(o, variable, sizeof(variable)));
        if (!value)
            continue;
        (void)snprintf(label, sizeof(label), "environment variable %s",
                       variable);
        rc = set_option(p, o, ENVIRONMENT, label, value);
    }
    return rc;
}

static int take_setting(void *ctx, const struct dtx_option *o,
                        const char *label, const char *value,
                        struct dtx_error *err)
{
    (void)err; /* it is the parser's */
    return set_option(ctx, o, CONFIG, label, value);
}

static int fill_defaults(struct parser *p)
{
    size_t i;
    int rc = 0;

    for (i = 0; i < p->nrows && rc == 0; i++) {
        const struct dtx_option *o = &p->table[i];

        if (p->given[i] != NOWHERE)
            continue;
        if (o->value)
            rc = set_option(p, o, DEFAULT, o->name, o->value);
        else if (o->kind == DTX_OPTION_POLICY)
            rc = set_option(p, o, DEFAULT, o->name,
                            dtx_policy_find(NULL, NULL)->name);
    }
    return rc;
}

/* The strongest source that asks for a mode decides, and it must be one. */
static int choose_mode(struct parser *p)
{
    const struct dtx_option *chosen = NULL, *other = NULL;
    enum level level = NOWHERE;
    char a[64], b[64];
    size_t i;

    for (i = 0; i < p->nrows; i++) {
        if (!p->mode_on[i] || p->given[i] < level)
            continue;
        other = p->given[i] == level ? chosen : NULL;
        chosen = &p->table[i];
        level = p->given[i];
    }
    if (!chosen)
        return 0;
    if (!other) {
        p->out->resume = (enum dtx_resume)chosen->lo;
        return 0;
    }
    if (level == ENVIRONMENT)
        return dtx_error_set(p->err, DTX_EINVAL,
                             "environment variables %s and %s exclude each "
                             "other",
                             dtx_option_variable(other, a, sizeof(a)),
                             dtx_option_variable(chosen, b, sizeof(b)));
    return dtx_error_set(p->err, DTX_EINVAL,
                         "%s%s--%s and --%s exclude each other",
                         level == CONFIG ? p->in->config_name : "",
                         level == CONFIG ? ": " : "", other->name,
                         chosen->name);
}

/* ---- positionals ---- */

/* "a.txt b.txt", cut when long. */
static const char *show_words(struct dtx_show *b, char *const *word, int n)
{
    struct dtx_buf all = DTX_BUF_INIT;
    int i;

    for (i = 0; i < n && all.len <= DTX_SHOW_MAX; i++)
        dtx_buf_printf(&all, "%s%s", i ? " " : "", word[i]);
    (void)dtx_show_text(b, all.failed ? "" : all.data,
                        all.failed ? 0 : all.len);
    dtx_buf_free(&all);
    return b->text;
}

static int refuse_words(struct parser *p, char *const *word, int n)
{
    struct dtx_show b;
    int i;

    for (i = 1; i < n; i++) {
        if (word[i][0] == '-' && word[i][1])
            return dtx_error_set(
                p->err, DTX_EINVAL,
                "exactly one task file, and options before it: %s\n" FORMS,
                show_words(&b, word, n));
    }
    return dtx_error_set(p->err, DTX_EINVAL,
                         "exactly one task file, or arguments for the command "
                         "behind ':::': %s\n" FORMS, show_words(&b, word, n));
}

static bool is_separator(const char *word)
{
    return strncmp(word, ":::", 3) == 0 &&
           (strcmp(word + 3, "") == 0 || strcmp(word + 3, "+") == 0 ||
            strcmp(word + 3, ":") == 0 || strcmp(word + 3, ":+") == 0);
}

/* What only means something for a template. */
static int refuse_without_template(struct parser *p)
{
    const struct dtx_options *o = p->out;
    const char *name = o->colsep   ? "colsep"
                       : o->header ? "header"
                       : o->shuf   ? "shuf"
                                   : NULL;

    if (o->quote && !name && o->form != DTX_FORM_ARRAY)
        name = "quote";
    if (!name || p->given[dtx_option_named(name, strlen(name)) - p->table] !=
                     COMMAND_LINE)
        return 0;
    return dtx_error_set(p->err, DTX_EINVAL,
                         "--%s is for a command with ':::', '::::' or -a\n"
                         FORMS, name);
}

static int read_task_file(struct parser *p, char *const *word, int n)
{
    if (n > 1)
        return refuse_words(p, word, n);
    if (!*word[0])
        return dtx_error_set(p->err, DTX_EINVAL,
                             "the task file's name is empty\n" FORM);
    p->out->form = DTX_FORM_TASKFILE;
    p->out->task_file = strdup(word[0]);
    if (!p->out->task_file)
        return dtx_error_set(p->err, DTX_ENOMEM, "out of memory");
    return refuse_without_template(p);
}

static int read_array(struct parser *p, bool separated, int n)
{
    if (separated || p->out->arg_files.n > 0)
        return dtx_error_set(p->err, DTX_EINVAL,
                             "--array and ':::', '::::' or -a exclude each "
                             "other\n" FORMS);
    if (n == 0)
        return dtx_error_set(p->err, DTX_EINVAL,
                             "--array: the command is missing\n" FORMS);
    p->out->form = DTX_FORM_ARRAY;
    return refuse_without_template(p);
}

static const char *variable(const struct parser *p, const char *name)
{
    return p->in->get ? from_environment(p, name) : NULL;
}

/* Where TACC Launcher's variables are set, its task file is meant when nothing
 * else is, and the tasks of a file see what they are used to. */
static int heed_launcher(struct parser *p)
{
    const char *file = variable(p, "LAUNCHER_JOB_FILE");
    const char *dir = variable(p, "LAUNCHER_WORKDIR");
    struct dtx_options *o = p->out;

    if (!file || o->form == DTX_FORM_TEMPLATE || o->form == DTX_FORM_ARRAY)
        return 0;
    o->launcher = true;
    if (o->form == DTX_FORM_NONE && o->resume == DTX_RESUME_NO) {
        o->form = DTX_FORM_TASKFILE;
        o->task_file = strdup(file);
        o->from_launcher = true;
    }
    if (dir)
        o->launcher_dir = strdup(dir);
    if ((o->from_launcher && !o->task_file) || (dir && !o->launcher_dir))
        return dtx_error_set(p->err, DTX_ENOMEM, "out of memory");
    return 0;
}

static int read_positionals(struct parser *p)
{
    char *const *word = p->in->argv + p->next;
    int i, n = p->in->argc - p->next;
    bool separated = false;

    for (i = 0; i < n; i++)
        separated = separated || is_separator(word[i]);
    p->out->words = word;
    p->out->nwords = (size_t)n;
    if (p->out->array)
        return read_array(p, separated, n);
    if (separated || p->out->arg_files.n > 0) {
        p->out->form = DTX_FORM_TEMPLATE;
        return 0;
    }
    if (n > 0)
        return read_task_file(p, word, n);
    if (p->out->resume == DTX_RESUME_NO && !variable(p, "LAUNCHER_JOB_FILE"))
        return dtx_error_set(p->err, DTX_EINVAL, "no task file\n" FORMS);
    return refuse_without_template(p);
}

enum dtx_options_end dtx_options_parse(const struct dtx_options_input *in,
                                       struct dtx_options *out,
                                       struct dtx_buf *text,
                                       struct dtx_error *err)
{
    struct parser p = {.in = in, .out = out, .err = err};
    int rc;

    memset(out, 0, sizeof(*out));
    p.table = dtx_option_table(&p.nrows);
    rc = read_command_line(&p);
    if (rc == 0 && p.help) {
        dtx_options_fini(out);
        dtx_options_help(text);
        return DTX_OPTIONS_DONE;
    }
    if (rc == 0 && in->get)
        rc = read_environment(&p);
    if (rc == 0 && in->config)
        rc = dtx_config_each(in->config_name, in->config, in->config_len,
                             take_setting, &p, err);
    if (rc == 0)
        rc = fill_defaults(&p);
    if (rc == 0)
        rc = choose_mode(&p);
    if (rc == 0)
        rc = read_positionals(&p);
    if (rc == 0)
        rc = heed_launcher(&p);
    if (rc == 0)
        return DTX_OPTIONS_GO;
    dtx_options_fini(out);
    return DTX_OPTIONS_BAD;
}

void dtx_options_fini(struct dtx_options *o)
{
    size_t i;

    for (i = 0; i < o->arg_files.n; i++)
        free(o->arg_files.text[i]);
    free(o->arg_files.text);
    free(o->colsep);
    free(o->header);
    free(o->array);
    free(o->hostfile);
    free(o->run_dir);
    free(o->policy);
    free(o->history);
    free(o->joblog);
    free(o->results);
    free(o->node_setup);
    free(o->node_teardown);
    free(o->shell);
    free(o->tmp_dir);
    free(o->mpirun);
    free(o->task_file);
    free(o->launcher_dir);
    memset(o, 0, sizeof(*o));
}

/* SPDX-License-Identifier: MIT */
/* The options as help, from their table.  It decides the words around the
 * table; how they are laid out is page.c's business. */
#include "run/options.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "run/options_row.h"
#include "run/page.h"
#include "sched/policy.h"

static void put_option(struct dtx_page *p, const struct dtx_option *o)
{
    const char *value = o->value;
    char term[64];
    struct dtx_buf help = DTX_BUF_INIT;
    char letter[] = {'-', o->letter, ',', ' ', '\0'};

    if (o->kind == DTX_OPTION_POLICY)
        value = dtx_policy_find(NULL, NULL)->name;
    (void)snprintf(term, sizeof(term), "%s--%s%s%s", o->letter ? letter : "",
                   o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    dtx_buf_str(&help, o->help);
    if (value)
        dtx_buf_printf(&help, " (default: %s)", value);
    dtx_page_item(p, term, help.failed ? o->help : help.data);
    dtx_buf_free(&help);
}

static void put_options(struct dtx_page *p)
{
    const struct dtx_option *table;
    size_t i, n;

    table = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        if (table[i].kind == DTX_OPTION_GROUP)
            dtx_page_group(p, table[i].help);
        else
            put_option(p, &table[i]);
    }
}

/* What holds for all options. */
static void put_notes(struct dtx_page *p)
{
    dtx_page_para(p, "A value follows as the next word or behind '=': "
                     "--retries 3, --retries=3, -j4, -j 4. Options come before "
                     "the task file; '--' ends them. Of an option given twice "
                     "the last one counts.");
    dtx_page_para(p, "DUR is a time: 90 (seconds), 250ms, 30s, 1h30m, "
                     "02:30:00.");
    dtx_page_para(p, "Each option can come from the environment as well "
                     "(DTX_RUN_DIR for --run-dir; yes or no for those without "
                     "a value) and from a configuration file (lines 'run-dir = "
                     "DIR'); the command line wins, then the environment, then "
                     "the file. See 'distributex help environment'.");
}

void dtx_options_help(struct dtx_buf *out)
{
    struct dtx_page p = {out, false, DTX_PAGE_NOTHING};

    dtx_buf_str(out, "usage: distributex run [options] TASKFILE\n"
                     "       distributex run [options] COMMAND ::: "
                     "ARGUMENT...\n"
                     "       distributex run [options] --array 1-1000:2 "
                     "COMMAND\n"
                     "       distributex run [options] --resume [TASKFILE]\n"
                     "       mpirun -n 64 distributex run [options] "
                     "TASKFILE\n");
    dtx_page_para(&p, "Run the commands in TASKFILE, one per line, until all "
                      "are done, on the cores of this machine or on the ranks "
                      "of an MPI job. What has finished is never lost: the "
                      "same command with --resume goes on. A TASKFILE that "
                      "is a FIFO, or - for standard input, is a live "
                      "list: tasks start while it is open.");
    put_options(&p);
    put_notes(&p);
    dtx_page_group(&p, "Examples");
    dtx_page_code(&p, "distributex run sweep.txt\n"
                      "mpirun -n 64 distributex run --retries 3 --timeout 10m "
                      "sweep.txt\n"
                      "distributex run --resume-failed --run-dir "
                      "distributex-4711\n");
    dtx_page_para(&p, "Exit status: 0 when all tasks succeeded, 1 to 100 that "
                      "many failed, 101 more; the others: 'distributex help "
                      "exit-status'. The task file: 'distributex help "
                      "taskfile'.");
}

void dtx_options_man(struct dtx_buf *out)
{
    struct dtx_page p = {out, true, DTX_PAGE_NOTHING};

    put_options(&p);
    dtx_page_group(&p, "All options");
    put_notes(&p);
}

static const struct dtx_option *find_spelled(const char *word)
{
    if (strncmp(word, "--", 2) == 0)
        return dtx_option_named(word + 2, strcspn(word + 2, "="));
    if (word[0] != '-')
        return dtx_option_named(word, strlen(word));
    return word[1] && !word[2] ? dtx_option_lettered(word[1]) : NULL;
}

bool dtx_options_help_one(struct dtx_buf *out, const char *word)
{
    const struct dtx_option *o = find_spelled(word);
    struct dtx_page p = {out, false, DTX_PAGE_NOTHING};
    struct dtx_buf text = DTX_BUF_INIT;
    const char *value;
    char variable[64];
    size_t i;

    if (!o)
        return false;
    dtx_buf_str(out, "An option of 'distributex run':\n");
    dtx_page_group(&p, "Option");
    put_option(&p, o);
    for (i = 0; (value = dtx_option_word(o, i)) != NULL; i++)
        dtx_buf_printf(&text, "%s%s", i ? ", " : "Values, such as: ", value);
    if (text.len > 0 && !text.failed)
        dtx_page_para(&p, text.data);
    dtx_buf_clear(&text);
    if (o->kind != DTX_OPTION_HELP) {
        dtx_buf_printf(&text,
                       "In the environment: %s. In the configuration file: a "
                       "line '%s = %s'.",
                       dtx_option_variable(o, variable, sizeof(variable)),
                       o->name, o->arg ? o->arg : "yes");
        if (!text.failed)
            dtx_page_para(&p, text.data);
    }
    dtx_buf_free(&text);
    return true;
}

/* SPDX-License-Identifier: MIT */
/* "distributex help": the commands, the topics, and the man page, all from
 * the tables. */
#include "cli/cmd.h"

#include <string.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/near.h"
#include "cli/topics.h"
#include "run/options.h"
#include "run/options_row.h"
#include "run/page.h"

#define WHAT                                                                   \
    "Run a list of commands on the ranks of an MPI job or the cores of one "   \
    "machine, keep all of them busy until the work is done, and lose nothing."

static void put_commands(struct dtx_page *p, bool with_options)
{
    const struct dtx_cmd *c;
    struct dtx_buf term = DTX_BUF_INIT;
    size_t i, n;

    c = dtx_cmd_table(&n);
    for (i = 0; i < n; i++) {
        dtx_buf_clear(&term);
        dtx_buf_printf(&term, "%s %s", c[i].name, c[i].args);
        dtx_page_item(p, term.failed ? c[i].name : term.data, c[i].help);
        if (with_options)
            dtx_cmd_put_options(p, c[i].name);
    }
    dtx_buf_free(&term);
}

static int print_overview(void)
{
    const struct dtx_topic *t;
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, false, DTX_PAGE_NOTHING};
    size_t i, n;

    dtx_buf_str(&b, "usage: distributex COMMAND ...\n");
    dtx_page_para(&p, WHAT);
    dtx_page_group(&p, "Commands");
    put_commands(&p, false);
    dtx_page_group(&p, "Topics of 'distributex help TOPIC'");
    t = dtx_topic_table(&n);
    for (i = 0; i < n; i++)
        dtx_page_item(&p, t[i].name, t[i].help);
    dtx_page_item(&p, "man", "the man page, to be read with 'man -l'");
    dtx_page_item(&p, "--OPTION", "an option of run, as in 'help --halt'");
    dtx_page_group(&p, "To begin with");
    dtx_page_code(&p, "distributex run sweep.txt\n"
                      "mpirun -n 64 distributex run sweep.txt\n"
                      "distributex run --resume\n");
    return dtx_cmd_print(&b);
}

/* The commands other than run, one line each. */
static void put_synopsis(struct dtx_page *p)
{
    struct dtx_buf lines = DTX_BUF_INIT;
    const struct dtx_cmd *c;
    size_t i, n;

    c = dtx_cmd_table(&n);
    for (i = 0; i < n; i++) {
        if (strcmp(c[i].name, "run") != 0)
            dtx_buf_printf(&lines, "distributex %s %s\n", c[i].name,
                           c[i].args);
    }
    if (!lines.failed)
        dtx_page_code(p, lines.data);
    dtx_buf_free(&lines);
}

static int print_man(void)
{
    const struct dtx_topic *t;
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, true, DTX_PAGE_NOTHING};
    size_t i, n;

    dtx_buf_printf(&b, ".TH DISTRIBUTEX 1 \"" DTX_RELEASED "\" "
                       "\"DistributeX %s\" \"User Commands\"\n",
                   dtx_cmd_version_text());
    dtx_page_chapter(&p, "NAME");
    dtx_buf_str(&b, "distributex \\- run a list of commands over MPI ranks\n");
    dtx_page_chapter(&p, "SYNOPSIS");
    dtx_page_code(&p, "distributex run [options] TASKFILE\n"
                      "mpirun -n 64 distributex run [options] TASKFILE\n");
    put_synopsis(&p);
    dtx_page_chapter(&p, "DESCRIPTION");
    dtx_page_para(&p, WHAT);
    dtx_page_chapter(&p, "COMMANDS");
    put_commands(&p, true);
    dtx_page_chapter(&p, "OPTIONS OF RUN");
    dtx_options_man(&b);
    t = dtx_topic_table(&n);
    for (i = 0; i < n; i++) {
        dtx_page_chapter(&p, t[i].title);
        t[i].write(&p);
    }
    dtx_page_chapter(&p, "SEE ALSO");
    dtx_page_para(&p, "mpirun(1), parallel(1)");
    return dtx_cmd_print(&b);
}

/* Everything there is help on; of the options only the near ones. */
static void each_word(struct dtx_near *near, struct dtx_buf *names)
{
    const struct dtx_option *o;
    const struct dtx_cmd *c;
    const struct dtx_topic *t;
    size_t i, n;

    t = dtx_topic_table(&n);
    for (i = 0; i < n; i++) {
        dtx_buf_printf(names, "%s, ", t[i].name);
        dtx_near_offer(near, t[i].name);
    }
    dtx_buf_str(names, "man");
    c = dtx_cmd_table(&n);
    for (i = 0; i < n; i++) {
        dtx_buf_printf(names, ", %s", c[i].name);
        dtx_near_offer(near, c[i].name);
    }
    o = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        if (o[i].name)
            dtx_near_offer(near, o[i].name);
    }
}

static int refuse(const char *word)
{
    struct dtx_buf names = DTX_BUF_INIT;
    const char *bare = word + strspn(word, "-");
    struct dtx_near near;
    int status;

    dtx_near_init(&near, bare, strlen(bare));
    each_word(&near, &names);
    status = dtx_cmd_usage("no help on '%.60s'; %s%s%sthere is: %s, and each "
                           "option", word, near.best ? "did you mean '" : "",
                           near.best ? near.best : "", near.best ? "'? " : "",
                           names.failed ? "?" : names.data);
    dtx_buf_free(&names);
    return status;
}

static int print_topic(const char *word)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_page p = {&b, false, DTX_PAGE_NOTHING};
    const struct dtx_topic *t;
    size_t i, n;

    t = dtx_topic_table(&n);
    for (i = 0; i < n; i++) {
        if (strcmp(t[i].name, word) == 0) {
            t[i].write(&p);
            return dtx_cmd_print(&b);
        }
    }
    if (strcmp(word, "run") == 0) {
        dtx_options_help(&b);
        return dtx_cmd_print(&b);
    }
    if (dtx_cmd_find(word))
        return dtx_cmd_print_usage(word);
    if (dtx_options_help_one(&b, word))
        return dtx_cmd_print(&b);
    return refuse(word);
}

int dtx_cmd_help(int argc, char **argv)
{
    const char *word = argc > 2 ? argv[2] : NULL;

    if (!word)
        return print_overview();
    if (argc > 3)
        return dtx_cmd_usage("help: one topic at a time");
    if (dtx_cmd_asks_help(word))
        return dtx_cmd_print_usage("help");
    return strcmp(word, "man") == 0 ? print_man() : print_topic(word);
}

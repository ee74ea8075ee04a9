/* SPDX-License-Identifier: MIT */
/* "distributex completion": scripts for bash and zsh, written from the tables
 * of commands and options, so that they complete what this very program
 * takes.  What a script does with them is written here, and nothing is
 * installed. */
#include "cli/cmd.h"

#include <string.h>

#include "base/buf.h"
#include "base/near.h"
#include "cli/topics.h"
#include "run/options_row.h"

/* What a value is, by the word that help has for it. */
static const char *file_kind(const char *value)
{
    if (strcmp(value, "FILE") == 0 || strcmp(value, "PATH") == 0)
        return "files";
    return strcmp(value, "DIR") == 0 ? "dirs" : "nothing";
}

/* Words "a b c" (or with '|' between them, in 'value'). */
static void put_words(struct dtx_buf *b, const struct dtx_option *o)
{
    const char *word;
    size_t i;

    for (i = 0; (word = dtx_option_word(o, i)) != NULL; i++)
        dtx_buf_printf(b, "%s%s", i ? " " : "", word);
}

static void put_split(struct dtx_buf *b, const char *value)
{
    for (; *value; value++)
        dtx_buf_char(b, *value == '|' ? ' ' : *value);
}

static void put_help_words(struct dtx_buf *b)
{
    const struct dtx_topic *t;
    const struct dtx_cmd *c;
    size_t i, n;

    t = dtx_topic_table(&n);
    for (i = 0; i < n; i++)
        dtx_buf_printf(b, "%s ", t[i].name);
    c = dtx_cmd_table(&n);
    for (i = 0; i < n; i++)
        dtx_buf_printf(b, "%s ", c[i].name);
    dtx_buf_str(b, "man");
}

/* ---- bash ---- */

static const char bash_head[] =
    "# bash completion for distributex; written by 'distributex completion "
    "bash'\n"
    "_distributex_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- "
    "\"$cur\"); }\n"
    "_distributex_nothing() { COMPREPLY=(); }\n"
    "_distributex_files() {\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "}\n"
    "_distributex_dirs() {\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "}\n"
    "# Run directories; where there is none, the way to one.\n"
    "_distributex_rundirs() {\n"
    "    local d found=()\n"
    "    _distributex_dirs\n"
    "    for d in \"${COMPREPLY[@]}\"; do\n"
    "        [ -f \"$d/journal\" ] && found+=(\"$d\")\n"
    "    done\n"
    "    [ ${#found[@]} -eq 0 ] || COMPREPLY=(\"${found[@]}\")\n"
    "}\n";

static const char bash_begin[] =
    "_distributex() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}\n"
    "    local prev=${COMP_WORDS[COMP_CWORD-1]} head=\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        _distributex_words \"";

static const char bash_middle[] =
    "--help --version\"\n"
    "        return\n"
    "    fi\n"
    "    # --name=value is three words, or one\n"
    "    if [ \"$cur\" = = ]; then\n"
    "        cur=\n"
    "    elif [ \"$prev\" = = ]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    elif [[ $cur == --*=* ]]; then\n"
    "        prev=${cur%%=*}\n"
    "        head=$prev=\n"
    "        cur=${cur#*=}\n"
    "    fi\n"
    "    case $command:$prev in\n";

static void put_bash_run_values(struct dtx_buf *b)
{
    const struct dtx_option *o;
    size_t i, n;

    o = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        if (!o[i].name || !dtx_option_takes_value(&o[i]))
            continue;
        dtx_buf_printf(b, "    run:--%s", o[i].name);
        if (o[i].letter)
            dtx_buf_printf(b, " | run:-%c", o[i].letter);
        if (dtx_option_word(&o[i], 0)) {
            dtx_buf_str(b, ") _distributex_words \"");
            put_words(b, &o[i]);
            dtx_buf_str(b, "\" ;;\n");
        } else {
            dtx_buf_printf(b, ") _distributex_%s ;;\n",
                           strcmp(o[i].name, "run-dir") == 0
                               ? "rundirs"
                               : file_kind(o[i].arg));
        }
    }
}

static void put_bash_values(struct dtx_buf *b)
{
    const struct dtx_cmd_option *o;
    size_t i, n;

    o = dtx_cmd_option_table(&n);
    for (i = 0; i < n; i++) {
        if (!o[i].value)
            continue;
        dtx_buf_printf(b, "    %s:--%s", o[i].command, o[i].name);
        if (o[i].letter)
            dtx_buf_printf(b, " | %s:-%c", o[i].command, o[i].letter);
        if (strchr(o[i].value, '|')) {
            dtx_buf_str(b, ") _distributex_words \"");
            put_split(b, o[i].value);
            dtx_buf_str(b, "\" ;;\n");
        } else {
            dtx_buf_printf(b, ") _distributex_%s ;;\n",
                           file_kind(o[i].value));
        }
    }
}

/* All options of a command, each with a blank behind it. */
static void put_option_words(struct dtx_buf *b, const char *command)
{
    const struct dtx_cmd_option *c;
    const struct dtx_option *o;
    size_t i, n;

    /* help explains the options of run */
    if (strcmp(command, "run") == 0 || strcmp(command, "help") == 0) {
        o = dtx_option_table(&n);
        for (i = 0; i < n; i++) {
            if (o[i].name)
                dtx_buf_printf(b, "--%s ", o[i].name);
        }
        return;
    }
    c = dtx_cmd_option_table(&n);
    for (i = 0; i < n; i++) {
        if (strcmp(c[i].command, command) == 0)
            dtx_buf_printf(b, "--%s ", c[i].name);
    }
    dtx_buf_str(b, "--help ");
}

static void put_bash_positional(struct dtx_buf *b, const struct dtx_cmd *c)
{
    dtx_buf_printf(b, "    %s:*) ", c->name);
    if (strcmp(c->name, "help") == 0) {
        dtx_buf_str(b, "_distributex_words \"");
        put_help_words(b);
        dtx_buf_str(b, "\" ;;\n");
    } else if (strcmp(c->name, "completion") == 0) {
        dtx_buf_str(b, "_distributex_words \"bash zsh\" ;;\n");
    } else if (strstr(c->args, "RUNDIR")) {
        dtx_buf_str(b, "_distributex_rundirs ;;\n");
    } else {
        dtx_buf_printf(b, "_distributex_%s ;;\n",
                       strstr(c->args, "FILE") ? "files" : "nothing");
    }
}

static void put_bash(struct dtx_buf *b)
{
    const struct dtx_cmd *c;
    size_t i, n;

    c = dtx_cmd_table(&n);
    dtx_buf_str(b, bash_head);
    dtx_buf_str(b, bash_begin);
    for (i = 0; i < n; i++)
        dtx_buf_printf(b, "%s ", c[i].name);
    dtx_buf_str(b, bash_middle);
    put_bash_run_values(b);
    put_bash_values(b);
    dtx_buf_str(b, "    *) case $command:$cur in\n");
    for (i = 0; i < n; i++) {
        dtx_buf_printf(b, "    %s:-*) _distributex_words \"", c[i].name);
        put_option_words(b, c[i].name);
        dtx_buf_str(b, "\" ;;\n");
        put_bash_positional(b, &c[i]);
    }
    dtx_buf_str(b, "    esac ;;\n    esac\n"
                   "    [ -z \"$head\" ] || COMPREPLY=(\"${COMPREPLY[@]/#/"
                   "$head}\")\n"
                   "}\n"
                   "complete -F _distributex distributex\n");
}

/* ---- zsh ---- */

/* The beginning of a help text, up to its first clause, in single quotes
 * inside brackets of _arguments. */
static void put_zsh_help(struct dtx_buf *b, const char *help)
{
    size_t len = strcspn(help, ";("), i;

    for (i = 0; i < len; i++) {
        if (help[i] == '\'')
            dtx_buf_str(b, "'\\''");
        else if (strchr("[]:\\", help[i]))
            dtx_buf_printf(b, "\\%c", help[i]);
        else if (help[i] != ' ' || i + 1 < len)
            dtx_buf_char(b, help[i]);
    }
}

static void put_zsh_value(struct dtx_buf *b, const struct dtx_option *o)
{
    if (!dtx_option_takes_value(o))
        return;
    dtx_buf_printf(b, ":%s:", o->arg);
    if (dtx_option_word(o, 0)) {
        dtx_buf_char(b, '(');
        put_words(b, o);
        dtx_buf_char(b, ')');
    } else if (strcmp(o->arg, "FILE") == 0 || strcmp(o->arg, "PATH") == 0) {
        dtx_buf_str(b, "_files");
    } else if (strcmp(o->arg, "DIR") == 0) {
        dtx_buf_str(b, "_files -/");
    } else {
        dtx_buf_char(b, ' ');
    }
}

static void put_zsh_run(struct dtx_buf *b)
{
    const struct dtx_option *o;
    size_t i, n;

    o = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        const char *end;

        if (!o[i].name)
            continue;
        end = dtx_option_takes_value(&o[i]) ? "=" : "";
        dtx_buf_printf(b, "            '--%s%s[", o[i].name, end);
        put_zsh_help(b, o[i].help);
        dtx_buf_char(b, ']');
        put_zsh_value(b, &o[i]);
        dtx_buf_str(b, "' \\\n");
        if (!o[i].letter)
            continue;
        dtx_buf_printf(b, "            '-%c%s[", o[i].letter,
                       *end ? "+" : "");
        put_zsh_help(b, o[i].help);
        dtx_buf_char(b, ']');
        put_zsh_value(b, &o[i]);
        dtx_buf_str(b, "' \\\n");
    }
}

/* The options of run, as words that help explains. */
static void put_zsh_explained(struct dtx_buf *b)
{
    const struct dtx_option *o;
    size_t i, n;

    o = dtx_option_table(&n);
    for (i = 0; i < n; i++) {
        if (!o[i].name || o[i].kind == DTX_OPTION_HELP)
            continue;
        dtx_buf_printf(b, "            '--%s[", o[i].name);
        put_zsh_help(b, o[i].help);
        dtx_buf_str(b, "]' \\\n");
    }
}

static void put_zsh_other(struct dtx_buf *b, const struct dtx_cmd *c)
{
    const struct dtx_cmd_option *o;
    size_t i, n;

    if (strcmp(c->name, "help") == 0)
        put_zsh_explained(b);
    o = dtx_cmd_option_table(&n);
    for (i = 0; i < n; i++) {
        if (strcmp(o[i].command, c->name) != 0)
            continue;
        dtx_buf_printf(b, "            '--%s%s[", o[i].name,
                       o[i].value ? "=" : "");
        put_zsh_help(b, o[i].help);
        dtx_buf_char(b, ']');
        if (o[i].value && strchr(o[i].value, '|')) {
            dtx_buf_str(b, ":value:(");
            put_split(b, o[i].value);
            dtx_buf_char(b, ')');
        } else if (o[i].value) {
            dtx_buf_printf(b, ":%s: ", o[i].value);
        }
        dtx_buf_str(b, "' \\\n");
    }
    dtx_buf_str(b, "            '--help[show how it is called]' \\\n");
}

static void put_zsh_command(struct dtx_buf *b, const struct dtx_cmd *c)
{
    dtx_buf_printf(b, "        %s) _arguments \\\n", c->name);
    if (strcmp(c->name, "run") == 0)
        put_zsh_run(b);
    else
        put_zsh_other(b, c);
    dtx_buf_str(b, "            ");
    if (strcmp(c->name, "help") == 0) {
        dtx_buf_str(b, "'1:topic:(");
        put_help_words(b);
        dtx_buf_str(b, ")' ;;\n");
    } else if (strcmp(c->name, "completion") == 0) {
        dtx_buf_str(b, "'1:shell:(bash zsh)' ;;\n");
    } else if (strstr(c->args, "RUNDIR")) {
        dtx_buf_str(b, "'*:run directory:_files -/' ;;\n");
    } else {
        dtx_buf_str(b, strstr(c->args, "FILE") ? "'*:file:_files' ;;\n"
                                               : "&& return ;;\n");
    }
}

static void put_zsh(struct dtx_buf *b)
{
    const struct dtx_cmd *c;
    size_t i, n;

    c = dtx_cmd_table(&n);
    dtx_buf_str(b, "#compdef distributex\n"
                   "# written by 'distributex completion zsh'\n"
                   "_distributex() {\n"
                   "    local curcontext=$curcontext state line\n"
                   "    local -a commands\n"
                   "    commands=(\n");
    for (i = 0; i < n; i++) {
        dtx_buf_printf(b, "        '%s:", c[i].name);
        put_zsh_help(b, c[i].help);
        dtx_buf_str(b, "'\n");
    }
    dtx_buf_str(b, "    )\n"
                   "    _arguments -C '1:command:->command' "
                   "'*::argument:->rest' && return\n"
                   "    case $state in\n"
                   "    command) _describe -t commands command commands ;;\n"
                   "    rest)\n"
                   "        case $words[1] in\n");
    for (i = 0; i < n; i++)
        put_zsh_command(b, &c[i]);
    dtx_buf_str(b, "        esac ;;\n    esac\n}\n"
                   "if [ \"$funcstack[1]\" = _distributex ]; then\n"
                   "    _distributex \"$@\"\nelse\n"
                   "    compdef _distributex distributex\nfi\n");
}

int dtx_cmd_completion(int argc, char **argv)
{
    struct dtx_buf b = DTX_BUF_INIT;
    const char *shell = argc > 2 ? argv[2] : NULL;
    struct dtx_near near;

    if (shell && dtx_cmd_asks_help(shell))
        return dtx_cmd_print_usage("completion");
    if (!shell || argc > 3)
        return dtx_cmd_usage("completion: name one shell, bash or zsh: "
                             "distributex completion bash");
    if (shell[0] == '-')
        return dtx_cmd_unknown_option("completion", shell);
    if (strcmp(shell, "bash") == 0) {
        put_bash(&b);
    } else if (strcmp(shell, "zsh") == 0) {
        put_zsh(&b);
    } else {
        dtx_near_init(&near, shell, strlen(shell));
        dtx_near_offer(&near, "bash");
        dtx_near_offer(&near, "zsh");
        return dtx_cmd_usage("completion: no script for '%.60s'%s%s%s; there "
                             "are: bash, zsh", shell,
                             near.best ? "; did you mean " : "",
                             near.best ? near.best : "", near.best ? "?" : "");
    }
    return dtx_cmd_print(&b);
}

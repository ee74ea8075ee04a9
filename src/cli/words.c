/* SPDX-License-Identifier: MIT */
/* Words by the table of options; see words.h. */
#include "cli/words.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"

static const struct dtx_cmd_option *find(const char *command, const char *name,
                                         size_t len)
{
    const struct dtx_cmd_option *t;
    size_t i, n;

    t = dtx_cmd_option_table(&n);
    for (i = 0; i < n; i++) {
        if (strcmp(t[i].command, command) != 0)
            continue;
        if (strlen(t[i].name) == len && memcmp(t[i].name, name, len) == 0)
            return &t[i];
    }
    return NULL;
}

/* Is it one of the words of "a|b|c"? Anything is, where there is no '|'. */
static bool is_word_of(const char *list, const char *value)
{
    const char *p = list;
    size_t len = strlen(value);

    if (!strchr(list, '|'))
        return true;
    for (; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        if (strncmp(p, value, len) == 0 && (p[len] == '|' || p[len] == '\0'))
            return true;
    }
    return false;
}

static int take(const char *command, int argc, char **argv, int *i,
                struct dtx_cli_words *out)
{
    const char *word = argv[*i] + 2, *eq = strchr(word, '=');
    size_t len = eq ? (size_t)(eq - word) : strlen(word);
    const struct dtx_cmd_option *o = find(command, word, len);
    const char *value = eq ? eq + 1 : NULL;

    if (!o)
        return dtx_cmd_unknown_option(command, argv[*i]);
    if (!o->value && eq)
        return dtx_cmd_usage("%s: --%s takes no value", command, o->name);
    if (o->value && !value && *i + 1 < argc)
        value = argv[++*i];
    if (o->value && !value)
        return dtx_cmd_usage("%s: --%s needs a value: --%s %s", command,
                             o->name, o->name, o->value);
    if (value && !is_word_of(o->value, value))
        return dtx_cmd_usage("%s: --%s must be %s, not %.60s", command,
                             o->name, o->value, value);
    if (out->noptions == DTX_CLI_OPTIONS)
        return dtx_cmd_usage("%s: too many options", command);
    out->name[out->noptions] = o->name;
    out->value[out->noptions++] = value;
    return 0;
}

int dtx_cli_words(const char *command, int argc, char **argv, int first,
                  struct dtx_cli_words *out, bool *done)
{
    bool options = true;
    int i, rc = 0;

    memset(out, 0, sizeof(*out));
    *done = false;
    out->word = calloc((size_t)argc + 1, sizeof(*out->word));
    if (!out->word)
        return dtx_cmd_usage("%s: out of memory", command);
    for (i = first; i < argc && rc == 0 && !*done; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && dtx_cmd_asks_help(argv[i])) {
            *done = true;
            rc = dtx_cmd_print_usage(command);
        } else if (options && strncmp(argv[i], "--", 2) == 0) {
            rc = take(command, argc, argv, &i, out);
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            rc = dtx_cmd_unknown_option(command, argv[i]);
        } else {
            out->word[out->nwords++] = argv[i];
        }
    }
    if (rc != 0 || *done) {
        free(out->word);
        out->word = NULL;
        *done = true;
    }
    return rc;
}

const char *dtx_cli_option(const struct dtx_cli_words *w, const char *name)
{
    size_t i;

    for (i = w->noptions; i-- > 0;) {
        if (strcmp(w->name[i], name) == 0)
            return w->value[i] ? w->value[i] : "";
    }
    return NULL;
}

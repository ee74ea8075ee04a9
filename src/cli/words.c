/* SPDX-License-Identifier: MIT */
/* Words by the table of options; see words.h. */
#include "cli/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/cmd.h"
#include "run/options_row.h"

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

static bool is_own(const char *command, const char *word)
{
    return strncmp(word, "--", 2) == 0 &&
           find(command, word + 2, strcspn(word + 2, "=")) != NULL;
}

/* Does the value of this option of "run" stand in the next word? */
static bool goes_on(const char *word)
{
    const struct dtx_option *o;

    if (word[1] == '-') {
        o = dtx_option_named(word + 2, strlen(word + 2));
        return o && dtx_option_takes_value(o);
    }
    for (word++; *word; word++) {
        o = dtx_option_lettered(*word);
        if (!o)
            return false;
        if (dtx_option_takes_value(o))
            return word[1] == '\0';
    }
    return false;
}

int dtx_cli_words_run(const char *command, int argc, char **argv, int first,
                      struct dtx_cli_words *out, bool *done)
{
    int i, rc = 0;

    memset(out, 0, sizeof(*out));
    *done = false;
    out->word = calloc((size_t)argc + 1, sizeof(*out->word));
    if (!out->word)
        return dtx_cmd_usage("%s: out of memory", command);
    for (i = first; i < argc && rc == 0 && !*done; i++) {
        if (argv[i][0] != '-' || strlen(argv[i]) < 2 ||
            strcmp(argv[i], "--") == 0)
            break;
        if (dtx_cmd_asks_help(argv[i])) {
            *done = true;
            rc = dtx_cmd_print_usage(command);
        } else if (is_own(command, argv[i])) {
            rc = take(command, argc, argv, &i, out);
        } else {
            out->word[out->nwords++] = argv[i];
            if (goes_on(argv[i]) && i + 1 < argc)
                out->word[out->nwords++] = argv[++i];
        }
    }
    for (; i < argc && rc == 0 && !*done; i++)
        out->word[out->nwords++] = argv[i];
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

/* One number or range at '*p', up to a comma or the end. */
static bool add_range(const char **p, uint32_t *out, size_t max, size_t *n)
{
    char *end;
    unsigned long lo, hi;

    if (**p < '0' || **p > '9')
        return false;
    lo = hi = strtoul(*p, &end, 10);
    if (*end == '-') {
        if (end[1] < '0' || end[1] > '9')
            return false;
        hi = strtoul(end + 1, &end, 10);
    }
    if ((*end != ',' && *end != '\0') || lo < 1 || hi < lo || hi > 1000000 ||
        hi - lo >= max || *n + (hi - lo) >= max)
        return false;
    for (; lo <= hi; lo++)
        out[(*n)++] = (uint32_t)lo;
    *p = end;
    return true;
}

int dtx_cli_numbers(const char *name, const char *value, uint32_t *out,
                    size_t max, size_t *n, struct dtx_error *err)
{
    const char *p = value;
    bool ok;

    *n = 0;
    while ((ok = add_range(&p, out, max, n)) && *p == ',')
        p++;
    if (ok)
        return DTX_OK;
    return dtx_error_set(err, DTX_EINVAL, "%s '%.60s' must be numbers from 1 "
                         "to 1000000, at most %zu of them, as in 1,2,4-8",
                         name, value, max);
}

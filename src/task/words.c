/* SPDX-License-Identifier: MIT */
/* Splits a command that is only words, or says that it needs a shell; see
 * words.h.  Every doubt goes to the shell: that costs a millisecond, a wrong
 * guess costs a wrong answer.  It never expands anything, and looks at no
 * locale and no environment.
 *
 * The rules are those of POSIX.1-2017, XCU 2.2 to 2.4 and 2.9.1.  What is
 * legal there but means something to other shells that serve as /bin/sh (bash,
 * ksh, busybox) is a doubt as well: braces, "time", "NAME+=". */
#include "task/words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* First words that only a shell understands, sorted: reserved words, builtins
 * that act on the shell itself, and builtins whose program differs:
 *   kill, wait, jobs  know the shell's jobs
 *   pwd               believes $PWD, the program asks the kernel
 *   test, [           differ in "==" and "<"
 *   time              a reserved word of bash, which needs no program
 *   module, ml        functions that clusters export to every bash
 * "true" and "false" have programs that do the same; "echo" and "printf" are
 * judged by their arguments, below.  "{", "[[" and the like get this far
 * only when they are quoted; the shell then knows what to make of them. */
/* clang-format off */
static const char *const shell_words[] = {
    "!",         ".",        ":",         "[",       "[[",       "]]",
    "alias",     "bg",       "bind",      "break",   "builtin",  "caller",
    "case",      "cd",       "chdir",     "command", "compgen",  "complete",
    "compopt",   "continue", "coproc",    "declare", "dirs",     "disown",
    "do",        "done",     "elif",      "else",    "enable",   "esac",
    "eval",      "exec",     "exit",      "export",  "fc",       "fg",
    "fi",        "for",      "function",  "getopts", "hash",     "help",
    "history",   "if",       "in",        "jobs",    "kill",     "let",
    "local",     "logout",   "mapfile",   "ml",      "module",   "popd",
    "pushd",     "pwd",      "read",      "readarray", "readonly", "return",
    "select",    "set",      "shift",     "shopt",   "source",   "suspend",
    "test",      "then",     "time",      "times",   "trap",     "type",
    "typeset",   "ulimit",   "umask",     "unalias", "unset",    "until",
    "wait",      "while",    "{",         "}",
};
/* clang-format on */

struct lexer {
    const char *p, *end;
    char *out; /* where the next byte of a word goes */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* More than enough words for these bytes. */
static size_t most_words(const char *s, size_t len)
{
    size_t i, n = 1;

    for (i = 1; i < len; i++)
        n += is_blank(s[i - 1]) && !is_blank(s[i]);
    return n;
}

/* NAME= or NAME+= at the very beginning: an assignment. */
static bool is_assignment(const char *s, const char *end)
{
    const char *p = s;

    while (p < end &&
           (*p == '_' || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
            (p > s && *p >= '0' && *p <= '9')))
        p++;
    if (p == s || p == end)
        return false;
    return *p == '=' || (*p == '+' && p + 1 < end && p[1] == '=');
}

/* Behind a single quote, to behind the one that closes it. */
static bool copy_single(struct lexer *x)
{
    const char *q = memchr(x->p, '\'', (size_t)(x->end - x->p));
    size_t n;

    if (!q)
        return false;
    n = (size_t)(q - x->p);
    memcpy(x->out, x->p, n);
    x->out += n;
    x->p = q + 1;
    return true;
}

/* Behind a double quote, to behind the one that closes it. */
static bool copy_double(struct lexer *x)
{
    while (x->p < x->end) {
        char c = *x->p++;

        if (c == '"')
            return true;
        if (c == '$' || c == '`')
            return false;
        if (c == '\\') {
            if (x->p == x->end || *x->p == '\n')
                return false;
            if (*x->p == '\\' || *x->p == '"' || *x->p == '$' || *x->p == '`')
                c = *x->p++;
        }
        *x->out++ = c;
    }
    return false;
}

/* One piece of a word; false when it needs a shell. */
static bool copy_piece(struct lexer *x)
{
    char c = *x->p++;

    switch (c) {
    case '|':
    case '&':
    case ';':
    case '<':
    case '>':
    case '(':
    case ')':
    case '$':
    case '`':
    case '*':
    case '?':
    case '[':
    case ']':
    case '~':
    case '{':
    case '}':
    case '\n':
        return false;
    case '\'':
        return copy_single(x);
    case '"':
        return copy_double(x);
    case '\\':
        if (x->p == x->end || *x->p == '\n')
            return false;
        c = *x->p++;
        break;
    default:
        break;
    }
    *x->out++ = c;
    return true;
}

/* The words behind one another at x->out, their beginnings in 'argv'. */
static bool read_words(struct lexer *x, char **argv, size_t *argc)
{
    *argc = 0;
    for (;;) {
        while (x->p < x->end && is_blank(*x->p))
            x->p++;
        if (x->p == x->end)
            break;
        if (*x->p == '#' || (*argc == 0 && is_assignment(x->p, x->end)))
            return false;
        argv[(*argc)++] = x->out;
        while (x->p < x->end && !is_blank(*x->p)) {
            if (!copy_piece(x))
                return false;
        }
        *x->out++ = '\0';
    }
    argv[*argc] = NULL;
    return *argc > 0 && argv[0][0] != '\0';
}

static int compare_word(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

/* /bin/echo agrees with the shell's when no argument may be an option and
 * none holds a backslash (dash reads escapes, the program does not). */
static bool is_plain_echo(char *const *arg)
{
    for (; *arg; arg++) {
        if ((*arg)[0] == '-' || strchr(*arg, '\\'))
            return false;
    }
    return true;
}

/* All printf agree on %s, %d, %% and the escapes \n, \t and \\, when no
 * argument is left over. */
static bool is_plain_printf(char *const *arg)
{
    const char *p = *arg;
    bool eats = false;

    if (!p || *p == '-')
        return false;
    for (; *p; p++) {
        if (*p == '\\' || *p == '%') {
            const char *good = *p == '%' ? "sd%" : "nt\\";

            p++;
            if (*p == '\0' || !strchr(good, *p))
                return false;
            eats = eats || *p == 's' || *p == 'd';
        }
    }
    return eats || !arg[1];
}

/* Does the program of this name do what the shell does? */
static bool is_program(char *const *argv)
{
    const size_t n = sizeof(shell_words) / sizeof(shell_words[0]);

    if (strcmp(argv[0], "echo") == 0 || strcmp(argv[0], "true") == 0 ||
        strcmp(argv[0], "false") == 0)
        return is_plain_echo(argv + 1);
    if (strcmp(argv[0], "printf") == 0)
        return is_plain_printf(argv + 1);
    return !bsearch(argv[0], shell_words, n, sizeof(shell_words[0]),
                    compare_word);
}

int dtx_words_split(const char *command, size_t len, struct dtx_words *out)
{
    struct lexer x = {command, command + len, NULL};
    size_t most, argc;
    char **argv;

    *out = (struct dtx_words){true, 0, NULL};
    if (len == 0 || memchr(command, '\0', len))
        return DTX_OK;
    most = most_words(command, len) + 1;
    if (most > (SIZE_MAX - len - 1) / sizeof(*argv))
        return DTX_ENOMEM;
    argv = malloc(most * sizeof(*argv) + len + 1);
    if (!argv)
        return DTX_ENOMEM;
    x.out = (char *)(argv + most);
    if (read_words(&x, argv, &argc) && is_program(argv))
        *out = (struct dtx_words){false, argc, argv};
    else
        free(argv);
    return DTX_OK;
}

void dtx_words_free(struct dtx_words *w)
{
    free(w->argv);
    *w = (struct dtx_words){false, 0, NULL};
}

/* SPDX-License-Identifier: MIT */
/* Words: tables for each rule, then thousands of random commands whose words
 * /bin/sh must see in the same way whenever they are said to need no shell. */
#include "task/words.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/rng.h"
#include "check_main.h"

/* 'words' are joined by '|', which no plain word can hold; NULL = a shell. */
static const struct {
    const char *command, *words;
} cases[] = {
    {"ls", "ls"},
    {"  ls \t -l  ", "ls|-l"},
    {"a 'b c' d", "a|b c|d"},
    {"a \"b c\" d", "a|b c|d"},
    {"a b\\ c", "a|b c"},
    {"a b\\ ", "a|b "},
    {"a '' \"\" b", "a|||b"},
    {"a x''y\"\"z", "a|xyz"},
    {"a '\\n' \"\\n\" \\n", "a|\\n|\\n|n"},
    {"a \"\\\\ \\\" \\$ \\` \\x\"", "a|\\ \" $ ` \\x"},
    {"a '$x' '`' '*' '>' '~' '{'", "a|$x|`|*|>|~|{"},
    {"a \\$x \\* \\> \\~ \\{ \\# \\;", "a|$x|*|>|~|{|#|;"},
    {"a b#c", "a|b#c"},
    {"a '#c' \\#d", "a|#c|#d"},
    {"a X=1 b=2", "a|X=1|b=2"},
    {"./a=b c", "./a=b|c"},
    {"1a=b", "1a=b"},
    {"\"X\"=1", "X=1"},
    {"X\\=1", "X=1"},
    {"a ! if in", "a|!|if|in"},
    {"a 'x\ny'", "a|x\ny"},
    {"a \"x\ny\"", "a|x\ny"},
    {"a\rb", "a\rb"},
    {"a \xc3\xa9 \xff\x81\x88", "a|\xc3\xa9|\xff\x81\x88"},
    {"a -- - --x=y,z:@%^+", "a|--|-|--x=y,z:@%^+"},
    {"./cd x", "./cd|x"},
    {"/bin/test x", "/bin/test|x"},
    {"cdx", "cdx"},
    {"true", "true"},
    {"false x", "false|x"},
    {"echo a 'b  c' d-", "echo|a|b  c|d-"},
    {"echo", "echo"},
    {"printf '%s\\n' a", "printf|%s\\n|a"},
    {"printf '100%%\\n'", "printf|100%%\\n"},
    {"printf %s '\\x41' -v", "printf|%s|\\x41|-v"},
    /* for the shell */
    {"", NULL},
    {" \t ", NULL},
    {"''", NULL},
    {"'' a", NULL},
    {"# a", NULL},
    {"a # b", NULL},
    {"a | b", NULL},
    {"a|b", NULL},
    {"a & b", NULL},
    {"a;b", NULL},
    {"a <b", NULL},
    {"a 2>b", NULL},
    {"(a)", NULL},
    {"a $x", NULL},
    {"a \"$x\"", NULL},
    {"a `b`", NULL},
    {"a \"`b`\"", NULL},
    {"a *", NULL},
    {"a b?", NULL},
    {"a [b", NULL},
    {"a b]", NULL},
    {"a ~", NULL},
    {"a b=~", NULL},
    {"a {b,c}", NULL},
    {"a b}", NULL},
    {"a\nb", NULL},
    {"a b\\\nc", NULL},
    {"a \"b\\\nc\"", NULL},
    {"a 'b", NULL},
    {"a \"b", NULL},
    {"a \"b\\", NULL},
    {"a b\\", NULL},
    {"X=1", NULL},
    {"X=1 a", NULL},
    {"_x9=1 a", NULL},
    {"X+=1 a", NULL},
    {"'cd' x", NULL},
    {"c\\d x", NULL},
    {"'[' a ']'", NULL},
    {"echo -n a", NULL},
    {"echo a '\\n'", NULL},
    {"echo a -e", NULL},
    {"true --help", NULL},
    {"printf", NULL},
    {"printf -v x a", NULL},
    {"printf '%b' a", NULL},
    {"printf '\\x41'", NULL},
    {"printf '\\0'", NULL},
    {"printf '%5s' a", NULL},
    {"printf a b", NULL},
    {"printf 'a%'", NULL},
    {"printf 'a\\'", NULL},
};

static void join(const struct dtx_words *w, struct dtx_buf *b)
{
    size_t i;

    for (i = 0; i < w->argc; i++) {
        if (i)
            dtx_buf_char(b, '|');
        dtx_buf_str(b, w->argv[i]);
    }
}

START_TEST(command_is_split)
{
    const char *c = cases[_i].command;
    size_t len = strlen(c);
    char *copy = malloc(len ? len : 1); /* exact, for the sanitizer */
    struct dtx_words w;
    struct dtx_buf b = DTX_BUF_INIT;

    memcpy(copy, c, len);
    ck_assert_int_eq(dtx_words_split(copy, len, &w), 0);
    free(copy);
    if (!cases[_i].words) {
        ck_assert_msg(w.shell, "'%s' needs a shell", c);
        ck_assert_ptr_null(w.argv);
        ck_assert_uint_eq(w.argc, 0);
    } else {
        ck_assert_msg(!w.shell, "'%s' needs no shell", c);
        ck_assert_ptr_null(w.argv[w.argc]);
        join(&w, &b);
        ck_assert_str_eq(b.data, cases[_i].words);
    }
    dtx_buf_free(&b);
    dtx_words_free(&w);
    ck_assert_ptr_null(w.argv);
}
END_TEST

/* Each reserved word and builtin of POSIX sh, dash and bash that is not
 * judged otherwise; also tells whether the table is sorted. */
static const char *const builtins[] = {
    "!",         ".",        ":",        "alias",   "bg",       "bind",
    "break",     "builtin",  "caller",   "case",    "cd",       "chdir",
    "command",   "compgen",  "complete", "compopt", "continue", "coproc",
    "declare",   "dirs",     "disown",   "do",      "done",     "elif",
    "else",      "enable",   "esac",     "eval",    "exec",     "exit",
    "export",    "fc",       "fg",       "fi",      "for",      "function",
    "getopts",   "hash",     "help",     "history", "if",       "in",
    "jobs",      "kill",     "let",      "local",   "logout",   "mapfile",
    "ml",        "module",   "popd",     "pushd",   "pwd",      "read",
    "readarray", "readonly", "return",   "select",  "set",      "shift",
    "shopt",     "source",   "suspend",  "test",    "then",     "time",
    "times",     "trap",     "type",     "typeset", "ulimit",   "umask",
    "unalias",   "unset",    "until",    "wait",    "while",    "'['",
    "'[['",      "']]'",     "'{'",      "'}'",
};

START_TEST(builtin_needs_a_shell)
{
    char text[32];
    struct dtx_words w;
    int n = snprintf(text, sizeof(text), "%s x", builtins[_i]);

    ck_assert_int_eq(dtx_words_split(text, (size_t)n, &w), 0);
    ck_assert_msg(w.shell, "%s", text);
}
END_TEST

START_TEST(nul_byte_needs_a_shell)
{
    struct dtx_words w;

    ck_assert_int_eq(dtx_words_split("a\0b", 3, &w), 0);
    ck_assert(w.shell);
    ck_assert_int_eq(dtx_words_split("a\0b", 1, &w), 0);
    ck_assert(!w.shell);
    dtx_words_free(&w);
}
END_TEST

START_TEST(many_words_fit)
{
    const size_t n = 500000;
    char *text = malloc(2 * n);
    struct dtx_words w;
    size_t i;

    for (i = 0; i < n; i++) {
        text[2 * i] = 'a';
        text[2 * i + 1] = i % 3 ? ' ' : '\t';
    }
    ck_assert_int_eq(dtx_words_split(text, 2 * n, &w), 0);
    ck_assert_uint_eq(w.argc, n);
    ck_assert_str_eq(w.argv[n - 1], "a");
    dtx_words_free(&w);
    free(text);
}
END_TEST

#define NRANDOM 12000

/* A random command from few characters, most of them special. (Not 0x01 and
 * 0x7f, which bash's own quoting uses and lets slip.) */
static size_t random_command(struct dtx_rng *rng, char *out, size_t max)
{
    static const char common[] = "ab  \t''\"\"\\\\";
    static const char rare[] = "=$`;|#~*{}!-/%,:?&\n]+\r\x81\x82\x83"
                               "\x84\x85\x86\x87\x88\xc3\xff";
    size_t i, n = 1 + (size_t)dtx_rng_below(rng, max - 1);

    for (i = 0; i < n; i++) {
        if (dtx_rng_below(rng, 5) > 0)
            out[i] = common[dtx_rng_below(rng, sizeof(common) - 1)];
        else
            out[i] = rare[dtx_rng_below(rng, sizeof(rare) - 1)];
    }
    return n;
}

/* What the shell should print for these words, and the line that asks it. */
static void ask(const struct dtx_words *w, const char *command, size_t len,
                struct dtx_buf *script, struct dtx_buf *expected)
{
    size_t i;

    dtx_buf_str(script, "printf '%s\\0' ");
    dtx_buf_append(script, command, len);
    dtx_buf_str(script, "\nprintf '\\n\\0'\n");
    for (i = 0; i < w->argc; i++)
        dtx_buf_append(expected, w->argv[i], strlen(w->argv[i]) + 1);
    dtx_buf_append(expected, "\n", 2);
}

/* What one sh says to the script, read from a file in an empty directory. */
static void run_shell(const struct dtx_buf *script, struct dtx_buf *output)
{
    char dir[] = "/tmp/dtx-words-XXXXXX", line[128], chunk[4096];
    FILE *f;
    size_t n;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(line, sizeof(line), "%s/s", dir);
    f = fopen(line, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(script->data, 1, script->len, f), script->len);
    ck_assert_int_eq(fclose(f), 0);
    (void)snprintf(line, sizeof(line), "cd %s && LC_ALL=C /bin/sh ./s", dir);
    f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        dtx_buf_append(output, chunk, n);
    ck_assert_int_eq(pclose(f), 0);
    (void)snprintf(line, sizeof(line), "%s/s", dir);
    ck_assert_int_eq(unlink(line), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else was made there */
}

START_TEST(random_commands_agree_with_sh)
{
    static char command[NRANDOM][24];
    static size_t len[NRANDOM];
    static bool direct[NRANDOM];
    struct dtx_buf script = DTX_BUF_INIT, want = DTX_BUF_INIT;
    struct dtx_buf got = DTX_BUF_INIT;
    struct dtx_rng rng;
    size_t i, ndirect = 0, same = 0;

    dtx_rng_seed(&rng, 20240607);
    for (i = 0; i < NRANDOM; i++) {
        struct dtx_words w;

        len[i] = random_command(&rng, command[i], sizeof(command[i]));
        ck_assert_int_eq(dtx_words_split(command[i], len[i], &w), 0);
        direct[i] = !w.shell;
        if (direct[i]) {
            ask(&w, command[i], len[i], &script, &want);
            ndirect++;
        }
        dtx_words_free(&w);
    }
    ck_assert_uint_gt(ndirect, NRANDOM / 8);
    run_shell(&script, &got);
    while (same < got.len && same < want.len &&
           got.data[same] == want.data[same])
        same++;
    ck_assert_msg(same == got.len && same == want.len,
                  "differs at byte %zu of %zu: want '%.40s', got '%.40s'", same,
                  want.len, want.data + same, got.data + same);
    dtx_buf_free(&script);
    dtx_buf_free(&want);
    dtx_buf_free(&got);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("task/words");
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, command_is_split, 0, DTX_COUNT(cases));
    tcase_add_loop_test(t, builtin_needs_a_shell, 0, DTX_COUNT(builtins));
    tcase_add_test(t, nul_byte_needs_a_shell);
    tcase_add_test(t, many_words_fit);
    tcase_add_test(t, random_commands_agree_with_sh);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

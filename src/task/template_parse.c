/* SPDX-License-Identifier: MIT */
/* The words of a command into pieces of a template; see template.h.  It
 * decides what is a replacement string, and what an unquoted command is; it
 * never looks at a value but a header. */
#include "task/template.h"

#include <string.h>

#include "base/error.h"
#include "task/args.h"
#include "task/show.h"
#include "task/task.h"
#include "task/template_state.h"

static int no_memory(struct dtx_error *err)
{
    return dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

static int add_op(struct dtx_template *t, const struct op *op)
{
    struct op *p = dtx_grow(t->op, &t->cap_ops, t->nops + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    t->op = p;
    p[t->nops++] = *op;
    return DTX_OK;
}

static int add_text(struct dtx_template *t, const char *s, size_t len)
{
    struct op op = {.kind = OP_TEXT, .text = t->text.len, .len = len};

    if (len == 0)
        return DTX_OK;
    dtx_buf_append(&t->text, s, len);
    return t->text.failed ? DTX_ENOMEM : add_op(t, &op);
}

/* ---- what stands between braces ---- */

static bool read_form(const char *s, size_t len, enum form *form)
{
    static const struct {
        const char *text;
        enum form form;
    } forms[] = {{"", FORM_WHOLE},
                 {".", FORM_NO_SUFFIX},
                 {"/", FORM_NO_FOLDER},
                 {"//", FORM_FOLDER},
                 {"/.", FORM_NEITHER}};
    size_t i;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strlen(forms[i].text) == len &&
            memcmp(forms[i].text, s, len) == 0) {
            *form = forms[i].form;
            return true;
        }
    }
    return false;
}

/* "3", "-1", " 2 /."; {0} is {}. */
static bool read_place(const char *s, size_t len, struct op *op)
{
    size_t i = len > 0 && s[0] == '-', digits = i;
    int32_t n = 0;

    while (i < len && s[i] >= '0' && s[i] <= '9' && i - digits < 9)
        n = n * 10 + (s[i++] - '0');
    if (i == digits)
        return false;
    op->kind = n == 0 && digits == 0 ? OP_ALL : OP_ONE;
    op->place = digits ? -n : n;
    while (i < len && (s[i] == ' ' || s[i] == '\t'))
        i++;
    return read_form(s + i, len - i, &op->form);
}

static bool read_name(const struct dtx_template *t, const char *s, size_t len,
                      struct op *op)
{
    size_t i;

    for (i = 0; i < t->nnames; i++) {
        const struct place_name *n = &t->name[i];

        if (n->len > 0 && n->len <= len && memcmp(n->text, s, n->len) == 0 &&
            read_form(s + n->len, len - n->len, &op->form)) {
            op->kind = OP_ONE;
            op->place = (int32_t)i + 1;
            return true;
        }
    }
    return false;
}

/* Is s[0 .. len) the inside of a replacement string? */
static bool read_inside(const struct dtx_template *t, const char *s, size_t len,
                        struct op *op)
{
    memset(op, 0, sizeof(*op));
    if (read_name(t, s, len, op))
        return true;
    if (len == 1 && (*s == '#' || *s == '%')) {
        op->kind = *s == '#' ? OP_SEQ : OP_SLOT;
        return true;
    }
    op->kind = OP_ALL;
    return read_form(s, len, &op->form) || read_place(s, len, op);
}

/* ---- words ---- */

static int refuse_perl(const char *s, struct dtx_error *err)
{
    struct dtx_show b;

    return dtx_error_set(err, DTX_EINVAL,
                         "'%s': {= =} holds Perl code, which is not run here; "
                         "let the shell do it in the command, or write the "
                         "wanted words into an argument file (--colsep)",
                         dtx_show_text(&b, s, strlen(s)));
}

static int read_word(struct dtx_template *t, const char *s,
                     struct dtx_error *err)
{
    const char *from = s;
    int rc = DTX_OK;

    while (*s && rc == DTX_OK) {
        const char *end;
        struct op op;

        if (*s != '{') {
            s++;
            continue;
        }
        if (s[1] == '=' && strstr(s + 2, "=}"))
            return refuse_perl(s, err);
        end = strchr(s, '}');
        if (!end || !read_inside(t, s + 1, (size_t)(end - s - 1), &op)) {
            s++;
            continue;
        }
        rc = add_text(t, from, (size_t)(s - from));
        if (rc == DTX_OK)
            rc = add_op(t, &op);
        t->has_slot = t->has_slot || op.kind == OP_SLOT;
        s = end + 1;
        from = s;
    }
    if (rc == DTX_OK)
        rc = add_text(t, from, strlen(from));
    return rc ? no_memory(err) : DTX_OK;
}

static bool has_replacement(const struct dtx_template *t)
{
    size_t i;

    for (i = 0; i < t->nops; i++) {
        if (t->op[i].kind > OP_BREAK)
            return true;
    }
    return false;
}

/* Does a value make (a part of) the command's own name? Then it is a command
 * line and is not quoted: {} ::: 'echo a' 'echo b'. */
static bool begins_with_value(const struct dtx_template *t)
{
    size_t i;

    for (i = 0; i < t->nops && t->op[i].kind == OP_TEXT; i++) {
        if (strcspn(t->text.data + t->op[i].text, " \t\n=") < t->op[i].len)
            return false;
    }
    return i < t->nops && t->op[i].kind != OP_BREAK;
}

static int read_words(struct dtx_template *t, char *const *word, size_t n,
                      struct dtx_error *err)
{
    static const struct op gap = {.kind = OP_BREAK};
    size_t i;
    int rc = DTX_OK;

    for (i = 0; i < n && rc == DTX_OK; i++) {
        if (i > 0 && add_op(t, &gap))
            rc = no_memory(err);
        else
            rc = read_word(t, word[i], err);
    }
    if (rc == DTX_OK && !has_replacement(t)) {
        if (n > 0 && add_op(t, &gap))
            rc = no_memory(err);
        else
            rc = read_word(t, "{}", err);
    }
    if (rc == DTX_OK && t->has_slot && t->text.len > 0 &&
        memchr(t->text.data, DTX_SLOT_BYTE, t->text.len))
        rc = dtx_error_set(err, DTX_EINVAL,
                           "the command: the byte \\x01 cannot be used "
                           "together with {%%}");
    t->raw = t->how.quote || begins_with_value(t);
    return rc;
}

/* ---- columns and headers ---- */

static int read_colsep(struct dtx_template *t, struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    const char *s = t->how.colsep;
    char why[200];
    int rc;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] == 't')
            dtx_buf_char(&b, '\t');
        else
            dtx_buf_char(&b, *s);
        if (s[0] == '\\' && s[1]) {
            if (s[1] != 't')
                dtx_buf_char(&b, s[1]);
            s++;
        }
    }
    if (b.failed) {
        dtx_buf_free(&b);
        return no_memory(err);
    }
    if (b.len == 1 && !strchr(".[]()*+?{}|^$\\", b.data[0])) {
        t->separator = b.data[0];
        dtx_buf_free(&b);
        return DTX_OK;
    }
    rc = regcomp(&t->regex, b.data ? b.data : "", REG_EXTENDED);
    dtx_buf_free(&b);
    if (rc) {
        (void)regerror(rc, &t->regex, why, sizeof(why));
        return dtx_error_set(err, DTX_EINVAL,
                             "--colsep: '%s' is not a POSIX extended regular "
                             "expression: %s", t->how.colsep, why);
    }
    t->has_regex = true;
    if (regexec(&t->regex, "", 0, NULL, 0) == 0)
        return dtx_error_set(err, DTX_EINVAL,
                             "--colsep: '%s' matches where nothing is; for "
                             "one or more of them write +", t->how.colsep);
    return DTX_OK;
}

static int add_name(struct dtx_template *t, const struct value *v)
{
    struct place_name *p =
        dtx_grow(t->name, &t->cap_names, t->nnames + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    t->name = p;
    p[t->nnames].text = v->text;
    p[t->nnames++].len = v->len;
    return DTX_OK;
}

/* The first value of each source names its columns. */
static int read_headers(struct dtx_template *t, struct dtx_error *err)
{
    size_t i, k;
    int rc = DTX_OK;

    for (i = 0; i < t->nsources && rc == DTX_OK; i++) {
        struct source *s = &t->source[i];
        struct value v = {"", 0};

        if (s->nvalues > 0) {
            v = s->value[0];
            s->first = 1;
        }
        if (v.len > 0 && v.text[v.len - 1] == '\r')
            v.len--;
        rc = dtx_template_split(t, s, &v);
        for (k = 0; k < s->ncolumns && rc == DTX_OK; k++)
            rc = add_name(t, &s->column[k]);
    }
    return rc ? no_memory(err) : DTX_OK;
}

int dtx_template_compile(struct dtx_template *t, char *const *word, size_t n,
                         const struct dtx_template_how *how,
                         struct dtx_error *err)
{
    int rc = DTX_OK;

    t->how = *how;
    t->trim = how->colsep != NULL;
    t->separator = '\t'; /* with a header, when nothing else is said */
    t->split = how->colsep || how->header;
    if (t->how.colsep)
        rc = read_colsep(t, err);
    if (rc == DTX_OK && how->header)
        rc = read_headers(t, err);
    if (rc == DTX_OK)
        rc = read_words(t, word, n, err);
    return rc ? rc : dtx_template_combine(t, err);
}

int dtx_template_compile_path(struct dtx_template *t, const char *path,
                              const char *columns, size_t len, bool trim,
                              struct dtx_error *err)
{
    const char *name;
    size_t n;
    int rc = DTX_OK;

    t->raw = true;
    t->trim = trim;
    while (rc == DTX_OK && dtx_args_next(&columns, &len, &name, &n))
        rc = add_name(t, &(struct value){name, (uint32_t)n});
    rc = rc ? no_memory(err) : read_word(t, path, err);
    if (rc == DTX_OK && t->has_slot && strchr(path, DTX_SLOT_BYTE))
        rc = dtx_error_set(err, DTX_EINVAL,
                           "the byte \\x01 cannot be used together with "
                           "{%%}");
    return rc;
}

bool dtx_template_has_replacement(const struct dtx_template *t)
{
    return has_replacement(t);
}

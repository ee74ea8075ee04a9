/* SPDX-License-Identifier: MIT */
/* Commands from combinations of values; see template.h.  It decides which
 * values meet, how a value is split, cut and quoted; what the words around a
 * replacement string look like is template_parse.c's part.  It reads no file:
 * sources come as bytes. */
#include "task/template.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/args.h"
#include "task/show.h"
#include "task/task.h"
#include "task/template_state.h"

struct dtx_template *dtx_template_create(void)
{
    return calloc(1, sizeof(struct dtx_template));
}

void dtx_template_destroy(struct dtx_template *t)
{
    size_t i;

    if (!t)
        return;
    for (i = 0; i < t->nsources; i++) {
        free(t->source[i].value);
        free(t->source[i].column);
    }
    free(t->source);
    free(t->op);
    free(t->row);
    free(t->name);
    dtx_buf_free(&t->text);
    dtx_buf_free(&t->word);
    if (t->has_regex)
        regfree(&t->regex);
    free(t);
}

static int no_memory(struct dtx_error *err)
{
    return dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

/* ---- which values meet ---- */

/* Values of a source; one without any lends an empty one to the others. */
static uint32_t size_of(const struct source *s)
{
    size_t n = s->nvalues - s->first;

    return n > 0 ? (uint32_t)n : 1;
}

static int too_many(const struct dtx_template *t, struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    size_t i;
    int rc;

    for (i = 0; i < t->nsources && b.len < 200; i++) {
        if (i == 0 || !t->source[i].linked)
            dtx_buf_printf(&b, "%s%" PRIu32, i ? " x " : "",
                           t->source[i].group_size);
    }
    rc = dtx_error_set(err, DTX_ELIMIT,
                       "%s%s combinations: a job has at most %u tasks",
                       b.failed ? "too many" : b.data,
                       i < t->nsources ? " x ..." : "", DTX_MAX_TASKS);
    dtx_buf_free(&b);
    return rc;
}

int dtx_template_combine(struct dtx_template *t, struct dtx_error *err)
{
    bool empty = true;
    uint64_t count = 1;
    size_t i, head = 0;

    for (i = 0; i < t->nsources; i++) {
        struct source *s = &t->source[i];
        uint32_t n = size_of(s);

        if (i == 0 || !s->linked)
            head = i;
        if (head == i || n < t->source[head].group_size)
            t->source[head].group_size = n;
        empty = empty && s->nvalues == s->first;
    }
    for (i = 0; i < t->nsources; i++) {
        if (i > 0 && t->source[i].linked)
            continue;
        count *= t->source[i].group_size;
        if (count > DTX_MAX_TASKS)
            return too_many(t, err);
    }
    t->count = empty ? 0 : (uint32_t)count;
    return DTX_OK;
}

/* Each source's place in combination 'i'. */
static void choose(struct dtx_template *t, uint32_t i)
{
    size_t k, last = t->nsources;

    for (k = t->nsources; k-- > 0;) {
        uint32_t at;

        if (k > 0 && t->source[k].linked)
            continue;
        at = i % t->source[k].group_size;
        i /= t->source[k].group_size;
        while (last > k)
            t->source[--last].at = at;
    }
}

/* ---- columns ---- */

static int add_column(struct source *s, const char *text, size_t len)
{
    struct value *p =
        dtx_grow(s->column, &s->cap_columns, s->ncolumns + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    s->column = p;
    p[s->ncolumns].text = text;
    p[s->ncolumns++].len = (uint32_t)len;
    return DTX_OK;
}

/* The next separator between 'p' and 'end' that is not empty. */
static bool find_separator(const struct dtx_template *t, const char *p,
                           const char *end, bool begin, const char **from,
                           const char **to)
{
    regmatch_t m = {0, (regoff_t)(end - p)};

    if (!t->has_regex) {
        *from = memchr(p, t->separator, (size_t)(end - p));
        *to = *from ? *from + 1 : NULL;
        return *from != NULL;
    }
    if (regexec(&t->regex, p, 1, &m,
                REG_STARTEND | (begin ? 0 : REG_NOTBOL)) != 0 ||
        m.rm_eo <= m.rm_so)
        return false;
    *from = p + m.rm_so;
    *to = p + m.rm_eo;
    return true;
}

int dtx_template_split(const struct dtx_template *t, struct source *s,
                       const struct value *v)
{
    const char *p = v->text, *end = v->text + v->len, *from, *to;
    int rc = DTX_OK;

    s->ncolumns = 0;
    while (rc == DTX_OK && p < end &&
           find_separator(t, p, end, p == v->text, &from, &to)) {
        rc = add_column(s, p, (size_t)(from - p));
        p = to;
    }
    return rc ? rc : add_column(s, p, (size_t)(end - p));
}

/* The columns of a source in this combination. */
static int columns_of(struct dtx_template *t, struct source *s,
                      const struct value **v, size_t *n)
{
    static const struct value none = {"", 0};
    const struct value *value =
        s->nvalues > s->first ? &s->value[s->first + s->at] : &none;
    int rc = DTX_OK;

    if (!t->split) {
        *v = value;
        *n = 1;
        return DTX_OK;
    }
    if (s->split_at != s->at)
        rc = dtx_template_split(t, s, value);
    s->split_at = rc ? UINT32_MAX : s->at;
    *v = s->column;
    *n = s->ncolumns;
    return rc;
}

static int add_to_row(struct dtx_template *t, struct value v)
{
    struct value *p =
        dtx_grow(t->row, &t->cap_row, t->nrow + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    t->row = p;
    p[t->nrow++] = v;
    return DTX_OK;
}

/* The values of combination 'i' into the row. */
static int gather(struct dtx_template *t, uint32_t i)
{
    const struct value *v;
    size_t s, k, n;
    int rc = DTX_OK;

    choose(t, i);
    t->nrow = 0;
    for (s = 0; s < t->nsources && rc == DTX_OK; s++) {
        rc = columns_of(t, &t->source[s], &v, &n);
        for (k = 0; k < n && rc == DTX_OK; k++)
            rc = add_to_row(t, v[k]);
    }
    return rc;
}

/* ---- values ---- */

static void without_folder(struct value *v)
{
    const char *slash = v->len ? memrchr(v->text, '/', v->len) : NULL;

    if (slash) {
        v->len -= (uint32_t)(slash + 1 - v->text);
        v->text = slash + 1;
    }
}

static void without_suffix(struct value *v)
{
    uint32_t i = v->len;

    while (i > 0 && v->text[i - 1] != '/' && v->text[i - 1] != '.')
        i--;
    if (i > 0 && v->text[i - 1] == '.')
        v->len = i - 1;
}

/* As dirname(1), but what ends in a slash keeps its own folder's parent. */
static void only_folder(struct value *v)
{
    int i;

    for (i = 0; i < 2; i++) {
        const char *slash = v->len ? memrchr(v->text, '/', v->len) : NULL;
        bool bare = slash && slash + 1 == v->text + v->len;

        if (!slash) {
            *v = (struct value){".", 1};
            return;
        }
        v->len = (uint32_t)(slash + 1 - v->text);
        while (v->len > 1 && v->text[v->len - 1] == '/')
            v->len--;
        if (!bare)
            return;
    }
}

static void shape(struct value *v, enum form form)
{
    switch (form) {
    case FORM_WHOLE:
        break;
    case FORM_NO_SUFFIX:
        without_suffix(v);
        break;
    case FORM_NO_FOLDER:
        without_folder(v);
        break;
    case FORM_FOLDER:
        only_folder(v);
        break;
    case FORM_NEITHER:
        without_folder(v);
        without_suffix(v);
        break;
    }
}

/* ---- quoting ---- */

/* May stand unquoted, whatever the shell. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '-' && c <= '9') || c == '_' || c == '+';
}

static void put_quoted(struct dtx_buf *b, const char *s, size_t len)
{
    const char *quote, *begin = s, *end = s + len;
    size_t i = 0;

    while (i < len && is_plain(s[i]))
        i++;
    if (i == len && len > 0) {
        dtx_buf_append(b, s, len);
        return;
    }
    if (len == 0) {
        dtx_buf_append(b, "''", 2);
        return;
    }
    /* no empty quotes at the ends: they would show between the template's own
     * double quotes */
    if (*s != '\'')
        dtx_buf_char(b, '\'');
    while (s < end && (quote = memchr(s, '\'', (size_t)(end - s)))) {
        bool first = quote == begin, last = quote + 1 == end;

        dtx_buf_append(b, s, (size_t)(quote - s));
        dtx_buf_append(b, &"'\"'\"'"[first], 5 - (size_t)first - last);
        s = quote + 1;
    }
    dtx_buf_append(b, s, (size_t)(end - s));
    if (end[-1] != '\'')
        dtx_buf_char(b, '\'');
}

/* ---- one command ---- */

struct putting {
    struct dtx_template *t;
    struct dtx_buf *out; /* where values go: the word at work when quoting */
    struct dtx_buf *final;
    struct dtx_error *err;
};

/* Between words. */
static void end_word(struct putting *p)
{
    if (p->t->how.quote) {
        put_quoted(p->final, p->t->word.len ? p->t->word.data : "",
                   p->t->word.len);
        p->final->failed = p->final->failed || p->t->word.failed;
        dtx_buf_clear(&p->t->word);
    }
}

static int put_value(struct putting *p, struct value v, enum form form)
{
    const struct dtx_template *t = p->t;

    if (t->trim)
        v.len = (uint32_t)dtx_args_trim(&v.text, v.len);
    shape(&v, form);
    if (t->has_slot && v.len > 0 && memchr(v.text, DTX_SLOT_BYTE, v.len)) {
        struct dtx_show b;

        return dtx_error_set(p->err, DTX_EPARSE,
                             "argument '%s': the byte \\x01 cannot be used "
                             "together with {%%}",
                             dtx_show_text(&b, v.text, v.len));
    }
    if (t->raw)
        dtx_buf_append(p->out, v.text, v.len);
    else
        put_quoted(p->out, v.text, v.len);
    return DTX_OK;
}

/* All values, as words of their own. */
static int put_all(struct putting *p, enum form form)
{
    size_t i;
    int rc = DTX_OK;

    for (i = 0; i < p->t->nrow && rc == DTX_OK; i++) {
        if (i > 0) {
            end_word(p);
            dtx_buf_char(p->final, ' ');
        }
        rc = put_value(p, p->t->row[i], form);
    }
    return rc;
}

/* The value at a place: from 1, or from the end; nothing where there is none,
 * as GNU parallel has it. */
static int put_one(struct putting *p, int32_t place, enum form form)
{
    int64_t total = (int64_t)p->t->nrow;
    int64_t at = place > 0 ? place - 1 : total + place;

    if (at < 0)
        at += total;
    if (at < 0 || at >= total)
        return DTX_OK;
    return put_value(p, p->t->row[at], form);
}

static void put_number(struct dtx_buf *b, uint64_t n)
{
    char digits[24], *p = digits + sizeof(digits);

    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    dtx_buf_append(b, p, (size_t)(digits + sizeof(digits) - p));
}

static int put_op(struct putting *p, const struct op *op, uint64_t seq)
{
    switch (op->kind) {
    case OP_TEXT:
        dtx_buf_append(p->out, p->t->text.data + op->text, op->len);
        return DTX_OK;
    case OP_BREAK:
        end_word(p);
        dtx_buf_char(p->final, ' ');
        return DTX_OK;
    case OP_SEQ:
        put_number(p->out, seq);
        return DTX_OK;
    case OP_SLOT:
        dtx_buf_char(p->out, DTX_SLOT_BYTE);
        return DTX_OK;
    case OP_ALL:
        return put_all(p, op->form);
    case OP_ONE:
        return put_one(p, op->place, op->form);
    }
    return DTX_EINVAL;
}

/* The command of the row. */
static int put_row(struct dtx_template *t, uint64_t seq, struct dtx_buf *out,
                   struct dtx_error *err)
{
    struct putting p = {t, t->how.quote ? &t->word : out, out, err};
    size_t k, before = out->len;
    int rc = DTX_OK;

    dtx_buf_clear(&t->word);
    for (k = 0; k < t->nops && rc == DTX_OK; k++) {
        rc = put_op(&p, &t->op[k], seq);
        if (rc == DTX_OK && out->len - before > DTX_MAX_COMMAND)
            rc = DTX_ELIMIT;
    }
    end_word(&p);
    if (rc == DTX_OK && out->len - before > DTX_MAX_COMMAND)
        rc = DTX_ELIMIT;
    return rc == DTX_OK && out->failed ? DTX_ENOMEM : rc;
}

int dtx_template_put(struct dtx_template *t, uint32_t i, uint64_t seq,
                     struct dtx_buf *out, struct dtx_error *err)
{
    int rc = gather(t, i);

    if (rc == DTX_OK)
        rc = put_row(t, seq, out, err);
    if (rc == DTX_ELIMIT)
        return dtx_error_set(err, rc,
                             "task %" PRIu64 ": a command of more than %u "
                             "bytes", seq, DTX_MAX_COMMAND);
    return rc == DTX_ENOMEM ? no_memory(err) : rc;
}

void dtx_template_args(const struct dtx_template *t, struct dtx_buf *out)
{
    size_t i;

    for (i = 0; i < t->nrow; i++) {
        dtx_buf_append(out, t->row[i].text, t->row[i].len);
        dtx_buf_char(out, '\0');
    }
}

void dtx_template_columns(const struct dtx_template *t, struct dtx_buf *out)
{
    size_t i;

    for (i = 0; i < t->nnames; i++) {
        dtx_buf_append(out, t->name[i].text, t->name[i].len);
        dtx_buf_char(out, '\0');
    }
}

int dtx_template_fill(struct dtx_template *t, const char *args, size_t len,
                      uint64_t seq, struct dtx_buf *out, struct dtx_error *err)
{
    const char *arg;
    size_t n;
    int rc = DTX_OK;

    t->nrow = 0;
    while (rc == DTX_OK && dtx_args_next(&args, &len, &arg, &n))
        rc = add_to_row(t, (struct value){arg, (uint32_t)n});
    if (rc == DTX_OK)
        rc = put_row(t, seq, out, err);
    if (rc == DTX_ELIMIT)
        return dtx_error_set(err, rc, "task %" PRIu64 ": more than %u bytes",
                             seq, DTX_MAX_COMMAND);
    return rc == DTX_ENOMEM ? no_memory(err) : rc;
}

uint32_t dtx_template_count(const struct dtx_template *t)
{
    return t->count;
}

bool dtx_template_has_slot(const struct dtx_template *t)
{
    return t->has_slot;
}

/* SPDX-License-Identifier: MIT */
/* Paths below --results; see layout.h.  It decides names alone and makes no
 * file; how replacement strings are read is the template's part. */
#include "task/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "task/args.h"
#include "task/show.h"
#include "task/task.h"
#include "task/template.h"

#define MOST_COMPARED 10000000u /* tasks among which twins are looked for */
#define LONGEST_DIGITS 21       /* of a number, with a NUL */

/* What a place is called. */
struct column {
    char digits[LONGEST_DIGITS]; /* its number */
    const char *name; /* from a header, or NULL */
    double number; /* what the name is as one */
    size_t place;  /* from 0 */
};

struct dtx_layout {
    const char *dir;
    const struct dtx_tasklist *list;
    struct dtx_layout_limits limits;
    struct dtx_template *pattern; /* NULL: a tree below 'dir' */
    bool has_slot;
    struct column *column; /* sorted, of 'ncolumns' arguments */
    size_t ncolumns, cap_columns;
    struct arg { /* of the task at work, by place */
        const char *text;
        size_t len;
    } *arg;
    size_t cap_args;
    struct dtx_buf word; /* at work */
};

/* ---- life ---- */

static int no_memory(struct dtx_error *err)
{
    return dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

static int read_pattern(struct dtx_layout *l, struct dtx_error *err)
{
    const struct dtx_buf *columns = &l->list->columns;
    int rc;

    l->pattern = dtx_template_create();
    if (!l->pattern)
        return no_memory(err);
    rc = dtx_template_compile_path(l->pattern, l->dir, columns->data,
                                   columns->len, l->list->trim, err);
    if (rc == DTX_OK && !dtx_template_has_replacement(l->pattern)) {
        dtx_template_destroy(l->pattern);
        l->pattern = NULL;
    }
    if (rc == DTX_OK && l->pattern)
        l->has_slot = dtx_template_has_slot(l->pattern);
    return rc;
}

struct dtx_layout *dtx_layout_create(const char *dir,
                                     const struct dtx_tasklist *list,
                                     const struct dtx_layout_limits *limits,
                                     struct dtx_error *err)
{
    struct dtx_layout *l = calloc(1, sizeof(*l));

    if (!l) {
        (void)no_memory(err);
        return NULL;
    }
    l->dir = dir;
    l->list = list;
    l->limits = *limits;
    if (read_pattern(l, err)) {
        (void)dtx_error_prefix(err, "--results: ");
        dtx_layout_destroy(l);
        return NULL;
    }
    return l;
}

void dtx_layout_destroy(struct dtx_layout *l)
{
    if (!l)
        return;
    dtx_template_destroy(l->pattern);
    free(l->column);
    free(l->arg);
    dtx_buf_free(&l->word);
    free(l);
}

bool dtx_layout_has_slot(const struct dtx_layout *l)
{
    return l->has_slot;
}

/* ---- the names of places ---- */

/* As Perl takes a text for a number: what it begins with, but not 0x. */
static double number_of(const char *s)
{
    const char *p = s + strspn(s, " \t\n\r\f\v");

    p += *p == '+' || *p == '-';
    return p[0] == '0' && (p[1] == 'x' || p[1] == 'X') ? 0 : strtod(s, NULL);
}

static const char *name_of(const struct column *c)
{
    return c->name ? c->name : c->digits;
}

static int by_name(const void *a, const void *b)
{
    const struct column *p = a, *q = b;
    int order;

    if (p->number < q->number)
        return -1;
    if (p->number > q->number)
        return 1;
    order = strcmp(name_of(p), name_of(q));
    if (order != 0)
        return order;
    return p->place < q->place ? -1 : p->place > q->place;
}

static void put_digits(char *digits, uint64_t n)
{
    char *p = digits + LONGEST_DIGITS, *end = p;

    *--p = '\0';
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    memmove(digits, p, (size_t)(end - p));
}

/* The columns of tasks with 'n' arguments. */
static bool sort_columns(struct dtx_layout *l, size_t n)
{
    const char *names = l->list->columns.data, *name;
    size_t left = l->list->columns.len, i, len;
    struct column *p;

    if (l->ncolumns == n)
        return true;
    p = dtx_grow(l->column, &l->cap_columns, n, sizeof(*p));
    if (!p)
        return false;
    l->column = p;
    l->ncolumns = n;
    for (i = 0; i < n; i++) {
        put_digits(p[i].digits, i + 1);
        p[i].name = dtx_args_next(&names, &left, &name, &len) && len > 0
                        ? name
                        : NULL;
        p[i].number = number_of(name_of(&p[i]));
        p[i].place = i;
    }
    qsort(p, n, sizeof(*p), by_name);
    return true;
}

/* ---- the tree ---- */

static bool is_dots(const char *s, size_t len)
{
    return (len == 1 || len == 2) && s[0] == '.' && s[len - 1] == '.';
}

/* A name from a header is not escaped: its slashes make directories. */
static void put_name(struct dtx_buf *out, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, "/");

        if (is_dots(name, len))
            dtx_buf_char(out, '\\');
        dtx_buf_append(out, name, len);
        if (len > 0)
            dtx_buf_char(out, '/');
        name += len + (name[len] == '/');
    }
}

static void escape(struct dtx_buf *b, const char *s, size_t len)
{
    size_t i, from = 0;

    for (i = 0; i < len; i++) {
        char c = s[i];

        if (c != '\\' && c != '\t' && c != '/')
            continue;
        dtx_buf_append(b, s + from, i - from);
        dtx_buf_append(b, c == '/' ? "\\_" : c == '\t' ? "\\t" : "\\\\", 2);
        from = i + 1;
    }
    dtx_buf_append(b, s + from, len - from);
}

static void put_value(struct dtx_layout *l, struct dtx_buf *out,
                      const struct arg *a)
{
    dtx_buf_clear(&l->word);
    if (is_dots(a->text, a->len))
        dtx_buf_char(&l->word, '\\');
    escape(&l->word, a->text, a->len);
    out->failed |= l->word.failed;
    if (l->word.len == 0)
        return;
    dtx_buf_append(out, l->word.data,
                   l->word.len < l->limits.name ? l->word.len
                                                : l->limits.name);
    dtx_buf_char(out, '/');
}

/* The task's arguments by place; their number. */
static size_t take_args(struct dtx_layout *l, const struct dtx_task *t)
{
    const char *args = dtx_tasklist_args(l->list, t);
    size_t left = t->args, n = 0;
    struct arg a, *p;

    while (dtx_args_next(&args, &left, &a.text, &a.len)) {
        p = dtx_grow(l->arg, &l->cap_args, n + 1, sizeof(*p));
        if (!p)
            return SIZE_MAX;
        l->arg = p;
        p[n++] = a;
    }
    return n;
}

static void put_tree(struct dtx_layout *l, uint32_t task, struct dtx_buf *out)
{
    const struct dtx_task *t = &l->list->task[task];
    size_t n = t->args ? take_args(l, t) : 0, i;

    dtx_buf_str(out, l->dir);
    dtx_buf_char(out, '/');
    if (n == 0)
        dtx_buf_printf(out, "%" PRIu64 "/", dtx_task_id(task));
    if (n > 0 && (n == SIZE_MAX || !sort_columns(l, n)))
        out->failed = true;
    for (i = 0; i < n && !out->failed; i++) {
        put_name(out, name_of(&l->column[i]));
        put_value(l, out, &l->arg[l->column[i].place]);
    }
}

/* ---- a path with replacement strings ---- */

static int put_pattern(struct dtx_layout *l, uint32_t task,
                       struct dtx_buf *out, struct dtx_error *err)
{
    const struct dtx_task *t = &l->list->task[task];
    const char *args = dtx_tasklist_args(l->list, t);
    size_t len = t->args;

    if (len == 0) {
        dtx_buf_clear(&l->word);
        dtx_tasklist_command(&l->word, l->list, task, 0);
        dtx_buf_char(&l->word, '\0');
        if (l->word.failed)
            return no_memory(err);
        args = l->word.data;
        len = l->word.len;
    }
    return dtx_template_fill(l->pattern, args, len, dtx_task_id(task), out,
                             err);
}

static int put_path(struct dtx_layout *l, uint32_t task, struct dtx_buf *out,
                    struct dtx_error *err)
{
    if (l->pattern)
        return put_pattern(l, task, out, err);
    put_tree(l, task, out);
    return out->failed ? no_memory(err) : DTX_OK;
}

void dtx_layout_path(struct dtx_layout *l, uint32_t task, struct dtx_buf *out)
{
    size_t before = out->len;
    int rc = put_path(l, task, out, NULL);

    if (rc == DTX_ENOMEM)
        out->failed = true;
    else if (rc)
        out->len = before;
}

/* ---- before anything runs ---- */

/* Bytes that are put behind a path, its last file name's part of them. */
static size_t longest_end(const char *path, size_t len)
{
    return strlen(path[len - 1] == '/' ? "stdout" : ".err");
}

/* 's' and what is put behind it would have 'bytes'. */
static int refuse(const struct dtx_layout *l, uint32_t task, const char *s,
                  size_t len, size_t bytes, struct dtx_error *err)
{
    bool is_path = bytes >= l->limits.path;
    struct dtx_show b;

    return dtx_error_set(err, DTX_ELIMIT,
                         "--results: task %" PRIu64 ": '%s' makes a %s of "
                         "%zu bytes, more than the %zu there can be: %s",
                         dtx_task_id(task), dtx_show_text(&b, s, len),
                         is_path ? "path" : "file name", bytes,
                         is_path ? l->limits.path - 1 : l->limits.name,
                         l->pattern ? "put less of the arguments into it"
                                    : "shorten the header, or put replacement "
                                      "strings into DIR");
}

static int check_path(const struct dtx_layout *l, uint32_t task,
                      const char *path, size_t len, struct dtx_error *err)
{
    const char *p = path;
    size_t end, n;

    if (len == 0)
        return dtx_error_set(err, DTX_EINVAL,
                             "--results: task %" PRIu64 ": the file's name is "
                             "empty: put more than this replacement string "
                             "into it", dtx_task_id(task));
    end = longest_end(path, len);
    if (len + end >= l->limits.path)
        return refuse(l, task, path, len, len + end, err);
    for (; p < path + len; p += n + 1) {
        n = strcspn(p, "/");
        if (n + (p[n] ? 0 : end) > l->limits.name)
            return refuse(l, task, p, n, n + (p[n] ? 0 : end), err);
    }
    return DTX_OK;
}

static int compare(struct dtx_keymap *seen, uint32_t task, const char *path,
                   size_t len, struct dtx_layout_twins *twins,
                   struct dtx_error *err)
{
    uint32_t first;
    bool made;

    if (!dtx_keymap_put(seen, dtx_hash128(path, len, 0), task, &first, &made))
        return no_memory(err);
    if (!made && twins->first == twins->second)
        *twins = (struct dtx_layout_twins){first, task};
    return DTX_OK;
}

int dtx_layout_check(struct dtx_layout *l, struct dtx_layout_twins *twins,
                     struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_keymap seen = {NULL, NULL, 0, 0};
    uint32_t i, n = (uint32_t)l->list->ntasks;
    int rc = DTX_OK;

    *twins = (struct dtx_layout_twins){0, 0};
    for (i = 0; i < n && rc == DTX_OK; i++) {
        dtx_buf_clear(&b);
        rc = put_path(l, i, &b, err);
        if (rc)
            (void)dtx_error_prefix(err, "--results: ");
        else
            rc = check_path(l, i, b.len ? b.data : "", b.len, err);
        if (rc == DTX_OK && n <= MOST_COMPARED)
            rc = compare(&seen, i, b.data, b.len, twins, err);
    }
    dtx_keymap_free(&seen);
    dtx_buf_free(&b);
    return rc;
}

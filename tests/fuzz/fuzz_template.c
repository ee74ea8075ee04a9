/* SPDX-License-Identifier: MIT */
/* Fuzz target: the first byte sets the options, the first line is the column
 * separator, the second the command, the rest are the lines of two sources.
 * What comes out must be within its limits, and an error must say why; the
 * paths of --results for it, of a tree and with the command as a name, must be
 * those of a file, and nothing may leave the tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/args.h"
#include "task/layout.h"
#include "task/task.h"
#include "task/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth)
        abort();
}

/* The next line as a text of its own. */
static char *take_line(const char **p, const char *end)
{
    const char *stop = memchr(*p, '\n', (size_t)(end - *p));
    char *line;

    if (!stop)
        stop = end;
    line = strndup(*p, (size_t)(stop - *p));
    require(line != NULL);
    *p = stop < end ? stop + 1 : end;
    return line;
}

/* No part of the path is "." or "..", nor too long. */
static void look_at_tree(const char *path, size_t most)
{
    require(strncmp(path, "r/", 2) == 0 && path[strlen(path) - 1] == '/');
    while (*path) {
        size_t n = strcspn(path, "/");

        require(n <= most && !(n == 1 && path[0] == '.') &&
                !(n == 2 && memcmp(path, "..", 2) == 0));
        path += n + 1;
    }
}

static void lay_out(const struct dtx_tasklist *list, const char *dir, bool tree)
{
    static const struct dtx_layout_limits limits = {30, 1000};
    struct dtx_error err = {0, ""};
    struct dtx_layout_twins twins;
    struct dtx_layout *l = dtx_layout_create(dir, list, &limits, &err);
    struct dtx_buf b = DTX_BUF_INIT;
    int rc = l ? dtx_layout_check(l, &twins, &err) : err.code;
    uint32_t i;

    require(rc == 0 || (err.code == rc && err.text[0]));
    for (i = 0; l && i < list->ntasks; i++) {
        dtx_buf_clear(&b);
        dtx_layout_path(l, i, &b);
        require(!b.failed && (rc || (b.len > 0 && b.len < limits.path)));
        if (tree && rc == 0)
            look_at_tree(b.data, limits.name);
    }
    dtx_buf_free(&b);
    dtx_layout_destroy(l);
}

static void add(struct dtx_tasklist *list, const struct dtx_buf *command,
                const struct dtx_template *t)
{
    struct dtx_buf args = DTX_BUF_INIT;

    dtx_template_args(t, &args);
    require(!args.failed && args.len > 0 &&
            dtx_args_valid(args.data, args.len));
    require(dtx_tasklist_add(list, command->data, command->len, 0, 0,
                             DTX_NO_TEXT) == 0);
    require(dtx_tasklist_set_args(list, args.data, args.len) == 0);
    dtx_buf_free(&args);
}

static void expand(struct dtx_template *t, const char *command, bool trim)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_tasklist list;
    uint32_t i, n = dtx_template_count(t);

    require(n <= DTX_MAX_TASKS && dtx_tasklist_init(&list) == 0);
    list.trim = trim;
    dtx_template_columns(t, &list.columns);
    require(!list.columns.failed &&
            dtx_args_valid(list.columns.data, list.columns.len));
    for (i = 0; i < n && i < 100; i++) {
        int rc = dtx_template_put(t, i, (uint64_t)i + 1, &b, &err);

        require(rc == 0 || (err.code == rc && err.text[0]));
        require(rc != 0 ||
                (b.len <= DTX_MAX_COMMAND &&
                 (b.len == 0 || !memchr(b.data, '\0', b.len))));
        if (rc == 0 && b.len > 0)
            add(&list, &b, t);
        dtx_buf_clear(&b);
    }
    lay_out(&list, "r", true);
    lay_out(&list, command, false);
    for (i = 0; i < list.ntasks; i++)
        dtx_args_tag(&b, &list, i);
    require(!b.failed);
    dtx_buf_free(&b);
    dtx_tasklist_fini(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* the sanitizer's regexec looks for a NUL, whatever its flags say */
    char *copy = calloc(size + 1, 1);
    const char *p = copy + (size > 0), *middle, *end = copy + size;
    unsigned flags = size > 0 ? data[0] : 0;
    struct dtx_template *t = dtx_template_create();
    struct dtx_template_how how = {NULL, flags & 1, flags & 2};
    struct dtx_error err = {0, ""};
    char *colsep, *word[2];
    int rc;

    require(t && copy);
    if (size > 0)
        memcpy(copy, data, size);
    colsep = take_line(&p, end);
    word[0] = take_line(&p, end);
    word[1] = word[0];
    if (flags & 4 && strlen(colsep) < 20 && !strpbrk(colsep, "{*+?"))
        how.colsep = colsep;
    middle = p + (end - p) / 2;
    rc = dtx_template_lines(t, "f", p, (size_t)(middle - p), false, &err);
    if (rc == 0)
        rc = dtx_template_lines(t, "g", middle, (size_t)(end - middle),
                                flags & 8, &err);
    if (rc == 0)
        rc = dtx_template_compile(t, word, flags >> 4 & 1 ? 2 : 1, &how, &err);
    if (rc == 0)
        expand(t, word[0], how.colsep != NULL);
    else
        require(err.code == rc && err.text[0]);
    dtx_template_destroy(t);
    free(copy);
    free(colsep);
    free(word[0]);
    return 0;
}

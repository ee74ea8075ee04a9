/* SPDX-License-Identifier: MIT */
/* Fuzz target: the first byte sets the options, the first line is the column
 * separator, the second the command, the rest are the lines of two sources.
 * What comes out must be within its limits, and an error must say why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
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

static void expand(struct dtx_template *t)
{
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    uint32_t i, n = dtx_template_count(t);

    require(n <= DTX_MAX_TASKS);
    for (i = 0; i < n && i < 100; i++) {
        int rc = dtx_template_put(t, i, (uint64_t)i + 1, &b, &err);

        require(rc == 0 || (err.code == rc && err.text[0]));
        require(rc != 0 ||
                (b.len <= DTX_MAX_COMMAND &&
                 (b.len == 0 || !memchr(b.data, '\0', b.len))));
        dtx_buf_clear(&b);
    }
    dtx_buf_free(&b);
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
        expand(t);
    else
        require(err.code == rc && err.text[0]);
    dtx_template_destroy(t);
    free(copy);
    free(colsep);
    free(word[0]);
    return 0;
}

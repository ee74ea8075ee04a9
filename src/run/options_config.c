/* SPDX-License-Identifier: MIT */
/* The configuration file: where it is, and its lines.  It decides what is a
 * setting; what a value means is options_value.c's business. */
#include "run/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/near.h"
#include "run/options_row.h"
#include "task/show.h"

#define MAX_FILE (1u << 20)
#define MAX_VALUE 4096u

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Move both ends of the piece inwards over blanks. */
static void trim(const char **s, size_t *len)
{
    while (*len > 0 && is_blank(**s)) {
        (*s)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*s)[*len - 1]))
        (*len)--;
}

static int refuse_name(const char *place, const char *s, size_t len,
                       struct dtx_error *err)
{
    struct dtx_near near;
    struct dtx_show b;
    const struct dtx_option *table;
    size_t i, n;

    table = dtx_option_table(&n);
    dtx_near_init(&near, s, len);
    for (i = 0; i < n; i++) {
        if (table[i].name && table[i].kind != DTX_OPTION_HELP)
            dtx_near_offer(&near, table[i].name);
    }
    (void)dtx_show_text(&b, s, len);
    if (dtx_option_is_later(s, len))
        return dtx_error_set(err, DTX_EINVAL,
                             "%s: unknown option '%s': it is not in this "
                             "version; remove the line", place, b.text);
    if (len > 1 && dtx_option_foreign(s, len))
        return dtx_error_set(err, DTX_EINVAL,
                             "%s: '%s' is an option of GNU parallel that is "
                             "not here: %s", place, b.text,
                             dtx_option_foreign(s, len));
    if (near.best)
        return dtx_error_set(err, DTX_EINVAL,
                             "%s: unknown option '%s'; did you mean %s?",
                             place, b.text, near.best);
    return dtx_error_set(err, DTX_EINVAL,
                         "%s: unknown option '%s'; see 'distributex run "
                         "--help'", place, b.text);
}

/* One line without its end. */
static int read_line(const char *place, const char *s, size_t len,
                     dtx_config_f fn, void *ctx, struct dtx_error *err)
{
    const struct dtx_option *o;
    const char *equals, *v;
    char *label = NULL, value[MAX_VALUE];
    size_t nname, nvalue;
    int rc;

    trim(&s, &len);
    if (len == 0 || *s == '#')
        return 0;
    equals = memchr(s, '=', len);
    if (!equals || memchr(s, '\0', len))
        return dtx_error_set(err, DTX_EINVAL,
                             "%s: expected a line 'name = value'", place);
    v = equals + 1;
    nvalue = len - (size_t)(v - s);
    nname = (size_t)(equals - s);
    trim(&s, &nname);
    trim(&v, &nvalue);
    if (nvalue >= 2 && (*v == '"' || *v == '\'') && v[nvalue - 1] == *v) {
        v++;
        nvalue -= 2;
    }
    o = dtx_option_named(s, nname);
    if (!o || o->kind == DTX_OPTION_HELP)
        return refuse_name(place, s, nname, err);
    if (nvalue >= sizeof(value))
        return dtx_error_set(err, DTX_EINVAL,
                             "%s: %s: the value is longer than %u bytes",
                             place, o->name, MAX_VALUE - 1);
    memcpy(value, v, nvalue);
    value[nvalue] = '\0';
    if (asprintf(&label, "%s: %s", place, o->name) < 0)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = fn(ctx, o, label, value, err);
    free(label);
    return rc;
}

int dtx_config_each(const char *name, const char *text, size_t len,
                    dtx_config_f fn, void *ctx, struct dtx_error *err)
{
    const char *end = text + len;
    unsigned line = 0;
    int rc = 0;

    while (text < end && rc == 0) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        char *place = NULL;

        if (!stop)
            stop = end;
        if (asprintf(&place, "%s:%u", name ? name : "configuration", ++line) <
            0)
            return dtx_error_set(err, DTX_ENOMEM, "out of memory");
        rc = read_line(place, text, (size_t)(stop - text), fn, ctx, err);
        free(place);
        text = stop < end ? stop + 1 : end;
    }
    return rc;
}

/* The path of the file into 'name'; true when the user named it. What 'get'
 * gives is used before it is called again. */
static bool find_file(dtx_getenv_f get, void *ctx, struct dtx_buf *name)
{
    const char *value = get(ctx, "DTX_CONFIG");

    if (value && *value) {
        dtx_buf_str(name, value);
        return true;
    }
    value = get(ctx, "XDG_CONFIG_HOME");
    if (value && *value == '/') {
        dtx_buf_printf(name, "%s/distributex/config", value);
        return false;
    }
    value = get(ctx, "HOME");
    if (value && *value == '/')
        dtx_buf_printf(name, "%s/.config/distributex/config", value);
    return false;
}

/* All of 'f' into 'text'. */
static int read_all(FILE *f, const char *name, struct dtx_buf *text,
                    struct dtx_error *err)
{
    char piece[4096];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
        dtx_buf_append(text, piece, n);
        if (text->len > MAX_FILE)
            return dtx_error_set(err, DTX_ELIMIT,
                                 "%s is longer than %u bytes: not a "
                                 "configuration file", name, MAX_FILE);
    }
    if (ferror(f))
        return dtx_error_errno(err, "cannot read %s", name);
    if (text->failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    return 0;
}

int dtx_options_config(dtx_getenv_f get, void *ctx, struct dtx_buf *name,
                       struct dtx_buf *text, struct dtx_error *err)
{
    bool named;
    FILE *f;
    int rc;

    dtx_buf_clear(name);
    dtx_buf_clear(text);
    named = find_file(get, ctx, name);
    if (name->failed)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (name->len == 0)
        return 0;
    f = fopen(name->data, "re");
    if (!f && !named &&
        (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) {
        dtx_buf_clear(name);
        return 0;
    }
    if (!f)
        rc = dtx_error_errno(err, "cannot open %s", name->data);
    else
        rc = read_all(f, name->data, text, err);
    if (f)
        (void)fclose(f);
    return rc != 0 && named ? dtx_error_prefix(err, "environment variable "
                                                    "DTX_CONFIG: ")
                            : rc;
}

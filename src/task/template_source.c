/* SPDX-License-Identifier: MIT */
/* The sources of values of a template; see template.h.  Words and lines are
 * borrowed, not copied; what they mean is decided elsewhere. */
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "task/task.h"
#include "task/template.h"
#include "task/template_state.h"

static int no_memory(struct dtx_error *err)
{
    return dtx_error_set(err, DTX_ENOMEM, "out of memory");
}

static int add_source(struct dtx_template *t, bool linked, struct source **out,
                      struct dtx_error *err)
{
    struct source *p;

    if (t->nsources >= DTX_MAX_SOURCES)
        return dtx_error_set(err, DTX_ELIMIT,
                             "more than %u input sources", DTX_MAX_SOURCES);
    p = dtx_grow(t->source, &t->cap_sources, t->nsources + 1, sizeof(*p));
    if (!p)
        return no_memory(err);
    t->source = p;
    p += t->nsources++;
    memset(p, 0, sizeof(*p));
    p->linked = linked;
    p->split_at = UINT32_MAX;
    *out = p;
    return DTX_OK;
}

static int add_value(struct source *s, const char *text, size_t len)
{
    struct value *p;

    if (len > INT32_MAX || s->nvalues >= DTX_MAX_TASKS)
        return DTX_ELIMIT;
    p = dtx_grow(s->value, &s->cap_values, s->nvalues + 1, sizeof(*p));
    if (!p)
        return DTX_ENOMEM;
    s->value = p;
    p[s->nvalues].text = text;
    p[s->nvalues++].len = (uint32_t)len;
    return DTX_OK;
}

int dtx_template_words(struct dtx_template *t, char *const *word, size_t n,
                       bool linked, struct dtx_error *err)
{
    struct source *s;
    size_t i;
    int rc = add_source(t, linked, &s, err);

    for (i = 0; i < n && rc == DTX_OK; i++) {
        rc = add_value(s, word[i], strlen(word[i]));
        if (rc)
            (void)dtx_error_set(err, rc, "arguments: %s", dtx_strerror(rc));
    }
    return rc;
}

static int refuse_nul(const char *name, const char *data, const char *nul,
                      struct dtx_error *err)
{
    unsigned long line = 1;

    for (; data < nul; data++)
        line += *data == '\n';
    return dtx_error_set(err, DTX_EPARSE,
                         "%s:%lu: a NUL byte: arguments are lines of text; to "
                         "separate by lines: tr '\\0' '\\n' <%s",
                         name, line, name);
}

int dtx_template_lines(struct dtx_template *t, const char *name,
                       const char *data, size_t len, bool linked,
                       struct dtx_error *err)
{
    const char *p = data, *end = data + len;
    const char *nul = len > 0 ? memchr(data, '\0', len) : NULL;
    struct source *s;
    int rc;

    if (nul)
        return refuse_nul(name, data, nul, err);
    rc = add_source(t, linked, &s, err);
    while (p < end && rc == DTX_OK) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));

        if (!stop)
            stop = end;
        rc = add_value(s, p, (size_t)(stop - p));
        if (rc)
            (void)dtx_error_set(err, rc, "%s:%zu: %s: at most %u lines", name,
                                s->nvalues + 1, dtx_strerror(rc),
                                DTX_MAX_TASKS);
        p = stop < end ? stop + 1 : end;
    }
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* The task file, line by line or as a whole; see taskfile.h.  It decides what
 * a line is and adds its task; directives are directive.c's part, what
 * after= stands for after.c's, other programs' lines greasy.c's and
 * disbatch.c's.  It never reads a command beyond its ends:
 * quoting is the shell's business, or words.c's. */
#include "task/taskfile.h"

#include <stdlib.h>
#include <string.h>

#include "task/graph.h"
#include "task/parser.h"

#define MAX_FILE_NAME 240 /* bytes of it in a message */

/* Of a stream: what the new task waits for, and by what others can call it. */
static int link_live(struct dtx_taskparser *p, uint32_t name)
{
    const char *text = dtx_tasklist_pool(p->list, name);
    uint32_t line = p->line;
    int rc = DTX_OK;

    if (p->waits.len > 0) {
        p->line = p->waits_line;
        rc = dtx_after_live_now(&p->earlier, p->ntasks, text, p->waits.data,
                                p->waits.len, p->err);
        dtx_buf_clear(&p->waits);
        if (rc)
            return rc;
        p->line = line;
    }
    if (dtx_tasklist_waits(p->list, p->list->ntasks - 1,
                           p->earlier.nedges - p->counted))
        return dtx_parser_nomem(p);
    p->counted = p->earlier.nedges;
    if (text && dtx_after_live_name(&p->earlier, text, p->ntasks))
        return dtx_parser_nomem(p);
    return rc;
}

/* Where the tasks are, for those who name lines: a run is longer by one, or a
 * new one begins. */
static int note_line(struct dtx_taskparser *p)
{
    struct dtx_line_run *r = p->nruns > 0 ? &p->run[p->nruns - 1] : NULL;

    if (r && p->line - r->line == r->count && p->ntasks - r->task == r->count) {
        r->count++;
        return DTX_OK;
    }
    r = dtx_grow(p->run, &p->cap_runs, p->nruns + 1, sizeof(*r));
    if (!r)
        return dtx_parser_nomem(p);
    p->run = r;
    r[p->nruns++] = (struct dtx_line_run){p->line, p->ntasks, 1};
    return DTX_OK;
}

int dtx_parser_dialect(struct dtx_taskparser *p, enum dtx_dialect d)
{
    if (p->dialect != DTX_DIALECT_NONE && p->dialect != d)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "a file may not mix GREASY's [# #] or [@ @] and "
                             "#DISBATCH: line %lu has the other; write what "
                             "both need as #DTX",
                             (unsigned long)p->dialect_line);
    if (p->dialect == DTX_DIALECT_NONE)
        p->dialect_line = p->line;
    p->dialect = d;
    return DTX_OK;
}

int dtx_parser_add(struct dtx_taskparser *p, const char *s, size_t len)
{
    uint32_t attr = p->plain, name = DTX_NO_TEXT;
    int rc;

    if (len > DTX_MAX_COMMAND)
        return dtx_error_set(p->err, DTX_ELIMIT,
                             "a command of %zu bytes: the limit is %u; put it "
                             "into a script",
                             len, DTX_MAX_COMMAND);
    if (p->pending.line) {
        if (dtx_tasklist_attr(p->list, &p->pending.attr, &attr))
            return dtx_parser_nomem(p);
        name = p->pending.name;
        dtx_directive_forget(p);
    }
    rc = p->ntasks >= DTX_MAX_TASKS
             ? DTX_ELIMIT
             : dtx_tasklist_add(p->list, s, len, attr, p->line, name);
    if (rc == DTX_ELIMIT)
        return dtx_error_set(p->err, rc, "more than %u tasks: split the file",
                             DTX_MAX_TASKS);
    if (rc)
        return dtx_parser_nomem(p);
    p->list->task[p->list->ntasks - 1].index = p->index;
    if (p->live)
        rc = link_live(p, name);
    if (!rc && p->dialect != DTX_DIALECT_DISBATCH)
        rc = note_line(p);
    p->ntasks++;
    if (!rc && p->ntasks % DTX_STOP_EVERY == 0 && p->more && p->more->stop &&
        p->more->stop())
        return dtx_error_set(p->err, DTX_ESTATE,
                             "stopped while the list was read: nothing was "
                             "run");
    return rc;
}

/* Where the command ends: before its trailing blanks, but "\ " is a word. */
static const char *trim_end(const char *s, const char *end)
{
    const char *e = end, *b;

    while (e > s && dtx_is_blank(e[-1]))
        e--;
    for (b = e; b > s && b[-1] == '\\';)
        b--;
    return e < end && (e - b) % 2 == 1 ? e + 1 : e;
}

static int read_line(struct dtx_taskparser *p, const char *s, const char *end)
{
    int rc;

    if (p->line == 1 && end - s >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        s += 3; /* byte order mark */
    if (s < end && end[-1] == '\r')
        end--;
    while (s < end && dtx_is_blank(*s))
        s++;
    if (s == end)
        return DTX_OK;
    if (*s == '#')
        return dtx_disbatch_is(s, end) ? dtx_disbatch_read(p, s, end)
                                       : dtx_directive_read(p, s, end);
    if (dtx_greasy_is(s, end)) {
        rc = dtx_greasy_read(p, &s, end);
        if (rc)
            return rc;
    }
    end = trim_end(s, end);
    return p->dialect == DTX_DIALECT_DISBATCH
               ? dtx_disbatch_task(p, s, (size_t)(end - s))
               : dtx_parser_add(p, s, (size_t)(end - s));
}

static int next_line(struct dtx_taskparser *p, const char *s, const char *end)
{
    if (p->line == UINT32_MAX)
        return dtx_error_set(p->err, DTX_ELIMIT, "too many lines");
    p->line++;
    return read_line(p, s, end);
}

static int read_lines(struct dtx_taskparser *p, const char *s, const char *end)
{
    int rc = DTX_OK;

    while (s < end && !rc) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));

        rc = next_line(p, s, nl ? nl : end);
        s = nl ? nl + 1 : end;
    }
    return rc;
}

/* After the last line. */
static int finish(struct dtx_taskparser *p)
{
    if (p->pending.line) {
        p->line = p->pending.line;
        return dtx_error_set(p->err, DTX_EPARSE,
                             "this directive has no task after it");
    }
    if (p->live)
        return DTX_OK;
    return dtx_after_resolve(&p->after, p->list, p->graph, &p->line, p->err);
}

static bool is_utf16(const char *s, const char *end)
{
    return end - s >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 ||
                            memcmp(s, "\xfe\xff", 2) == 0);
}

static int fail_nul(struct dtx_taskparser *p, bool wide)
{
    return dtx_error_set(p->err, DTX_EPARSE, "the line holds a NUL byte; %s",
                         wide ? "the file is UTF-16: save it as UTF-8"
                              : "is this a text file?");
}

/* A NUL cannot be passed to a program; say where the first one is. */
static int refuse_nul(struct dtx_taskparser *p, const char *data,
                      const char *end)
{
    const char *nul = memchr(data, '\0', (size_t)(end - data));
    bool wide = is_utf16(data, end);

    if (!nul)
        return DTX_OK;
    p->line = 1;
    while ((data = memchr(data, '\n', (size_t)(nul - data))) != NULL) {
        p->line++;
        data++;
    }
    return fail_nul(p, wide);
}

/* Put the place before the message. */
static int add_place(const struct dtx_taskparser *p, int rc)
{
    const char *name = p->name;
    size_t len = strlen(name);
    bool cut = len > MAX_FILE_NAME;

    if (!rc)
        return rc;
    if (cut)
        name += len - MAX_FILE_NAME;
    if (p->line)
        (void)dtx_error_prefix(p->err, "%s%s:%lu: ", cut ? "..." : "", name,
                               (unsigned long)p->line);
    else
        (void)dtx_error_prefix(p->err, "%s%s: ", cut ? "..." : "", name);
    return rc;
}

static void begin(struct dtx_taskparser *p, const char *name,
                  struct dtx_tasklist *list, struct dtx_graph *graph)
{
    memset(p, 0, sizeof(*p));
    p->name = name;
    p->list = list;
    p->graph = graph;
    p->live = !graph;
    dtx_directive_forget(p);
}

static void fini(struct dtx_taskparser *p)
{
    dtx_after_fini(&p->after);
    dtx_after_live_fini(&p->earlier);
    dtx_buf_free(&p->waits);
    dtx_buf_free(&p->prefix);
    dtx_buf_free(&p->suffix);
    dtx_buf_free(&p->command);
    free(p->run);
}

/* ---- line by line ---- */

struct dtx_taskparser *dtx_taskparser_create(const char *name,
                                             struct dtx_tasklist *list)
{
    struct dtx_taskparser *p = malloc(sizeof(*p));
    char *copy = strdup(name);

    if (!p || !copy) {
        free(p);
        free(copy);
        return NULL;
    }
    begin(p, copy, list, NULL);
    p->owned = copy;
    return p;
}

void dtx_taskparser_destroy(struct dtx_taskparser *p)
{
    if (!p)
        return;
    fini(p);
    free(p->owned);
    free(p);
}

int dtx_taskparser_line(struct dtx_taskparser *p, const char *s, size_t len,
                        struct dtx_error *err)
{
    const char *end;
    int rc;

    if (len == 0)
        s = "";
    end = s + len;
    p->err = err;
    dtx_after_live_begin(&p->earlier);
    p->counted = 0;
    if (p->line == 0)
        p->wide = is_utf16(s, end);
    rc = next_line(p, s, end);
    if (memchr(s, '\0', len))
        rc = fail_nul(p, p->wide);
    return add_place(p, rc);
}

int dtx_taskparser_end(struct dtx_taskparser *p, struct dtx_error *err)
{
    p->err = err;
    dtx_after_live_begin(&p->earlier);
    p->counted = 0;
    return add_place(p, finish(p));
}

const struct dtx_edge *dtx_taskparser_edges(const struct dtx_taskparser *p,
                                            size_t *n)
{
    *n = p->earlier.nedges;
    return p->earlier.edge;
}

/* ---- the whole file ---- */

int dtx_taskfile_parse(const char *name, const char *data, size_t len,
                       struct dtx_tasklist *list, struct dtx_graph *graph,
                       struct dtx_error *err)
{
    struct dtx_taskfile_more more = {.greasy = false};
    int rc = dtx_taskfile_parse_more(name, data, len, list, graph, &more, err);

    dtx_buf_free(&more.setup);
    dtx_buf_free(&more.teardown);
    return rc;
}

int dtx_taskfile_parse_more(const char *name, const char *data, size_t len,
                            struct dtx_tasklist *list, struct dtx_graph *graph,
                            struct dtx_taskfile_more *more,
                            struct dtx_error *err)
{
    const char *s = len > 0 ? data : "";
    struct dtx_taskparser p = {.name = name, .err = err};
    int rc;

    dtx_graph_init(graph, 0);
    rc = dtx_tasklist_init(list);
    if (rc)
        return add_place(&p, dtx_parser_nomem(&p));
    begin(&p, name, list, graph);
    p.err = err;
    p.more = more;
    rc = dtx_tasklist_cpus(list, more->cpus) ? dtx_parser_nomem(&p) : DTX_OK;
    if (!rc)
        rc = refuse_nul(&p, s, s + len);
    if (!rc)
        rc = read_lines(&p, s, s + len);
    if (!rc)
        rc = finish(&p);
    more->greasy = p.dialect == DTX_DIALECT_GREASY;
    fini(&p);
    if (rc) {
        dtx_graph_fini(graph);
        dtx_tasklist_fini(list);
        return add_place(&p, rc);
    }
    dtx_tasklist_trim(list);
    return DTX_OK;
}

/* SPDX-License-Identifier: MIT */
/* disBatch's directives: #DISBATCH PREFIX, SUFFIX, REPEAT, BARRIER and
 * PERENGINE; see parser.h.
 * It decides which tasks they make and what those see in their
 * environment; what a barrier holds back is resolved by after.c. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "task/parser.h"

#define TAG "#DISBATCH"
#define MAX_INDEX (UINT32_MAX - 1)
#define LIVE_REPEATS 10000u /* of one line of a stream */

enum word { PREFIX, SUFFIX, REPEAT, BARRIER, PERENGINE, NWORDS };

static const char *const words[NWORDS] = {"PREFIX", "SUFFIX", "REPEAT",
                                          "BARRIER", "PERENGINE"};

/* A piece of a line. */
struct piece {
    const char *s, *end;
};

static const char *show(struct dtx_taskparser *p, struct piece w)
{
    return dtx_show_text(&p->shown, w.s, (size_t)(w.end - w.s));
}

static void skip_blanks(struct piece *line)
{
    while (line->s < line->end && dtx_is_blank(*line->s))
        line->s++;
}

/* The next word; empty at the end. */
static struct piece next_word(struct piece *line)
{
    struct piece w;

    skip_blanks(line);
    w.s = line->s;
    while (line->s < line->end && !dtx_is_blank(*line->s))
        line->s++;
    w.end = line->s;
    return w;
}

static bool is(struct piece w, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(w.end - w.s) == len && memcmp(w.s, text, len) == 0;
}

bool dtx_disbatch_is(const char *s, const char *end)
{
    const size_t len = sizeof(TAG) - 1;

    return (size_t)(end - s) >= len && strncasecmp(s, TAG, len) == 0 &&
           ((size_t)(end - s) == len || dtx_is_blank(s[len]));
}

/* ---- what the tasks see ---- */

/* Beside what all tasks see. */
static uint32_t intern_env(struct dtx_taskparser *p, const char *repeat)
{
    const char *all = dtx_tasklist_pool(p->list, p->list->attr[0].env);
    const char *slash = strrchr(p->name, '/'), *c;
    struct dtx_buf b = DTX_BUF_INIT;
    uint32_t off;

    dtx_buf_printf(&b, "DISBATCH_TASKID=%%z\nDISBATCH_REPEAT_INDEX=%s\n",
                   repeat);
    dtx_buf_str(&b, "DISBATCH_NAMETASKS=");
    for (c = slash ? slash + 1 : p->name; *c && b.len < DTX_MAX_ENV / 2; c++) {
        if (*c == '%')
            dtx_buf_char(&b, '%');
        dtx_buf_char(&b, *c == '\n' ? '_' : *c);
    }
    if (all)
        dtx_buf_printf(&b, "\n%s", all);
    off = b.failed ? DTX_NO_TEXT : dtx_tasklist_intern(p->list, b.data, b.len);
    dtx_buf_free(&b);
    return off;
}

/* Tasks see this: of a file all, those before as well; of a stream those that
 * come, since the others may have run and the journal has them as they are. */
static int show_env(struct dtx_taskparser *p, uint32_t env)
{
    struct dtx_task_attr plain = p->list->attr[0];
    size_t i;

    p->pending.attr.env = env;
    plain.env = env;
    if (p->live)
        return dtx_tasklist_attr(p->list, &plain, &p->plain);
    for (i = 0; i < p->list->nattrs; i++)
        p->list->attr[i].env = env;
    return DTX_OK;
}

/* The file is one of disBatch's. */
static int begin(struct dtx_taskparser *p)
{
    bool first = p->dialect == DTX_DIALECT_NONE;
    int rc = dtx_parser_dialect(p, DTX_DIALECT_DISBATCH);
    uint32_t env;

    if (rc || !first)
        return rc;
    env = intern_env(p, "-1");
    p->repeat_env = intern_env(p, "%i");
    if (env == DTX_NO_TEXT || p->repeat_env == DTX_NO_TEXT || show_env(p, env))
        return dtx_parser_nomem(p);
    return DTX_OK;
}

/* ---- tasks ---- */

int dtx_disbatch_task(struct dtx_taskparser *p, const char *s, size_t len)
{
    const char *text;
    size_t n;

    dtx_buf_clear(&p->command);
    dtx_buf_append(&p->command, p->prefix.data, p->prefix.len);
    dtx_buf_append(&p->command, s, len);
    dtx_buf_append(&p->command, p->suffix.data, p->suffix.len);
    if (p->command.failed)
        return dtx_parser_nomem(p);
    text = p->command.len > 0 ? p->command.data : "";
    n = p->command.len;
    while (n > 0 && dtx_is_blank(*text)) {
        text++;
        n--;
    }
    if (n == 0)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "REPEAT: there is no command; write it behind, or "
                             "give a PREFIX or SUFFIX before");
    return dtx_parser_add(p, text, n);
}

/* A whole number from lo to hi as the value of 'what'. */
static int read_number(struct dtx_taskparser *p, const char *what,
                       struct piece w, uint64_t lo, uint64_t hi, uint64_t *out)
{
    uint64_t a = 0, b = 0;

    if (!dtx_after_scan(w.s, w.end, &a, &b) || a != b || a < lo || a > hi ||
        memchr(w.s, '-', (size_t)(w.end - w.s)))
        return dtx_error_set(p->err, DTX_EPARSE,
                             "REPEAT: %s '%s' must be a whole number from %llu "
                             "to %llu",
                             what, show(p, w), (unsigned long long)lo,
                             (unsigned long long)hi);
    *out = a;
    return DTX_OK;
}

/* "start N" and "step N" in either order; what is neither begins the
 * command. */
static int read_steps(struct dtx_taskparser *p, struct piece *line,
                      uint64_t *start, uint64_t *step)
{
    int rc = DTX_OK;

    while (!rc) {
        struct piece rest = *line, w = next_word(&rest);

        if (is(w, "start"))
            rc = read_number(p, "start", next_word(&rest), 0, MAX_INDEX,
                             start);
        else if (is(w, "step"))
            rc = read_number(p, "step", next_word(&rest), 0, MAX_INDEX, step);
        else
            break;
        *line = rest;
    }
    skip_blanks(line);
    return rc;
}

/* The next task waits as the one before it: for the last 'n' references, or
 * in a stream for what was found there. */
static int wait_again(struct dtx_taskparser *p, size_t n)
{
    int rc = p->live ? dtx_after_live_again(&p->earlier, p->ntasks)
                     : dtx_after_again(&p->after, n, p->ntasks);

    return rc ? dtx_parser_nomem(p) : DTX_OK;
}

static int add_repeats(struct dtx_taskparser *p, struct piece command,
                       uint64_t count, uint64_t start, uint64_t step)
{
    struct dtx_pending said = p->pending;
    size_t nrefs = dtx_after_count(&p->after, p->ntasks);
    uint64_t i;
    int rc = DTX_OK;

    said.line = p->line;
    said.attr.env = p->repeat_env;
    for (i = 0; i < count && !rc; i++) {
        p->pending = said;
        p->index = (uint32_t)(start + i * step);
        if (i > 0)
            rc = wait_again(p, nrefs);
        if (!rc)
            rc = dtx_disbatch_task(p, command.s,
                                   (size_t)(command.end - command.s));
    }
    p->index = 0;
    return rc;
}

static int read_repeat(struct dtx_taskparser *p, struct piece line)
{
    uint64_t count = 0, start = 0, step = 1;
    int rc = read_number(p, "the count", next_word(&line), 1, DTX_MAX_TASKS,
                         &count);

    if (!rc)
        rc = read_steps(p, &line, &start, &step);
    if (rc)
        return rc;
    if (count > DTX_MAX_TASKS - p->ntasks)
        return dtx_error_set(p->err, DTX_ELIMIT,
                             "REPEAT %llu: more than %u tasks: split the file",
                             (unsigned long long)count, DTX_MAX_TASKS);
    if (step > 0 && count - 1 > (MAX_INDEX - start) / step)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "REPEAT %llu start %llu step %llu: the last index "
                             "is above %lu",
                             (unsigned long long)count,
                             (unsigned long long)start,
                             (unsigned long long)step,
                             (unsigned long)MAX_INDEX);
    if (p->live && count > LIVE_REPEATS)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "REPEAT %llu: a stream takes at most %u at once; "
                             "repeat it in parts, or use a file",
                             (unsigned long long)count, LIVE_REPEATS);
    while (line.end > line.s && dtx_is_blank(line.end[-1]))
        line.end--;
    return add_repeats(p, line, count, start, step);
}

/* ---- directives ---- */

static int set_text(struct dtx_taskparser *p, struct dtx_buf *b,
                    struct piece line)
{
    dtx_buf_clear(b);
    if (line.s < line.end) /* one blank parts it from its word */
        dtx_buf_append(b, line.s + 1, (size_t)(line.end - line.s - 1));
    return b->failed ? dtx_parser_nomem(p) : DTX_OK;
}

static int read_barrier(struct dtx_taskparser *p, struct piece line)
{
    struct piece w = next_word(&line);
    bool check = is(w, "CHECK");

    if (p->pending.line)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "BARRIER: it stands between a #DTX line and its "
                             "task; put it before that line");
    if (p->live)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "BARRIER: a stream cannot have one; put the tasks "
                             "into a file");
    return dtx_after_barrier(&p->after, p->ntasks, p->line, check)
               ? dtx_parser_nomem(p)
               : DTX_OK;
}

static int read_engine(struct dtx_taskparser *p, struct piece line)
{
    struct piece w = next_word(&line);
    bool start = is(w, "START");
    struct dtx_buf *b;

    if (!start && !is(w, "STOP"))
        return dtx_error_set(p->err, DTX_EPARSE,
                             "PERENGINE '%s': START or STOP and a command must "
                             "follow", show(p, w));
    if (p->live || !p->more)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "PERENGINE: a stream cannot have one; give the "
                             "command to --node-setup (START) or "
                             "--node-teardown (STOP)");
    if (start && p->ntasks > 0)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "PERENGINE START: it stands behind a task; put it "
                             "before the first one");
    skip_blanks(&line);
    while (line.end > line.s && dtx_is_blank(line.end[-1]))
        line.end--;
    if (line.s == line.end)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "PERENGINE %s: the command is missing",
                             start ? "START" : "STOP");
    b = start ? &p->more->setup : &p->more->teardown;
    if (b->len > 0)
        return dtx_error_set(p->err, DTX_EPARSE,
                             "PERENGINE %s: given twice; join the commands "
                             "with '&&'", start ? "START" : "STOP");
    dtx_buf_append(b, line.s, (size_t)(line.end - line.s));
    return b->failed ? dtx_parser_nomem(p) : DTX_OK;
}

static size_t common(const char *word, struct piece w)
{
    size_t n = 0, len = (size_t)(w.end - w.s);

    while (n < len && word[n] && (w.s[n] & ~0x20) == word[n])
        n++;
    return n;
}

static int fail_word(struct dtx_taskparser *p, struct piece w)
{
    const char *near = NULL;
    size_t best = 1;
    int i;

    for (i = 0; i < NWORDS; i++) {
        size_t n = common(words[i], w);

        if (n > best) {
            best = n;
            near = words[i];
        }
    }
    return dtx_error_set(p->err, DTX_EPARSE,
                         "#DISBATCH '%s': unknown%s%s%s; there are PREFIX, "
                         "SUFFIX, REPEAT, BARRIER, PERENGINE",
                         show(p, w), near ? ": did you mean " : "",
                         near ? near : "", near ? "?" : "");
}

int dtx_disbatch_read(struct dtx_taskparser *p, const char *s, const char *end)
{
    struct piece line = {s, end}, tag = next_word(&line), w;
    int rc = begin(p);

    if (rc)
        return rc;
    if (!is(tag, TAG))
        return dtx_error_set(p->err, DTX_EPARSE,
                             "'%s': a directive is written '" TAG " WORD', a "
                             "comment '# ...'",
                             show(p, tag));
    w = next_word(&line);
    if (is(w, words[PREFIX]))
        return set_text(p, &p->prefix, line);
    if (is(w, words[SUFFIX]))
        return set_text(p, &p->suffix, line);
    if (is(w, words[REPEAT]))
        return read_repeat(p, line);
    if (is(w, words[BARRIER]))
        return read_barrier(p, line);
    if (is(w, words[PERENGINE]))
        return read_engine(p, line);
    return fail_word(p, w);
}

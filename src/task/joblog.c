/* SPDX-License-Identifier: MIT */
/* A joblog read back; see joblog.h.  It decides which line tells of which task
 * and what it says; never what follows from that. */
#include "task/joblog.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "task/task.h"

#define COLUMNS 8 /* before the command */
#define HEAD "Seq\tHost\t"
#define MAX_SECONDS 9e9

/* Bytes of a line. */
struct piece {
    const char *data;
    size_t len;
};

/* A line taken apart. */
struct row {
    uint64_t seq;
    double start_s, wall_s;
    long long exit_code, sig;
    struct piece host, command;
};

struct reader {
    const char *name;
    const struct dtx_tasklist *l;
    struct dtx_outcome *out;
    struct dtx_joblog_counts *counts;
    bool by_number; /* the first of two passes */
    struct dtx_keymap first; /* command -> first task that may be told by it */
    struct dtx_keymap told;  /* command and number -> task */
    uint32_t *next;          /* further tasks with the same command */
};

/* ---- a line ---- */

/* A number that fills its column, blanks before it apart. */
static bool read_number(struct piece s, double lo, double hi, double *out)
{
    char text[40], *end;
    size_t skip = 0;

    while (skip < s.len && s.data[skip] == ' ')
        skip++;
    if (s.len == skip || s.len - skip >= sizeof(text))
        return false;
    memcpy(text, s.data + skip, s.len - skip);
    text[s.len - skip] = '\0';
    if (text[strspn(text, "0123456789.-")] != '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && *out >= lo && *out <= hi;
}

static bool read_whole(struct piece s, double lo, double hi, long long *out)
{
    double d;

    if (!read_number(s, lo, hi, &d) || memchr(s.data, '.', s.len))
        return false;
    *out = (long long)d;
    return true;
}

/* NULL, or what is wrong. */
static const char *take_apart(const char *line, size_t len, struct row *r)
{
    struct piece column[COLUMNS];
    const char *p = line, *end = line + len;
    long long seq;
    size_t i;

    for (i = 0; i < COLUMNS; i++) {
        const char *tab = memchr(p, '\t', (size_t)(end - p));

        if (!tab)
            return "there are fewer than nine columns, separated by tabs";
        column[i] = (struct piece){p, (size_t)(tab - p)};
        p = tab + 1;
    }
    r->host = column[1];
    r->command = (struct piece){p, (size_t)(end - p)};
    if (!read_whole(column[0], 1, 1e15, &seq))
        return "the first column, Seq, is not a number from 1";
    if (!read_number(column[2], 0, MAX_SECONDS, &r->start_s))
        return "the third column, Starttime, is not a time in seconds";
    if (!read_number(column[3], -MAX_SECONDS, MAX_SECONDS, &r->wall_s))
        return "the fourth column, JobRuntime, is not a time in seconds";
    if (!read_whole(column[6], -1, 255, &r->exit_code))
        return "the seventh column, Exitval, is not a number from -1 to 255";
    if (!read_whole(column[7], 0, 127, &r->sig))
        return "the eighth column, Signal, is not a number from 0 to 127";
    r->seq = (uint64_t)seq;
    return NULL;
}

/* ---- which task ---- */

/* Does the task of this number have this very command? */
static bool is_numbered(const struct reader *d,
                        const struct dtx_joblog_line *line)
{
    const struct dtx_task *t;

    if (line->seq > d->l->ntasks)
        return false;
    t = &d->l->task[line->seq - 1];
    return t->len == line->len &&
           memcmp(dtx_tasklist_text(d->l, t), line->command, t->len) == 0;
}

static int index_tasks(struct reader *d)
{
    uint32_t n = (uint32_t)d->l->ntasks, i;

    d->next = malloc(((size_t)n + 1) * sizeof(*d->next));
    if (!d->next)
        return DTX_ENOMEM;
    for (i = n; i-- > 0;) {
        const struct dtx_task *t = &d->l->task[i];
        struct dtx_key k = dtx_hash128(dtx_tasklist_text(d->l, t), t->len, 1);
        uint32_t behind;
        bool made;

        d->next[i] = DTX_NO_TASK;
        if (t->index)
            continue;
        if (!dtx_keymap_put(&d->first, k, i, &behind, &made))
            return DTX_ENOMEM;
        if (!made) {
            d->next[i] = behind;
            dtx_keymap_set(&d->first, k, i);
        }
    }
    return DTX_OK;
}

/* The task a line tells of, or DTX_NO_TASK. */
static int find_task(struct reader *d, const struct dtx_joblog_line *line,
                     uint32_t *task)
{
    struct dtx_key c = dtx_hash128(line->command, line->len, 1);
    uint64_t part[3] = {c.hi, c.lo, line->seq};
    struct dtx_key both = dtx_hash128(part, sizeof(part), 2);
    uint32_t i;

    *task = DTX_NO_TASK;
    if (is_numbered(d, line)) {
        *task = d->by_number ? (uint32_t)(line->seq - 1) : DTX_NO_TASK;
        return DTX_OK;
    }
    if (d->by_number || dtx_keymap_get(&d->told, both, task) ||
        !dtx_keymap_get(&d->first, c, &i))
        return DTX_OK;
    while (i != DTX_NO_TASK && d->out[i].status != DTX_STATUS_NONE)
        i = d->next[i];
    if (i == DTX_NO_TASK)
        return DTX_OK;
    dtx_keymap_set(&d->first, c, i); /* those before it are told of */
    *task = i;
    return dtx_keymap_put(&d->told, both, i, NULL, NULL) ? DTX_OK
                                                         : DTX_ENOMEM;
}

static void fill(struct dtx_outcome *o, const struct row *r)
{
    memset(o, 0, sizeof(*o));
    o->attempt = 1;
    o->source = DTX_SOURCE_JOBLOG;
    o->start_ns = (int64_t)(r->start_s * 1e6 + 0.5) * 1000;
    o->wall_ns = r->wall_s > 0 ? (int64_t)(r->wall_s * 1e6 + 0.5) * 1000 : 0;
    o->signal = (int32_t)r->sig;
    o->exit_code = r->exit_code > 0 && r->sig == 0 ? (int32_t)r->exit_code : 0;
    if (r->exit_code < 0)
        o->status = DTX_STATUS_TIMEOUT; /* as GNU parallel and we write it */
    else if (r->sig)
        o->status = DTX_STATUS_SIGNALED;
    else
        o->status = r->exit_code ? DTX_STATUS_FAILED : DTX_STATUS_OK;
}

/* ---- the whole ---- */

/* GNU parallel writes a newline in a command as a NUL. */
static bool put_command(struct dtx_buf *b, const struct row *r)
{
    size_t i;

    dtx_buf_clear(b);
    dtx_buf_append(b, r->command.data, r->command.len);
    for (i = 0; i < b->len && !b->failed; i++) {
        if (b->data[i] == '\0')
            b->data[i] = '\n';
    }
    return !b->failed && dtx_buf_reserve(b, 1);
}

/* One line, which may be the last and have been cut off. Does it tell of a
 * task? */
static int read_line(const char *line, size_t len, bool cut, struct row *r,
                     bool *tells, const char **wrong)
{
    *tells = false;
    if (len == 0 || (len >= strlen(HEAD) &&
                     memcmp(line, HEAD, strlen(HEAD)) == 0))
        return DTX_OK;
    *wrong = take_apart(line, len, r);
    *tells = !*wrong;
    return *wrong && !cut ? DTX_EPARSE : DTX_OK;
}

int dtx_joblog_each(const char *name, const char *text, size_t len,
                    dtx_joblog_line_f fn, void *ctx, struct dtx_error *err)
{
    const char *p = text, *end = text + len, *wrong = NULL;
    struct dtx_buf command = DTX_BUF_INIT;
    unsigned long long line = 0;
    int rc = DTX_OK;

    while (p < end && rc == DTX_OK) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);
        struct dtx_joblog_line l;
        struct row r;
        bool tells;

        line++;
        rc = read_line(p, n, !nl, &r, &tells, &wrong);
        if (rc != DTX_OK) {
            rc = dtx_error_set(err, rc, "%s:%llu: %s: is it a joblog?", name,
                               line, wrong);
        } else if (tells && !put_command(&command, &r)) {
            rc = dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", name);
        } else if (tells) {
            l = (struct dtx_joblog_line){.seq = r.seq,
                                         .command = command.data,
                                         .len = command.len,
                                         .host = r.host.data,
                                         .host_len = r.host.len};
            fill(&l.outcome, &r);
            l.outcome.task = (uint32_t)(r.seq - 1);
            rc = fn(ctx, &l, err);
        }
        p = nl ? nl + 1 : end;
    }
    dtx_buf_free(&command);
    return rc;
}

/* A line in the pass by number, or in the one by command over the rest. */
static int take_line(void *ctx, const struct dtx_joblog_line *line,
                     struct dtx_error *err)
{
    struct reader *d = ctx;
    uint32_t task;

    if (find_task(d, line, &task))
        return dtx_error_set(err, DTX_ENOMEM, "%s: out of memory", d->name);
    d->counts->lines += d->by_number;
    if (task != DTX_NO_TASK) {
        d->out[task] = line->outcome;
        d->out[task].task = task;
    } else if (!d->by_number && !is_numbered(d, line)) {
        d->counts->foreign++;
    }
    return DTX_OK;
}

int dtx_joblog_read(const char *name, const char *text, size_t len,
                    const struct dtx_tasklist *l, struct dtx_outcome *out,
                    struct dtx_joblog_counts *counts, struct dtx_error *err)
{
    struct reader d = {.name = name, .l = l, .out = out, .counts = counts,
                       .by_number = true};
    int rc;

    memset(counts, 0, sizeof(*counts));
    if (l->ntasks > 0)
        memset(out, 0, l->ntasks * sizeof(*out));
    rc = index_tasks(&d);
    if (rc != DTX_OK)
        (void)dtx_error_set(err, rc, "%s: out of memory", name);
    if (rc == DTX_OK)
        rc = dtx_joblog_each(name, text, len, take_line, &d, err);
    d.by_number = false;
    if (rc == DTX_OK)
        rc = dtx_joblog_each(name, text, len, take_line, &d, err);
    dtx_keymap_free(&d.first);
    dtx_keymap_free(&d.told);
    free(d.next);
    return rc;
}

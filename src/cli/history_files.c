/* SPDX-License-Identifier: MIT */
/* "distributex history list, show, merge, prune": what is in the directory, and
 * keeping it small. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/units.h"
#include "cli/cmd.h"
#include "cli/history.h"
#include "cli/history_kernels.h"
#include "cli/history_usage.h"
#include "cli/traits.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "predict/review.h"
#include "run/status.h"
#include "wire/experience.h"

/* ---- list ---- */

struct listing {
    struct dtx_buf *out;
    bool json;
    size_t n;
    uint64_t outcomes, bytes;
};

static int list_one(void *ctx, const struct dtx_history_file *f,
                    struct dtx_error *err)
{
    struct listing *l = ctx;
    time_t t = (time_t)(f->made_ns / DTX_SEC_NS);
    struct tm tm;
    char when[32] = "?";

    (void)err;
    if (gmtime_r(&t, &tm))
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (l->json) {
        dtx_buf_printf(l->out, "%s\n {\"id\": \"%s\", \"made\": \"%s\", "
                       "\"outcomes\": %llu, \"classes\": %llu, \"bytes\": "
                       "%llu, \"open\": %s, \"what\": ", l->n ? "," : "",
                       f->id, when, (unsigned long long)f->outcomes,
                       (unsigned long long)f->classes,
                       (unsigned long long)f->bytes,
                       f->open ? "true" : "false");
        dtx_cli_json_text(l->out, f->what);
        dtx_buf_char(l->out, '}');
    } else {
        dtx_buf_printf(l->out, "%s  %9llu %s  %5llu %s  %9llu B  %s%s\n"
                       "    %s\n", when, (unsigned long long)f->outcomes,
                       f->outcomes == 1 ? "outcome " : "outcomes",
                       (unsigned long long)f->classes,
                       f->classes == 1 ? "class  " : "classes",
                       (unsigned long long)f->bytes, f->id,
                       f->open ? " (still running, or killed)" : "", f->what);
    }
    l->n++;
    l->outcomes += f->outcomes;
    l->bytes += f->bytes;
    return DTX_OK;
}

static int finish(int rc, struct dtx_buf *dir, struct dtx_buf *out,
                  const struct dtx_error *err)
{
    dtx_buf_free(dir);
    if (rc == DTX_OK)
        return dtx_cmd_print(out);
    dtx_buf_free(out);
    return dtx_cmd_fail(DTX_CMD_FAILED, err);
}

/* The directory of a command that takes no other word. */
static int dir_of(const struct dtx_cli_words *w, const char *what,
                  struct dtx_buf *dir, struct dtx_error *err)
{
    bool none = false;
    int rc = dtx_cli_history_dir(w, dir, &none, err);

    if (rc == DTX_OK && none)
        rc = dtx_error_set(err, DTX_EINVAL, "history %s: there is no history: "
                           "say --history DIR", what);
    return rc;
}

int dtx_history_cmd_list(const struct dtx_cli_words *w)
{
    struct dtx_buf dir = DTX_BUF_INIT, out = DTX_BUF_INIT;
    struct listing l = {&out, dtx_cli_option(w, "json") != NULL, 0, 0, 0};
    struct dtx_error err = {0, ""};
    int rc;

    if (w->nwords > 0)
        return dtx_cmd_usage("history list: it takes no word; say --history "
                             "DIR");
    rc = dir_of(w, "list", &dir, &err);
    if (l.json)
        dtx_buf_char(&out, '[');
    if (rc == DTX_OK) {
        dtx_cli_history_look(dir.data);
        rc = dtx_history_each(dir.data, list_one, &l, dtx_cli_history_warn,
                              NULL, &err);
    }
    if (l.json)
        dtx_buf_str(&out, "]\n");
    else if (rc == DTX_OK)
        dtx_buf_printf(&out, "%zu file%s, %llu outcome%s, %llu bytes in %s\n",
                       l.n, dtx_plural(l.n), (unsigned long long)l.outcomes,
                       dtx_plural(l.outcomes),
                       (unsigned long long)l.bytes, dir.data);
    return finish(rc, &dir, &out, &err);
}

/* ---- show ---- */

struct showing {
    struct dtx_buf *out;
    const char *pattern; /* part of the name, or NULL */
    bool json;
    size_t n;
    struct dtx_history_names others; /* that lack the pattern */
    struct dtx_history_usage usage;
};

/* What was never measured is not there. */
static void used_json(struct showing *s, uint64_t class_key)
{
    const struct dtx_usage *used = dtx_history_usage_of(&s->usage, class_key);
    size_t i;
    double v;

    for (i = 0; used && i < DTX_CLI_TRAITS; i++) {
        const struct dtx_cli_trait *t = &dtx_cli_traits[i];

        if (dtx_usage_get(used, t->trait, &v))
            dtx_buf_printf(s->out, ", \"%s\": %.*g", t->json,
                           t->trait == DTX_USAGE_PEAK ? 15 : 6, v);
    }
}

static void show_json(struct showing *s, const struct dtx_class_review *r)
{
    size_t i;

    dtx_buf_str(s->out, s->n ? ",\n {\"class\": " : "\n {\"class\": ");
    dtx_cli_json_text(s->out, r->name);
    dtx_buf_printf(s->out, ", \"n\": %llu, \"median\": %.6g, \"low\": %.6g, "
                   "\"high\": %.6g, \"experts\": {", (unsigned long long)r->n,
                   r->median, r->low, r->high);
    for (i = 0; i < r->nexperts; i++)
        dtx_buf_printf(s->out, "%s\"%s\": %.4f", i ? ", " : "",
                       r->expert[i].name, r->expert[i].error);
    dtx_buf_char(s->out, '}');
    used_json(s, r->key);
    dtx_buf_char(s->out, '}');
}

static void put_used(struct showing *s, uint64_t class_key)
{
    const struct dtx_usage *used = dtx_history_usage_of(&s->usage, class_key);
    size_t i;
    double v;

    for (i = 0; i < DTX_CLI_TRAITS; i++) {
        const struct dtx_cli_trait *t = &dtx_cli_traits[i];

        if (used && dtx_usage_get(used, t->trait, &v))
            dtx_cli_trait_put(s->out, t, v, t->width);
        else
            dtx_buf_printf(s->out, "%*s", t->width, "-");
        dtx_buf_str(s->out, "  ");
    }
}

static void show_one(void *ctx, const struct dtx_class_review *r)
{
    struct showing *s = ctx;
    size_t i, best = 0;

    if (s->pattern && !strstr(r->name, s->pattern)) {
        dtx_history_name(&s->others, r->name);
        return;
    }
    if (s->json) {
        show_json(s, r);
        s->n++;
        return;
    }
    for (i = 1; i < r->nexperts; i++) {
        if (r->expert[i].error < r->expert[best].error)
            best = i;
    }
    dtx_buf_printf(s->out, "%9llu  %10.4g s  (%.4g to %.4g)  ",
                   (unsigned long long)r->n, r->median, r->low, r->high);
    if (r->nexperts)
        dtx_buf_printf(s->out, "%-8s %5.1f%%  ", r->expert[best].name,
                       100 * r->expert[best].error);
    else
        dtx_buf_printf(s->out, "%-8s %6s  ", "-", "-");
    put_used(s, r->key);
    dtx_buf_printf(s->out, "%s\n", r->name);
    s->n++;
}

static void put_titles(struct dtx_buf *b)
{
    size_t i;

    dtx_buf_printf(b, "%9s  %12s  %-20s  %-8s %6s  ", "outcomes", "median",
                   "(nine of ten)", "best", "error");
    for (i = 0; i < DTX_CLI_TRAITS; i++)
        dtx_buf_printf(b, "%*s  ", dtx_cli_traits[i].width,
                       dtx_cli_traits[i].title);
    dtx_buf_str(b, "class\n");
}

/* All that was asked for, below its head. */
static int show_all(struct showing *s, const char *dir,
                    const struct dtx_predictor *p, struct dtx_error *err)
{
    int rc;

    if (s->json)
        dtx_buf_char(s->out, '[');
    else
        put_titles(s->out);
    dtx_predictor_review(p, show_one, s);
    rc = dtx_kernels_show(dir, s->pattern, s->json, &s->n, s->out, &s->others,
                          err);
    if (s->json)
        dtx_buf_str(s->out, "]\n");
    return rc;
}

/* Nothing was shown: an error where something was asked for. */
static int say_nothing(struct showing *s, const char *dir,
                       struct dtx_error *err)
{
    struct dtx_history_names *o = &s->others;
    char more[48] = "";

    if (!s->pattern) {
        if (!s->json)
            dtx_buf_clear(s->out);
        dtx_cli_history_warn(NULL, "history show: nothing is known yet: "
                             "'distributex run --history' and 'distributex "
                             "history import' add to a history");
        return DTX_OK;
    }
    if (o->n > DTX_HISTORY_NAMES)
        (void)snprintf(more, sizeof(more), " and %zu more",
                       o->n - DTX_HISTORY_NAMES);
    return dtx_error_set(err, DTX_ENOENT,
                         "history show: no class in %.200s has '%.60s' in its "
                         "name; %s%.300s%s", dir, s->pattern,
                         o->n == 0 ? "it knows none yet" : "there are: ",
                         o->n == 0 || o->text.failed ? "" : o->text.data,
                         more);
}

int dtx_history_cmd_show(const struct dtx_cli_words *w)
{
    struct dtx_buf dir = DTX_BUF_INIT, out = DTX_BUF_INIT;
    struct showing s = {.out = &out,
                        .pattern = w->nwords ? w->word[0] : NULL,
                        .json = dtx_cli_option(w, "json") != NULL};
    struct dtx_predictor *p = NULL;
    struct dtx_error err = {0, ""};
    int rc;

    if (w->nwords > 1)
        return dtx_cmd_usage("history show: at most one word, a part of the "
                             "classes' names");
    if (s.pattern && dtx_kernels_refuse(s.pattern, "show", &err))
        return dtx_cmd_fail(DTX_CMD_FAILED, &err);
    rc = dir_of(w, "show", &dir, &err);
    if (rc == DTX_OK) {
        p = dtx_predictor_create(0);
        rc = p ? dtx_cli_history_load(dir.data, p, &err)
               : dtx_error_set(&err, DTX_ENOMEM, "out of memory");
    }
    if (rc == DTX_OK)
        rc = dtx_history_usage_read(&s.usage, dir.data, &err);
    if (rc == DTX_OK)
        rc = show_all(&s, dir.data, p, &err);
    if (rc == DTX_OK && s.n == 0)
        rc = say_nothing(&s, dir.data, &err);
    dtx_predictor_destroy(p);
    dtx_history_usage_free(&s.usage);
    dtx_buf_free(&s.others.text);
    return finish(rc, &dir, &out, &err);
}

/* ---- merge ---- */

struct merging {
    char (*id)[DTX_HISTORY_ID];
    size_t n, cap;
    struct dtx_predictor *p;
    struct dtx_experience all;
};

/* A job that has not ended goes on writing its file: left alone. */
static int add_file(void *ctx, const struct dtx_history_file *f,
                    const struct dtx_experience *e, struct dtx_error *err)
{
    struct merging *m = ctx;
    char(*p)[DTX_HISTORY_ID] = dtx_grow(m->id, &m->cap, m->n + 1, sizeof(*p));
    size_t i;
    int rc;

    if (f->open)
        return DTX_OK;
    if (!p)
        return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    m->id = p;
    memcpy(p[m->n++], f->id, sizeof(*p));
    rc = dtx_predictor_load(m->p, e, NULL);
    for (i = 0; rc == DTX_OK && i < e->nloops; i++)
        rc = dtx_experience_loop(&m->all, &e->loop[i]);
    for (i = 0; rc == DTX_OK && i < e->noutcomes; i++) {
        struct dtx_exp_outcome o = e->outcome[i];
        const char *host = o.host < e->nhosts ? e->host[o.host].name : "";

        o.host = dtx_experience_host(&m->all, host,
                                     strnlen(host, DTX_EXP_HOST_NAME - 1));
        rc = o.host == UINT32_MAX ? DTX_ENOMEM
                                  : dtx_experience_outcome(&m->all, &o);
    }
    return rc == DTX_OK ? rc
                        : dtx_error_set(err, rc, "history: out of memory");
}

/* One file of all that were read. */
static int write_merged(const char *dir, struct merging *m,
                        struct dtx_error *err)
{
    struct dtx_history_file f;
    struct dtx_key k = dtx_hash128(m->id, m->n * sizeof(*m->id), 7);
    int rc = dtx_predictor_save(m->p, &m->all);

    if (rc != DTX_OK)
        return dtx_error_set(err, rc, "history: out of memory");
    memset(&f, 0, sizeof(f));
    dtx_history_id(k.hi, k.lo, f.id);
    (void)snprintf(f.what, sizeof(f.what), "%zu files merged", m->n);
    f.made_ns = dtx_cli_now_ns();
    return dtx_history_compact(dir, &f, &m->all,
                               (const char(*)[DTX_HISTORY_ID])m->id, m->n,
                               err);
}

int dtx_cli_history_merge(const char *dir, size_t *files,
                          struct dtx_error *err)
{
    struct merging m;
    int rc;

    memset(&m, 0, sizeof(m));
    m.p = dtx_predictor_create(0);
    if (m.p)
        rc = dtx_history_read(dir, DTX_HISTORY_MODELS | DTX_HISTORY_OUTCOMES,
                              add_file, &m, dtx_cli_history_warn, NULL, err);
    else
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == DTX_OK && m.n > 1)
        rc = write_merged(dir, &m, err);
    *files = m.n;
    free(m.id);
    dtx_predictor_destroy(m.p);
    dtx_experience_free(&m.all);
    return rc;
}

int dtx_history_cmd_merge(const struct dtx_cli_words *w)
{
    struct dtx_buf dir = DTX_BUF_INIT, out = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    size_t files = 0;
    int rc;

    if (w->nwords > 0)
        return dtx_cmd_usage("history merge: it takes no word; say --history "
                             "DIR");
    rc = dir_of(w, "merge", &dir, &err);
    if (rc == DTX_OK)
        rc = dtx_cli_history_merge(dir.data, &files, &err);
    if (rc == DTX_OK && files > 1)
        dtx_buf_printf(&out, "merged %zu files in %s into one\n", files,
                       dir.data);
    else if (rc == DTX_OK)
        dtx_buf_printf(&out, "nothing to merge in %s\n", dir.data);
    return finish(rc, &dir, &out, &err);
}

/* ---- prune ---- */

struct pruning {
    const char *dir;
    int64_t before_ns;
    bool open; /* those of jobs that have not ended */
    size_t n;
};

static int prune_one(void *ctx, const struct dtx_history_file *f,
                     struct dtx_error *err)
{
    struct pruning *p = ctx;
    int rc;

    if (f->made_ns >= p->before_ns || (p->open && !f->open))
        return DTX_OK;
    rc = dtx_history_remove(p->dir, f->id, err);
    p->n += rc == DTX_OK;
    return rc == DTX_ENOENT ? DTX_OK : rc;
}

int dtx_history_cmd_prune(const struct dtx_cli_words *w)
{
    struct dtx_buf dir = DTX_BUF_INIT, out = DTX_BUF_INIT;
    const char *older = dtx_cli_option(w, "older");
    struct pruning p = {NULL, 0, dtx_cli_option(w, "open") != NULL, 0};
    struct dtx_error err = {0, ""};
    int64_t age = 0;
    int rc;

    if (w->nwords > 0 || (!older && !p.open))
        return dtx_cmd_usage("history prune: how old may files be? "
                             "distributex history prune --older 90d, or "
                             "--open for those of killed jobs");
    if (older && dtx_parse_duration(older, &age) != 0)
        return dtx_cmd_usage("history prune: --older needs a time such as 90d, "
                             "not %.60s", older);
    rc = dir_of(w, "prune", &dir, &err);
    p.before_ns = dtx_cli_now_ns() - age;
    p.dir = dir.data;
    if (rc == DTX_OK)
        rc = dtx_history_each(dir.data, prune_one, &p, dtx_cli_history_warn,
                              NULL, &err);
    dtx_buf_printf(&out, "removed %zu file%s\n", p.n, p.n == 1 ? "" : "s");
    return finish(rc, &dir, &out, &err);
}

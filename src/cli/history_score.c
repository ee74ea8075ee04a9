/* SPDX-License-Identifier: MIT */
/* "distributex history score" and "import": replay a log in its order, predict,
 * compare, learn.  Score keeps nothing; import writes one file. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "cli/cmd.h"
#include "cli/history.h"
#include "cli/history_kernels.h"
#include "cli/told.h"
#include "predict/features.h"
#include "predict/memory.h"
#include "predict/predictor.h"
#include "predict/score.h"
#include "predict/sizes.h"
#include "run/learn.h"
#include "run/status.h"
#include "store/rundir.h"
#include "wire/experience.h"

/* What a log is replayed into. */
struct replay {
    struct dtx_predictor *p;
    struct dtx_score *score;      /* or NULL */
    struct dtx_experience *keep;  /* or NULL */
    struct dtx_sizes *sizes;      /* or NULL */
    struct dtx_error *err;
};

/* ---- one outcome ---- */

static int replay_one(void *ctx, const struct dtx_told *t)
{
    struct replay *r = ctx;
    struct dtx_prediction said;
    struct dtx_features f;
    double seconds = (double)t->outcome->wall_ns / 1e9;
    bool ok = t->outcome->status == DTX_STATUS_OK;
    int rc;

    dtx_features_of(t->command, t->len, t->host,
                    r->sizes ? dtx_sizes_of : NULL, r->sizes, &f);
    rc = dtx_predictor_replay(r->p, &f, seconds, !ok, &said);
    if (rc == DTX_OK && r->score && ok)
        rc = dtx_score_add(r->score, &f, &said, seconds);
    if (rc == DTX_OK && r->keep)
        rc = dtx_learn_keep(r->keep, t->outcome, t->host, &f);
    if (rc == DTX_OK && r->sizes)
        rc = dtx_sizes_done(r->sizes, t->seq);
    if (rc != DTX_OK)
        return dtx_error_set(r->err, rc, "out of memory");
    return DTX_OK;
}

/* ---- score ---- */

static int before(void *ctx, const struct dtx_history_file *f,
                  const struct dtx_experience *e, struct dtx_error *err)
{
    struct replay *r = ctx;
    size_t i;

    (void)f;
    if (dtx_predictor_load(r->p, e, NULL) != DTX_OK)
        return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    for (i = 0; i < e->noutcomes; i++) {
        const struct dtx_exp_outcome *o = &e->outcome[i];

        if (o->status == DTX_STATUS_OK && o->seconds >= 0 &&
            dtx_score_before(r->score, o->class_key, o->program_key,
                             (double)o->seconds) != DTX_OK)
            return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    }
    return DTX_OK;
}

static void put_row_json(struct dtx_buf *b, const struct dtx_score_row *s)
{
    dtx_buf_printf(b, "\"n\": %llu, \"wape\": %.6f, \"mdape\": %.6f, "
                   "\"coverage\": %.6f", (unsigned long long)s->n, s->wape,
                   s->mdape, s->coverage);
}

static void put_json(struct dtx_buf *b, const struct dtx_score *score)
{
    struct dtx_score_row s;
    size_t i;

    dtx_score_total(score, &s);
    dtx_buf_str(b, "{\"total\": {");
    put_row_json(b, &s);
    dtx_buf_printf(b, "},\n \"baselines\": {\"program_median\": {\"wape\": "
                   "%.6f}, \"class_median\": {\"wape\": %.6f}},\n"
                   " \"classes\": [", s.program_wape, s.class_wape);
    for (i = 0; i < dtx_score_classes(score); i++) {
        dtx_score_class(score, i, &s);
        dtx_buf_str(b, i ? ",\n  {\"class\": " : "\n  {\"class\": ");
        dtx_cli_json_text(b, s.name);
        dtx_buf_printf(b, ", \"seconds\": %.6f, ", s.seconds);
        put_row_json(b, &s);
        dtx_buf_printf(b, ", \"program_median\": {\"wape\": %.6f}, "
                       "\"class_median\": {\"wape\": %.6f}}", s.program_wape,
                       s.class_wape);
    }
    dtx_buf_str(b, "]}\n");
}

static void put_row_text(struct dtx_buf *b, const struct dtx_score_row *s)
{
    dtx_buf_printf(b, "%8llu %12.1f %8.1f%% %8.1f%% %8.1f%% %9.1f%% %8.1f%%  "
                   "%s\n", (unsigned long long)s->n, s->seconds,
                   100 * s->wape, 100 * s->mdape, 100 * s->coverage,
                   100 * s->program_wape, 100 * s->class_wape, s->name);
}

static void put_text(struct dtx_buf *b, const struct dtx_score *score)
{
    struct dtx_score_row s;
    size_t i;

    dtx_buf_printf(b, "%8s %12s %9s %9s %9s %10s %9s\n", "n", "seconds",
                   "WAPE", "MdAPE", "covered", "by program", "by class");
    for (i = 0; i < dtx_score_classes(score); i++) {
        dtx_score_class(score, i, &s);
        put_row_text(b, &s);
    }
    dtx_score_total(score, &s);
    put_row_text(b, &s);
}

static int score_into(const struct dtx_cli_words *w, struct replay *r,
                      struct dtx_buf *out)
{
    struct dtx_buf dir = DTX_BUF_INIT;
    bool none = true;
    int rc = DTX_OK;

    if (dtx_cli_option(w, "history")) /* only when it is asked for */
        rc = dtx_cli_history_dir(w, &dir, &none, r->err);
    if (rc == DTX_OK && !none)
        rc = dtx_history_read(dir.data,
                              DTX_HISTORY_MODELS | DTX_HISTORY_OUTCOMES,
                              before, r, dtx_cli_history_warn, NULL, r->err);
    dtx_buf_free(&dir);
    if (rc == DTX_OK)
        r->sizes = dtx_cli_sizes(w, &rc, r->err);
    if (rc == DTX_OK)
        rc = dtx_told_each(w->word[0], replay_one, r, r->err);
    if (rc == DTX_OK && dtx_cli_option(w, "json"))
        put_json(out, r->score);
    else if (rc == DTX_OK)
        put_text(out, r->score);
    return rc;
}

static void replay_free(struct replay *r)
{
    dtx_predictor_destroy(r->p);
    dtx_score_destroy(r->score);
    dtx_sizes_destroy(r->sizes);
}

int dtx_history_cmd_score(const struct dtx_cli_words *w)
{
    struct dtx_error err = {0, ""};
    struct dtx_buf out = DTX_BUF_INIT;
    struct replay r = {.err = &err};
    int rc;

    if (w->nwords != 1)
        return dtx_cmd_usage("history score: one joblog or run directory: "
                             "distributex history score JOBLOG");
    if (dtx_kernels_refuse(w->word[0], "score", &err))
        return dtx_cmd_fail(DTX_CMD_FAILED, &err);
    r.p = dtx_predictor_create(0);
    r.score = dtx_score_create();
    if (r.p && r.score)
        rc = score_into(w, &r, &out);
    else
        rc = dtx_error_set(&err, DTX_ENOMEM, "out of memory");
    replay_free(&r);
    if (rc == DTX_OK)
        return dtx_cmd_print(&out);
    dtx_buf_free(&out);
    return dtx_cmd_fail(DTX_CMD_FAILED, &err);
}

/* ---- import ---- */

static int write_import(const char *dir, const char *path, const char *id,
                        struct replay *r, struct dtx_buf *out)
{
    struct dtx_history_file f;
    int rc;

    memset(&f, 0, sizeof(f));
    memcpy(f.id, id, sizeof(f.id));
    (void)memccpy(f.what, path, '\0', sizeof(f.what) - 1);
    f.made_ns = dtx_cli_now_ns();
    rc = dtx_predictor_save(r->p, r->keep);
    if (rc != DTX_OK)
        return dtx_error_set(r->err, rc, "out of memory");
    rc = dtx_history_write(dir, &f, r->keep, r->err);
    if (rc == DTX_OK)
        dtx_buf_printf(out, "%s: %zu outcomes", path, r->keep->noutcomes);
    if (rc == DTX_OK && r->keep->nloops > 0)
        dtx_buf_printf(out, ", %zu loop%s", r->keep->nloops,
                       r->keep->nloops == 1 ? "" : "s");
    dtx_buf_str(out, rc == DTX_OK ? "\n" : "");
    return rc;
}

/* One log becomes one file; the same log again changes nothing.  A run
 * directory takes the place of what its job has written, which may have been
 * killed before it wrote all; what a program has learned that of what it had
 * learned before. */
static int import(const char *dir, const char *path, struct dtx_sizes *sizes,
                  struct dtx_buf *out, struct dtx_error *err)
{
    struct dtx_experience keep;
    struct replay r = {.keep = &keep, .err = err};
    char id[DTX_HISTORY_ID];
    bool kernels = dtx_kernels_is_file(path);
    int rc = kernels ? dtx_kernels_id(path, id, err)
                     : dtx_told_id(path, id, err);

    memset(&keep, 0, sizeof(keep));
    if (rc == DTX_OK && !kernels && !dtx_told_is_run(path) &&
        dtx_history_has(dir, id)) {
        dtx_buf_printf(out, "%s: was imported before\n", path);
        return DTX_OK;
    }
    if (rc != DTX_OK)
        return rc;
    r.sizes = sizes;
    r.p = dtx_predictor_create(0);
    if (!r.p)
        return dtx_error_set(err, DTX_ENOMEM, "out of memory");
    rc = kernels ? dtx_kernels_import(path, r.p, &keep, err)
                 : dtx_told_each(path, replay_one, &r, err);
    if (rc == DTX_OK && keep.noutcomes == 0 && keep.nloops == 0)
        rc = dtx_error_set(err, DTX_ENOENT, "%s tells of no outcome", path);
    if (rc == DTX_OK)
        rc = write_import(dir, path, id, &r, out);
    r.sizes = NULL;
    replay_free(&r);
    dtx_experience_free(&keep);
    return rc;
}

int dtx_history_cmd_import(const struct dtx_cli_words *w)
{
    struct dtx_error err = {0, ""};
    struct dtx_buf dir = DTX_BUF_INIT, out = DTX_BUF_INIT;
    struct dtx_sizes *sizes = NULL;
    bool none = false;
    size_t i;
    int rc;

    if (w->nwords == 0)
        return dtx_cmd_usage("history import: which joblogs, run directories "
                             "or files that programs have learned? "
                             "distributex history import JOBLOG...");
    rc = dtx_cli_history_dir(w, &dir, &none, &err);
    if (rc == DTX_OK && none)
        rc = dtx_error_set(&err, DTX_EINVAL, "history import: there is no "
                           "history to import into: say --history DIR");
    if (rc == DTX_OK)
        rc = dtx_history_make(dir.data, &err);
    for (i = 0; rc == DTX_OK && i < w->nwords; i++) {
        sizes = dtx_cli_sizes(w, &rc, &err); /* known anew for each log */
        if (rc == DTX_OK)
            rc = import(dir.data, w->word[i], sizes, &out, &err);
        dtx_sizes_destroy(sizes);
    }
    dtx_buf_free(&dir);
    if (rc == DTX_OK)
        return dtx_cmd_print(&out);
    dtx_buf_free(&out);
    return dtx_cmd_fail(DTX_CMD_FAILED, &err);
}

/* ---- runfile ---- */

int dtx_history_cmd_runfile(const struct dtx_cli_words *w)
{
    struct dtx_buf dir = DTX_BUF_INIT, out = DTX_BUF_INIT;
    const char *name = w->nwords ? w->word[0] : NULL;
    struct dtx_error err = {0, ""};
    int rc;

    if (w->nwords > 1)
        return dtx_cmd_usage("history runfile: at most one run directory");
    rc = dtx_rundir_find(name && strcmp(name, "latest") == 0 ? NULL : name,
                         &dir, &err);
    if (rc == DTX_OK)
        rc = dtx_told_runfile(dir.data, &err);
    if (rc == DTX_OK)
        dtx_buf_printf(&out, "%s/run.h5\n", dir.data);
    dtx_buf_free(&dir);
    if (rc == DTX_OK)
        return dtx_cmd_print(&out);
    dtx_buf_free(&out);
    return dtx_cmd_fail(DTX_CMD_FAILED, &err);
}

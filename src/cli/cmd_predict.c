/* SPDX-License-Identifier: MIT */
/* "distributex predict": what the tasks of a file will take, from history.  It
 * runs nothing; of the files that commands name it asks the sizes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/cmd.h"
#include "cli/history.h"
#include "cli/run_words.h"
#include "cli/told.h"
#include "predict/features.h"
#include "predict/predictor.h"
#include "predict/sizes.h"
#include "run/options.h"
#include "run/source.h"
#include "run/status.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"

/* Of a class, or of all tasks. */
struct sum {
    char *name;
    uint64_t n, unknown;
    double seconds, low, high;
    double off[2];      /* down and up: sums of what the intervals allow */
    double variance[2]; /* sums of its squares, for independent errors */
};

struct predicting {
    struct dtx_predictor *p;
    struct dtx_sizes *sizes; /* NULL: the files themselves */
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_prediction *said; /* a row for each task */
    uint32_t *class;             /* its row of sums */
    struct sum *sum;
    size_t nsums, cap_sums;
    struct sum total;
    struct dtx_keymap index;
};

/* ---- sums ---- */

static void add(struct sum *s, const struct dtx_prediction *p)
{
    double off[2] = {p->seconds - p->low, p->high - p->seconds};
    int i;

    s->n++;
    if (p->basis == DTX_BASIS_NONE) {
        s->unknown++;
        return;
    }
    s->seconds += p->seconds;
    for (i = 0; i < 2; i++) {
        s->off[i] += fmax(off[i], 0);
        s->variance[i] += off[i] * off[i];
    }
}

/* Errors of many tasks cancel, those of a class less than by chance: the
 * spread of the sum is taken halfway between independent and common. */
static void bound(struct sum *s)
{
    s->low = s->seconds - (sqrt(s->variance[0]) + s->off[0]) / 2;
    s->high = s->seconds + (sqrt(s->variance[1]) + s->off[1]) / 2;
}

static int sum_of(struct predicting *d, const struct dtx_features *f,
                  uint32_t *row)
{
    struct dtx_key k = {f->class_key, 1};
    struct sum *p = dtx_grow(d->sum, &d->cap_sums, d->nsums + 1, sizeof(*p));

    if (!p)
        return DTX_ENOMEM;
    d->sum = p;
    if (!dtx_keymap_put(&d->index, k, (uint32_t)d->nsums, row, NULL))
        return DTX_ENOMEM;
    if (*row < d->nsums)
        return DTX_OK;
    memset(&p[d->nsums], 0, sizeof(*p));
    p[d->nsums].name = strdup(f->text);
    return p[d->nsums++].name ? DTX_OK : DTX_ENOMEM;
}

static int take_one(void *ctx, uint32_t i, const struct dtx_features *f,
                    const struct dtx_prediction *said)
{
    struct predicting *d = ctx;
    int rc = sum_of(d, f, &d->class[i]);

    if (rc != DTX_OK)
        return rc;
    d->said[i] = *said;
    add(&d->sum[d->class[i]], said);
    add(&d->total, said);
    return DTX_OK;
}

static int predict_all(struct predicting *d)
{
    uint32_t i;
    int rc;

    d->said = calloc(d->list.ntasks + 1, sizeof(*d->said));
    d->class = calloc(d->list.ntasks + 1, sizeof(*d->class));
    if (!d->said || !d->class)
        return DTX_ENOMEM;
    rc = dtx_cli_predict_each(d->p, d->sizes, &d->list, take_one, d);
    for (i = 0; rc == DTX_OK && i < d->nsums; i++)
        bound(&d->sum[i]);
    bound(&d->total);
    return rc;
}

/* ---- text and JSON ---- */

static void put_task_json(struct dtx_buf *b, const struct predicting *d,
                          uint32_t i)
{
    const struct dtx_prediction *s = &d->said[i];

    dtx_buf_printf(b, "%s\n  {\"task\": %llu, ", i ? "," : "",
                   (unsigned long long)dtx_task_id(i));
    if (s->basis == DTX_BASIS_NONE)
        dtx_buf_str(b, "\"seconds\": null, \"low\": null, \"high\": null, ");
    else
        dtx_buf_printf(b, "\"seconds\": %.6g, \"low\": %.6g, \"high\": %.6g, ",
                       s->seconds, s->low, s->high);
    dtx_buf_printf(b, "\"basis\": \"%s\", \"class\": ",
                   dtx_basis_name(s->basis));
    dtx_cli_json_text(b, d->sum[d->class[i]].name);
    dtx_buf_char(b, '}');
}

static void put_sum_json(struct dtx_buf *b, const struct sum *s)
{
    dtx_buf_printf(b, "\"n\": %llu, \"unknown\": %llu, \"seconds\": %.6g, "
                   "\"low\": %.6g, \"high\": %.6g",
                   (unsigned long long)s->n, (unsigned long long)s->unknown,
                   s->seconds, s->low, s->high);
}

static void put_json(struct dtx_buf *b, const struct predicting *d)
{
    uint32_t i;

    dtx_buf_str(b, "{\"tasks\": [");
    for (i = 0; i < d->list.ntasks; i++)
        put_task_json(b, d, i);
    dtx_buf_str(b, "],\n \"classes\": [");
    for (i = 0; i < d->nsums; i++) {
        dtx_buf_str(b, i ? ",\n  {\"class\": " : "\n  {\"class\": ");
        dtx_cli_json_text(b, d->sum[i].name);
        dtx_buf_str(b, ", ");
        put_sum_json(b, &d->sum[i]);
        dtx_buf_char(b, '}');
    }
    dtx_buf_str(b, "],\n \"total\": {");
    put_sum_json(b, &d->total);
    dtx_buf_str(b, "}}\n");
}

static void put_sum_text(struct dtx_buf *b, const struct sum *s,
                         const char *name)
{
    if (s->n > 0 && s->unknown == s->n)
        dtx_buf_printf(b, "%8llu  %12s  %-24s  %s\n",
                       (unsigned long long)s->n, "?", "nothing is known",
                       name);
    else
        dtx_buf_printf(b, "%8llu  %10.4g s  (%.4g to %.4g)  %s\n",
                       (unsigned long long)s->n, s->seconds, s->low, s->high,
                       name);
}

static void put_text(struct dtx_buf *b, const struct predicting *d)
{
    uint32_t i;

    for (i = 0; i < d->list.ntasks; i++) {
        const struct dtx_prediction *s = &d->said[i];

        if (s->basis == DTX_BASIS_NONE)
            dtx_buf_printf(b, "%8llu  %12s\n",
                           (unsigned long long)dtx_task_id(i), "?");
        else
            dtx_buf_printf(b, "%8llu  %10.4g s  (%.4g to %.4g)  by %s\n",
                           (unsigned long long)dtx_task_id(i), s->seconds,
                           s->low, s->high, dtx_basis_name(s->basis));
    }
    dtx_buf_str(b, "\n   tasks       seconds\n");
    for (i = 0; i < d->nsums; i++)
        put_sum_text(b, &d->sum[i], d->sum[i].name);
    put_sum_text(b, &d->total, "in all");
    if (d->total.unknown > 0 && d->total.unknown < d->total.n)
        dtx_buf_printf(b, "of %llu tasks nothing is known; they are not in "
                       "the sum\n", (unsigned long long)d->total.unknown);
}

/* ---- the whole ---- */

#define FORM                                                                   \
    "distributex predict TASKFILE, or a template: distributex predict "        \
    "COMMAND ::: ARGUMENT..."

static int read_tasks(struct predicting *d, const char *path,
                      struct dtx_error *err)
{
    struct dtx_buf b = DTX_BUF_INIT;
    int rc = dtx_told_file(path, &b, err);

    if (rc == DTX_OK)
        rc = dtx_taskfile_parse(path, b.data, b.len, &d->list, &d->graph, err);
    dtx_buf_free(&b);
    return rc;
}

/* The same from words such as "run" takes. */
static int read_template(struct predicting *d, const struct dtx_options *o,
                         struct dtx_error *err)
{
    struct dtx_taskfile_more more;
    int rc;

    if (o->form == DTX_FORM_NONE)
        return dtx_error_set(err, DTX_EINVAL, "predict: name the tasks: a "
                             "resume's journal is not read here; " FORM);
    memset(&more, 0, sizeof(more));
    rc = dtx_source_read(o, &d->list, &d->graph, &more, err);
    dtx_buf_free(&more.setup);
    dtx_buf_free(&more.teardown);
    return rc;
}

/* Are these words such as only "run" takes: a template or a job array? Else
 * options may stand behind the task file, too. */
static bool is_like_run(int argc, char **argv)
{
    int i;

    for (i = 2; i < argc; i++) {
        if (strncmp(argv[i], ":::", 3) == 0 || strncmp(argv[i], "-a", 2) == 0 ||
            strncmp(argv[i], "--a", 3) == 0)
            return true;
    }
    return false;
}

static int prepare(struct predicting *d, const struct dtx_cli_words *w,
                   struct dtx_error *err)
{
    struct dtx_buf dir = DTX_BUF_INIT;
    bool none = false;
    int rc = dtx_cli_history_dir(w, &dir, &none, err);

    d->p = dtx_predictor_create(0);
    if (rc == DTX_OK && !d->p)
        rc = dtx_error_set(err, DTX_ENOMEM, "out of memory");
    if (rc == DTX_OK && !none)
        rc = dtx_cli_history_load(dir.data, d->p, err);
    dtx_buf_free(&dir);
    if (rc == DTX_OK)
        d->sizes = dtx_cli_sizes(w, &rc, err);
    return rc;
}

static void predicting_free(struct predicting *d)
{
    size_t i;

    for (i = 0; i < d->nsums; i++)
        free(d->sum[i].name);
    free(d->sum);
    free(d->said);
    free(d->class);
    dtx_keymap_free(&d->index);
    dtx_predictor_destroy(d->p);
    dtx_sizes_destroy(d->sizes);
}

/* 'o': what "run" would be asked, or NULL: one word, a task file. */
static int predict(const struct dtx_cli_words *w, const struct dtx_options *o)
{
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct predicting d;
    int rc, status = DTX_CMD_FAILED;

    memset(&d, 0, sizeof(d));
    rc = prepare(&d, w, &err);
    if (rc == DTX_OK) {
        rc = o ? read_template(&d, o, &err)
               : read_tasks(&d, w->word[0], &err);
        status = rc == DTX_EPARSE ? DTX_EXIT_TASKFILE : status;
        if (rc == DTX_OK) {
            rc = predict_all(&d);
            if (rc == DTX_OK && d.list.ntasks == 0)
                dtx_cli_history_warn(NULL, "there are no tasks in it");
            if (rc != DTX_OK)
                (void)dtx_error_set(&err, rc, "out of memory");
            else if (dtx_cli_option(w, "json"))
                put_json(&out, &d);
            else
                put_text(&out, &d);
            dtx_tasklist_fini(&d.list);
            dtx_graph_fini(&d.graph);
        }
    }
    predicting_free(&d);
    if (rc == DTX_OK)
        return dtx_cmd_print(&out);
    dtx_buf_free(&out);
    return dtx_cmd_fail(status, &err);
}

static int predict_like_run(int argc, char **argv)
{
    struct dtx_cli_words w;
    struct dtx_options o;
    bool done = false;
    int status = dtx_cli_words_run("predict", argc, argv, 2, &w, &done);

    if (done)
        return status;
    status = dtx_cli_run_words("predict", FORM, w.word, w.nwords, &o);
    if (!status) {
        status = predict(&w, &o);
        dtx_options_fini(&o);
    }
    free(w.word);
    return status;
}

int dtx_cmd_predict(int argc, char **argv)
{
    struct dtx_cli_words w;
    bool done = false;
    int status;

    if (is_like_run(argc, argv))
        return predict_like_run(argc, argv);
    status = dtx_cli_words("predict", argc, argv, 2, &w, &done);
    if (done)
        return status;
    if (w.nwords == 1)
        status = predict(&w, NULL);
    else
        status = dtx_cmd_usage("predict: what is to be predicted? " FORM);
    free(w.word);
    return status;
}

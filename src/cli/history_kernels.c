/* SPDX-License-Identifier: MIT */
/* What a program's kernels took, as the library has kept it (learned=), into a
 * history: tasks as outcomes of the class "kernel NAME", loops as they are. */
#include "cli/history_kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "cli/history.h"
#include "predict/predictor.h"
#include "run/learn.h"
#include "sched/profile.h"
#include "store/kernels.h"
#include "task/outcome.h"
#include "wire/experience.h"

bool dtx_kernels_is_file(const char *path)
{
    char head[8] = "";
    FILE *f = fopen(path, "rb");
    bool is = f && fread(head, 1, sizeof(head), f) == sizeof(head) &&
              memcmp(head, "DTXJRNL", 8) == 0;

    if (f)
        (void)fclose(f);
    return is;
}

bool dtx_kernels_refuse(const char *path, const char *who,
                        struct dtx_error *err)
{
    struct dtx_kernels_reader nobody = {NULL, NULL, NULL};
    struct dtx_buf b = DTX_BUF_INIT;
    bool is = dtx_kernels_is_file(path) &&
              dtx_kernels_load(path, &b, NULL) == DTX_OK &&
              dtx_kernels_parse(path, b.data, b.len, &nobody, NULL, NULL) ==
                  DTX_OK;

    dtx_buf_free(&b);
    if (is)
        (void)dtx_error_set(err, DTX_EINVAL,
                            "history %s: %.200s is what a program's kernels "
                            "took (learned=): take it into a history by "
                            "'distributex history import %.200s', and "
                            "'distributex history show' shows it", who, path,
                            path);
    return is;
}

int dtx_kernels_id(const char *path, char id[33], struct dtx_error *err)
{
    char *real = realpath(path, NULL);
    struct dtx_key k;

    if (!real)
        return dtx_error_errno(err, "cannot find %s", path);
    k = dtx_hash128(real, strlen(real), 8);
    (void)snprintf(id, 33, "%016" PRIx64 "%016" PRIx64, k.hi, k.lo);
    free(real);
    return DTX_OK;
}

struct adding {
    struct dtx_predictor *p;
    struct dtx_experience *keep;
};

static int on_took(void *ctx, const struct dtx_kernels_took *t)
{
    struct adding *a = ctx;
    struct dtx_kernel_call c = {t->kernel, t->bytes, t->hint, t->x, t->nx};
    struct dtx_outcome o;
    struct dtx_features f;
    int rc;

    memset(&o, 0, sizeof(o));
    o.status = DTX_STATUS_OK;
    o.wall_ns = t->ns < INT64_MAX ? (int64_t)t->ns : INT64_MAX;
    dtx_features_of_call(&c, &f);
    rc = dtx_predictor_learn(a->p, &f, (double)t->ns * 1e-9, false);
    return rc == DTX_OK ? dtx_learn_keep(a->keep, &o, "", &f) : rc;
}

static int on_loop(void *ctx, const struct dtx_kernels_loop *l)
{
    struct adding *a = ctx;
    struct dtx_profile *p = malloc(sizeof(*p));
    struct dtx_exp_loop *row = calloc(1, sizeof(*row));
    int rc = p && row ? DTX_OK : DTX_ENOMEM;
    uint32_t i;

    if (rc == DTX_OK)
        dtx_profile_init(p, l->total);
    if (rc == DTX_OK && dtx_profile_decode(p, l->ns)) {
        (void)snprintf(row->kernel, sizeof(row->kernel), "%s", l->kernel);
        row->begin = l->begin;
        row->end = l->end;
        row->grains = l->total;
        row->nx = l->nx;
        row->parts = p->buckets;
        for (i = 0; i < l->nx; i++)
            row->x[i] = l->x[i];
        for (i = 0; i < p->buckets; i++)
            row->ns[i] = p->ns[i];
        rc = dtx_experience_loop(a->keep, row);
    }
    free(p);
    free(row);
    return rc;
}

int dtx_kernels_import(const char *path, struct dtx_predictor *p,
                       struct dtx_experience *keep, struct dtx_error *err)
{
    struct adding a = {p, keep};
    struct dtx_kernels_reader r = {on_loop, on_took, &a};
    struct dtx_buf b = DTX_BUF_INIT;
    uint64_t left_out = 0;
    int rc = dtx_kernels_load(path, &b, err);

    if (rc == DTX_OK)
        rc = dtx_kernels_parse(path, b.data, b.len, &r, &left_out, err);
    if (rc == DTX_OK && left_out > 0) {
        char text[256];

        (void)snprintf(text, sizeof(text), "%.120s: %llu damaged or senseless "
                       "parts are left out", path,
                       (unsigned long long)left_out);
        dtx_cli_history_warn(NULL, text);
    }
    dtx_buf_free(&b);
    return rc;
}

/* ---- show ---- */

static int dear_first(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;

    return *a > *b ? -1 : *a < *b;
}

/* What part of the whole the dearest tenth of the range takes. */
static double dearest_tenth(const struct dtx_exp_loop *l, double all)
{
    uint64_t ns[DTX_EXP_PARTS];
    uint32_t i, n = l->parts < DTX_EXP_PARTS ? l->parts : DTX_EXP_PARTS;
    double sum = 0;

    memcpy(ns, l->ns, sizeof(ns));
    qsort(ns, n, sizeof(*ns), dear_first);
    for (i = 0; i < (n + 9) / 10; i++)
        sum += (double)ns[i];
    return all > 0 ? sum / all : 0;
}

static double seconds_of(const struct dtx_exp_loop *l)
{
    double sum = 0;
    uint32_t i;

    for (i = 0; i < l->parts && i < DTX_EXP_PARTS; i++)
        sum += (double)l->ns[i] * 1e-9;
    return sum;
}

static void show_text(struct dtx_buf *b, const struct dtx_exp_loop *l)
{
    double all = seconds_of(l);
    uint32_t i;

    dtx_buf_printf(b, "     loop  %10.4g s  the dearest tenth takes %.1f %%  "
                   "kernel %s for %llu .. %llu", all,
                   100 * dearest_tenth(l, all * 1e9), l->kernel,
                   (unsigned long long)l->begin, (unsigned long long)l->end);
    for (i = 0; i < l->nx && i < DTX_EXP_FEATURES; i++)
        dtx_buf_printf(b, "%s%g", i ? ", " : ", features ", l->x[i]);
    dtx_buf_char(b, '\n');
}

static void show_json(struct dtx_buf *b, const struct dtx_exp_loop *l)
{
    double all = seconds_of(l);
    uint32_t i;

    dtx_buf_str(b, "{\"loop\": ");
    dtx_cli_json_text(b, l->kernel);
    dtx_buf_printf(b, ", \"begin\": %llu, \"end\": %llu, \"seconds\": %.6g, "
                   "\"dearest_tenth\": %.4f, \"features\": [",
                   (unsigned long long)l->begin, (unsigned long long)l->end,
                   all, dearest_tenth(l, all * 1e9));
    for (i = 0; i < l->nx && i < DTX_EXP_FEATURES; i++)
        dtx_buf_printf(b, "%s%.9g", i ? ", " : "", l->x[i]);
    dtx_buf_str(b, "]}");
}

static int add_loops(void *ctx, const struct dtx_history_file *f,
                     const struct dtx_experience *e, struct dtx_error *err)
{
    size_t i;

    (void)f;
    for (i = 0; i < e->nloops; i++) {
        if (dtx_experience_loop(ctx, &e->loop[i]) != DTX_OK)
            return dtx_error_set(err, DTX_ENOMEM, "history: out of memory");
    }
    return DTX_OK;
}

int dtx_kernels_show(const char *dir, const char *pattern, bool json, size_t *n,
                     struct dtx_buf *out, struct dtx_history_names *others,
                     struct dtx_error *err)
{
    struct dtx_experience all;
    size_t i;
    int rc;

    memset(&all, 0, sizeof(all));
    rc = dtx_history_read(dir, DTX_HISTORY_MODELS, add_loops, &all, NULL, NULL,
                          err);
    for (i = 0; rc == DTX_OK && i < all.nloops; i++) {
        if (pattern && !strstr(all.loop[i].kernel, pattern)) {
            dtx_history_name(others, all.loop[i].kernel);
            continue;
        }
        if (json) {
            dtx_buf_str(out, *n ? ",\n " : "\n ");
            show_json(out, &all.loop[i]);
        } else {
            show_text(out, &all.loop[i]);
        }
        ++*n;
    }
    dtx_experience_free(&all);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* "distributex profile": what the tasks of a job used, by class or one by one,
 * and what was counted.  It reads what is recorded, and writes nothing. */
#include "cli/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/asked.h"
#include "cli/history.h"
#include "cli/told.h"
#include "cli/traits.h"
#include "cli/words.h"
#include "predict/features.h"
#include "predict/usage.h"
#include "run/status.h"
#include "store/rundir.h"
#include "task/task.h"

#define FORM                                                                   \
    "the form: distributex profile [--json] [RUNDIR | FILE] [TASK...]"

/* Tasks that were named. */
struct range {
    struct dtx_asked_ref ref;
    bool seen; /* one of them */
};

struct look {
    bool json;
    struct dtx_buf *out; /* of tasks */
    struct range *range; /* none: classes */
    size_t nranges, cap, printed;
    uint64_t attempts, left_out;
    uint64_t by[DTX_COUNTERS]; /* how many were counted, by whom */
    struct dtx_usages used;
};

/* ---- one attempt ---- */

static const struct {
    const char *text;
    bool time;
} counted_as[DTX_COUNTED] = {
    {"instructions", false},
    {"cycles", false},
    {"last-level cache misses", false},
    {"waiting for devices", true},
    {"on a processor", true},
    {"moves from one processor to another", false},
    {"context switches", false},
    {"page faults", false},
};

static void put_counted(struct dtx_buf *b, const struct dtx_counters *c)
{
    const char *comma = "";
    char time[32];
    uint64_t v;
    int i;

    dtx_buf_printf(b, "  counters  by %s: ",
                   dtx_counter_name((enum dtx_counter)c->provider));
    for (i = 0; i < DTX_COUNTED; i++) {
        if (!dtx_counters_get(c, (enum dtx_counted)i, &v))
            continue;
        if (counted_as[i].time)
            dtx_buf_printf(b, "%s%s %s", comma,
                           dtx_format_duration(time, sizeof(time), (int64_t)v),
                           counted_as[i].text);
        else
            dtx_buf_printf(b, "%s%" PRIu64 " %s", comma, v,
                           counted_as[i].text);
        comma = ", ";
    }
    dtx_buf_str(b, *comma ? "\n" : "none\n");
}

static void put_used(struct dtx_buf *b, const struct dtx_outcome *o)
{
    char user[32], system[32], peak[32];

    dtx_buf_printf(b, "  processor user %s, system %s",
                   dtx_format_duration(user, sizeof(user), o->utime_ns),
                   dtx_format_duration(system, sizeof(system), o->stime_ns));
    if (o->wall_ns > 0)
        dtx_buf_printf(b, ": %.2f cores", (double)(o->utime_ns + o->stime_ns) /
                                              (double)o->wall_ns);
    dtx_buf_printf(b, "\n  memory    %s at most; page faults %" PRId64
                      ", from disk %" PRId64 "\n",
                   dtx_format_size(peak, sizeof(peak), o->maxrss_kib * 1024),
                   o->minflt, o->majflt);
    dtx_buf_printf(b, "  switches  %" PRId64 " by itself, %" PRId64
                      " since others were to run\n"
                      "  blocks    %" PRId64 " read, %" PRId64 " written\n",
                   o->nvcsw, o->nivcsw, o->inblock, o->oublock);
}

static void put_task(struct dtx_buf *b, const struct dtx_told *t)
{
    const struct dtx_outcome *o = t->outcome;
    char took[32];

    dtx_buf_printf(b, "task %" PRIu64 ", attempt %u: %s, %s%s%s\n", t->seq,
                   (unsigned)o->attempt,
                   dtx_status_name((enum dtx_status)o->status),
                   dtx_format_duration(took, sizeof(took), o->wall_ns),
                   t->host[0] ? " on " : "", t->host);
    if (o->source != DTX_SOURCE_RUSAGE) {
        dtx_buf_str(b, "  nothing of it was measured\n");
        return;
    }
    put_used(b, o);
    put_counted(b, &o->counters);
}

static void put_json_number(struct dtx_buf *b, const char *name, bool known,
                            int64_t v)
{
    if (known)
        dtx_buf_printf(b, ", \"%s\": %" PRId64, name, v);
    else
        dtx_buf_printf(b, ", \"%s\": null", name);
}

static void put_task_json(struct dtx_buf *b, const struct dtx_told *t)
{
    const struct dtx_outcome *o = t->outcome;
    bool known = o->source == DTX_SOURCE_RUSAGE;
    uint64_t v = 0;
    bool has;
    int i;

    dtx_buf_printf(b, "{\"task\": %" PRIu64 ", \"attempt\": %u, \"status\": "
                      "\"%s\", \"wall_ns\": %" PRId64, t->seq,
                   (unsigned)o->attempt,
                   dtx_status_name((enum dtx_status)o->status), o->wall_ns);
    put_json_number(b, "utime_ns", known, o->utime_ns);
    put_json_number(b, "stime_ns", known, o->stime_ns);
    put_json_number(b, "maxrss_kib", known, o->maxrss_kib);
    put_json_number(b, "minflt", known, o->minflt);
    put_json_number(b, "majflt", known, o->majflt);
    put_json_number(b, "nvcsw", known, o->nvcsw);
    put_json_number(b, "nivcsw", known, o->nivcsw);
    put_json_number(b, "inblock", known, o->inblock);
    put_json_number(b, "oublock", known, o->oublock);
    dtx_buf_printf(b, ", \"counter\": \"%s\"",
                   dtx_counter_name((enum dtx_counter)o->counters.provider));
    for (i = 0; i < DTX_COUNTED; i++) {
        has = dtx_counters_get(&o->counters, (enum dtx_counted)i, &v);
        put_json_number(b, dtx_counted_name((enum dtx_counted)i), has,
                        v > INT64_MAX ? INT64_MAX : (int64_t)v);
    }
    dtx_buf_char(b, '}');
}

/* ---- all of them ---- */

static bool is_named(struct look *l, uint64_t seq)
{
    bool named = false;
    size_t i;

    for (i = 0; i < l->nranges; i++) {
        struct range *r = &l->range[i];

        if (dtx_task_id(r->ref.first) <= seq && seq <= dtx_task_id(r->ref.last))
            r->seen = named = true;
    }
    return named;
}

static int hear(void *ctx, const struct dtx_told *t)
{
    struct look *l = ctx;
    struct dtx_features f;

    if (l->nranges > 0) {
        if (!is_named(l, t->seq))
            return DTX_OK;
        if (l->json)
            dtx_buf_str(l->out, l->printed ? ",\n " : "\n ");
        (l->json ? put_task_json : put_task)(l->out, t);
        l->printed++;
        return DTX_OK;
    }
    l->attempts++;
    l->left_out += t->outcome->status != DTX_STATUS_OK ||
                   t->outcome->source != DTX_SOURCE_RUSAGE;
    if (t->outcome->counters.counted)
        l->by[t->outcome->counters.provider]++;
    dtx_features_of(t->command, t->len, NULL, NULL, NULL, &f);
    return dtx_usages_add(&l->used, &f, t->outcome, 1, 0) ? DTX_OK
                                                          : DTX_ENOMEM;
}

/* ---- classes ---- */

/* Memory is told behind the others, in units of its own. */
static bool is_column(size_t i)
{
    return dtx_cli_traits[i].trait != DTX_USAGE_PEAK;
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct dtx_usage *)a)->wall_s;
    double y = ((const struct dtx_usage *)b)->wall_s;

    return (x < y) - (x > y);
}

static void put_class(struct dtx_buf *b, const struct dtx_usage *c)
{
    char mean[32], peak[32];
    double v;
    size_t i;

    dtx_buf_printf(b, "%-30.30s %8" PRIu64 " %9s", c->text, c->n,
                   dtx_format_duration(mean, sizeof(mean),
                                       (int64_t)(c->wall_s * 1e9 /
                                                 (double)c->n)));
    for (i = 0; i < DTX_CLI_TRAITS; i++) {
        if (!is_column(i))
            continue;
        dtx_buf_char(b, ' ');
        if (dtx_usage_get(c, dtx_cli_traits[i].trait, &v))
            dtx_cli_trait_put(b, &dtx_cli_traits[i], v, 6);
        else
            dtx_buf_printf(b, "%6s", "-");
    }
    if (dtx_usage_get(c, DTX_USAGE_PEAK, &v))
        dtx_buf_printf(b, " %10s\n",
                       dtx_format_size(peak, sizeof(peak), (int64_t)v));
    else
        dtx_buf_printf(b, " %10s\n", "-");
}

static void put_class_json(struct dtx_buf *b, const struct dtx_usage *c)
{
    double v;
    size_t i;

    dtx_buf_str(b, "{\"class\": ");
    dtx_cli_json_text(b, c->text);
    dtx_buf_printf(b, ", \"n\": %" PRIu64 ", \"mean\": %.6g", c->n,
                   c->wall_s / (double)c->n);
    for (i = 0; i < DTX_CLI_TRAITS; i++) {
        if (!is_column(i))
            continue;
        dtx_buf_printf(b, ", \"%s\": ", dtx_cli_traits[i].json);
        if (dtx_usage_get(c, dtx_cli_traits[i].trait, &v))
            dtx_buf_printf(b, "%.6g", v);
        else
            dtx_buf_str(b, "null");
    }
    put_json_number(b, "peak_bytes", dtx_usage_get(c, DTX_USAGE_PEAK, &v),
                    (int64_t)(c->peak_kib * 1024));
    dtx_buf_char(b, '}');
}

static void put_classes(struct look *l, struct dtx_buf *b)
{
    uint32_t i;
    int k;

    if (l->used.n > 0)
        dtx_buf_printf(b, "%-30s %8s %9s %6s %6s %6s %6s %6s %10s\n", "class",
                       "tasks", "mean", "cores", "I/O", "IPC", "misses",
                       "GB/s", "memory");
    for (i = 0; i < l->used.n; i++)
        put_class(b, &l->used.of[i]);
    if (l->used.beyond > 0)
        dtx_buf_printf(b, "%" PRIu64 " tasks of other classes\n",
                       l->used.beyond);
    if (l->left_out > 0)
        dtx_buf_printf(b, "%" PRIu64 " of %" PRIu64 " attempts are left out: "
                          "they did not go well, or were not measured\n",
                       l->left_out, l->attempts);
    for (k = 0; k < DTX_COUNTERS; k++)
        if (l->by[k] > 0)
            dtx_buf_printf(b, "%" PRIu64 " of %" PRIu64 " attempts were "
                              "counted by %s\n", l->by[k], l->attempts,
                           dtx_counter_name((enum dtx_counter)k));
}

static void put_classes_json(struct look *l, struct dtx_buf *b)
{
    const char *comma = "";
    uint32_t i;
    int k;

    dtx_buf_printf(b, "{\"attempts\": %" PRIu64 ", \"counted\": {",
                   l->attempts);
    for (k = 0; k < DTX_COUNTERS; k++) {
        if (l->by[k] == 0)
            continue;
        dtx_buf_printf(b, "%s\"%s\": %" PRIu64, comma,
                       dtx_counter_name((enum dtx_counter)k), l->by[k]);
        comma = ", ";
    }
    dtx_buf_str(b, "}, \"classes\": [");
    for (i = 0; i < l->used.n; i++) {
        dtx_buf_str(b, i ? ",\n " : "\n ");
        put_class_json(b, &l->used.of[i]);
    }
    dtx_buf_printf(b, "], \"other_classes\": %" PRIu64 ", \"left_out\": %"
                      PRIu64 "}\n", l->used.beyond, l->left_out);
}

/* ---- whole ---- */

static int show(struct look *l, const char *path)
{
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    size_t i;
    int rc;

    l->out = &out;
    if (l->json && l->nranges > 0)
        dtx_buf_char(&out, '[');
    rc = dtx_told_each(path, hear, l, &err);
    for (i = 0; i < l->nranges && rc == DTX_OK; i++)
        if (!l->range[i].seen)
            rc = dtx_error_set(&err, DTX_ENOENT, "task %" PRIu64 " has no "
                               "recorded outcome",
                               dtx_task_id(l->range[i].ref.first));
    if (rc == DTX_OK && l->nranges > 0) {
        dtx_buf_str(&out, l->json ? "]\n" : "");
    } else if (rc == DTX_OK) {
        if (l->used.n > 0)
            qsort(l->used.of, l->used.n, sizeof(*l->used.of), by_time);
        (l->json ? put_classes_json : put_classes)(l, &out);
    }
    if (rc == DTX_OK)
        return dtx_cmd_print(&out);
    dtx_buf_free(&out);
    if (rc == DTX_ENOMEM && !err.text[0])
        (void)dtx_error_set(&err, DTX_ENOMEM, "out of memory");
    return dtx_cmd_fail(DTX_CMD_FAILED, &err);
}

/* 1,3-5 */
static int read_tasks(struct look *l, const char *word)
{
    const char *s = word;
    struct range *p;
    size_t len;

    for (;; s += len + 1) {
        len = strcspn(s, ",");
        p = dtx_grow(l->range, &l->cap, l->nranges + 1, sizeof(*p));
        if (!p)
            return dtx_cmd_usage("profile: out of memory");
        l->range = p;
        p[l->nranges].seen = false;
        if (dtx_asked_range(s, len, &p[l->nranges++].ref) <= 0)
            return dtx_cmd_usage("profile: '%.200s' is not a task: a number "
                                 "from 1, or a range such as 3-5\n" FORM, word);
        if (!s[len])
            return 0;
    }
}

/* The first word is where to look, unless it reads as tasks. */
static int show_words(struct look *l, const struct dtx_cli_words *w)
{
    const char *where = NULL;
    struct dtx_buf dir = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    size_t i = 0;
    int status = 0;

    if (w->nwords > 0 &&
        w->word[0][strspn(w->word[0], "0123456789,-")] != '\0')
        where = w->word[i++];
    for (; i < w->nwords && status == 0; i++)
        status = read_tasks(l, w->word[i]);
    if (status == 0 && (!where || strcmp(where, "latest") == 0)) {
        if (dtx_rundir_find(NULL, &dir, &err) != DTX_OK)
            status = dtx_cmd_fail(DTX_EXIT_RUNDIR, &err);
        where = dir.data;
    }
    if (status == 0)
        status = show(l, where);
    dtx_buf_free(&dir);
    return status;
}

int dtx_cmd_profile(int argc, char **argv)
{
    struct look l;
    struct dtx_cli_words w;
    bool done = false;
    int status = dtx_cli_words("profile", argc, argv, 2, &w, &done);

    if (done)
        return status;
    memset(&l, 0, sizeof(l));
    l.json = dtx_cli_option(&w, "json") != NULL;
    status = show_words(&l, &w);
    dtx_usages_free(&l.used);
    free(l.range);
    free(w.word);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* "distributex plan": how many nodes, for how long.  It runs nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/cmd.h"
#include "cli/foretell.h"
#include "cli/history.h"
#include "cli/run_words.h"
#include "cli/words.h"
#include "run/options.h"
#include "run/place.h"
#include "run/submit.h"
#include "run/terminal.h"
#include "task/machine.h"

#define FORM                                                                   \
    "the form: distributex plan [--nodes LIST] ... [options of run] TASKFILE"

static const char *limit_name(enum dtx_plan_limit l)
{
    static const char *const name[] = {"work", "longest task", "longest chain",
                                       "memory", "gpus", "rank 0", "end"};

    return name[l];
}

/* ---- what was asked ---- */

/* A whole number where the option was given: 0, or the exit status. */
static int read_number(const struct dtx_cli_words *w, const char *name,
                       int64_t lo, int64_t hi, int64_t *out)
{
    const char *value = dtx_cli_option(w, name);

    if (value && dtx_parse_int(value, lo, hi, out) != DTX_OK)
        return dtx_cmd_usage("plan: --%s '%.60s' must be a whole number from "
                             "%" PRId64 " to %" PRId64, name, value, lo, hi);
    return 0;
}

static int read_within(const struct dtx_cli_words *w, double *out)
{
    const char *value = dtx_cli_option(w, "within");
    int64_t ns = 0;

    if (!value)
        return 0;
    if (dtx_parse_duration(value, &ns) != DTX_OK || ns <= 0)
        return dtx_cmd_usage("plan: --within '%.60s' must be a time above 0, "
                             "as 30m, 4h or 1-12:00:00", value);
    *out = (double)ns / (double)DTX_SEC_NS;
    return 0;
}

static int read_memory(const struct dtx_cli_words *w, int64_t *out)
{
    const char *value = dtx_cli_option(w, "mem-per-node");

    if (value && (dtx_parse_size(value, out) != DTX_OK || *out <= 0))
        return dtx_cmd_usage("plan: --mem-per-node '%.60s' must be a size "
                             "above 0, as 64G", value);
    return 0;
}

static int read_asked(const struct dtx_cli_words *w, struct dtx_foretell *f)
{
    const char *nodes = dtx_cli_option(w, "nodes");
    int64_t slots = 0, draws = 0, seed = 1, gpus = 0;
    struct dtx_error err;
    int status = read_number(w, "slots", 1, DTX_MAX_CPUS, &slots);

    if (!status)
        status = read_number(w, "draws", 20, 10000, &draws);
    if (!status)
        status = read_number(w, "seed", 0, INT64_MAX, &seed);
    if (!status)
        status = read_number(w, "gpus-per-node", 1, DTX_MACHINE_GPUS, &gpus);
    if (!status)
        status = read_memory(w, &f->mem_bytes);
    if (!status)
        status = read_within(w, &f->within_s);
    if (!status && nodes &&
        dtx_cli_numbers("--nodes", nodes, f->nodes, DTX_PLAN_ROWS, &f->nnodes,
                        &err) != DTX_OK)
        status = dtx_cmd_usage("plan: %s", err.text);
    f->slots = (uint32_t)slots;
    f->slots_said = slots > 0;
    f->draws = (uint32_t)draws;
    f->gpus = (uint32_t)gpus;
    f->seed = (uint64_t)seed;
    f->history = dtx_cli_option(w, "history");
    f->sizes = dtx_cli_option(w, "sizes");
    return status;
}

/* ---- text ---- */

/* H:MM:SS */
static const char *walltime(char *text, size_t size, double makespan_s)
{
    int64_t s = dtx_plan_walltime_ns(makespan_s) / DTX_SEC_NS;

    (void)snprintf(text, size, "%" PRId64 ":%02d:%02d", s / 3600,
                   (int)(s / 60 % 60), (int)(s % 60));
    return text;
}

static const char *duration(char *text, size_t size, double s)
{
    return dtx_format_duration(text, size, (int64_t)(s * 1e9));
}

static void put_row(struct dtx_buf *b, const struct dtx_plan_row *r, bool best)
{
    char likely[32], low[32], high[32], both[80];

    (void)snprintf(both, sizeof(both), "%s to %s",
                   duration(low, sizeof(low), r->low_s),
                   duration(high, sizeof(high), r->high_s));
    dtx_buf_printf(b, "%c%7" PRIu32 " %8" PRIu64 " %10s  %-20s",
                   best ? '*' : ' ', r->nodes, r->slots,
                   duration(likely, sizeof(likely), r->likely_s), both);
    dtx_buf_printf(b, " %11s %11s %11.4g %8.0f %%\n",
                   walltime(low, sizeof(low), r->sure90_s),
                   walltime(high, sizeof(high), r->sure99_s), r->core_hours,
                   100 * r->efficiency);
}

/* In nine of ten jobs enough, or in 99 of 100: as was asked; to be done within
 * a time was asked with the former. */
static bool is_nine_of_ten(const struct dtx_cli_words *w,
                           const struct dtx_foretell *f)
{
    const char *sure = dtx_cli_option(w, "confidence");

    return sure ? strcmp(sure, "90") == 0 : f->within_s > 0;
}

/* Where tasks ask for memory or devices, what of these a node is taken to
 * have. */
static void put_needs(struct dtx_buf *b, const struct dtx_foretell *f)
{
    const struct dtx_scenario *s = &f->config.scenario;
    bool mem = s->mem_bytes > 0, gpus = s->gpus > 0;
    char text[32];
    size_t i;

    for (i = 0; i < f->job.list.nattrs; i++) {
        const struct dtx_task_attr *a = &f->job.list.attr[i];

        mem |= a->mem_bytes > 0;
        gpus |= a->gpus > 0 && a->gpus != DTX_NO_GPUS;
    }
    if (mem && f->mem_bytes == 0)
        dtx_buf_str(b, "memory that tasks ask for is not looked at: say how "
                    "much a node has (--mem-per-node)\n");
    else if (mem)
        dtx_buf_printf(b, "each node with %s of memory for tasks\n",
                       dtx_format_size(text, sizeof(text), f->mem_bytes));
    if (gpus)
        dtx_buf_printf(b, "each node with %" PRIu32 " GPU%s\n", f->gpus,
                       dtx_plural(f->gpus));
}

static void put_text(struct dtx_buf *b, const struct dtx_cli_words *w,
                     const struct dtx_foretell *f)
{
    const struct dtx_plan *p = &f->plan;
    const struct dtx_plan_row *best = &p->row[p->best];
    bool nine = is_nine_of_ten(w, f);
    char text[32];
    size_t i;

    dtx_buf_printf(b, "%zu task%s on nodes of %" PRIu32 " slot%s",
                   f->job.list.ntasks, dtx_plural(f->job.list.ntasks), f->slots,
                   dtx_plural(f->slots));
    if (f->cores > 0 && f->cores != f->slots)
        dtx_buf_printf(b, ", charged as %" PRIu32 " core%s", f->cores,
                       dtx_plural(f->cores));
    dtx_buf_printf(b, "; history %s\n", f->dir.data);
    put_needs(b, f);
    if (f->strange > 0)
        dtx_buf_printf(b, "%" PRIu64 " of them are like none seen before (the "
                       "first: task %llu); they are taken to be as other "
                       "programs, which says little\n", f->strange,
                       (unsigned long long)dtx_task_id(f->stranger));
    dtx_buf_printf(b, "\n%8s %8s %10s  %-20s %11s %11s %11s %10s\n", "nodes",
                   "slots", "makespan", "nine times of ten", "time (90 %)",
                   "time (99 %)", "core-hours", "efficiency");
    for (i = 0; i < p->nrows; i++)
        put_row(b, &p->row[i], i == p->best);
    dtx_buf_printf(b, "\nrecommended: %" PRIu32 " node%s, and --time=%s (%d "
                   "%%): ", best->nodes, dtx_plural(best->nodes),
                   walltime(text, sizeof(text),
                            nine ? best->sure90_s : best->sure99_s),
                   nine ? 90 : 99);
    dtx_plan_reason(&f->config, p, b);
    dtx_buf_printf(b, "\nhow sure: times drawn %" PRIu32 " times from the "
                   "history's errors, %" PRIu32 " of these jobs simulated; "
                   "it holds if tasks take what they took, and none fails\n",
                   p->draws, p->simulated);
}

/* ---- JSON ---- */

static void put_row_json(struct dtx_buf *b, const struct dtx_plan_row *r)
{
    dtx_buf_printf(b, "{\"nodes\": %" PRIu32 ", \"slots\": %" PRIu64 ", "
                   "\"makespan\": %.6g, \"low\": %.6g, \"high\": %.6g, "
                   "\"walltime_90\": %" PRId64 ", \"walltime_99\": %" PRId64
                   ", ", r->nodes, r->slots, r->likely_s, r->low_s, r->high_s,
                   dtx_plan_walltime_ns(r->sure90_s) / DTX_SEC_NS,
                   dtx_plan_walltime_ns(r->sure99_s) / DTX_SEC_NS);
    dtx_buf_printf(b, "\"core_hours\": %.6g, \"efficiency\": %.4f, "
                   "\"limit\": \"%s\"}", r->core_hours, r->efficiency,
                   limit_name(r->limit));
}

static void put_json(struct dtx_buf *b, const struct dtx_foretell *f)
{
    const struct dtx_plan *p = &f->plan;
    struct dtx_buf reason = DTX_BUF_INIT;
    size_t i;

    dtx_buf_printf(b, "{\"tasks\": %zu, \"unlike\": %" PRIu64 ", \"slots\": %"
                   PRIu32 ", \"draws\": %" PRIu32 ", \"simulated\": %" PRIu32
                   ", \"history\": ", f->job.list.ntasks, f->strange, f->slots,
                   p->draws, p->simulated);
    dtx_cli_json_text(b, f->dir.data);
    dtx_buf_str(b, ",\n \"plans\": [");
    for (i = 0; i < p->nrows; i++) {
        dtx_buf_str(b, i ? ",\n  " : "\n  ");
        put_row_json(b, &p->row[i]);
    }
    dtx_plan_reason(&f->config, p, &reason);
    dtx_buf_char(&reason, '\0');
    dtx_buf_printf(b, "],\n \"recommended\": {\"nodes\": %" PRIu32
                   ", \"reason\": ", p->row[p->best].nodes);
    dtx_cli_json_text(b, reason.failed ? "" : reason.data);
    dtx_buf_str(b, "}}\n");
    b->failed |= reason.failed;
    dtx_buf_free(&reason);
}

/* ---- the script ---- */

/* What the plan rests on and the words do not say: the history, the slots. */
#define OWN_WORDS 4

static size_t put_own_words(char **word, const struct dtx_foretell *f,
                            const struct dtx_options *o, char *slots,
                            size_t size)
{
    static char history[] = "--history", jobs[] = "-j";
    size_t n = 0;

    if (!o->history || f->history) {
        word[n++] = history;
        word[n++] = f->dir.data;
    }
    if (o->jobs.how == DTX_JOBS_CORES && f->slots_said) {
        (void)snprintf(slots, size, "%" PRIu32, f->slots);
        word[n++] = jobs;
        word[n++] = slots;
    }
    return n;
}

static void warn_of_within(const struct dtx_foretell *f)
{
    struct dtx_buf reason = DTX_BUF_INIT;

    if (!(f->within_s > 0) || f->plan.within)
        return;
    dtx_plan_reason(&f->config, &f->plan, &reason);
    dtx_buf_char(&reason, '\0');
    (void)fprintf(stderr, "distributex: warning: plan: %s\n",
                  reason.failed ? "--within cannot be met" : reason.data);
    dtx_buf_free(&reason);
}

static int put_script(struct dtx_buf *b, const struct dtx_cli_words *w,
                      const struct dtx_foretell *f, const struct dtx_options *o)
{
    const struct dtx_plan_row *r = &f->plan.row[f->plan.best];
    char **word = calloc(w->nwords + OWN_WORDS, sizeof(*word)), self[4096];
    struct dtx_submit s = {.nodes = r->nodes, .maker = "plan --sbatch",
                           .program = self, .words = word};
    struct dtx_error err = {0, ""};
    int status = dtx_cli_self(self, sizeof(self));
    char slots[16], mem[32];

    if (!status && !word)
        status = dtx_cmd_usage("plan: out of memory");
    if (!status) {
        s.time_ns = dtx_plan_walltime_ns(is_nine_of_ten(w, f) ? r->sure90_s
                                                              : r->sure99_s);
        if (dtx_cli_option(w, "gpus-per-node"))
            s.gpus = f->gpus;
        if (dtx_cli_option(w, "mem-per-node")) {
            (void)snprintf(mem, sizeof(mem), "%" PRId64 "K",
                           (f->mem_bytes + 1023) / 1024);
            s.mem = mem;
        }
        s.nwords = put_own_words(word, f, o, slots, sizeof(slots));
        memcpy(word + s.nwords, w->word, w->nwords * sizeof(*word));
        s.nwords += w->nwords;
        if (dtx_submit_script(&s, b, &err) != DTX_OK)
            status = dtx_cmd_usage("plan: %s", err.text);
        else
            warn_of_within(f);
    }
    free(word);
    return status;
}

/* On a terminal only: it may take a while. */
static void show_progress(void *ctx, uint32_t nodes, uint32_t done,
                          uint32_t all)
{
    (void)ctx;
    (void)fprintf(stderr, "\r\033[Kplan: %" PRIu32 " node%s, %" PRIu32 " of %"
                  PRIu32 " jobs simulated", nodes, dtx_plural(nodes), done,
                  all);
}

/* --slots says of each node what -j would. */
static int check_slots(const struct dtx_foretell *f,
                       const struct dtx_options *o)
{
    if (!f->slots_said || o->jobs.how == DTX_JOBS_CORES ||
        (o->jobs.how == DTX_JOBS_COUNT && o->jobs.n == (int32_t)f->slots))
        return 0;
    return dtx_cmd_usage("plan: --slots %" PRIu32 " and -j both say how many "
                         "slots a node has, and not the same: give one of "
                         "them", f->slots);
}

static int plan(const struct dtx_cli_words *w, struct dtx_foretell *f)
{
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_options o;
    int status = dtx_cli_run_words("plan", FORM, w->word, w->nwords, &o);

    if (status)
        return status;
    status = check_slots(f, &o);
    if (status) {
        dtx_options_fini(&o);
        return status;
    }
    if (dtx_terminal_columns() > 0)
        f->progress = show_progress;
    status = dtx_foretell(f, &o, &err);
    if (f->progress)
        (void)fprintf(stderr, "\r\033[K");
    if (status) {
        dtx_options_fini(&o);
        return dtx_cmd_fail(status, &err);
    }
    if (dtx_cli_option(w, "sbatch"))
        status = put_script(&out, w, f, &o);
    else if (dtx_cli_option(w, "json"))
        put_json(&out, f);
    else
        put_text(&out, w, f);
    dtx_foretell_fini(f);
    dtx_options_fini(&o);
    if (!status)
        return dtx_cmd_print(&out);
    dtx_buf_free(&out);
    return status;
}

int dtx_cmd_plan(int argc, char **argv)
{
    struct dtx_foretell f;
    struct dtx_cli_words w;
    bool done = false;
    int status = dtx_cli_words_run("plan", argc, argv, 2, &w, &done);

    if (done)
        return status;
    memset(&f, 0, sizeof(f));
    if (w.nwords == 0)
        status = dtx_cmd_usage("plan: the task file is missing; " FORM);
    else
        status = read_asked(&w, &f);
    if (!status && dtx_cli_option(&w, "json") && dtx_cli_option(&w, "sbatch"))
        status = dtx_cmd_usage("plan: either --json or --sbatch");
    if (!status)
        status = plan(&w, &f);
    free(w.word);
    return status;
}

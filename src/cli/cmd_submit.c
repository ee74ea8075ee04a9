/* SPDX-License-Identifier: MIT */
/* "distributex submit": a batch job for Slurm from a task file and the nodes
 * and time for it.  What would fail in the job is found before it waits in the
 * queue: the options of "run" and the task file are read here as well. */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/foretell.h"
#include "cli/run_words.h"
#include "run/options.h"
#include "run/source.h"
#include "run/status.h"
#include "run/submit.h"
#include "task/graph.h"
#include "task/task.h"
#include "task/taskfile.h"

#define FORM                                                                   \
    "the form: distributex submit [--nodes N] [--time TIME] ... [options of "  \
    "run] TASKFILE"

struct request {
    struct dtx_submit s;
    bool dry_run, help, plan;
    int next; /* word of argv to look at */
    char self[4096]; /* this program */
};

/* The row that a word means, and the value behind '=' or the letter, if any.
 * NULL: none of submit's. */
static const struct dtx_cmd_option *find(const char *word, const char **value)
{
    size_t n, i, len;
    const struct dtx_cmd_option *o = dtx_cmd_option_table(&n);

    *value = NULL;
    for (i = 0; i < n; i++) {
        if (strcmp(o[i].command, "submit") != 0)
            continue;
        len = strlen(o[i].name);
        if (word[1] == '-' && strncmp(word + 2, o[i].name, len) == 0 &&
            (word[2 + len] == '\0' || word[2 + len] == '=')) {
            *value = word[2 + len] ? word + 3 + len : NULL;
            return &o[i];
        }
        if (word[1] != '-' && o[i].letter && word[1] == o[i].letter) {
            *value = word[2] ? word + 2 : NULL;
            return &o[i];
        }
    }
    return NULL;
}

static int read_number(const char *name, const char *value, uint32_t *out)
{
    int64_t n;

    if (dtx_parse_int(value, 1, 1000000, &n) != DTX_OK)
        return dtx_cmd_usage("submit: --%s: '%.60s' is not a whole number from "
                             "1", name, value);
    *out = (uint32_t)n;
    return 0;
}

static int read_time(const char *value, int64_t *out)
{
    if (dtx_submit_time(value, out) != DTX_OK)
        return dtx_cmd_usage("submit: --time: '%.60s' is no time of at least a "
                             "minute, such as 90 (minutes), 4h, 1h30m, "
                             "04:00:00 or 1-12:00:00",
                             value);
    return 0;
}

static int add_extra(struct dtx_submit *s, const char *value)
{
    if (value[0] != '-')
        return dtx_cmd_usage("submit: --sbatch: '%.60s' is no option, such as "
                             "--constraint=skylake", value);
    if (s->nextras == DTX_SUBMIT_EXTRAS)
        return dtx_cmd_usage("submit: more than %d times --sbatch",
                             DTX_SUBMIT_EXTRAS);
    s->extra[s->nextras++] = value;
    return 0;
}

static int take_value(struct request *r, const char *name, const char *value)
{
    if (strcmp(name, "nodes") == 0)
        return read_number(name, value, &r->s.nodes);
    if (strcmp(name, "cpus-per-node") == 0)
        return read_number(name, value, &r->s.cpus);
    if (strcmp(name, "gpus-per-node") == 0)
        return read_number(name, value, &r->s.gpus);
    if (strcmp(name, "time") == 0)
        return read_time(value, &r->s.time_ns);
    if (strcmp(name, "mem-per-node") == 0)
        r->s.mem = value;
    else if (strcmp(name, "partition") == 0)
        r->s.partition = value;
    else if (strcmp(name, "account") == 0)
        r->s.account = value;
    else if (strcmp(name, "qos") == 0)
        r->s.qos = value;
    else if (strcmp(name, "job-name") == 0)
        r->s.name = value;
    else
        return add_extra(&r->s, value);
    return 0;
}

static int take_option(struct request *r, const struct dtx_cmd_option *o,
                       const char *value, int argc, char **argv)
{
    if (!o->value) {
        if (value)
            return dtx_cmd_usage("submit: --%s takes no value", o->name);
        r->dry_run |= strcmp(o->name, "dry-run") == 0;
        r->plan |= strcmp(o->name, "plan") == 0;
        r->s.once |= strcmp(o->name, "no-requeue") == 0;
        return 0;
    }
    if (!value && r->next < argc)
        value = argv[r->next++];
    if (!value || !*value)
        return dtx_cmd_usage("submit: --%s needs a value; " FORM, o->name);
    return take_value(r, o->name, value);
}

/* Options of submit may stand among those of run, before the task file. */
static int read_words(struct request *r, int argc, char **argv, char **words)
{
    const struct dtx_cmd_option *o;
    const char *value;
    int rc;

    for (r->next = 2; r->next < argc;) {
        char *word = argv[r->next];

        if (word[0] != '-' || !word[1] || r->s.nwords > 0)
            break;
        if (strcmp(word, "--") == 0) {
            r->next++;
            break;
        }
        if (dtx_cmd_asks_help(word)) {
            r->help = true;
            return 0;
        }
        o = find(word, &value);
        if (!o)
            break; /* run's from here on */
        r->next++;
        rc = take_option(r, o, value, argc, argv);
        if (rc)
            return rc;
    }
    while (r->next < argc)
        words[r->s.nwords++] = argv[r->next++];
    return 0;
}

/* Is the list one that can be run, by a job that reads it later? */
static int check_tasks(const struct dtx_options *o)
{
    struct dtx_taskfile_more more;
    struct dtx_tasklist list;
    struct dtx_graph graph;
    struct dtx_error err = {0, ""};
    int rc;

    if (o->ranks || o->hostfile)
        return dtx_cmd_usage("submit: the job has a rank on each of its nodes: "
                             "--ranks and --hostfile are not for it");
    if (o->form == DTX_FORM_NONE)
        return 0; /* a resume: its journal is looked at when it runs */
    if (dtx_source_is_stdin(o))
        return dtx_cmd_usage("submit: the job cannot read this standard input: "
                             "name a file");
    memset(&more, 0, sizeof(more));
    rc = dtx_source_read(o, &list, &graph, &more, &err);
    dtx_buf_free(&more.setup);
    dtx_buf_free(&more.teardown);
    if (rc)
        return dtx_cmd_fail(DTX_EXIT_TASKFILE, &err);
    dtx_tasklist_fini(&list);
    dtx_graph_fini(&graph);
    return 0;
}

static int send(const struct dtx_options *o, const struct dtx_buf *script)
{
    struct dtx_error err = {0, ""};
    struct dtx_buf b = DTX_BUF_INIT;
    char id[24], own[48];
    const char *dir;

    if (dtx_submit_send(script->data, script->len, id, sizeof(id), &err)) {
        if (err.code == DTX_ENOENT)
            (void)dtx_error_prefix(&err, "Slurm is not here (--dry-run prints "
                                         "the script): ");
        return dtx_cmd_fail(DTX_CMD_FAILED, &err);
    }
    (void)snprintf(own, sizeof(own), "distributex-%s", id);
    dir = o->run_dir ? o->run_dir : own;
    dtx_buf_printf(&b,
                   "submitted Slurm job %s\n"
                   "  squeue -j %s  # does it run?\n"
                   "  tail -F distributex-%s.log  # what it says\n"
                   "  distributex output --follow %s\n"
                   "  distributex stop %s  # what runs may end\n",
                   id, id, id, dir, dir);
    return dtx_cmd_print(&b);
}

/* --plan: what was not given, as recommended. */
static int fill_plan(struct request *r, const struct dtx_options *o)
{
    struct dtx_foretell f = {.cores = r->s.cpus, .seed = 1};
    struct dtx_buf reason = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    const struct dtx_plan_row *best;
    int status;

    f.nnodes = r->s.nodes > 0;
    f.nodes[0] = r->s.nodes;
    status = dtx_foretell(&f, o, &err);
    if (status)
        return dtx_cmd_fail(status, &err);
    best = &f.plan.row[f.plan.best];
    r->s.nodes = best->nodes;
    if (r->s.time_ns == 0)
        r->s.time_ns = dtx_plan_walltime_ns(best->sure99_s);
    dtx_plan_reason(&f.config, &f.plan, &reason);
    dtx_buf_char(&reason, '\0');
    (void)fprintf(stderr, "distributex: plan: %u node%s for %lld minutes: %s\n",
                  best->nodes, best->nodes == 1 ? "" : "s",
                  (long long)(r->s.time_ns / (60 * DTX_SEC_NS)),
                  reason.failed ? "" : reason.data);
    dtx_buf_free(&reason);
    dtx_foretell_fini(&f);
    return 0;
}

static int submit(struct request *r)
{
    struct dtx_buf script = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct dtx_options o;
    int status = dtx_cli_self(r->self, sizeof(r->self));

    r->s.program = r->self;
    if (!status)
        status = dtx_cli_run_words("submit", FORM, r->s.words, r->s.nwords,
                                   &o);
    if (status)
        return status;
    status = check_tasks(&o);
    if (!status && r->plan)
        status = fill_plan(r, &o);
    if (!status && dtx_submit_script(&r->s, &script, &err))
        status = dtx_cmd_usage("submit: %s", err.text);
    if (!status && r->dry_run) {
        status = dtx_cmd_print(&script);
        script = (struct dtx_buf)DTX_BUF_INIT;
    } else if (!status) {
        status = send(&o, &script);
    }
    dtx_buf_free(&script);
    dtx_options_fini(&o);
    return status;
}

int dtx_cmd_submit(int argc, char **argv)
{
    struct request r;
    char **words = calloc((size_t)argc + 1, sizeof(*words));
    int status;

    if (!words)
        return DTX_EXIT_INTERNAL;
    memset(&r, 0, sizeof(r));
    r.s.words = words;
    status = read_words(&r, argc, argv, words);
    if (!status && r.help)
        status = dtx_cmd_print_usage("submit");
    else if (!status && r.s.nwords == 0)
        status = dtx_cmd_usage("submit: the task file is missing; " FORM);
    else if (!status)
        status = submit(&r);
    free(words);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* "distributex topo": the machine as a run sees it here, what is missing, and
 * how to get it.  It starts nothing and binds nothing. */
#include "cli/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/history.h"
#include "cli/words.h"
#include "mpi/transport.h"
#include "node/cores.h"
#include "node/counters.h"
#include "node/papi.h"
#include "node/topo.h"
#include "run/status.h"
#include "task/machine.h"

struct view {
    char host[DTX_MACHINE_NAME];
    char mpi[256], hwloc[64], counters[64];
    struct dtx_machine machine;
    struct dtx_counter_choice choice;
};

static int look(struct view *v, struct dtx_error *err)
{
    struct dtx_cores cores;
    int rc = dtx_topo_detect(&cores, &v->machine, err);

    if (rc != DTX_OK)
        return rc;
    dtx_cores_free(&cores);
    if (gethostname(v->host, sizeof(v->host)) != 0)
        v->host[0] = '\0';
    v->host[sizeof(v->host) - 1] = '\0';
    (void)dtx_transport_library(v->mpi, sizeof(v->mpi));
    v->mpi[strcspn(v->mpi, ",\n")] = '\0';
    (void)dtx_cores_library(v->hwloc, sizeof(v->hwloc));
    (void)dtx_papi_library(v->counters, sizeof(v->counters));
    dtx_counters_probe(false, &v->choice);
    return DTX_OK;
}

/* ---- text ---- */

static const char *picture(void)
{
    const char *name = dtx_cores_picture();

    return name ? name : "hwloc's environment";
}

/* What this machine does not have or does not tell, and how to get it. */
static void each_missing(const struct dtx_machine *m,
                         void (*fn)(void *ctx, const char *what,
                                    const char *why), void *ctx)
{
    char why[DTX_MACHINE_NAME + 128];

    if (m->ngpus == 0)
        fn(ctx, "gpus", "hwloc sees no NVIDIA or AMD accelerator; "
                        "CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES can name "
                        "some");
    if (m->gpus_odd[0]) {
        (void)snprintf(why, sizeof(why), "'%s' in CUDA_VISIBLE_DEVICES or "
                       "ROCR_VISIBLE_DEVICES is no device, or stands there "
                       "twice", m->gpus_odd);
        fn(ctx, "gpus", why);
    }
    if (!m->path[0])
        fn(ctx, "switches", "SLURM_TOPOLOGY_ADDR is not set (inside a Slurm "
                            "job with TopologyPlugin=topology/tree it is), so "
                            "all other nodes count as equally far");
    if (m->mem_bytes <= 0)
        fn(ctx, "memory", "hwloc does not tell its size");
}

static void put_missing(void *ctx, const char *what, const char *why)
{
    dtx_buf_printf(ctx, "missing   %s: %s\n", what, why);
}

static void put_counted(struct dtx_buf *b, uint8_t counted, const char *quote)
{
    const char *comma = "";
    int i;

    for (i = 0; i < DTX_COUNTED; i++) {
        if (!(counted >> i & 1))
            continue;
        dtx_buf_printf(b, "%s%s%s%s", comma, quote,
                       dtx_counted_name((enum dtx_counted)i), quote);
        comma = ", ";
    }
}

static void put_counters(struct dtx_buf *b, const struct dtx_counter_choice *c)
{
    size_t i;

    dtx_buf_printf(b, "counters  of tasks: %s", dtx_counter_name(c->provider));
    if (c->counted) {
        dtx_buf_str(b, " (");
        put_counted(b, c->counted, "");
        dtx_buf_str(b, "), beside the kernel's accounting\n");
    } else {
        dtx_buf_str(b, ", the kernel's accounting alone\n");
    }
    for (i = 0; i < c->n; i++) {
        const struct dtx_counter_row *row = &c->row[i];

        if (row->why[0])
            dtx_buf_printf(b, "          %s: %s%s\n",
                           dtx_counter_name(row->provider),
                           row->works ? "counts threads, but " : "",
                           row->why);
    }
}

static void put_text(struct dtx_buf *b, const struct view *v)
{
    const struct dtx_machine *m = &v->machine;

    dtx_buf_printf(b, "host      %s\n", v->host);
    dtx_machine_tell(m, b);
    dtx_buf_printf(b, "slots     %lu, one for each core that may be used\n",
                   (unsigned long)m->usable);
    if (m->real)
        dtx_buf_str(b, "binding   tasks of several cpus are bound to their "
                       "cores; others with --bind core\n");
    else
        dtx_buf_printf(b, "binding   none: the machine is a picture (%s), so "
                          "tasks are placed on it but not bound\n", picture());
    dtx_buf_printf(b, "built on  %s; %s; counters: %s\n", v->mpi, v->hwloc,
                   v->counters);
    put_counters(b, &v->choice);
    each_missing(m, put_missing, b);
}

/* ---- JSON ---- */

static void put_number(struct dtx_buf *b, const char *name, int64_t n,
                       bool known)
{
    if (known)
        dtx_buf_printf(b, "\"%s\": %lld", name, (long long)n);
    else
        dtx_buf_printf(b, "\"%s\": null", name);
}

static void put_maybe(struct dtx_buf *b, const char *name, uint32_t n)
{
    put_number(b, name, n, n != DTX_MACHINE_NONE);
}

static void put_rows(struct dtx_buf *b, const struct dtx_machine *m)
{
    size_t i;

    dtx_buf_str(b, "\"caches\": [");
    for (i = 0; i < m->ncaches; i++)
        dtx_buf_printf(b, "%s{\"level\": %lu, \"count\": %lu, \"bytes\": %lld}",
                       i ? ", " : "", (unsigned long)m->caches[i].level,
                       (unsigned long)m->caches[i].count,
                       (long long)m->caches[i].bytes);
    dtx_buf_str(b, "], \"numa\": [");
    for (i = 0; i < m->nnumas; i++)
        dtx_buf_printf(b, "%s{\"os_index\": %lu, \"bytes\": %lld}",
                       i ? ", " : "", (unsigned long)m->numa[i].os_index,
                       (long long)m->numa[i].mem_bytes);
    dtx_buf_str(b, "], \"nests\": [");
    for (i = 0; i < m->nnests; i++) {
        dtx_buf_printf(b, "%s{\"first_core\": %lu, \"cores\": %lu, ",
                       i ? ", " : "", (unsigned long)m->nest[i].at.core,
                       (unsigned long)m->nest[i].ncores);
        put_maybe(b, "numa", m->nest[i].at.numa);
        dtx_buf_str(b, ", ");
        put_maybe(b, "package", m->nest[i].at.package);
        dtx_buf_char(b, '}');
    }
    dtx_buf_str(b, "], \"gpus\": [");
    for (i = 0; i < m->ngpus; i++) {
        dtx_buf_printf(b, "%s{\"kind\": \"%s\", \"name\": ", i ? ", " : "",
                       m->gpu[i].kind == DTX_GPU_CUDA ? "cuda" : "rocm");
        dtx_cli_json_text(b, m->gpu[i].name);
        dtx_buf_str(b, ", ");
        put_maybe(b, "numa", m->gpu[i].numa);
        dtx_buf_str(b, ", ");
        put_maybe(b, "package", m->gpu[i].package);
        dtx_buf_char(b, '}');
    }
    dtx_buf_char(b, ']');
}

static void put_named(struct dtx_buf *b, const char *name, const char *text)
{
    dtx_buf_printf(b, "\"%s\": ", name);
    if (text[0])
        dtx_cli_json_text(b, text);
    else
        dtx_buf_str(b, "null");
}

static void put_sources(struct dtx_buf *b, const struct dtx_counter_choice *c)
{
    size_t i;

    dtx_buf_printf(b, "\"task_counters\": {\"provider\": \"%s\", "
                      "\"counted\": [", dtx_counter_name(c->provider));
    put_counted(b, c->counted, "\"");
    dtx_buf_str(b, "], \"providers\": [");
    for (i = 0; i < c->n; i++) {
        const struct dtx_counter_row *row = &c->row[i];

        dtx_buf_printf(b, "%s{\"name\": \"%s\", \"works\": %s, \"counts\": [",
                       i ? ", " : "", dtx_counter_name(row->provider),
                       row->works ? "true" : "false");
        put_counted(b, row->counted, "\"");
        dtx_buf_str(b, "], ");
        put_named(b, "not_for_tasks", row->why);
        dtx_buf_char(b, '}');
    }
    dtx_buf_str(b, "]}");
}

struct rows {
    struct dtx_buf *out;
    size_t n; /* so far */
};

static void put_missing_json(void *ctx, const char *what, const char *why)
{
    struct rows *r = ctx;

    dtx_buf_printf(r->out, "%s{\"what\": \"%s\", \"why\": ",
                   r->n++ ? ", " : "", what);
    dtx_cli_json_text(r->out, why);
    dtx_buf_char(r->out, '}');
}

/* How many tasks run at once, which of them are bound, and what lacks. */
static void put_use(struct dtx_buf *b, const struct dtx_machine *m)
{
    struct rows missing = {b, 0};

    dtx_buf_printf(b, "\"slots\": %lu, \"binding\": \"%s\", ",
                   (unsigned long)m->usable, m->real ? "wide" : "none");
    put_named(b, "picture", m->real ? "" : picture());
    dtx_buf_str(b, ", \"missing\": [");
    each_missing(m, put_missing_json, &missing);
    dtx_buf_char(b, ']');
}

static void put_json(struct dtx_buf *b, const struct view *v)
{
    const struct dtx_machine *m = &v->machine;

    dtx_buf_char(b, '{');
    put_named(b, "host", v->host);
    dtx_buf_printf(b, ", \"real\": %s, \"packages\": %lu, \"cores\": %lu, "
                      "\"usable_cores\": %lu, \"units\": %lu, ",
                   m->real ? "true" : "false", (unsigned long)m->packages,
                   (unsigned long)m->cores, (unsigned long)m->usable,
                   (unsigned long)m->units);
    put_number(b, "memory_bytes", m->mem_bytes, m->mem_bytes > 0);
    dtx_buf_str(b, ", ");
    put_number(b, "memory_limit_bytes", m->mem_limit, m->mem_limit > 0);
    dtx_buf_str(b, ", ");
    put_rows(b, m);
    dtx_buf_str(b, ", ");
    put_named(b, "switches", m->path);
    dtx_buf_str(b, ", ");
    put_named(b, "mpi", v->mpi);
    dtx_buf_str(b, ", ");
    put_named(b, "topology", v->hwloc);
    dtx_buf_str(b, ", ");
    put_named(b, "counters", v->counters);
    dtx_buf_str(b, ", ");
    put_sources(b, &v->choice);
    dtx_buf_str(b, ", ");
    put_use(b, m);
    dtx_buf_str(b, "}\n");
}

static int show(bool json)
{
    struct dtx_buf out = DTX_BUF_INIT;
    struct dtx_error err = {0, ""};
    struct view v;
    int rc;

    memset(&v, 0, sizeof(v));
    rc = look(&v, &err);
    if (rc != DTX_OK)
        return dtx_cmd_fail(rc == DTX_EINVAL ? DTX_EXIT_USAGE : DTX_CMD_FAILED,
                            &err);
    if (json)
        put_json(&out, &v);
    else
        put_text(&out, &v);
    dtx_machine_free(&v.machine);
    return dtx_cmd_print(&out);
}

int dtx_cmd_topo(int argc, char **argv)
{
    struct dtx_cli_words w;
    bool done = false;
    int status = dtx_cli_words("topo", argc, argv, 2, &w, &done);

    if (done)
        return status;
    if (w.nwords > 0)
        status = dtx_cmd_usage("topo: unexpected '%.60s': it takes options "
                               "alone, see 'distributex topo --help'",
                               w.word[0]);
    else
        status = show(dtx_cli_option(&w, "json") != NULL);
    free(w.word);
    return status;
}

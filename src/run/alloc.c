/* SPDX-License-Identifier: MIT */
/* Reads Slurm's variables; see alloc.h.  It asks nobody and decides nothing but
 * how many ranks fit the shape of the job. */
#include "run/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "task/nodelist.h"

#define MIB (INT64_C(1) << 20)
/* Steps with such numbers are none of srun's: batch, extern, interactive. */
#define FIRST_SPECIAL_STEP INT64_C(0xfffffff0)

static int64_t number_of(const struct dtx_variables *v, const char *name)
{
    return dtx_variable_number(v, name, UINT32_MAX);
}

static int count(void *ctx, const char *name)
{
    (void)name;
    (*(uint32_t *)ctx)++;
    return 0;
}

static uint32_t count_nodes(const struct dtx_variables *l)
{
    const char *list = dtx_variable(l, "SLURM_JOB_NODELIST");
    uint32_t n = (uint32_t)number_of(l, "SLURM_JOB_NUM_NODES");

    if (n == 0 && list && dtx_nodelist_each(list, count, &n))
        n = 0;
    return n;
}

static uint64_t count_cpus(const struct dtx_variables *l)
{
    const char *v = dtx_variable(l, "SLURM_JOB_CPUS_PER_NODE");
    struct dtx_node_counts c;

    return v && dtx_node_counts(v, &c) == DTX_OK ? c.sum : 0;
}

/* Memory comes in MiB, for a node or for a cpu. */
static int64_t read_memory(const struct dtx_variables *l)
{
    int64_t mib = number_of(l, "SLURM_MEM_PER_NODE");

    if (mib == 0)
        mib = number_of(l, "SLURM_MEM_PER_CPU") *
              number_of(l, "SLURM_CPUS_ON_NODE");
    return mib > INT64_MAX / MIB ? 0 : mib * MIB;
}

static bool is_step(const struct dtx_variables *l)
{
    const char *v = dtx_variable(l, "SLURM_STEP_ID");
    int64_t n;

    if (!v)
        v = dtx_variable(l, "SLURM_STEPID");
    return v && dtx_parse_int(v, 0, UINT32_MAX, &n) == DTX_OK &&
           n < FIRST_SPECIAL_STEP;
}

void dtx_alloc_read(dtx_variable_get_f get, void *ctx, struct dtx_alloc *out)
{
    const struct dtx_variables l = {get, ctx};
    const char *id = dtx_variable(&l, "SLURM_JOB_ID");

    memset(out, 0, sizeof(*out));
    if (!id || strlen(id) >= sizeof(out->job_id) ||
        strspn(id, "0123456789") != strlen(id))
        return;
    out->inside = true;
    (void)snprintf(out->job_id, sizeof(out->job_id), "%s", id);
    out->in_step = is_step(&l);
    out->on_node = dtx_variable(&l, "SLURMD_NODENAME") != NULL;
    out->nodes = count_nodes(&l);
    out->tasks = (uint32_t)number_of(&l, "SLURM_NTASKS");
    out->tasks_per_node = (uint32_t)number_of(&l, "SLURM_NTASKS_PER_NODE");
    out->cpus = count_cpus(&l);
    out->mem_bytes = read_memory(&l);
    out->gpus = (uint32_t)number_of(&l, "SLURM_GPUS_ON_NODE");
    out->restarts = (uint32_t)number_of(&l, "SLURM_RESTART_COUNT");
}

uint32_t dtx_alloc_ranks(const struct dtx_alloc *a)
{
    if (!a->inside || a->in_step || (a->nodes <= 1 && a->on_node))
        return 0;
    return a->nodes;
}

void dtx_alloc_tell(const struct dtx_alloc *a, struct dtx_buf *out)
{
    char size[32];

    if (!a->inside)
        return;
    dtx_buf_printf(out, "Slurm job %s: %u node%s", a->job_id,
                   (unsigned)a->nodes, a->nodes == 1 ? "" : "s");
    if (a->cpus > 0)
        dtx_buf_printf(out, ", %" PRIu64 " cpu%s", a->cpus,
                       a->cpus == 1 ? "" : "s");
    if (a->mem_bytes > 0)
        dtx_buf_printf(out, ", %s on each",
                       dtx_format_size(size, sizeof(size), a->mem_bytes));
    if (a->gpus > 0)
        dtx_buf_printf(out, ", %u gpu%s on each", (unsigned)a->gpus,
                       a->gpus == 1 ? "" : "s");
    if (a->restarts > 0)
        dtx_buf_printf(out, ", started again (%u)", (unsigned)a->restarts);
}

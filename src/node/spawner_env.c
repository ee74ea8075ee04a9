/* SPDX-License-Identifier: MIT */
/* Decides which variables a task sees; see spawner_env.h.  It takes out what
 * would make an MPI program inside a task believe that it is one of our ranks,
 * and never touches what belongs to the user. */
#include "node/spawner_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "node/spawner.h"

/* Names that begin so belong to a launcher or to the job around us. */
static const char *const foreign_prefix[] = {
    "OMPI_",  "PMIX_", "ORTE_",  "PRTE_",      "OPAL_",
    "PMI_",   "PMI2_", "IPATH_", "HYDRA",      "HYDI_",
    "PALS_",  "DTX_",  "MPIR_",  "MV2_COMM_WORLD_",
    "MPI_LOCAL",
};

static const char *const foreign_name[] = {
    "PARALLEL_SEQ",
    "PARALLEL_JOBSLOT",
    "PARALLEL_PID",
    "SLURM_STEP_NUM_TASKS", /* or our own program in a task would refuse */
};

/* ... apart from these, which are the user's word. */
static const char *const kept_prefix[] = {"OMPI_ALLOW_RUN_AS_ROOT"};

/* A task that is bound to its cores may call mpirun: the ranks it starts then
 * stay on those cores (Open MPI would bind the first ones of what it finds,
 * for every task the same) and may be more than there are cores. */
static const char *const bound_entries[] = {
    "OMPI_MCA_hwloc_base_binding_policy=none",
    "OMPI_MCA_rmaps_base_oversubscribe=1",
    "PRTE_MCA_hwloc_default_binding_policy=none",
    "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe",
};

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static bool begins_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool has_name(const char *entry, const char *name)
{
    size_t n = strlen(name);

    return strncmp(entry, name, n) == 0 && entry[n] == '=';
}

bool dtx_env_is_foreign(const char *entry)
{
    size_t i;

    for (i = 0; i < LEN(kept_prefix); i++)
        if (begins_with(entry, kept_prefix[i]))
            return false;
    for (i = 0; i < LEN(foreign_prefix); i++)
        if (begins_with(entry, foreign_prefix[i]))
            return true;
    for (i = 0; i < LEN(foreign_name); i++)
        if (has_name(entry, foreign_name[i]))
            return true;
    return false;
}

const char *dtx_env_find(char *const *env, const char *name)
{
    for (; env && *env; env++)
        if (has_name(*env, name))
            return *env + strlen(name) + 1;
    return NULL;
}

static bool make_run_dir(struct dtx_env *e, const char *dir)
{
    size_t size = strlen("DTX_RUN_DIR=") + strlen(dir) + 1;

    e->run_dir = malloc(size);
    if (e->run_dir)
        (void)snprintf(e->run_dir, size, "DTX_RUN_DIR=%s", dir);
    return e->run_dir != NULL;
}

int dtx_env_init(struct dtx_env *e, const struct dtx_spawner_config *c)
{
    size_t n = 0, i;

    memset(e, 0, sizeof(*e));
    while (c->env && c->env[n])
        n++;
    e->vec = calloc(n + 2 + DTX_ENV_CHANGING + LEN(bound_entries) + 2,
                    sizeof(char *));
    if (!e->vec || !make_run_dir(e, c->run_dir)) {
        dtx_env_fini(e);
        return DTX_ENOMEM;
    }
    for (i = 0; i < n; i++)
        if (!dtx_env_is_foreign(c->env[i]))
            e->vec[e->nshared++] = c->env[i];
    (void)snprintf(e->rank, sizeof(e->rank), "DTX_RANK=%u", c->rank);
    e->vec[e->nshared++] = e->rank;
    e->vec[e->nshared++] = e->run_dir;
    e->own_omp = dtx_env_find(c->env, "OMP_NUM_THREADS") != NULL;
    e->deadline_ns = c->deadline_ns;
    e->path = dtx_env_find(c->env, "PATH");
    return 0;
}

void dtx_env_fini(struct dtx_env *e)
{
    free(e->vec);
    free(e->run_dir);
    memset(e, 0, sizeof(*e));
}

/* Write "NAME=" and the digits; cheaper than snprintf, and there are many. */
static char *put_number(char *buf, const char *name, uint64_t value)
{
    size_t n = strlen(name);
    char digit[24];
    size_t k = 0;
    char *p = buf;

    memcpy(p, name, n);
    p += n;
    *p++ = '=';
    do {
        digit[k++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value);
    while (k > 0)
        *p++ = digit[--k];
    *p = '\0';
    return buf;
}

static uint64_t seconds_left(int64_t deadline_ns, int64_t now_ns)
{
    return deadline_ns > now_ns
               ? (uint64_t)((deadline_ns - now_ns) / DTX_SEC_NS)
               : 0;
}

char *const *dtx_env_task(struct dtx_env *e, const struct dtx_env_task *t)
{
    char **v = e->vec + e->nshared;
    char(*b)[48] = e->number;
    uint64_t id = (uint64_t)t->task + 1;
    size_t i;

    *v++ = put_number(*b++, "DTX_TASK_ID", id);
    *v++ = put_number(*b++, "PARALLEL_SEQ", id);
    *v++ = put_number(*b++, "DTX_ATTEMPT", t->attempt);
    *v++ = put_number(*b++, "DTX_SLOT", t->slot);
    *v++ = put_number(*b++, "PARALLEL_JOBSLOT", t->slot);
    if (!e->own_omp)
        *v++ = put_number(*b++, "OMP_NUM_THREADS", t->cpus);
    if (e->deadline_ns)
        *v++ = put_number(*b++, "DTX_REMAINING_SECONDS",
                          seconds_left(e->deadline_ns, t->now_ns));
    if (t->name) {
        (void)snprintf(e->name, sizeof(e->name), "DTX_TASK_NAME=%s", t->name);
        *v++ = e->name;
    }
    for (i = 0; t->bound && i < LEN(bound_entries); i++)
        *v++ = (char *)(uintptr_t)bound_entries[i];
    *v = NULL;
    return e->vec;
}

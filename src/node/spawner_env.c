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
#include "task/task.h"

/* Names that begin so belong to a launcher or to the job around us. */
static const char *const foreign_prefix[] = {
    "OMPI_",  "PMIX_", "ORTE_",  "PRTE_",      "OPAL_",
    "PMI_",   "PMI2_", "IPATH_", "HYDRA",      "HYDI_",
    "PALS_",  "DTX_",  "MPIR_",  "MV2_COMM_WORLD_",
    "MPI_LOCAL",
    /* of a Slurm job what tells of the step and of its shape over the nodes:
       neither is the task's */
    "SLURM_STEP", "SLURM_SRUN_", "SLURM_LAUNCH_", "SLURM_PMIX",
    "SLURM_CPU_BIND", "SLURM_TASKS_PER_NODE", "SLURM_JOB_CPUS_PER_NODE",
    "SLURM_DISTRIBUTION", "SLURM_EXPORT_ENV",
};

static const char *const foreign_name[] = {
    "PARALLEL_SEQ",
    "PARALLEL_JOBSLOT",
    "PARALLEL_PID",
    "SLURM_MPI_TYPE",
    "SLURM_TASK_PID",
    "SLURM_GTIDS",
    "SLURM_JOB_NODELIST",
    "SLURM_NODELIST",
    "SLURM_NTASKS_PER_NODE",
    "SLURM_NO_KILL",
    "SLURM_OVERLAP",
};

/* A task in a Slurm job sees a job like its own: one node, one process, its
 * cores. Else "mpirun -n $SLURM_NTASKS" and the like in its script would start
 * what was meant for the whole job. */
static const char *const slurm_entries[] = {
    "SLURM_NTASKS=1",        "SLURM_NPROCS=1", "SLURM_NNODES=1",
    "SLURM_JOB_NUM_NODES=1", "SLURM_PROCID=0", "SLURM_LOCALID=0",
    "SLURM_NODEID=0",
    /* mpirun of any kind stays on this node: it asks Slurm neither for nodes
       nor to start its daemons */
    "OMPI_MCA_ras=^slurm",   "OMPI_MCA_plm=^slurm",
    "PRTE_MCA_ras=^slurm",   "PRTE_MCA_plm=^slurm",
    "HYDRA_BOOTSTRAP=fork",  "HYDRA_RMK=user",
    "I_MPI_HYDRA_BOOTSTRAP=fork", "I_MPI_HYDRA_RMK=user",
};

/* ... apart from these, which are the user's word. */
static const char *const kept_prefix[] = {"OMPI_ALLOW_RUN_AS_ROOT"};

/* A task may call mpirun: the ranks it starts stay on the cores the task may
 * use.  Open MPI does not look at these; it would bind to the first cores of
 * the machine, for every task the same. */
static const char *const nested_entries[DTX_ENV_NESTED] = {
    "OMPI_MCA_hwloc_base_binding_policy=none",
    "PRTE_MCA_hwloc_default_binding_policy=none",
    /* ... and where the task is bound they may be more than it has cores */
    "OMPI_MCA_rmaps_base_oversubscribe=1",
    "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe",
};

#define NUNBOUND 2 /* the first of them are for all tasks */

/* Settings for a launcher in a task: the user's, where no launcher started us
 * (it passes its own settings in variables of these names). */
static const char *const setting_prefix[] = {"OMPI_MCA_", "PRTE_MCA_",
                                             "PMIX_MCA_"};
static const char *const launched_prefix[] = {
    "OMPI_COMM_WORLD_", "OMPI_MCA_orte_hnp_uri=", "PMIX_RANK=",
    "PMIX_NAMESPACE="};

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

/* Does this entry of the base give way to one of 'slurm_entries', or to the
 * numbers that follow the task's cores? */
static bool is_slurm_shape(const char *entry)
{
    size_t i;

    for (i = 0; i < LEN(slurm_entries); i++) {
        size_t n = strcspn(slurm_entries[i], "=") + 1;

        if (strncmp(entry, slurm_entries[i], n) == 0)
            return true;
    }
    return has_name(entry, "SLURM_CPUS_PER_TASK") ||
           has_name(entry, "SLURM_CPUS_ON_NODE");
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

static bool begins_with_one(const char *s, const char *const *prefix, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (begins_with(s, prefix[i]))
            return true;
    return false;
}

/* Let tasks have what the user tells their launchers. */
static void keep_settings(struct dtx_env *e, char *const *env)
{
    char *const *p;

    for (p = env; p && *p; p++)
        if (begins_with_one(*p, launched_prefix, LEN(launched_prefix)))
            return;
    for (p = env; p && *p; p++)
        if (begins_with_one(*p, setting_prefix, LEN(setting_prefix)))
            e->base[e->nbase++] = *p;
}

/* Is the variable of this entry among those all tasks have? */
static bool has_variable(const struct dtx_env *e, const char *entry)
{
    size_t n = strcspn(entry, "=") + 1, i;

    for (i = 0; i < e->nbase; i++)
        if (strncmp(e->base[i], entry, n) == 0)
            return true;
    return false;
}

/* What the user has not set, nor the opposite of it. */
static void choose_nested(struct dtx_env *e)
{
    bool exact = has_variable(e, "OMPI_MCA_rmaps_base_no_oversubscribe=");
    size_t i;

    for (i = 0; i < DTX_ENV_NESTED; i++) {
        if (i == NUNBOUND)
            e->nunbound = e->nnested;
        if (!has_variable(e, nested_entries[i]) && !(exact && i >= NUNBOUND))
            e->nested[e->nnested++] = (char *)(uintptr_t)nested_entries[i];
    }
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
    e->base = calloc(n + 2 + LEN(slurm_entries), sizeof(char *));
    e->vec = calloc(n + 2 + LEN(slurm_entries) + DTX_ENV_CHANGING +
                        DTX_ENV_NESTED + DTX_MAX_ENV_ENTRIES + 2,
                    sizeof(char *));
    if (!e->base || !e->vec || !make_run_dir(e, c->run_dir)) {
        dtx_env_fini(e);
        return DTX_ENOMEM;
    }
    e->in_slurm = dtx_env_find(c->env, "SLURM_JOB_ID") != NULL;
    for (i = 0; i < n; i++)
        if (!dtx_env_is_foreign(c->env[i]) &&
            !(e->in_slurm && is_slurm_shape(c->env[i])))
            e->base[e->nbase++] = c->env[i];
    for (i = 0; e->in_slurm && i < LEN(slurm_entries); i++)
        e->base[e->nbase++] = (char *)(uintptr_t)slurm_entries[i];
    e->rank_number = c->rank;
    (void)snprintf(e->rank, sizeof(e->rank), "DTX_RANK=%u", c->rank);
    e->base[e->nbase++] = e->rank;
    e->base[e->nbase++] = e->run_dir;
    keep_settings(e, c->env);
    choose_nested(e);
    memcpy(e->vec, e->base, e->nbase * sizeof(char *));
    e->nshared = e->nbase;
    e->own_omp = dtx_env_find(c->env, "OMP_NUM_THREADS") != NULL;
    e->deadline_ns = c->deadline_ns;
    e->path = dtx_env_find(c->env, "PATH");
    return 0;
}

void dtx_env_fini(struct dtx_env *e)
{
    free(e->base);
    free(e->vec);
    free(e->extra);
    free(e->run_dir);
    dtx_buf_free(&e->text);
    memset(e, 0, sizeof(*e));
}

/* ---- further variables of a task ---- */

/* The end of the entry that begins at 's'. */
static const char *entry_end(const char *s)
{
    return s + strcspn(s, "\n");
}

/* Is the variable of this "NAME=value" set by the text 'extra'? */
static bool is_replaced(const char *entry, const char *extra)
{
    size_t n = strcspn(entry, "=") + 1;

    for (; *extra; extra = *entry_end(extra) ? entry_end(extra) + 1
                                             : entry_end(extra))
        if (strncmp(extra, entry, n) == 0)
            return true;
    return false;
}

/* Leave out of the shared part what this text replaces. */
static bool adopt_extra(struct dtx_env *e, const char *extra)
{
    char *copy;
    size_t i;

    if (!extra && !e->extra)
        return true;
    if (extra && e->extra && strcmp(extra, e->extra) == 0)
        return true;
    copy = extra ? strdup(extra) : NULL;
    if (extra && !copy)
        return false;
    free(e->extra);
    e->extra = copy;
    e->nshared = 0;
    for (i = 0; i < e->nbase; i++)
        if (!extra || !is_replaced(e->base[i], extra))
            e->vec[e->nshared++] = e->base[i];
    return true;
}

/* One entry, with numbers for the letters behind '%', and a NUL. */
static void put_extra(struct dtx_buf *b, const char *s, const char *end,
                      const struct dtx_env_task *t, uint32_t rank)
{
    for (; s < end; s++) {
        if (*s != '%' || s + 1 == end) {
            dtx_buf_char(b, *s);
            continue;
        }
        s++;
        if (*s == 'i')
            dtx_buf_printf(b, "%lu", (unsigned long)t->index);
        else if (*s == 't')
            dtx_buf_printf(b, "%lu", (unsigned long)t->task + 1);
        else if (*s == 'z')
            dtx_buf_printf(b, "%lu", (unsigned long)t->task);
        else if (*s == 's')
            dtx_buf_printf(b, "%lu", (unsigned long)t->slot);
        else if (*s == 'o')
            dtx_buf_printf(b, "%lu", (unsigned long)t->slot - 1);
        else if (*s == 'r')
            dtx_buf_printf(b, "%lu", (unsigned long)rank);
        else
            dtx_buf_char(b, *s);
    }
    dtx_buf_append(b, "", 1);
}

/* Put the entries at '*v' and go behind them. */
static bool put_extras(struct dtx_env *e, const struct dtx_env_task *t,
                       char ***v)
{
    size_t at[DTX_MAX_ENV_ENTRIES], n = 0, i;
    const char *s = e->extra;

    dtx_buf_clear(&e->text);
    while (s && *s && n < DTX_MAX_ENV_ENTRIES) {
        const char *end = entry_end(s);

        at[n++] = e->text.len;
        put_extra(&e->text, s, end, t, e->rank_number);
        s = *end ? end + 1 : end;
    }
    for (i = 0; i < n && !e->text.failed; i++)
        *(*v)++ = e->text.data + at[i];
    return !e->text.failed;
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
    char **v;
    char(*b)[48] = e->number;
    uint64_t id = (uint64_t)t->task + 1;
    size_t i;

    if (!adopt_extra(e, t->extra))
        return NULL;
    v = e->vec + e->nshared;
    if (!put_extras(e, t, &v))
        return NULL;
    if (t->task != DTX_NO_TASK) { /* else it is no task */
        *v++ = put_number(*b++, "DTX_TASK_ID", id);
        *v++ = put_number(*b++, "PARALLEL_SEQ", id);
        *v++ = put_number(*b++, "DTX_ATTEMPT", t->attempt);
    }
    *v++ = put_number(*b++, "DTX_SLOT", t->slot);
    *v++ = put_number(*b++, "PARALLEL_JOBSLOT", t->slot);
    if (!e->own_omp)
        *v++ = put_number(*b++, "OMP_NUM_THREADS", t->cpus);
    if (e->in_slurm) {
        *v++ = put_number(*b++, "SLURM_CPUS_PER_TASK", t->cpus);
        *v++ = put_number(*b++, "SLURM_CPUS_ON_NODE", t->cpus);
    }
    if (e->deadline_ns)
        *v++ = put_number(*b++, "DTX_REMAINING_SECONDS",
                          seconds_left(e->deadline_ns, t->now_ns));
    if (t->name) {
        (void)snprintf(e->name, sizeof(e->name), "DTX_TASK_NAME=%s", t->name);
        *v++ = e->name;
    }
    for (i = 0; i < (t->bound ? e->nnested : e->nunbound); i++)
        *v++ = e->nested[i];
    *v = NULL;
    return e->vec;
}

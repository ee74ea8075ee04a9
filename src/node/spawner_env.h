/* SPDX-License-Identifier: MIT */
/* node/spawner_env.h - the environment a task starts with
 *
 * The part that all tasks share is made once; per task only the entries that
 * differ are written, into buffers of the struct, so a task's environment is
 * valid until the next one is asked for.  Further variables of a task mostly
 * are the same text for all tasks of a job: what they take the place of is
 * found when that text changes.
 */
#ifndef DTX_NODE_SPAWNER_ENV_H
#define DTX_NODE_SPAWNER_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct dtx_spawner_config;

#define DTX_ENV_NAME_MAX 1023u /* bytes of a DTX_TASK_NAME */
#define DTX_ENV_CHANGING 12
#define DTX_ENV_NESTED 4 /* settings for an mpirun in a task */

struct dtx_env {
    char **base;   /* what all tasks share; borrowed and own entries */
    size_t nbase;
    char **vec;    /* of those, what 'extra' does not replace; then room for a
                      task's */
    size_t nshared;
    char *extra;   /* the last task's further variables, or NULL */
    size_t nextra;
    struct dtx_buf text; /* those with the task's numbers put in */
    char *nested[DTX_ENV_NESTED]; /* not set by the user */
    size_t nnested, nunbound;     /* of them; those of tasks not bound */
    uint32_t rank_number;
    bool own_omp;  /* the user has set OMP_NUM_THREADS */
    bool in_slurm; /* within a Slurm job: its variables are cut to the task */
    int64_t deadline_ns;
    const char *path; /* value of PATH; borrowed from the configuration */
    char rank[32];
    char *run_dir;
    char number[DTX_ENV_CHANGING][48];
    char name[16 + DTX_ENV_NAME_MAX + 1];
};

struct dtx_env_task {
    uint32_t task, attempt, slot, cpus;
    uint32_t index;
    const char *name;  /* NULL = none */
    const char *extra; /* see struct dtx_task_attr; NULL = none */
    int64_t now_ns;   /* wall clock */
    bool bound;       /* to its cores: an mpirun in it may start more ranks */
};

/* Is this "NAME=value" the launcher's or an outer job's, not the user's?
 * Settings such as OMPI_MCA_btl count as the launcher's; they reach the tasks
 * all the same where no launcher has started this process. */
bool dtx_env_is_foreign(const char *entry);
/* The value of 'name' in 'env', or NULL. */
const char *dtx_env_find(char *const *env, const char *name);

/* Borrows the strings of the configuration. 0 or DTX_ENOMEM. */
int dtx_env_init(struct dtx_env *e, const struct dtx_spawner_config *c);
void dtx_env_fini(struct dtx_env *e);
/* NULL when out of memory. */
char *const *dtx_env_task(struct dtx_env *e, const struct dtx_env_task *t);

#endif

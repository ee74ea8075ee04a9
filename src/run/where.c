/* SPDX-License-Identifier: MIT */
/* Am I a rank; see where.h.  It decides from names and numbers in the
 * environment alone; it never reads SLURM_PROCID or SLURM_NTASKS, which batch
 * scripts carry as well, and never starts MPI to find out. */
#include "run/where.h"

#include <stdio.h>

#include "base/error.h"

static uint32_t number_of(const struct dtx_variables *v, const char *name)
{
    return (uint32_t)dtx_variable_number(v, name, INT32_MAX);
}

static int settle_on(struct dtx_where_info *out, enum dtx_where where,
                     uint32_t size, const char *reason)
{
    out->where = where;
    out->world_size = size;
    (void)snprintf(out->reason, sizeof(out->reason), "%s", reason);
    return DTX_OK;
}

static int refuse(struct dtx_where_info *out, uint32_t size,
                  const char *launcher, const char *remedy,
                  struct dtx_error *err)
{
    out->where = DTX_WHERE_REFUSE;
    out->world_size = size;
    (void)snprintf(out->reason, sizeof(out->reason),
                   "%s started %u copies of this program but MPI sees only one "
                   "%s; nothing was run",
                   launcher, (unsigned)size, remedy);
    return dtx_error_set(err, DTX_EMPI, "%s", out->reason);
}

static int refuse_srun(struct dtx_where_info *out, uint32_t size,
                       struct dtx_error *err)
{
    return refuse(out, size, "srun",
                  "(no PMIx): use `srun --mpi=pmix ...` or `mpirun ...`", err);
}

static int refuse_hydra(struct dtx_where_info *out, uint32_t size,
                        struct dtx_error *err)
{
    return refuse(out, size, "a launcher of another MPI",
                  "(this program is built with Open MPI): use Open MPI's "
                  "mpirun, or `srun --mpi=pmix ...`",
                  err);
}

int dtx_where_am_i(dtx_variable_get_f get, void *ctx,
                   struct dtx_where_info *out, struct dtx_error *err)
{
    const struct dtx_variables l = {get, ctx};
    uint32_t step = number_of(&l, "SLURM_STEP_NUM_TASKS");
    uint32_t pmi = number_of(&l, "PMI_SIZE");
    bool hydra = dtx_variable(&l, "HYDI_CONTROL_FD") ||
                 dtx_variable(&l, "MPI_LOCALNRANKS");

    out->inside_task = dtx_variable(&l, "DTX_TASK_ID") != NULL;
    if (dtx_variable(&l, "OMPI_COMM_WORLD_SIZE"))
        return settle_on(out, DTX_WHERE_RANK,
                         number_of(&l, "OMPI_COMM_WORLD_SIZE"),
                         "a rank: OMPI_COMM_WORLD_SIZE is set");
    if (dtx_variable(&l, "PMIX_RANK"))
        return settle_on(out, DTX_WHERE_RANK, step,
                         "a rank: PMIX_RANK is set");
    /* Hydra starts its proxies with srun: ranks then carry both. */
    if (pmi > 1 && hydra)
        return refuse_hydra(out, pmi, err);
    if (step > 1)
        return refuse_srun(out, step, err);
    if (pmi > 1)
        return refuse_hydra(out, pmi, err);
    if (out->inside_task)
        return settle_on(out, DTX_WHERE_INSIDE_TASK, 1,
                         "one process inside a task: DTX_TASK_ID is set");
    return settle_on(out, DTX_WHERE_SINGLE, 1,
                     "one process: no launcher's variables are set");
}

int dtx_where_check(const struct dtx_where_info *info, int mpi_size,
                    struct dtx_error *err)
{
    if (mpi_size != 1 || info->world_size <= 1)
        return DTX_OK;
    return dtx_error_set(err, DTX_EMPI,
                         "the launcher started %u copies of this program but "
                         "MPI sees only one: start it with the mpirun of the "
                         "Open MPI it is built with, or `srun --mpi=pmix ...`; "
                         "nothing was run",
                         (unsigned)info->world_size);
}

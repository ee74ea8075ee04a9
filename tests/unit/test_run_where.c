/* SPDX-License-Identifier: MIT */
/* Am I a rank: one row per way of being started. */
#include "run/where.h"

#include <check.h>
#include <string.h>

#include "base/error.h"
#include "check_main.h"

struct row {
    const char *how;
    const char *env[12]; /* "NAME=value", ended by NULL */
    enum dtx_where where;
    uint32_t size;
    const char *says; /* part of the reason */
    bool inside_task;
};

/* What a batch script sees in an allocation of 4 tasks. */
#define BATCH                                                                  \
    "SLURM_JOB_ID=7", "SLURM_PROCID=0", "SLURM_NTASKS=4", "SLURM_NPROCS=4",    \
        "SLURM_LOCALID=0"

static const struct row rows[] = {
    {"plainly", {"HOME=/root"}, DTX_WHERE_SINGLE, 1, "no launcher", false},
    {"mpirun -n 4",
     {"OMPI_COMM_WORLD_SIZE=4", "PMIX_RANK=2"},
     DTX_WHERE_RANK, 4, "OMPI_COMM_WORLD_SIZE", false},
    {"mpirun -n 1", {"OMPI_COMM_WORLD_SIZE=1"}, DTX_WHERE_RANK, 1, "OMPI",
     false},
    {"mpirun under sbatch: the orted's step variables",
     {BATCH, "SLURM_STEP_NUM_TASKS=3", "OMPI_COMM_WORLD_SIZE=8"},
     DTX_WHERE_RANK, 8, "OMPI", false},
    {"mpirun with a strange size",
     {"OMPI_COMM_WORLD_SIZE=many"},
     DTX_WHERE_RANK, 0, "OMPI", false},
    {"srun --mpi=pmix -n 4",
     {BATCH, "SLURM_STEP_NUM_TASKS=4", "PMIX_RANK=1"},
     DTX_WHERE_RANK, 4, "PMIX_RANK", false},
    {"srun --mpi=pmix -n 1",
     {"SLURM_STEP_NUM_TASKS=1", "PMIX_RANK=0"},
     DTX_WHERE_RANK, 1, "PMIX_RANK", false},
    {"prterun", {"PMIX_RANK=0"}, DTX_WHERE_RANK, 0, "PMIX_RANK", false},
    {"sbatch script", {BATCH}, DTX_WHERE_SINGLE, 1, "no launcher", false},
    {"srun --pty bash in an allocation of 4",
     {BATCH, "SLURM_STEP_NUM_TASKS=1", "SLURM_STEP_ID=0"},
     DTX_WHERE_SINGLE, 1, "no launcher", false},
    {"srun --mpi=none -n 4",
     {BATCH, "SLURM_STEP_NUM_TASKS=4"},
     DTX_WHERE_REFUSE, 4,
     "srun started 4 copies of this program but MPI sees only one (no PMIx): "
     "use `srun --mpi=pmix ...` or `mpirun ...`; nothing was run",
     false},
    {"srun --mpi=pmi2 -n 4",
     {BATCH, "SLURM_STEP_NUM_TASKS=4", "PMI_SIZE=4", "PMI_RANK=1"},
     DTX_WHERE_REFUSE, 4, "--mpi=pmix", false},
    {"srun with garbage", {"SLURM_STEP_NUM_TASKS=x"}, DTX_WHERE_SINGLE, 1, "",
     false},
    {"srun with an empty count", {"SLURM_STEP_NUM_TASKS="}, DTX_WHERE_SINGLE,
     1, "", false},
    {"MPICH's mpiexec -n 3",
     {"PMI_SIZE=3", "PMI_RANK=0", "MPI_LOCALNRANKS=3"},
     DTX_WHERE_REFUSE, 3, "built with Open MPI", false},
    {"MPICH's mpiexec -n 1", {"PMI_SIZE=1"}, DTX_WHERE_SINGLE, 1, "", false},
    {"a PMI launcher without marks", {"PMI_SIZE=5"}, DTX_WHERE_REFUSE, 5,
     "started 5 copies", false},
    {"MPICH's mpiexec over two nodes of Slurm",
     {BATCH, "SLURM_STEP_NUM_TASKS=2", "PMI_SIZE=8", "HYDI_CONTROL_FD=6"},
     DTX_WHERE_REFUSE, 8, "built with Open MPI", false},
    {"inside a task", {"DTX_TASK_ID=12"}, DTX_WHERE_INSIDE_TASK, 1,
     "DTX_TASK_ID", true},
    {"inside a task under Slurm", {BATCH, "DTX_TASK_ID=12"},
     DTX_WHERE_INSIDE_TASK, 1, "DTX_TASK_ID", true},
    {"mpirun inside a task",
     {"DTX_TASK_ID=12", "OMPI_COMM_WORLD_SIZE=2"},
     DTX_WHERE_RANK, 2, "OMPI", true},
    {"srun --mpi=none inside a task",
     {"DTX_TASK_ID=12", "SLURM_STEP_NUM_TASKS=2"},
     DTX_WHERE_REFUSE, 2, "nothing was run", true},
    {"empty variables",
     {"OMPI_COMM_WORLD_SIZE=", "PMIX_RANK=", "DTX_TASK_ID="},
     DTX_WHERE_SINGLE, 1, "", false},
};

static const char *get(void *ctx, const char *name)
{
    const struct row *r = ctx;
    size_t len = strlen(name);

    for (size_t i = 0; i < 12 && r->env[i]; i++) {
        if (strncmp(r->env[i], name, len) == 0 && r->env[i][len] == '=')
            return r->env[i] + len + 1;
    }
    return NULL;
}

START_TEST(test_rows)
{
    struct row r = rows[_i];
    struct dtx_where_info info;
    struct dtx_error err = {0, ""};
    int rc = dtx_where_am_i(get, &r, &info, &err);

    ck_assert_msg(info.where == r.where, "%s: %d", r.how, (int)info.where);
    ck_assert_int_eq(rc, r.where == DTX_WHERE_REFUSE ? DTX_EMPI : DTX_OK);
    ck_assert_uint_eq(info.world_size, r.size);
    ck_assert_msg(strstr(info.reason, r.says), "%s: %s", r.how, info.reason);
    ck_assert_int_eq(info.inside_task, r.inside_task);
    if (rc < 0)
        ck_assert_str_eq(err.text, info.reason);
}
END_TEST

static const struct {
    uint32_t world_size;
    int mpi_size, rc;
} checks[] = {
    {4, 1, DTX_EMPI}, {2, 1, DTX_EMPI}, {4, 4, DTX_OK}, {1, 1, DTX_OK},
    {0, 1, DTX_OK},   {0, 9, DTX_OK},   {1, 4, DTX_OK},
};

START_TEST(test_check)
{
    struct dtx_where_info info = {DTX_WHERE_RANK, checks[_i].world_size, false,
                                  ""};
    struct dtx_error err = {0, ""};

    ck_assert_int_eq(dtx_where_check(&info, checks[_i].mpi_size, &err),
                     checks[_i].rc);
    ck_assert_int_eq(strstr(err.text, "nothing was run") != NULL,
                     checks[_i].rc < 0);
    ck_assert_int_eq(dtx_where_check(&info, checks[_i].mpi_size, NULL),
                     checks[_i].rc);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/where");
    TCase *tc = tcase_create("where");

    tcase_add_loop_test(tc, test_rows, 0, DTX_COUNT(rows));
    tcase_add_loop_test(tc, test_check, 0, DTX_COUNT(checks));
    suite_add_tcase(s, tc);
    return dtx_check_main(s);
}

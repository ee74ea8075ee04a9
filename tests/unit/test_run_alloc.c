/* SPDX-License-Identifier: MIT */
/* What an allocation offers: one row per way of being in one. */
#include "run/alloc.h"

#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "check_main.h"

struct row {
    const char *how;
    const char *env[12]; /* "NAME=value", ended by NULL */
    uint32_t ranks;
    const char *told;
};

/* As Slurm 22.05 sets them for a batch script on four nodes. */
#define BATCH                                                                  \
    "SLURM_JOB_ID=17", "SLURM_JOB_NUM_NODES=4",                                \
        "SLURM_JOB_NODELIST=n[1-4]", "SLURM_JOB_CPUS_PER_NODE=64(x4)"

static const struct row rows[] = {
    {"no Slurm", {"HOME=/root"}, 0, ""},
    {"a batch script",
     {BATCH, "SLURMD_NODENAME=n1", "SLURM_PROCID=0", "SLURM_NTASKS=4"},
     4, "Slurm job 17: 4 nodes, 256 cpus"},
    {"with memory and GPUs, for the second time",
     {BATCH, "SLURMD_NODENAME=n1", "SLURM_MEM_PER_NODE=2048",
      "SLURM_GPUS_ON_NODE=2", "SLURM_RESTART_COUNT=1"},
     4,
     "Slurm job 17: 4 nodes, 256 cpus, 2.0 GiB on each, 2 gpus on each, "
     "started again (1)"},
    {"memory for each cpu",
     {"SLURM_JOB_ID=5", "SLURM_JOB_NUM_NODES=1", "SLURMD_NODENAME=n1",
      "SLURM_JOB_CPUS_PER_NODE=1", "SLURM_MEM_PER_CPU=1024",
      "SLURM_CPUS_ON_NODE=1"},
     0, "Slurm job 5: 1 node, 1 cpu, 1.0 GiB on each"},
    {"salloc's shell on a login node, for one node",
     {"SLURM_JOB_ID=5", "SLURM_JOB_NUM_NODES=1"}, 1, "Slurm job 5: 1 node"},
    {"srun of one process in four nodes",
     {BATCH, "SLURMD_NODENAME=n1", "SLURM_STEP_ID=0"}, 0, "Slurm job 17"},
    {"salloc's interactive step",
     {BATCH, "SLURMD_NODENAME=n1", "SLURM_STEP_ID=4294967290"},
     4, "Slurm job 17"},
    {"the number of nodes from the list",
     {"SLURM_JOB_ID=5", "SLURM_JOB_NODELIST=a[1-3],b", "SLURMD_NODENAME=a1"},
     4, "Slurm job 5: 4 nodes"},
    {"nonsense",
     {"SLURM_JOB_ID=5", "SLURM_JOB_NODELIST=a[1-", "SLURMD_NODENAME=a1",
      "SLURM_JOB_CPUS_PER_NODE=(x4)", "SLURM_MEM_PER_NODE=-1"},
     0, "Slurm job 5: 0 nodes"},
    {"a number that is none", {"SLURM_JOB_ID=5;reboot"}, 0, ""},
};

static const char *get(void *ctx, const char *name)
{
    const struct row *r = ctx;
    size_t n = strlen(name), i;

    for (i = 0; r->env[i]; i++) {
        if (strncmp(r->env[i], name, n) == 0 && r->env[i][n] == '=')
            return r->env[i] + n + 1;
    }
    return NULL;
}

START_TEST(test_rows)
{
    struct row r = rows[_i];
    struct dtx_buf b = DTX_BUF_INIT;
    struct dtx_alloc a;

    dtx_alloc_read(get, &r, &a);
    ck_assert_msg(dtx_alloc_ranks(&a) == r.ranks, "%s: %u", r.how,
                  (unsigned)dtx_alloc_ranks(&a));
    dtx_alloc_tell(&a, &b);
    ck_assert_msg(r.told[0] ? b.len > 0 && strstr(b.data, r.told) != NULL
                            : b.len == 0,
                  "%s: %s", r.how, b.data ? b.data : "nothing");
    dtx_buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("run/alloc");
    TCase *tc = tcase_create("alloc");

    tcase_add_loop_test(tc, test_rows, 0, DTX_COUNT(rows));
    suite_add_tcase(s, tc);
    return dtx_check_main(s);
}

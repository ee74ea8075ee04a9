/* SPDX-License-Identifier: MIT */
/* Tests of node/spawner_env and node/spawner_config: which variables a task
 * gets, and that a configuration survives its way to the spawner. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/units.h"
#include "check_main.h"
#include "node/spawner_config.h"
#include "node/spawner_env.h"
#include "task/machine.h"

static const struct {
    const char *entry;
    bool foreign;
} entries[] = {
    {"OMPI_COMM_WORLD_RANK=0", true},
    {"OMPI_MCA_btl=self", true},
    {"OMPI_ALLOW_RUN_AS_ROOT=1", false},
    {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", false},
    {"PMIX_RANK=0", true},
    {"PMI_SIZE=4", true},
    {"PMI_FD=7", true},
    {"PRTE_MCA_x=1", true},
    {"ORTE_SCHIZO_DETECTION=ORTE", true},
    {"OPAL_PREFIX=/x", true},
    {"IPATH_NO_BACKTRACE=1", true},
    {"HYDRA_LAUNCHER=ssh", true},
    {"HYDI_CONTROL_FD=3", true},
    {"MPI_LOCALRANKID=0", true},
    {"MPI_LOCALNRANKS=2", true},
    {"DTX_TASK_ID=7", true},
    {"DTX_RUN_DIR=/x", true},
    {"PARALLEL_SEQ=7", true},
    {"PARALLEL_SEQUENCE=7", false},
    {"PARALLEL_HOME=/x", false},
    {"MPI_HOME=/opt/mpi", false},
    {"OMP_NUM_THREADS=4", false},
    {"SLURM_JOB_ID=12", false},
    {"SLURM_NO_KILL=set", true},
    {"SLURM_OVERLAP=1", true},
    {"PATH=/bin", false},
    {"XOMPI_A=1", false},
    {"NOVALUE", false},
};

static char *const user_env[] = {
    (char *)(uintptr_t) "PATH=/opt/bin:/bin",
    (char *)(uintptr_t) "OMPI_COMM_WORLD_SIZE=2",
    (char *)(uintptr_t) "EMPTY=",
    (char *)(uintptr_t) "DTX_SLOT=9",
    NULL,
};

static struct dtx_spawner_config make_config(void)
{
    struct dtx_spawner_config c = {.nslots = 3,
                                   .first_slot = 5,
                                   .rank = 2,
                                   .shell = "/bin/sh",
                                   .cwd = "/tmp",
                                   .run_dir = "/the/run dir",
                                   .capture = true,
                                   .grace_ns = 7,
                                   .env = user_env};
    return c;
}

START_TEST(test_foreign)
{
    ck_assert_msg(dtx_env_is_foreign(entries[_i].entry) == entries[_i].foreign,
                  "%s", entries[_i].entry);
}
END_TEST

static const char *value(char *const *env, const char *name)
{
    const char *v = dtx_env_find(env, name);

    return v ? v : "(none)";
}

START_TEST(test_task_variables)
{
    struct dtx_spawner_config c = make_config();
    struct dtx_env_task t = {.task = 41, .attempt = 3, .slot = 6, .cpus = 2};
    struct dtx_env e;
    char *const *v;

    ck_assert_int_eq(dtx_env_init(&e, &c), DTX_OK);
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "DTX_TASK_ID"), "42");
    ck_assert_str_eq(value(v, "PARALLEL_SEQ"), "42");
    ck_assert_str_eq(value(v, "DTX_ATTEMPT"), "3");
    ck_assert_str_eq(value(v, "DTX_SLOT"), "6");
    ck_assert_str_eq(value(v, "PARALLEL_JOBSLOT"), "6");
    ck_assert_str_eq(value(v, "DTX_RANK"), "2");
    ck_assert_str_eq(value(v, "DTX_RUN_DIR"), "/the/run dir");
    ck_assert_str_eq(value(v, "OMP_NUM_THREADS"), "2");
    ck_assert_str_eq(value(v, "PATH"), "/opt/bin:/bin");
    ck_assert_str_eq(value(v, "EMPTY"), "");
    ck_assert_str_eq(value(v, "DTX_TASK_NAME"), "(none)");
    ck_assert_str_eq(value(v, "DTX_REMAINING_SECONDS"), "(none)");
    ck_assert_str_eq(value(v, "OMPI_COMM_WORLD_SIZE"), "(none)");
    ck_assert_str_eq(value(v, "OMPI_MCA_hwloc_base_binding_policy"), "none");
    ck_assert_str_eq(value(v, "OMPI_MCA_rmaps_base_oversubscribe"), "(none)");
    t.name = "prep";
    t.bound = true;
    t.task = 4294967294u; /* the id is one more */
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "DTX_TASK_ID"), "4294967295");
    ck_assert_str_eq(value(v, "DTX_TASK_NAME"), "prep");
    ck_assert_str_eq(value(v, "OMPI_MCA_hwloc_base_binding_policy"), "none");
    ck_assert_str_eq(value(v, "OMPI_MCA_rmaps_base_oversubscribe"), "1");
    t.name = NULL;
    t.bound = false;
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "DTX_TASK_NAME"), "(none)");
    dtx_env_fini(&e);
}
END_TEST

/* In a Slurm job a task sees a job of one node, one process and its cores. */
START_TEST(test_slurm)
{
    static char *const env[] = {
        (char *)(uintptr_t) "SLURM_JOB_ID=17",
        (char *)(uintptr_t) "SLURM_SUBMIT_DIR=/home/me",
        (char *)(uintptr_t) "SLURM_NTASKS=256",
        (char *)(uintptr_t) "SLURM_JOB_NUM_NODES=4",
        (char *)(uintptr_t) "SLURM_JOB_NODELIST=n[1-4]",
        (char *)(uintptr_t) "SLURM_TASKS_PER_NODE=64(x4)",
        (char *)(uintptr_t) "SLURM_CPUS_PER_TASK=64",
        (char *)(uintptr_t) "SLURM_PROCID=3",
        (char *)(uintptr_t) "SLURM_STEP_ID=0",
        (char *)(uintptr_t) "SLURM_STEPID=0",
        (char *)(uintptr_t) "OMPI_MCA_plm=slurm",
        NULL,
    };
    struct dtx_spawner_config c = make_config();
    struct dtx_env_task t = {.cpus = 2};
    struct dtx_env e;
    char *const *v;
    size_t i, n = 0;

    c.env = env;
    ck_assert_int_eq(dtx_env_init(&e, &c), DTX_OK);
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "SLURM_JOB_ID"), "17");
    ck_assert_str_eq(value(v, "SLURM_SUBMIT_DIR"), "/home/me");
    ck_assert_str_eq(value(v, "SLURM_NTASKS"), "1");
    ck_assert_str_eq(value(v, "SLURM_JOB_NUM_NODES"), "1");
    ck_assert_str_eq(value(v, "SLURM_JOB_NODELIST"), "(none)");
    ck_assert_str_eq(value(v, "SLURM_TASKS_PER_NODE"), "(none)");
    ck_assert_str_eq(value(v, "SLURM_CPUS_PER_TASK"), "2");
    ck_assert_str_eq(value(v, "SLURM_CPUS_ON_NODE"), "2");
    ck_assert_str_eq(value(v, "SLURM_PROCID"), "0");
    ck_assert_str_eq(value(v, "SLURM_STEP_ID"), "(none)");
    ck_assert_str_eq(value(v, "SLURM_STEPID"), "(none)");
    ck_assert_str_eq(value(v, "OMPI_MCA_plm"), "^slurm");
    for (i = 0; v[i]; i++)
        n += strncmp(v[i], "SLURM_NTASKS=", 13) == 0;
    ck_assert_uint_eq(n, 1);
    dtx_env_fini(&e);
    c.env = env + 1; /* outside of a job nothing is touched */
    ck_assert_int_eq(dtx_env_init(&e, &c), DTX_OK);
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "SLURM_NTASKS"), "256");
    ck_assert_str_eq(value(v, "HYDRA_RMK"), "(none)");
    dtx_env_fini(&e);
}
END_TEST

START_TEST(test_user_threads_and_deadline)
{
    static char *const env[] = {
        (char *)(uintptr_t) "OMP_NUM_THREADS=16",
        NULL,
    };
    struct dtx_spawner_config c = make_config();
    struct dtx_env_task t = {.cpus = 2, .now_ns = 100 * DTX_SEC_NS};
    struct dtx_env e;
    char *const *v;

    c.env = env;
    c.deadline_ns = 161 * DTX_SEC_NS - 1;
    ck_assert_int_eq(dtx_env_init(&e, &c), DTX_OK);
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "OMP_NUM_THREADS"), "16");
    ck_assert_str_eq(value(v, "DTX_REMAINING_SECONDS"), "60");
    t.now_ns = 200 * DTX_SEC_NS;
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "DTX_REMAINING_SECONDS"), "0");
    dtx_env_fini(&e);
    c.env = NULL;
    ck_assert_int_eq(dtx_env_init(&e, &c), DTX_OK);
    ck_assert_str_eq(value(dtx_env_task(&e, &t), "DTX_TASK_ID"), "1");
    dtx_env_fini(&e);
}
END_TEST

START_TEST(test_config_round_trip)
{
    static const uint32_t a[] = {4, 5}, b[] = {9};
    const struct dtx_slot_cpus slots[] = {{a, 2}, {NULL, 0}, {b, 1}};
    static const struct dtx_locus at[] = {{1, 0, 0, 0}, {2, 0, 0, 0},
                                          {7, 1, 0, 0}};
    struct dtx_spawner_config c = make_config(), *d;
    struct dtx_buf buf = DTX_BUF_INIT;

    c.slots = _i % 2 ? slots : NULL;
    c.places = _i / 2 ? at : NULL;
    c.bind_single = true;
    dtx_config_encode(&buf, &c, "/var/tmp");
    ck_assert(!buf.failed);
    d = dtx_config_decode(buf.data, buf.len);
    dtx_buf_free(&buf);
    ck_assert_ptr_nonnull(d);
    ck_assert_uint_eq(d->nslots, 3);
    ck_assert_uint_eq(d->first_slot, 5);
    ck_assert(d->bind_single && d->capture);
    ck_assert_int_eq(d->grace_ns, 7);
    ck_assert_str_eq(d->shell, "/bin/sh");
    ck_assert_str_eq(d->cwd, "/tmp");
    ck_assert_str_eq(d->run_dir, "/the/run dir");
    ck_assert_str_eq(d->tmp_dir, "/var/tmp");
    ck_assert_str_eq(d->env[0], "PATH=/opt/bin:/bin");
    ck_assert_str_eq(d->env[3], "DTX_SLOT=9");
    ck_assert_ptr_null(d->env[4]);
    ck_assert_int_eq(d->slots != NULL, _i % 2);
    ck_assert_int_eq(d->places != NULL, _i / 2);
    if (d->places)
        ck_assert_mem_eq(d->places, at, sizeof(at));
    if (d->slots) {
        ck_assert_uint_eq(d->slots[0].npus, 2);
        ck_assert_uint_eq(d->slots[0].pus[1], 5);
        ck_assert_uint_eq(d->slots[1].npus, 0);
        ck_assert_uint_eq(d->slots[2].pus[0], 9);
    }
    free(d);
}
END_TEST

/* The text of a task's own variables takes the place of what is there. */
START_TEST(test_extra)
{
    struct dtx_spawner_config c = make_config();
    struct dtx_env_task t = {
        .task = 6, .attempt = 1, .slot = 5, .cpus = 1, .index = 42};
    char *const *v;
    struct dtx_env e;
    size_t i, n = 0;

    ck_assert_int_eq(dtx_env_init(&e, &c), 0);
    t.extra = "A=%i/%t/%z/%s/%r%%\nEMPTY=now\nDTX_RANK=x";
    v = dtx_env_task(&e, &t);
    ck_assert_ptr_nonnull(v);
    ck_assert_str_eq(value(v, "A"), "42/7/6/5/2%");
    ck_assert_str_eq(value(v, "EMPTY"), "now");
    ck_assert_str_eq(value(v, "DTX_RANK"), "x");
    ck_assert_str_eq(value(v, "PATH"), "/opt/bin:/bin");
    for (i = 0; v[i]; i++)
        n += strncmp(v[i], "EMPTY=", 6) == 0;
    ck_assert_uint_eq(n, 1);
    t.extra = NULL;
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "A"), "(none)");
    ck_assert_str_eq(value(v, "EMPTY"), "");
    ck_assert_str_eq(value(v, "DTX_RANK"), "2");
    dtx_env_fini(&e);
}
END_TEST

/* Settings for a launcher in a task: the user's come first, and are not taken
 * for the user's where a launcher has started us. */
START_TEST(test_settings)
{
    static char *const env[] = {
        (char *)(uintptr_t) "OMPI_MCA_hwloc_base_binding_policy=core",
        (char *)(uintptr_t) "OMPI_MCA_btl=self",
        (char *)(uintptr_t) "PRTE_MCA_x=1",
        (char *)(uintptr_t) "PMIX_RANK=0",
        NULL,
    };
    struct dtx_spawner_config c = make_config();
    struct dtx_env_task t = {.attempt = 1, .cpus = 1, .bound = true};
    char *own[4] = {env[0], env[1], env[2], NULL};
    struct dtx_env e;
    char *const *v;
    size_t i, n = 0;

    c.env = _i ? env : own;
    ck_assert_int_eq(dtx_env_init(&e, &c), DTX_OK);
    v = dtx_env_task(&e, &t);
    ck_assert_str_eq(value(v, "OMPI_MCA_hwloc_base_binding_policy"),
                     _i ? "none" : "core");
    ck_assert_str_eq(value(v, "OMPI_MCA_btl"), _i ? "(none)" : "self");
    ck_assert_str_eq(value(v, "PRTE_MCA_x"), _i ? "(none)" : "1");
    ck_assert_str_eq(value(v, "OMPI_MCA_rmaps_base_oversubscribe"), "1");
    ck_assert_str_eq(value(v, "PRTE_MCA_hwloc_default_binding_policy"), "none");
    for (i = 0; v[i]; i++)
        n += strncmp(v[i], "OMPI_MCA_hwloc_base_binding_policy=", 35) == 0;
    ck_assert_uint_eq(n, 1);
    dtx_env_fini(&e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/spawner_env");
    TCase *t = tcase_create("env");

    tcase_add_loop_test(t, test_foreign, 0,
                        DTX_COUNT(entries));
    tcase_add_test(t, test_extra);
    tcase_add_test(t, test_task_variables);
    tcase_add_loop_test(t, test_settings, 0, 2);
    tcase_add_test(t, test_user_threads_and_deadline);
    tcase_add_test(t, test_slurm);
    tcase_add_loop_test(t, test_config_round_trip, 0, 4);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

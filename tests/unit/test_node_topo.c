/* SPDX-License-Identifier: MIT */
/* Machines drawn in tests/data/topo, and where a row of tasks is placed on
 * each: NAME.xml and the text NAME.expected. Then limits of memory from files
 * of a made-up /proc and /sys, switches, devices, and this machine. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "check_main.h"
#include "node/cores.h"
#include "node/memory.h"
#include "node/topo.h"
#include "task/machine.h"
#include "task/placement.h"

#define MOST_CORES 128

static const char *const drawn[] = {"laptop", "two-socket", "epyc", "gpu",
                                    "cgroup"};

/* Tasks that come one after the other: so many cores; below 0: the task of
 * that place in the row, from 1, ends. */
static const int row[] = {1, 2, 4, 3, 8, -3, 6, 4, 2, -1, -2, 5, 16, 1};

static struct dtx_cores cores;
static struct dtx_machine machine;

static void detect(void)
{
    struct dtx_error err = {0, ""};

    ck_assert_msg(dtx_topo_detect(&cores, &machine, &err) == DTX_OK, "%s",
                  err.text);
    ck_assert_uint_eq(machine.usable, cores.ncores);
}

static void forget(void)
{
    dtx_cores_free(&cores);
    dtx_machine_free(&machine);
}

static void data_path(char *path, size_t size, const char *name,
                      const char *ext)
{
    const char *dir = getenv("srcdir");

    (void)snprintf(path, size, "%s/tests/data/topo/%s.%s", dir ? dir : ".",
                   name, ext);
}

struct floor {
    struct dtx_locus at[MOST_CORES];
    uint8_t owner[MOST_CORES]; /* place in the row; 0: free */
    uint32_t n;
    uint64_t gpus; /* free */
};

static bool is_free(void *ctx, uint32_t slot)
{
    return ((struct floor *)ctx)->owner[slot] == 0;
}

static enum dtx_distance spread(const struct floor *f, const uint8_t *chosen)
{
    enum dtx_distance most = DTX_NEAR_CORE;
    uint32_t i, j;

    for (i = 0; i < f->n; i++)
        for (j = i + 1; j < f->n; j++)
            if (chosen[i] && chosen[j]) {
                enum dtx_distance d =
                    dtx_locus_distance(&f->at[i], &f->at[j]);

                most = d > most ? d : most;
            }
    return most;
}

/* "0-3,8" of numbers in rising order. */
static void tell_list(const uint32_t *v, size_t n, struct dtx_buf *out)
{
    size_t i, j;

    for (i = 0; i < n; i = j) {
        for (j = i + 1; j < n && v[j] == v[j - 1] + 1;)
            j++;
        dtx_buf_printf(out, "%s%lu", i ? "," : "", (unsigned long)v[i]);
        if (j - i > 1)
            dtx_buf_printf(out, "-%lu", (unsigned long)v[j - 1]);
    }
}

/* A task of k cores, and a device where the machine has any. */
static void place(struct floor *f, uint8_t number, uint32_t k,
                  struct dtx_buf *out)
{
    static const char *const within[] = {"a core", "a cache", "a NUMA node",
                                         "a package", "the node"};
    uint8_t chosen[MOST_CORES];
    uint32_t list[MOST_CORES], n = 0, i;
    uint64_t gpu;

    dtx_buf_printf(out, "task %2u of %2u: ", number, k);
    if (!dtx_placement_slots(f->at, f->n, is_free, f, k, chosen)) {
        dtx_buf_str(out, "waits\n");
        return;
    }
    for (i = 0; i < f->n; i++) {
        if (!chosen[i])
            continue;
        ck_assert_uint_eq(f->owner[i], 0);
        f->owner[i] = number;
        list[n++] = f->at[i].core;
    }
    ck_assert_uint_eq(n, k);
    tell_list(list, n, out);
    dtx_buf_printf(out, ", within %s", within[spread(f, chosen)]);
    for (i = 0; !chosen[i];)
        i++;
    gpu = dtx_placement_gpus(machine.gpu, (uint32_t)machine.ngpus, f->gpus,
                             &f->at[i], 1);
    f->gpus &= ~gpu;
    for (i = 0; i < machine.ngpus; i++)
        if (gpu >> i & 1)
            dtx_buf_printf(out, ", gpu %s", machine.gpu[i].name);
    dtx_buf_char(out, '\n');
}

static void place_row(struct dtx_buf *out)
{
    struct floor f = {.n = machine.usable, .gpus = ~UINT64_C(0)};
    uint32_t i, k;

    ck_assert_uint_le(f.n, MOST_CORES);
    for (i = 0; i < f.n; i++)
        f.at[i] = dtx_machine_core(&machine, i);
    for (i = 0; i < DTX_COUNT(row); i++) {
        if (row[i] > 0) {
            place(&f, (uint8_t)(i + 1), (uint32_t)row[i], out);
            continue;
        }
        dtx_buf_printf(out, "task %2d ends\n", -row[i]);
        for (k = 0; k < f.n; k++)
            if (f.owner[k] == -row[i])
                f.owner[k] = 0;
    }
}

static void read_all(const char *path, struct dtx_buf *out)
{
    char block[4096];
    FILE *f = fopen(path, "re");
    size_t n;

    while (f && (n = fread(block, 1, sizeof(block), f)) > 0)
        dtx_buf_append(out, block, n);
    if (f)
        (void)fclose(f);
}

START_TEST(test_drawn)
{
    char path[4096];
    struct dtx_buf got = DTX_BUF_INIT, want = DTX_BUF_INIT;

    data_path(path, sizeof(path), drawn[_i], "xml");
    ck_assert_int_eq(setenv("HWLOC_XMLFILE", path, 1), 0);
    detect();
    ck_assert(!machine.real);
    dtx_machine_tell(&machine, &got);
    place_row(&got);
    data_path(path, sizeof(path), drawn[_i], "expected");
    read_all(path, &want);
    ck_assert_msg(want.data && strcmp(got.data, want.data) == 0,
                  "%s is not what came out:\n%s", path, got.data);
    dtx_buf_free(&got);
    dtx_buf_free(&want);
    forget();
    (void)unsetenv("HWLOC_XMLFILE");
}
END_TEST

START_TEST(test_this_machine)
{
    uint32_t i;

    detect();
    ck_assert(machine.real);
    ck_assert_uint_ge(machine.units, machine.cores);
    ck_assert_int_gt(machine.mem_bytes, 0);
    for (i = 1; i < machine.usable; i++)
        ck_assert_uint_lt(dtx_machine_core(&machine, i - 1).core,
                          dtx_machine_core(&machine, i).core);
    forget();
}
END_TEST

static const struct {
    const char *cuda, *rocm;
    const char *want; /* the devices' names */
} visible[] = {
    {NULL, NULL, "0 1 2 3 "},
    {"2,0", NULL, "2 0 "},
    {"GPU-8a5,MIG-1/2", NULL, "GPU-8a5 MIG-1/2 "},
    {"", NULL, ""},
    {"1,-1,2", NULL, "1 "},
    {NULL, "0,1", "0 1 2 3 0 1 "},
    {"0, 3 ,,1", NULL, "0 3 1 "},
    {"NoDevFiles", NULL, ""}, /* Slurm's word */
    {"0,0,1", NULL, "0 1 "},
    {"0,x,1", NULL, "0 "},
    {"3,4,1", NULL, "3 "},
    {"x", NULL, ""},
    {"GPU-a,GPU-a,GPU-b", NULL, "GPU-a GPU-b "},
    {"1,0000000000000000000000000000000000000000000000000000000000000000000000x,2",
     NULL, "1 "},
};

START_TEST(test_visible)
{
    char path[4096];
    struct dtx_buf got = DTX_BUF_INIT;
    size_t i;

    data_path(path, sizeof(path), "gpu", "xml");
    ck_assert_int_eq(setenv("HWLOC_XMLFILE", path, 1), 0);
    if (visible[_i].cuda)
        (void)setenv("CUDA_VISIBLE_DEVICES", visible[_i].cuda, 1);
    if (visible[_i].rocm)
        (void)setenv("ROCR_VISIBLE_DEVICES", visible[_i].rocm, 1);
    detect();
    dtx_buf_str(&got, "");
    for (i = 0; i < machine.ngpus; i++)
        dtx_buf_printf(&got, "%s ", machine.gpu[i].name);
    ck_assert_str_eq(got.data ? got.data : "", visible[_i].want);
    if (visible[_i].cuda && visible[_i].cuda[0] == '2') {
        ck_assert_uint_eq(machine.gpu[0].numa, 2); /* still known */
        ck_assert_uint_eq(machine.gpu[1].numa, 1);
    }
    ck_assert_int_eq(machine.gpus_odd[0] != '\0', _i >= 8);
    dtx_buf_free(&got);
    forget();
    (void)unsetenv("HWLOC_XMLFILE");
    (void)unsetenv("CUDA_VISIBLE_DEVICES");
    (void)unsetenv("ROCR_VISIBLE_DEVICES");
}
END_TEST

START_TEST(test_switches)
{
    static const struct {
        const char *addr, *pattern, *path;
    } c[] = {{"s0.s4.n17", "switch.switch.node", "s0.s4"},
             {"n17", "node", ""},
             {"b1.n17", "block.node", ""},
             {"s0.n17", NULL, "s0"}};
    size_t i;

    (void)setenv("HWLOC_SYNTHETIC", "core:2 pu:1", 1);
    for (i = 0; i < DTX_COUNT(c); i++) {
        (void)setenv("SLURM_TOPOLOGY_ADDR", c[i].addr, 1);
        (void)unsetenv("SLURM_TOPOLOGY_ADDR_PATTERN");
        if (c[i].pattern)
            (void)setenv("SLURM_TOPOLOGY_ADDR_PATTERN", c[i].pattern, 1);
        detect();
        ck_assert_str_eq(machine.path, c[i].path);
        forget();
    }
    (void)unsetenv("HWLOC_SYNTHETIC");
    (void)unsetenv("SLURM_TOPOLOGY_ADDR");
    (void)unsetenv("SLURM_TOPOLOGY_ADDR_PATTERN");
}
END_TEST

/* ---- limits of memory ---- */

static char tree[64];

/* Write a file below 'tree', with the directories it needs. */
static void put(const char *name, const char *text)
{
    char path[512];
    char *p;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s%s", tree, name);
    for (p = path + strlen(tree) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(path, 0700);
        *p = '/';
    }
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* The kernel's total counts where the nodes' sum is far from it. */
START_TEST(test_total)
{
    static const struct {
        int64_t sum, total, taken;
    } at[] = {{100, 0, 100},    {100, 104, 100},  {100, 133, 100},
              {100, 200, 200},  {100, 90, 100},   {100, 60, 60},
              {0, 50, 50}};
    struct dtx_buf text = DTX_BUF_INIT;
    struct dtx_machine m;
    size_t i;

    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        dtx_machine_init(&m);
        m.mem_bytes = at[i].sum;
        dtx_machine_set_total(&m, at[i].total);
        ck_assert_int_eq(m.mem_bytes, at[i].taken);
        dtx_machine_free(&m);
    }
    dtx_machine_init(&m);
    dtx_machine_add_numa(&m)->mem_bytes = m.mem_bytes = 1024;
    dtx_machine_tell(&m, &text);
    ck_assert_ptr_null(strstr(text.data, "MemTotal"));
    dtx_machine_set_total(&m, 4096);
    dtx_buf_clear(&text);
    dtx_machine_tell(&m, &text);
    ck_assert_ptr_nonnull(strstr(text.data, "by MemTotal (the sum of its"));
    dtx_buf_free(&text);
    dtx_machine_free(&m);
}
END_TEST

START_TEST(test_memory)
{
    char cmd[128];

    (void)snprintf(tree, sizeof(tree), "/tmp/dtx-topo-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree));
    ck_assert_int_eq(dtx_memory_limit_at(tree), 0);
    put("/proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), 0);
    put("/sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), 0);
    put("/sys/fs/cgroup/slurm/job_7/memory.max", "2147483648\n");
    put("/sys/fs/cgroup/slurm/memory.max", "4294967296\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), INT64_C(2147483648));
    put("/sys/fs/cgroup/memory.max", "1073741824\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), INT64_C(1073741824));
    put("/sys/fs/cgroup/memory.max", "a lot\n");
    put("/proc/self/cgroup", "9:cpuset:/x\n4:memory:/user/a\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), 0);
    put("/sys/fs/cgroup/memory/user/a/memory.limit_in_bytes",
        "9223372036854771712\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), 0);
    put("/sys/fs/cgroup/memory/user/memory.limit_in_bytes", "536870912\n");
    ck_assert_int_eq(dtx_memory_limit_at(tree), 536870912);
    ck_assert_int_eq(dtx_memory_total_at(tree), 0);
    put("/proc/meminfo", "MemFree: 7 kB\nMemTotal:    2048 kB\n");
    ck_assert_int_eq(dtx_memory_total_at(tree), 2097152);
    put("/proc/meminfo", "MemTotal:    many kB\n");
    ck_assert_int_eq(dtx_memory_total_at(tree), 0);
    (void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", tree);
    ck_assert_int_eq(system(cmd), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("node/topo");
    TCase *t = tcase_create("topo");

    tcase_add_loop_test(t, test_drawn, 0, DTX_COUNT(drawn));
    tcase_add_test(t, test_this_machine);
    tcase_add_loop_test(t, test_visible, 0, DTX_COUNT(visible));
    tcase_add_test(t, test_switches);
    tcase_add_test(t, test_memory);
    tcase_add_test(t, test_total);
    suite_add_tcase(s, t);
    return dtx_check_main(s);
}

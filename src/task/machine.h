/* SPDX-License-Identifier: MIT */
/* task/machine.h - one node as one process sees it, and how far things are
 *
 * The cores a process may use stand in nests: neighbours that share the
 * outermost cache below the NUMA node, usually L3.  Cores are numbered in
 * logical order (near ones side by side) over the whole machine, also those
 * that this process may not use, so that processes of one node mean the same
 * core by the same number.  node/topo.h fills it in; wire/locality.h makes
 * bytes of what others need to know.
 */
#ifndef DTX_TASK_MACHINE_H
#define DTX_TASK_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/distance.h"

struct dtx_buf;

#define DTX_MACHINE_NONE UINT32_MAX /* there is no such thing, or it is not
                                       known */
#define DTX_MACHINE_NAME 64
#define DTX_MACHINE_PATH 256
#define DTX_MACHINE_GPUS 64 /* more are not used */

/* Where a core or a device is; logical numbers of the machine. */
struct dtx_locus {
    uint32_t core;    /* DTX_MACHINE_NONE: no core, such as a device */
    uint32_t cache;   /* outermost cache that several cores share */
    uint32_t numa;
    uint32_t package;
};

/* Cores at.core .. at.core + ncores - 1. */
struct dtx_nest {
    struct dtx_locus at;
    uint32_t ncores;
};

struct dtx_numa {
    uint32_t os_index;
    int64_t mem_bytes; /* 0: not known */
};

enum dtx_gpu_kind { DTX_GPU_CUDA, DTX_GPU_ROCM };

struct dtx_gpu {
    enum dtx_gpu_kind kind;
    uint32_t numa, package; /* DTX_MACHINE_NONE where not known */
    /* How it is called in CUDA_VISIBLE_DEVICES or ROCR_VISIBLE_DEVICES: its
     * number in PCI order, or what that variable held before us. */
    char name[DTX_MACHINE_NAME];
};

/* All caches of one kind. */
struct dtx_caches {
    uint32_t level, count;
    int64_t bytes; /* of each */
};
#define DTX_MACHINE_CACHES 8

struct dtx_machine {
    bool real; /* false: a picture (HWLOC_XMLFILE, HWLOC_SYNTHETIC), so that
                  nobody must bind to its cores */
    uint32_t cores, units;      /* of the whole machine */
    uint32_t packages;
    uint32_t usable;            /* cores; the sum over 'nest' */
    struct dtx_nest *nest;
    size_t nnests, cap_nests;
    struct dtx_numa *numa;
    size_t nnumas, cap_numas;
    struct dtx_gpu *gpu;
    size_t ngpus, cap_gpus;
    bool gpus_given; /* their names come from CUDA_VISIBLE_DEVICES */
    char gpus_odd[DTX_MACHINE_NAME]; /* the first word in it, or in ROCm's, that
                                        names no further device; "": none */
    struct dtx_caches caches[DTX_MACHINE_CACHES];
    size_t ncaches;
    int64_t mem_bytes; /* of the whole machine; 0: not known */
    int64_t mem_limit; /* what this process's cgroup may use; 0: no limit */
    char path[DTX_MACHINE_PATH]; /* switches from the root to the leaf,
                                    separated by dots; "" = not known */
};

void dtx_machine_init(struct dtx_machine *m);
void dtx_machine_free(struct dtx_machine *m);

/* Append a core the process may use, the next in logical order; false when out
 * of memory. */
bool dtx_machine_add_core(struct dtx_machine *m, const struct dtx_locus *at);
/* Append a row: it is zeroed, or NULL when out of memory (or too many). */
struct dtx_numa *dtx_machine_add_numa(struct dtx_machine *m);
struct dtx_gpu *dtx_machine_add_gpu(struct dtx_machine *m);
/* Where the i-th usable core is. */
struct dtx_locus dtx_machine_core(const struct dtx_machine *m, uint32_t i);
/* The memory tasks may have in all: the machine's or the cgroup's limit,
 * whichever is less; 0: not known. */
int64_t dtx_machine_memory(const struct dtx_machine *m);
/* Take the kernel's count of the whole memory (0: not known) instead of the sum
 * of the NUMA nodes' where they differ by more than a quarter of it: virtual
 * machines tell nodes too small. */
void dtx_machine_set_total(struct dtx_machine *m, int64_t bytes);

/* Two places of one node. */
enum dtx_distance dtx_locus_distance(const struct dtx_locus *a,
                                     const struct dtx_locus *b);
/* Two nodes of these paths, see struct dtx_machine: DTX_NEAR_SWITCH or above.
 * Where a path is not known all nodes are alike. */
uint32_t dtx_path_distance(const char *a, const char *b);

/* As text, for people and tests: one line for each thing, the last ended by a
 * newline; what is not known is not said. */
void dtx_machine_tell(const struct dtx_machine *m, struct dtx_buf *out);

#endif

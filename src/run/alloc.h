/* SPDX-License-Identifier: MIT */
/* run/alloc.h - what the Slurm job around us offers
 *
 * Read from the variables Slurm sets, all of which may lack or be nonsense: 0
 * stands for what is not known.  The job's end is not among them (Slurm tells
 * it on request: run/slurm.h).
 */
#ifndef DTX_RUN_ALLOC_H
#define DTX_RUN_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "run/variable.h"

struct dtx_buf;

struct dtx_alloc {
    bool inside;      /* of a Slurm job */
    bool in_step;     /* started by srun, in a step of that job */
    bool on_node;     /* this machine is one of its nodes (salloc's shell may
                         be on a login node) */
    char job_id[24];
    uint32_t nodes;
    uint32_t tasks;          /* --ntasks and the like, 0 = not asked for */
    uint32_t tasks_per_node; /* --ntasks-per-node, 0 = not asked for */
    uint64_t cpus;           /* of all nodes; Slurm may count threads */
    int64_t mem_bytes;       /* on each node */
    uint32_t gpus;           /* on each node */
    uint32_t restarts;       /* how often the job was queued again */
};

/* '*out' is filled whatever there is. */
void dtx_alloc_read(dtx_variable_get_f get, void *ctx, struct dtx_alloc *out);

/* How many ranks a plain "distributex run" launches here: one for each node, or
 * 0 when this process alone does: no allocation, a step's only process, or the
 * only node of the job and we are on it. */
uint32_t dtx_alloc_ranks(const struct dtx_alloc *a);

/* "Slurm job 17: 4 nodes, 256 cpus, 8 gpus, ...". Nothing outside of a job. */
void dtx_alloc_tell(const struct dtx_alloc *a, struct dtx_buf *out);

#endif

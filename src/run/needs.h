/* SPDX-License-Identifier: MIT */
/* run/needs.h - what tasks ask for beside slots, and what the nodes have
 *
 * From the ranks' cards: the stock the master keeps (sched/stock.h), the
 * check that each task fits on some node at all, and the variables by which a
 * task finds its devices.
 */
#ifndef DTX_RUN_NEEDS_H
#define DTX_RUN_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtx_buf;
struct dtx_card;
struct dtx_error;
struct dtx_stock;
struct dtx_machine;
struct dtx_tasklist;
struct dtx_jobs;

/* Zero-initialise; what --mem, --gpus and --jobs say is the caller's to set. */
struct dtx_needs {
    struct dtx_stock *stock;
    uint32_t nranks;
    int64_t mem_bytes; /* --mem and --gpus: for tasks that do not say */
    uint32_t gpus;
    const struct dtx_jobs *jobs;  /* slots of ranks; NULL: not looked at */
    const struct dtx_card *cards; /* which outlive this */
    uint32_t *slots;              /* of each rank; 0: not known yet */
    /* The most that any node has (memory 0: one does not tell), and which. */
    int64_t most_mem;
    uint32_t most_gpus;
    int64_t all_mem;   /* of all nodes together, 0 likewise */
    uint64_t all_gpus;
    const char *mem_host, *gpus_host; /* of the cards, which outlive this */
};

/* Does any task ask, or may one that comes later? */
bool dtx_needs_asked(const struct dtx_tasklist *list, bool live,
                     int64_t mem_bytes, uint32_t gpus);
/* Fill the stock from the cards. 'mem_each': what the batch job may use of
 * each node; 0: not known. 0 or DTX_ENOMEM. */
int dtx_needs_init(struct dtx_needs *n, const struct dtx_card *cards,
                   uint32_t ncards, int64_t mem_each);
void dtx_needs_fini(struct dtx_needs *n);
/* No node has what a task from number 'from' on asks for, or no rank that could
 * have it has the slots: DTX_EPARSE, and the
 * text names the task's line in 'file' (NULL: there is none); DTX_EINVAL where
 * --mem or --gpus asks for it. */
int dtx_needs_check(const struct dtx_needs *n, const struct dtx_tasklist *list,
                    size_t from, const char *file, struct dtx_error *err);
/* DTX_EINVAL when no node has so much memory as is to be free before a task
 * starts, so that none would ever. */
int dtx_needs_check_free(const struct dtx_card *cards, uint32_t ncards,
                         int64_t memfree, struct dtx_error *err);

/* Append the variables that name these devices of the machine (bit i: its
 * i-th), as struct dtx_task_attr has them. */
void dtx_needs_variables(const struct dtx_machine *m, uint64_t gpus,
                         struct dtx_buf *env);

#endif

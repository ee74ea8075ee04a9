/* SPDX-License-Identifier: MIT */
/* engine/ledger.h - tasks that were submitted: who waits for whom
 *
 * The ledger is rank 0's: it knows every submitted task from its submission to
 * its end, and what waits for it.  One thread works on it.  What may run goes
 * into queues (taskqueue.h).
 *
 * A task that goes to another rank is lent: the ledger keeps its bytes, so that
 * it can be given out again when that rank is lost.  So a rank that parts with
 * one returns its number alone, and the bytes go to the new owner from here.
 */
#ifndef DTX_ENGINE_LEDGER_H
#define DTX_ENGINE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/taskqueue.h"

struct dtx_ledger;

struct dtx_ledger *dtx_ledger_create(void);
void dtx_ledger_destroy(struct dtx_ledger *l); /* NULL is allowed */
/* Take 't' in; it waits for the tasks 'after'. Its number, or negative, and
 * then 't' stays the caller's: DTX_ENOENT (no such task in this run),
 * DTX_ENOMEM. */
int64_t dtx_ledger_add(struct dtx_ledger *l, struct dtx_task_item *t,
                       const uint64_t *after, size_t nafter);
/* A task that may run now, or NULL; and one that never will, since one it
 * waited for has failed. */
struct dtx_task_item *dtx_ledger_ready(struct dtx_ledger *l);
struct dtx_task_item *dtx_ledger_skipped(struct dtx_ledger *l);
/* It has ended; those that wait for it become ready, or are skipped. */
enum dtx_ledger_ended {
    DTX_LEDGER_UNKNOWN, /* there is no such task running */
    DTX_LEDGER_FIRST,
    DTX_LEDGER_AGAIN,   /* it had ended before, on a rank that is lost */
    DTX_LEDGER_NOMEM
};
enum dtx_ledger_ended dtx_ledger_end(struct dtx_ledger *l, uint64_t id,
                                     int code); /* 0: it has succeeded */
/* Tasks that have not ended. */
uint64_t dtx_ledger_open(const struct dtx_ledger *l);
/* 't' has been made bytes, for another rank: it is the ledger's now. */
void dtx_ledger_lend(struct dtx_ledger *l, struct dtx_task_item *t);
/* These bytes have gone to rank 'to'. False when they are no tasks. Where some
 * are numbers alone, 'full' becomes what is to be sent instead. */
bool dtx_ledger_moved(struct dtx_ledger *l, uint32_t to, struct dtx_str work,
                      struct dtx_buf *full);
/* A task of another rank has spawned some: a loss cannot be made good now. */
void dtx_ledger_spawned(struct dtx_ledger *l);
/* From now on what has ended on a rank is to be done again when it is lost,
 * unless the rank was banked since: it has more to hand in than outcomes. */
void dtx_ledger_keep(struct dtx_ledger *l, bool keep);
/* 'rank' has handed in what it did. False: out of memory. */
bool dtx_ledger_bank(struct dtx_ledger *l, uint32_t rank);
/* What has ended on a lost rank, and is not done again. */
struct dtx_ledger_gone {
    uint64_t done, failed, first; /* the first of those that failed ... */
    int code;                     /* ... and its code */
};
/* 'rank' is lost: what is to be done again, appended to 'work', from now on
 * with rank 0. False when tasks have spawned others elsewhere than on rank 0:
 * nobody knows what was lost. */
bool dtx_ledger_lost(struct dtx_ledger *l, uint32_t rank, struct dtx_buf *work,
                     struct dtx_ledger_gone *gone);
/* The first after number 'id' (0: of all) that has not ended; 0: there is
 * none. */
uint64_t dtx_ledger_next_open(const struct dtx_ledger *l, uint64_t id);
/* All have ended, or never will: forget them; numbers go on. */
void dtx_ledger_forget(struct dtx_ledger *l);

#endif

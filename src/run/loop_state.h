/* SPDX-License-Identifier: MIT */
/* run/loop_state.h - what the files of run/loop.h share, and nobody else
 *
 * loop.c steps the machines and sleeps; loop_mail.c is what goes to other ranks
 * and comes from them; loop_loss.c, ranks that are lost; loop_end.c, from the
 * engine's end to leave taking.  All of it runs on the rank's main thread.
 */
#ifndef DTX_RUN_LOOP_STATE_H
#define DTX_RUN_LOOP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/units.h"
#include "run/inbox.h"
#include "run/live.h"
#include "run/loop.h"

#define DTX_LOOP_ALIVE_NS (50 * DTX_MSEC_NS) /* between looks for the dead */
#define DTX_LOOP_NAP_NS (100 * INT64_C(1000)) /* the first nap of several */

/* Bulk messages beside the engine's frames: PULL asks a rank for bytes of its
 * output file, DATA brings them; TROUBLE tells rank 0 of a rank that cannot go
 * on in good order; PACKED, that its outputs are on disk after the engine has
 * finished; LEAVE, from rank 0, ends the duty to answer PULLs and says whether
 * ranks were lost; NODE carries the words of run/noderun.h; HERE is said and
 * answered by those that wait for LEAVE; LINES brings lines of a task that runs
 * to rank 0, and BACK, from there, tells how many of them have come and been
 * written. */
enum dtx_bulk {
    DTX_BULK_PULL = 1,
    DTX_BULK_DATA,
    DTX_BULK_TROUBLE,
    DTX_BULK_PACKED,
    DTX_BULK_LEAVE,
    DTX_BULK_NODE,
    DTX_BULK_HERE,
    DTX_BULK_LINES,
    DTX_BULK_BACK
};

/* A PULL that has not been answered. */
struct dtx_pulled {
    uint32_t rank, len;
    uint64_t off;
};

struct dtx_loop {
    struct dtx_loop_config c;
    struct dtx_bell **peer; /* per rank, NULL when it cannot be rung */
    bool *unsent;           /* per rank: to be rung again when all is sent */
    bool *gone;             /* per rank: it is lost */
    bool *done;             /* per rank: outputs are on disk, or it is lost */
    int64_t *here_ns;       /* per rank: its last word, once all is over */
    struct dtx_pulled *pulled;
    size_t npulled, cap_pulled;
    uint32_t ngone, nsaid;  /* ranks lost; of them told of */
    bool lossy;             /* rank 0 says so */
    bool any_unsent;
    bool all_near;          /* whoever sends to us can ring us */
    struct dtx_inbox to_master, to_worker, current;
    struct dtx_actions actions;
    struct dtx_buf frame;
    int64_t master_wake_ns, worker_wake_ns; /* 0 = none */
    int64_t tick_ns, alive_ns, nap_ns;
    struct dtx_live live; /* lines of running tasks */
    int64_t over_ns; /* when only showing was left to do, 0 = not yet */
    unsigned signals;
    bool master_done, worker_done, leave;
    bool held, told_held; /* tasks wait for memory; that was said once */
    uint32_t others;   /* what they take, as the worker knows */
    uint32_t relieved; /* tasks that were ended to free some, and told of */
    bool bereft; /* the spawner was found dead */
    bool told_trouble;
    int trouble;     /* rank 0: exit status some rank asks for, 0 = none */
    uint32_t packed; /* rank 0: ranks whose outputs are on disk */
    uint64_t number; /* last record handed to the store */
    int status;      /* exit status of a failure, 0 = none */
    struct dtx_error *err;
};

/* ---- loop.c ---- */

/* End the run with this exit status; the first one counts. */
void dtx_loop_fail(struct dtx_loop *l, int status, const char *text);
/* Sleep until the bell has rung since 'seen', or something is due. */
void dtx_loop_rest(struct dtx_loop *l, uint32_t seen);

/* ---- loop_mail.c ---- */

void dtx_loop_frame(struct dtx_loop *l, uint32_t to, const void *data,
                    size_t len);
void dtx_loop_bulk(struct dtx_loop *l, uint32_t to, enum dtx_bulk kind,
                   uint64_t off, const void *data, size_t len);
/* Lines of a task that runs, or word of them: what run/live.h sends by. */
void dtx_loop_lines(void *ctx, uint32_t to, bool back, uint64_t off,
                    const void *data, size_t len);
/* Take in what has come. True when there was something. */
bool dtx_loop_hear(struct dtx_loop *l);
/* Ask for the outputs that are to be shown next; true when asked. */
bool dtx_loop_show(struct dtx_loop *l);
/* The PULLs of a rank are answered: this place alone, or 'all', from its file,
 * since it is lost. */
void dtx_loop_answered(struct dtx_loop *l, uint32_t rank, bool all,
                       uint64_t off);

/* ---- loop_loss.c ---- */

/* Rank 0: that rank's outputs are on disk, or never will be. */
void dtx_loop_packed(struct dtx_loop *l, uint32_t rank);
/* Rank 0: no word goes to that rank any more, and none is waited for. */
void dtx_loop_lose(struct dtx_loop *l, uint32_t rank);
/* Take note of ranks that the kernel or a spawner knows to be dead. */
bool dtx_loop_watch(struct dtx_loop *l, int64_t now);
/* Rank 0: the master has found one to be lost by itself. */
void dtx_loop_expel(struct dtx_loop *l, const struct dtx_action *a);
/* Rank 0: tell of those that the master has heard of by now. */
void dtx_loop_tell_lost(struct dtx_loop *l);
/* Give the rank up when the process that runs its tasks has died. */
void dtx_loop_spawner(struct dtx_loop *l);

#endif

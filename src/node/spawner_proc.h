/* SPDX-License-Identifier: MIT */
/* node/spawner_proc.h - the spawner process and what its parts share
 *
 * spawner_proc.c   the loop: wait, kill what is over time, ring the bell
 * spawner_task.c   one task: start, end, result
 * spawner_slots.c  which slots it gets, and what it is bound to
 * spawner_memory.c whether there is memory for one more
 */
#ifndef DTX_NODE_SPAWNER_PROC_H
#define DTX_NODE_SPAWNER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "node/capture.h"
#include "node/iowait.h"
#include "node/peer.h"
#include "node/spawner.h"
#include "node/spawner_child.h"
#include "node/spawner_env.h"
#include "node/spawner_stray.h"

struct dtx_bell;
struct dtx_placement_memory;
struct dtx_record;
struct dtx_ring;

#define DTX_NO_RUN UINT32_MAX

enum dtx_kill_stage { DTX_STAGE_RUNS, DTX_STAGE_TERM, DTX_STAGE_KILL };

/* A task that runs. */
struct dtx_run {
    uint32_t entry;
    uint32_t task, attempt;
    uint32_t slot; /* its first */
    uint32_t cpus;
    uint32_t traffic;
    uint32_t numa; /* to which it is bound, of config.numas, or DTX_NO_RUN */
    bool heavy;
    int32_t capture; /* -1: none */
    uint8_t stage;   /* enum dtx_kill_stage */
    uint8_t reason;  /* DTX_STATUS_TIMEOUT or _KILLED once we ended it */
    bool limited;    /* the ring's limit holds for it */
    bool tainted;    /* others may hold its output files */
    int error;       /* DTX_: there was no place for its output */
    int64_t act_ns;  /* next step of the clock: timeout or grace; 0 = none */
    int64_t start_ns, start_wall_ns, wall_ns;
    int wait_status;
    struct rusage usage;
    bool counted;    /* what can be counted of it is */
    bool waited;     /* 'iowait' is known */
    struct dtx_counting_run counter;
    struct dtx_iowait_process iowait;
};

struct dtx_proc {
    struct dtx_ring *ring;
    struct dtx_bell *bell;
    int sock, wake_fd, signal_fd;
    struct dtx_spawner_config *config; /* NULL until it has come */
    struct dtx_env env;
    struct dtx_buf command; /* one with its slot put in */
    struct dtx_launcher launcher;
    struct dtx_counter_pace pace;
    enum dtx_iowait iowait;
    uint32_t counting;    /* the ring's word that the launcher has heeded */
    int64_t await_ns;     /* no task before the word is there, or it is later */
    struct dtx_captures captures;
    struct dtx_strays strays;
    struct dtx_run *run;  /* nslots places */
    pid_t *leader;        /* of run[i]; 0 = place is free */
    uint32_t *free_run;
    struct dtx_run *ended; /* reaped just now, their results not handed over */
    uint32_t nended, nplaces; /* of those; there is room for */
    bool unreaped;        /* there may be more */
    uint32_t *slot_run;   /* who has the slot, or DTX_NO_RUN */
    uint8_t *chosen;      /* room for a choice of slots */
    struct dtx_placement_memory *crowd; /* room for one of each numa */
    uint32_t nfree_runs, nfree_slots, nruns;
    unsigned long *mask;  /* room for an affinity mask */
    size_t mask_size;
    uint32_t ntimed;      /* runs whose act_ns is set */
    uint32_t attention;   /* the last one seen in the ring */
    bool blocked;         /* the oldest request cannot be started now */
    bool starved;         /* ... since all captures are held */
    uint32_t failed_starts; /* of the oldest request */
    int64_t retry_ns;     /* not before; 0 = none */
    uint32_t unrung;      /* results the bell was not rung for */
    bool hurry;           /* one of them should not wait for company */
    int64_t rung_ns;      /* when it was last */
    struct dtx_peer rank; /* whom it serves */
    uint32_t beat, looks; /* the last heartbeat seen, so many looks ago */
    int64_t look_ns;      /* the next one; 0 = none */
    int64_t memory, memory_ns; /* bytes that were free, and when; 0 = never */
    int64_t relief_ns;    /* the next look whether one is to end, 0 = none */
};

/* The life of the process; never returns. 'sock' closes with the rank. */
_Noreturn void dtx_proc_main(struct dtx_ring *ring, struct dtx_bell *bell,
                             int sock, int wake_fd);

/* Start what may be started; sets blocked, starved and retry_ns. */
void dtx_proc_start_waiting(struct dtx_proc *p);
/* Take note of children that have ended, and start what waits as soon as there
 * is a slot for it if they are to 'go_on'. Sets unreaped. */
void dtx_proc_reap(struct dtx_proc *p, bool go_on);
/* End what runs in this place: TERM, or KILL 'now'; 'reason' is what it ended
 * of, unless there was one before. */
void dtx_proc_end_run(struct dtx_proc *p, uint32_t run, uint8_t reason,
                      bool now);
/* Give the run in this place as many free slots as it has cpus, which there
 * are, and a NUMA node if it is to have one. */
void dtx_proc_take_slots(struct dtx_proc *p, uint32_t run);
void dtx_proc_free_slots(struct dtx_proc *p, uint32_t run);
/* Make room for masks and choices. False: out of memory. */
bool dtx_proc_make_room(struct dtx_proc *p);
/* The affinity mask of a run, or NULL where it is not to be bound. */
const unsigned long *dtx_proc_bind_mask(struct dtx_proc *p, uint32_t run);
/* Is there memory for it to start? When not, sets retry_ns. */
bool dtx_proc_has_memory(struct dtx_proc *p, const struct dtx_record *r);
/* End a task when memory runs short. */
void dtx_proc_heed_memory(struct dtx_proc *p, int64_t now_ns);

#endif

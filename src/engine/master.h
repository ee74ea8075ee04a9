/* SPDX-License-Identifier: MIT */
/* engine/master.h - rank 0's side of the job, as a state machine
 *
 * Owns the truth about every task while the job runs: who has it, which
 * attempt, what it waits for.  Grants chunks as the policy says, brokers
 * steals (YIELD to the victim, YIELDED back, GRANT to the thief), records
 * outcomes before anything rests on them, releases or skips successors,
 * retries, stops, and takes the tasks of a lost rank back.  A task belongs to
 * the master or to exactly one rank at any time.
 *
 * The list may be live: then it begins empty and grows while the job runs, by
 * events TASKS, until CLOSED; nothing finishes before that, unless all is
 * stopped.  How much has come and not ended is the driver's to bound
 * (dtx_master_stats.left).
 *
 * No step costs more than the logarithm of ranks or tasks for each item it
 * concerns; long cascades (a lost rank, a skipped subtree) are cut into slices
 * of DTX_MASTER_SLICE items, between which other events are heard.
 */
#ifndef DTX_ENGINE_MASTER_H
#define DTX_ENGINE_MASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event.h"
#include "sched/speed.h"
#include "sched/zones.h"

struct dtx_error;
struct dtx_graph;
struct dtx_layout;
struct dtx_stock;
struct dtx_traffic;
struct dtx_master;
struct dtx_tasklist;

#define DTX_MASTER_SLICE 4096u

/* What is known of a task from earlier sessions. */
enum dtx_prior {
    DTX_PRIOR_NONE,   /* nothing: run it */
    DTX_PRIOR_OK,     /* succeeded: stands */
    DTX_PRIOR_FAILED, /* failed: stands, successors are skipped */
    DTX_PRIOR_LEFT    /* leave it alone in this session */
};

enum dtx_task_state {
    DTX_TASK_BLOCKED,   /* waits for others */
    DTX_TASK_READY,     /* could run */
    DTX_TASK_GRANTED,   /* a rank has it */
    DTX_TASK_RECORDING, /* ended; its record is being written */
    DTX_TASK_PAUSED,    /* failed; a further attempt follows after a pause */
    DTX_TASK_OK,
    DTX_TASK_FAILED,
    DTX_TASK_SKIPPED, /* something it waits for failed or was skipped */
    DTX_TASK_LEFT     /* DTX_PRIOR_LEFT */
};

/* What is counted, of this session; tasks that were skipped never ended. */
enum dtx_halt_on { DTX_HALT_FAIL, DTX_HALT_SUCCESS, DTX_HALT_DONE };

struct dtx_halt {
    enum dtx_stop how;  /* DRAIN: soon, KILL: now */
    enum dtx_halt_on on;
    uint32_t count;     /* stop at this many such tasks, 0 = by percent */
    double percent;     /* FAIL: stop at this share of the tasks that ended,
                           after at least three. Else: of all tasks that
                           had not ended before this session, once all are
                           known. 0 = never */
};

/* Which tasks are started before a deadline: those that are expected to end in
 * time; that will in nineteen cases of twenty; that may in one of twenty; or
 * any, as long as there is time. */
enum dtx_late {
    DTX_LATE_EXPECTED,
    DTX_LATE_SAFE,
    DTX_LATE_HOPEFUL,
    DTX_LATE_START
};

struct dtx_master_config {
    uint32_t epoch;
    uint32_t nranks;        /* ranks of the MPI job, rank 0 included */
    const char *policy;     /* NULL = default */
    uint32_t retries;       /* attempts in all, for tasks that do not say */
    int64_t timeout_ns;     /* for tasks that do not say, 0 = none */
    double timeout_percent; /* instead: so much of the median duration of the
                               tasks that succeeded, once there are three */
    int64_t retry_pause_ns; /* before a further attempt */
    int64_t doubt_ns;       /* who ends a job ends its tasks with it, by TERM,
                               KILL or USR1, and the news of both are under way
                               at the same time: an attempt that ends so is
                               judged after this time only, and is not finished
                               if somebody has asked to stop by then or its
                               rank is lost. Its slot is free at once. 0 =
                               believed unless somebody has asked before. In
                               a drain it is judged so again once that time has
                               passed since somebody asked */
    int64_t delay_ns;       /* at least so long between two tasks handed out:
                               one at a time, to free slots; 0 = none */
    int64_t grace_ns;       /* a task may need this to end when told to */
    int64_t leave_ns;       /* and the job this to record and leave: with a
                               deadline (event DEADLINE) tasks are ended so
                               long before it */
    int64_t depth_ns;       /* see dtx_sched_view; 0 = default */
    uint32_t slice;         /* items of a step, 0 = DTX_MASTER_SLICE */
    int64_t lost_after_ns;  /* the loss of a rank is noticed within this time,
                               by its silence for nine tenths of it (pulse.h).
                               The same for all workers but rank 0's. 0 =
                               never */
    uint32_t crash_limit;   /* set a task aside, as failed, that may have been
                               running each time when so many ranks were lost;
                               0 = never */
    struct dtx_halt halt;
    const struct dtx_tasklist *list; /* borrowed for the master's life */
    const struct dtx_graph *graph;   /* sealed; borrowed for its life; not
                                        looked at when the list is live */
    bool live; /* tasks come by events TASKS, with what is known of them; 'list'
                  has them before the event, 'prior', 'attempts' and 'cost_s'
                  are not used */
    const uint8_t *prior;   /* enum dtx_prior per task, or NULL = none;
                               borrowed up to and with the START step */
    const uint16_t *attempts; /* attempts made before, per task, or NULL;
                               borrowed for creation */
    const uint8_t *losses;  /* of ranks that may have been running it, before,
                               per task, or NULL; borrowed for creation; not
                               used when the list is live */
    const float *cost_s;    /* predicted seconds per task (below 0 or NAN:
                               unknown), or NULL; borrowed for creation; events
                               COSTS bring others */
    struct dtx_layout *layout; /* tells the ranks where results go; borrowed;
                                  NULL: nowhere */
    struct dtx_stock *stock; /* what tasks that ask for memory or devices
                                  share; all ranks set, none joined; borrowed
                                  for its life. NULL: nobody asks */
    struct dtx_traffic *traffic; /* the memory bandwidth that tasks share, all
                                    ranks set; borrowed for its life. NULL:
                                    nobody looks after it */
    const float *share;     /* of a NUMA node's bandwidth that one cpu of a task
                               uses when it runs alone (0: nothing is known);
                               like cost_s. NULL: of none */
    const struct dtx_zones *zones; /* where the ranks are; sealed, borrowed
                                      for its life. Steals then weigh what they
                                      bring against the way. NULL: all are
                                      alike, the slowest is the victim */
    struct dtx_ways ways;   /* with zones: what the ways cost */
    int64_t mem_bytes;      /* for tasks that do not say; 0 = none */
    uint32_t gpus;          /* the same */
    const float *need_s;    /* what a task is taken to need when a deadline is
                               judged, as 'late' says, where it is predicted;
                               like cost_s. NULL: the same */
    enum dtx_late late;
    bool speeds;            /* where costs are predicted: learn how much longer
                               a rank takes than the others, and give it less */
    bool equal_speeds;      /* give ranks as much that take longer, also
                               where others use their processors */
    bool longest_first;     /* order ready tasks of one priority by what they
                               are predicted to cost */
    dtx_trace_f trace;      /* may be NULL */
    void *trace_ctx;
};

/* NULL and 'err' filled on failure. */
struct dtx_master *dtx_master_create(const struct dtx_master_config *c,
                                     struct dtx_error *err);
void dtx_master_destroy(struct dtx_master *m); /* or NULL */

/* 0, or DTX_ENOMEM (save and give up). A frame that is not the protocol's is
 * answered by treating its sender as lost. 'out' is cleared first. */
int dtx_master_step(struct dtx_master *m, const struct dtx_event *ev,
                    struct dtx_actions *out);

/* A hint, for the cache: a frame of this rank comes soon. */
void dtx_master_expect(const struct dtx_master *m, uint32_t rank);

/* After FINISH frames and lost ranks are still heard, so that ranks which come
 * late are told BYE: feed them until this is true (every rank has said BYE or
 * was lost), then leave. */
bool dtx_master_all_gone(const struct dtx_master *m);

struct dtx_master_stats {
    uint64_t tasks;            /* in the list, as far as they have come */
    uint64_t ok, failed, skipped; /* earlier sessions included */
    uint64_t prior_ok, prior_failed; /* of those, earlier sessions' */
    uint64_t left;             /* neither */
    uint64_t granted;          /* with a rank now */
    uint64_t ready, paused;
    uint64_t retried, lost;    /* attempts made again after failure, loss */
    uint64_t aside;            /* tasks set aside after crash_limit losses */
    uint32_t lost_ranks;       /* that were lost after they had come */
    uint64_t steals;           /* YIELDs that brought something */
    uint64_t yields;           /* YIELDs sent */
    uint64_t stolen;           /* tasks that moved */
    uint64_t grants, frames_in, frames_out, refused; /* messages */
    uint64_t work;             /* items and comparisons, for the cost test */
    enum dtx_stop stopping;    /* 0 = no */
    bool halted;               /* by dtx_halt */
    uint64_t late;             /* of those ready: put off, since they would not
                                  end before the deadline */
    uint64_t parked;           /* ... or since no rank that is there has the
                                  slots, memory or devices they ask for */
    bool expired;              /* the deadline has ended what ran */
    bool heavy;                /* some task was bound by memory bandwidth */
    uint64_t spread;           /* of those, started where there was room, */
    uint64_t crowded;          /* and where there was none: nothing else was
                                  ready */
    bool finished;
    bool open;                 /* more tasks may come */
};
void dtx_master_stats(const struct dtx_master *m, struct dtx_master_stats *s);

struct dtx_rank_stats {
    bool alive, came;
    bool left; /* alive to the end; has said BYE since */
    int64_t lost_ns;           /* came, and neither alive nor left: since START,
                                  when it was lost */
    uint64_t took_back;        /* then: tasks it had */
    uint32_t slots;
    char host[64];
    uint64_t ended;            /* attempts */
    uint64_t granted;          /* has now */
    uint64_t given;            /* tasks granted in all */
    int64_t busy_ns;           /* sum of cpus times duration of its attempts */
    uint64_t stolen_from, stolen_by; /* tasks */
    struct dtx_speed speed;    /* as its tasks told; with config.speeds */
    uint64_t stood_back;       /* times it was passed over, though free, since
                                  another would be done earlier */
    double others;             /* share of its processors that others take, as
                                  it told last; 0: none, or not measured */
    double others_mean, others_most; /* since START */
};
/* 'rank' below config.nranks. */
void dtx_master_rank_stats(const struct dtx_master *m, uint32_t rank,
                           struct dtx_rank_stats *s);

/* Of all ranks, for the claims of sched/speed.h. */
const struct dtx_speeds *dtx_master_speeds(const struct dtx_master *m);

/* One that has not come (TASKS) counts as blocked. */
enum dtx_task_state dtx_master_task_state(const struct dtx_master *m,
                                          uint32_t task);
/* Seconds since a task may have started that a rank has, as the master
 * believes; below 0: it waits there, or nobody has it, or no costs are
 * predicted. */
double dtx_master_elapsed_s(const struct dtx_master *m, uint32_t task);
/* The failed task because of which a SKIPPED one was skipped. */
uint32_t dtx_master_skip_cause(const struct dtx_master *m, uint32_t task);

#endif

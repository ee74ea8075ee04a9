/* SPDX-License-Identifier: MIT */
/* engine/event.h - what goes into the engine and what comes out
 *
 * The engine is two state machines: the master (rank 0) and the worker (every
 * rank, rank 0 included).  A driver - the real loop or the simulator - feeds
 * events and carries out the actions.  The contract:
 *
 *  - every event carries the time; the engine asks nobody else for it;
 *  - actions are carried out in the order of the array;
 *  - a RECORD is handed to the store, which answers later with RECORDED(n) for
 *    all records up to n; whatever must not run ahead of the record (showing a
 *    result, releasing a successor, FINISH) is held back by the engine itself;
 *  - frames between two ranks arrive in the order in which they were sent;
 *    between different pairs anything may happen; frames to oneself count;
 *  - actions and their bytes are borrowed until the next step on the same
 *    'struct dtx_actions';
 *  - the same events give the same actions, byte for byte: nothing is chosen
 *    by chance.
 */
#ifndef DTX_ENGINE_EVENT_H
#define DTX_ENGINE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "task/outcome.h"
#include "wire/wire.h"

/* How a job is asked to stop. */
enum dtx_stop {
    DTX_STOP_DRAIN = 1, /* start nothing new, let running tasks finish */
    DTX_STOP_KILL = 2   /* end running tasks too; they are not finished */
};

enum dtx_event_kind {
    DTX_EV_START,      /* both: the first event */
    DTX_EV_FRAME,      /* both: a frame has arrived */
    DTX_EV_TASK_ENDED, /* worker: an attempt handed over by RUN has ended */
    DTX_EV_RECALLED,   /* worker: the answer to RECALL */
    DTX_EV_HELD,       /* worker: the executor starts nothing for now, though
                          slots are free (memory is short), or does again */
    DTX_EV_OTHERS,     /* worker: how much others take of its processors */
    DTX_EV_TIMER,      /* both: the time asked for by WAKE_AT has come */
    DTX_EV_RECORDED,   /* master: the store has written records */
    DTX_EV_RANK_LOST,  /* master: a rank is dead, or takes no part */
    DTX_EV_STOP,       /* both: somebody asks to stop */
    DTX_EV_TASKS,      /* master of a live list: further tasks have come */
    DTX_EV_CLOSED,     /* master of a live list: no more will come */
    DTX_EV_DEADLINE,   /* master: when the job is to be over, anew */
    DTX_EV_COSTS       /* master: what tasks are predicted to cost, anew */
};

/* Predictions for some tasks; of others they stay as they were. */
struct dtx_costs {
    const uint32_t *task;
    const float *seconds; /* below 0 or NAN: nothing is known; or NULL: as they
                             were, and so is 'need' */
    const float *need;    /* dtx_master_config.need_s; or NULL: the same */
    const float *share;   /* dtx_master_config.share; or NULL: as they were */
    size_t n;
};

/* Further tasks of a live list. A task waits for earlier ones alone. */
struct dtx_arrival {
    uint32_t upto;            /* so many tasks have come in all */
    const uint8_t *prior;     /* enum dtx_prior of the new ones, or NULL */
    const uint16_t *attempts; /* made before, of the new ones, or NULL */
    const uint32_t *edge;     /* pairs before, after: what new ones wait for,
                                 by rising 'after'. A node is a task, or a gate
                                 with DTX_GATE (task/after.h), whose own edges
                                 stand together before the first that waits for
                                 it; new gates are numbered on */
    size_t nedges;
    const float *cost_s; /* what the new ones are predicted to cost, and ... */
    const float *need_s; /* ... to need, as in dtx_master_config; or NULL */
};

/* A rank is lost. Whoever watched its tasks may tell which of them it ran. */
struct dtx_loss {
    uint32_t rank;
    bool told;                 /* these and no others; else nobody knows */
    const struct dtx_item_taskref *ran; /* borrowed for the step */
    uint32_t nran;
};

struct dtx_event {
    enum dtx_event_kind kind;
    int64_t now_ns; /* monotonic, of this rank */
    bool more;      /* further events are waiting already: batched work (grants,
                       reports) may be put off to the last of them. A TIMER
                       that is due does not count, since this step may move
                       it; none is asked for what is due now, as the last of
                       them sees to that */
    union {
        struct {
            uint32_t from;
            const void *data;
            size_t len;
        } frame;
        const struct dtx_outcome *ended;
        struct {
            uint32_t task, attempt;
            bool taken_back; /* it will not start */
        } recalled;
        bool held;
        uint32_t others; /* as in DONE: 0 not measured, 1..1001 */
        uint64_t recorded; /* the largest record number that is written */
        struct dtx_loss lost;
        enum dtx_stop stop;
        struct dtx_arrival tasks; /* borrowed for the step */
        int64_t deadline_ns;      /* of the same clock as now_ns */
        struct dtx_costs costs;   /* borrowed for the step */
    } u;
};

enum dtx_action_kind {
    DTX_ACT_RECORD,  /* master: append to the journal */
    DTX_ACT_SEND,    /* both: a frame to a rank (the worker sends to 0) */
    DTX_ACT_RUN,     /* worker: hand an attempt to the executor */
    DTX_ACT_RECALL,  /* worker: take it back if it has not started; answered by
                        RECALLED */
    DTX_ACT_KILL,    /* worker: end it; its end comes with status KILLED */
    DTX_ACT_LIMIT,   /* worker: from now on limited work, running or not, is to
                        end after this long */
    DTX_ACT_DEADLINE, /* worker: tasks that start from now on are told that the
                        job is to be over at this time */
    DTX_ACT_WAKE_AT, /* both: send TIMER at this time (replaces older ones) */
    DTX_ACT_SHOW,    /* master: this attempt's result may be shown */
    DTX_ACT_FORGET,  /* master of a live list: this task is over; its command
                        is not asked for again */
    DTX_ACT_LOST,    /* master: this rank counts as lost from now on, since it
                        was silent for too long or talks nonsense; if it lives
                        it is to be ended */
    DTX_ACT_FINISH   /* both: nothing more will be asked */
};

struct dtx_action {
    enum dtx_action_kind kind;
    size_t at, len; /* RECORD, SEND: bytes in dtx_actions.bytes; RUN: an encoded
                       work item there */
    union {
        struct {
            uint64_t number; /* from 1, by ones */
            uint32_t task;
            bool urgent;     /* somebody waits for it */
        } record;
        uint32_t to; /* SEND */
        struct {
            uint32_t task, attempt;
        } ref; /* RECALL, KILL */
        uint32_t over; /* FORGET: the task */
        struct {
            uint32_t rank;
            bool silent; /* else it talks nonsense */
        } lost;
        int64_t wake_at_ns;
        int64_t limit_ns;
        int64_t deadline_ns;
        struct {
            struct dtx_outcome outcome;
            bool final; /* no further attempt follows */
        } show;
    } u;
};

struct dtx_actions {
    struct dtx_action *list;
    size_t count, cap;
    struct dtx_buf bytes;
    bool failed; /* out of memory: the step's result is not to be used */
};

#define DTX_ACTIONS_INIT {NULL, 0, 0, DTX_BUF_INIT, false}

/* The driver's use. */
void dtx_actions_clear(struct dtx_actions *a);
void dtx_actions_free(struct dtx_actions *a);
const void *dtx_action_bytes(const struct dtx_actions *a,
                             const struct dtx_action *act);

/* The engine's use: a new action at the end, or NULL (and failed). Bytes that
 * follow belong to it once dtx_actions_close is called. */
struct dtx_action *dtx_actions_add(struct dtx_actions *a,
                                   enum dtx_action_kind kind);
/* The open action's bytes are all of a->bytes behind its start. */
void dtx_actions_close(struct dtx_actions *a);

/* Called for what the engine does and why, one line each, when set. */
typedef void (*dtx_trace_f)(void *ctx, const char *line);

#endif

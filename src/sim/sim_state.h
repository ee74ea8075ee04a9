/* SPDX-License-Identifier: MIT */
/* sim/sim_state.h - what the simulator's own files share
 *
 * Private to src/sim. sim.c has the clock, sim_act.c carries out actions,
 * sim_net.c moves frames, sim_cpu.c says when a process is free to hear an
 * event, sim_exec.c runs attempts, sim_memory.c and sim_crowd.c slow them,
 * sim_store.c writes records, sim_check.c holds the model that the engine is
 * compared with (sim_needs.c that of memory and devices), sim_idle.c measures
 * free slots, sim_fault.c lets ranks die, sim_queue.c keeps the events,
 * sim_stream.c lets tasks come, sim_result.c sums up.
 */
#ifndef DTX_SIM_SIM_STATE_H
#define DTX_SIM_SIM_STATE_H

#include "base/error.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/rng.h"
#include "engine/worker.h"
#include "sim/sim.h"
#include "task/graph.h"
#include "task/task.h"
#include "wire/wire.h"

#define DTX_SIM_NONE UINT32_MAX
#define DTX_SIM_MASTER 0u /* targets: the master, then 1 + rank */

/* In tie order. */
enum dtx_sim_kind {
    DTX_SIM_LOOK,   /* a process looks at what has come meanwhile */
    DTX_SIM_STORED, /* a group of records is written; a = how many */
    DTX_SIM_END,    /* an attempt ends in its executor; a = run */
    DTX_SIM_NOTICE, /* and its worker hears it; a = run */
    DTX_SIM_ANSWER, /* to a recall; a = run, flag = taken back */
    DTX_SIM_FRAME,  /* a = sender */
    DTX_SIM_TIMER,
    DTX_SIM_COME,   /* a process begins */
    DTX_SIM_STOPPING, /* somebody asks to stop; a = how */
    DTX_SIM_FAIL,   /* a = fault */
    DTX_SIM_WAKE,   /* a hanging rank goes on */
    DTX_SIM_ALONE,  /* others have left its processors */
    DTX_SIM_OTHERS, /* a rank has measured what others take */
    DTX_SIM_LOST,   /* the driver counts rank a as dead */
    DTX_SIM_CRASH,
    DTX_SIM_ARRIVE, /* tasks of a live list come */
    DTX_SIM_CLOSE,  /* and no more will */
    DTX_SIM_DEADLINE /* the master is told of it */
};

struct dtx_sim_event {
    int64_t at_ns;
    uint64_t seq;
    enum dtx_sim_kind kind;
    uint32_t target;
    uint32_t life; /* of the target's rank, when it was made */
    uint32_t a;
    uint32_t next; /* in the box of its process */
    bool flag;
    bool boxed;    /* it is in that box */
    bool dropped;  /* and not to be heard any more, or cancelled in the queue */
    char *data; /* FRAME; owned, and kept for the next that is this one */
    uint32_t len, room;
};

/* The event queue: a heap of four branches whose keys lie in it. */
struct dtx_sim_key {
    int64_t at_ns;
    uint64_t order; /* kind, then target */
    uint64_t seq;
    uint32_t event;
};

struct dtx_sim_queue {
    struct dtx_sim_key *key;
    size_t len, cap;
    size_t dropped; /* of these, cancelled ones */
};

/* An attempt that was handed to an executor. */
struct dtx_sim_run {
    uint32_t task, attempt, rank, life, cpus;
    uint32_t before;     /* an earlier attempt's run, or NONE */
    uint32_t next, prev; /* in its executor's waiting or running list */
    uint32_t end_event;  /* or NONE */
    enum { RUN_WAITS, RUN_RUNS, RUN_ENDED, RUN_RECALLED } state;
    uint8_t status;      /* when ended */
    uint32_t slot;
    uint32_t traffic;    /* as in its work item */
    bool heavy;
    int64_t timeout_ns, start_ns, wall_ns;
    int64_t full_ns; /* what it takes when nobody ends it */
    bool limited;
    bool believed, recorded;
    bool dropped; /* it ran when its rank died */
};

/* A slot became free. */
struct dtx_sim_free {
    int64_t since_ns;
    uint64_t yields; /* sent up to then */
};

struct dtx_sim_list {
    uint32_t head, tail;
};

struct dtx_sim_rank {
    struct dtx_sim *sim;
    uint32_t number, target;
    struct dtx_worker *worker;
    bool up, hung, finished, faulted;
    uint32_t life;     /* its incarnation */
    uint32_t timer;    /* event, or NONE */
    int64_t wake_ns;   /* of a hang */
    int64_t in_ns, out_ns; /* last arrival from and at this rank */
    /* its process, see sim_cpu.c */
    int64_t busy_ns;       /* does something until then */
    int64_t sent_ns, got_ns; /* its link is free again, out and in */
    struct dtx_sim_list box; /* events that wait for it */
    uint32_t batch;        /* of these, so many are heard in one go; that the */
    uint32_t more[2];      /* worker and the master are told of, as more */
    uint32_t look;         /* event, or NONE */
    int64_t cut_ns;    /* frames arrive behind this */
    int64_t spoke_ns;  /* the master believed its last frame then */
    int64_t told_ns;   /* and it heard the master's last one */
    bool hanged;       /* once: its executor is not watched */
    double crowd;      /* share of its processors that others take */
    /* executor */
    uint32_t slots, free;
    int64_t limit_ns; /* for limited runs, 0 = none */
    uint32_t *slot_of; /* the run that has it, or NONE */
    struct dtx_sim_list waiting, running;
    /* the model: whom the master has to believe */
    bool believed, absent; /* absent: declared lost before it came */
    uint32_t believed_life;
    uint32_t told_life; /* the last one that was sent BYE */
    uint32_t lost_life; /* incarnations up to this one were declared lost */
    uint64_t holds;    /* narrow tasks that arrived and have not started */
    int64_t holds_since;  /* -1: it holds none */
    uint64_t holds_yields; /* YIELDs sent up to then */
    struct dtx_sim_free *freed; /* a ring: its free slots, longest first */
    uint32_t freed_at;
};

/* The model of a task. */
struct dtx_sim_task {
    uint32_t holder, holder_life; /* valid while that rank is believed */
    uint32_t attempt;             /* of the last grant */
    uint32_t fails;               /* believed ones, in this session */
    uint32_t losses;              /* earlier sessions included */
    uint32_t failed_runs;
    uint32_t run;                 /* its last, or NONE */
    uint32_t home;                /* it was granted to first, or NONE */
    bool gone;                    /* that attempt can never be granted again */
    bool recorded;                /* finally; perhaps not answered yet */
    bool durable;                 /* and answered */
    bool ok;
    int64_t not_before_ns;        /* pause before the next attempt */
    uint64_t gpus;                /* of its node, while it is held */
};

struct dtx_sim {
    struct dtx_sim_config c;
    struct dtx_master *master;
    struct dtx_actions out; /* the master's */
    struct dtx_actions worker_out; /* of whichever worker has its step */
    bool timed;             /* there are costs: processes can be busy */
    uint32_t ntasks, nranks;
    uint32_t arrived;    /* tasks that have come; without a live list all */
    bool closed;
    uint32_t *edge;      /* live: as struct dtx_arrival wants them */
    size_t nedges, edge_at;
    bool *forgotten;     /* live: per task */
    struct dtx_rng rng;
    int64_t now_ns;
    struct dtx_sim_result res;
    struct dtx_error broken; /* code 0: all is well */
    bool over;               /* finished and quiet, or crashed */
    bool nomem;

    struct dtx_sim_queue queue;
    struct dtx_sim_event *event;
    size_t nevents, cap_events;
    uint32_t *spare_event;
    size_t nspare, cap_spare;
    uint64_t seq;
    uint64_t same_time;      /* events since the clock moved */

    struct dtx_sim_rank *rank;
    uint32_t timer; /* the master's */
    struct dtx_sim_domains *domains; /* or NULL: none slows another */
    struct dtx_placement_memory *numas; /* then: room for those of a node */

    struct dtx_sim_run *run;
    size_t nruns, cap_runs;

    struct dtx_sim_record *journal;
    size_t njournal, cap_journal, answered, shown, writing;

    struct dtx_sim_task *task;
    uint32_t *blockers;  /* per node; NULL without a graph */
    uint8_t *skipped;    /* the same: it will not run, or not open */
    uint32_t *stack;     /* for walks over nodes */
    bool stopping;       /* a stop has reached the master */
    bool has_deadline; /* the master knows it: tasks may be left */
    uint64_t expected;   /* outcomes this step has to record */
    bool telling;        /* it hears of a death and what ran: so many of that */
    uint64_t expected_lost; /* it has to record as lost */
    bool expect_bye;     /* it has to tell somebody to go */
    bool has_prios;
    bool granted;        /* narrow tasks, in this step; the least prio of: */
    int64_t not_granted_before_ns; /* the pace of starts */
    int32_t granted_prio;
    uint64_t yields;
    uint64_t last_work;
};

/* ---- sim.c ---- */
/* Break the run with a sentence; the first one counts. */
void dtx_sim_break(struct dtx_sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void dtx_sim_say(struct dtx_sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int64_t dtx_sim_spread(struct dtx_sim *s, int64_t least, int64_t spread);
void dtx_sim_mix(struct dtx_sim *s, const void *data, size_t len);
/* What its worker may hand over beyond its slots: sim_act.c. */
uint32_t dtx_sim_ahead(const struct dtx_sim_rank *r);
/* The rank behind a target that is not the master. */
struct dtx_sim_rank *dtx_sim_rank_of(struct dtx_sim *s, uint32_t target);

/* Do further events for this target wait at this time? A timer may be moved by
 * the step. */
bool dtx_sim_more_waits(struct dtx_sim *s, uint32_t target);

/* ---- sim_act.c ---- */
/* Give the master or a worker an event (its time is filled in) and do what it
 * asks. */
void dtx_sim_step_master(struct dtx_sim *s, struct dtx_event *ev);
void dtx_sim_step_worker(struct dtx_sim_rank *r, struct dtx_event *ev);
/* A rank comes, as its next incarnation. */
void dtx_sim_come(struct dtx_sim_rank *r);

/* ---- sim_stream.c ---- */
/* Set up the coming of tasks. */
int dtx_sim_stream_init(struct dtx_sim *s);
void dtx_sim_stream_fini(struct dtx_sim *s);
/* Fill in the event of what has come by now, and wait for the next. */
void dtx_sim_stream_arrive(struct dtx_sim *s, struct dtx_event *ev);
void dtx_sim_stream_close(struct dtx_sim *s, struct dtx_event *ev);
/* The master will not ask for this task again. */
void dtx_sim_stream_forget(struct dtx_sim *s, uint32_t task);

/* ---- sim_queue.c ---- */
void dtx_sim_queue_init(struct dtx_sim *s);
void dtx_sim_queue_fini(struct dtx_sim *s);
/* A new event; its number, or NONE when out of memory. */
uint32_t dtx_sim_post(struct dtx_sim *s, int64_t at_ns, enum dtx_sim_kind kind,
                      uint32_t target, uint32_t a);
void dtx_sim_cancel(struct dtx_sim *s, uint32_t event);
/* The first one that is due, left there or taken out, or NONE. */
uint32_t dtx_sim_first(struct dtx_sim *s);
uint32_t dtx_sim_take(struct dtx_sim *s);
/* It was taken, its time has changed, and it waits again. */
void dtx_sim_post_again(struct dtx_sim *s, uint32_t event);
/* The event has been taken from the queue and is done with. */
void dtx_sim_give_event(struct dtx_sim *s, uint32_t event);

/* ---- sim_cpu.c ---- */
/* The event has been taken from the queue. True: its process cannot hear it
 * now, or hears it from its box; it is seen to. */
bool dtx_sim_cpu_keeps(struct dtx_sim *s, uint32_t event);
/* Of what this target will hear in one go, is more to come? */
bool dtx_sim_cpu_more(const struct dtx_sim *s, uint32_t target);
/* The target's process begins a step with this event, and spends the time of
 * hearing it: when. Then that of an action: for a SEND this is when the frame
 * leaves. */
int64_t dtx_sim_cpu_hear(struct dtx_sim *s, uint32_t target,
                         const struct dtx_event *ev);
int64_t dtx_sim_cpu_act(const struct dtx_sim *s, uint32_t target,
                        int64_t at_ns, const struct dtx_action *a,
                        const void *data);
/* The step is over. */
void dtx_sim_cpu_end(struct dtx_sim *s, uint32_t target, int64_t at_ns);
void dtx_sim_cpu_init(struct dtx_sim *s);
void dtx_sim_cpu_reset(struct dtx_sim_rank *r);
/* Forget what waits: the process is gone. */
void dtx_sim_cpu_drop(struct dtx_sim_rank *r);
/* sim.c: let an event that was taken be heard. */
void dtx_sim_hear(struct dtx_sim *s, uint32_t event);

/* ---- sim_fault.c ---- */
void dtx_sim_fail(struct dtx_sim *s, const struct dtx_sim_fault *f);
/* The driver will notice in a while that this incarnation is dead. */
void dtx_sim_count_as_lost(struct dtx_sim *s, const struct dtx_sim_rank *r);
void dtx_sim_lose(struct dtx_sim *s, const struct dtx_sim_event *e);
/* The master takes a rank for lost by itself. */
void dtx_sim_expelled(struct dtx_sim *s, uint32_t rank);
/* Look whether a dead incarnation has just come. */
void dtx_sim_lose_again(struct dtx_sim *s, uint32_t rank);
void dtx_sim_crash(struct dtx_sim *s);

/* ---- sim_net.c ---- */
/* A frame leaves at this time. */
void dtx_sim_send(struct dtx_sim *s, int64_t at_ns, uint32_t from, uint32_t to,
                  bool to_master, const void *data, size_t len);
/* Are rank 0 and this one on different nodes? */
bool dtx_sim_is_far(const struct dtx_sim *s, uint32_t rank);
/* A frame as text, for the transcript. */
void dtx_sim_say_frame(struct dtx_sim *s, const struct dtx_sim_event *e);

/* ---- sim_exec.c ---- */
int dtx_sim_exec_init(struct dtx_sim_rank *r, uint32_t slots);
/* A frame of the master's leaves: where tasks are granted first. */
void dtx_sim_exec_sent(struct dtx_sim *s, uint32_t to, const void *data,
                       size_t len);
void dtx_sim_exec_run(struct dtx_sim_rank *r, const void *data, size_t len);
void dtx_sim_exec_recall(struct dtx_sim_rank *r, uint32_t task,
                         uint32_t attempt);
void dtx_sim_exec_limit(struct dtx_sim_rank *r, int64_t limit_ns);
void dtx_sim_exec_kill(struct dtx_sim_rank *r, uint32_t task,
                       uint32_t attempt);
void dtx_sim_exec_end(struct dtx_sim *s, uint32_t run);
/* The rank dies: nothing it runs comes to an end. */
void dtx_sim_exec_drop(struct dtx_sim_rank *r);
struct dtx_sim_run *dtx_sim_run_of(struct dtx_sim *s, uint32_t task,
                                   uint32_t attempt);
void dtx_sim_outcome(const struct dtx_sim_run *r, struct dtx_outcome *o);

/* ---- sim_memory.c ---- */
int dtx_sim_memory_init(struct dtx_sim *s);
void dtx_sim_memory_fini(struct dtx_sim *s);
/* The NUMA node of a rank's slot, numbered from 0 on its node. */
uint32_t dtx_sim_memory_numa(const struct dtx_sim *s, uint32_t rank,
                             uint32_t slot);
/* A run has begun, with its end posted; or does not run any more. */
void dtx_sim_memory_enter(struct dtx_sim *s, uint32_t run);
void dtx_sim_memory_leave(struct dtx_sim *s, uint32_t run);
/* It goes on in a free slot of its rank. */
void dtx_sim_memory_move(struct dtx_sim *s, uint32_t run, uint32_t slot);
/* The end of what runs moves to where it is now known to be; a limit comes
 * first. */
void dtx_sim_move_end(struct dtx_sim *s, uint32_t run, int64_t end_ns);

/* ---- sim_crowd.c ---- */
/* From now on others take this share of the rank's processors. */
void dtx_sim_crowd(struct dtx_sim_rank *r, double share);
/* A rank has come. */
void dtx_sim_crowd_come(struct dtx_sim_rank *r);

/* ---- sim_store.c ---- */
void dtx_sim_store_record(struct dtx_sim *s, const struct dtx_action *a,
                          const void *data);
/* A group is written; how many records are now. */
uint64_t dtx_sim_store_done(struct dtx_sim *s, uint32_t group);
void dtx_sim_store_crash(struct dtx_sim *s);

/* ---- sim_check.c ---- */
int dtx_sim_check_init(struct dtx_sim *s);
/* The master hears a frame, before it does; and after its step. */
void dtx_sim_check_heard(struct dtx_sim *s, uint32_t from, const void *data,
                         size_t len);
void dtx_sim_check_sent(struct dtx_sim *s, uint32_t to, const void *data,
                        size_t len);
void dtx_sim_check_record(struct dtx_sim *s, const struct dtx_sim_record *r);
void dtx_sim_check_durable(struct dtx_sim *s, const struct dtx_sim_record *r);
/* The master is to hear that these ran when the rank died. */
void dtx_sim_check_told(struct dtx_sim *s, const struct dtx_loss *l);
void dtx_sim_check_show(struct dtx_sim *s, const struct dtx_action *a);
void dtx_sim_check_start(struct dtx_sim *s, const struct dtx_sim_run *r);
void dtx_sim_check_end(struct dtx_sim *s, const struct dtx_sim_run *r);
void dtx_sim_check_step(struct dtx_sim *s);
void dtx_sim_check_finish(struct dtx_sim *s);
/* Is the task with a rank that counts as alive? */
bool dtx_sim_held(const struct dtx_sim *s, const struct dtx_sim_task *t);

/* ---- sim_needs.c ---- */
/* What a task asks for beside slots. */
int64_t dtx_sim_mem_of(const struct dtx_sim *s, uint32_t task);
uint32_t dtx_sim_gpus_of(const struct dtx_sim *s, uint32_t task);
/* Does it ask for memory or devices, and are these looked after? */
bool dtx_sim_is_needy(const struct dtx_sim *s, uint32_t task);
/* Has the rank's node what it asks for, were nothing taken? */
bool dtx_sim_could_have(const struct dtx_sim *s, uint32_t rank, uint32_t task);
/* It is about to be granted. */
void dtx_sim_check_needs(struct dtx_sim *s, uint32_t rank,
                         const struct dtx_item_work *w);

/* ---- sim_result.c ---- */
void dtx_sim_sum_up(struct dtx_sim *s);
/* Nothing is due any more: everybody must have come to an end. */
void dtx_sim_check_quiet(struct dtx_sim *s);

/* ---- sim_idle.c ---- */
/* Slots are taken ('free' already says so), or become free. */
void dtx_sim_idle_take(struct dtx_sim_rank *r, uint32_t n);
void dtx_sim_idle_free(struct dtx_sim_rank *r, uint32_t n);
/* It holds so many more narrow tasks that have not started. */
void dtx_sim_idle_holds(struct dtx_sim_rank *r, int64_t more);
/* It does not count any more. */
void dtx_sim_idle_out(struct dtx_sim_rank *r);
/* A worker hears a grant, or sends tasks back. */
void dtx_sim_idle_frame(struct dtx_sim_rank *r, const void *data, size_t len);

#endif
